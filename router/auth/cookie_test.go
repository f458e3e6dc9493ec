package auth

import (
	"strings"
	"testing"
	"time"

	"usher/router/wamp"
)

// shelf is a CookieStore of one value each.
type shelf map[string]CookieLogin

func (s shelf) Login(cbtid string) (CookieLogin, bool) {
	l, ok := s[cbtid]
	return l, ok
}
func (s shelf) Remember(cbtid string, l CookieLogin) { s[cbtid] = l }
func (s shelf) Forget(cbtid string)                  { delete(s, cbtid) }

func joesLogin() CookieLogin {
	return CookieLogin{Realm: "realm1", Authid: "joe", Role: "frontend", Method: "wampcra", Until: time.Now().Add(time.Hour)}
}

func TestCookie(t *testing.T) {
	static := Methods{Cookie: &Cookie{}, Ticket: &Ticket{Principals: map[string]StaticTicket{"joe": {Ticket: "s", Role: "backend"}}}}
	dynamic := Methods{Cookie: &Cookie{Authenticator: &Dynamic{URI: "com.example.cookie"}}, Ticket: static.Ticket}
	gone, expired := joesLogin(), joesLogin()
	gone.Role = "ghost"
	expired.ExpiresAt = time.Now().Add(-time.Second)
	store := shelf{"known": joesLogin(), "gone": gone, "expired": expired}
	both, alone := []string{"cookie", "ticket"}, []string{"cookie"}
	for _, test := range []struct {
		name          string
		methods       *Methods
		cbtid         string
		isNew         bool
		realm, authid string
		offered       []string
		want          string
	}{
		{"who logged in is back", &static, "known", false, "realm1", "joe", both, "accept realm1 frontend cookie"},
		{"without saying who it is and where to", &static, "known", false, "", "", alone, "accept realm1 frontend cookie"},
		{"the client's order counts", &static, "known", false, "realm1", "joe", []string{"ticket", "cookie"}, "challenge ticket"},
		{"a client that does not ask for it", &static, "known", false, "realm1", "joe", []string{"ticket"}, "challenge ticket"},
		{"another realm", &static, "known", false, "realm2", "joe", alone, "refuse wamp.error.authentication_denied"},
		{"another realm, and a way on", &static, "known", false, "realm2", "joe", both, "challenge ticket"},
		{"another authid", &static, "known", false, "realm1", "ann", both, "challenge ticket"},
		{"nobody is logged in", &static, "forged", false, "realm1", "joe", both, "challenge ticket"},
		{"nobody is logged in, nor can", &static, "forged", false, "realm1", "joe", alone, "refuse wamp.error.authentication_denied"},
		{"a new cookie", &static, "known", true, "realm1", "joe", alone, "refuse wamp.error.authentication_denied"},
		{"no cookie", &static, "", false, "realm1", "joe", alone, "refuse wamp.error.authentication_denied"},
		{"the role has gone", &static, "gone", false, "realm1", "joe", alone, "refuse wamp.error.no_such_role"},
		{"the role has gone, and a way on", &static, "gone", false, "realm1", "joe", both, "challenge ticket"},
		{"the login has expired", &static, "expired", false, "realm1", "joe", alone, "refuse wamp.error.authentication_denied"},
		{"a script decides", &dynamic, "any", false, "realm1", "", both, "ask com.example.cookie"},
		{"a script is not asked about a new cookie", &dynamic, "any", true, "realm1", "joe", both, "challenge ticket"},
		{"a script is not asked without one", &dynamic, "", false, "realm1", "joe", both, "challenge ticket"},
		{"a script without a realm", &dynamic, "any", false, "", "joe", alone, "refuse wamp.error.no_such_realm"},
		{"not offered here", &Methods{Ticket: static.Ticket}, "known", false, "realm1", "joe", alone, "refuse wamp.error.no_matching_auth_method"},
	} {
		r := &Request{Realm: test.realm, Authid: test.authid, Transport: &Transport{Cbtid: test.cbtid, Tracking: &Tracking{Store: store, IsNew: test.isNew}}}
		_, o := Begin(test.methods, testRealms, r, test.offered)
		if got := outcome(o); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if o.Accept != nil && (o.Accept.Method != "wampcra" || o.Accept.Authid != "joe") {
			t.Errorf("%s: accepted %+v", test.name, o.Accept)
		}
	}
	// A connection that has no cookies at all.
	if _, o := Begin(&static, testRealms, &Request{Realm: "realm1", Transport: &Transport{}}, alone); outcome(o) != "refuse wamp.error.authentication_denied" {
		t.Errorf("without cookies: %s", outcome(o))
	}
}

