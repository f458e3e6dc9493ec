package transport

import (
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"usher/router/codec"
	"usher/router/wamp"
)

func TestMessagesArriveInOrder(t *testing.T) {
	const count = 500
	// Sizes around every border of a frame's header and of a buffer.
	sizes := []int{0, 1, 60, 90, 100, 110, 125, 126, 127, 1900, 2048, 8100, 16 << 10, 65400, 65535, 65536, 70000, 200000}
	eachLink(t, Options{QueueBytes: 64 << 20}, func(t *testing.T, client, server Conn) {
		for _, way := range []struct{ from, to Conn }{{client, server}, {server, client}} {
			var wg sync.WaitGroup
			wg.Go(func() {
				var b Batch
				for i := range count {
					size := i % 200
					if i < len(sizes) {
						size = sizes[i]
					}
					m := event(t, way.from.Format(), i+1, size)
					var err error
					if i%3 == 0 {
						err = way.from.SendShared(&b, NewShared(m))
					} else {
						err = way.from.Send(&b, m)
					}
					if err != nil {
						t.Errorf("message %d: %v", i+1, err)
					}
					if i%7 == 0 {
						b.Flush()
					}
				}
				b.Flush()
			})
			for i := range count {
				if n := receive(t, way.to); n != i+1 {
					t.Fatalf("received %d, want %d", n, i+1)
				}
			}
			wg.Wait()
		}
	})
}

func TestSendWithoutBatchIsWrittenSoon(t *testing.T) {
	eachLink(t, Options{}, func(t *testing.T, client, server Conn) {
		if err := server.Send(nil, event(t, server.Format(), 1, 10)); err != nil {
			t.Fatal(err)
		}
		if n := receive(t, client); n != 1 {
			t.Errorf("received %d", n)
		}
	})
}

func TestReadFlushesBeforeItWaits(t *testing.T) {
	eachLink(t, Options{}, func(t *testing.T, client, server Conn) {
		done := make(chan error, 1)
		go func() { // ends with the connection
			var b Batch
			if err := server.Send(&b, event(t, server.Format(), 1, 10)); err != nil {
				t.Error(err)
			}
			_, err := server.Read(&b)
			done <- err
		}()
		if n := receive(t, client); n != 1 {
			t.Errorf("received %d", n)
		}
		client.Close(CloseNormal)
		if err := <-done; !errors.Is(err, io.EOF) {
			t.Errorf("after the client's close: %v", err)
		}
	})
}

func TestWhatWasSentBeforeCloseArrives(t *testing.T) {
	const count = 200
	eachLink(t, Options{}, func(t *testing.T, client, server Conn) {
		var b Batch
		for i := range count {
			if err := server.Send(&b, event(t, server.Format(), i+1, 4000)); err != nil {
				t.Fatal(err)
			}
		}
		// The other side has sent as well, and nobody reads it: a plain close would
		// reset the connection.
		send(t, client, event(t, client.Format(), 1, 30000))
		server.Close(CloseNormal)
		b.Flush()
		for i := range count {
			if n := receive(t, client); n != i+1 {
				t.Fatalf("received %d, want %d", n, i+1)
			}
		}
		if err := readError(t, client); !errors.Is(err, io.EOF) {
			t.Errorf("after the last message: %v, want io.EOF", err)
		}
		client.Close(CloseNormal)
		for _, c := range []Conn{client, server} {
			select {
			case <-c.Done():
			case <-time.After(patience):
				t.Fatal("the connection did not end")
			}
		}
	})
}

