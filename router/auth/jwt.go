package auth

import (
	"context"
	"time"

	"usher/router/wamp"
)

// JWT says which JSON Web Tokens are accepted in the place of tickets, and whom
// they name. It is immutable.
type JWT struct {
	Issuer   string   // the claim iss must be this
	Audience []string // the claim aud must name one of these
	// JWKS is where the issuer's public keys are: a file, or an https URL. Empty: where
	// the issuer, which is an https URL then, says in its
	// /.well-known/openid-configuration.
	JWKS       string
	Algorithms []string      // that signatures may have; of public keys only
	Leeway     time.Duration // by which clocks may differ
	Refresh    time.Duration // after which keys are fetched again; not zero
	// WithoutExpiry accepts tokens that never expire.
	WithoutExpiry bool

	AuthidClaim string // whose text is the authid
	RoleClaim   string // whose text is the role
	Role        string // without that claim
	RealmClaim  string // whose text is the realm
	Realm       string // without that claim; both empty: as asked for
}

// JWTAlgorithms are those that a JWT may name, all with a public key.
func JWTAlgorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// TokenVerifier checks tokens. Its method may be called concurrently and waits
// until ctx ends at most, for keys that it does not have. An error is a *Refusal
// where the token is at fault.
type TokenVerifier interface {
	Verify(ctx context.Context, j *JWT, token string) (*Principal, error)
}

// assigns reports whether clients may leave the realm to their token.
func (j *JWT) assigns() bool { return j != nil && (j.Realm != "" || j.RealmClaim != "") }

// DeniedToken is the answer to a token that is wrong. What is wrong with it may be
// told: whoever presents it can read it.
func DeniedToken(why string) *Refusal {
	return &Refusal{URI: wamp.ErrAuthenticationDenied, Message: "the token is not accepted: " + why}
}
