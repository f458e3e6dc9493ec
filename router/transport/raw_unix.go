//go:build unix

package transport

import (
	"io"
	"net"
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

// rawWrite writes what the socket takes at once. A failure other than a full
// socket shows again in the write that waits.
func rawWrite(rc syscall.RawConn, b []byte) (n int, err error) {
	werr := rc.Write(func(fd uintptr) bool {
		for n < len(b) {
			var k int
			k, err = syscall.Write(int(fd), b[n:])
			if err == syscall.EINTR {
				continue
			}
			if err != nil {
				break
			}
			n += k
		}
		return true
	})
	if werr != nil {
		return n, werr
	}
	return n, err
}

// readRaw waits until the socket has something to read and only then takes a
// buffer for it.
func (c *WebSocket) readRaw() (b *buffer, err error) {
	rerr := c.raw.Read(func(fd uintptr) bool {
		b = c.t.buffers.get(mediumBuffer)
		for {
			var n int
			n, err = syscall.Read(int(fd), b.b[:cap(b.b)])
			switch {
			case err == syscall.EINTR:
				continue
			case err == syscall.EAGAIN:
				c.t.buffers.put(b)
				b, err = nil, nil
				return false
			case err == nil && n == 0:
				err = io.EOF
			case err == nil:
				b.b = b.b[:n]
				return true
			}
			c.t.buffers.put(b)
			b = nil
			return true
		}
	})
	if rerr != nil {
		return nil, rerr
	}
	if err != nil && err != io.EOF {
		err = &net.OpError{Op: "read", Net: "tcp", Err: err}
	}
	return b, err
}
