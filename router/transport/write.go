package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// outbound is the write side of a stream. queue and the control frames that
// are due are guarded by the connection's mutex; the rest belongs to whoever has
// set writing.
type outbound struct {
	queue   queue
	pong    []byte // whole frames
	pongDue bool
	pingDue bool

	pending  []segment // taken, not written yet
	spare    []segment // what pending is rebuilt in
	left     int       // bytes of pending, as they were when taken
	deflated bool      // pending is compressed where it is to be
	deadline bool      // one is set on the socket
}

// maxTake is about how many bytes one batch of writes has.
const maxTake = 256 << 10

// due reports whether anything waits. The mutex is held.
func (o *outbound) due() bool { return !o.queue.empty() || o.pongDue || o.pingDue }

// take moves what is to be written next to pending, control frames first. The
// mutex is held.
func (c *stream) take() {
	o := &c.out
	if o.pongDue || o.pingDue {
		b := c.t.buffers.get(len(o.pong) + 2*maxHeader)
		if o.pongDue {
			b.b = append(b.b, o.pong...)
		}
		if o.pingDue {
			b.b = o.queue.appendPing(b.b)
		}
		o.pong, o.pongDue, o.pingDue = o.pong[:0], false, false
		o.pending = append(o.pending, segment{b: b.b, buffer: b})
		o.queue.bytes += len(b.b)
	}
	c.t.counters.messagesOut.Add(int64(o.queue.messages))
	o.queue.messages = 0
	o.pending = o.queue.take(o.pending, maxTake)
	o.left, o.deflated = 0, false
	for _, s := range o.pending {
		o.left += len(s.b)
	}
}

// flush implements flusher: it writes what waits without blocking. What the peer
// does not take at once is left to a goroutine that ends when nothing waits.
func (c *stream) flush() {
	c.mu.Lock()
	c.queued = false
	if c.state == stateClosed || c.writing || !c.out.due() {
		c.mu.Unlock()
		return
	}
	c.writing = true
	for {
		c.take()
		c.mu.Unlock()
		if c.raw == nil || !c.deflateAtOnce() || !c.writeAtOnce() {
			go c.write()
			return
		}
		c.mu.Lock()
		if c.wrote() {
			return
		}
	}
}

// wrote counts what was written; true: the write side was given up, or handed on.
// The mutex is held on entry, and given up where it returns true.
func (c *stream) wrote() bool {
	c.out.queue.bytes -= c.out.left
	c.out.left = 0
	switch {
	case c.state == stateClosing:
		c.mu.Unlock()
		go c.finish()
		return true
	case c.state == stateClosed || !c.out.due():
		c.writing = false
		if c.out.deadline {
			// Or writes that do not wait would fail once it has passed.
			c.out.deadline = false
			_ = c.nc.SetWriteDeadline(time.Time{})
		}
		c.mu.Unlock()
		return true
	}
	return false
}

func (c *stream) helpers() *flushers { return &c.t.flushers }

// writeAtOnce writes pending without waiting; false: some is left.
func (c *stream) writeAtOnce() bool {
	o := &c.out
	for i := range o.pending {
		s := &o.pending[i]
		n, err := c.rawWrite(s.b)
		if n > 0 {
			c.t.counters.writes.Add(1)
			c.t.counters.bytesOut.Add(int64(n))
		}
		if n < len(s.b) || err != nil {
			s.b = s.b[max(n, 0):]
			rest := copy(o.pending, o.pending[i:])
			clear(o.pending[rest:])
			o.pending = o.pending[:rest]
			return false
		}
		c.t.buffers.put(s.buffer)
		*s = segment{}
	}
	o.pending = o.pending[:0]
	return true
}

