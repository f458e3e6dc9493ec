package scripting

import (
	"maps"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/realm"
	"usher/router/wamp"
)

const authorize = "com.example.authorize"

// authorizing is a script whose authorizer has the given body.
func authorizing(body string) map[string]string {
	return map[string]string{"authorize.lua": `router.join { realm = "realm1", authrole = "authorizer" }
router.authorizer("com.example.authorize", function(session, uri, action, options)
` + body + `
end)`}
}

// TestWhatAnAuthorizerMayReturn: true, or a table that says so, allows; false and a
// table that says that deny; all else fails, and so denies.
func TestWhatAnAuthorizerMayReturn(t *testing.T) {
	for _, test := range []struct {
		body   string
		allows bool
		failed string // what the log says
	}{
		{body: `return true`, allows: true},
		{body: `return false`},
		{body: `return {allow = true}`, allows: true},
		{body: `return {allow = true, disclose = true, cache = 5}`, allows: true},
		{body: `return {allow = true, cache = true}`, allows: true},
		{body: `return {allow = false, cache = false}`},
		{body: `return session.authid == "joe" and session.authrole == "guarded" and uri == "com.example.topic" and action == "publish" and options.acknowledge == nil and session.realm == "realm1" and session.transport.peer == "local"`, allows: true},
		{body: `return nil`, failed: "returned a value of type nil"},
		{body: ``, failed: "returned 0 values"},
		{body: `return true, true`, failed: "returned 2 values"},
		{body: `return "yes"`, failed: "returned a value of type string"},
		{body: `return 1`, failed: "returned a value of type number"},
		{body: `return {}`, failed: "a table without allow"},
		{body: `return {allow = 1}`, failed: "returned allow of type number"},
		{body: `return {allow = true, disclose = "yes"}`, failed: "returned disclose of type string"},
		{body: `return {allow = true, cache = -1}`, failed: "a cache that is not at least 0"},
		{body: `return {allow = true, cache = 0/0}`, failed: "a cache that is not at least 0"},
		{body: `return {allow = true, cache = "long"}`, failed: "returned a cache of type string"},
		{body: `return {allow = true, role = "x"}`, failed: "a table with the field"},
		{body: `return {true}`, failed: "a key of type number"},
		{body: `error("broken")`, failed: "authorize.lua:3: broken"},
		{body: `error(router.error("com.example.no", {"no"}))`, failed: "com.example.no"},
		{body: `while true do end`, failed: "authorize.lua"},
	} {
		t.Run(test.body, func(t *testing.T) {
			w := newWorld(t, authorizing(test.body), func(o *Options) { o.Limits.Call.Instructions = 100_000 })
			l, err := w.node.Join(realm.LocalOptions{Realm: "realm1", Authrole: "guarded", Authid: "joe"}, nobody{})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Leave()
			_, err = l.Publish("com.example.topic", wamp.PublishOptions{}, wamp.Payload{})
			if (err == nil) != test.allows {
				t.Errorf("Publish: %v", err)
			}
			if test.failed != "" {
				if err == nil || !strings.Contains(err.Error(), wamp.ErrAuthorizationFailed) {
					t.Errorf("the session learns %v", err)
				}
				if len(w.nodeLog.lines("authorization failed", test.failed)) == 0 {
					t.Errorf("the log says nothing of %q:\n%s", test.failed, w.nodeLog.String())
				}
			}
		})
	}
}

// TestWhatAnAuthorizerSees: each option of the request by its name in WAMP, and none
// that was not given.
func TestWhatAnAuthorizerSees(t *testing.T) {
	w := newWorld(t, authorizing(`return true`))
	v, err := newVM(t.Context(), w.host.components["authorize"].current.Load(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	for _, test := range []struct {
		options auth.QuestionOptions
		want    map[string]string
	}{
		{auth.QuestionOptions{}, map[string]string{}},
		{auth.QuestionOptions{Match: "prefix", Invoke: "first", Timeout: 7}, map[string]string{"match": "prefix", "invoke": "first", "timeout": "7"}},
		{auth.QuestionOptions{GetRetained: true, Retain: true}, map[string]string{"get_retained": "true", "retain": "true"}},
		{auth.QuestionOptions{Acknowledge: true, DiscloseMe: true, ReceiveProgress: true},
			map[string]string{"acknowledge": "true", "disclose_me": "true", "receive_progress": "true"}},
	} {
		got := map[string]string{}
		v.questionOptions(&test.options).ForEach(func(name, value lua.LValue) { got[name.String()] = value.String() })
		if !maps.Equal(got, test.want) {
			t.Errorf("%+v are %v", test.options, got)
		}
	}
}

// TestAuthorizerReloads: what a generation said does not outlive it, however long it
// allowed to remember that.
func TestAuthorizerReloads(t *testing.T) {
	w := newWorld(t, authorizing(`return {allow = true, cache = true}`))
	l, err := w.node.Join(realm.LocalOptions{Realm: "realm1", Authrole: "guarded", Authid: "joe"}, nobody{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Leave()
	publish := func() error {
		_, err := l.Publish("com.example.topic", wamp.PublishOptions{}, wamp.Payload{})
		return err
	}
	if err := publish(); err != nil {
		t.Fatal(err)
	}
	w.write("authorize.lua", authorizing(`return {allow = false, cache = true}`)["authorize.lua"])
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if err := publish(); err == nil || !strings.Contains(err.Error(), wamp.ErrNotAuthorized) {
		t.Errorf("after the reload: %v", err)
	}
}
