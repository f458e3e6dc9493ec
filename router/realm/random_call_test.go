package realm

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"usher/router/transport"
	"usher/router/wamp"
)

// deliveries says which call was handed to whom, over all callees of a test: none
// is handed over twice, unless the first callee said that it is unavailable.
type deliveries struct {
	mu   sync.Mutex
	held map[[2]int64]bool
}

func (d *deliveries) take(t *testing.T, key [2]int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held[key] {
		t.Errorf("call %d was handed over twice", key)
	}
	d.held[key] = true
}

func (d *deliveries) giveBack(key [2]int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[key] = false
}

// TestCallsAtRandom: calls are canceled, time out, go on, come in parts, have
// results in parts, are refused and passed on, while callers and callees leave in
// all ways and come back. Each call has exactly one final answer, and nothing
// behind it; each callee sees its ids in sequence, the parts of a call in order,
// and nothing of a call behind its INTERRUPT; no call is handed over twice.
func TestCallsAtRandom(t *testing.T) {
	calls := 2000
	if testing.Short() {
		calls = 400
	}
	w := newWorld(t, scenario(), Limits{})
	d := &deliveries{held: make(map[[2]int64]bool)}
	var callees, callers sync.WaitGroup
	var stop atomic.Bool
	for i := range 4 {
		random := rand.New(rand.NewPCG(5, uint64(i)))
		callees.Go(func() {
			for !stop.Load() {
				if c := w.tryJoinWith(formats[i%len(formats)], i); c != nil {
					(&randomCallee{t: t, c: c, d: d, random: random}).run(&stop)
				}
			}
		})
	}
	var last atomic.Int64
	for i := range 4 {
		random := rand.New(rand.NewPCG(6, uint64(i)))
		callers.Go(func() {
			for done := 0; done < calls && !t.Failed(); {
				if c := w.tryJoinWith(formats[(i+1)%len(formats)], 0); c != nil {
					r := &randomCaller{t: t, c: c, random: random, last: &last, waiting: make(map[wamp.ID]*randomCall)}
					r.run(calls - done)
					done += r.done
				}
			}
		})
	}
	callers.Wait()
	stop.Store(true)
	for _, s := range w.members() {
		s.dismiss(wamp.CloseNormal, "the test is over", transport.CloseNormal)
	}
	callees.Wait()
	w.serving.Wait()
	w.expectEmpty()
	if n := len(w.timers.heap); n != 0 {
		t.Errorf("%d times are still set", n)
	}
}

// tryJoinWith joins with all features but some.
func (w *world) tryJoinWith(f wamp.Format, i int) *client {
	c := w.connect(f, anonymous("anyone"))
	all := wamp.RoleFeatures{Present: true, Features: 1<<23 - 1}
	callee := all
	if i == 1 {
		callee.Features &^= wamp.FeatureCallCanceling
	}
	if i == 2 {
		callee.Features &^= wamp.FeatureCallReroute
	}
	_ = c.conn.Send(&c.batch, &wamp.Hello{Realm: "realm1", Roles: wamp.Roles{Caller: all, Callee: callee}})
	if m, err := c.read(); err != nil || m.Type() != wamp.TypeWelcome {
		c.conn.Close(transport.CloseNormal)
		return nil
	}
	return c
}

// randomProcedures are what callees offer, by policy.
var randomProcedures = []string{wamp.InvokeSingle, wamp.InvokeFirst, wamp.InvokeLast, wamp.InvokeRoundRobin, wamp.InvokeRandom}

// randomCallee is one session of a callee.
type randomCallee struct {
	t      *testing.T
	c      *client
	d      *deliveries
	random *rand.Rand

	last  wamp.ID
	calls map[wamp.ID]*invoked
}

// invoked is one call that a callee was handed.
type invoked struct {
	key         [2]int64
	part        int64
	isOpen      bool // more of it may follow
	hasEnded    bool // it was answered
	interrupted int
}

