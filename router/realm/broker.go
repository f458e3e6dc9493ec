package realm

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// subscribe answers SUBSCRIBE.
func (s *session) subscribe(b *transport.Batch, w *work, m *wamp.Subscribe) {
	r := s.realm
	defer r.flushMeta(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := s.maySubscribe(m.Topic, m.Options.Match); e != nil {
		s.fail(b, w, wamp.TypeSubscribe, m.Request, e)
		return
	}
	sub, exists := r.subscriptions.Get(m.Options.Match, m.Topic)
	if exists && s.subscriptions[sub.id] != nil {
		s.send(b, &wamp.Subscribed{Request: m.Request, Subscription: sub.id})
		return
	}
	if limit := s.node.limits.Subscriptions; len(s.subscriptions) >= limit {
		s.fail(b, w, wamp.TypeSubscribe, m.Request, newError(wamp.ErrUnavailable,
			"session has %d subscriptions, which is the limit", limit))
		return
	}
	if !exists {
		sub = s.newSubscription(m.Topic, m.Options)
	}
	// Who sees SUBSCRIBED may count on it, so that it is sent last; publishers that
	// find the subscriber before wait at its gate, so that no EVENT is ahead.
	s.gate.shut()
	defer s.gate.open()
	r.addSubscriber(sub, s)
	s.send(b, &wamp.Subscribed{Request: m.Request, Subscription: sub.id})
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
		g.mu.Lock()
		defer g.mu.Unlock()
	}
}

func (s *session) newSubscription(uri string, o wamp.SubscribeOptions) *subscription {
	return &subscription{id: s.node.nextSubscription(), uri: uri, match: o.Match, created: time.Now()}
}

// maySubscribe says why s may not subscribe to a topic, or nil.
func (s *session) maySubscribe(uri string, m wamp.Match) *ErrorReply {
	d := s.rules.Load().decidePattern(uri, m)
	switch {
	case !d.isValid:
		return invalidURI("topic", uri, m)
	case !d.allows(auth.Subscribe):
		return s.notAuthorized("subscribe to topic", uri)
	case m == wamp.Wildcard && s.realm.subscriptions.Shapes(uri) >= s.node.limits.WildcardShapes:
		return s.tooManyShapes(uri)
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
	defer s.publications.end(s.publications.begin())
	d, e := s.mayPublish(m.Topic)
	if e != nil {
		if m.Options.Acknowledge {
			s.fail(b, w, wamp.TypePublish, m.Request, e)
		}
		return
	}
	id := newPublication()
	// Queued first, PUBLISHED is also written first, before the fan-out: a batch is
	// flushed in the order in which it was filled. Flushing it here would take from
	// several publications that were read together their common write.
	if m.Options.Acknowledge {
		w.published = wamp.Published{Request: m.Request, Publication: id}
		s.send(b, &w.published)
	}
	s.fanOut(b, w, d, id, m)
}

// newPublication draws a publication's id. It is no secret, so that the fast
// source will do.
func newPublication() wamp.ID { return wamp.ID(rand.Uint64N(uint64(wamp.MaxID))) + 1 }

// mayPublish says why s may not publish to a topic, or what the rules say of it.
// It comes after the begin of one of s.publications.
func (s *session) mayPublish(topic string) (*decision, *ErrorReply) {
	d := s.rules.Load().decide(topic)
	switch {
	case !d.isValid:
		return nil, invalidURI("topic", topic, wamp.Exact)
	case d.isReserved:
		return nil, reservedURI("publish", topic)
	case !d.allows(auth.Publish):
		return nil, s.notAuthorized("publish to topic", topic)
	case s.node.closing.Load():
		return nil, newError(wamp.ErrUnavailable, "router is stopping")
	}
	return d, nil
}

// fanOut queues the event for all who listen to its topic.
func (s *session) fanOut(b *transport.Batch, w *work, d *decision, id wamp.ID, m *wamp.Publish) {
	p := &w.publication
	p.publisher, p.batch, p.topic = s, b, m.Topic
	p.excludeMe = m.Options.ExcludeMe.Or(true)
	p.event = wamp.Event{Publication: id, Payload: m.Payload}
	if d.disclosePublisher || m.Options.DiscloseMe == wamp.True {
		p.event.Details = wamp.EventDetails{Publisher: s.id, PublisherAuthid: s.authid, PublisherAuthrole: s.authrole}
	}
	s.realm.subscriptions.Each(m.Topic, w.deliver)
	p.reset()
}

// publication is one event on its way to its subscribers.
type publication struct {
	work      *work
	publisher *session
	batch     *transport.Batch
	topic     string
	excludeMe bool
	event     wamp.Event // without its subscription

	// The last role that was asked about, and its answer: subscribers of one role
	// stand together more often than not.
	rules   *rules
	allowed bool
}

func (p *publication) reset() { *p = publication{work: p.work} }

// deliver queues the event for the subscribers of one subscription.
func (p *publication) deliver(sub *subscription) bool {
	counter := sub.inFlight.begin()
	defer sub.inFlight.end(counter)
	list := *sub.list.Load()
	event := &p.work.event
	*event = p.event
	event.Subscription = sub.id
	if sub.match != wamp.Exact {
		event.Details.Topic = p.topic
	}
	var shared *transport.Shared
	if len(list) > 1 {
		shared = transport.NewShared(event)
	}
	for i := range list {
		s := list[i].session.Load()
		switch {
		case s == nil, s == p.publisher && p.excludeMe, !p.mayReceive(s):
		case s.local != nil:
			s.local.deliver(sub, p.topic, event)
		default:
			p.send(s, event, shared)
		}
	}
	return true
}

// mayReceive judges each delivery by the concrete topic: a pattern was allowed
// as a whole, and the role's rules may be newer than the subscription.
func (p *publication) mayReceive(s *session) bool {
	if r := s.rules.Load(); r != p.rules {
		p.rules, p.allowed = r, r.decide(p.topic).allows(auth.Subscribe)
	}
	return p.allowed
}

func (p *publication) send(s *session, event *wamp.Event, shared *transport.Shared) {
	s.gate.pass()
	var err error
	if shared == nil {
		err = s.conn.Send(p.batch, event)
	} else {
		err = s.conn.SendShared(p.batch, shared)
	}
	switch {
	case err == nil:
	case errors.Is(err, transport.ErrQueueFull):
		s.node.dropped.Add(1)
		s.closeSlow(wamp.TypeEvent)
	case cannotEncode(err):
		s.node.dropped.Add(1)
		s.node.log.Debug("event cannot be encoded for a subscriber",
			s.logFields(slog.String("topic", p.topic), slog.String("error", err.Error()))...)
	}
}
