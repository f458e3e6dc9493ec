package router

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"usher/router/config"
)

// cookieConf has three ways in, of two listeners, which share a store.
func cookieConf(file string) string {
	cookie := `cookie: {store: {type: file, filename: ` + file + `}}`
	methods := `{cookie: {type: static}, anonymous: {type: static, role: guest}, ticket: {type: static, principals: {joe: {ticket: s3cret, role: user}, ann: {ticket: s3cret, role: user}}}}`
	return `
realms:
  - name: realm1
    roles:
      - name: user
        permissions: [{uri: wamp.session., match: prefix, allow: {call: true}}]
      - {name: guest, permissions: []}
  - {name: realm2, roles: [{name: user, permissions: []}, {name: guest, permissions: []}]}
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0}
    paths:
      ws: {type: websocket, ` + cookie + `, auth: ` + methods + `}
      lp: {type: longpoll, ` + cookie + `, auth: ` + methods + `}
  - type: websocket
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0}
    url: ws://localhost/other
    ` + cookie + `
    auth: ` + methods + `
limits: {close_timeout: 500ms}
`
}

// browser is a client that keeps cookies, as all connections of a browser do.
type browser struct {
	t   *testing.T
	jar http.CookieJar
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, jar}
}

// page is one connection.
type page struct {
	t *testing.T
	c *websocket.Conn
}

