package transport

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// pipeListener hands out connections made by net.Pipe, which work on the clock of
// a synctest bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// overPipe returns both ends of a WebSocket connection in a bubble.
func overPipe(t *testing.T, o Options) (*websocket.Conn, *WebSocket, func()) {
	t.Helper()
	tr := New(o)
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	accepted := make(chan *WebSocket, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := tr.Upgrade(w, r, UpgradeOptions{})
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	})}
	go func() { _ = server.Serve(l) }() // until l is closed
	d := websocket.Dialer{Subprotocols: []string{jsonName}, NetDial: func(string, string) (net.Conn, error) {
		client, server := net.Pipe()
		l.conns <- server
		return client, nil
	}}
	ws, _, err := d.Dial("ws://pipe/", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := <-accepted
	return ws, c, func() {
		_ = ws.Close()
		c.Close(CloseNormal)
		<-c.Done()
		_ = server.Close()
	}
}

func TestSilentPeerIsPingedAndThenCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{PingInterval: 30 * time.Second, PingTimeout: 15 * time.Second}
		ws, c, end := overPipe(t, o)
		defer end()
		start := time.Now()
		pings := make(chan time.Time, 2)
		ws.SetPingHandler(func(string) error { pings <- time.Now(); return nil }) // no pong
		go func() { _, _, _ = ws.ReadMessage() }()                                // until the connection ends
		_, err := c.Read(nil)
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("Read: %v", err)
		}
		<-c.Done()
		tick := c.t.wheel.tick
		if d := (<-pings).Sub(start); d < o.PingInterval || d > o.PingInterval+2*tick {
			t.Errorf("pinged after %v, want %v", d, o.PingInterval)
		}
		if d := time.Since(start); d < o.PingInterval+o.PingTimeout || d > o.PingInterval+o.PingTimeout+4*tick {
			t.Errorf("cut after %v, want %v", d, o.PingInterval+o.PingTimeout)
		}
		if !strings.Contains(err.Error(), "no sign of life") {
			t.Errorf("Read: %v, want why", err)
		}
	})
}

func TestPeerThatAnswersPingsStays(t *testing.T) {
	for _, o := range []Options{{}, {PingInterval: 10 * time.Second, PingTimeout: time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			ws, c, end := overPipe(t, o)
			defer end()
			go func() { _, _, _ = ws.ReadMessage() }() // answers pings until the end
			go func() { _, _ = c.Read(nil) }()         // until the end
			time.Sleep(time.Hour)
			synctest.Wait()
			select {
			case <-c.Done():
				t.Errorf("%v, %v: the connection was cut", o.PingInterval, o.PingTimeout)
			default:
			}
		})
	}
}

func TestLivenessCanBeTurnedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, end := overPipe(t, Options{PingInterval: -1})
		defer end()
		go func() { _, _ = c.Read(nil) }() // until the end
		time.Sleep(time.Hour)
		select {
		case <-c.Done():
			t.Error("the connection was cut")
		default:
		}
	})
}

// TestWriteDeadlineIsPerBatch: a peer that reads nothing is cut after
// WriteTimeout, whatever liveness says.
func TestWriteDeadlineCutsPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, end := overPipe(t, Options{WriteTimeout: 10 * time.Second})
		defer end()
		go func() { _, _ = c.Read(nil) }() // until the end
		start := time.Now()
		send(t, c, event(t, c.Format(), 1, 10))
		<-c.Done()
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("cut after %v, want 10 s", d)
		}
		if n := c.t.Stats().SlowDisconnects; n != 1 {
			t.Errorf("%d slow disconnects, want 1", n)
		}
	})
}

func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, end := overPipe(t, Options{CloseTimeout: 3 * time.Second, WriteTimeout: time.Minute})
		defer end()
		send(t, c, event(t, c.Format(), 1, 10)) // a write that nobody takes
		start := time.Now()
		c.Close(CloseShutdown)
		<-c.Done()
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("closed after %v, want 3 s", d)
		}
	})
}
