package realm

import (
	"cmp"
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

// Policy says which realms there are and what their roles may do. It is
// immutable: a change is a new Policy, handed to Node.Apply.
type Policy struct {
	Realms map[string]*RealmPolicy
	// Authenticators are the URIs that any endpoint's auth.Dynamic names, and the
	// authorizers that any role names. They are reserved: see Node.
	Authenticators map[string]bool
}

// RealmPolicy is one realm's part of a Policy.
type RealmPolicy struct {
	Name     string
	Roles    map[string]*auth.Role
	Settings Settings
}

// Settings are what a realm does beyond routing. The zero value is the default
// of each field.
type Settings struct {
	// CallTimeout is for calls that ask for none; zero: they wait as long as they like.
	CallTimeout time.Duration
	// MaxCallTimeout bounds what a call may ask for; zero: nothing does.
	MaxCallTimeout time.Duration
	// History says of which topics events are kept. Of several rules that match a
	// subscription exactly, by URI and policy, there is only one.
	History []HistoryRule
	// HistoryBytes bounds what all history of the realm takes; zero: 64 MiB.
	HistoryBytes int
	// RetainedEvents and RetainedBytes bound what is kept of retained events; zero:
	// 10,000 and 64 MiB.
	RetainedEvents, RetainedBytes int
	// ModifyDetails offers wamp.session.modify_details.
	ModifyDetails bool
}

// HistoryRule keeps the events of one topic or pattern.
type HistoryRule struct {
	URI    string
	Match  wamp.Match
	Events int           // at most so many are kept; zero: 1,000
	Age    time.Duration // those that are older go; zero: at any age
}

var _ auth.Realms = (*Policy)(nil)

// HasRealm reports whether there is such a realm.
func (p *Policy) HasRealm(realm string) bool { return p.Realms[realm] != nil }

// HasRole reports whether there is such a realm with such a role.
func (p *Policy) HasRole(realm, role string) bool {
	return p.HasRealm(realm) && p.Realms[realm].Roles[role] != nil
}

// Endpoint is what a listener's path offers to clients. It is immutable.
type Endpoint struct {
	Auth auth.Methods
}

// Limits bound what one session may hold and how long each step may take. Zero
// values mean the defaults.
type Limits struct {
	HelloTimeout         time.Duration // accept to HELLO; 5 s
	AuthenticateTimeout  time.Duration // CHALLENGE to AUTHENTICATE; 10 s
	AuthenticatorTimeout time.Duration // to ask an authenticator; 5 s
	PendingCalls         int           // calls of one caller without an answer; 10,000
	PendingInvocations   int           // calls handed to one callee without an answer; 100,000
	KeptPayload          int           // bytes of one caller's calls, kept because they may go to another callee; 4 MiB
	Registrations        int           // of one session; 20,000
	Subscriptions        int           // of one session; 20,000
	WildcardShapes       int           // ways in which wildcards stand in patterns of one length, each look-up pays for them; 1,024
	Handshakes           int           // sessions that are joining, all addresses; 16,384
	HandshakesPerAddress int           // likewise of one address; 0: the default of 4,096
	Throttle             auth.ThrottleLimits
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	l.HelloTimeout = cmp.Or(l.HelloTimeout, 5*time.Second)
	l.AuthenticateTimeout = cmp.Or(l.AuthenticateTimeout, 10*time.Second)
	l.AuthenticatorTimeout = cmp.Or(l.AuthenticatorTimeout, 5*time.Second)
	l.PendingCalls = cmp.Or(l.PendingCalls, 10_000)
	l.PendingInvocations = cmp.Or(l.PendingInvocations, 100_000)
	l.KeptPayload = cmp.Or(l.KeptPayload, 4<<20)
	l.Registrations = cmp.Or(l.Registrations, 20_000)
	l.Subscriptions = cmp.Or(l.Subscriptions, 20_000)
	l.WildcardShapes = cmp.Or(l.WildcardShapes, 1024)
	l.Handshakes = cmp.Or(l.Handshakes, 16384)
	l.HandshakesPerAddress = cmp.Or(l.HandshakesPerAddress, 4096)
	return l
}
