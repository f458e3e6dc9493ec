package config

import (
	"net/http"
	"path/filepath"
	"time"

	"usher/router/auth"
)

// Cookie is a tracking cookie: web clients of a path get one and bring it back.
type Cookie struct {
	Name   string
	Length int           // bytes at random of its value
	MaxAge time.Duration // how long clients keep it, and logins under it are remembered
	File   string        // where logins are kept, relative to the working directory as the configuration file's name is; empty: in memory
	Purge  bool          // what the file has is forgotten at start
}

// The defaults and bounds of a cookie, the defaults being those of Crossbar.io.
const (
	cookieName      = "cbtid"
	cookieAge       = 7 * 24 * time.Hour
	minCookieLength = 24
	maxCookieLength = 64
)

// cookie reads the tracking cookie of a path where WAMP clients connect. Each
// client gets one; all paths whose stores are in one file, or in memory under one
// name, share what is remembered:
//
//	name     cbtid if absent; another for each of several routers on one host
//	length   bytes at random of the value, 24 to 64; absent: 24
//	max_age  how long it is kept; absent: 168h. In a Crossbar.io node file in seconds
//	store    type: memory (which is what absent means) or file; filename, of a file
//	         that is made if it is not there; purge_on_startup
func (r *reader) cookie(v value, c *Config) *Cookie {
	if v.absent() {
		return nil
	}
	f := v.fields()
	k := &Cookie{Name: cookieName, Length: minCookieLength, MaxAge: cookieAge}
	if name := f.get("name"); !name.absent() {
		k.Name = name.name()
		if k.Name != "" && (&http.Cookie{Name: k.Name}).Valid() != nil {
			name.fail("%q can't be a cookie's name: letters, digits, - and _ are best", k.Name)
		}
	}
	if length := f.get("length"); !length.absent() {
		low := minCookieLength
		if r.crossbar {
			low = 1 // there are no values too short to be safe; they get longer
		}
		k.Length = max(length.integer(low, maxCookieLength), minCookieLength)
	}
	if age := f.get("max_age"); !age.absent() {
		if r.crossbar {
			k.MaxAge = time.Duration(age.integer(1, int(maxAge/time.Second))) * time.Second
		} else if k.MaxAge = age.durationTo(maxAge); k.MaxAge > 0 && k.MaxAge < time.Second {
			age.fail("%s is less than a second, the unit of a cookie's age", age.n.text)
		}
	}
	r.cookieStore(f.get("store"), c, k)
	f.done(map[string]string{"filename": "filename belongs into store", "type": "type belongs into store"})
	return k
}

func (r *reader) cookieStore(v value, c *Config, k *Cookie) {
	if v.absent() {
		return
	}
	f := v.fields()
	name, purge := f.get("filename"), f.get("purge_on_startup")
	switch f.need("type").oneOf("a type of cookie store", "memory", "file") {
	case "memory":
		elsewhere("goes with type: file", name, purge)
	case "file":
		if name.absent() {
			f.fail("%q is missing", "filename")
		}
		k.File, k.Purge = r.ownPath(name), purge.boolean(false)
		if k.File != "" {
			c.files = append(c.files, fileCheck{r.problem(name, "", nil), filepath.Dir(k.File), true})
			r.cookieStores = append(r.cookieStores, cookieStore{name, k})
		}
	}
	f.done(nil)
}

// cookieMethod reads the method of authentication.
func (r *reader) cookieMethod(v value, c *Config) *auth.Cookie {
	f := v.fields()
	m := &auth.Cookie{}
	// Crossbar.io's has no keys at all.
	if !r.crossbar || f.n != nil && f.n.has("type") {
		switch r.methodType(f, "cookie") {
		case "static":
		case "dynamic":
			m.Authenticator = r.dynamic(f, c)
		default:
			return nil
		}
	}
	f.done(map[string]string{
		"authenticator": "authenticator goes with type: dynamic",
		"role":          "the role is that of the login which the cookie stands for",
		"name":          "name belongs into cookie, beside auth", "max_age": "max_age belongs into cookie, beside auth",
		"store": "store belongs into cookie, beside auth",
	})
	return m
}

// pairCookie tells of a method that has no cookie; has says whether there can be one.
func pairCookie(f *fields, m *auth.Methods, k *Cookie, has bool) {
	switch {
	case m.Cookie == nil || k != nil:
		return
	case has:
		f.unsupported(`auth has the method cookie, but this path sets no cookie: write e.g. cookie: {store: {type: memory}} beside auth`)
	default:
		f.unsupported("auth has the method cookie, but RawSocket clients have no cookies")
	}
	m.Cookie = nil
}

// cookieStore is one that was read, and where.
type cookieStore struct {
	at     value
	cookie *Cookie
}

// checkCookieStores tells of stores in one file that are to be treated differently.
func (r *reader) checkCookieStores() {
	for i, s := range r.cookieStores {
		for _, first := range r.cookieStores[:i] {
			if s.cookie.File == first.cookie.File && s.cookie.Purge != first.cookie.Purge {
				s.at.fail("purge_on_startup differs from the store in the same file at line %d", first.at.n.line)
				break
			}
		}
	}
}

// Cookies returns the tracking cookies of all paths.
func (c *Config) Cookies() []*Cookie {
	var all []*Cookie
	for i := range c.Transports {
		for j := range c.Transports[i].Paths {
			switch p := &c.Transports[i].Paths[j]; {
			case p.WebSocket != nil && p.WebSocket.Cookie != nil:
				all = append(all, p.WebSocket.Cookie)
			case p.LongPoll != nil && p.LongPoll.Cookie != nil:
				all = append(all, p.LongPoll.Cookie)
			}
		}
	}
	return all
}
