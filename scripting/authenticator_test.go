package scripting

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/wamp"
)

// decider is an authenticator whose function has the given body.
func decider(body string) map[string]string {
	return map[string]string{"authenticate.lua": `router.join { realm = "realm1", authrole = "authenticator" }
router.authenticator("com.example.authenticate", function(request)
` + body + `
end)`}
}

func TestWhatAnAuthenticatorMayReturn(t *testing.T) {
	for _, test := range []struct {
		body   string
		want   string // accepted as role/authid/realm, or the refusal
		failed string // a failure: what the log says
	}{
		// A role.
		{body: `return "frontend"`, want: "frontend/joe/realm1"},
		{body: `return ""`, failed: "authenticate.lua:2: the authenticator returned an empty string"},
		{body: `return "frontend", "more"`, failed: "1 values after a role"},
		{body: `return "frontend", nil`, failed: "1 values after a role"},
		// A principal.
		{body: `return {role = "frontend"}`, want: "frontend/joe/realm1"},
		{body: `return {role = "backend", authid = "jim", realm = "realm2"}`, want: "backend/jim/realm2"},
		{body: `return {role = "frontend", extra = {a = 1}}`, want: `frontend/joe/realm1 {"a":1}`},
		{body: `return {role = "frontend", extra = {}}`, want: `frontend/joe/realm1 {}`},
		{body: `return {role = "frontend", extra = "x"}`, failed: "extra is of type string"},
		{body: `return {role = "frontend", extra = {1, 2}}`, failed: "extra cannot be sent"},
		{body: `return {role = "frontend", extra = {name = "\255"}}`, failed: ".name: the string is not valid UTF-8"},
		{body: `return {}`, failed: "a principal without a role"},
		{body: `return {role = ""}`, failed: "role is empty"},
		{body: `return {role = 1}`, failed: "role is of type number"},
		{body: `return {role = null}`, failed: "role is of type userdata"},
		{body: `return {role = "frontend", authid = 7}`, failed: "authid is of type number"},
		{body: `return {role = "frontend", authid = ""}`, failed: "authid is empty"},
		{body: `return {role = "frontend", realm = true}`, failed: "realm is of type boolean"},
		{body: `return {role = "frontend", rolle = "x"}`, failed: `the field "rolle"`},
		{body: `return {role = "frontend", secret = "x"}`, failed: `authenticate.lua:2: the authenticator returned credentials, which authentication method "ticket" does not check`},
		{body: `return {role = "frontend", expires_at = 1}`, failed: "expires_at has passed"},
		{body: `return {role = "frontend", expires_at = 4102444800.5}`, want: "frontend/joe/realm1"},
		{body: `return {role = "frontend", expires_at = "2100-01-01T00:00:00+01:00"}`, want: "frontend/joe/realm1"},
		{body: `return {role = "frontend", expires_at = "tomorrow"}`, failed: "expires_at is no time"},
		{body: `return {role = "frontend", expires_at = 0}`, failed: "expires_at is no time"},
		{body: `return {role = "frontend", expires_at = 0/0}`, failed: "expires_at is no time"},
		{body: `return {role = "frontend", expires_at = true}`, failed: "expires_at is no time"},
		{body: `return {"frontend"}`, failed: "a key of type number"},
		{body: `return {role = "frontend"}, "more"`, failed: "1 values after a principal"},
		{body: `return setmetatable({}, {__index = {role = "frontend"}})`, failed: "without a role"},
		// A refusal.
		{body: `return nil, "com.example.no", "because"`, want: "com.example.no: because"},
		{body: `return nil, "com.example.no"`, want: "com.example.no: "},
		{body: `return nil, "com.example.no", nil`, want: "com.example.no: "},
		{body: `error(router.error("com.example.no", {"because"}))`, want: "com.example.no: because"},
		{body: `error(router.error("com.example.no"))`, want: "com.example.no: "},
		{body: `pcall(error, 1) error(router.error("com.example.no", {"because"}))`, want: "com.example.no: because"},
		{body: `return nil, "com.example.no", 7`, failed: "of type number as the refusal's message"},
		{body: `return nil, "no such user", "x"`, failed: `"no such user" as the refusal's URI`},
		{body: `return nil, nil, "x"`, failed: "of type nil as the refusal's URI"},
		{body: `return nil, "com.example.no", "because", "more"`, failed: "returned 4 values"},
		// Everything else fails.
		{body: ``, failed: "returned nothing"},
		{body: `return`, failed: "returned nothing"},
		{body: `return nil`, failed: "returned nil alone"},
		{body: `return true`, failed: "a value of type boolean"},
		{body: `return false, "com.example.no", "because"`, failed: "a value of type boolean"},
		{body: `return 1`, failed: "a value of type number"},
		{body: `return null`, failed: "a value of type userdata"},
		{body: `return function() end`, failed: "a value of type function"},
		{body: `return router.result({"frontend"})`, failed: "a value of type userdata"},
		{body: `return router.error("com.example.no")`, failed: "returned an error value"},
		{body: `error("frontend")`, failed: "authenticate.lua:3: frontend"},
		{body: `error({role = "frontend"})`, failed: "error value of type table"},
		{body: `error()`, failed: "nil"},
		{body: `router.call("com.example.nothing")`, failed: "wamp.error.no_such_procedure"},
		{body: `return request.nothing.role`, failed: "authenticate.lua:3: attempt to index field 'nothing'"},
		{body: `while true do end return "frontend"`, failed: "instruction limit reached"},
	} {
		w := newWorld(t, decider(test.body), func(o *Options) { o.Limits.Call.Instructions = 100_000 })
		p, err := w.login("joe", "the ticket")
		var refusal *auth.Refusal
		got := ""
		switch {
		case err == nil:
			got = p.Role + "/" + p.Authid + "/" + p.Realm
			if !p.Extra.Absent() {
				data, err := codec.AppendValue([]byte(" "), wamp.JSON, p.Extra)
				if err != nil {
					t.Fatal(err)
				}
				got += string(data)
			}
		case errors.As(err, &refusal):
			got = refusal.Error()
		}
		if got != test.want {
			t.Errorf("%s\n\tgives %q (%v), want %q", test.body, got, err, test.want)
		}
		if test.failed != "" && (err == nil || !strings.Contains(err.Error(), test.failed)) {
			t.Errorf("%s\n\tfails with %v, want %q", test.body, err, test.failed)
		}
	}
}

