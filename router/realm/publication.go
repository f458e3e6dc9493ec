package realm

import (
	"errors"
	"log/slog"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// compose makes ready what s publishes. It is kept at once where it is to be kept:
// who learns that it was published finds it there.
func (s *session) compose(b *transport.Batch, w *work, d *decision, id wamp.ID, m *wamp.Publish) *publication {
	p, o := &w.publication, &m.Options
	p.publisher, p.batch, p.topic = s, b, m.Topic
	p.excludeMe = o.ExcludeMe.Or(true)
	p.trustlevel = d.trustlevel
	p.event = wamp.Event{Publication: id, Payload: m.Payload}
	if d.disclosePublisher || o.DiscloseMe == wamp.True {
		p.event.Details = wamp.EventDetails{Publisher: s.id, PublisherAuthid: s.authid, PublisherAuthrole: s.authrole}
	}
	p.event.Details.Passthru = o.Passthru
	if o.Audience != nil {
		p.audience = newAudience(o.Audience)
	}
	if o.Retain {
		p.sequence = s.realm.retained.keep(p.kept())
	}
	p.record(s.realm)
	return p
}

// fanOut queues the event for all who listen to its topic. It ends p.
func (p *publication) fanOut(r *realm) {
	r.subscriptions.Each(p.topic, p.work.deliver)
	p.reset()
}

// record adds the event to the histories that it belongs to.
func (p *publication) record(r *realm) {
	if r.histories.Len() > 0 && !p.isForSessions() {
		r.histories.Each(p.topic, p.work.record)
	}
}

// publication is one event on its way to its subscribers.
type publication struct {
	work       *work
	publisher  *session // nil: the router
	batch      *transport.Batch
	topic      string
	excludeMe  bool
	audience   *audience // nil: everybody
	trustlevel wamp.Trustlevel
	event      wamp.Event // without its subscription and trust level

	sequence uint64     // of a retained event; see member.since
	keeps    *keptEvent // made when first asked for

	// The last role that was asked about, and its answer: subscribers of one role
	// stand together more often than not.
	rules   *rules
	allowed bool
	open    bool // no rule says anything: whom the authorizer let subscribe may have it
}

func (p *publication) reset() { *p = publication{work: p.work} }

// form is an event as some of the subscribers get it, encoded at most once per
// format.
type form struct {
	event  *wamp.Event
	shared *transport.Shared // nil: not for many, or not yet
}

// deliver queues the event for the subscribers of one subscription.
func (p *publication) deliver(sub *subscription) bool {
	counter := sub.inFlight.begin()
	defer sub.inFlight.end(counter)
	list := *sub.list.Load()
	plain := form{event: &p.work.event}
	*plain.event = p.event
	plain.event.Subscription = sub.id
	if sub.match != wamp.Exact {
		plain.event.Details.Topic = p.topic
	}
	trusted := form{event: &p.work.trusted}
	if p.trustlevel.Given {
		*trusted.event = *plain.event
		trusted.event.Details.Trustlevel = p.trustlevel
	}
	for i := range list {
		s := list[i].session.Load()
		if s == nil || s == p.publisher && p.excludeMe || !p.mayReceive(s, list[i].member) {
			continue
		}
		s.gate.pass()
		if p.sequence != 0 && list[i].member.since.Load() >= p.sequence {
			continue // it came with what was retained
		}
		f := &plain
		if p.trustlevel.Given && s.roles.Subscriber.Has(wamp.FeaturePublicationTrustlevels) {
			f = &trusted
		}
		switch {
		case s.local != nil:
			s.local.deliver(sub, p.topic, f.event)
		case len(list) > 1:
			if f.shared == nil {
				f.shared = transport.NewShared(f.event)
			}
			s.lose(p.topic, s.conn.SendShared(p.batch, f.shared))
		default:
			s.lose(p.topic, s.conn.Send(p.batch, f.event))
		}
	}
	return true
}

// isForSessions reports whether receivers are named by session: their ids mean
// nothing to who asks for the event later.
func (p *publication) isForSessions() bool {
	return p.audience != nil && (p.audience.lists.Exclude != nil || p.audience.lists.Eligible != nil)
}

// addTo adds the event to one history.
func (p *publication) addTo(h *history) bool {
	h.add(p.kept())
	return true
}

// mayReceive judges each delivery by the concrete topic, as a pattern was allowed
// as a whole, and the role's rules may be newer than the subscription; and by the
// publisher's lists.
func (p *publication) mayReceive(s *session, m *member) bool {
	if r := s.rules.Load(); r != p.rules {
		p.learn(r)
	}
	return (p.allowed || p.open && m.isGranted) && (p.audience == nil || p.audience.admits(s))
}

// learn finds out what a role may receive.
func (p *publication) learn(r *rules) {
	d := r.decide(p.topic)
	p.rules, p.allowed, p.open = r, d.allows(auth.Subscribe), r.leavesOpen(d)
}

// lose deals with an event that could not be queued for s, if err says so.
func (s *session) lose(topic string, err error) {
	switch {
	case err == nil:
	case errors.Is(err, transport.ErrQueueFull):
		s.node.dropped.Add(1)
		s.closeSlow(wamp.TypeEvent)
	case cannotEncode(err):
		s.node.dropped.Add(1)
		s.node.log.Debug("event cannot be encoded for a subscriber",
			s.logFields(slog.String("topic", topic), slog.String("error", err.Error()))...)
	}
}

// keptEvent is an event that is kept beyond its publication. It is immutable.
type keptEvent struct {
	topic      string
	time       time.Time
	publisher  wamp.ID // that must not receive it; 0: anybody may
	audience   *wamp.Audience
	trustlevel wamp.Trustlevel
	event      wamp.Event // without subscription, topic and trust level
	size       int        // about what it takes in memory
}

// keptOverhead is about what a kept event takes beyond its texts, lists and payload.
const keptOverhead = 512

// kept returns the publication in a form that outlives it.
func (p *publication) kept() *keptEvent {
	if p.keeps != nil {
		return p.keeps
	}
	k := &keptEvent{topic: p.topic, time: time.Now(), trustlevel: p.trustlevel, event: p.event}
	k.event.Payload = p.event.Payload.Clone()
	k.event.Details.Passthru = p.event.Details.Passthru.Clone()
	if p.audience != nil {
		k.audience = cloneAudience(p.audience.lists)
	}
	if p.excludeMe && p.publisher != nil {
		k.publisher = p.publisher.id
	}
	k.size = keptOverhead + k.textSize() + k.event.Payload.Size() + audienceSize(k.audience)
	p.keeps = k
	return k
}

// textSize is the size of what the publisher says beside the payload.
func (k *keptEvent) textSize() int { return len(k.topic) + passthruSize(k.event.Details.Passthru) }

// wireSize is about the size of its EVENT, without the payload.
func (k *keptEvent) wireSize() int { return 256 + k.textSize() }

// forSubscriber returns the event as s gets it through a subscription.
func (k *keptEvent) forSubscriber(sub *subscription, s *session) wamp.Event {
	e := k.event
	e.Subscription = sub.id
	if sub.match != wamp.Exact {
		e.Details.Topic = k.topic
	}
	if s.roles.Subscriber.Has(wamp.FeaturePublicationTrustlevels) {
		e.Details.Trustlevel = k.trustlevel
	}
	return e
}

// admits reports whether the lists that came with the event have s among them.
func (k *keptEvent) admits(s *session) bool {
	return k.audience == nil || admits(k.audience, s)
}
