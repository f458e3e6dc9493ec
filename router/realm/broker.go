package realm

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// subscribe answers SUBSCRIBE. Who sees SUBSCRIBED may count on it, so that it is
// sent last; publishers that find the subscriber before wait at its gate, so that no
// EVENT is ahead of it, nor of what was retained.
func (s *session) subscribe(b *transport.Batch, w *work, m *wamp.Subscribe) {
	r := s.realm
	d, e := s.consult(context.Background(), b, auth.Subscribe, m.Topic, m.Options.Match,
		auth.QuestionOptions{GetRetained: m.Options.GetRetained})
	if e != nil {
		s.fail(b, w, wamp.TypeSubscribe, m.Request, e)
		return
	}
	defer r.flushMeta(b)
	r.mu.Lock()
	unlock := sync.OnceFunc(r.mu.Unlock)
	defer unlock()
	sub, e := s.subscriptionTo(d, m)
	if e != nil {
		s.fail(b, w, wamp.TypeSubscribe, m.Request, e)
		return
	}
	s.gate.shut()
	defer s.gate.open()
	member := s.listen(sub, d.isGranted)
	s.send(b, &wamp.Subscribed{Request: m.Request, Subscription: sub.id})
	unlock() // others need not wait for what was retained
	if m.Options.GetRetained {
		s.sendRetained(b, sub, member, d.isGranted)
	}
}

// subscriptionTo returns the subscription that s asks for, which may be new, or why
// it cannot have it. The realm is locked.
func (s *session) subscriptionTo(d *decision, m *wamp.Subscribe) (*subscription, *ErrorReply) {
	if s.hasLeft() { // since d was decided: nothing ends what it subscribes to now
		return nil, sessionLeft()
	}
	if e := s.maySubscribe(d, m.Topic, m.Options.Match); e != nil {
		return nil, e
	}
	sub, exists := s.realm.subscriptions.Get(m.Options.Match, m.Topic)
	if exists && s.subscriptions[sub.id] != nil {
		return sub, nil
	}
	if limit := s.node.limits.Subscriptions; len(s.subscriptions) >= limit {
		return nil, newError(wamp.ErrUnavailable, "session has %d subscriptions, which is the limit", limit)
	}
	if !exists {
		sub = s.realm.newSubscription(m.Topic, m.Options.Match)
	}
	return sub, nil
}

// listen makes s a subscriber; nil: it is one already. Realm and gate are locked.
func (s *session) listen(sub *subscription, isGranted bool) *member {
	if s.subscriptions[sub.id] != nil {
		return nil
	}
	return s.realm.addSubscriber(sub, s, isGranted)
}

// gate holds publishers back for the moment in which a session becomes a
// subscriber. The zero value is open.
type gate struct {
	isShut atomic.Bool
	mu     sync.Mutex
}

func (g *gate) shut() {
	g.mu.Lock()
	g.isShut.Store(true)
}

func (g *gate) open() {
	g.isShut.Store(false)
	g.mu.Unlock()
}

// pass waits while the gate is shut. Locking is for those who meet it so.
func (g *gate) pass() {
	if g.isShut.Load() {
		g.wait()
	}
}

func (g *gate) wait() {
	g.mu.Lock()
	defer g.mu.Unlock()
}

// maySubscribe says why s may not subscribe to a topic, or nil. d is what was
// decided about it.
func (s *session) maySubscribe(d *decision, uri string, m wamp.Match) *ErrorReply {
	if e := s.mayHear(d, uri, m); e != nil {
		return e
	}
	if m == wamp.Wildcard && s.realm.subscriptions.Shapes(uri) >= s.node.limits.WildcardShapes {
		return s.tooManyShapes(uri)
	}
	return nil
}

// mayHear is the part of maySubscribe that was decided.
func (s *session) mayHear(d *decision, uri string, m wamp.Match) *ErrorReply {
	switch {
	case !d.isValid:
		return invalidURI("topic", uri, m)
	case !d.allows(auth.Subscribe):
		return s.notAuthorized("subscribe to topic", uri)
	}
	return nil
}

// unsubscribe answers UNSUBSCRIBE.
func (s *session) unsubscribe(b *transport.Batch, w *work, m *wamp.Unsubscribe) {
	r := s.realm
	r.mu.Lock()
	member, ok := s.subscriptions[m.Subscription]
	if ok {
		r.removeSubscriber(member, s)
	}
	r.mu.Unlock()
	if !ok {
		s.fail(b, w, wamp.TypeUnsubscribe, m.Request,
			newError(wamp.ErrNoSuchSubscription, "session has no subscription %d", m.Subscription))
		return
	}
	member.subscription.inFlight.wait()
	s.send(b, &wamp.Unsubscribed{Request: m.Request})
	r.flushMeta(b)
}

// publish handles a client's PUBLISH: only an acknowledged one is answered.
func (s *session) publish(b *transport.Batch, w *work, m *wamp.Publish) {
	d, e := s.mayPublish(b, m.Topic, &m.Options)
	defer s.publications.end(s.publications.begin())
	if e == nil {
		e = s.node.isClosing()
	}
	if e != nil {
		if m.Options.Acknowledge {
			s.fail(b, w, wamp.TypePublish, m.Request, e)
		}
		return
	}
	id := newPublication()
	p := s.compose(b, w, d, id, m)
	// Queued first, PUBLISHED is also written first, before the fan-out: a batch is
	// flushed in the order in which it was filled. Flushing it here would take from
	// several publications that were read together their common write.
	if m.Options.Acknowledge {
		w.published = wamp.Published{Request: m.Request, Publication: id}
		s.send(b, &w.published)
	}
	p.fanOut(s.realm)
}

// newPublication draws a publication's id. It is no secret, so that the fast
// source will do.
func newPublication() wamp.ID { return wamp.ID(rand.Uint64N(uint64(wamp.MaxID))) + 1 }

// mayPublish says why s may not publish to a topic, or what the rules say of it.
func (s *session) mayPublish(b *transport.Batch, topic string, o *wamp.PublishOptions) (*decision, *ErrorReply) {
	d, e := s.consult(context.Background(), b, auth.Publish, topic, wamp.Exact,
		auth.QuestionOptions{Retain: o.Retain, Acknowledge: o.Acknowledge, DiscloseMe: o.DiscloseMe == wamp.True})
	if e == nil {
		e = s.judge(d, s.rules.Load(), topic, o)
	}
	return d, e
}

// isClosing is the answer to a publication that comes too late, or nil. It is asked
// for after the begin of one of session.publications, for which Shutdown waits: an
// authorizer's answer is not among what that waits for.
func (n *Node) isClosing() *ErrorReply {
	if n.closing.Load() {
		return newError(wamp.ErrUnavailable, "router is stopping")
	}
	return nil
}

// judge says why s may not publish to a topic of which d was decided, under given
// rules of the session's role, or nil.
func (s *session) judge(d *decision, r *rules, topic string, o *wamp.PublishOptions) *ErrorReply {
	switch {
	case !d.isValid:
		return invalidURI("topic", topic, wamp.Exact)
	case d.isReserved:
		return reservedURI("publish", topic)
	case !d.allows(auth.Publish):
		return s.notAuthorized("publish to topic", topic)
	case o.DiscloseMe == wamp.True && r.role.DenyDiscloseMe:
		return newError(wamp.ErrOptionDisallowedDisclose, "role %q may not ask for disclose_me", s.authrole)
	}
	return nil
}
