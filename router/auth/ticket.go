package auth

import (
	"crypto/sha256"
	"crypto/subtle"
)

// Ticket admits who presents a ticket: one of Principals, one that the dynamic
// Authenticator accepts, or a token that JWT speaks of. Exactly one of the three
// is set.
type Ticket struct {
	Principals    map[string]StaticTicket // by authid
	Authenticator *Dynamic
	JWT           *JWT
}

// StaticTicket is a principal of the configuration.
type StaticTicket struct {
	Ticket string // secret: must not be logged
	Role   string
}

func (m *Ticket) begin(d *Dialogue) Outcome {
	// A token says itself who it is for.
	if refusal := d.needs(m.JWT == nil, m.Authenticator.assigns() || m.JWT.assigns()); refusal != nil {
		return Outcome{Refuse: refusal}
	}
	return d.challenge(nil)
}

func (m *Ticket) answered(d *Dialogue, a *Answer) Outcome {
	switch {
	case m.Authenticator != nil:
		d.Request.Ticket = a.Signature
		return d.ask(m.Authenticator)
	case m.JWT != nil:
		d.Request.Ticket = a.Signature
		d.state = waitsForDecision
		return Outcome{Verify: m.JWT}
	}
	role, ok := m.check(d.Request.Authid, a.Signature)
	if !ok {
		return denied()
	}
	return d.admit(&Principal{Role: role})
}

func (m *Ticket) decided(d *Dialogue, p *Principal) Outcome {
	if m.JWT != nil && d.Request.Realm != "" && p.Realm != d.Request.Realm {
		return Outcome{Refuse: DeniedToken("it is for another realm")}
	}
	return d.accept(p)
}

// check reports whether ticket is the one of authid, and under which role. The
// tickets' digests are compared, so that the time tells nothing of a ticket's
// length, and an unknown authid costs what a wrong ticket costs.
func (m *Ticket) check(authid, ticket string) (role string, ok bool) {
	principal := m.Principals[authid]
	want := sha256.Sum256([]byte(principal.Ticket))
	got := sha256.Sum256([]byte(ticket))
	equal := subtle.ConstantTimeCompare(want[:], got[:]) == 1
	// Neither an unknown authid nor an account without a ticket is one that an empty
	// ticket opens.
	return principal.Role, equal && principal.Ticket != ""
}
