package auth

import "crypto/rand"

// Anonymous admits anybody under Role, or as the Authenticator decides. Exactly
// one of the two is set.
type Anonymous struct {
	Role          string
	Realm         string // the only one that may be joined; empty: any that has the Role
	Authid        string // of all that have the Role; empty: a random one for each
	Authenticator *Dynamic
}

func (m *Anonymous) begin(d *Dialogue) Outcome {
	if refusal := d.needs(false, m.Realm != "" || m.Authenticator.assigns()); refusal != nil {
		return Outcome{Refuse: refusal}
	}
	if m.Realm != "" && d.Request.Realm != "" && d.Request.Realm != m.Realm {
		return Outcome{Refuse: notOpen(d.Request.Realm)}
	}
	// Whatever the client calls itself, nobody has vouched for it.
	d.Request.Authid = rand.Text()
	if m.Authenticator != nil {
		return d.ask(m.Authenticator)
	}
	return d.admit(&Principal{Role: m.Role, Realm: m.Realm, Authid: m.Authid})
}

func (m *Anonymous) answered(d *Dialogue, _ *Answer) Outcome { return d.unasked("challenge") }

func (m *Anonymous) decided(d *Dialogue, p *Principal) Outcome { return d.accept(p) }
