package realm

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"usher/router/auth"
	"usher/router/match"
	"usher/router/wamp"
)

// snapshot is a Policy made ready for look-ups. It is immutable but for caches.
type snapshot struct {
	policy *Policy
	realms map[string]map[string]*rules // by realm, by role
}

func newSnapshot(p *Policy) *snapshot {
	s := &snapshot{policy: p, realms: make(map[string]map[string]*rules, len(p.Realms))}
	for name, r := range p.Realms {
		roles := make(map[string]*rules, len(r.Roles))
		for roleName, role := range r.Roles {
			roles[roleName] = newRules(role, &r.Settings, p.Authenticators)
		}
		s.realms[name] = roles
	}
	return s
}

// HasRealm and HasRole make a snapshot auth.Realms.
func (s *snapshot) HasRealm(realm string) bool { return s.realms[realm] != nil }

func (s *snapshot) HasRole(realm, role string) bool { return s.realms[realm][role] != nil }

// cacheSize is how many URIs a role's cache holds: a power of two. Its memory is
// bounded by this times the largest URI.
const cacheSize = 1024

// rules are one role's permissions in one snapshot.
type rules struct {
	role           *auth.Role
	settings       *Settings // of the realm
	index          match.Index[*auth.Rule]
	wildcards      []*auth.Rule
	authenticators map[string]bool // Policy.Authenticators
	seed           maphash.Seed
	// cache holds the decision about a URI at the place that its hash tells,
	// where a later URI of the same hash replaces it.
	cache [cacheSize]atomic.Pointer[decision]
}

// decision is what a role may do with one URI. It is immutable.
type decision struct {
	uri               string
	allow             auth.Action
	discloseCaller    bool
	disclosePublisher bool
	trustlevel        wamp.Trustlevel // of the role
	isValid           bool            // the URI is one
	isReserved        bool            // only the router registers and publishes it
	isAuthenticator   bool            // only the router calls it
	isExact           bool            // an exact rule decided
	isRuled           bool            // any rule decided
	isGranted         bool            // none did, but the realm's authorizer
}

func (d *decision) allows(a auth.Action) bool { return d.allow&a != 0 }

func newRules(role *auth.Role, settings *Settings, authenticators map[string]bool) *rules {
	r := &rules{role: role, settings: settings, authenticators: authenticators, seed: maphash.MakeSeed()}
	for i := range role.Rules {
		rule := &role.Rules[i]
		r.index.Put(rule.Match, rule.URI, rule)
		if rule.Match == wamp.Wildcard {
			r.wildcards = append(r.wildcards, rule)
		}
	}
	return r
}

// decide tells what the role may do with a concrete URI.
func (r *rules) decide(uri string) *decision {
	place := &r.cache[maphash.String(r.seed, uri)%cacheSize]
	if d := place.Load(); d != nil && d.uri == uri {
		return d
	}
	d := &decision{
		uri:             strings.Clone(uri),
		isValid:         wamp.ValidURI(uri),
		isReserved:      wamp.Reserved(uri),
		isAuthenticator: r.authenticators[uri],
		trustlevel:      r.role.Trustlevel,
	}
	if rule, m, ok := r.index.Best(uri); ok && d.isValid {
		d.take(rule)
		d.isExact = m == wamp.Exact
	}
	place.Store(d)
	return d
}

// permits reports whether the role may do something with a concrete URI, which isGranted
// says of those that no rule speaks of: the authorizer did when it was asked.
func (r *rules) permits(a auth.Action, uri string, isGranted bool) bool {
	d := r.decide(uri)
	return d.allows(a) || isGranted && r.leavesOpen(d)
}

func (d *decision) take(rule *auth.Rule) {
	d.isRuled = true
	d.allow, d.discloseCaller, d.disclosePublisher = rule.Allow, rule.DiscloseCaller, rule.DisclosePublisher
}

// decidePattern tells what the role may do with all URIs that a pattern matches.
// Only a rule that covers the whole pattern counts: the longest prefix, else the
// wildcard that is most specific. What narrower rules deny is found out when a
// concrete URI comes along.
func (r *rules) decidePattern(uri string, m wamp.Match) *decision {
	if m == wamp.Exact {
		return r.decide(uri)
	}
	d := &decision{uri: uri, isValid: wamp.ValidPattern(uri, m), isReserved: wamp.Reserved(uri)}
	if !d.isValid {
		return d
	}
	for n := len(uri); n >= 0; n-- {
		if rule, ok := r.index.Get(wamp.Prefix, uri[:n]); ok {
			d.take(rule)
			return d
		}
	}
	if m != wamp.Wildcard {
		return d // a wildcard fixes the number of components, a prefix does not
	}
	var best *auth.Rule
	for _, rule := range r.wildcards {
		if covers(rule.URI, uri) && (best == nil || earlierLiteral(rule.URI, best.URI)) {
			best = rule
		}
	}
	if best != nil {
		d.take(best)
	}
	return d
}

// covers reports whether the wildcard pattern outer matches all that the wildcard
// pattern inner matches.
func covers(outer, inner string) bool {
	for {
		o, outerRest, outerMore := strings.Cut(outer, ".")
		i, innerRest, innerMore := strings.Cut(inner, ".")
		if o != "" && o != i || outerMore != innerMore {
			return false
		}
		if !outerMore {
			return true
		}
		outer, inner = outerRest, innerRest
	}
}

// earlierLiteral reports whether a is literal where two wildcard patterns first
// differ. Both cover the same pattern, so that they differ in nothing else.
func earlierLiteral(a, b string) bool {
	for {
		x, aRest, more := strings.Cut(a, ".")
		y, bRest, _ := strings.Cut(b, ".")
		if x != y || !more {
			return x != ""
		}
		a, b = aRest, bRest
	}
}
