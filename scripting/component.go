package scripting

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"usher/router/realm"
	"usher/router/wamp"
)

// component is one script and its session. Its current generation is replaced by
// the host alone, which holds the host's lock for it; everything else is for
// concurrent use.
type component struct {
	name     string
	file     string
	services *services
	log      *slog.Logger // of the configuration under which it was made

	current atomic.Pointer[generation]
	calls   queue // invocations, and events that may be concurrent
	events  queue // handled one at a time
	streams streams
	delayed delayed
	notes   throttle
	lost    atomic.Int64 // events that did not fit since the last note

	// Under the host's lock.
	session *realm.Local
	handler *sessionHandler // of session
	role    Role
	number  uint64            // of the last generation that was tried
	tried   map[string]digest // what that was made of; nil: nothing was tried
	wants   map[string]bool   // the URIs that it declared
	failure error             // of the last attempt; nil: none
	refused bool              // failure was the router's doing: may pass by itself
	gone    time.Time         // when its file was first found missing
	loaded  time.Time         // when current came into force
}

func newComponent(name, file string, s *services, o *Options) *component {
	return &component{
		name:     name,
		file:     file,
		services: s,
		log:      o.Log.With(slog.String("component", name), slog.String("script", file)),
		calls:    queue{limit: o.Limits.QueueBytes},
		events:   queue{limit: o.Limits.QueueBytes},
	}
}

// sessionHandler receives what is routed to one session of a component.
type sessionHandler struct {
	*component
	ended atomic.Pointer[string] // the reason why the router closed the session
	kick  func()
}

// Closed implements realm.LocalHandler. The host's loop deals with it: here the
// router may hold locks.
func (h *sessionHandler) Closed(reason string) {
	h.ended.Store(&reason)
	h.kick()
}

var _ realm.StreamHandler = (*sessionHandler)(nil)

// Invoke implements realm.LocalHandler.
func (c *component) Invoke(i *realm.LocalInvocation) bool {
	w := &work{invocation: i, payload: i.Payload.Clone(), arrived: time.Now(), depth: callDepth(i)}
	if i.Details.Progress {
		w.stream = c.streams.open(i)
	}
	var ok bool
	if w.depth > 0 {
		// Another script waits for this one: it must not wait for a VM, nor
		// behind calls that do.
		ok = c.services.tasks.Go(func() { c.serve(w) })
	} else {
		ok = c.enqueue(&c.calls, w, c.serveCalls)
	}
	if !ok {
		c.streams.close(i)
	}
	return ok
}

// More implements realm.StreamHandler.
func (c *component) More(i *realm.LocalInvocation, p wamp.Payload, last bool) bool {
	s := c.streams.find(i)
	return s == nil || s.push(p, last) // answered, or kept for details.more
}

// callDepth is how many calls of router.call wait for i.
func callDepth(i *realm.LocalInvocation) int {
	if i.Caller == nil {
		return 0
	}
	depth, _ := i.Caller.Value(depthKey{}).(int)
	return depth
}

// Event implements realm.LocalHandler.
func (c *component) Event(e *realm.LocalEvent) {
	w := &work{event: e, payload: e.Payload.Clone(), arrived: time.Now()}
	queue, serve := &c.events, c.serveEvents
	if g := c.current.Load(); g != nil {
		if i, ok := g.find(place{true, e.URI, e.Match}); ok && g.declarations[i].options.concurrent {
			queue, serve = &c.calls, c.serveCalls
		}
	}
	if !c.enqueue(queue, w, serve) {
		c.lose("event lost: the component's queue is full")
	}
}

func (c *component) lose(message string) {
	c.lost.Add(1)
	if c.notes.allow() {
		c.log.Warn(message, slog.Int64("events_lost", c.lost.Swap(0)))
	}
}

// overloaded notes, now and then, that something was refused.
func (c *component) overloaded(message string) {
	if c.notes.allow() {
		c.log.Warn(message)
	}
}

