package transport

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usher/router/wamp"
)

// rawOverPipe returns both ends of a RawSocket in a bubble. The peer's frames go to
// seen, until the end.
func rawOverPipe(t *testing.T, o Options, ping bool) (peer net.Conn, c *RawSocket, seen chan byte) {
	t.Helper()
	client, server := net.Pipe()
	accepted := make(chan *RawSocket)
	tr := New(o)
	go func() { // ends with the handshake
		c, err := tr.AcceptRawSocket(server, RawSocketOptions{Ping: ping})
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	p := &rawPeer{t, client}
	p.write(RawSocketMagic, 0xf1, 0, 0)
	p.read(4)
	c = <-accepted
	seen = make(chan byte, 1000)
	go func() { // until the end
		for {
			var prefix [prefixSize]byte
			if _, err := io.ReadFull(client, prefix[:]); err != nil {
				return
			}
			kind, n, _ := parsePrefix(prefix[:])
			_, _ = io.CopyN(io.Discard, client, int64(n))
			seen <- kind
		}
	}()
	return client, c, seen
}

func TestSilentRawPeer(t *testing.T) {
	for name, test := range map[string]struct {
		ping  bool
		sends []byte // at first
		cut   bool
	}{
		"pinged from the start":        {true, nil, true},
		"pinged as it has pinged":      {false, rawFrame(rawPing, "x"), true},
		"pinged as it has sent a pong": {false, rawFrame(rawPong, ""), true},
		"may know no pings":            {false, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{PingInterval: 30 * time.Second, PingTimeout: 15 * time.Second}
				peer, c, seen := rawOverPipe(t, o, test.ping)
				defer func() { _ = peer.Close(); end(t, c) }()
				start := time.Now()
				failed := make(chan error, 1)
				go func() { // until the end
					_, err := c.Read(nil)
					failed <- err
				}()
				if test.sends != nil {
					if _, err := peer.Write(test.sends); err != nil {
						t.Fatal(err)
					}
				}
				if !test.cut {
					time.Sleep(time.Hour)
					select {
					case kind := <-seen:
						t.Errorf("it was sent a frame of type %d", kind)
					case <-c.Done():
						t.Error("the connection was cut")
					default:
					}
					return
				}
				err := <-failed
				if !strings.Contains(err.Error(), "no sign of life") {
					t.Errorf("Read: %v, want why", err)
				}
				tick := c.t.wheel.tick
				if d := time.Since(start); d < o.PingInterval+o.PingTimeout || d > o.PingInterval+o.PingTimeout+4*tick {
					t.Errorf("cut after %v, want %v", d, o.PingInterval+o.PingTimeout)
				}
				pings := 0
				for len(seen) > 0 {
					if <-seen == rawPing {
						pings++
					}
				}
				if pings != 1 {
					t.Errorf("%d pings, want 1", pings)
				}
			})
		})
	}
}

func TestRawPeerThatAnswersPingsStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, c, seen := rawOverPipe(t, Options{}, true)
		defer func() { _ = peer.Close(); end(t, c) }()
		go func() { _, _ = c.Read(nil) }() // until the end
		for range 100 {
			if kind := <-seen; kind != rawPing {
				t.Fatalf("a frame of type %d, want a ping", kind)
			}
			if _, err := peer.Write(rawFrame(rawPong, "")); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRawWriteDeadlineCutsPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe() // nobody reads
		defer client.Close()
		tr := New(Options{WriteTimeout: 10 * time.Second})
		c := tr.startRawSocket(server, false, wamp.JSON, 1<<20, 1<<20, false)
		go func() { _, _ = c.Read(nil) }() // until the end
		start := time.Now()
		send(t, c, event(t, c.Format(), 1, 10))
		<-c.Done()
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("cut after %v, want 10 s", d)
		}
		if n := tr.Stats().SlowDisconnects; n != 1 {
			t.Errorf("%d slow disconnects, want 1", n)
		}
	})
}

func TestRawCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		tr := New(Options{CloseTimeout: 3 * time.Second, WriteTimeout: time.Minute})
		c := tr.startRawSocket(server, false, wamp.JSON, 1<<20, 1<<20, false)
		send(t, c, event(t, c.Format(), 1, 10)) // a write that nobody takes
		start := time.Now()
		c.Close(CloseShutdown)
		<-c.Done()
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("closed after %v, want 3 s", d)
		}
	})
}

// TestRawPeerThatTalksOn after it was told to go is read for a while, so that it
// hears why, and then cut.
func TestRawPeerThatTalksOn(t *testing.T) {
	for _, kind := range rawKinds {
		e := listenRaw(t, Options{CloseTimeout: 50 * time.Millisecond}, kind, RawSocketOptions{})
		p, c := e.raw(wamp.JSON, 15)
		talk := rawFrame(rawMessage, strings.Repeat("x", 1000))
		ended := make(chan struct{})
		go func() { // until the connection ends
			defer close(ended)
			for {
				if _, err := p.Write(talk); err != nil {
					return
				}
			}
		}()
		c.Close(CloseNormal)
		done(t, c)
		<-ended
		if n := e.transport.Stats().Connections; n != 0 {
			t.Errorf("%s: %d connections, want none", kind, n)
		}
	}
}

func TestStalledRawPeer(t *testing.T) {
	for _, kind := range rawKinds {
		t.Run(kind, func(t *testing.T) {
			e := listenRaw(t, Options{QueueBytes: 1 << 20, WriteTimeout: 100 * time.Millisecond, CloseTimeout: 100 * time.Millisecond}, kind, RawSocketOptions{})
			_, c := e.raw(wamp.CBOR, 15)
			// A writer that is slow fills the queue as well: only its end shows that the
			// peer was the cause.
			shared := NewShared(event(t, wamp.CBOR, 1, 100_000))
			var b Batch
			for start := time.Now(); !isOver(c); b.Flush() {
				if err := c.SendShared(&b, shared); errors.Is(err, ErrQueueFull) {
					time.Sleep(time.Millisecond)
				}
				if time.Since(start) > patience {
					t.Fatal("a peer that reads nothing was not cut")
				}
			}
			if err := readError(t, c); !errors.Is(err, ErrClosed) && !isTimeout(err) {
				t.Errorf("Read: %v", err)
			}
			c.Close(CloseNormal)
			done(t, c)
			if s := e.transport.Stats(); s.SlowDisconnects != 1 || s.DroppedBytes == 0 || s.Connections != 0 {
				t.Errorf("stats are %+v, want one slow disconnect, dropped bytes and no connection", s)
			}
		})
	}
}

// isOver reports whether a connection has ended.
func isOver(c Conn) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// TestManyHalfOpenRawSockets hold nobody up.
func TestManyHalfOpenRawSockets(t *testing.T) {
	e := listenRaw(t, Options{}, "tcp", RawSocketOptions{})
	for range 100 {
		e.connect().write(RawSocketMagic)
	}
	client, server := e.dial(wamp.JSON)
	send(t, client, event(t, wamp.JSON, 7, 10))
	if n := receive(t, server); n != 7 {
		t.Errorf("received %d, want 7", n)
	}
}
