package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"usher/router/wamp"
)

// inbound is the reader's part of a WebSocket. An idle connection holds none of
// its buffers.
type inbound struct {
	client   bool
	started  bool         // the handshake is over
	lastRead atomic.Int64 // on the wheel's clock

	mu      sync.Mutex // held by Read, and by finish once Read gave way
	batch   *Batch     // of the Read under way
	message *buffer    // what the last Read returned
	rest    []byte     // of a batch of messages, behind the last that Read returned
	raw     *buffer    // read from the socket
	next    int        // raw.b[:next] is done
	err     error      // sticky
}

// Read implements Conn.
func (c *WebSocket) Read(b *Batch) ([]byte, error) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.batch = b
	data, err := c.next()
	c.in.batch = nil
	if err == nil {
		return data, nil
	}
	if b != nil {
		b.Flush()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if closed := c.closedReason(); closed != nil {
			return nil, closed
		}
		return nil, err // of a login's step: the connection can still be told why
	}
	c.release()
	return nil, err
}

// closedReason is why the connection ends; nil: it does not.
func (c *WebSocket) closedReason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == stateOpen {
		return nil
	}
	return c.reason
}

// next returns the next WAMP message.
func (c *WebSocket) next() ([]byte, error) {
	in := &c.in
	if in.err != nil {
		return nil, in.err
	}
	if len(in.rest) == 0 {
		c.t.buffers.put(in.message)
		in.message = nil
		data, err := c.nextFrame()
		if err != nil || !c.sub.batched {
			return data, err
		}
		in.rest = data
	}
	message, rest, sep, err := nextMessage(c.sub.format, in.rest)
	if err != nil {
		return nil, c.broken(statusProtocol, err.Error())
	}
	if sep != 0 && sep != in.separator(c) {
		c.mu.Lock()
		c.out.queue.sep = sep
		c.mu.Unlock()
	}
	in.rest = rest
	return message, nil
}

// separator is what the connection's own batches end their messages with. Only
// the reader changes it.
func (in *inbound) separator(c *WebSocket) byte { return c.out.queue.sep }

// nextFrame returns the payload of the next WebSocket message.
func (c *WebSocket) nextFrame() ([]byte, error) {
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

// readFailed is what Read says for an error of the reading half.
func (c *WebSocket) readFailed(err error) error {
	if closed := c.closedReason(); closed != nil {
		c.in.err = closed
		return closed
	}
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return c.peerClosed(closed)
	case errors.Is(err, websocket.ErrReadLimit):
		return c.broken(statusTooLarge, fmt.Sprintf("message larger than %d bytes", c.t.options.MaxMessageSize))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		c.in.err = fmt.Errorf("connection lost: %w", noEOF(err))
		return c.in.err
	}
	c.mu.Lock()
	status, why := c.status, c.why
	c.mu.Unlock()
	if status == 0 {
		status, why = statusProtocol, "malformed WebSocket frame"
	}
	return c.broken(status, why)
}

// noEOF keeps io.EOF for the polite close.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// peerClosed takes a close frame of the peer: the same code is its answer.
func (c *WebSocket) peerClosed(e *websocket.CloseError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in.err = io.EOF
	if e.Code == websocket.CloseAbnormalClosure { // no close frame at all
		c.in.err = fmt.Errorf("connection lost: %w", io.ErrUnexpectedEOF)
		return c.in.err
	}
	c.status, c.why = uint16(e.Code), ""
	if c.status == statusNone {
		c.status = statusNormal
	}
	return io.EOF
}

// broken notes what the peer did wrong: it is told so by Close.
func (c *WebSocket) broken(status uint16, why string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status, c.why = status, why
	c.in.err = errors.New(why)
	return c.in.err
}

// release gives all buffers back.
func (c *WebSocket) release() {
	in := &c.in
	c.t.buffers.put(in.message)
	c.t.buffers.put(in.raw)
	in.message, in.raw, in.rest, in.next = nil, nil, nil, 0
}

// wrapped is the connection as gorilla sees it: reading is buffered and flushes
// what the session has made before it waits; what gorilla itself would write
// after the handshake becomes the reason to close.
type wrapped struct {
	net.Conn
	c *WebSocket
}

// Read is called by gorilla when it needs more: the natural time to flush.
func (w *wrapped) Read(p []byte) (int, error) {
	c, in := w.c, &w.c.in
	if !in.started {
		return w.Conn.Read(p)
	}
	if in.raw != nil {
		n := copy(p, in.raw.b[in.next:])
		in.next += n
		if in.next == len(in.raw.b) {
			c.t.buffers.put(in.raw)
			in.raw, in.next = nil, 0
		}
		return n, nil
	}
	if in.batch != nil {
		in.batch.Flush()
	}
	if c.raw == nil || len(p) >= mediumBuffer {
		n, err := w.Conn.Read(p)
		c.sawRead(n)
		return n, err
	}
	b, err := c.readRaw()
	if err != nil {
		return 0, err
	}
	c.sawRead(len(b.b))
	n := copy(p, b.b)
	if n == len(b.b) {
		c.t.buffers.put(b)
		return n, nil
	}
	in.raw, in.next = b, n
	return n, nil
}

func (c *WebSocket) sawRead(n int) {
	c.in.lastRead.Store(c.t.wheel.now())
	c.t.counters.bytesIn.Add(int64(n))
}

// Write swallows gorilla's own control frames: those that it answers with are
// usher's handlers' business, and a close frame says what the peer did wrong.
func (w *wrapped) Write(p []byte) (int, error) {
	if !w.c.in.started {
		return w.Conn.Write(p)
	}
	if !w.c.in.client && len(p) >= 4 && p[0]&0x0f == opClose {
		w.c.mu.Lock()
		w.c.status, w.c.why = binary.BigEndian.Uint16(p[2:]), string(p[4:])
		w.c.mu.Unlock()
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
