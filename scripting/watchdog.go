package scripting

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"usher/scripting/lua51"
)

const (
	watchInterval = 2 * time.Millisecond
	// watchIdle is how many intervals without a running script end the watch.
	watchIdle = 50
	// watchGreedy is the least use of memory for which a script is stopped: the
	// heap may also grow for reasons that are not scripts.
	watchGreedy = 4 << 20
	// watchPause is how many intervals follow a stop before the next, so that
	// the script has ended and its memory been collected.
	watchPause = 5
)

// watchdog stops the script that used most memory when the heap has grown too
// much since scripts began to run. Budgets bound what each call makes; this
// bounds what many of them hold together, and what no budget counts. Its
// goroutine runs while scripts run and a little longer.
type watchdog struct {
	growth uint64

	mu       sync.Mutex
	running  map[*vm]*lua51.Budget
	watching bool
	closed   bool
	stopped  sync.WaitGroup
}

func newWatchdog(growth uint64) *watchdog {
	return &watchdog{growth: growth, running: map[*vm]*lua51.Budget{}}
}

// close ends the watch and waits for that.
func (w *watchdog) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.stopped.Wait()
}

// enter says that v begins to run, leave that it has ended.
func (w *watchdog) enter(v *vm, b *lua51.Budget) {
	w.mu.Lock()
	w.running[v] = b
	if !w.watching && !w.closed {
		w.watching = true
		w.stopped.Go(w.watch)
	}
	w.mu.Unlock()
}

func (w *watchdog) leave(v *vm) {
	w.mu.Lock()
	delete(w.running, v)
	w.mu.Unlock()
}

// watch ends by itself; see watchIdle.
func (w *watchdog) watch() {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	heap := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	before := heap()
	idle, pause := 0, 0
	for range ticker.C {
		running, closed := w.state()
		if closed {
			return
		}
		if !running {
			if idle++; idle > watchIdle && w.end() {
				return
			}
			before = min(before, heap())
			continue
		}
		idle = 0
		if pause > 0 {
			pause--
			continue
		}
		now := heap()
		before = min(before, now)
		switch {
		case now-before <= w.growth:
		case w.stopGreediest(now - before):
			runtime.GC()
			pause = watchPause
		default: // not by scripts
			before = now
		}
	}
}

func (w *watchdog) state() (running, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.running) > 0, w.closed
}

// end reports whether the watch may end, which is decided under the lock that
// enter takes.
func (w *watchdog) end() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.running) > 0 {
		return false
	}
	w.watching = false
	return true
}

func (w *watchdog) stopGreediest(growth uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	var greediest *vm
	most := int64(watchGreedy)
	for v, b := range w.running {
		if used := b.Used(); used >= most && b.Err() == nil {
			greediest, most = v, used
		}
	}
	if greediest == nil {
		return false
	}
	w.running[greediest].Stop(fmt.Errorf("%w: the heap grew by %d MiB while scripts ran", lua51.ErrBytes, growth>>20))
	greediest.log.Warn("script stopped: it used most of the memory", slog.Uint64("heap_growth_bytes", growth))
	return true
}
