package auth

import (
	"errors"
	"fmt"
	"strings"

	"usher/router/wamp"
)

// Outcome is what a step of a Dialogue came to: exactly one field is set.
type Outcome struct {
	Challenge *wamp.Challenge // send it, and hand the client's reply to Answer
	Ask       *Dynamic        // ask this authenticator about Dialogue.Request, and hand its reply to Decide
	Verify    *JWT            // have Request.Ticket verified as this says, and hand the reply to Decide
	Accept    *Accepted       // the client is in
	Refuse    *Refusal        // the client is told this
	Fail      error           // the client is refused without being told this
}

// Accepted is a client that was let in.
type Accepted struct {
	Principal // complete: no field is left to what was asked for
	Method    string
	Provider  string // WELCOME.Details.authprovider: who decided
	// Proof is the router's own, for WELCOME.Details.authextra under the names that
	// clients know; nil: none.
	Proof map[string]string
}

// The providers of WELCOME.
const (
	providerStatic  = "static"
	providerDynamic = "dynamic"
	providerCookie  = "cookie" // of an earlier login
)

// Answer is a client's AUTHENTICATE.
type Answer struct {
	Signature string // or a ticket; secret: must not be logged
	Extra     Extra
}

// Dialogue is one client's way from HELLO to WELCOME or ABORT. It does no I/O:
// its owner sends what it says, and ends it at its deadlines. It must be used by
// one goroutine at a time.
type Dialogue struct {
	// Request is what an authenticator is asked about.
	Request *Request

	methods *Methods
	realms  Realms
	offered []string // by the client
	tried   int      // so many of them have had their turn
	method  method
	dynamic *Dynamic // that is asked, or was
	cookie  bool     // method cookie has had its turn
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
// m has is taken; only a cookie that stands for nobody leaves it to the next.
func Begin(m *Methods, realms Realms, r *Request, offered []string) (*Dialogue, Outcome) {
	d := &Dialogue{Request: r, methods: m, realms: realms, offered: offered}
	if refusal := checkAuthid(r.Authid); refusal != nil {
		return d, Outcome{Refuse: refusal}
	}
	if r.Realm != "" && !realms.HasRealm(r.Realm) {
		return d, Outcome{Refuse: noSuchRealm(r.Realm)}
	}
	return d, d.next(nil)
}

// next begins with the next method that the client offers. Where there is none it
// refuses; nil: because there was none at all.
func (d *Dialogue) next(refusal *Refusal) Outcome {
	d.state, d.dynamic = waitsForNothing, nil
	for d.tried < len(d.offered) {
		name := d.offered[d.tried]
		d.tried++
		if d.method = d.methods.method(name); d.method == nil || name == MethodCookie && d.cookie {
			continue
		}
		d.cookie = d.cookie || name == MethodCookie
		d.Request.Authmethod = name
		return d.method.begin(d)
	}
	if refusal == nil {
		refusal = &Refusal{
			URI:     wamp.ErrNoMatchingAuthMethod,
			Message: fmt.Sprintf("none of the authentication methods that the client offers (%s) is available here", listed(d.offered)),
		}
	}
	return Outcome{Refuse: refusal}
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

// needs refuses clients that left out what a method needs. assigned: a realm need
// not be asked for.
func (d *Dialogue) needs(authid, assigned bool) *Refusal {
	if authid && d.Request.Authid == "" {
		return &Refusal{
			URI:     wamp.ErrAuthenticationDenied,
			Message: fmt.Sprintf("authentication method %q needs an authid in HELLO.Details", d.Request.Authmethod),
		}
	}
	if d.Request.Realm == "" && !assigned {
		return noRealm()
	}
	return nil
}

// challenge sends the client c.
func (d *Dialogue) challenge(extra []byte) Outcome {
	d.state = waitsForAnswer
	c := &wamp.Challenge{Method: d.Request.Authmethod}
	if extra != nil {
		c.Extra = wamp.Value{Format: wamp.JSON, Bytes: extra}
	}
	return Outcome{Challenge: c}
}

// ask puts the request to an authenticator.
func (d *Dialogue) ask(dynamic *Dynamic) Outcome {
	d.state, d.dynamic = waitsForDecision, dynamic
	return Outcome{Ask: dynamic}
}

// Answer goes on with the client's reply to the challenge.
func (d *Dialogue) Answer(a *Answer) Outcome {
	if d.state != waitsForAnswer {
		return d.fail(errors.New("an AUTHENTICATE that nothing asked for"))
	}
	d.state = waitsForNothing
	return d.method.answered(d, a)
}

// Decide goes on with the reply of an authenticator, whichever way it was asked,
// or of a TokenVerifier: a principal, a *Refusal, or any other error as a failure.
func (d *Dialogue) Decide(p *Principal, err error) Outcome {
	if d.state != waitsForDecision {
		return d.fail(errors.New("a decision that nothing asked for"))
	}
	d.state = waitsForNothing
	checked, err := Decide(d.realms, d.dynamic, d.Request, p, err)
	var refusal *Refusal
	if d.Request.Authmethod == MethodCookie && errors.As(err, &refusal) && refusal.URI == wamp.ErrNoMatchingAuthMethod {
		return d.next(refusal)
	}
	if err != nil {
		return d.fail(err)
	}
	return d.method.decided(d, checked)
}

// admit lets the client in as p, a principal of the configuration.
func (d *Dialogue) admit(p *Principal) Outcome {
	checked, err := check(d.realms, nil, d.Request, p)
	if err != nil {
		return d.fail(err)
	}
	return d.accept(checked)
}

// user is what the configuration's u comes to, once its proof is there: only then
// may the client learn why it does not help. Where both are nil, u is not for the
// realm that was asked for.
func (d *Dialogue) user(u *User) (*Principal, error) {
	if u.Realm != "" && d.Request.Realm != "" && u.Realm != d.Request.Realm {
		return nil, nil
	}
	return check(d.realms, nil, d.Request, &Principal{Role: u.Role, Realm: u.Realm, Credentials: u.Credentials})
}

// prove lets a client in whose proof is right, as what user or an authenticator
// said it is.
func (d *Dialogue) prove(p *Principal, err error) Outcome {
	switch {
	case err != nil:
		return d.fail(err)
	case p == nil:
		return denied()
	}
	return d.accept(p)
}

// accept lets the client in as p, which is checked.
func (d *Dialogue) accept(p *Principal) Outcome {
	accepted := &Accepted{Principal: *p, Method: d.Request.Authmethod, Provider: d.provider()}
	accepted.Credentials = Credentials{} // they have served
	return Outcome{Accept: accepted}
}

// provider is who decides.
func (d *Dialogue) provider() string {
	if d.dynamic != nil {
		return providerDynamic
	}
	return providerStatic
}

func (d *Dialogue) fail(err error) Outcome {
	d.state = waitsForNothing
	if refusal, ok := err.(*Refusal); ok {
		return Outcome{Refuse: refusal}
	}
	return Outcome{Fail: err}
}

// denied is the answer to a proof that is wrong, and to an authid that does not
// exist: nobody learns which.
func denied() Outcome {
	return Outcome{Refuse: &Refusal{
		URI:     wamp.ErrAuthenticationDenied,
		Message: "the authid is unknown, or its proof is wrong",
	}}
}

// unasked answers a step that a method does not have.
func (d *Dialogue) unasked(step string) Outcome {
	return d.fail(fmt.Errorf("authentication method %q has no %s", d.Request.Authmethod, step))
}
