package auth

import (
	"crypto/sha256"
	"crypto/subtle"
)

// check reports whether ticket is the one of authid, and under which role. The
// tickets' digests are compared, so that the time tells nothing of a ticket's
// length, and an unknown authid costs what a wrong ticket costs.
func (t *Ticket) check(authid, ticket string) (role string, ok bool) {
	principal, known := t.Principals[authid]
	want := sha256.Sum256([]byte(principal.Ticket))
	got := sha256.Sum256([]byte(ticket))
	equal := subtle.ConstantTimeCompare(want[:], got[:]) == 1
	// An account without a ticket is not an account that an empty ticket opens.
	return principal.Role, equal && known && principal.Ticket != ""
}
