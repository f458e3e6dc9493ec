package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"usher/router/wamp"
)

// stream is a Conn over a socket, of either side, but for what differs between
// WebSocket and RawSocket: those embed it.
//
// Its reader is the goroutine that calls Read. Its write side belongs to whoever
// set writing: a goroutine that flushes, or one of the two that the connection
// starts itself. write blocks where the peer is slow and ends when nothing waits;
// finish ends the connection. Both wait no longer than the options say.
type stream struct {
	t       *Transport
	nc      net.Conn
	raw     syscall.RawConn // for input and output without waiting; nil: not possible
	sub     subprotocol
	frame   framing
	deflate *deflation // nil: messages are not compressed
	done    chan struct{}

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
	final   bool      // the last message was sent: see isFinal
	queued  bool      // in somebody's Batch, or left to the flushers
	writing bool      // somebody owns the write side

	wheelLink
}

// framing is the reading half of the protocol on a stream. Its methods are called
// by whoever holds inbound.mu.
type framing interface {
	// read returns the payload of the next message, or what Read is to say. In a
	// batched subprotocol it is the whole batch. inbound.failed is not set yet.
	read() ([]byte, error)
	// failure is what Read says for inbound.failed.
	failure() error
	// part lets the peer have its last word, by closeBy.
	part()
}

// state is how far a connection has come.
type state uint8

const (
	stateOpen    state = iota
	stateClosing       // Close was called: what waits is written, nothing more is taken
	stateClosed        // the socket is closed
)

// init makes a stream over nc that is not started.
func (c *stream) init(t *Transport, nc net.Conn, client bool) {
	c.t, c.nc, c.done = t, nc, make(chan struct{})
	c.raw = rawConn(nc)
	c.bindRaw()
	c.in.client = client
}

// start makes c a Conn, after the handshake: q and f are for the protocol spoken.
func (c *stream) start(s subprotocol, q queue, f framing) {
	q.buffers, q.sub, q.limit = &c.t.buffers, s, c.t.options.QueueBytes
	c.sub, c.frame, c.out.queue = s, f, q
	c.in.started = true
	if c.raw == nil {
		c.in.idle = &buffer{make([]byte, 0, idleBuffer)}
	}
	c.t.counters.connections.Add(1)
	c.in.lastRead.Store(c.t.wheel.now())
}

// Format implements Conn.
func (c *stream) Format() wamp.Format { return c.sub.format }

// Subprotocol returns the name of the subprotocol in use, e.g. "wamp.2.json".
func (c *stream) Subprotocol() string { return c.sub.String() }

// Done implements Conn.
func (c *stream) Done() <-chan struct{} { return c.done }

// Send implements Conn.
func (c *stream) Send(b *Batch, m wamp.Message) error {
	c.mu.Lock()
	if c.state != stateOpen || c.final {
		c.mu.Unlock()
		return ErrClosed
	}
	err := c.out.queue.append(m)
	c.final = err == nil && isFinal(m)
	return c.sent(b, err)
}

// SendShared implements Conn.
func (c *stream) SendShared(b *Batch, m *Shared) error {
	encoded, err := m.in(c.sub.format)
	if err != nil {
		return err
	}
	var deflated []byte
	if c.deflate != nil {
		deflated = m.deflated(c.t, c.sub.format, c.deflate)
	}
	c.mu.Lock()
	if c.state != stateOpen || c.final {
		c.mu.Unlock()
		return ErrClosed
	}
	if deflated != nil {
		err = c.out.queue.appendDeflated(deflated, len(encoded))
	} else {
		err = c.out.queue.appendEncoded(encoded)
	}
	return c.sent(b, err)
}

// sent unlocks c and sees to it that it is flushed.
func (c *stream) sent(b *Batch, err error) error {
	flush := err == nil && !c.queued
	if flush {
		c.queued = true
	}
	c.mu.Unlock()
	if flush {
		b.add(c)
	}
	return err
}

// Close implements Conn.
func (c *stream) Close(reason CloseReason) {
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
	if !c.out.queue.prefixed {
		c.closing = closePayload(code, text)
	}
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
func (c *stream) die(err error) {
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
	if !errors.Is(err, ErrClosed) {
		_ = below(c.nc).Close()
	}
	_ = c.nc.Close()
	close(c.done)
}

// below is the socket under nc, or nc itself. TLS says that it is being closed and
// waits 5 s for a peer that does not read: closing what is below spares that.
func below(nc net.Conn) net.Conn {
	if outer, ok := nc.(interface{ NetConn() net.Conn }); ok {
		return below(outer.NetConn())
	}
	return nc
}

// TLS is what was agreed on c as a client; nil: it is plain.
func (c *stream) TLS() *tls.ConnectionState {
	secure, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	state := secure.ConnectionState()
	return &state
}

// SetReadDeadline implements Conn.
func (c *stream) SetReadDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == stateOpen {
		_ = c.nc.SetReadDeadline(t)
	}
}

// past is a deadline that has passed.
func past() time.Time { return time.Unix(1, 0) }

// ping asks the peer for a sign of life.
func (c *stream) ping() {
	c.mu.Lock()
	c.out.pingDue = true
	c.mu.Unlock()
	c.flush()
}

// idleFor is how long nothing has been read, on the wheel's clock.
func (c *stream) idleFor(now int64) time.Duration {
	return time.Duration(now - c.in.lastRead.Load())
}
