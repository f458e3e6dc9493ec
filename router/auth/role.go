package auth

import "usher/router/wamp"

// Action is what a session wants to do with a URI. The zero Action is none.
type Action uint8

// The actions, as a bit set.
const (
	Call Action = 1 << iota
	Register
	Publish
	Subscribe
)

// String returns the action as permissions spell it.
func (a Action) String() string {
	switch a {
	case Call:
		return "call"
	case Register:
		return "register"
	case Publish:
		return "publish"
	case Subscribe:
		return "subscribe"
	}
	return "none"
}

// Rule is one entry of a role's permissions: what is allowed for the URIs that
// it matches. What it does not allow it denies: the most specific rule alone
// counts, and nothing is merged.
type Rule struct {
	URI               string
	Match             wamp.Match
	Allow             Action // the set of allowed actions
	DiscloseCaller    bool   // callees learn who called, whatever the caller asked
	DisclosePublisher bool   // subscribers learn who published, likewise
	Cache             bool   // kept for authorizers; static rules are always cached
}

// Role is a named set of rules. Rules of one role are unique by (URI, Match).
type Role struct {
	Name  string
	Rules []Rule
	// Trustlevel is what callees and subscribers learn of the role's calls and
	// publications. The zero value tells them nothing.
	Trustlevel wamp.Trustlevel
	// DenyDiscloseMe refuses calls and publications that ask for disclose_me. What
	// a rule or a registration discloses is disclosed all the same.
	DenyDiscloseMe bool
	// Authorizer is the URI of the procedure that decides about URIs which no rule
	// matches; empty: they are denied. It is reserved as those of authenticators are:
	// see package realm.
	Authorizer string
}
