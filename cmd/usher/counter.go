package main

import "sync"

// counter counts what a command waits for. Its methods may be called concurrently.
type counter struct {
	reached chan struct{} // closed when there was enough

	mu     sync.Mutex
	limit  int // 0: there is never enough
	taken  int
	ended  int
	closed bool
}

func newCounter(limit int) *counter { return &counter{reached: make(chan struct{}), limit: limit} }

// take reports whether one more is wanted; then done must follow.
func (c *counter) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.limit > 0 && c.taken >= c.limit {
		return false
	}
	c.taken++
	return true
}

// done says that one that was taken is dealt with.
func (c *counter) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended++; c.limit > 0 && c.ended >= c.limit {
		c.close()
	}
}

// end says that there is enough, whatever the limit.
func (c *counter) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close()
}

func (c *counter) close() {
	if !c.closed {
		c.closed = true
		close(c.reached)
	}
}