// open connects and sends HELLO.
func (b *browser) open(url, realm, authid string, methods ...string) *page {
	b.t.Helper()
	d := websocket.Dialer{HandshakeTimeout: 10 * time.Second, Subprotocols: []string{"wamp.2.json"}, Jar: b.jar}
	c, _, err := d.Dial(url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	p := &page{b.t, c}
	p.send([]any{1, realm, map[string]any{"roles": map[string]any{"caller": map[string]any{}}, "authmethods": methods, "authid": authid}})
	return p
}

func (p *page) send(message any) {
	p.t.Helper()
	if err := p.c.WriteJSON(message); err != nil {
		p.t.Fatal(err)
	}
}

// next is the next message.
func (p *page) next() string {
	p.t.Helper()
	_ = p.c.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, data, err := p.c.ReadMessage()
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// expect checks the next message for parts of its text.
func (p *page) expect(prefix string, parts ...string) string {
	p.t.Helper()
	got := p.next()
	if !strings.HasPrefix(got, prefix) {
		p.t.Fatalf("got %s, want %s…", got, prefix)
	}
	for _, part := range parts {
		if !strings.Contains(got, part) {
			p.t.Fatalf("got %s, want one with %s", got, part)
		}
	}
	return got
}

// login gives the ticket.
func (p *page) login() string {
	p.t.Helper()
	p.expect(`[4,"ticket"`)
	p.send([]any{5, "s3cret", map[string]any{}})
	return p.expect(`[2,`, `"authmethod":"ticket"`, `"authprovider":"static"`)
}

const backByCookie = `"authprovider":"cookie"`

func TestLoginByCookie(t *testing.T) {
	dir := t.TempDir()
	c := parse(t, cookieConf(filepath.Join(dir, "cookies.dat")))
	r := serveConfig(t, c)
	ws, other := r.Addresses()[0].WebSockets[0], r.Addresses()[1].WebSockets[0]
	both := []string{"cookie", "ticket"}

	b := newBrowser(t)
	b.open(ws, "realm1", "joe", both...).login()
	b.open(ws, "realm1", "joe", both...).expect(`[2,`, `"authid":"joe"`, `"authrole":"user"`, `"authmethod":"ticket"`, backByCookie)
	b.open(other, "realm1", "joe", both...).expect(`[2,`, backByCookie)
	b.open(ws, "realm1", "", "cookie").expect(`[2,`, `"authid":"joe"`, backByCookie)

	// GOODBYE is no logout.
	p := b.open(ws, "realm1", "joe", both...)
	p.expect(`[2,`, backByCookie)
	p.send([]any{6, map[string]any{}, "wamp.close.close_realm"})
	p.expect(`[6,`)
	b.open(ws, "realm1", "joe", both...).expect(`[2,`, backByCookie)

	// Nobody else's, nowhere else.
	b.open(ws, "realm2", "joe", "cookie").expect(`[3,`, `"wamp.error.authentication_denied"`)
	newBrowser(t).open(ws, "realm1", "joe", "cookie").expect(`[3,`, `"wamp.error.authentication_denied"`)
	newBrowser(t).open(ws, "realm1", "joe", both...).expect(`[4,"ticket"`)

	// Logging in as somebody else under the same cookie ends what it stood for.
	b.open(ws, "realm1", "ann", both...).login()
	b.open(ws, "realm1", "joe", "cookie").expect(`[3,`, `"wamp.error.authentication_denied"`)
	b.open(ws, "realm1", "ann", both...).login()
	b.open(ws, "realm1", "ann", both...).expect(`[2,`, `"authid":"ann"`, backByCookie)

	// An anonymous login is none.
	b = newBrowser(t)
	b.open(ws, "realm1", "", "anonymous").expect(`[2,`)
	b.open(ws, "realm1", "", "cookie").expect(`[3,`, `"wamp.error.authentication_denied"`)
}

// Whoever plants a cookie in a browser does not share the login that follows.
func TestPlantedCookie(t *testing.T) {
	r := serveConfig(t, parse(t, cookieConf(filepath.Join(t.TempDir(), "cookies.dat"))))
	ws := r.Addresses()[0].WebSockets[0]
	both := []string{"cookie", "ticket"}
	for _, eveLogsIn := range []bool{false, true} {
		eve := newBrowser(t)
		p := eve.open(ws, "realm1", "ann", both...)
		if eveLogsIn {
			p.login()
		}
		victim := &browser{t, snapshotOf(t, eve.jar, ws)}
		victim.open(ws, "realm1", "joe", both...).login()
		eve.open(ws, "realm1", "joe", "cookie").expect(`[3,`, `"wamp.error.authentication_denied"`)
	}
}

// snapshotOf copies a jar.
func snapshotOf(t *testing.T, jar http.CookieJar, url string) http.CookieJar {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimPrefix(url, "ws"), nil)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	copied.SetCookies(request.URL, jar.Cookies(request.URL))
	return copied
}

func TestLoginsAreRevoked(t *testing.T) {
	r := serveConfig(t, parse(t, cookieConf(filepath.Join(t.TempDir(), "cookies.dat"))))
	ws := r.Addresses()[0].WebSockets[0]
	both := []string{"cookie", "ticket"}
	admin := newBrowser(t).open(ws, "realm1", "ann", both...)
	admin.login()
	request := 0
	call := func(p *page, procedure, want string, args ...any) {
		t.Helper()
		request++
		p.send([]any{48, request, map[string]any{}, procedure, args})
		p.expect(fmt.Sprintf(`[%s,`, want))
	}
	for _, test := range []struct {
		name   string
		revoke func(p *page, session json.Number)
	}{
		{"logout", func(p *page, _ json.Number) { request = 0; call(p, "wamp.session.logout", "50,1,{}") }},
		{"kill", func(p *page, session json.Number) {
			admin.send([]any{48, 1, map[string]any{}, "wamp.session.kill", []any{session}})
			admin.expect(`[50,1,`)
			p.expect(`[6,`)
		}},
		{"forget", func(_ *page, _ json.Number) {
			admin.send([]any{48, 2, map[string]any{}, "wamp.session.forget_logins", []any{"joe"}})
			admin.expect(`[50,2,{},[1]]`)
		}},
	} {
		b := newBrowser(t)
		b.open(ws, "realm1", "joe", both...).login()
		p := b.open(ws, "realm1", "joe", both...)
		var welcome []json.RawMessage
		if err := json.Unmarshal([]byte(p.expect(`[2,`, backByCookie)), &welcome); err != nil {
			t.Fatal(err)
		}
		test.revoke(p, json.Number(welcome[1]))
		got := b.open(ws, "realm1", "joe", both...).next()
		if !strings.HasPrefix(got, `[4,"ticket"`) {
			t.Errorf("%s: back with %s", test.name, got)
		}
	}
}

// A restart keeps logins; a role that has gone since admits nobody.
func TestLoginsAfterARestart(t *testing.T) {
	text := cookieConf(filepath.Join(t.TempDir(), "cookies.dat"))
	b := newBrowser(t)
	run := func(c *config.Config, use func(r *Router, ws string)) {
		t.Helper()
		r, err := New(c, Options{Agent: "test", Health: well{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- r.Serve() }() // ends with Shutdown
		use(r, r.Addresses()[0].WebSockets[0])
		if err := r.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
	run(parse(t, text), func(_ *Router, ws string) { b.open(ws, "realm1", "joe", "cookie", "ticket").login() })
	run(parse(t, text), func(r *Router, ws string) {
		b.open(ws, "realm1", "joe", "cookie").expect(`[2,`, `"authid":"joe"`, backByCookie)
		next := strings.ReplaceAll(strings.Replace(text, "- name: user", "- name: staff", 1), "role: user", "role: guest")
		if _, err := r.Apply(parse(t, next)); err != nil {
			t.Fatal(err)
		}
		b.open(ws, "realm1", "joe", "cookie").expect(`[3,`, `"wamp.error.no_such_role"`)
		without := strings.ReplaceAll(next, "cookie: {type: static}, ", "")
		if _, err := r.Apply(parse(t, without)); err != nil {
			t.Fatal(err)
		}
		b.open(ws, "realm1", "joe", "cookie").expect(`[3,`, `"wamp.error.no_matching_auth_method"`)
	})
}
