package scripting

import (
	"context"
	"sync"
)

// tasks counts the goroutines that run handlers, so that Close can wait for
// them. The zero value is ready.
type tasks struct {
	mu     sync.Mutex
	closed bool
	group  sync.WaitGroup
}

// Go runs f on a goroutine of its own; false: the host has been closed.
func (t *tasks) Go(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.group.Go(f)
	return true
}

// close lets no more begin.
func (t *tasks) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

// wait returns when all have ended, or false when ctx has.
func (t *tasks) wait(ctx context.Context) bool {
	done := make(chan struct{})
	go func() { // ends with the last task
		t.group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
