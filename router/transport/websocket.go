package transport

import (
	"errors"
	"fmt"
	"io"
	"net"

	"usher/router/codec"
	"usher/router/wamp"
)

// WebSocket is a Conn over a WebSocket, of either side.
type WebSocket struct {
	stream
	head    [maxControl]byte // what lay in more than one piece of what came
	readErr error            // of readMessage
}

var _ Conn = (*WebSocket)(nil)

// newWebSocket returns a connection over nc that is not started.
func (t *Transport) newWebSocket(nc net.Conn, client bool) *WebSocket {
	c := new(WebSocket)
	c.init(t, nc, client)
	return c
}

// start makes c a Conn, after the handshake. d says how messages are compressed.
func (c *WebSocket) start(s subprotocol, d *deflation) {
	c.deflate = d
	q := queue{masked: c.in.client, opcode: opBinary, sep: codec.SeparatorJSON}
	if s.format == wamp.JSON {
		q.opcode = opText
	}
	c.stream.start(s, q, c)
	c.t.wheel.add(&c.stream)
}

// maxPongs bounds the answers to pings that wait, in bytes.
const maxPongs = 2 << 10

// pong answers a ping, before what waits. Where the peer reads so slowly that many
// answers wait, those before the last are left out, as RFC 6455, section 5.5.3,
// allows: pings cannot fill the queue.
func (c *WebSocket) pong(data []byte) {
	c.mu.Lock()
	if c.state != stateOpen {
		c.mu.Unlock()
		return
	}
	if len(c.out.pong)+len(data)+maxHeader > maxPongs {
		c.out.pong = c.out.pong[:0]
	}
	c.out.pong = appendControl(c.out.pong, opPong, c.in.client, data)
	c.out.pongDue = true
	_ = c.sent(c.in.batch, nil)
}

// read implements framing.
func (c *WebSocket) read() ([]byte, error) {
	opcode, data, err := c.readMessage()
	if err != nil {
		return nil, c.readFailed(err)
	}
	if opcode != c.out.queue.opcode {
		return nil, c.broken(statusUnsupported, fmt.Sprintf("wrong kind of frame for %s", c.sub))
	}
	return data, nil
}

// failure implements framing.
func (c *WebSocket) failure() error { return c.lost() }

// readFailed is what Read says for an error of readMessage.
func (c *WebSocket) readFailed(err error) error {
	if c.in.failed != nil || c.closedReason() != nil {
		return c.lost()
	}
	if closed, ok := errors.AsType[*wsClose](err); ok {
		return c.peerClosed(closed.code)
	}
	if wrong, ok := errors.AsType[*wsViolation](err); ok {
		return c.broken(wrong.status, wrong.why)
	}
	return c.broken(statusInternal, err.Error())
}

// peerClosed takes a close frame of the peer: the same code is its answer.
func (c *WebSocket) peerClosed(code uint16) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in.err = io.EOF
	c.status, c.why = code, ""
	if code == statusNone {
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
	c.t.buffers.put(c.in.message)
	c.t.buffers.put(c.in.raw)
	c.in.message, c.in.raw, c.in.next = nil, nil, 0
	if !heard || c.in.client {
		c.drain(!c.in.client)
	}
}

// hearClose reads on until the peer's close frame, and reports whether it came.
// Where the reader has failed already, so does this, at once.
func (c *WebSocket) hearClose() bool {
	for left := int64(maxDrain); left > 0; {
		_, data, err := c.readMessage()
		if err != nil {
			_, heard := errors.AsType[*wsClose](err)
			return heard
		}
		left -= int64(len(data)) + 1 // empty messages count as well
		c.t.buffers.put(c.in.message)
		c.in.message = nil
	}
	return false
}
