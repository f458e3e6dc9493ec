package config

import (
	"slices"
	"strings"

	"usher/router/auth"
	"usher/router/wamp"
)

// methods reads the key auth, a dict by method. Each is {type: dynamic, …}, see
// dynamic, or {type: static, …} with
//
//	anonymous   role, realm, authid: of all; absent: a random one for each
//	ticket      principals: {AUTHID: {ticket, role}}; or type: jwt, see tokens
//	wampcra     users: {AUTHID: {secret, role, realm, salt, iterations, keylen}}
//	scram       principals: {AUTHID: {kdf, salt, iterations, memory, stored-key,
//	            server-key, role, realm}}; wamp-scram is the same
//	cryptosign  principals: {AUTHID: {authorized_keys, role, realm}}
//	tls         principals: {AUTHID: {certificate-sha256, certificate-sha1, subject,
//	            role, realm}}
//	cookie      nothing: who logged in by another method comes back by the path's
//	            cookie
//
// A realm is the only one that may be joined; absent: any that has the role.
func (r *reader) methods(f *fields, c *Config) auth.Methods {
	v := f.get("auth")
	var m auth.Methods
	if v.absent() {
		if !r.crossbar {
			f.fail(`"auth" is missing: nobody could join; write e.g. auth: {ticket: {type: dynamic, authenticator: com.example.authenticate}}`)
			return m
		}
		f.warn(`without "auth" anybody joins as role "anonymous", where a realm has it`)
		m.Anonymous = &auth.Anonymous{Role: "anonymous"}
		return m
	}
	known := []string{auth.MethodAnonymous, auth.MethodTicket, auth.MethodWAMPCRA, auth.MethodCrossbarSCRAM, auth.MethodCryptosign, auth.MethodTLS, auth.MethodCookie}
	var scram value
	v.each(func(name string, v value) {
		switch name {
		case auth.MethodAnonymous:
			m.Anonymous = r.anonymous(v, c)
		case auth.MethodTicket:
			m.Ticket = r.ticket(v, c)
		case auth.MethodWAMPCRA:
			m.WAMPCRA = r.wampcra(v, c)
		case auth.MethodCrossbarSCRAM, auth.MethodSCRAM:
			if !scram.absent() {
				v.fail("scram and wamp-scram are two names of one method: keep one, clients may use both")
				return
			}
			scram = v
			m.SCRAM = r.scram(v, c)
		case auth.MethodCryptosign:
			m.Cryptosign = r.cryptosign(v, c)
		case auth.MethodTLS:
			if m.TLS = r.certificates(v, c); m.TLS != nil {
				r.certificateUsers = append(r.certificateUsers, v)
			}
		case auth.MethodCookie:
			m.Cookie = r.cookieMethod(v, c)
		case auth.MethodJWT, "oidc":
			v.unsupported("tokens are the tickets of clients: write ticket: {type: jwt, …}; clients may call the method jwt as well")
		default:
			v.unsupported("the method %q is not supported and not offered to clients; there are %s%s", name, all(known), suggest(name, known))
		}
	})
	if m == (auth.Methods{}) && len(r.problems) == 0 {
		v.unsupported("no method is left: nobody can join here")
	}
	return m
}

