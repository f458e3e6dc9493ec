package transport

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

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
			b.add(f)
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

// held is a connection that a flusher is stuck in until it is let go.
type held struct {
	flushed
	begun atomic.Int32
	let   chan struct{}
}

func (h *held) flush() {
	h.begun.Add(1)
	<-h.let
}

// TestFlushersAreBounded: however many connections wait, and however long one takes.
func TestFlushersAreBounded(t *testing.T) {
	f := flushers{max: 2}
	h := &held{let: make(chan struct{})}
	const connections = 10 * inlineFlushes
	list := make([]flusher, connections)
	for i := range list {
		list[i] = h
	}
	f.add(list[:connections/2])
	f.add(list[connections/2:])
	f.mu.Lock()
	running := f.running
	f.mu.Unlock()
	if running != 2 {
		t.Errorf("%d run, want 2", running)
	}
	for range connections {
		h.let <- struct{}{}
	}
	if n := h.begun.Load(); n != connections {
		t.Errorf("%d were flushed, want %d", n, connections)
	}
}

// TestReaderFlushesWhereMoreAlwaysComes: what a peer that never pauses has caused
// does not wait until it does.
func TestReaderFlushesWhereMoreAlwaysComes(t *testing.T) {
	for _, size := range []int{1000, 1_000_000} {
		p, c := listen(t, Options{}).raw(jsonName)
		flood := bytes.Repeat(frame(0x80|opText, strings.Repeat("x", size)), 4<<20/size)
		written := make(chan struct{})
		go func() { // until the connection ends, at the latest
			defer close(written)
			_, _ = p.UnderlyingConn().Write(flood)
		}()
		select { // or the reader would have to wait, and then flush anyway
		case <-written:
		case <-time.After(100 * time.Millisecond):
		}
		f := new(flushed)
		b := Batch{dirty: []flusher{f}}
		for read := 0; f.n == 0; {
			data, err := c.Read(&b)
			if err != nil {
				t.Fatal(err)
			}
			if read += len(data); f.n == 0 && read > 8*maxUnflushed {
				t.Fatalf("messages of %d: %d bytes were read, and nothing was flushed", size, read)
			}
		}
		c.Close(CloseNormal)
		<-written
	}
}
