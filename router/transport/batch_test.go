package transport

import "testing"

// flushed counts how often it is flushed.
type flushed struct {
	n  int
	by flushers
}

func (f *flushed) flush()             { f.n++ }
func (f *flushed) helpers() *flushers { return &f.by }

// TestBatchKeepsRoom: for as many connections as most publishers reach, not for
// those of one large fan-out.
func TestBatchKeepsRoom(t *testing.T) {
	var b Batch
	b.Flush()
	for _, c := range []struct {
		connections int
		isKept      bool
	}{{10, true}, {keptDirty / 2, true}, {2 * keptDirty, false}, {10, true}} {
		f := new(flushed)
		for range c.connections {
			b.dirty = append(b.dirty, f)
		}
		b.Flush()
		if want := min(c.connections, inlineFlushes); f.n != want {
			t.Errorf("%d of %d were flushed at once, want %d", f.n, c.connections, want)
		}
		if isKept := cap(b.dirty) > 0; len(b.dirty) != 0 || isKept != c.isKept {
			t.Errorf("after %d connections: room for %d", c.connections, cap(b.dirty))
		}
	}
}