func TestTheRequestIsATable(t *testing.T) {
	w := newWorld(t, decider(`return {role = "frontend", extra = request}`))
	_, err := w.login("joe", "t")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		request auth.Request
		want    string
	}{
		{auth.Request{Realm: "realm1", Authid: "joe", Authmethod: "ticket", Ticket: "t", Session: 7},
			`{"authid":"joe","authmethod":"ticket","generation":1,"realm":"realm1","session":7,"ticket":"t"}`},
		{auth.Request{Realm: "realm1", Authid: "joe", Authrole: "admin", Authmethod: "ticket", Session: 7,
			Authextra: wamp.Value{Format: wamp.JSON, Bytes: []byte(`{"a":[1,null]}`)},
			Transport: &auth.Transport{Type: "websocket", Protocol: "wamp.2.json", Peer: "tcp4:127.0.0.1:1", Cbtid: "c", Secure: true, Path: "/ws", Query: "a=b",
				HeadersReceived: map[string]string{"host": "h"}}},
			`{"authextra":{"a":[1,null]},"authid":"joe","authmethod":"ticket","authrole":"admin","generation":1,"realm":"realm1","session":7,"ticket":"",` +
				`"transport":{"cbtid":"c","http_headers_received":{"host":"h"},"http_headers_sent":{},"is_secure":true,"path":"/ws","peer":"tcp4:127.0.0.1:1","protocol":"wamp.2.json","query":"a=b","type":"websocket"}}`},
		{auth.Request{Realm: "realm1", Authmethod: "anonymous", Session: 7},
			`{"authmethod":"anonymous","generation":1,"realm":"realm1","session":7}`},
	} {
		p, err := authenticator{w.host.components["authenticate"], authenticate}.Authenticate(context.Background(), &test.request)
		if err != nil {
			t.Fatal(err)
		}
		var extra any
		if err := codec.Unmarshal(p.Extra.Format, p.Extra.Bytes, &extra); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(extra)
		if err != nil || string(got) != test.want {
			t.Errorf("request is %s (%v), want %s", got, err, test.want)
		}
	}
}

func TestAResultThatComesLateDenies(t *testing.T) {
	w := newWorld(t, decider(`pcall(function() while true do end end) return "frontend"`),
		func(o *Options) { o.Limits.Call.Instructions = 10_000 })
	for range 3 { // each on a fresh VM
		if p, err := w.login("joe", "t"); err == nil || p != nil {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	// The caller's deadline counts as well.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a := authenticator{w.host.components["authenticate"], authenticate}
	if p, err := a.Authenticate(ctx, &auth.Request{Authid: "joe"}); err == nil || p != nil {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestATicketNeverReachesTheLog(t *testing.T) {
	w := newWorld(t, decider(`
		print(request.ticket, "and", request.ticket .. request.ticket)
		log.warn("ticket " .. request.ticket, {ticket = request.ticket, [request.ticket] = 1})
		print(("x"):rep(4090) .. request.ticket)
		local ok, e = pcall(error, "caught " .. request.ticket)
		print(e)
		error({uri = request.ticket})`))
	w.host.options.Log.Info("begin")
	_, err := w.login("joe", "S3CR3T-T1CK3T")
	if err == nil || strings.Contains(err.Error(), "S3CR3T") {
		t.Errorf("%v", err)
	}
	w.write("authenticate.lua", decider(`error("bad " .. request.ticket)`)["authenticate.lua"])
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.login("joe", "S3CR3T-T1CK3T"); err == nil || strings.Contains(err.Error(), "S3CR3T") || !strings.Contains(err.Error(), "bad ***") {
		t.Errorf("%v", err)
	}
	if log := w.log.String(); strings.Contains(log, "S3CR") || !strings.Contains(log, "***") {
		t.Errorf("in the log:\n%s", log)
	}
}

func TestTheCookieStaysOutOfTheLog(t *testing.T) {
	w := newWorld(t, decider(`
		print("cookie", request.transport.cbtid)
		error("nobody has " .. request.transport.cbtid)`))
	_, err := authenticator{w.host.components["authenticate"], authenticate}.Authenticate(context.Background(), &auth.Request{
		Realm: "realm1", Authmethod: "cookie", Session: 7, Transport: &auth.Transport{Cbtid: "C00K1E"},
	})
	if err == nil || !strings.Contains(err.Error(), "nobody has ***") {
		t.Errorf("%v", err)
	}
	if log := w.log.String(); strings.Contains(log, "C00K1E") || !strings.Contains(log, "***") {
		t.Errorf("in the log:\n%s", log)
	}
}
