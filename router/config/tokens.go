package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher/router/auth"
)

// The defaults of tokens.
const (
	tokenLeeway  = 30 * time.Second
	tokenRefresh = 15 * time.Minute
)

// tokens reads which JSON Web Tokens are accepted as tickets. The keys, beside
// type: jwt:
//
//	issuer          that iss must be
//	audience        that aud must have; one, or a list of which one is enough
//	jwks            where the issuer's public keys are: a file, or an https URL;
//	                absent: where the issuer's /.well-known/openid-configuration says
//	algorithms      list of those that are accepted; absent: RS, PS and ES with 256,
//	                384 and 512, and EdDSA
//	authid_claim    whose text is the authid; absent: sub
//	role_claim      whose text is the role; a name with dots is one inside of others,
//	                e.g. realm_access.role
//	role            of tokens without that claim
//	realm_claim     whose text is the only realm that the token is for
//	realm           of tokens without that claim; both absent: as the client asks for
//	leeway          by which clocks may differ; absent: 30s
//	refresh         after which the keys are fetched again; absent: 15m
//	without_expiry  true: a token that never expires is good, too
func (r *reader) tokens(f *fields, c *Config) *auth.JWT {
	issuer, jwks, role, realm := f.need("issuer"), f.get("jwks"), f.get("role"), f.get("realm")
	j := &auth.JWT{
		Issuer: issuer.name(), Audience: audience(f.need("audience")),
		AuthidClaim: "sub", RoleClaim: f.get("role_claim").name(), RealmClaim: f.get("realm_claim").name(),
		Role: role.name(), Realm: realm.name(),
		Leeway: tokenLeeway, Refresh: tokenRefresh,
		WithoutExpiry: f.get("without_expiry").boolean(false),
		Algorithms:    auth.JWTAlgorithms(),
	}
	if claim := f.get("authid_claim"); !claim.absent() {
		j.AuthidClaim = claim.name()
	}
	if leeway := f.get("leeway"); !leeway.absent() {
		j.Leeway = leeway.durationTo(time.Hour)
	}
	if refresh := f.get("refresh"); !refresh.absent() {
		if j.Refresh = refresh.duration(); j.Refresh > 0 && j.Refresh < time.Minute {
			refresh.fail("%s is less than 1m: a key that is not known yet is fetched at once anyway", refresh.n.text)
		}
	}
	if algorithms := f.get("algorithms"); !algorithms.absent() {
		j.Algorithms = algorithms.names(func(name string) string {
			switch {
			case slices.Contains(auth.JWTAlgorithms(), name):
				return ""
			case strings.HasPrefix(name, "HS"):
				return "is signed with a secret that usher would have to know: take an algorithm with a public key, such as RS256"
			}
			return "is no algorithm of tokens that is supported: " + either(auth.JWTAlgorithms())
		})
		if len(j.Algorithms) == 0 && len(r.problems) == 0 {
			algorithms.fail("the list is empty: no token would be accepted")
		}
	}
	switch {
	case jwks.absent():
		if j.Issuer != "" && !isSecureURL(j.Issuer) {
			issuer.fail("%q is no https URL, so the issuer can't be asked for its keys: name them by jwks", j.Issuer)
		}
	case strings.Contains(jwks.text(), "://"):
		if j.JWKS = jwks.name(); !isSecureURL(j.JWKS) {
			jwks.fail("%q is no https URL: whoever is in between could give keys of their own", j.JWKS)
		}
	default:
		j.JWKS = r.filePath(jwks, c, false)
	}
	switch {
	case role.absent() && j.RoleClaim == "":
		f.fail("a token has no role: write role, or role_claim for the claim that names it")
	case role.absent():
	case realm.absent():
		r.checkRole(c, role)
	case j.Role != "":
		r.checks = append(r.checks, func() { checkMember(c, realm, role) })
	}
	if role.absent() && !realm.absent() {
		r.checks = append(r.checks, func() {
			if c.realm(j.Realm) == nil {
				realm.fail("there is no realm %q%s", j.Realm, suggest(j.Realm, realmNames(c)))
			}
		})
	}
	return j
}

func audience(v value) []string {
	if v.n != nil && v.n.kind == kindString {
		return []string{v.name()}
	}
	names := v.names(nil)
	if v.n != nil && v.n.kind == kindList && len(v.n.items) == 0 {
		v.fail("the list is empty: no token would be accepted")
	}
	return names
}

// isSecureURL reports whether nobody can come in between: it is https, or stays on
// this machine.
func isSecureURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}