func (c *component) enqueue(q *queue, w *work, serve func()) bool {
	ok, start := q.push(w)
	if ok && start {
		ok = c.services.tasks.Go(serve)
	}
	return ok
}

// serveCalls starts calls in the order in which they came, each as soon as there
// is a VM for it. It runs until the queue is empty.
func (c *component) serveCalls() {
	for w := c.calls.pop(); w != nil; w = c.calls.pop() {
		g, v := c.vmFor(w)
		if v == nil {
			continue
		}
		if c.calls.done() { // nobody waits behind this one
			c.run(g, v, w)
			return
		}
		if !c.services.tasks.Go(func() { c.run(g, v, w) }) {
			g.pool.release(v)
			c.reject(w, wamp.ErrUnavailable, "the router is stopping")
		}
	}
}

// serve runs one nested call.
func (c *component) serve(w *work) {
	if g, v := c.vmFor(w); v != nil {
		c.run(g, v, w)
	}
}

// serveEvents handles events one at a time. It runs until the queue is empty.
func (c *component) serveEvents() {
	for w := c.events.pop(); w != nil; w = c.events.pop() {
		if g, v := c.vmFor(w); v != nil {
			c.run(g, v, w)
		}
	}
}

// eventWait bounds how long an event waits for a VM: as long as all of them can
// take, since its queue is bounded already.
const eventWait = time.Minute

// vmFor returns the generation that handles w and a VM of it, or answers w and
// returns nil.
func (c *component) vmFor(w *work) (*generation, *vm) {
	g := c.current.Load()
	if g == nil {
		c.reject(w, wamp.ErrUnavailable, "the component is not in force")
		return nil, nil
	}
	wait := eventWait
	if w.invocation != nil {
		wait = g.options.Limits.QueueWait - time.Since(w.arrived)
	}
	v, err := g.pool.acquire(c.services.ctx, wait, w.depth > 0)
	switch {
	case err == nil:
		return g, v
	case errors.Is(err, errQueueWait):
		c.overloaded("call refused: the component has too many")
		c.reject(w, wamp.ErrUnavailable, "the procedure has too many calls at the moment, try again later")
	case errors.Is(err, errBusy), errors.Is(err, errWaitEnded):
		c.reject(w, wamp.ErrUnavailable, err.Error())
	default:
		logFailure(g.log, "script failed in a new VM", err)
		c.reject(w, wamp.ErrRuntime, "the procedure failed")
	}
	return nil, nil
}

// reject ends w without a handler.
func (c *component) reject(w *work, uri, text string) {
	if w.invocation != nil {
		c.streams.close(w.invocation)
		w.invocation.Error(uri, textPayload(text))
		return
	}
	if w.timer != nil {
		w.timer.done()
		c.overloaded("beat of a timer left out: no VM could run it")
		return
	}
	c.lose("event lost: no VM could handle it")
}

// run hands w to its handler on v, which it gives back.
func (c *component) run(g *generation, v *vm, w *work) {
	defer g.pool.release(v)
	if w.timer != nil {
		v.handleTimer(w.timer)
		w.timer.done()
		return
	}
	if w.event != nil {
		v.handleEvent(w)
		return
	}
	v.handleCall(w)
	c.streams.close(w.invocation)
}

// logFailure writes what a script did wrong to the log.
func logFailure(log *slog.Logger, message string, err error) {
	log.Error(message, failureFields(err)...)
}

func failureFields(err error) []any {
	var f *Failure
	if !errors.As(err, &f) {
		return []any{slog.Any("error", err)}
	}
	fields := []any{slog.String("error", f.Message), slog.String("handler", f.Handler)}
	if f.Traceback != "" {
		fields = append(fields, slog.String("traceback", f.Traceback))
	}
	return fields
}

// throttle lets one in a second pass. The zero value is ready.
type throttle struct {
	mu   sync.Mutex
	last time.Time
}

func (t *throttle) allow() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); t.last.IsZero() || now.Sub(t.last) >= time.Second {
		t.last = now
		return true
	}
	return false
}