func (r *randomCallee) send(m wamp.Message) { _ = r.c.conn.Send(&r.c.batch, m) }

func (r *randomCallee) run(stop *atomic.Bool) {
	defer r.c.conn.Close(transport.CloseNormal)
	r.calls = make(map[wamp.ID]*invoked)
	for _, invoke := range randomProcedures {
		r.send(&wamp.Register{Request: r.c.next(), Procedure: "com.example." + invoke, Options: wamp.RegisterOptions{
			Invoke: invoke, Concurrency: r.random.IntN(20), ForceReregister: invoke == wamp.InvokeSingle && r.random.IntN(3) == 0,
		}})
	}
	for !stop.Load() {
		m, err := r.c.read()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *wamp.Invocation:
			r.invoked(m)
		case *wamp.Interrupt:
			i := r.calls[m.Request]
			if i == nil {
				r.t.Errorf("INTERRUPT for invocation %d, which never was", m.Request)
				return
			}
			if i.interrupted++; i.interrupted > 1 {
				r.t.Errorf("invocation %d was interrupted twice", m.Request)
			}
			if m.Mode == wamp.CancelKill && r.random.IntN(2) == 0 {
				r.send(&wamp.Error{RequestType: wamp.TypeInvocation, Request: m.Request, URI: wamp.ErrCanceled})
			}
		}
		switch r.random.IntN(500) {
		case 0:
			return
		case 1:
			r.send(&wamp.Goodbye{Reason: wamp.CloseNormal})
		case 2:
			r.send(&wamp.Unregister{Request: r.c.next(), Registration: wamp.ID(r.random.IntN(50) + 1)})
		}
	}
}

// invoked handles an INVOCATION, of which the payload says whose it is and which
// part: [caller, call, part].
func (r *randomCallee) invoked(m *wamp.Invocation) {
	var args []int64
	if err := unmarshal(m.Payload, &args); err != nil || len(args) != 3 {
		r.t.Errorf("args are %v, %v", args, err)
		return
	}
	key := [2]int64{args[0], args[1]}
	i := r.calls[m.Request]
	switch {
	case m.Request == r.last+1:
		r.last++
		i = &invoked{key: key}
		r.calls[m.Request] = i
		r.d.take(r.t, key)
	case i == nil || i.key != key || !i.isOpen || i.interrupted > 0:
		r.t.Errorf("invocation %d of call %d is out of sequence: last is %d, before was %+v", m.Request, key, r.last, i)
		return
	}
	if args[2] != i.part {
		r.t.Errorf("part %d of call %d came, want %d", args[2], key, i.part)
	}
	i.part++
	i.isOpen = m.Details.Progress
	if i.hasEnded {
		return // that crossed
	}
	for m.Details.ReceiveProgress && r.random.IntN(2) == 0 {
		r.send(&wamp.Yield{Request: m.Request, Progress: true, Payload: m.Payload})
	}
	switch n := r.random.IntN(100); {
	case n < 50 && !i.isOpen:
		r.send(&wamp.Yield{Request: m.Request, Payload: m.Payload})
	case n < 60:
		r.send(&wamp.Error{RequestType: wamp.TypeInvocation, Request: m.Request, URI: "com.example.error"})
	case n < 75:
		r.d.giveBack(key)
		r.send(&wamp.Error{RequestType: wamp.TypeInvocation, Request: m.Request, URI: wamp.ErrUnavailable})
	case n < 80:
		r.send(&wamp.Yield{Request: m.Request, Payload: m.Payload})
		r.send(&wamp.Yield{Request: m.Request, Payload: m.Payload})
	default:
		return // it keeps this one for itself, or waits for more
	}
	i.hasEnded = true
}

// randomCaller is one session of a caller.
type randomCaller struct {
	t       *testing.T
	c       *client
	random  *rand.Rand
	last    *atomic.Int64 // the last key of a call
	waiting map[wamp.ID]*randomCall
	done    int
}