func TestCookieOfAScript(t *testing.T) {
	m := &Methods{Cookie: &Cookie{Authenticator: &Dynamic{URI: "com.example.cookie"}}, Ticket: &Ticket{Authenticator: &Dynamic{URI: "com.example.ticket"}}}
	no := func(uri string) error { return &Refusal{URI: uri} }
	for _, test := range []struct {
		name      string
		principal *Principal
		err       error
		want      string
	}{
		{"it admits", &Principal{Role: "frontend", Authid: "joe"}, nil, "accept realm1 frontend dynamic"},
		{"it refuses", nil, no("com.example.no"), "refuse com.example.no"},
		{"it leaves it to the next method", nil, no(wamp.ErrNoMatchingAuthMethod), "challenge ticket"},
		{"it admits nobody", nil, nil, "fail"},
		{"it gives secrets that nobody checks", &Principal{Role: "frontend", Authid: "joe", Credentials: Credentials{Secret: "s"}}, nil, "fail"},
	} {
		r := &Request{Realm: "realm1", Authid: "joe", Transport: &Transport{Cbtid: "c", Tracking: &Tracking{Store: shelf{}}}}
		d, _ := Begin(m, testRealms, r, []string{"cookie", "cookie", "ticket"})
		if got := outcome(d.Decide(test.principal, test.err)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	// Only a cookie has a next.
	d, _ := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "joe"}, []string{"ticket", "ticket"})
	d.Answer(&Answer{Signature: "t"})
	if got := outcome(d.Decide(nil, no(wamp.ErrNoMatchingAuthMethod))); got != "refuse wamp.error.no_matching_auth_method" {
		t.Errorf("a ticket that is refused so: %s", got)
	}
}

func TestRemember(t *testing.T) {
	now := time.Now()
	static := &Methods{Cookie: &Cookie{}}
	for _, test := range []struct {
		name    string
		methods *Methods
		isNew   bool
		before  string // authid that is logged in, of realm1 and frontend if it says no other
		method  string
		expires time.Duration
		want    string        // authid that is logged in after
		until   time.Duration // for how long
	}{
		{"a login", static, true, "", "ticket", 0, "joe", time.Hour},
		{"a login that expires", static, true, "", "ticket", time.Minute, "joe", time.Minute},
		{"a login that expires later", static, true, "", "ticket", 2 * time.Hour, "joe", time.Hour},
		{"again under the same cookie", static, false, "joe", "ticket", 0, "joe", time.Hour},
		{"a cookie that somebody may have planted", static, false, "", "ticket", 0, "", 0},
		{"a cookie of somebody else", static, false, "eve", "ticket", 0, "", 0},
		{"a cookie of the same name in another realm", static, false, "joe@realm2", "ticket", 0, "", 0},
		{"a cookie of another role", static, false, "joe/backend", "ticket", 0, "", 0},
		{"anonymous", static, true, "", "anonymous", 0, "", 0},
		{"where there is no such method", &Methods{}, true, "", "ticket", 0, "", 0},
		{"where a script remembers", &Methods{Cookie: &Cookie{Authenticator: &Dynamic{}}}, true, "", "ticket", 0, "", 0},
	} {
		store := shelf{}
		if test.before != "" {
			l := joesLogin()
			l.Authid = test.before
			if authid, realm, ok := strings.Cut(test.before, "@"); ok {
				l.Authid, l.Realm = authid, realm
			}
			if authid, role, ok := strings.Cut(test.before, "/"); ok {
				l.Authid, l.Role = authid, role
			}
			store["c"] = l
		}
		a := &Accepted{Principal: Principal{Realm: "realm1", Role: "frontend", Authid: "joe"}, Method: test.method, Provider: "static"}
		if test.expires != 0 {
			a.ExpiresAt = now.Add(test.expires)
		}
		test.methods.Remember(&Transport{Cbtid: "c", Tracking: &Tracking{Store: store, IsNew: test.isNew, MaxAge: time.Hour}}, a, now)
		l, ok := store["c"]
		if l.Authid != test.want || ok && (!l.Until.Equal(now.Add(test.until)) || l.Method != test.method || !l.ExpiresAt.Equal(a.ExpiresAt)) {
			t.Errorf("%s: remembered %+v", test.name, l)
		}
	}
	// A login by a cookie does not last longer for being used.
	store := shelf{"c": joesLogin()}
	a := &Accepted{Principal: Principal{Realm: "realm1", Role: "frontend", Authid: "joe"}, Method: "ticket", Provider: providerCookie}
	static.Remember(&Transport{Cbtid: "c", Tracking: &Tracking{Store: store, MaxAge: 9 * time.Hour}}, a, now)
	if store["c"].Method != "wampcra" {
		t.Errorf("a login by a cookie was remembered: %+v", store["c"])
	}
	static.Remember(nil, a, now)
	static.Remember(&Transport{}, a, now)
}
