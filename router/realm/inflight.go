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

	// One at a time waits for the counters, a round. Who comes while it does needs
	// a round that begins later: all of them share the next one, however many leave
	// a busy topic at once.
	mu            sync.Mutex
	current, next chan struct{} // closed with the round under way, and the one after it; nil: none
}

// begin must come before the subscribers are read, end after the last delivery.
func (f *inFlight) begin() (counter *atomic.Int64) {
	counter = &f.counts[f.turn.Load()%2]
	counter.Add(1)
	return counter
}

func (f *inFlight) end(counter *atomic.Int64) { counter.Add(-1) }

// wait returns once all publications have ended that began before the call. They
// only queue, so that this does not take long.
func (f *inFlight) wait() {
	if f.counts[0].Load() == 0 && f.counts[1].Load() == 0 {
		return // what begins on either after it was seen so is later than the call
	}
	f.mu.Lock()
	if shared := f.next; shared != nil {
		f.mu.Unlock()
		<-shared
		return
	}
	round := make(chan struct{})
	defer close(round)
	if before := f.current; before != nil {
		f.next = round
		f.mu.Unlock()
		<-before
		f.mu.Lock()
		f.next = nil
	}
	f.current = round
	f.mu.Unlock()
	f.waitForBoth()
	f.mu.Lock()
	f.current = nil
	f.mu.Unlock()
}

// waitForBoth waits for both counters in turn: a publication that was slow to
// begin may be in either.
func (f *inFlight) waitForBoth() {
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
