package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"usher/router/auth"
	"usher/router/config"
	"usher/router/cookies"
)

// cookieSites are paths with every kind of cookie.
const cookieSites = `
realms: [{name: realm1, roles: [{name: guest, permissions: [{uri: com.example.cookie, match: exact, allow: {register: true}}]}]}]
transports:
  - type: web
    endpoint: {type: tcp, port: 0, interface: 127.0.0.1}
    paths:
      ws: {type: websocket, auth: {anonymous: {type: static, role: guest}}}
      static: {type: websocket, cookie: {name: sid, max_age: 1h}, auth: {cookie: {type: static}}}
      script: {type: websocket, cookie: {length: 32}, auth: {cookie: {type: dynamic, authenticator: com.example.cookie}}}
      lp: {type: longpoll, cookie: {name: sid}, auth: {cookie: {type: static}}}`

// startCookies runs a Server with one store.
func startCookies(t *testing.T) (*world, *cookies.Store) {
	t.Helper()
	c, err := config.Parse("usher.yaml", []byte(cookieSites))
	if err != nil {
		t.Fatal(err)
	}
	store := cookies.NewStore(cookies.Limits{}, nil)
	return startWith(t, c, func(o *Options) { o.Cookies = func(*config.Cookie) CookieStore { return store } }), store
}

// dialWith opens a WebSocket with cookies, and returns its session and what it was
// set.
func (w *world) dialWith(t *testing.T, path, cookie string) (*admitted, []*http.Cookie) {
	t.Helper()
	h := http.Header{}
	if cookie != "" {
		h.Set("Cookie", cookie)
	}
	d := websocket.Dialer{HandshakeTimeout: patience, Subprotocols: []string{"wamp.2.json"}}
	c, r, err := d.Dial("ws://"+w.address+path, h)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return w.session(t), r.Cookies()
}

func TestCookieIsSet(t *testing.T) {
	w, store := startCookies(t)
	s, set := w.dialWith(t, "/static", "")
	if len(set) != 1 {
		t.Fatalf("set %v", set)
	}
	got := set[0]
	if got.Name != "sid" || got.Path != "/" || got.MaxAge != 3600 || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Secure || got.Domain != "" {
		t.Errorf("set %+v", got)
	}
	tr := s.transport
	if tr.Cbtid != got.Value || !store.Issued(got.Value) || tr.Tracking == nil || !tr.Tracking.IsNew || tr.Tracking.MaxAge != time.Hour || tr.HeadersSent["set-cookie"] != got.Raw {
		t.Errorf("the session has %+v", tr)
	}
	if s, set := w.dialWith(t, "/ws", "sid="+got.Value); len(set) != 0 || s.transport.Cbtid != "" || s.transport.Tracking != nil {
		t.Errorf("a path without cookie: %v, %+v", set, s.transport)
	}
	if strings.Contains(w.log.String(), got.Value) {
		t.Error("the log has a cookie's value")
	}
}

func TestCookieThatComesBack(t *testing.T) {
	w, store := startCookies(t)
	login := auth.CookieLogin{Realm: "realm1", Authid: "joe", Role: "guest", Method: "ticket", Until: time.Now().Add(time.Hour)}
	mine, idle, gone := store.New(0), store.New(0), store.New(0)
	store.Remember(mine, login)
	store.Remember(gone, login)
	store.Forget(gone)
	other := cookies.NewStore(cookies.Limits{}, nil)
	foreign := other.New(0)
	for _, test := range []struct {
		name, path, cookie string
		keeps              string // the value; empty: a new one is set
	}{
		{"somebody is logged in", "/static", "sid=" + mine, mine},
		{"among others", "/static", "a=b; sid=" + mine + "; c=d", mine},
		{"under another name", "/static", "cbtid=" + mine, ""},
		{"nobody is logged in", "/static", "sid=" + idle, ""},
		{"nobody is logged in any more", "/static", "sid=" + gone, ""},
		{"of another router", "/static", "sid=" + foreign, ""},
		{"chosen by somebody", "/static", "sid=1234567890123456789012345678901234567890", ""},
		{"empty", "/static", "sid=", ""},
		{"two of them", "/static", "sid=" + mine + "; sid=" + mine, ""},
		{"a script remembers", "/script", "cbtid=" + idle, idle},
		{"a script, of another router", "/script", "cbtid=" + foreign, ""},
	} {
		s, set := w.dialWith(t, test.path, test.cookie)
		got := s.transport
		if test.keeps != "" {
			if len(set) != 0 || got.Cbtid != test.keeps || got.Tracking.IsNew || got.HeadersSent != nil {
				t.Errorf("%s: set %v, %+v", test.name, set, got)
			}
			continue
		}
		if len(set) != 1 || got.Cbtid != set[0].Value || !store.Issued(got.Cbtid) || !got.Tracking.IsNew || strings.Contains(test.cookie, got.Cbtid) {
			t.Errorf("%s: set %v, %+v", test.name, set, got)
		}
	}
}

func TestCookieOfALongPollTransport(t *testing.T) {
	w, store := startCookies(t)
	open := func(cookie string) *http.Response {
		body := `{"protocols": ["wamp.2.json"]}`
		r, _ := w.raw(t, "POST /lp/open HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "+"30"+"\r\n"+cookie+"\r\n"+body)
		if r.StatusCode != http.StatusOK {
			t.Fatalf("status %d", r.StatusCode)
		}
		return r
	}
	set := open("").Cookies()
	if s := w.session(t); len(set) != 1 || set[0].Name != "sid" || s.transport.Cbtid != set[0].Value || set[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("set %v", set)
	}
	store.Remember(set[0].Value, auth.CookieLogin{Realm: "realm1", Authid: "joe", Role: "guest", Method: "ticket", Until: time.Now().Add(time.Hour)})
	again := open("Cookie: sid=" + set[0].Value + "\r\n").Cookies()
	if s := w.session(t); len(again) != 0 || s.transport.Cbtid != set[0].Value {
		t.Errorf("set %v again", again)
	}
}

func TestCookieBehindTLS(t *testing.T) {
	c := &tracking{name: "sid", length: 24, maxAge: time.Hour, store: cookies.NewStore(cookies.Limits{}, nil)}
	for _, secure := range []bool{false, true} {
		h := c.identify(&http.Request{Header: http.Header{}}, &auth.Transport{Secure: secure})
		if got := strings.Contains(h.Get("Set-Cookie"), "; Secure"); got != secure {
			t.Errorf("secure %t: %v", secure, h)
		}
	}
}
