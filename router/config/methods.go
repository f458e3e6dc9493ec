package config

import (
	"slices"
	"strings"

	"usher/router/auth"
	"usher/router/wamp"
)

// methods reads the key auth, a dict by method:
//
//	anonymous  {type: static, role}
//	ticket     {type: static, principals: {AUTHID: {ticket, role}}} or
//	           {type: dynamic, authenticator: URI, authenticator-realm, realms}
//
// authenticator-realm is where the authenticator is registered; absent: in the
// realm that the client asks for. realms are those that it may admit to;
// absent: all.
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
	known := []string{auth.MethodAnonymous, auth.MethodTicket}
	v.each(func(name string, v value) {
		switch name {
		case auth.MethodAnonymous:
			m.Anonymous = r.anonymous(v, c)
		case auth.MethodTicket:
			m.Ticket = r.ticket(v, c)
		default:
			v.unsupported("the method %q is not supported and not offered to clients; there are %s%s", name, strings.Join(known, " and "), suggest(name, known))
		}
	})
	if m.Anonymous == nil && m.Ticket == nil && len(r.problems) == 0 {
		v.unsupported("no method is left: nobody can join here")
	}
	return m
}

func (r *reader) anonymous(v value, c *Config) *auth.Anonymous {
	f := v.fields()
	typ := f.need("type")
	if typ.text() == "dynamic" {
		typ.unsupported("anonymous authentication is static only; it is not offered to clients")
		return nil
	}
	typ.oneOf("a type of anonymous authentication", "static")
	role := f.need("role")
	a := &auth.Anonymous{Role: role.name()}
	f.done(nil)
	r.checkRole(c, role)
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
	typ := f.need("type")
	var t *auth.Ticket
	switch typ.oneOf("a type of ticket authentication", "static", "dynamic") {
	case "static":
		t = &auth.Ticket{Principals: r.principals(f.need("principals"), c)}
	case "dynamic":
		t = &auth.Ticket{Authenticator: r.dynamic(f, c)}
	default:
		return nil
	}
	f.done(map[string]string{
		"principals":    "principals go with type: static",
		"authenticator": "authenticator goes with type: dynamic",
		"role":          "the authenticator or the principal has the role",
	})
	return t
}

func (r *reader) principals(v value, c *Config) map[string]auth.StaticTicket {
	all := map[string]auth.StaticTicket{}
	v.each(func(authid string, v value) {
		f := v.fields()
		role := f.need("role")
		p := auth.StaticTicket{Ticket: f.need("ticket").name(), Role: role.name()}
		if authid == "" {
			v.fail("a principal without a name can't log in")
		}
		f.done(nil)
		r.checkRole(c, role)
		all[authid] = p
	})
	return all
}

func (r *reader) dynamic(f *fields, c *Config) *auth.Dynamic {
	uri, realm, realms := f.need("authenticator"), f.get("authenticator-realm"), f.get("realms")
	d := &auth.Dynamic{URI: uri.name(), Realm: realm.name(), Realms: realms.names(nil)}
	if realms.n != nil && realms.n.kind == kindList && len(realms.n.items) == 0 {
		realms.fail("the list is empty: nobody could join; leave it out to allow all realms")
	}
	switch {
	case d.URI == "":
	case !wamp.ValidURI(d.URI):
		uri.fail("%q is not a URI: no spaces, no \"#\", no empty part between dots", d.URI)
	case wamp.Reserved(d.URI):
		uri.fail("%q can't be registered by anybody: URIs that begin with wamp. are the router's", d.URI)
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
