package luatest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/trustroot"
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
	t.RawSetString("authmethod", lua.LString(methodOf(given)))
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
	l := w.readRequest(L, lualib.CheckTable(L, n))
	w.load(L)
	dynamic := w.authenticator(L, who)
	var outcome auth.Outcome
	w.await(L, func(ctx context.Context) {
		outcome = l.judge(ctx, w, dynamic)
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

// authenticator finds whom to ask.
func (w *world) authenticator(L *lua.LState, who string) *auth.Dynamic {
	uri, c := w.asked(L, "test.authenticate", "authenticator", who)
	return w.suite.dynamic(uri, c)
}

// asked finds the procedure of a kind that a component has.
func (w *world) asked(L *lua.LState, verb, kind, who string) (uri string, of scripting.ComponentStatus) {
	var names []string
	count := 0
	for _, c := range w.host.Status() {
		for _, d := range c.Declarations {
			if d.Kind != kind || d.Denied != nil {
				continue
			}
			names = append(names, fmt.Sprintf("%s (of %s)", d.URI, c.Name))
			if who == "" || who == d.URI || who == c.Name {
				count++
				uri, of = d.URI, c
			}
		}
	}
	switch {
	case count == 1:
	case len(names) == 0:
		lualib.Errorf(L, "%s: no component has an %s", verb, kind)
	case count == 0:
		lualib.Errorf(L, "%s: there is no %s %s: there are %s", verb, kind, quote(who), strings.Join(names, ", "))
	default:
		lualib.Errorf(L, "%s: which one? There are %s: give its URI", verb, strings.Join(names, ", "))
	}
	return uri, of
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

func (w *world) readRequest(L *lua.LState, t *lua.LTable) *login {
	r := &auth.Request{Transport: &auth.Transport{}}
	l := &login{request: r}
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
		"ticket": &l.ticket, "secret": &l.secret, "password": &l.password, "key": &l.key,
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
		case name == "delegation":
			r.Delegation = readDelegation(L, value, text)
		case name == "transport":
			w.readTransport(L, r.Transport, value, text)
		default:
			lualib.Errorf(L, "test.authenticate: a request has no field %s", quote(name))
		}
	})
	return l
}

// readDelegation reads what a client's certificates would have said.
func readDelegation(L *lua.LState, value lua.LValue, text func(*lua.LTable, string, *string)) *trustroot.Delegation {
	t, ok := value.(*lua.LTable)
	if !ok {
		lualib.Errorf(L, "test.authenticate: delegation must be a table")
	}
	var d trustroot.Delegation
	t.ForEach(func(key, value lua.LValue) {
		addresses := map[string]*trustroot.Address{
			"trustroot": &d.Trustroot, "delegate": &d.Delegate, "realm": &d.Realm, "verifying_contract": &d.Contract,
		}
		numbers := map[string]*uint64{"chain_id": &d.ChainID, "capabilities": &d.Capabilities}
		switch name := key.String(); {
		case addresses[name] != nil:
			var s string
			text(t, name, &s)
			a, err := trustroot.ParseAddress(s)
			if err != nil {
				lualib.Errorf(L, "test.authenticate: delegation.%s: %v", name, err)
			}
			*addresses[name] = a
		case numbers[name] != nil:
			n, ok := value.(lua.LNumber)
			if !ok || n < 0 || n != lua.LNumber(uint64(n)) {
				lualib.Errorf(L, "test.authenticate: delegation.%s must be a whole number", name)
			}
			*numbers[name] = uint64(n)
		default:
			lualib.Errorf(L, "test.authenticate: a delegation has no field %s", quote(name))
		}
	})
	return &d
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
	if c := t.RawGetString("client_cert"); c != lua.LNil {
		certificate, err := readCertificate(c)
		if err != nil {
			lualib.Errorf(L, "test.authenticate: transport.client_cert: %v", err)
		}
		to.TLS = &tls.ConnectionState{
			PeerCertificates: []*x509.Certificate{certificate}, VerifiedChains: [][]*x509.Certificate{{certificate}},
		}
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
