package scripting

import (
	"sync"
	"time"

	"usher/router/realm"
	"usher/router/wamp"
)

// workOverhead is what an item in a queue is counted as besides its payload.
const workOverhead = 256

// work is one call or event that a component was handed.
type work struct {
	invocation *realm.LocalInvocation // or
	event      *realm.LocalEvent      // or
	timer      *timer
	stream     *stream      // of an invocation that comes in parts; nil: it is whole
	payload    wamp.Payload // owned
	arrived    time.Time
	depth      int // of router.call; see Limits.Depth
}

func (w *work) size() int { return w.payload.Size() + workOverhead }

// queue holds work in order, within a bound in bytes. Whoever push tells to do so
// starts the one goroutine that takes the work out. Its methods may be called
// concurrently.
type queue struct {
	limit int

	mu      sync.Mutex
	items   []*work
	bytes   int
	serving bool // somebody takes items out
}

// push adds w. ok is false where it does not fit; serve tells the caller to start
// the goroutine.
func (q *queue) push(w *work) (ok, serve bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+w.size() > q.limit {
		return false, false
	}
	q.items = append(q.items, w)
	q.bytes += w.size()
	serve = !q.serving
	q.serving = true
	return true, serve
}

// pop takes the first item out, or returns nil, after which nobody serves.
func (q *queue) pop() *work {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		q.serving = false
		q.items = nil
		return nil
	}
	w := q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	q.bytes -= w.size()
	return w
}

// done ends serving if nothing is left, and reports whether it did.
func (q *queue) done() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) > 0 {
		return false
	}
	q.serving = false
	return true
}
