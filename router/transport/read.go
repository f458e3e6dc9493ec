package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"usher/router/codec"
	"usher/router/wamp"
)

// inbound is the reader's part of a WebSocket. An idle connection holds none of
// its buffers.
type inbound struct {
	client   bool
	started  bool         // the handshake is over
	lastRead atomic.Int64 // on the wheel's clock
	ended    atomic.Bool  // Close was called: Read fails

	mu        sync.Mutex // held by Read, and by finish once ended
	batch     *Batch     // of the Read under way
	message   *buffer    // what the last Read returned
	rest      []byte     // of a batch of messages, behind the last that Read returned
	failed    error      // of the socket
	raw       *buffer    // read from the socket
	next      int        // raw.b[:next] is done
	unflushed int        // bytes read since the last flush
	messages  int64      // read and not counted yet
	err       error      // sticky
}

// Read implements Conn.
func (c *WebSocket) Read(b *Batch) ([]byte, error) {
	if !c.in.mu.TryLock() { // finish has it, maybe until closeBy
		return nil, c.closedReason()
	}
	defer c.in.mu.Unlock()
	if c.in.ended.Load() {
		c.release()
		return nil, c.closedReason()
	}
	c.in.batch = b
	data, err := c.next()
	c.in.batch = nil
	if err == nil {
		return data, nil
	}
	c.countRead()
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
	if in.failed != nil {
		return nil, c.readFailed(in.failed)
	}
	if len(in.rest) == 0 {
		c.t.buffers.put(in.message)
		in.message = nil
		data, err := c.nextFrame()
		if err != nil {
			return nil, err
		}
		if !c.sub.batched {
			in.messages++
			return data, nil
		}
		in.rest = data
	}
	message, rest, sep, err := codec.SplitBatch(c.sub.format, in.rest)
	if err != nil {
		return nil, c.broken(statusProtocol, "malformed batch: "+err.Error())
	}
	// The peer's own is what it understands. Only the reader changes it, and so may
	// look at it without the mutex.
	if sep != 0 && sep != c.out.queue.sep {
		c.mu.Lock()
		c.out.queue.sep = sep
		c.mu.Unlock()
	}
	in.rest = rest
	in.messages++
	return message, nil
}

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
	if failed := c.in.failed; failed != nil {
		// gorilla's own form of it is of no known type.
		if !errors.Is(failed, os.ErrDeadlineExceeded) {
			c.in.err = fmt.Errorf("connection lost: %w", noEOF(failed))
			return c.in.err
		}
		return failed
	}
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
		return c.peerClosed(closed)
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return c.broken(statusTooLarge, fmt.Sprintf("message larger than %d bytes", c.t.options.MaxMessageSize))
	}
	return c.broken(statusProtocol, strings.TrimPrefix(err.Error(), "websocket: "))
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
	c.status, c.why = uint16(e.Code), ""
	if c.status == statusNone {
		c.status = statusNormal
	}
	return io.EOF
}

// broken notes what the peer did wrong: Close tells it, with the code of its
// violation.
func (c *WebSocket) broken(status uint16, why string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status, c.why = status, why
	c.in.err = fmt.Errorf("%w: %s", ErrViolation, why)
	return c.in.err
}

// release gives back what the last Read returned. Bytes of the socket that are
// not handled yet stay: finish reads on.
func (c *WebSocket) release() {
	c.t.buffers.put(c.in.message)
	c.in.message, c.in.rest = nil, nil
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
	if in.raw == nil {
		if c.raw == nil || in.unflushed >= maxUnflushed {
			c.flushBatch()
		}
		if c.raw == nil {
			n, err := w.Conn.Read(p)
			c.sawRead(n, err)
			return n, err
		}
		err := c.readRaw()
		if err != nil {
			c.sawRead(0, err)
			return 0, err
		}
		c.sawRead(len(in.raw.b), nil)
	}
	n := copy(p, in.raw.b[in.next:])
	in.next += n
	if in.next == len(in.raw.b) {
		c.t.buffers.put(in.raw)
		in.raw, in.next = nil, 0
	}
	return n, nil
}

// sawRead notes what came from the socket.
func (c *WebSocket) sawRead(n int, err error) {
	in := &c.in
	in.failed = err
	in.unflushed += n
	in.lastRead.Store(c.t.wheel.now())
	c.t.counters.bytesIn.Add(int64(n))
	c.countRead()
}

// countRead counts the messages that Read returned since the last time.
func (c *WebSocket) countRead() {
	c.t.counters.messagesIn.Add(c.in.messages)
	c.in.messages = 0
}

// maxUnflushed is how many bytes a reader handles before it flushes although
// there is more to read.
const maxUnflushed = 64 << 10

// flushBatch writes what the reader's work left on connections.
func (c *WebSocket) flushBatch() {
	c.in.unflushed = 0
	if c.in.batch != nil {
		c.in.batch.Flush()
	}
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