// randomCall is one call that has no final answer yet.
type randomCall struct {
	key           int64
	procedure     string
	part          int64
	isOpen        bool
	wantsProgress bool
	isTimed       bool
}

func (r *randomCaller) send(m wamp.Message) { _ = r.c.conn.Send(&r.c.batch, m) }

// run makes so many calls, or leaves before.
func (r *randomCaller) run(calls int) {
	defer r.c.conn.Close(transport.CloseNormal)
	for r.done < calls || len(r.waiting) > 0 {
		switch n := r.random.IntN(400); {
		case n == 0:
			return
		case n == 1:
			r.send(&wamp.Goodbye{Reason: wamp.CloseNormal})
			for {
				if _, err := r.c.read(); err != nil {
					return
				}
			}
		case n < 200 && r.done < calls && len(r.waiting) < 32:
			r.call()
		case n < 300:
			r.more()
		case n < 340:
			r.cancel([]string{"", wamp.CancelSkip, wamp.CancelKill, wamp.CancelKillNoWait}[r.random.IntN(4)])
		case len(r.waiting) > 0:
			// What nobody would ever answer is canceled, so that an answer comes.
			if !r.hasTimed() || r.random.IntN(2) == 0 {
				r.cancel(wamp.CancelSkip)
			}
			if !r.receive() {
				return
			}
		}
	}
}

func (r *randomCaller) call() {
	call := &randomCall{
		key:           r.last.Add(1),
		procedure:     "com.example." + randomProcedures[r.random.IntN(len(randomProcedures))],
		isOpen:        r.random.IntN(4) == 0,
		wantsProgress: r.random.IntN(3) == 0,
	}
	id := r.c.next()
	r.waiting[id] = call
	r.done++
	o := wamp.CallOptions{ReceiveProgress: call.wantsProgress}
	if r.random.IntN(3) == 0 {
		o.Timeout, call.isTimed = uint64(r.random.IntN(4)+1), true
	}
	r.part(id, call, o)
}

// part sends the next part of a call.
func (r *randomCaller) part(id wamp.ID, call *randomCall, o wamp.CallOptions) {
	o.Progress = call.isOpen
	r.send(&wamp.Call{Request: id, Options: o, Procedure: call.procedure,
		Payload: jsonArgs(fmt.Sprintf("[%d,%d,%d]", r.c.session, call.key, call.part))})
	call.part++
}

// more sends more of any call of which more is to follow.
func (r *randomCaller) more() {
	for id, call := range r.waiting {
		if call.isOpen {
			call.isOpen = r.random.IntN(3) > 0
			r.part(id, call, wamp.CallOptions{})
			return
		}
	}
}

// hasTimed reports whether an answer will come by itself.
func (r *randomCaller) hasTimed() bool {
	for _, call := range r.waiting {
		if call.isTimed {
			return true
		}
	}
	return false
}

// cancel cancels any call.
func (r *randomCaller) cancel(mode string) {
	for id := range r.waiting {
		r.send(&wamp.Cancel{Request: id, Mode: mode})
		return
	}
}

// receive takes one answer; false: the session has ended.
func (r *randomCaller) receive() bool {
	m, err := r.c.read()
	if err != nil {
		r.t.Errorf("%d calls have no answer: %v", len(r.waiting), err)
		return false
	}
	switch m := m.(type) {
	case *wamp.Result:
		call := r.waiting[m.Request]
		switch {
		case call == nil:
			r.t.Errorf("%s answers a call that has an answer already, or none", text(m))
			return false
		case m.Progress && !call.wantsProgress:
			r.t.Errorf("%s is progress that nobody asked for", text(m))
		case !m.Progress:
			delete(r.waiting, m.Request)
		}
	case *wamp.Error:
		if r.waiting[m.Request] == nil || m.RequestType != wamp.TypeCall {
			r.t.Errorf("%s answers a call that has an answer already, or none", text(m))
			return false
		}
		delete(r.waiting, m.Request)
	default:
		r.t.Errorf("got %s", text(m))
		return false
	}
	return true
}
