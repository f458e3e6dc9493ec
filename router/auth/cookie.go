package auth

import (
	"errors"
	"time"

	"usher/router/wamp"
)

// Cookie admits who comes back with the tracking cookie of an earlier login. With
// an Authenticator it is up to that: it is asked about Request.Transport.Cbtid.
// Without one it is the CookieStore of the connection that remembers, and the
// session is of the method by which the client logged in then, with "cookie" as
// its authprovider, as Crossbar.io has it.
//
// A client without a cookie of an earlier connection, or whose cookie nobody is
// logged in under, passes on to the next of the methods that it offers. So does
// one that asks for another realm or authid than it logged in to, and one whose
// role has gone since. An authenticator has that effect by refusing with
// wamp.error.no_matching_auth_method.
//
// What a cookie alone admits a browser sends along with any request to the
// router's host, from whatever page. Two things keep pages of others out: the
// check of Origin, which every WebSocket of a browser goes through, and the
// cookie's SameSite attribute. And a cookie can be planted in a browser by
// whoever controls another host of the same domain, to share the login that
// follows: therefore a login is remembered only under a value that was made for
// this very connection, or under which the same principal is logged in already.
type Cookie struct {
	Authenticator *Dynamic // nil: the CookieStore remembers
}

// CookieLogin is a login that a cookie stands for.
type CookieLogin struct {
	Realm, Authid, Role string
	Method              string     // by which the client logged in
	Extra               wamp.Value // as of Principal
	ExpiresAt           time.Time  // as of Principal
	Until               time.Time  // when it is forgotten
}

// CookieStore remembers logins under the values of cookies. Its methods may be
// called concurrently, and do not wait for a disk.
type CookieStore interface {
	// Login returns the login that is remembered under a value.
	Login(cbtid string) (CookieLogin, bool)
	// Remember puts l in the place of any other login under the value.
	Remember(cbtid string, l CookieLogin)
	// Forget makes the value stand for nobody.
	Forget(cbtid string)
}

// Tracking is the tracking cookie of a connection, which Transport.Cbtid is the
// value of.
type Tracking struct {
	Store  CookieStore
	IsNew  bool          // the value was made for this connection
	MaxAge time.Duration // how long a login is remembered
}

// noCookie is the answer to a client that offers nothing but a cookie that it
// does not have.
func noCookie() *Refusal {
	return &Refusal{URI: wamp.ErrAuthenticationDenied, Message: "nobody is logged in under this client's cookie"}
}

func (m *Cookie) begin(d *Dialogue) Outcome {
	t := d.Request.Transport
	if t == nil || t.Cbtid == "" || t.Tracking == nil || t.Tracking.IsNew {
		return d.next(noCookie())
	}
	if m.Authenticator != nil {
		if refusal := d.needs(false, m.Authenticator.assigns()); refusal != nil {
			return Outcome{Refuse: refusal}
		}
		return d.ask(m.Authenticator)
	}
	login, ok := t.Tracking.Store.Login(t.Cbtid)
	r := d.Request
	if !ok || r.Realm != "" && r.Realm != login.Realm || r.Authid != "" && r.Authid != login.Authid {
		return d.next(noCookie())
	}
	p, err := check(d.realms, nil, r, &Principal{
		Role: login.Role, Authid: login.Authid, Realm: login.Realm, Extra: login.Extra, ExpiresAt: login.ExpiresAt,
	})
	var refusal *Refusal
	if errors.As(err, &refusal) { // the policy has changed since
		return d.next(refusal)
	}
	if err != nil {
		return d.next(noCookie())
	}
	outcome := d.accept(p)
	outcome.Accept.Method, outcome.Accept.Provider = login.Method, providerCookie
	return outcome
}

func (m *Cookie) answered(d *Dialogue, _ *Answer) Outcome { return d.unasked("challenge") }

func (m *Cookie) decided(d *Dialogue, p *Principal) Outcome { return d.accept(p) }

// Remember keeps a login for method cookie, where m has that without an
// authenticator and the connection has a cookie that it may be kept under.
// Anonymous logins prove nothing that could be remembered, and those with a
// cookie are remembered already.
func (m *Methods) Remember(t *Transport, a *Accepted, now time.Time) {
	if m.Cookie == nil || m.Cookie.Authenticator != nil || t == nil || t.Tracking == nil || t.Cbtid == "" ||
		a.Method == MethodAnonymous || a.Provider == providerCookie {
		return
	}
	if !t.Tracking.IsNew {
		before, ok := t.Tracking.Store.Login(t.Cbtid)
		if !ok || before.Realm != a.Realm || before.Authid != a.Authid || before.Role != a.Role {
			// Whose cookie it is can't be told: the next connection gets another.
			t.Tracking.Store.Forget(t.Cbtid)
			return
		}
	}
	until := now.Add(t.Tracking.MaxAge)
	if !a.ExpiresAt.IsZero() && a.ExpiresAt.Before(until) {
		until = a.ExpiresAt
	}
	t.Tracking.Store.Remember(t.Cbtid, CookieLogin{
		Realm: a.Realm, Authid: a.Authid, Role: a.Role, Method: a.Method,
		Extra: a.Extra.Clone(), ExpiresAt: a.ExpiresAt, Until: until,
	})
}
