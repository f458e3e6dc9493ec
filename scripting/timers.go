package scripting

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"usher/router/realm"
	"usher/router/wamp"
)

// timer is one router.every or router.after of a generation's top level. The
// generation's first VM says which there are; each VM has their functions.
type timer struct {
	every    bool
	interval time.Duration
	where    string // file:line of the call
	index    int    // in generation.timers, and vm.ticks
	nth      int    // among those of the generation with the same every and interval

	generation *generation

	mu      sync.Mutex
	due     time.Time
	clock   Timer // nil: not started, or stopped
	running bool  // its function is, or will be: a beat is left out then
}

// startTimers begins the generation's timers. One that repeats keeps the beat
// that it had in old, which may be nil: saving a file every minute must not keep
// what happens every hour from happening.
func (g *generation) startTimers(old *generation) {
	for _, t := range g.timers {
		t.due = g.clock.Now().Add(t.interval)
		if before := old.timerLike(t); before != nil {
			before.mu.Lock()
			t.due = before.due
			before.mu.Unlock()
		}
		t.mu.Lock()
		t.clock = g.clock.AfterFunc(t.due.Sub(g.clock.Now()), t.fire)
		t.mu.Unlock()
	}
}

// timerLike returns the generation's timer that repeats as t does; nil: none.
func (g *generation) timerLike(t *timer) *timer {
	if g == nil || !t.every {
		return nil
	}
	for _, other := range g.timers {
		if other.every && other.interval == t.interval && other.nth == t.nth {
			return other
		}
	}
	return nil
}

// stopTimers ends them. A function that runs goes on.
func (g *generation) stopTimers() {
	for _, t := range g.timers {
		t.mu.Lock()
		if t.clock != nil {
			t.clock.Stop()
			t.clock = nil
		}
		t.mu.Unlock()
	}
}

// fire hands the timer to the component. It runs on a goroutine of its own, and
// does not wait.
func (t *timer) fire() {
	t.mu.Lock()
	if t.clock == nil {
		t.mu.Unlock()
		return
	}
	if t.every {
		now := t.generation.clock.Now()
		if t.due = t.due.Add(t.interval); t.due.Before(now) { // the machine slept
			t.due = now.Add(t.interval)
		}
		t.clock.Reset(t.due.Sub(now))
	}
	busy := t.running
	t.running = true
	t.mu.Unlock()
	c := t.generation.component
	if busy {
		c.overloaded("beat of a timer left out: its function still runs")
		return
	}
	if !c.enqueue(&c.calls, &work{timer: t, arrived: time.Now()}, c.serveCalls) {
		t.done()
		c.overloaded("beat of a timer left out: the component's queue is full")
	}
}

// done says that the timer's function has ended, or was not called.
func (t *timer) done() {
	t.mu.Lock()
	t.running = false
	t.mu.Unlock()
}

// handleTimer runs a timer's function.
func (v *vm) handleTimer(t *timer) {
	if t.generation != v.gen { // a reload came between: the beat is that of the new one
		if t = v.gen.timerLike(t); t == nil {
			return
		}
	}
	err := v.do(v.gen.ctx, "timer at "+t.where, func() error {
		_, err := v.call(v.ticks[t.index])
		return err
	})
	if err != nil {
		logFailure(v.gen.log, "timer failed", err)
	}
}

// The bounds on the calls that one component has put off, until they are answered.
const (
	maxDelayed      = 10_000
	maxDelayedBytes = 8 << 20
	delayedWait     = time.Minute // for the answer
)

var errDelayedFull = errors.New("too many calls are put off already")

// delayed are the calls that a component's handlers have put off by router.after.
// They belong to the component, not to a generation: a call is made under
// whatever session the component has then. The zero value is ready.
type delayed struct {
	mu     sync.Mutex
	ended  bool
	calls  map[*delayedCall]bool
	memory int
}

type delayedCall struct {
	uri     string
	payload wamp.Payload
	clock   Timer
}

func (d *delayedCall) size() int { return d.payload.Size() + len(d.uri) + workOverhead }

// later calls a procedure after a time.
func (c *component) later(wait time.Duration, uri string, p wamp.Payload) error {
	d := &c.delayed
	call := &delayedCall{uri: uri, payload: p}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended || len(d.calls) >= maxDelayed || d.memory+call.size() > maxDelayedBytes {
		return errDelayedFull
	}
	if d.calls == nil {
		d.calls = map[*delayedCall]bool{}
	}
	d.calls[call] = true
	d.memory += call.size()
	call.clock = c.services.clock.AfterFunc(wait, func() {
		if d.has(call) {
			c.services.tasks.Go(func() {
				defer d.drop(call) // with its answer: until then it counts
				c.callDelayed(call)
			})
		}
	})
	return nil
}

func (d *delayed) has(call *delayedCall) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[call]
}

func (d *delayed) drop(call *delayedCall) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.calls, call)
	d.memory -= call.size()
}

// end drops all that are put off: the component is gone.
func (d *delayed) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for call := range d.calls {
		call.clock.Stop()
	}
	d.calls, d.ended = nil, true
}

func (c *component) callDelayed(call *delayedCall) {
	g := c.current.Load()
	if g == nil {
		return
	}
	ctx, cancel := context.WithTimeout(c.services.ctx, delayedWait)
	defer cancel()
	_, err := g.session.Call(ctx, call.uri, wamp.CallOptions{}, call.payload)
	if err == nil {
		return
	}
	var reply *realm.ErrorReply
	if errors.As(err, &reply) {
		err = errors.New(reply.URI + " " + reply.Text)
	}
	g.log.Warn("a call that router.after put off failed", slog.String("procedure", call.uri), slog.Any("error", err))
}
