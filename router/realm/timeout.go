package realm

import (
	"container/heap"
	"fmt"
	"math"
	"sync"
	"time"

	"usher/router/transport"
	"usher/router/wamp"
)

// timers end calls that take too long. They belong to the Node: one heap of all
// calls that have a time, and one timer of the runtime that is set for the
// earliest. There is no goroutine but while that timer rings, and when nothing
// waits any more it is not set again. A call without a time does not get here.
type timers struct {
	mu    sync.Mutex
	heap  deadlines
	start time.Time
	alarm *time.Timer
	next  time.Duration // when alarm rings; 0: never
	pool  sync.Pool     // of *deadline
}

// deadline is when a call has to have a result. The lock of the timers guards it.
type deadline struct {
	at         time.Duration // since timers.start
	after      time.Duration // what the call asked for
	place      int           // in the heap; -1: it has rung, or it was stopped
	callee     *session
	invocation wamp.ID
}

// maxTimeout is the longest time that counts.
const maxTimeout = 100 * 365 * 24 * time.Hour

// timeout is how long a call may take that asked for so many milliseconds.
func (s *Settings) timeout(asked uint64) time.Duration {
	after := s.CallTimeout
	if asked > 0 {
		after = time.Duration(min(asked, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond
	}
	if s.MaxCallTimeout > 0 {
		after = min(after, s.MaxCallTimeout)
	}
	return min(after, maxTimeout)
}

// set starts the time of a call that its callee has.
func (t *timers) set(callee *session, invocation wamp.ID, after time.Duration) *deadline {
	d, ok := t.pool.Get().(*deadline)
	if !ok {
		d = new(deadline)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.start.IsZero() {
		t.start = time.Now()
	}
	*d = deadline{at: time.Since(t.start) + after, after: after, callee: callee, invocation: invocation}
	t.push(d)
	return d
}

// extend starts the time again.
func (t *timers) extend(d *deadline) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.at = time.Since(t.start) + d.after
	if d.place >= 0 {
		heap.Fix(&t.heap, d.place)
		return
	}
	t.push(d)
}

// move notes that another callee has the call now, whose time goes on.
func (t *timers) move(d *deadline, callee *session, invocation wamp.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.callee, d.invocation = callee, invocation
	if d.place < 0 {
		t.push(d)
	}
}

// stop ends the time of a call. d is the timers' again.
func (t *timers) stop(d *deadline) {
	t.mu.Lock()
	if d.place >= 0 {
		heap.Remove(&t.heap, d.place)
	}
	d.callee = nil
	t.mu.Unlock()
	t.pool.Put(d)
}

// isSet reports whether the time of a call still runs.
func (t *timers) isSet(d *deadline) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return d.place >= 0
}

func (t *timers) push(d *deadline) {
	heap.Push(&t.heap, d)
	t.arm()
}

// arm sets the alarm where it would ring too late. An alarm that rings for
// nothing costs less than to set it anew with each answer.
func (t *timers) arm() {
	if len(t.heap) == 0 {
		if cap(t.heap) > maxKeptDeadlines {
			t.heap = nil
		}
		return
	}
	if t.next != 0 && t.next <= t.heap[0].at {
		return
	}
	t.next = max(t.heap[0].at, 1)
	wait := t.next - time.Since(t.start)
	if t.alarm == nil {
		t.alarm = time.AfterFunc(wait, t.ring)
		return
	}
	t.alarm.Reset(wait)
}

// maxKeptDeadlines is how much room is kept where nothing waits.
const maxKeptDeadlines = 1024

// maxRing is how many calls end under one hold of the lock.
const maxRing = 256

// ring ends the calls whose time is over.
func (t *timers) ring() {
	var over [maxRing]struct {
		callee     *session
		invocation wamp.ID
		deadline   *deadline
	}
	for n := maxRing; n == maxRing; {
		n = 0
		t.mu.Lock()
		now := time.Since(t.start)
		for ; n < maxRing && len(t.heap) > 0 && t.heap[0].at <= now; n++ {
			d := heap.Pop(&t.heap).(*deadline)
			over[n].callee, over[n].invocation, over[n].deadline = d.callee, d.invocation, d
		}
		if n < maxRing {
			t.next = 0
			t.arm()
		}
		t.mu.Unlock()
		if n == 0 {
			return
		}
		node := over[0].callee.node
		w := node.works.get()
		for _, o := range over[:n] {
			o.callee.expire(&w.batch, w, o.invocation, o.deadline)
		}
		w.batch.Flush()
		node.works.put(w)
	}
}

// expire ends an invocation whose time is over, unless it got another result in
// this very moment.
func (s *session) expire(b *transport.Batch, w *work, id wamp.ID, d *deadline) {
	i := &s.invocations
	i.mu.Lock()
	p, ok := i.pending[id]
	if !ok || p.timer != d || s.node.timers.isSet(d) {
		i.mu.Unlock()
		return
	}
	i.remove(id)
	i.mu.Unlock()
	after := d.after // which is p's own until it is finished
	p.fail(b, w, newError(wamp.ErrTimeout, "%s", timeoutText(&p, after)))
	if !p.isKilled {
		s.sendInterrupt(b, w, id, wamp.CancelKillNoWait, wamp.ErrTimeout)
	}
}

func timeoutText(p *pending, after time.Duration) string {
	if p.hasProgressed {
		return fmt.Sprintf("no further result came within %s", after)
	}
	return fmt.Sprintf("no result came within %s", after)
}

// deadlines is a heap.Interface, the earliest first.
type deadlines []*deadline

func (h deadlines) Len() int           { return len(h) }
func (h deadlines) Less(i, j int) bool { return h[i].at < h[j].at }

func (h deadlines) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *deadlines) Push(x any) {
	d := x.(*deadline)
	d.place = len(*h)
	*h = append(*h, d)
}

// Pop implements heap.Interface.
func (h *deadlines) Pop() any {
	old := *h
	n := len(old) - 1
	d := old[n]
	old[n] = nil
	*h = old[:n]
	d.place = -1
	return d
}
