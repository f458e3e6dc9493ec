package realm

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// inFlight counts the publications that are being delivered to one subscription,
// so that a session that unsubscribes can wait for those that may still know it:
// some clients end their session at an EVENT that comes after UNSUBSCRIBED. It
// counts those of one publisher likewise. The zero value is ready.
//
// There are two counters, of which new publications use one at a time: who waits
// turns them to the other one, and so waits for a number that only falls.
type inFlight struct {
	turn   atomic.Uint32
	counts [2]atomic.Int64
	mu     sync.Mutex // one waits at a time
}

// begin must come before the subscribers are read, end after the last delivery.
func (f *inFlight) begin() (counter *atomic.Int64) {
	counter = &f.counts[f.turn.Load()%2]
	counter.Add(1)
	return counter
}

func (f *inFlight) end(counter *atomic.Int64) { counter.Add(-1) }

// wait returns once all publications have ended that began before the call. They
// only queue, so that this does not take long. Both counters are waited for: a
// publication that was slow to begin may be in either.
func (f *inFlight) wait() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.counts {
		counter := &f.counts[(f.turn.Add(1)-1)%2]
		for spins := 0; counter.Load() != 0; spins++ {
			if spins < 100 {
				runtime.Gosched()
			} else {
				time.Sleep(50 * time.Microsecond)
			}
		}
	}
}
