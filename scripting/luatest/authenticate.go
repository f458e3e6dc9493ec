package luatest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/wamp"
	"usher/scripting"
	"usher/scripting/lualib"
)

func levelName(l slog.Level) string { return strings.ToLower(l.String()) }

// testRequest is test.request{…}: a request as an authenticator gets it, filled in
// where nothing is said. headers is short for transport.http_headers_received.
func (w *world) testRequest(L *lua.LState) int {
	given := L.NewTable()
	if L.Get(1) != lua.LNil {
		given = lualib.CheckTable(L, 1)
	}
	t := L.NewTable()
	t.RawSetString("realm", lua.LString(w.realm))
	t.RawSetString("session", lua.LNumber(1))
	method := auth.MethodAnonymous
	if given.RawGetString("ticket") != lua.LNil {
		method = auth.MethodTicket
	} else if given.RawGetString("pubkey") != lua.LNil {
		method = auth.MethodCryptosign
	}
	t.RawSetString("authmethod", lua.LString(method))
	transport, headers := L.NewTable(), L.NewTable()
	headers.RawSetString("host", lua.LString("localhost"))
	headers.RawSetString("user-agent", lua.LString("test"))
	for name, value := range map[string]string{"type": "websocket", "protocol": "wamp.2.json", "peer": "tcp4:127.0.0.1:1", "path": "/ws"} {
		transport.RawSetString(name, lua.LString(value))
	}
	transport.RawSetString("is_secure", lua.LFalse)
	transport.RawSetString("http_headers_received", headers)
	transport.RawSetString("http_headers_sent", L.NewTable())
	t.RawSetString("transport", transport)
	given.ForEach(func(key, value lua.LValue) {
		switch inner, _ := value.(*lua.LTable); {
		case key == lua.LString("headers") && inner != nil:
			inner.ForEach(func(name, text lua.LValue) { headers.RawSetString(strings.ToLower(name.String()), text) })
		case key == lua.LString("transport") && inner != nil:
			inner.ForEach(func(name, v lua.LValue) { transport.RawSet(name, v) })
		case value == w.bench.Values().Null():
			t.RawSet(key, lua.LNil)
		default:
			t.RawSet(key, value)
		}
	})
	L.Push(t)
	return 1
}

// testAuthenticate is test.authenticate(request), or (who, request): what the
// router makes of the authenticator's answer. who is its URI or component, where
// there are several.
func (w *world) testAuthenticate(L *lua.LState) int {
	n, who := 1, ""
	if s, ok := L.Get(1).(lua.LString); ok {
		n, who = 2, string(s)
	}
	r := w.readRequest(L, lualib.CheckTable(L, n))
	w.load(L)
	dynamic := w.authenticator(L, who)
	var outcome auth.Outcome
	w.await(L, func(ctx context.Context) {
		outcome = w.judgeLogin(ctx, dynamic, r)
		if err := w.quiet(ctx); err != nil {
			outcome = auth.Outcome{Fail: err}
		}
	})
	if outcome.Fail != nil { // as the router would
		slog.New(w.log).Error("authentication failed", slog.String("script", dynamic.URI), slog.String("error", scripting.ErrorText(outcome.Fail)))
	}
	L.Push(w.outcomeTable(L, outcome))
	return 1
}

// judgeLogin asks the authenticator as a login would.
func (w *world) judgeLogin(ctx context.Context, d *auth.Dynamic, r *auth.Request) auth.Outcome {
	p, err := w.node.Authenticate(ctx, d, r)
	var refusal *auth.Refusal
	switch {
	case err == nil:
		return auth.Outcome{Accept: &auth.Accepted{Principal: *p, Method: r.Authmethod}}
	case errors.As(err, &refusal):
		return auth.Outcome{Refuse: refusal}
	}
	return auth.Outcome{Fail: err}
}

