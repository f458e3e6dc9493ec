package transport

import (
	"errors"
	"net"
	"testing"
	"time"

	"usher/router/wamp"
)

// stall sends to a peer that does not read until the queue is full.
func stall(t *testing.T, c Conn) {
	t.Helper()
	shared := NewShared(event(t, c.Format(), 1, 100_000))
	var b Batch
	for range 10_000 {
		err := c.SendShared(&b, shared)
		b.Flush()
		if errors.Is(err, ErrQueueFull) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("a gigabyte was taken for a peer that reads nothing")
}

func TestPeerThatStopsReadingIsCut(t *testing.T) {
	e := listen(t, Options{QueueBytes: 1 << 20, WriteTimeout: 100 * time.Millisecond, CloseTimeout: 100 * time.Millisecond})
	_, c := e.raw(cborName)
	stall(t, c)
	if err := readError(t, c); !errors.Is(err, ErrClosed) && !isTimeout(err) {
		t.Errorf("Read: %v", err)
	}
	c.Close(CloseNormal)
	<-c.Done()
	if s := e.transport.Stats(); s.SlowDisconnects != 1 || s.DroppedBytes == 0 || s.Connections != 0 {
		t.Errorf("stats are %+v, want one slow disconnect, dropped bytes and no connection", s)
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout() || errors.Is(err, net.ErrClosed)
}

func TestSlowConsumerIsClosedInTime(t *testing.T) {
	e := listen(t, Options{QueueBytes: 1 << 20, CloseTimeout: 100 * time.Millisecond})
	_, c := e.raw(cborName)
	stall(t, c)
	c.Close(CloseSlow)
	c.mu.Lock()
	waits := !c.out.queue.empty()
	c.mu.Unlock()
	if waits { // it would only be in the way of the close frame
		t.Error("what was not begun waits on")
	}
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("the connection did not end")
	}
	if s := e.transport.Stats(); s.SlowDisconnects != 1 {
		t.Errorf("stats are %+v, want one slow disconnect", s)
	}
}

func TestStalledPeerHoldsNobodyUp(t *testing.T) {
	e := listen(t, Options{QueueBytes: 1 << 20, CloseTimeout: 100 * time.Millisecond})
	_, stalled := e.raw(cborName)
	stall(t, stalled)
	client, server := e.dial(cborName)
	var b Batch
	for n := range 100 {
		shared := NewShared(event(t, wamp.CBOR, n+1, 100))
		_ = stalled.SendShared(&b, shared) // full or not
		if err := server.SendShared(&b, shared); err != nil {
			t.Fatal(err)
		}
		b.Flush()
		if got := receive(t, client); got != n+1 {
			t.Fatalf("received %d, want %d", got, n+1)
		}
	}
}

func TestPeerThatReadsAgainGetsEverything(t *testing.T) {
	e := listen(t, Options{QueueBytes: 64 << 20})
	client, server := e.dial(cborName)
	const count = 300
	var b Batch
	for n := range count {
		if err := server.Send(&b, event(t, wamp.CBOR, n+1, 50_000)); err != nil {
			t.Fatal(err)
		}
		b.Flush()
	}
	for n := range count {
		if got := receive(t, client); got != n+1 {
			t.Fatalf("received %d, want %d", got, n+1)
		}
	}
	// The goroutine that wrote for it ends, and writing goes on without it.
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		server.mu.Lock()
		writing := server.writing
		server.mu.Unlock()
		if !writing {
			break
		}
		if time.Since(start) > patience {
			t.Fatal("the writer did not end")
		}
	}
	send(t, server, event(t, wamp.CBOR, 7, 1))
	if got := receive(t, client); got != 7 {
		t.Errorf("received %d, want 7", got)
	}
}
