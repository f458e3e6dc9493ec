package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"usher/router/codec"
	"usher/router/wamp"
)

// WebSocket is a Conn over a WebSocket, of either side.
type WebSocket struct {
	stream
	ws *websocket.Conn // its reading half
}

var _ Conn = (*WebSocket)(nil)

// newWebSocket returns a connection over nc that is not started.
func (t *Transport) newWebSocket(nc net.Conn, client bool) *WebSocket {
	c := new(WebSocket)
	c.init(t, nc, client)
	return c
}

// start makes c a Conn, after the handshake.
func (c *WebSocket) start(ws *websocket.Conn, s subprotocol) {
	c.ws = ws
	ws.SetReadLimit(int64(c.t.options.MaxMessageSize))
	ws.SetPingHandler(c.pong)
	ws.SetPongHandler(func(string) error { return nil })
	ws.SetCloseHandler(func(int, string) error { return nil })
	q := queue{masked: c.in.client, opcode: opBinary, sep: codec.SeparatorJSON}
	if s.format == wamp.JSON {
		q.opcode = opText
	}
	c.stream.start(s, q, c)
	c.t.wheel.add(&c.stream)
}

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

// read implements framing.
func (c *WebSocket) read() ([]byte, error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return nil, c.readFailed(err)
	}
	want := websocket.BinaryMessage
	if c.sub.format == wamp.JSON {
		want = websocket.TextMessage
	}
	if kind != want {
		return nil, c.broken(statusUnsupported, fmt.Sprintf("wrong kind of frame for %s", c.sub))
	}
	b := c.t.buffers.get(smallBuffer)
	for {
		if len(b.b) == cap(b.b) {
			b = c.t.buffers.grow(b, cap(b.b))
		}
		n, err := r.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		if err == io.EOF {
			c.in.message = b
			return b.b, nil
		}
		if err != nil {
			c.t.buffers.put(b)
			return nil, c.readFailed(err)
		}
	}
}

// failure implements framing.
func (c *WebSocket) failure() error { return c.lost() }

// readFailed is what Read says for an error of gorilla's. For one of the socket
// gorilla's own form is of no known type.
func (c *WebSocket) readFailed(err error) error {
	if c.in.failed != nil || c.closedReason() != nil {
		return c.lost()
	}
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
		return c.peerClosed(closed)
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return c.broken(statusTooLarge, fmt.Sprintf("message larger than %d bytes", c.t.options.MaxMessageSize))
	}
	return c.broken(statusProtocol, strings.TrimPrefix(err.Error(), "websocket: "))
}

// peerClosed takes a close frame of the peer: the same code is its answer.
func (c *WebSocket) peerClosed(e *websocket.CloseError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in.err = io.EOF
	c.status, c.why = uint16(e.Code), ""
	if c.status == statusNone {
		c.status = statusNormal
	}
	return io.EOF
}

// part implements framing. Once both close frames are through, the server closes
// at once (RFC 6455, section 7.1.1). A peer that is not heard as it should be gets
// the end of the stream instead.
func (c *WebSocket) part() {
	heard := c.hearClose()
	c.countRead()
	// The message stays out of the pool: whoever read it may be at work on it.
	c.t.buffers.put(c.in.raw)
	c.in.message, c.in.rest, c.in.raw, c.in.next = nil, nil, nil, 0
	if !heard || c.in.client {
		c.drain(!c.in.client)
	}
}

// hearClose reads on until the peer's close frame, and reports whether it came.
// Where the reader has failed already, so does this, at once.
func (c *WebSocket) hearClose() bool {
	for left := int64(maxDrain); left > 0; {
		_, r, err := c.ws.NextReader()
		if err != nil {
			closed, ok := errors.AsType[*websocket.CloseError](err)
			return ok && closed.Code != websocket.CloseAbnormalClosure
		}
		n, err := io.CopyN(io.Discard, r, left)
		if err != nil && err != io.EOF {
			return false
		}
		left -= n + 1 // empty messages count as well
	}
	return false
}

// wrapped is the connection as gorilla sees it: reading is buffered and flushes
// what the session has made before it waits; what gorilla itself would write
// after the handshake becomes the reason to close.
type wrapped struct {
	net.Conn
	c *WebSocket
}

// Read is called by gorilla when it has nothing more: the natural time to flush,
// if the socket has nothing more either.
func (w *wrapped) Read(p []byte) (int, error) {
	c, in := w.c, &w.c.in
	if !in.started {
		return w.Conn.Read(p)
	}
	if c.raw == nil {
		c.flushBatch()
		n, err := w.Conn.Read(p)
		c.sawRead(n, err)
		return n, err
	}
	if in.raw == nil {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.raw.b[in.next:])
	in.next += n
	if in.next == len(in.raw.b) {
		c.t.buffers.put(in.raw)
		in.raw, in.next = nil, 0
	}
	return n, nil
}

// Write swallows gorilla's own control frames: what they say is usher's to send,
// behind what waits, and readFailed finds the reason in the error.
func (w *wrapped) Write(p []byte) (int, error) {
	if !w.c.in.started {
		return w.Conn.Write(p)
	}
	return len(p), nil
}

// SetWriteDeadline of gorilla must not reset that of a batch in flight.
func (w *wrapped) SetWriteDeadline(t time.Time) error {
	if !w.c.in.started {
		return w.Conn.SetWriteDeadline(t)
	}
	return nil
}
