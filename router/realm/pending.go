package realm

import (
	"context"
	"errors"
	"sync"

	"usher/router/wamp"
)

// A call that waits for its answer is in two tables: its callee's invocations,
// by the id of the INVOCATION, and its caller's calls. Whoever takes it out of the
// callee's table answers it, so that there is exactly one answer; the caller's
// table is there to bound the calls of a session, and to find them when it ends.
//
// Of the two locks a callee's is taken first.

// pending is one call that waits. It is a value: a call costs no allocation.
type pending struct {
	caller  *session // nil: the router itself asks
	request wamp.ID  // of the CALL
	place   int32    // in caller.calls
	waiter  *waiter  // who gets the answer where the caller has no connection
	local   *LocalInvocation
}

// waiter waits inside the process for the answer to one call.
type waiter struct {
	replies chan reply      // holds one, so that answering never blocks
	caller  context.Context // of Local.Call; see LocalInvocation.Caller
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
	errCalleeBusy   = errors.New("callee has too many calls without an answer")
	errTooManyCalls = errors.New("caller has too many calls without an answer")
)

// add enters p under the next id; the caller holds mu. Only a call that was sent
// keeps the id: undo gives it back, so that the callee sees a sequence without
// gaps.
func (i *invocations) add(callee *session, p pending, limits *Limits) (wamp.ID, error) {
	if i.closed {
		return 0, errCalleeGone
	}
	if len(i.pending) >= limits.PendingInvocations {
		return 0, errCalleeBusy
	}
	id := i.last%wamp.MaxID + 1
	if p.caller != nil {
		place, err := p.caller.calls.add(callee, id, limits.PendingCalls)
		if err != nil {
			return 0, err
		}
		p.place = place
	}
	if i.pending == nil {
		i.pending = make(map[wamp.ID]pending)
	}
	i.pending[id] = p
	i.most = max(i.most, len(i.pending))
	i.last = id
	return id, nil
}

// undo takes back the last add; the caller still holds mu.
func (i *invocations) undo(id wamp.ID) {
	p := i.pending[id]
	delete(i.pending, id)
	i.last = id - 1
	p.release()
}

// take removes the call that has the id. Who gets it must answer it.
func (i *invocations) take(id wamp.ID) (p pending, ok bool) {
	i.mu.Lock()
	p, ok = i.pending[id]
	if ok {
		delete(i.pending, id)
		if len(i.pending) == 0 && i.most > maxKeptInvocations {
			i.pending, i.most = nil, 0
		}
	}
	i.mu.Unlock()
	if ok {
		p.release()
	}
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
	i.closed = true
	left := make([]pending, 0, len(i.pending))
	for _, p := range i.pending {
		left = append(left, p)
	}
	i.pending = nil
	i.mu.Unlock()
	for _, p := range left {
		p.release()
	}
	return left
}

// abandon removes the call of a caller that no longer waits.
func (i *invocations) abandon(id wamp.ID) {
	if p, ok := i.take(id); ok {
		p.finish()
	}
}

func (i *invocations) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.pending)
}

// release frees the call's place with its caller.
func (p *pending) release() {
	if p.caller != nil {
		p.caller.calls.remove(p.place)
	}
}

// finish tells a callee inside the process that nobody waits any more.
func (p *pending) finish() {
	if p.local != nil {
		p.local.finish()
	}
}

// calls are the calls that one session has made and that wait: places in a
// slice, of which the free ones form a list. The zero value is ready.
type calls struct {
	mu     sync.Mutex
	closed bool
	places []call
	free   int32 // 1 + the first free place; 0: none
	used   int
}

// call says where one call waits. A free place has no callee.
type call struct {
	callee     *session
	invocation wamp.ID
	nextFree   int32
}

func (c *calls) add(callee *session, invocation wamp.ID, limit int) (place int32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return 0, errCallerGone
	case c.used >= limit:
		return 0, errTooManyCalls
	}
	c.used++
	if c.free == 0 {
		c.places = append(c.places, call{callee: callee, invocation: invocation})
		return int32(len(c.places) - 1), nil
	}
	place = c.free - 1
	c.free = c.places[place].nextFree
	c.places[place] = call{callee: callee, invocation: invocation}
	return place, nil
}

func (c *calls) remove(place int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if c.used--; c.used == 0 && len(c.places) > maxKeptPlaces {
		c.places, c.free = nil, 0
		return
	}
	c.places[place] = call{nextFree: c.free}
	c.free = place + 1
}

// maxKeptPlaces is how many places a session without calls keeps.
const maxKeptPlaces = 64

// close refuses further calls and returns those that wait.
func (c *calls) close() []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	left := c.places
	c.places, c.free, c.used = nil, 0, 0
	return left
}
