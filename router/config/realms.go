package config

import (
	"fmt"
	"slices"
	"strings"

	"usher/router/auth"
	"usher/router/wamp"
)

// realms reads the list of realms. The keys of one:
//
//	name   a URI
//	roles  list of roles: name, permissions (see rules), authorizer and the keys of
//	       roleSettings. authorizer is the URI of the procedure that decides about
//	       what no rule matches; absent: that is denied
//
// and those of settings, or of crossbarSettings in a Crossbar.io node file.
func (r *reader) realms(v value) []Realm {
	var realms []Realm
	first := map[string]value{}
	for _, item := range v.list() {
		f := item.fields()
		name := f.need("name")
		realm := Realm{Name: name.name()}
		if realm.Name != "" && !wamp.ValidURI(realm.Name) {
			name.fail("%q is not a URI: no spaces, no \"#\", no empty part between dots", realm.Name)
		}
		unique(first, realm.Name, name, "realm")
		realm.Roles = r.roles(f.need("roles"), realm.Name)
		if r.crossbar {
			r.crossbarSettings(f, &realm)
		} else {
			realm.Settings = r.settings(f)
		}
		r.crossbarOnly(f, "id")
		f.done(map[string]string{
			"timeout":    "it is called call_timeout",
			"store":      "write event_history: {rules: [{uri: …}]}",
			"trustlevel": "trustlevel belongs into an entry of roles",
		})
		realms = append(realms, realm)
	}
	if v.n != nil && v.n.kind == kindList && len(realms) == 0 {
		v.fail("there is no realm: nobody could join")
	}
	return realms
}

// unique tells a name that first has already, and puts it there otherwise.
func unique(first map[string]value, name string, v value, what string) {
	if name == "" {
		return
	}
	if f, ok := first[name]; ok {
		v.fail("the %s %q is here twice; first at line %d", what, name, f.n.line)
		return
	}
	first[name] = v
}

// crossbarOnly skips keys that mean nothing outside of Crossbar.io and whose
// absence changes nothing.
func (r *reader) crossbarOnly(f *fields, keys ...string) {
	if r.crossbar {
		f.known = append(f.known, keys...)
	}
}

// procedure reads the URI of an authenticator or authorizer.
func (v value) procedure() string {
	uri := v.name()
	switch {
	case uri == "":
	case !wamp.ValidURI(uri):
		v.fail("%q is not a URI: no spaces, no \"#\", no empty part between dots", uri)
	case wamp.Reserved(uri):
		v.fail("%q can't be registered by anybody: URIs that begin with wamp. are the router's", uri)
	}
	return uri
}

// checkAuthorizer checks that somebody in the realm may register an authorizer: by
// an exact rule, since a wider one does not reach reserved URIs.
func checkAuthorizer(realm *Realm, v value) {
	if uri := v.text(); !realm.mayRegister(uri) {
		v.unsupported("no role of realm %s may register %s: whatever no rule matches would be denied; give one role a permission with exactly this uri, match: exact and allow: {register: true}", realm.Name, uri)
	}
}

func (r *reader) roles(v value, realm string) []*auth.Role {
	var roles []*auth.Role
	var authorizers []value
	first := map[string]value{}
	for _, item := range v.list() {
		f := item.fields()
		name := f.need("name")
		role := &auth.Role{Name: name.name()}
		unique(first, role.Name, name, "role")
		role.Rules = r.rules(f.get("permissions"))
		if a := f.get("authorizer"); !a.absent() {
			role.Authorizer = a.procedure()
			authorizers = append(authorizers, a)
		}
		if !r.crossbar {
			r.roleSettings(f, role)
		}
		r.crossbarOnly(f, "id")
		f.done(map[string]string{"uri": "uri belongs into an entry of permissions", "allow": "allow belongs into an entry of permissions"})
		roles = append(roles, role)
	}
	r.checks = append(r.checks, func() {
		for _, a := range authorizers {
			checkAuthorizer(&Realm{Name: realm, Roles: roles}, a)
		}
	})
	return roles
}

