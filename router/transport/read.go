package transport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"usher/router/codec"
)

// inbound is the reader's part of a stream. An idle connection holds none of
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
	spent     *buffer    // once finish has taken over: what the last message may lie in
	idle      *buffer    // what a socket is read into that can't be read without waiting
	unflushed int        // bytes read since the last flush
	messages  int64      // read and not counted yet
	err       error      // sticky
}

// Read implements Conn.
func (c *stream) Read(b *Batch) ([]byte, error) {
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
func (c *stream) closedReason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == stateOpen {
		return nil
	}
	return c.reason
}

// next returns the next WAMP message.
func (c *stream) next() ([]byte, error) {
	in := &c.in
	if in.err != nil {
		return nil, in.err
	}
	if in.failed != nil {
		return nil, c.frame.failure()
	}
	if len(in.rest) == 0 {
		c.t.buffers.put(in.message)
		in.message = nil
		data, err := c.frame.read()
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

// lost is what Read says once the socket has failed, or the connection is closed.
func (c *stream) lost() error {
	if closed := c.closedReason(); closed != nil {
		c.in.err = closed
		return closed
	}
	if !errors.Is(c.in.failed, os.ErrDeadlineExceeded) {
		c.in.err = fmt.Errorf("connection lost: %w", noEOF(c.in.failed))
		return c.in.err
	}
	return c.in.failed
}

// noEOF keeps io.EOF for the polite close.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// broken notes what the peer did wrong: Close tells it, with the code of its
// violation.
func (c *stream) broken(status uint16, why string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status, c.why = status, why
	c.in.err = fmt.Errorf("%w: %s", ErrViolation, why)
	return c.in.err
}

// release gives back what the last Read returned. Bytes of the socket that are
// not handled yet stay: finish reads on.
func (c *stream) release() {
	c.t.buffers.put(c.in.message)
	c.t.buffers.put(c.in.spent)
	c.in.message, c.in.rest, c.in.spent = nil, nil, nil
}

// setAside parts what Read returned last from what is read on by finish: whoever
// read it may be at work on it until the next Read.
func (c *stream) setAside() {
	in := &c.in
	in.rest = nil
	switch {
	case in.message != nil:
		in.spent, in.message = in.message, nil
	case in.raw != nil:
		b := c.t.buffers.get(max(len(in.raw.b)-in.next, idleBuffer))
		b.b = append(b.b, in.raw.b[in.next:]...)
		in.spent, in.raw, in.next = in.raw, b, 0
		in.idle = b // the one before may be spent
	}
}

// fill reads from the socket into inbound.raw, which is nil. Where the socket has
// nothing, it flushes what the session has made before it waits. It is for sockets
// that can be read without waiting.
func (c *stream) fill() error {
	if c.in.unflushed >= maxUnflushed {
		c.flushBatch()
	}
	err := c.readRaw()
	if err != nil {
		c.sawRead(0, err)
		return err
	}
	c.sawRead(len(c.in.raw.b), nil)
	return nil
}

// used reports whether all that was read from the socket is done with.
func (c *stream) used() bool { return c.in.raw == nil || c.in.next == len(c.in.raw.b) }

// available sees to it that there is something in inbound.raw.
func (c *stream) available() error {
	in := &c.in
	if !c.used() {
		return nil
	}
	if c.raw == nil {
		for {
			n, err := c.wait(in.idle.b[:idleBuffer])
			if n > 0 {
				in.idle.b = in.idle.b[:n]
				in.raw, in.next = in.idle, 0
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	c.t.buffers.put(in.raw)
	in.raw, in.next = nil, 0
	return c.fill()
}

// readInto reads from the socket to p, with inbound.raw done with: what is large is
// not copied twice.
func (c *stream) readInto(p []byte) (int, error) {
	if c.raw == nil {
		return c.wait(p)
	}
	if c.in.unflushed >= maxUnflushed {
		c.flushBatch()
	}
	n, err := c.readRawInto(p)
	c.sawRead(n, err)
	return n, err
}

// wait reads from a socket that can't be read without waiting.
func (c *stream) wait(p []byte) (int, error) {
	c.flushBatch()
	n, err := c.nc.Read(p)
	if n > 0 {
		err = nil // it comes again
	}
	c.sawRead(n, err)
	return n, err
}

// idleBuffer is the size of inbound.idle.
const idleBuffer = 512

// payload reads n bytes. Where they have come already they are not copied.
func (c *stream) payload(n int) ([]byte, error) {
	in := &c.in
	if in.raw != nil && len(in.raw.b)-in.next >= n {
		data := in.raw.b[in.next : in.next+n]
		in.next += n
		return data, nil
	}
	b, err := c.collect(c.t.buffers.get(min(n, mediumBuffer)), n)
	if err != nil {
		c.t.buffers.put(b)
		return nil, c.lost()
	}
	in.message = b
	return b.b, nil
}

// collect appends the next n bytes to b. Memory grows with what has come, not with
// what is announced.
func (c *stream) collect(b *buffer, n int) (*buffer, error) {
	in := &c.in
	for end := len(b.b) + n; len(b.b) < end; {
		if len(b.b) == cap(b.b) {
			b = c.t.buffers.grow(b, min(end-len(b.b), 3*cap(b.b)))
		}
		room := b.b[len(b.b):min(cap(b.b), end)]
		more := 0
		var err error
		if c.used() && len(room) >= mediumBuffer {
			more, err = c.readInto(room)
		} else if err = c.available(); err == nil {
			more = copy(room, in.raw.b[in.next:])
			in.next += more
		}
		b.b = b.b[:len(b.b)+more]
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// sawRead notes what came from the socket.
func (c *stream) sawRead(n int, err error) {
	in := &c.in
	in.failed = err
	in.unflushed += n
	in.lastRead.Store(c.t.wheel.now())
	c.t.counters.bytesIn.Add(int64(n))
	c.countRead()
}

// countRead counts the messages that Read returned since the last time.
func (c *stream) countRead() {
	c.t.counters.messagesIn.Add(c.in.messages)
	c.in.messages = 0
}

// maxUnflushed is how many bytes a reader handles before it flushes although
// there is more to read.
const maxUnflushed = 64 << 10

// flushBatch writes what the reader's work left on connections.
func (c *stream) flushBatch() {
	c.in.unflushed = 0
	if c.in.batch != nil {
		c.in.batch.Flush()
	}
}
