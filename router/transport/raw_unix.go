//go:build unix

package transport

import (
	"io"
	"net"
	"os"
	"syscall"
)

// rawConn returns nc for input and output without waiting, or nil where that is
// not possible: TLS has state of its own.
func rawConn(nc net.Conn) syscall.RawConn {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return rc
}

// rawIO is input and output without waiting on one socket. The functions are
// made once, so that a read or a write allocates nothing; what they work on is in
// the fields, of which each half belongs to the owner of that half.
type rawIO struct {
	readable, writable func(fd uintptr) bool

	readErr  error
	into     []byte // of readRawInto; nil: a pooled buffer is read into
	got      int    // bytes read into into
	toWrite  []byte
	written  int
	writeErr error
}

// bindRaw prepares c for readRaw and rawWrite.
func (c *stream) bindRaw() {
	if c.raw == nil {
		return
	}
	c.io.readable, c.io.writable = c.onReadable, c.onWritable
}

// onWritable writes what the socket takes at once.
func (c *stream) onWritable(fd uintptr) bool {
	w := &c.io
	for w.written < len(w.toWrite) {
		n, err := syscall.Write(int(fd), w.toWrite[w.written:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			w.writeErr = err
			break
		}
		w.written += n
	}
	return true
}

// rawWrite writes what the socket takes at once. A failure other than a full
// socket shows again in the write that waits.
func (c *stream) rawWrite(b []byte) (int, error) {
	w := &c.io
	w.toWrite, w.written, w.writeErr = b, 0, nil
	err := c.raw.Write(w.writable)
	w.toWrite = nil
	if err != nil {
		return w.written, err
	}
	return w.written, w.writeErr
}

// onReadable reads into a pooled buffer, which it gives back where there is
// nothing to read: then the reader waits, but not before it has flushed.
func (c *stream) onReadable(fd uintptr) bool {
	if c.io.into != nil {
		return c.onReadableInto(fd)
	}
	b := c.t.buffers.get(mediumBuffer)
	for {
		n, err := syscall.Read(int(fd), b.b[:cap(b.b)])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			c.t.buffers.put(b)
			c.flushBatch()
			return false
		case err != nil:
			c.io.readErr = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
		case n == 0:
			c.io.readErr = io.EOF
		default:
			b.b = b.b[:n]
			c.in.raw = b
			return true
		}
		c.t.buffers.put(b)
		return true
	}
}

// readRaw waits until the socket has something to read and only then takes a
// buffer for it, inbound.raw.
func (c *stream) readRaw() error {
	c.io.readErr = nil
	if err := c.raw.Read(c.io.readable); err != nil {
		return err
	}
	return c.io.readErr
}

// onReadableInto is onReadable with a buffer that is there already.
func (c *stream) onReadableInto(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), c.io.into)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			c.flushBatch()
			return false
		case err != nil:
			c.io.readErr = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
		case n == 0:
			c.io.readErr = io.EOF
		default:
			c.io.got = n
		}
		return true
	}
}

// readRawInto waits until the socket has something to read and reads it to p.
func (c *stream) readRawInto(p []byte) (int, error) {
	c.io.into, c.io.got, c.io.readErr = p, 0, nil
	err := c.raw.Read(c.io.readable)
	c.io.into = nil
	if err != nil {
		return c.io.got, err
	}
	return c.io.got, c.io.readErr
}
