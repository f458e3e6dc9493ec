package web

import (
	"net/http"
	"time"

	"usher/router/auth"
	"usher/router/config"
)

// CookieStore is where the values of a tracking cookie come from, and what is
// remembered under them. Its methods may be called concurrently.
type CookieStore interface {
	auth.CookieStore
	// New makes a value of so many random bytes.
	New(length int) string
	// Issued reports whether the store has made the value.
	Issued(value string) bool
}

// tracking is the cookie of a path.
type tracking struct {
	name    string
	length  int
	maxAge  time.Duration
	store   CookieStore
	renewed bool // until somebody is logged in under it
}

// track returns the cookie of a path whose clients authenticate by m, or nil.
func (l *listener) track(c *config.Cookie, m *auth.Methods) *tracking {
	if c == nil || l.server.options.Cookies == nil {
		return nil
	}
	return &tracking{
		name: c.Name, length: c.Length, maxAge: c.MaxAge, store: l.server.options.Cookies(c),
		renewed: m.Cookie != nil && m.Cookie.Authenticator == nil,
	}
}

// identify tells t which cookie the client has, and returns the header that sets
// one where it has none. A value that this router did not make is replaced, and
// so is each of several. Where logins are remembered, a value under which nobody
// is logged in is replaced as well: see auth.Cookie.
//
// The cookie is for the whole host, so that all paths share it, and never for
// scripts of a page. A browser keeps it from requests that pages of other sites
// make (SameSite), WebSockets among them.
func (c *tracking) identify(r *http.Request, t *auth.Transport) http.Header {
	if c == nil {
		return nil
	}
	t.Tracking = &auth.Tracking{Store: c.store, MaxAge: c.maxAge}
	if cookies := r.CookiesNamed(c.name); len(cookies) == 1 && c.keeps(cookies[0].Value) {
		t.Cbtid = cookies[0].Value
		return nil
	}
	t.Cbtid, t.Tracking.IsNew = c.store.New(c.length), true
	cookie := http.Cookie{
		Name: c.name, Value: t.Cbtid, Path: "/", MaxAge: int(c.maxAge / time.Second),
		Secure: t.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	line := cookie.String()
	t.HeadersSent = map[string]string{"set-cookie": line}
	return http.Header{"Set-Cookie": {line}}
}

// keeps reports whether a client's value stays.
func (c *tracking) keeps(value string) bool {
	if !c.store.Issued(value) {
		return false
	}
	if !c.renewed {
		return true
	}
	_, ok := c.store.Login(value)
	return ok
}
