package realm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/router/wamp"
)

// TestHistoryModel: through any sequence of publications, reads and changes of the
// rules, each history is what a plain list of all publications says.
func TestHistoryModel(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	w := newWorld(t, settled(Settings{}), Limits{})
	s, _ := w.member(wamp.JSON, "anyone")
	r := s.realm
	type entry struct {
		k       *keptEvent
		keepers map[place]bool // that still have it
	}
	var log []*entry
	rules := map[place]*HistoryRule{}
	var settings Settings
	bytes := func() (n int) {
		for _, e := range log {
			n += len(e.keepers) * e.k.size
		}
		return n
	}
	// forget drops the oldest entries of one rule beyond n.
	forget := func(at place, n int) {
		for i := len(log) - 1; i >= 0; i-- {
			if e := log[i]; e.keepers[at] {
				if n--; n < 0 {
					delete(e.keepers, at)
				}
			}
		}
	}
	evict := func() {
		limit := settings.HistoryBytes
		for i := 0; i < len(log) && bytes() > limit; i++ {
			// Within one publication histories are filled in the order of the subscriptions.
			for _, at := range []place{{"com.a", wamp.Exact}, {"com.b", wamp.Exact}, {"com.", wamp.Prefix}, {".a", wamp.Wildcard}} {
				if log[i].keepers[at] && bytes() > limit {
					delete(log[i].keepers, at)
				}
			}
		}
	}
	matches := func(at place, topic string) bool {
		switch at.match {
		case wamp.Prefix:
			return topic[:4] == at.uri
		case wamp.Wildcard:
			return covers(at.uri, topic)
		}
		return topic == at.uri
	}
	for round := range 1500 {
		switch n := random.IntN(100); {
		case n == 0: // other rules
			old := rules
			rules, settings = map[place]*HistoryRule{}, Settings{HistoryBytes: 2000 + random.IntN(40_000)}
			for _, at := range []place{{"com.a", wamp.Exact}, {"com.b", wamp.Exact}, {"com.", wamp.Prefix}, {".a", wamp.Wildcard}} {
				if random.IntN(4) > 0 {
					settings.History = append(settings.History, HistoryRule{URI: at.uri, Match: at.match, Events: 1 + random.IntN(20)})
				}
			}
			for i := range settings.History {
				rule := &settings.History[i]
				rules[place{rule.URI, rule.Match}] = rule
			}
			w.Apply(settled(settings))
			evict()
			for at := range old {
				if rules[at] == nil {
					forget(at, 0)
				}
			}
			for at, rule := range rules {
				forget(at, rule.Events)
			}
		case n < 70 && settings.HistoryBytes > 0:
			topic := []string{"com.a", "com.b", "com.c"}[random.IntN(3)]
			e := &entry{k: &keptEvent{topic: topic, time: time.Now(), size: keptOverhead + random.IntN(600),
				event: wamp.Event{Publication: wamp.ID(round + 1)}}, keepers: map[place]bool{}}
			log = append(log, e)
			r.subscriptions.Each(topic, func(sub *subscription) bool {
				at := place{sub.uri, sub.match}
				if rules[at] == nil || !matches(at, topic) {
					t.Fatalf("%q keeps %q", at.uri, topic)
				}
				sub.history.Load().add(e.k)
				e.keepers[at] = true
				forget(at, rules[at].Events)
				evict()
				return true
			})
		default:
			for at := range rules {
				sub, ok := r.subscriptions.Get(at.match, at.uri)
				if !ok {
					t.Fatalf("there is no %q", at.uri)
				}
				var want, got []wamp.ID
				for _, e := range log {
					if e.keepers[at] {
						want = append(want, e.k.event.Publication)
					}
				}
				for _, k := range sub.history.Load().events() {
					got = append(got, k.event.Publication)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("round %d: %q has %v, want %v", round, at.uri, got, want)
				}
			}
			if n := bytes(); n != r.archive.bytes {
				t.Fatalf("round %d: %d bytes, want %d", round, r.archive.bytes, n)
			}
		}
	}
}

// TestHistoryUnderLoad: while some publish, others read and the policy is applied
// again and again, a history holds each publisher's events in order and without a
// gap, and at the end all of them.
func TestHistoryUnderLoad(t *testing.T) {
	const publishers = 3
	messages := 400
	if testing.Short() {
		messages = 100
	}
	settings := Settings{History: []HistoryRule{
		{URI: "com.example.", Match: wamp.Prefix, Events: publishers * messages},
		{URI: "com.example.one", Events: 50},
	}}
	w := newWorld(t, settled(settings), Limits{})
	var publishing, reading sync.WaitGroup
	var stop atomic.Bool
	check := func(events []storedEvent) map[int64]int64 {
		last := map[int64]int64{}
		for _, e := range events {
			p, _ := e.Args[0].(int64)
			n, _ := e.Args[1].(int64)
			if before, ok := last[p]; ok && n != before+1 {
				t.Errorf("event %d of publisher %d is behind event %d", n, p, before)
			}
			last[p] = n
		}
		return last
	}
	reader := w.join(wamp.JSON, "anyone")
	sub := reader.lookup("com.example.", "prefix")
	for i := range publishers {
		c := w.join(formats[i], "anyone")
		publishing.Go(func() {
			for n := range messages {
				c.publish([]string{"com.example.one", "com.example.two"}[n%2], `{}`, fmt.Sprintf(`,[%d,%d]`, i, n))
			}
		})
	}
	reading.Go(func() {
		for !stop.Load() {
			w.Apply(settled(settings))
		}
	})
	done := make(chan struct{})
	go func() { publishing.Wait(); close(done) }()
	for isDone := false; !isDone; {
		events, _ := reader.events(sub, `{}`)
		check(events)
		select {
		case <-done:
			isDone = true
		default:
		}
	}
	stop.Store(true)
	reading.Wait()
	events, isMore := reader.events(sub, `{}`)
	last := check(events)
	if len(events) != publishers*messages || isMore {
		t.Errorf("%d events, want %d (more: %t)", len(events), publishers*messages, isMore)
	}
	for p, n := range last {
		if n != int64(messages-1) {
			t.Errorf("the last event of publisher %d is %d", p, n)
		}
	}
	if events, _ := reader.events(reader.lookup("com.example.one", "exact"), `{}`); len(events) != 50 {
		t.Errorf("%d events of one topic, want 50", len(events))
	}
}

// TestHistoryLetsGo: nothing of an event that has gone stays in memory, nor of one
// that is on its way to a history which its rule has left.
func TestHistoryLetsGo(t *testing.T) {
	a := &archive{maxBytes: 1 << 20}
	h := &history{archive: a, maxEvents: 3}
	held := func() (n int) {
		for _, p := range h.pages[:cap(h.pages)] {
			if p != nil {
				n++
			}
		}
		return n
	}
	for range 20 {
		h.add(&keptEvent{size: 100})
		if n := held(); n > 3 {
			t.Fatalf("%d events are held, want 3 at most", n)
		}
	}
	h.close()
	h.add(&keptEvent{size: 100})
	if n := held(); n != 0 || a.bytes != 0 || a.oldest != nil || a.newest != nil {
		t.Errorf("%d events of %d bytes are left", n, a.bytes)
	}
}
