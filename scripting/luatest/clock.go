package luatest

import (
	"context"
	"sync"
	"time"

	"usher/scripting"
)

// clock is the time of a world: it stands still unless the test lets it pass. It
// may be used from anywhere.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*timer // that are to fire, in the order of their start
}

// timer is one of clock's.
type timer struct {
	clock *clock
	due   time.Time
	fire  func()
}

var (
	_ scripting.Clock = (*clock)(nil)
	_ scripting.Timer = (*timer)(nil)
)

// Now implements scripting.Clock.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc implements scripting.Clock.
func (c *clock) AfterFunc(d time.Duration, f func()) scripting.Timer {
	t := &timer{clock: c, fire: f}
	t.Reset(d)
	return t
}

// Stop implements scripting.Timer.
func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.clock.drop(t)
}

// Reset implements scripting.Timer.
func (t *timer) Reset(d time.Duration) bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	had := t.clock.drop(t)
	t.due = t.clock.now.Add(d)
	t.clock.timers = append(t.clock.timers, t)
	return had
}

// drop takes a timer out; c.mu is held.
func (c *clock) drop(t *timer) bool {
	for i, other := range c.timers {
		if other == t {
			c.timers = append(c.timers[:i:i], c.timers[i+1:]...)
			return true
		}
	}
	return false
}

// set is for a world that has not begun, and for tests that jump.
func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// fire fires the timer that is due first, if it is by the time that is given, which
// the clock then shows at least. It reports whether there was one.
func (c *clock) fire(by time.Time) bool {
	c.mu.Lock()
	var first *timer
	for _, t := range c.timers {
		if !t.due.After(by) && (first == nil || t.due.Before(first.due)) {
			first = t
		}
	}
	if first == nil {
		c.mu.Unlock()
		return false
	}
	c.drop(first)
	if first.due.After(c.now) {
		c.now = first.due
	}
	c.mu.Unlock()
	first.fire()
	return true
}

// pass lets time pass: timers fire in their order, each when what the one before
// began has ended.
func (w *world) pass(ctx context.Context, d time.Duration) error {
	end := w.clock.Now().Add(d)
	for {
		if err := w.quiet(ctx); err != nil {
			return err
		}
		if !w.clock.fire(end) {
			w.clock.set(end)
			return nil
		}
	}
}