// rules reads the permissions of a role. The keys of one:
//
//	uri       the URI, or its beginning or pattern as match says
//	match     exact, prefix or wildcard; absent: prefix where uri ends in "*"
//	          (which is cut off), else exact
//	allow     dict of booleans: call, register, publish, subscribe; false if absent
//	disclose  dict of booleans: caller, publisher; false if absent
//	cache     boolean; kept for authorizers
//
// The four booleans of allow may also stand beside uri, as in old files.
func (r *reader) rules(v value) []auth.Rule {
	var rules []auth.Rule
	first := map[string]value{}
	for _, item := range v.list() {
		f := item.fields()
		rule, ok := r.pattern(f)
		name := fmt.Sprintf("%s (%s)", rule.URI, rule.Match)
		earlier, twice := first[name]
		switch {
		case !ok:
		case twice && r.crossbar: // which has examples of its own that say so
			item.warn("the rule for %q is here twice; this one counts, not that of line %d", name, earlier.n.line)
			rules = slices.DeleteFunc(rules, func(o auth.Rule) bool { return o.URI == rule.URI && o.Match == rule.Match })
		default:
			unique(first, name, item, "rule for")
		}
		allow, flat := f.get("allow"), false
		for _, a := range []auth.Action{auth.Call, auth.Register, auth.Publish, auth.Subscribe} {
			b := f.get(a.String())
			flat = flat || !b.absent()
			if b.boolean(false) {
				rule.Allow |= a
			}
		}
		if !allow.absent() {
			if flat {
				allow.fail("allow and booleans beside uri say the same thing: keep allow")
			}
			af := allow.fields()
			for _, a := range []auth.Action{auth.Call, auth.Register, auth.Publish, auth.Subscribe} {
				if af.get(a.String()).boolean(false) {
					rule.Allow |= a
				}
			}
			af.done(nil)
		}
		df := f.get("disclose").fields()
		rule.DiscloseCaller = df.get("caller").boolean(false)
		rule.DisclosePublisher = df.get("publisher").boolean(false)
		df.done(nil)
		rule.Cache = f.get("cache").boolean(false)
		f.done(nil)
		if ok {
			rules = append(rules, rule)
		}
	}
	return rules
}

// pattern reads uri and match.
func (r *reader) pattern(f *fields) (auth.Rule, bool) {
	uri, match := f.need("uri"), f.get("match")
	if uri.absent() || !uri.is(kindString) {
		return auth.Rule{}, false
	}
	rule := auth.Rule{URI: uri.text()}
	star := strings.HasSuffix(rule.URI, "*")
	switch {
	case !match.absent():
		name := match.oneOf("a match policy", "exact", "prefix", "wildcard")
		if name == "" {
			return auth.Rule{}, false
		}
		rule.Match, _ = wamp.ParseMatch(name)
		if star {
			uri.warn("with match given, the \"*\" in %q is an ordinary letter; leave out one of the two", rule.URI)
		}
	case star:
		rule.Match = wamp.Prefix
		rule.URI = strings.TrimSuffix(rule.URI, "*")
	}
	if !wamp.ValidPattern(rule.URI, rule.Match) {
		hint := ""
		switch {
		case rule.URI == "":
			hint = `; for every URI write match: prefix`
		case rule.Match == wamp.Exact && wamp.ValidPattern(rule.URI, wamp.Prefix):
			hint = `; for all URIs that begin so write match: prefix`
		case rule.Match != wamp.Wildcard && strings.Contains("."+rule.URI+".", ".."):
			hint = `; an empty part between dots needs match: wildcard`
		}
		uri.fail("%q is not a URI for match %q%s", rule.URI, rule.Match.String(), hint)
		return auth.Rule{}, false
	}
	return rule, true
}
