package auth

import (
	"crypto/rand"
	"fmt"
	"strings"

	"usher/router/wamp"
)

// Outcome is what a step of a Dialogue came to: exactly one field is set.
type Outcome struct {
	Challenge *wamp.Challenge // send it, and hand the client's reply to Answer
	Ask       *Dynamic        // ask this authenticator about Dialogue.Request, and hand its reply to Decide
	Accept    *Accepted       // the client is in
	Refuse    *Refusal        // the client is told this
	Fail      error           // the client is refused without being told this
}

// Accepted is a client that was let in.
type Accepted struct {
	Principal // complete: no field is left to what was asked for
	Method    string
	Provider  string // WELCOME.Details.authprovider: who decided
}

// The providers of WELCOME.
const (
	providerStatic  = "static"
	providerDynamic = "dynamic"
)

// Dialogue is one client's way from HELLO to WELCOME or ABORT. It does no I/O
// and knows no time: its owner sends what it says, and ends it at its deadlines.
// It must be used by one goroutine at a time.
type Dialogue struct {
	// Request is what an authenticator is asked about.
	Request *Request

	methods *Methods
	realms  Realms
	state   state
}

// state is what a Dialogue waits for.
type state uint8

const (
	waitsForNothing  state = iota // it has come to its end
	waitsForAnswer                // of the client to a challenge
	waitsForDecision              // of an authenticator
)

// Begin starts with a client's HELLO: r, whose Authmethod is filled in, and the
// methods that the client offers, in its order of preference. The first one that
// m has is taken.
func Begin(m *Methods, realms Realms, r *Request, offered []string) (*Dialogue, Outcome) {
	d := &Dialogue{Request: r, methods: m, realms: realms}
	if refusal := checkAuthid(r.Authid); refusal != nil {
		return d, Outcome{Refuse: refusal}
	}
	if r.Realm != "" && !realms.HasRealm(r.Realm) {
		return d, Outcome{Refuse: noSuchRealm(r.Realm)}
	}
	for _, method := range offered {
		switch {
		case method == MethodTicket && m.Ticket != nil:
			r.Authmethod = method
			return d, d.beginTicket()
		case method == MethodAnonymous && m.Anonymous != nil:
			r.Authmethod = method
			return d, d.beginAnonymous()
		}
	}
	return d, Outcome{Refuse: &Refusal{
		URI:     wamp.ErrNoMatchingAuthMethod,
		Message: fmt.Sprintf("none of the authentication methods that the client offers (%s) is available here", listed(offered)),
	}}
}

// maxListed and maxWord bound how many of a client's words a text for people
// repeats, and how much of each.
const (
	maxListed = 8
	maxWord   = 32
)

// listed is a list of words that a client sent, in short.
func listed(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	var list strings.Builder
	for i, word := range words {
		if i > 0 {
			list.WriteString(", ")
		}
		if i == maxListed {
			list.WriteString("…")
			break
		}
		fmt.Fprintf(&list, "%.*s", maxWord, word)
	}
	return list.String()
}

func (d *Dialogue) beginAnonymous() Outcome {
	if d.Request.Realm == "" {
		return Outcome{Refuse: noRealm()}
	}
	// Whatever the client calls itself, nobody has vouched for it.
	d.Request.Authid = rand.Text()
	return d.accept(&Principal{Role: d.methods.Anonymous.Role}, nil)
}

func (d *Dialogue) beginTicket() Outcome {
	t := d.methods.Ticket
	if d.Request.Authid == "" {
		return Outcome{Refuse: &Refusal{
			URI:     wamp.ErrAuthenticationDenied,
			Message: `authentication method "ticket" needs an authid in HELLO.Details`,
		}}
	}
	if d.Request.Realm == "" && (t.Authenticator == nil || t.Authenticator.Realm == "") {
		return Outcome{Refuse: noRealm()}
	}
	d.state = waitsForAnswer
	return Outcome{Challenge: &wamp.Challenge{Method: MethodTicket}}
}

// Answer goes on with the client's reply to the challenge.
func (d *Dialogue) Answer(a *wamp.Authenticate) Outcome {
	if d.state != waitsForAnswer {
		return d.fail(fmt.Errorf("an AUTHENTICATE that nothing asked for"))
	}
	d.state = waitsForNothing
	t := d.methods.Ticket
	if t.Authenticator != nil {
		d.Request.Ticket = a.Signature
		d.state = waitsForDecision
		return Outcome{Ask: t.Authenticator}
	}
	role, ok := t.check(d.Request.Authid, a.Signature)
	if !ok {
		return Outcome{Refuse: &Refusal{
			URI:     wamp.ErrAuthenticationDenied,
			Message: "the authid or the ticket is wrong",
		}}
	}
	return d.accept(&Principal{Role: role}, nil)
}

// Decide ends the dialogue with the authenticator's reply, whichever way it was
// asked: a principal, a *Refusal, or any other error as a failure.
func (d *Dialogue) Decide(p *Principal, err error) Outcome {
	if d.state != waitsForDecision {
		return d.fail(fmt.Errorf("a decision that nothing asked for"))
	}
	d.state = waitsForNothing
	checked, err := Decide(d.realms, d.methods.Ticket.Authenticator, d.Request, p, err)
	return d.settle(checked, err, providerDynamic)
}

// accept admits p, a principal of the configuration.
func (d *Dialogue) accept(p *Principal, dynamic *Dynamic) Outcome {
	checked, err := check(d.realms, dynamic, d.Request, p)
	return d.settle(checked, err, providerStatic)
}

func (d *Dialogue) settle(p *Principal, err error, provider string) Outcome {
	if err != nil {
		return d.fail(err)
	}
	return Outcome{Accept: &Accepted{Principal: *p, Method: d.Request.Authmethod, Provider: provider}}
}

func (d *Dialogue) fail(err error) Outcome {
	d.state = waitsForNothing
	if refusal, ok := err.(*Refusal); ok {
		return Outcome{Refuse: refusal}
	}
	return Outcome{Fail: err}
}
