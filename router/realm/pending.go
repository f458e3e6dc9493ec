package realm

import (
	"context"
	"errors"
	"sync"

	"usher/router/transport"
	"usher/router/wamp"
)

// A call that waits for its answer is in two tables: its callee's invocations,
// by the id of the INVOCATION, and its caller's calls. Whoever takes it out of the
// callee's table answers it, so that there is exactly one answer; the caller's
// table is there to bound the calls of a session, and to find them when it ends
// or cancels one. A call that goes on to another callee is in the caller's table
// all the time.
//
// The realm's lock comes first, then a callee's invocations, then a caller's
// calls; the locks of connections and of the node's timers are taken last. What
// is sent under them is only queued.

// pending is one call that waits. It is a value: a call costs no allocation.
type pending struct {
	caller  *session // nil: the router itself asks
	request wamp.ID  // of the CALL
	offer   *offer   // of the callee that has it
	waiter  *waiter  // who gets the answer where the caller has no connection
	local   *LocalInvocation
	timer   *deadline // nil: it may take as long as it likes
	kept    *kept     // nil: nothing of the CALL is needed any more
	place   int32     // 1 + that in caller.calls; 0: none

	wantsProgress bool // progressive results go to the caller
	hasProgressed bool // there were some
	isKilled      bool // the callee was told to end it, and its answer goes to the caller
}

// kept is what a call keeps of its CALL beyond the first INVOCATION: because more
// of it follows, or because it may have to go to another callee.
type kept struct {
	ask     ask                    // owned
	details wamp.InvocationDetails // of the first INVOCATION; where more follows
	isOpen  bool                   // more of the call may follow; guarded by the callee's invocations
}

// size is what counts against the caller's bound on what is kept.
func (k *kept) size() int {
	if k == nil {
		return 0
	}
	return k.ask.payload.Size() + passthruSize(k.details.Passthru) + passthruSize(k.ask.options.Passthru)
}

func passthruSize(p *wamp.Passthru) int {
	if p == nil {
		return 0
	}
	return len(p.Scheme) + len(p.Serializer) + len(p.Cipher) + len(p.KeyID) + len(p.EncAlgo) + len(p.EncSerializer) + len(p.EncKey)
}

// waiter waits inside the process for the answer to one call.
type waiter struct {
	replies  chan reply      // holds one, so that answering never blocks
	caller   context.Context // of Local.Call; see LocalInvocation.Caller
	progress *progressQueue  // nil: only the final result counts
}

// reply is the answer to one call; an error where uri is set.
type reply struct {
	uri     string
	payload wamp.Payload // owned
}

func newWaiter() *waiter { return &waiter{replies: make(chan reply, 1)} }

// invocations are the calls that one session has been handed. The zero value is
// ready.
type invocations struct {
	mu      sync.Mutex
	closed  bool
	last    wamp.ID // the last id that was used
	pending map[wamp.ID]pending
	most    int // that were in pending since it was made
}

// maxKeptInvocations is for how many calls a callee without any keeps room.
const maxKeptInvocations = 1024

var (
	errCalleeGone   = errors.New("callee has left")
	errUnregistered = errors.New("registration was taken back")
	errCallerGone   = errors.New("caller has left")
	errCallCanceled = errors.New("caller has canceled the call")
	errCalleeBusy   = errors.New("callee has too many calls without an answer")
	errTooManyCalls = errors.New("caller has too many calls without an answer")
)

// add enters p under the next id; the caller holds mu. Only a call that was sent
// keeps the id: undo gives it back, so that the callee sees a sequence without
// gaps.
func (i *invocations) add(p *pending, limits *Limits) (wamp.ID, error) {
	o := p.offer
	switch {
	case o.isGone:
		return 0, errUnregistered
	case i.closed:
		return 0, errCalleeGone
	case len(i.pending) >= limits.PendingInvocations,
		o.options.Concurrency > 0 && o.running >= o.options.Concurrency:
		return 0, errCalleeBusy
	}
	id := i.last%wamp.MaxID + 1
	if p.caller != nil {
		at := call{callee: o.session, invocation: id, request: p.request, isStream: p.kept != nil && p.kept.isOpen}
		var err error
		if p.place != 0 {
			err = p.caller.calls.move(p.place, at)
		} else {
			p.place, err = p.caller.calls.add(at, limits.PendingCalls)
		}
		if err != nil {
			return 0, err
		}
	}
	if i.pending == nil {
		i.pending = make(map[wamp.ID]pending)
	}
	i.pending[id] = *p
	i.most = max(i.most, len(i.pending))
	i.last = id
	o.running++
	return id, nil
}

// undo takes back the last add; the caller still holds mu. The place in the
// caller's table stays p's.
func (i *invocations) undo(id wamp.ID, p *pending) {
	delete(i.pending, id)
	i.last = id - 1
	p.offer.running--
}

// remove takes out the call that has the id; the caller holds mu.
func (i *invocations) remove(id wamp.ID) (p pending, ok bool) {
	p, ok = i.pending[id]
	if ok {
		delete(i.pending, id)
		p.offer.running--
		if len(i.pending) == 0 && i.most > maxKeptInvocations {
			i.pending, i.most = nil, 0
		}
	}
	return p, ok
}

// take removes the call that has the id. Who gets it must answer it.
func (i *invocations) take(id wamp.ID) (p pending, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.remove(id)
}

// get returns the call that has the id, which others may take at any time.
func (i *invocations) get(id wamp.ID) (p pending, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	p, ok = i.pending[id]
	return p, ok
}

// wasUsed reports whether an INVOCATION with this id was ever sent.
func (i *invocations) wasUsed(id wamp.ID) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return id <= i.last
}

// close refuses further calls and returns those that wait.
func (i *invocations) close() []pending {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	left := make([]pending, 0, len(i.pending))
	for _, p := range i.pending {
		left = append(left, p)
	}
	i.pending = nil
	return left
}

func (i *invocations) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.pending)
}

// finish frees what the call held, and tells a callee inside the process that
// nobody waits any more. It comes before the answer: the caller may call again
// when it has that. More than once is as good as once.
func (p *pending) finish(n *Node) {
	if p.timer != nil {
		n.timers.stop(p.timer)
		p.timer = nil
	}
	if p.place != 0 {
		p.caller.calls.remove(p.place, p.kept.size())
		p.place = 0
	}
	if p.local != nil {
		p.local.finish()
		p.local = nil
	}
}

// closeCalls ends the calls that a session has made: nobody waits for them any
// more, which their callees learn if they can be told (specification: "Caller
// Leaving During an RPC Invocation").
func (s *session) closeCalls(b *transport.Batch, w *work) {
	for _, c := range s.calls.close() {
		if c.callee != nil {
			c.callee.abandon(b, w, c.invocation, s, c.request)
		}
	}
}

// abandon removes an invocation whose caller no longer waits. Where the id is not
// this call's (any more) there is nothing to do: see cancelInvocation.
func (s *session) abandon(b *transport.Batch, w *work, id wamp.ID, caller *session, request wamp.ID) {
	i := &s.invocations
	i.mu.Lock()
	p, ok := i.pending[id]
	if ok = ok && p.caller == caller && p.request == request; ok {
		i.remove(id)
	}
	i.mu.Unlock()
	if !ok {
		return
	}
	p.finish(s.node)
	if !p.isKilled {
		s.sendInterrupt(b, w, id, wamp.CancelKillNoWait, "")
	}
}