func all(names []string) string {
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// methodType reads the type of a method: static, dynamic or, where it can't be
// had, "".
func (r *reader) methodType(f *fields, what string, further ...string) string {
	typ := f.need("type")
	if typ.n != nil && typ.n.kind == kindString && typ.n.text == "function" {
		typ.unsupported("functions in Python do not run in usher: write an authenticator in Lua, and here type: dynamic, authenticator: its URI; the method is not offered to clients")
		return ""
	}
	return typ.oneOf("a type of "+what+" authentication", append([]string{"static", "dynamic"}, further...)...)
}

// misplaced says where keys belong that go with the other type.
func misplaced(users string) map[string]string {
	return map[string]string{
		users:           users + " go with type: static",
		"authenticator": "authenticator goes with type: dynamic",
		"role":          "the authenticator or the principal has the role",
	}
}

func (r *reader) anonymous(v value, c *Config) *auth.Anonymous {
	f := v.fields()
	var a *auth.Anonymous
	switch r.methodType(f, "anonymous") {
	case "static":
		u := r.user(f, c)
		a = &auth.Anonymous{Role: u.Role, Realm: u.Realm, Authid: f.get("authid").name()}
	case "dynamic":
		a = &auth.Anonymous{Authenticator: r.dynamic(f, c)}
	default:
		return nil
	}
	f.done(map[string]string{"authenticator": "authenticator goes with type: dynamic", "role": "role goes with type: static"})
	return a
}

// checkRole makes sure that some realm has the role.
func (r *reader) checkRole(c *Config, role value) {
	r.checks = append(r.checks, func() {
		if c.hasRole(role.text()) {
			return
		}
		var realms []*Realm
		for i := range c.Realms {
			realms = append(realms, &c.Realms[i])
		}
		role.unsupported("no realm has the role %q: nobody can join with it%s", role.text(), suggest(role.text(), roleNames(realms...)))
	})
}

func (r *reader) ticket(v value, c *Config) *auth.Ticket {
	f := v.fields()
	var t *auth.Ticket
	switch r.methodType(f, "ticket", "jwt") {
	case "jwt":
		t = &auth.Ticket{JWT: r.tokens(f, c)}
	case "static":
		t = &auth.Ticket{Principals: r.principals(f.need("principals"), c)}
	case "dynamic":
		t = &auth.Ticket{Authenticator: r.dynamic(f, c)}
	default:
		return nil
	}
	f.done(misplaced("principals"))
	return t
}

func (r *reader) principals(v value, c *Config) map[string]auth.StaticTicket {
	all := map[string]auth.StaticTicket{}
	r.eachPrincipal(v, func(authid string, f *fields) {
		role := f.need("role")
		all[authid] = auth.StaticTicket{Ticket: f.need("ticket").secret(), Role: role.name()}
		r.checkRole(c, role)
	})
	return all
}

// eachPrincipal reads a dict by authid.
func (r *reader) eachPrincipal(v value, read func(authid string, f *fields)) {
	v.each(func(authid string, v value) {
		f := v.fields()
		read(authid, f)
		if authid == "" {
			v.fail("a principal without a name can't log in")
		}
		f.done(nil)
	})
}

// dynamic reads who is asked about a login:
//
//	authenticator        the URI of a procedure that a script or a client registers
//	authenticator-realm  where that is; absent: in the realm that the client asks for
//	realms               those that it may admit to; absent: all
func (r *reader) dynamic(f *fields, c *Config) *auth.Dynamic {
	uri, realm, realms := f.need("authenticator"), f.get("authenticator-realm"), f.get("realms")
	d := &auth.Dynamic{URI: uri.procedure(), Realm: realm.name(), Realms: realms.names(nil)}
	if realms.n != nil && realms.n.kind == kindList && len(realms.n.items) == 0 {
		realms.fail("the list is empty: nobody could join; leave it out to allow all realms")
	}
	r.checks = append(r.checks, func() { checkDynamic(c, d, uri, realm, realms) })
	return d
}

// checkDynamic checks the realms that an authenticator names, and that somebody
// may register it: by an exact rule, since a wider one does not reach reserved URIs.
func checkDynamic(c *Config, d *auth.Dynamic, uri, realm, realms value) {
	if d.Realm != "" && c.realm(d.Realm) == nil {
		realm.fail("there is no realm %q%s", d.Realm, suggest(d.Realm, realmNames(c)))
		return
	}
	for i, name := range d.Realms {
		if c.realm(name) == nil {
			realms.list()[i].fail("there is no realm %q%s", name, suggest(name, realmNames(c)))
			return
		}
	}
	asked := c.realmsOf(d)
	for _, name := range asked {
		if c.realm(name).mayRegister(d.URI) {
			return
		}
	}
	uri.unsupported("no role of realm %s may register %s: every login would be refused; give one role a permission with exactly this uri, match: exact and allow: {register: true}",
		strings.Join(asked, ", "), d.URI)
}

// mayRegister reports whether a role of r has an exact rule for uri that allows
// to register it.
func (r *Realm) mayRegister(uri string) bool {
	for _, role := range r.Roles {
		if slices.ContainsFunc(role.Rules, func(rule auth.Rule) bool {
			return rule.Match == wamp.Exact && rule.URI == uri && rule.Allow&auth.Register != 0
		}) {
			return true
		}
	}
	return false
}
