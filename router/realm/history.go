package realm

import (
	"cmp"
	"sync"
	"time"
)

// archive is all event history of a realm (specification: "Event History"). The
// policy says of which subscriptions events are kept; these stay without a
// subscriber, so that what is published then is kept as well, under an id that
// does not change.
//
// It is bounded in bytes: when it is full, the oldest event goes, of whichever
// subscription. An event counts once for each subscription that keeps it.
type archive struct {
	mu             sync.Mutex // of the histories too; held for one event only
	bytes          int
	maxBytes       int
	oldest, newest *page
}

// page is one event of one history.
type page struct {
	*keptEvent
	history      *history
	older, newer *page // of the realm
}

// history is what is kept for one subscription.
type history struct {
	archive   *archive
	maxEvents int
	maxAge    time.Duration // 0: any
	pages     []*page       // from first on, the oldest first
	first     int
	isClosed  bool
}

const (
	defaultHistoryBytes  = 64 << 20
	defaultHistoryEvents = 1000
)

// configure sets the bound on bytes.
func (a *archive) configure(s *Settings) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.maxBytes = cmp.Or(s.HistoryBytes, defaultHistoryBytes)
	a.evict()
}

// configure sets the bounds of one history. What is beyond them goes.
func (h *history) configure(rule *HistoryRule) {
	a := h.archive
	a.mu.Lock()
	defer a.mu.Unlock()
	h.maxEvents = cmp.Or(rule.Events, defaultHistoryEvents)
	h.maxAge = rule.Age
	h.trim(time.Now())
}

// close forgets all events, and takes no new ones.
func (h *history) close() {
	a := h.archive
	a.mu.Lock()
	defer a.mu.Unlock()
	h.isClosed = true
	for h.len() > 0 {
		a.remove(h.pages[h.first])
	}
}

func (h *history) add(k *keptEvent) {
	a := h.archive
	a.mu.Lock()
	defer a.mu.Unlock()
	if h.isClosed || k.size > a.maxBytes {
		return
	}
	e := &page{keptEvent: k, history: h, older: a.newest}
	if a.newest != nil {
		a.newest.newer = e
	} else {
		a.oldest = e
	}
	a.newest = e
	a.bytes += k.size
	h.pages = append(h.pages, e)
	h.trim(k.time)
	a.evict()
}

func (h *history) len() int { return len(h.pages) - h.first }

// trim takes out what is too much or too old. The archive is locked.
func (h *history) trim(now time.Time) {
	for h.len() > 0 {
		e := h.pages[h.first]
		if h.len() <= h.maxEvents && (h.maxAge == 0 || now.Sub(e.time) <= h.maxAge) {
			return
		}
		h.archive.remove(e)
	}
}

// evict makes the archive fit its bound.
func (a *archive) evict() {
	for a.bytes > a.maxBytes {
		a.remove(a.oldest)
	}
}

// remove takes out the oldest event of a history.
func (a *archive) remove(e *page) {
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		a.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		a.newest = e.older
	}
	a.bytes -= e.size
	h := e.history
	h.pages[h.first] = nil
	h.first++
	if h.first > len(h.pages)/2 {
		n := copy(h.pages, h.pages[h.first:])
		clear(h.pages[n:])
		h.pages, h.first = h.pages[:n], 0
	}
}

// events returns what is kept, the oldest first.
func (h *history) events() []*keptEvent {
	a := h.archive
	a.mu.Lock()
	defer a.mu.Unlock()
	h.trim(time.Now())
	events := make([]*keptEvent, h.len())
	for i, e := range h.pages[h.first:] {
		events[i] = e.keptEvent
	}
	return events
}

// configure puts the realm's settings in force, those of the newest policy.
// Histories of rules that stay keep what they have.
func (r *realm) configure() {
	r.mu.Lock()
	defer r.mu.Unlock()
	policy := r.node.snapshot.Load().policy.Realms[r.name]
	if policy == nil {
		return // the realm has gone
	}
	settings := &policy.Settings
	r.archive.configure(settings)
	r.retained.configure(settings)
	recorded := make(map[*subscription]bool, len(settings.History))
	for i := range settings.History {
		rule := &settings.History[i]
		sub, exists := r.subscriptions.Get(rule.Match, rule.URI)
		if !exists {
			sub = r.newSubscription(rule.URI, rule.Match)
			r.addSubscription(sub)
		}
		h := sub.history.Load()
		if h == nil {
			h = &history{archive: &r.archive}
		}
		h.configure(rule)
		sub.history.Store(h)
		r.histories.Put(rule.Match, rule.URI, h)
		recorded[sub] = true
	}
	for sub := range r.recorded {
		if recorded[sub] {
			continue
		}
		h := sub.history.Swap(nil)
		r.histories.Delete(sub.match, sub.uri)
		h.close()
		if sub.live == 0 {
			r.removeSubscription(sub)
		}
	}
	r.recorded = recorded
}