// authenticator finds whom to ask.
func (w *world) authenticator(L *lua.LState, who string) *auth.Dynamic {
	var found []*auth.Dynamic
	var names []string
	for _, c := range w.host.Status() {
		for _, d := range c.Declarations {
			if d.Kind != "authenticator" || d.Denied != nil {
				continue
			}
			names = append(names, fmt.Sprintf("%s (of %s)", d.URI, c.Name))
			if who == "" || who == d.URI || who == c.Name {
				found = append(found, w.suite.dynamic(d.URI, c))
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0]
	case len(names) == 0:
		lualib.Errorf(L, "test.authenticate: no component has an authenticator")
	case len(found) == 0:
		lualib.Errorf(L, "test.authenticate: there is no authenticator %s: there are %s", quote(who), strings.Join(names, ", "))
	}
	lualib.Errorf(L, "test.authenticate: which one? There are %s: write test.authenticate(uri, request)", strings.Join(names, ", "))
	return nil
}

// dynamic is how the configuration uses an authenticator, if it does.
func (s *suite) dynamic(uri string, c scripting.ComponentStatus) *auth.Dynamic {
	d := auth.Dynamic{URI: uri, Realm: c.Realm}
	for _, known := range s.options.Authenticators {
		if known.URI == uri {
			d.Realms = known.Realms
			if known.Realm != "" {
				d.Realm = known.Realm
			}
		}
	}
	return &d
}

func (w *world) readRequest(L *lua.LState, t *lua.LTable) *auth.Request {
	r := &auth.Request{Transport: &auth.Transport{}}
	text := func(t *lua.LTable, name string, to *string) {
		switch v := t.RawGetString(name).(type) {
		case *lua.LNilType:
		case lua.LString:
			*to = string(v)
		default:
			lualib.Errorf(L, "test.authenticate: %s must be a string, not a %s", name, lualib.TypeName(v))
		}
	}
	known := map[string]*string{
		"realm": &r.Realm, "authid": &r.Authid, "authrole": &r.Authrole, "authmethod": &r.Authmethod,
		"ticket": &r.Ticket, "pubkey": &r.Pubkey,
	}
	t.ForEach(func(key, value lua.LValue) {
		name := key.String()
		switch {
		case known[name] != nil:
			text(t, name, known[name])
		case name == "session":
			n, _ := value.(lua.LNumber)
			r.Session = wamp.ID(n)
		case name == "authextra":
			extra, ok := value.(*lua.LTable)
			if !ok {
				lualib.Errorf(L, "test.authenticate: authextra must be a table")
			}
			v, err := w.bench.Values().AppendDict(w.bench.Budget(), wamp.MessagePack, extra)
			if err != nil {
				lualib.Errorf(L, "test.authenticate: authextra: %v", err)
			}
			r.Authextra = v
		case name == "transport":
			w.readTransport(L, r.Transport, value, text)
		default:
			lualib.Errorf(L, "test.authenticate: a request has no field %s", quote(name))
		}
	})
	return r
}

func (w *world) readTransport(L *lua.LState, to *auth.Transport, value lua.LValue, text func(*lua.LTable, string, *string)) {
	t, ok := value.(*lua.LTable)
	if !ok {
		lualib.Errorf(L, "test.authenticate: transport must be a table")
	}
	headers := func(name string) map[string]string {
		all := map[string]string{}
		if h, ok := t.RawGetString(name).(*lua.LTable); ok {
			h.ForEach(func(k, v lua.LValue) { all[strings.ToLower(k.String())] = v.String() })
		}
		return all
	}
	for name, field := range map[string]*string{
		"type": &to.Type, "protocol": &to.Protocol, "peer": &to.Peer, "cbtid": &to.Cbtid, "path": &to.Path, "query": &to.Query,
	} {
		text(t, name, field)
	}
	to.Secure = lua.LVAsBool(t.RawGetString("is_secure"))
	to.HeadersReceived, to.HeadersSent = headers("http_headers_received"), headers("http_headers_sent")
}

// outcomeTable is what test.authenticate returns: accepted, and role, authid,
// realm, extra and expires_at of the principal; or uri and message as the client
// would be told, and cause where only the log says it.
func (w *world) outcomeTable(L *lua.LState, o auth.Outcome) *lua.LTable {
	t := L.NewTable()
	set := func(name, value string) {
		if value != "" {
			t.RawSetString(name, lua.LString(value))
		}
	}
	t.RawSetString("accepted", lua.LBool(o.Accept != nil))
	switch {
	case o.Accept != nil:
		p := &o.Accept.Principal
		set("role", p.Role)
		set("authid", p.Authid)
		set("realm", p.Realm)
		if !p.Extra.Absent() {
			if extra, err := w.bench.Values().Value(w.bench.Budget(), p.Extra); err == nil {
				t.RawSetString("extra", extra)
			}
		}
		if !p.ExpiresAt.IsZero() {
			t.RawSetString("expires_at", lua.LNumber(p.ExpiresAt.Unix()))
		}
	case o.Refuse != nil:
		set("uri", o.Refuse.URI)
		set("message", o.Refuse.Message)
	case o.Fail != nil:
		set("uri", wamp.ErrAuthenticationFailed)
		set("cause", scripting.ErrorText(o.Fail))
	}
	return t
}