func TestCloseEndsReadAndSend(t *testing.T) {
	eachLink(t, Options{CloseTimeout: time.Second}, func(t *testing.T, client, server Conn) {
		waiting := make(chan error, 1)
		go func() { // ends with the connection
			_, err := server.Read(nil)
			waiting <- err
		}()
		server.Close(CloseShutdown)
		server.Close(CloseSlow) // has no effect
		if err := <-waiting; !errors.Is(err, ErrClosed) {
			t.Errorf("Read: %v, want ErrClosed", err)
		}
		if _, err := server.Read(nil); !errors.Is(err, ErrClosed) {
			t.Errorf("second Read: %v, want ErrClosed", err)
		}
		if err := server.Send(nil, event(t, server.Format(), 1, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("Send: %v, want ErrClosed", err)
		}
		if err := server.SendShared(nil, NewShared(event(t, server.Format(), 1, 1))); !errors.Is(err, ErrClosed) {
			t.Errorf("SendShared: %v, want ErrClosed", err)
		}
		if err := readError(t, client); err == nil {
			t.Error("the peer noticed nothing")
		}
	})
}

func TestReadDeadlineOfALogin(t *testing.T) {
	eachLink(t, Options{}, func(t *testing.T, client, server Conn) {
		server.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		for range 2 {
			if _, err := server.Read(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Read: %v, want os.ErrDeadlineExceeded", err)
			}
		}
		// The peer can still be told why.
		send(t, server, event(t, server.Format(), 7, 10))
		server.Close(CloseTimeout)
		if n := receive(t, client); n != 7 {
			t.Errorf("received %d", n)
		}
	})
}

func TestFullQueue(t *testing.T) {
	const bound = 20000
	eachLink(t, Options{QueueBytes: bound}, func(t *testing.T, client, server Conn) {
		var b Batch // not flushed: everything waits
		n, err := fillQueue(t, server, &b)
		if !errors.Is(err, ErrQueueFull) || n < bound/1200-1 || n > bound/1000 {
			t.Fatalf("%d messages, then %v, want ErrQueueFull at about %d", n, err, bound/1000)
		}
		if err := server.SendShared(&b, NewShared(event(t, server.Format(), n, 1000))); !errors.Is(err, ErrQueueFull) {
			t.Errorf("SendShared: %v, want ErrQueueFull", err)
		}
		if err := server.Send(&b, &wamp.Interrupt{Request: 1, Mode: wamp.CancelKill}); err != nil {
			t.Errorf("INTERRUPT: %v, but it is queued whatever waits", err)
		}
		b.Flush()
		expectFilled(t, client, n, wamp.TypeInterrupt)
		// There is room again, as soon as the writer has counted what was read.
		for start := time.Now(); time.Since(start) < patience; time.Sleep(time.Millisecond) {
			if err = server.Send(nil, event(t, server.Format(), 9, 1000)); err == nil {
				break
			}
		}
		if got := receive(t, client); got != 9 {
			t.Errorf("received %d", got)
		}
		n, _ = fillQueue(t, server, &b)
		if err := server.Send(&b, &wamp.Goodbye{Reason: wamp.CloseSystemShutdown}); err != nil {
			t.Errorf("GOODBYE: %v, but it is queued whatever waits", err)
		}
		b.Flush()
		expectFilled(t, client, n, wamp.TypeGoodbye)
	})
}

// What is written at a time ends with a whole frame, or a ping would come within one.
func TestTakeOfWholeFrames(t *testing.T) {
	m := make([]byte, copyBelow) // is referred to
	for _, s := range []subprotocol{{format: wamp.JSON}, {format: wamp.JSON, batched: true}, {format: wamp.CBOR, batched: true}} {
		for name, appendTo := range map[string]func(*queue) error{
			"plain":      func(q *queue) error { return q.appendEncoded(m) },
			"compressed": func(q *queue) error { return q.appendDeflated(m, 2*len(m)) },
		} {
			q := queue{buffers: &New(Options{}).buffers, sub: s, opcode: opText, sep: codec.SeparatorJSON, limit: 1 << 20}
			for range 2 {
				if err := appendTo(&q); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 2 {
				taken := q.take(nil, 1)
				n := 0
				for _, segment := range taken {
					n += len(segment.b)
				}
				if header, size := frameSize(taken[0].b); n != header+size {
					t.Errorf("%s, %s: take %d has %d bytes of a frame of %d", s, name, i+1, n, header+size)
				}
			}
			if !q.empty() {
				t.Errorf("%s, %s: more waits", s, name)
			}
		}
	}
}

// fillQueue sends events 1, 2, 3 and so on until one fails, and returns how many
// did not.
func fillQueue(t *testing.T, c Conn, b *Batch) (n int, err error) {
	t.Helper()
	for n < 1000 {
		if err = c.Send(b, event(t, c.Format(), n+1, 1000)); err != nil {
			break
		}
		n++
	}
	return n, err
}

// expectFilled reads what fillQueue sent, and a message of type last behind it.
func expectFilled(t *testing.T, c Conn, n int, last wamp.MessageType) {
	t.Helper()
	for i := range n {
		if got := receive(t, c); got != i+1 {
			t.Fatalf("received %d, want %d", got, i+1)
		}
	}
	c.SetReadDeadline(time.Now().Add(patience))
	data, err := c.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	var d codec.Decoder
	if m, err := d.Decode(c.Format(), data); err != nil || m.Type() != last {
		t.Errorf("then came %v, %v, want %s", m, err, last)
	}
}

func TestNothingBehindTheLastMessage(t *testing.T) {
	for _, last := range []wamp.Message{&wamp.Goodbye{Reason: wamp.CloseSystemShutdown}, &wamp.Abort{Reason: wamp.ErrNoSuchRealm}} {
		t.Run(last.Type().String(), func(t *testing.T) {
			eachLink(t, Options{}, func(t *testing.T, client, server Conn) {
				var b Batch
				if err := server.Send(&b, event(t, server.Format(), 1, 10)); err != nil {
					t.Fatal(err)
				}
				if err := server.Send(&b, last); err != nil {
					t.Fatal(err)
				}
				late := event(t, server.Format(), 2, 10)
				if err := server.Send(&b, late); !errors.Is(err, ErrClosed) {
					t.Errorf("Send behind it: %v, want ErrClosed", err)
				}
				if err := server.SendShared(&b, NewShared(late)); !errors.Is(err, ErrClosed) {
					t.Errorf("SendShared behind it: %v, want ErrClosed", err)
				}
				b.Flush()
				expectFilled(t, client, 1, last.Type())
				server.Close(CloseNormal)
				client.SetReadDeadline(time.Now().Add(patience))
				if data, err := client.Read(nil); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("then came %q, %v, want the end", data, err)
				}
			})
		})
	}
}

func TestMessageThatCannotBeEncoded(t *testing.T) {
	eachLink(t, Options{}, func(t *testing.T, client, server Conn) {
		// A map with a key that is no string has no form in JSON and WAMP.
		other := wamp.CBOR
		if server.Format() == wamp.CBOR {
			other = wamp.MessagePack
		}
		bad := &wamp.Event{Subscription: 1, Publication: 1, Payload: wamp.Payload{Format: other, Args: map[wamp.Format][]byte{
			wamp.CBOR: {0x81, 0xa1, 0x01, 0x02}, wamp.MessagePack: {0x91, 0x81, 0x01, 0x02},
		}[other]}}
		var b Batch
		if err := server.Send(&b, bad); err == nil {
			t.Fatal("Send took it")
		}
		if err := server.SendShared(&b, NewShared(bad)); err == nil {
			t.Fatal("SendShared took it")
		}
		send(t, server, event(t, server.Format(), 3, 10)) // nothing of it is left
		if n := receive(t, client); n != 3 {
			t.Errorf("received %d, want 3", n)
		}
	})
}

func TestOversizedMessageIsRefused(t *testing.T) {
	eachLink(t, Options{MaxMessageSize: 5000, CloseTimeout: time.Second}, func(t *testing.T, client, server Conn) {
		send(t, client, event(t, client.Format(), 1, 4000))
		if n := receive(t, server); n != 1 {
			t.Errorf("received %d", n)
		}
		if _, ok := client.(*RawSocket); ok { // knows what the server takes, and so does not send it
			if err := client.Send(nil, event(t, client.Format(), 2, 6000)); !errors.Is(err, ErrTooLarge) {
				t.Errorf("Send: %v, want ErrTooLarge", err)
			}
			send(t, client, event(t, client.Format(), 3, 10))
			if n := receive(t, server); n != 3 {
				t.Errorf("received %d, want 3", n)
			}
			return
		}
		send(t, client, event(t, client.Format(), 2, 6000))
		if err := readError(t, server); errors.Is(err, io.EOF) {
			t.Errorf("Read: %v", err)
		}
	})
}
