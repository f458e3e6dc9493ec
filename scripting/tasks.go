package scripting

import (
	"context"
	"sync"
)

// tasks counts the goroutines that run handlers, so that Close and Settle can wait
// for them. The zero value is ready.
type tasks struct {
	mu      sync.Mutex
	closed  bool
	running int
	idle    chan struct{} // closed when running comes to 0; nil: nobody waits
}

// Go runs f on a goroutine of its own; false: the host has been closed.
func (t *tasks) Go(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.running++
	go func() {
		defer t.ended()
		f()
	}()
	return true
}

func (t *tasks) ended() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running--; t.running == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// close lets no more begin.
func (t *tasks) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

// wait returns when none runs, or false when ctx has ended.
func (t *tasks) wait(ctx context.Context) bool {
	t.mu.Lock()
	if t.running == 0 {
		t.mu.Unlock()
		return true
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
		return true
	case <-ctx.Done():
		return false
	}
}
