package config

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
)

// withCookie is minimal with a path that has this cookie, in flow style, and the
// method.
func withCookie(t *testing.T, cookie string) string {
	t.Helper()
	return strings.Replace(withAuth(t, "cookie: {type: static}"), "        auth: {", "        cookie: {"+cookie+"}\n        auth: {", 1)
}

func TestCookie(t *testing.T) {
	for _, test := range []struct {
		cookie string
		want   Cookie
	}{
		{"", Cookie{Name: "cbtid", Length: 24, MaxAge: 7 * 24 * time.Hour}},
		{"store: {type: memory}", Cookie{Name: "cbtid", Length: 24, MaxAge: 7 * 24 * time.Hour}},
		{"name: __Host-usher, length: 32, max_age: 1h, store: {type: file, filename: cookies.dat, purge_on_startup: true}",
			Cookie{Name: "__Host-usher", Length: 32, MaxAge: time.Hour, File: "conf/cookies.dat", Purge: true}},
		{"store: {type: file, filename: /var/lib/usher/cookies.dat}", Cookie{Name: "cbtid", Length: 24, MaxAge: 7 * 24 * time.Hour, File: "/var/lib/usher/cookies.dat"}},
	} {
		c := parse(t, "conf/usher.yaml", withCookie(t, test.cookie))
		w := c.Transports[0].Paths[0].WebSocket
		if w.Cookie == nil || *w.Cookie != test.want || w.Auth.Cookie == nil || w.Auth.Cookie.Authenticator != nil {
			t.Errorf("%s\ngot  %+v, %+v\nwant %+v", test.cookie, w.Cookie, w.Auth.Cookie, test.want)
		}
		if all := c.Cookies(); len(all) != 1 || all[0] != w.Cookie {
			t.Errorf("%s: all cookies are %v", test.cookie, all)
		}
	}
	c := parse(t, "usher.yaml", withCookie(t, "store: {type: file, filename: none/cookies.dat}"))
	if err := c.CheckFiles(os.Stat); err == nil || !strings.Contains(err.Error(), "there is no directory none") {
		t.Errorf("a store in a directory that is not there: %v", err)
	}
}

func TestCookieMethod(t *testing.T) {
	c := parse(t, "usher.yaml", strings.Replace(withCookie(t, ""), "type: static", "type: dynamic, authenticator: com.example.authenticate", 1))
	want := &auth.Cookie{Authenticator: &auth.Dynamic{URI: "com.example.authenticate"}}
	if got := c.Transports[0].Paths[0].WebSocket.Auth.Cookie; !reflect.DeepEqual(got, want) || len(c.Dynamics()) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestCookieErrors(t *testing.T) {
	for _, test := range []struct{ cookie, want string }{
		{`name: "a b"`, `"a b" can't be a cookie's name`},
		{`name: ""`, "must not be empty"},
		{"length: 8", "8 is not from 24 to 64"},
		{"max_age: 3600", "has no unit"},
		{"max_age: 5ms", "is less than a second"},
		{"max_age: 9000h", "is not from 1ms to 8784h"},
		{"store: {}", `"type" is missing`},
		{"store: {type: redis}", "is not a type of cookie store"},
		{"store: {type: file}", `"filename" is missing`},
		{"store: {type: memory, filename: a}", "goes with type: file"},
		{"filename: a", "filename belongs into store"},
		{"secure: true", "unknown key"},
	} {
		_, err := Parse("usher.yaml", []byte(withCookie(t, test.cookie)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\ngot  %v\nwant %s", test.cookie, err, test.want)
		}
	}
	for _, test := range []struct{ from, to, want string }{
		{"cookie: {}\n", "\n", "this path sets no cookie"},
		{"type: static", "type: statc", `did you mean "static"?`},
		{"type: static", "type: static, role: frontend", "the role is that of the login"},
		{"type: static", "type: static, max_age: 5h", "max_age belongs into cookie, beside auth"},
	} {
		_, err := Parse("usher.yaml", []byte(strings.Replace(withCookie(t, ""), test.from, test.to, 1)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\ngot  %v\nwant %s", test.to, err, test.want)
		}
	}
	// Two paths that share a file.
	more := "\n      lp: {type: longpoll, cookie: {store: {type: file, filename: a, purge_on_startup: true}}, auth: {anonymous: {type: static, role: frontend}}}\n"
	_, err := Parse("usher.yaml", []byte(strings.TrimRight(withCookie(t, "store: {type: file, filename: a}"), "\n ")+more))
	if err == nil || !strings.Contains(err.Error(), "purge_on_startup differs from the store in the same file at line") {
		t.Errorf("one file, two ways: %v", err)
	}
}

// Crossbar.io's own example, whose method has no keys.
func TestCookieOfCrossbar(t *testing.T) {
	node := `{"version": 2, "workers": [{"type": "router", "realms": [{"name": "realm1", "roles": [{"name": "frontend", "permissions": []}]}],
"transports": [{"type": "web", "endpoint": {"type": "tcp", "port": 8080}, "paths": {"ws": {"type": "websocket",
"auth": {"cookie": {}, "wampcra": {"type": "static", "users": {"joe": {"secret": "s", "role": "frontend"}}}},
"cookie": {"name": "cbtid", "length": 12, "max_age": 604800, "store": {"type": "file", "filename": "cookies.dat", "purge_on_startup": true}}}}}]}]}`
	c := parse(t, "config.json", node)
	w := c.Transports[0].Paths[0].WebSocket
	want := Cookie{Name: "cbtid", Length: 24, MaxAge: 604800 * time.Second, File: "cookies.dat", Purge: true}
	if w.Cookie == nil || *w.Cookie != want || w.Auth.Cookie == nil || w.Auth.WAMPCRA == nil {
		t.Errorf("got %+v, %+v", w.Cookie, w.Auth)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
	raw := strings.Replace(node, `"type": "web", "endpoint": {"type": "tcp", "port": 8080}, "paths": {"ws": {"type": "websocket",`, `"type": "rawsocket", "endpoint": {"type": "tcp", "port": 8080},`, 1)
	raw = raw[:strings.Index(raw, `"cookie": {"name"`)]
	c = parse(t, "config.json", strings.TrimRight(raw, ",\n")+"}]}]}")
	if c.Transports[0].RawSocket.Auth.Cookie != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, "RawSocket clients have no cookies") {
		t.Errorf("RawSocket: %+v, %v", c.Transports[0].RawSocket.Auth, c.Warnings)
	}
}
