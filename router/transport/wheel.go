package transport

import (
	"fmt"
	"sync"
	"time"
)

// wheel judges the liveness of all connections with one timer: each is in the
// slot of the tick at which it is looked at next. The timer runs only while there
// are connections.
type wheel struct {
	interval, timeout time.Duration
	tick              time.Duration
	epoch             time.Time

	mu    sync.Mutex
	slots [wheelSlots]map[*stream]struct{}
	at    int
	count int
	timer *time.Timer
}

// wheelSlots is how many ticks interval and timeout together take, or somewhat less.
const wheelSlots = 32

// wheelLink is a connection's place in the wheel; guarded by the wheel.
type wheelLink struct {
	slot   int
	pinged int64 // when the peer was asked for a sign of life; 0: it was not
	inside bool
}

func (w *wheel) init(interval, timeout time.Duration) {
	w.interval, w.timeout, w.epoch = interval, timeout, time.Now()
	w.tick = max((interval+timeout)/(wheelSlots-2), time.Millisecond)
}

// now is the wheel's clock, in nanoseconds.
func (w *wheel) now() int64 { return int64(time.Since(w.epoch)) }

// add begins to judge c.
func (w *wheel) add(c *stream) {
	if w.interval < 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	c.inside = true
	w.count++
	w.put(c, w.interval)
	if w.count == 1 {
		w.timer = time.AfterFunc(w.tick, w.turn)
	}
}

// put places c to be looked at after d. The mutex is held.
func (w *wheel) put(c *stream, d time.Duration) {
	ticks := min(max(int((d+w.tick-1)/w.tick), 1), wheelSlots-1)
	c.slot = (w.at + ticks) % wheelSlots
	if w.slots[c.slot] == nil {
		w.slots[c.slot] = make(map[*stream]struct{})
	}
	w.slots[c.slot][c] = struct{}{}
}

// remove ends the judging of c.
func (w *wheel) remove(c *stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.inside {
		return
	}
	c.inside = false
	delete(w.slots[c.slot], c)
	w.count--
	if w.count == 0 {
		w.timer.Stop()
		clear(w.slots[:])
	}
}

// turn is one tick: it looks at the connections that are due.
func (w *wheel) turn() {
	var silent, dead []*stream
	w.mu.Lock()
	if w.count == 0 {
		w.mu.Unlock()
		return
	}
	w.at = (w.at + 1) % wheelSlots
	due := w.slots[w.at]
	w.slots[w.at] = nil
	now := w.now()
	for c := range due {
		idle := c.idleFor(now)
		switch {
		case idle < w.interval:
			c.pinged = 0
			w.put(c, w.interval-idle)
		case c.pinged == 0 || c.in.lastRead.Load() >= c.pinged:
			c.pinged = now
			silent = append(silent, c)
			w.put(c, w.timeout)
		default:
			dead = append(dead, c)
			w.put(c, w.timeout) // until it is removed
		}
	}
	w.timer.Reset(w.tick)
	w.mu.Unlock()
	for _, c := range silent {
		c.ping()
	}
	for _, c := range dead {
		c.die(fmt.Errorf("no sign of life for %v", w.interval+w.timeout))
	}
}
