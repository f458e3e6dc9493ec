package transport

import (
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"usher/router/codec"
	"usher/router/wamp"
)

// WebSocket is a Conn over a WebSocket, of either side.
//
// Its reader is the goroutine that calls Read. Its write side belongs to whoever
// set writing: a goroutine that flushes, or one of the two that the connection
// starts itself. write blocks where the peer is slow and ends when nothing waits;
// finish ends the connection. Both wait no longer than the options say.
type WebSocket struct {
	t    *Transport
	nc   net.Conn
	raw  syscall.RawConn // for input and output without waiting; nil: not possible
	ws   *websocket.Conn // its reading half
	sub  subprotocol
	done chan struct{}

	in  inbound
	out outbound
	io  rawIO

	mu      sync.Mutex // guards what follows, out.queue and out.pong
	state   state
	reason  error     // what Read says once state is not open
	status  uint16    // close code of what the peer did wrong or said; 0: none
	why     string    // its text
	closing []byte    // payload of the close frame to send
	closeBy time.Time // end of all waiting once closing
	queued  bool      // in somebody's Batch, or left to the flushers
	writing bool      // somebody owns the write side

	wheelLink
}

var _ Conn = (*WebSocket)(nil)

// state is how far a connection has come.
type state uint8

const (
	stateOpen    state = iota
	stateClosing       // Close was called: what waits is written, nothing more is taken
	stateClosed        // the socket is closed
)

// newWebSocket returns a connection over nc that is not started.
func (t *Transport) newWebSocket(nc net.Conn, client bool) *WebSocket {
	c := &WebSocket{t: t, nc: nc, done: make(chan struct{})}
	c.raw = rawConn(nc)
	c.bindRaw()
	c.in.client = client
	return c
}

// start makes c a Conn, after the handshake.
func (c *WebSocket) start(ws *websocket.Conn, s subprotocol) {
	c.ws, c.sub = ws, s
	c.in.started = true
	c.out.queue = queue{buffers: &c.t.buffers, sub: s, masked: c.in.client, opcode: opBinary, sep: codec.SeparatorJSON, limit: c.t.options.QueueBytes}
	if s.format == wamp.JSON {
		c.out.queue.opcode = opText
	}
	ws.SetReadLimit(int64(c.t.options.MaxMessageSize))
	ws.SetPingHandler(c.pong)
	ws.SetPongHandler(func(string) error { return nil })
	ws.SetCloseHandler(func(int, string) error { return nil })
	c.t.counters.connections.Add(1)
	c.in.lastRead.Store(c.t.wheel.now())
	c.t.wheel.add(c)
}

// Format implements Conn.
func (c *WebSocket) Format() wamp.Format { return c.sub.format }

// Subprotocol returns the name of the subprotocol in use.
func (c *WebSocket) Subprotocol() string { return c.sub.String() }

// Done implements Conn.
func (c *WebSocket) Done() <-chan struct{} { return c.done }

// Send implements Conn.
func (c *WebSocket) Send(b *Batch, m wamp.Message) error {
	c.mu.Lock()
	if c.state != stateOpen {
		c.mu.Unlock()
		return ErrClosed
	}
	err := c.out.queue.append(m)
	return c.sent(b, err)
}

// SendShared implements Conn.
func (c *WebSocket) SendShared(b *Batch, m *Shared) error {
	encoded, err := m.in(c.sub.format)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.state != stateOpen {
		c.mu.Unlock()
		return ErrClosed
	}
	err = c.out.queue.appendEncoded(encoded)
	return c.sent(b, err)
}

// sent unlocks c and sees to it that it is flushed.
func (c *WebSocket) sent(b *Batch, err error) error {
	flush := err == nil && !c.queued
	if flush {
		c.queued = true
	}
	c.mu.Unlock()
	if flush {
		if b != nil {
			b.dirty = append(b.dirty, c)
		} else {
			c.t.flushers.add([]flusher{c})
		}
	}
	return err
}

// Close implements Conn.
func (c *WebSocket) Close(reason CloseReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != stateOpen {
		return
	}
	code, text := reason.status(), reason.String()
	if c.status != 0 {
		code, text = c.status, c.why
	}
	c.state = stateClosing
	if c.reason == nil {
		c.reason = fmt.Errorf("%w: %s", ErrClosed, reason)
	}
	c.closing = closePayload(code, text)
	c.closeBy = time.Now().Add(c.t.options.CloseTimeout)
	if reason == CloseSlow {
		c.t.counters.slow.Add(1)
		c.t.counters.dropped.Add(int64(c.out.queue.drop()))
	}
	c.in.ended.Store(true)
	if c.in.mu.TryLock() {
		c.in.mu.Unlock() // no Read is under way, and the next sees ended
	} else {
		_ = c.nc.SetReadDeadline(past()) // the reader gives way to finish
	}
	if c.writing {
		// Whoever writes will finish. A write that is under way ends in time.
		_ = c.nc.SetWriteDeadline(c.closeBy)
		return
	}
	c.writing = true
	go c.finish()
}

// die ends the connection at once: the peer is gone or does not read.
func (c *WebSocket) die(err error) {
	c.mu.Lock()
	if c.state == stateClosed {
		c.mu.Unlock()
		return
	}
	c.state = stateClosed
	if c.reason == nil {
		c.reason = err
	}
	dropped := c.out.queue.drop() + c.out.queue.bytes
	c.mu.Unlock()
	c.t.counters.dropped.Add(int64(dropped))
	c.t.counters.connections.Add(-1)
	c.t.wheel.remove(c)
	_ = c.nc.Close()
	close(c.done)
}

// SetReadDeadline implements Conn.
func (c *WebSocket) SetReadDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == stateOpen {
		_ = c.nc.SetReadDeadline(t)
	}
}

// past is a deadline that has passed.
func past() time.Time { return time.Unix(1, 0) }

// pong answers a ping. Of several that wait only the last is answered, as RFC
// 6455, section 5.5.3, allows: pings cannot fill the queue.
func (c *WebSocket) pong(data string) error {
	c.mu.Lock()
	c.out.pong = append(c.out.pong[:0], data...)
	c.out.pongDue = true
	if c.state != stateOpen {
		c.mu.Unlock()
		return nil
	}
	return c.sent(c.in.batch, nil)
}

// ping asks the peer for a sign of life.
func (c *WebSocket) ping() {
	c.mu.Lock()
	c.out.pingDue = true
	c.mu.Unlock()
	c.flush()
}

// idleFor is how long nothing has been read, on the wheel's clock.
func (c *WebSocket) idleFor(now int64) time.Duration {
	return time.Duration(now - c.in.lastRead.Load())
}