// write writes what waits until nothing does, one deadline for each batch.
func (c *stream) write() {
	for {
		c.mu.Lock()
		deadline := time.Now().Add(c.t.options.WriteTimeout)
		if c.state == stateClosing {
			deadline = c.closeBy
		}
		_ = c.nc.SetWriteDeadline(deadline)
		c.out.deadline = true
		c.mu.Unlock()
		c.deflatePending()
		if err := c.writePending(); err != nil {
			c.writeFailed(err)
			return
		}
		c.mu.Lock()
		if c.wrote() {
			return
		}
		c.take()
		c.mu.Unlock()
	}
}

// writePending writes all of pending, waiting for the peer.
func (c *stream) writePending() error {
	o := &c.out
	if len(o.pending) == 0 {
		return nil
	}
	buffers := make(net.Buffers, len(o.pending))
	for i := range o.pending {
		buffers[i] = o.pending[i].b
	}
	n, err := buffers.WriteTo(c.nc)
	c.t.counters.writes.Add(1)
	c.t.counters.bytesOut.Add(n)
	for i := range o.pending {
		c.t.buffers.put(o.pending[i].buffer)
		o.pending[i] = segment{}
	}
	o.pending = o.pending[:0]
	return err
}

// writeFailed ends the connection after a write that was not taken.
func (c *stream) writeFailed(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.mu.Lock()
		open := c.state == stateOpen
		c.mu.Unlock()
		if open { // else it is being closed for another reason
			c.t.counters.slow.Add(1)
			err = fmt.Errorf("peer did not read for %v: %w", c.t.options.WriteTimeout, err)
		}
	}
	c.die(err)
}

// finish owns the write side from Close on: it writes what waits and, with the
// last of it, the close frame, lets the peer close its side, and ends the
// connection, all by closeBy.
func (c *stream) finish() {
	for last := false; !last; {
		c.mu.Lock()
		c.take()
		if last = c.out.queue.empty(); last {
			c.takeClose()
		}
		c.mu.Unlock()
		c.deflatePending()
		if c.raw == nil || !c.writeAtOnce() {
			_ = c.nc.SetWriteDeadline(c.closeBy)
			if err := c.writePending(); err != nil {
				c.writeFailed(err)
				return
			}
		}
		c.mu.Lock()
		c.out.queue.bytes -= c.out.left
		c.out.left = 0
		c.mu.Unlock()
	}
	c.in.mu.Lock() // the reader gives way: see Close
	_ = c.nc.SetReadDeadline(c.closeBy)
	c.setAside()
	c.frame.part()
	c.in.mu.Unlock()
	c.die(ErrClosed)
}

// takeClose puts the close frame behind what is pending, where there is room in
// the same buffer: a login's last message and it are one write. The mutex is held.
func (c *stream) takeClose() {
	if c.closing == nil {
		return // the end of the stream says it
	}
	o := &c.out
	size := headerSize(len(c.closing), c.in.client) + len(c.closing)
	if n := len(o.pending); n == 0 || o.pending[n-1].buffer == nil || cap(o.pending[n-1].b)-len(o.pending[n-1].b) < size {
		b := c.t.buffers.get(size)
		o.pending = append(o.pending, segment{b: b.b, buffer: b})
	}
	s := &o.pending[len(o.pending)-1]
	s.b = appendControl(s.b, opClose, c.in.client, c.closing)
	o.left += size
	o.queue.bytes += size
}

// maxDrain bounds what is read and thrown away after the last word, in bytes. It
// is large, as time is the real bound: a peer may send all of a message that was
// refused for its size before it reads why.
const maxDrain = 128 << 20

// drain ends the stream, where that can be done, and reads until the peer has
// ended it too: a socket that is closed with data unread resets the connection,
// and what was written last is lost.
func (c *stream) drain(end bool) {
	if socket := below(c.nc); socket != c.nc {
		cut := time.AfterFunc(time.Until(c.closeBy), func() { _ = socket.Close() })
		defer cut.Stop()
	}
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok && end {
		_ = half.CloseWrite() // its failure shows in what follows
	}
	_, _ = io.CopyN(io.Discard, c.nc, maxDrain) // any end will do
}
