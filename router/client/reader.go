package client

import (
	"context"
	"crypto/tls"
	"fmt"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// agent is HELLO.Details.agent.
const agent = "usher client"

// reader is the reading side of a Client: the joining goroutine's, then run's.
type reader struct {
	client  *Client
	batch   transport.Batch
	decoder codec.Decoder
}

// next reads one message, valid until the next.
func (r *reader) next() (wamp.Message, error) {
	data, err := r.client.conn.Read(&r.batch)
	if err != nil {
		return nil, err
	}
	m, err := r.decoder.Decode(r.client.conn.Format(), data)
	if err != nil {
		return nil, fmt.Errorf("the router sent what is no message: %w", err)
	}
	return m, nil
}

// join is the dialogue from HELLO to WELCOME.
func (r *reader) join(ctx context.Context, o Options) error {
	authextra, err := r.authextra(o)
	if err != nil {
		return fmt.Errorf("join realm %q: %w", o.Realm, err)
	}
	var prover Prover // that was asked for a proof
	err = r.client.conn.Send(&r.batch, &wamp.Hello{
		Realm: o.Realm, Authid: o.Authid, Authrole: o.Authrole, Authmethods: o.Authmethods, HasAuthmethods: true,
		Authextra: authextra, Agent: agent,
		Roles: announced(),
	})
	for err == nil {
		var m wamp.Message
		if m, err = r.next(); err != nil {
			break
		}
		switch m := m.(type) {
		case *wamp.Challenge:
			prover, err = r.answerChallenge(ctx, m, o)
		case *wamp.Welcome:
			if prover == nil {
				prover = proverOf(o, m.Authmethod)
			}
			if prover == nil && len(o.Provers) == 1 {
				prover = o.Provers[0] // whatever the router calls it
			}
			if prover != nil {
				if err = prover.Welcomed(m.Authextra); err != nil {
					break
				}
			}
			r.client.welcome = *m
			r.client.welcome.Authextra = m.Authextra.Clone()
			return nil
		case *wamp.Abort:
			return &AbortError{Reason: m.Reason, Message: m.Message}
		default:
			err = fmt.Errorf("the router sent a message of type %d before WELCOME", m.Type())
		}
	}
	return fmt.Errorf("join realm %q: %w", o.Realm, err)
}

// announced is what this package does.
func announced() wamp.Roles {
	return wamp.Roles{
		Caller: wamp.RoleFeatures{Present: true, Features: wamp.FeatureCallerIdentification |
			wamp.FeatureProgressiveCallResults | wamp.FeatureProgressiveCallInvocations |
			wamp.FeatureCallCanceling | wamp.FeatureCallTimeout | wamp.FeaturePayloadPassthruMode},
		Callee: wamp.RoleFeatures{Present: true, Features: wamp.FeatureCallerIdentification | wamp.FeatureCallTrustlevels |
			wamp.FeaturePatternBasedRegistration | wamp.FeatureSharedRegistration | wamp.FeatureRegistrationRevocation |
			wamp.FeatureProgressiveCallResults | wamp.FeatureProgressiveCallInvocations |
			wamp.FeatureCallCanceling | wamp.FeatureCallTimeout},
		Publisher: wamp.RoleFeatures{Present: true, Features: wamp.FeaturePublisherIdentification |
			wamp.FeaturePublisherExclusion | wamp.FeatureSubscriberBlackwhiteListing | wamp.FeaturePayloadPassthruMode},
		Subscriber: wamp.RoleFeatures{Present: true, Features: wamp.FeaturePublisherIdentification | wamp.FeaturePublicationTrustlevels |
			wamp.FeaturePatternBasedSubscription | wamp.FeatureSubscriptionRevocation | wamp.FeatureEventRetention |
			wamp.FeaturePayloadPassthruMode},
	}
}

// authextra is what the provers say in HELLO, over what o has.
func (r *reader) authextra(o Options) (wamp.Value, error) {
	t := new(auth.Transport)
	if c, ok := r.client.conn.(interface{ TLS() *tls.ConnectionState }); ok {
		t.TLS = c.TLS()
	}
	all := o.Authextra
	for _, p := range o.Provers {
		e, err := p.Hello(t)
		if err != nil {
			return wamp.Value{}, err
		}
		said, err := Authextra(e)
		if err == nil {
			all, err = joinDicts(all, said)
		}
		if err != nil {
			return wamp.Value{}, err
		}
	}
	return all, nil
}

// proverOf is the prover of a method, or nil.
func proverOf(o Options, method string) Prover {
	for _, p := range o.Provers {
		if p.Method() == method {
			return p
		}
	}
	return nil
}

func (r *reader) answerChallenge(ctx context.Context, m *wamp.Challenge, o Options) (Prover, error) {
	p := proverOf(o, m.Method)
	if p == nil {
		return nil, fmt.Errorf("%w: the router asks for %q, which this client was not given", ErrAuthmethod, m.Method)
	}
	a, err := p.Answer(ctx, m)
	if err != nil {
		return nil, err
	}
	extra, err := Authextra(a.Extra)
	if err != nil {
		return nil, err
	}
	return p, r.client.conn.Send(&r.batch, &wamp.Authenticate{Signature: a.Signature, Extra: extra})
}

// run reads until the connection ends.
func (r *reader) run() {
	c := r.client
	ctx, cancel := context.WithCancel(context.Background())
	defer close(c.done)
	defer cancel()
	for {
		m, err := r.next()
		if err == nil {
			err = r.handle(ctx, m)
		}
		if err != nil {
			c.end(err)
			c.conn.Close(transport.CloseNormal)
			return
		}
	}
}

// handle does what m asks for. An error ends the session.
func (r *reader) handle(ctx context.Context, m wamp.Message) error {
	c := r.client
	switch m := m.(type) {
	case *wamp.Event:
		c.mu.Lock()
		h := c.subscriptions[m.Subscription]
		c.mu.Unlock()
		if h != nil {
			h(m)
		}
	case *wamp.Invocation:
		r.invoke(ctx, m)
	case *wamp.Interrupt:
		c.interrupt(m)
	case *wamp.Abort:
		return &AbortError{Reason: m.Reason, Message: m.Message}
	case *wamp.Goodbye:
		if c.answer(goodbyeRequest, answer{message: &wamp.Goodbye{Reason: m.Reason, Message: m.Message}}) {
			return ErrClosed
		}
		// Where it cannot be sent the connection is going away anyhow.
		_ = c.conn.Send(&r.batch, &wamp.Goodbye{Reason: wamp.CloseGoodbyeAndOut})
		return &GoodbyeError{Reason: m.Reason, Message: m.Message}
	case *wamp.Error:
		c.answer(m.Request, answer{err: &Error{URI: m.URI, Payload: m.Payload.Clone()}})
	case *wamp.Result:
		c.result(m)
	case *wamp.Published:
		c.answer(m.Request, answer{message: &wamp.Published{Request: m.Request, Publication: m.Publication}})
	case *wamp.Subscribed:
		c.accept(m.Request, m.Subscription, &wamp.Subscribed{Request: m.Request, Subscription: m.Subscription})
	case *wamp.Registered:
		c.accept(m.Request, m.Registration, &wamp.Registered{Request: m.Request, Registration: m.Registration})
	case *wamp.Unsubscribed:
		if m.Request == 0 {
			c.takeAway(&wamp.Unsubscribed{Subscription: m.Subscription, Reason: m.Reason})
		} else {
			c.answer(m.Request, answer{message: &wamp.Unsubscribed{Request: m.Request}})
		}
	case *wamp.Unregistered:
		if m.Request == 0 {
			c.takeAway(&wamp.Unregistered{Registration: m.Registration, Reason: m.Reason})
		} else {
			c.answer(m.Request, answer{message: &wamp.Unregistered{Request: m.Request}})
		}
	default:
		return fmt.Errorf("the router sent a message of type %d in a session", m.Type())
	}
	return nil
}

// takeAway forgets what the router has revoked, and tells.
func (c *Client) takeAway(m wamp.Message) {
	c.mu.Lock()
	switch m := m.(type) {
	case *wamp.Unsubscribed:
		delete(c.subscriptions, m.Subscription)
	case *wamp.Unregistered:
		delete(c.registrations, m.Registration)
	}
	c.mu.Unlock()
	if c.revoked != nil {
		c.revoked(m)
	}
}

// accept lets the handler of a subscription or registration take force, then
// answers its request.
func (c *Client) accept(request, id wamp.ID, m wamp.Message) {
	c.mu.Lock()
	if r := c.pending[request]; r != nil && r.accepted != nil && r.wants == m.Type() {
		r.accepted(id)
	}
	c.mu.Unlock()
	c.answer(request, answer{message: m})
}

// answer hands a to the request that waits, and reports whether one does.
func (c *Client) answer(id wamp.ID, a answer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.pending[id]
	if r == nil {
		return false
	}
	delete(c.pending, id)
	if a.err == nil && a.message.Type() != r.wants {
		a = answer{err: fmt.Errorf("the router answered with a message of type %d, not %d", a.message.Type(), r.wants)}
	}
	r.answer <- a
	return true
}
