package lualib

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	lua "github.com/yuin/gopher-lua"
)

// Costly runs what takes much processor time or memory by design, such as
// hashing a password, for all scripts of a process: no more at once than there
// are processors, and than fit into its memory, in the order in which they came.
// Others wait, and do not hold up scripts that need nothing of it.
type Costly struct {
	memory int // of one; as much again is the bound on all together

	mu      sync.Mutex
	slots   int // that are free
	free    int // bytes that are free
	waiting []*costlyWaiter
	running sync.WaitGroup
}

type costlyWaiter struct {
	bytes int
	ready chan struct{} // closed when it may run
}

// NewCostly returns a Costly where one run may use memory bytes, by default 64 MiB.
func NewCostly(memory int) *Costly {
	if memory == 0 {
		memory = 64 << 20
	}
	return &Costly{memory: memory, slots: runtime.GOMAXPROCS(0), free: 2 * memory}
}

// Close waits until nothing runs any more. What waits for its turn has ended by
// then with its script.
func (c *Costly) Close() { c.running.Wait() }

// check raises an error if f would need too much memory.
func (c *Costly) check(L *lua.LState, what string, bytes int64) {
	if bytes > int64(c.memory) {
		Errorf(L, "%s: these parameters need %d MiB of memory, more than the %d MiB that scripts.limits.hash_memory allows", what, (bytes+1<<20-1)>>20, c.memory>>20)
	}
}

// run runs f and waits for it. Where the call ends earlier f goes on by itself,
// since it can not be stopped, and its result is lost.
func (c *Costly) run(L *lua.LState, what string, bytes int, f func() error) error {
	result := make(chan error, 1)
	var err error
	waitFor(L, func(ctx context.Context) {
		if err = c.enter(ctx, bytes); err != nil {
			return
		}
		c.running.Go(func() {
			defer c.leave(bytes)
			result <- guarded(what, f)
		})
		select {
		case err = <-result:
		case <-ctx.Done():
			err = ctx.Err()
		}
	})
	return err
}

// guarded turns a panic of f into an error: on a goroutine of its own it would
// end the process.
func guarded(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s failed: %v", what, r)
		}
	}()
	return f()
}

func (c *Costly) enter(ctx context.Context, bytes int) error {
	c.mu.Lock()
	if len(c.waiting) == 0 && c.fits(bytes) {
		c.take(bytes)
		c.mu.Unlock()
		return nil
	}
	w := &costlyWaiter{bytes, make(chan struct{})}
	c.waiting = append(c.waiting, w)
	c.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.waiting, w); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	} else { // its turn came in the same moment
		c.give(bytes)
	}
	c.next() // those behind it may need less
	return ctx.Err()
}

func (c *Costly) leave(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.give(bytes)
	c.next()
}

func (c *Costly) fits(bytes int) bool { return c.slots > 0 && bytes <= c.free }

func (c *Costly) take(bytes int) { c.slots, c.free = c.slots-1, c.free-bytes }

func (c *Costly) give(bytes int) { c.slots, c.free = c.slots+1, c.free+bytes }

// next lets begin who fits, in order.
func (c *Costly) next() {
	for len(c.waiting) > 0 && c.fits(c.waiting[0].bytes) {
		c.take(c.waiting[0].bytes)
		close(c.waiting[0].ready)
		c.waiting = c.waiting[1:]
	}
}
