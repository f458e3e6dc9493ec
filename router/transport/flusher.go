package transport

import "sync"

// flushers are goroutines that flush connections for others, first come first
// served. One ends when nothing is left to flush, so that an idle router has none.
type flushers struct {
	max int // how many may run at once

	mu      sync.Mutex
	queue   []flusher
	head    int // queue[:head] is done
	running int
}

// add leaves connections to be flushed soon. The slice stays the caller's.
func (f *flushers) add(list []flusher) {
	f.mu.Lock()
	if f.head > len(f.queue)/2 {
		n := copy(f.queue, f.queue[f.head:])
		clear(f.queue[n:])
		f.queue, f.head = f.queue[:n], 0
	}
	f.queue = append(f.queue, list...)
	waiting := len(f.queue) - f.head
	for f.running < f.max && f.running*inlineFlushes < waiting {
		f.running++
		go f.run()
	}
	f.mu.Unlock()
}

// run flushes until nothing is left.
func (f *flushers) run() {
	var mine [16]flusher
	for {
		f.mu.Lock()
		n := copy(mine[:], f.queue[f.head:])
		clear(f.queue[f.head : f.head+n])
		f.head += n
		if f.head == len(f.queue) {
			f.queue, f.head = f.queue[:0], 0
			if cap(f.queue) > 1<<16 {
				f.queue = nil
			}
		}
		if n == 0 {
			f.running--
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		for _, c := range mine[:n] {
			c.flush()
		}
	}
}
