package realm

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// retention is what a realm keeps of events that were published to be retained
// (specification: "Event Retention"): of each topic the last one that everybody
// may receive, and those after it that are for some only.
//
// It is bounded in events and in bytes; when it is full, the topic goes whose
// last event is the oldest.
type retention struct {
	mu        sync.Mutex
	topics    map[string]*retainedTopic
	last      uint64 // sequence of the newest event
	events    int
	bytes     int
	maxEvents int
	maxBytes  int
	oldest    *retainedTopic // by its last event
	newest    *retainedTopic
}

// retainedTopic is what is kept of one topic.
type retainedTopic struct {
	topic        string
	events       []retainedEvent // the newest first; replaced, never changed
	bytes        int
	older, newer *retainedTopic
}

type retainedEvent struct {
	*keptEvent
	sequence uint64
}

const (
	defaultRetainedEvents = 10_000
	defaultRetainedBytes  = 64 << 20
	// maxForSome bounds those events of a topic that are for some only: the oldest go
	// first.
	maxForSome = 14
	// maxRetainedSent bounds what one SUBSCRIBE brings, in bytes, so that it does not
	// fill the queue of a client that is all ears. The newest events come.
	maxRetainedSent = 2 << 20
)

// configure sets the bounds.
func (r *retention) configure(s *Settings) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.maxEvents = cmp.Or(s.RetainedEvents, defaultRetainedEvents)
	r.maxBytes = cmp.Or(s.RetainedBytes, defaultRetainedBytes)
	r.evict()
}

// keep retains an event and returns its place in the order of all of them.
func (r *retention) keep(k *keptEvent) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	t := r.topics[k.topic]
	if t == nil {
		t = &retainedTopic{topic: k.topic}
		if r.topics == nil {
			r.topics = make(map[string]*retainedTopic)
		}
		r.topics[k.topic] = t
	} else {
		r.takeOut(t)
	}
	if k.size > r.maxBytes {
		// What it would replace is out of date all the same.
		delete(r.topics, k.topic)
		return r.last
	}
	t.events = stillReceived(append([]retainedEvent{{k, r.last}}, t.events...))
	t.bytes = 0
	for i, e := range t.events {
		if t.bytes+e.size > r.maxBytes {
			t.events = t.events[:i]
			break
		}
		t.bytes += e.size
	}
	t.older = r.newest
	if r.newest != nil {
		r.newest.newer = t
	} else {
		r.oldest = t
	}
	r.newest = t
	r.events += len(t.events)
	r.bytes += t.bytes
	r.evict()
	return r.last
}

// takeOut takes a topic out of the order and the count.
func (r *retention) takeOut(t *retainedTopic) {
	if t.older != nil {
		t.older.newer = t.newer
	} else {
		r.oldest = t.newer
	}
	if t.newer != nil {
		t.newer.older = t.older
	} else {
		r.newest = t.older
	}
	t.older, t.newer = nil, nil
	r.events -= len(t.events)
	r.bytes -= t.bytes
}

// evict makes what is kept fit its bounds.
func (r *retention) evict() {
	for r.oldest != nil && (r.events > r.maxEvents || r.bytes > r.maxBytes) {
		t := r.oldest
		r.takeOut(t)
		delete(r.topics, t.topic)
	}
}

// stillReceived leaves out those events that nobody can be sent any more, as there
// is a newer one for all who may receive them.
func stillReceived(events []retainedEvent) []retainedEvent {
	kept := events[:0:0]
	unserved, isSomebodyLeft := wamp.ID(0), true // whom no event so far is for; 0: anybody
	for _, e := range events {
		switch {
		case !isSomebodyLeft:
			return kept
		case unserved != 0 && unserved == e.publisher:
			continue
		case e.audience != nil:
			isNew := !slices.ContainsFunc(kept, func(k retainedEvent) bool {
				return k.publisher == e.publisher && sameAudience(k.audience, e.audience)
			})
			if isNew && len(kept) < maxForSome {
				kept = append(kept, e)
			}
			continue
		}
		kept = append(kept, e)
		// For everybody, perhaps but its publisher.
		isSomebodyLeft = unserved == 0 && e.publisher != 0
		unserved = e.publisher
	}
	return kept
}

// find returns what is kept of the topics that a subscription matches, the newest
// event first within each topic, and the sequence of the newest event.
func (r *retention) find(sub *subscription) (topics [][]retainedEvent, last uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sub.match == wamp.Exact {
		if t := r.topics[sub.uri]; t != nil {
			topics = append(topics, t.events)
		}
		return topics, r.last
	}
	for topic, t := range r.topics {
		if sub.match == wamp.Prefix && strings.HasPrefix(topic, sub.uri) || sub.match == wamp.Wildcard && covers(sub.uri, topic) {
			topics = append(topics, t.events)
		}
	}
	return topics, r.last
}

// sendRetained sends a subscriber the newest retained event of each topic that it
// would have received, in the order of their publication. Its gate is shut, so
// that no newer event is ahead of them.
func (s *session) sendRetained(b *transport.Batch, sub *subscription, m *member, isGranted bool) {
	topics, last := s.realm.retained.find(sub)
	if m != nil {
		m.since.Store(last)
	}
	var events []retainedEvent
	rules := s.rules.Load()
	for _, t := range topics {
		if !rules.permits(auth.Subscribe, t[0].topic, isGranted) {
			continue
		}
		for _, e := range t {
			if e.publisher != s.id && e.admits(s) {
				events = append(events, e)
				break
			}
		}
	}
	slices.SortFunc(events, func(a, b retainedEvent) int { return cmp.Compare(b.sequence, a.sequence) })
	size, n := 0, 0
	for ; n < len(events); n++ {
		if size += events[n].wireSize() + events[n].event.Payload.Size(); n > 0 && size > maxRetainedSent {
			break
		}
	}
	for i := n - 1; i >= 0; i-- {
		event := events[i].forSubscriber(sub, s)
		event.Details.Retained = true
		if s.local != nil {
			s.local.deliver(sub, events[i].topic, &event)
		} else {
			s.lose(events[i].topic, s.conn.Send(b, &event))
		}
	}
}
