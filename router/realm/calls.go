package realm

import (
	"sync"

	"usher/router/wamp"
)

// calls are the calls that one session has made and that wait: places in a
// slice, of which the free ones form a list. The zero value is ready.
type calls struct {
	mu     sync.Mutex
	closed bool
	places []call
	free   int32 // 1 + the first free place; 0: none
	used   int
	kept   int               // bytes of payloads that may have to go to another callee
	index  map[wamp.ID]int32 // places by request; nil until one is looked for among many
}

// call says where one call waits. A free place has no callee.
type call struct {
	callee     *session
	invocation wamp.ID
	request    wamp.ID // of the CALL
	nextFree   int32
	isStream   bool // more of it may follow
	isCanceled bool // it goes to no other callee any more
}

// add enters a call and returns 1 + its place.
func (c *calls) add(at call, limit int) (place int32, err error) {
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
		c.places = append(c.places, at)
		place = int32(len(c.places))
	} else {
		place = c.free
		c.free = c.places[place-1].nextFree
		c.places[place-1] = at
	}
	if c.index != nil {
		c.index[at.request] = place - 1
	}
	return place, nil
}

// move notes that a call waits elsewhere.
func (c *calls) move(place int32, at call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return errCallerGone
	case c.places[place-1].isCanceled:
		return errCallCanceled
	}
	c.places[place-1] = at
	return nil
}

// remove frees a place and what was kept for it.
func (c *calls) remove(place int32, kept int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.kept -= kept
	if c.index != nil {
		delete(c.index, c.places[place-1].request)
	}
	if c.used--; c.used == 0 && len(c.places) > maxKeptPlaces {
		c.places, c.free, c.index = nil, 0, nil
		return
	}
	c.places[place-1] = call{nextFree: c.free}
	c.free = place
}

// maxKeptPlaces is how many places a session without calls keeps.
const maxKeptPlaces = 64

// keep asks for room for so many bytes that are kept of a call.
func (c *calls) keep(bytes, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept+bytes > limit {
		return false
	}
	c.kept += bytes
	return true
}

// unkeep gives back what keep gave.
func (c *calls) unkeep(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept -= bytes
}

// find returns where a call waits.
func (c *calls) find(request wamp.ID) (at call, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.search(request); at != nil {
		return *at, true
	}
	return call{}, false
}

// cancel is find for a call that shall go to no other callee.
func (c *calls) cancel(request wamp.ID) (at call, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.search(request); at != nil {
		at.isCanceled = true
		return *at, true
	}
	return call{}, false
}

// search looks at the places one after the other where there are few. Of a session
// that has many calls, and that looks for them, they are indexed from then on: most
// never do, and their calls cost no entry.
func (c *calls) search(request wamp.ID) *call {
	if len(c.places) <= maxKeptPlaces {
		for i := range c.places {
			if at := &c.places[i]; at.callee != nil && at.request == request {
				return at
			}
		}
		return nil
	}
	if c.index == nil {
		c.index = make(map[wamp.ID]int32, c.used)
		for i := range c.places {
			if at := &c.places[i]; at.callee != nil {
				c.index[at.request] = int32(i)
			}
		}
	}
	if place, ok := c.index[request]; ok {
		return &c.places[place]
	}
	return nil
}

// close refuses further calls and returns those that wait.
func (c *calls) close() []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	left := c.places
	c.places, c.free, c.used, c.kept, c.index = nil, 0, 0, 0, nil
	return left
}
