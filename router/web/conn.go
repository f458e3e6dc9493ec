package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// conn is an accepted connection of which the first byte may have been read, and
// whose end may be of interest. It does not hide what of the socket below others
// use.
type conn struct {
	net.Conn           // TCP, Unix or *tls.Conn
	peeked   []byte    // comes before what Conn has
	released sync.Once // guards release
	release  func()    // called once closed; may be nil
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.peeked) > 0 {
		n := copy(p, c.peeked)
		c.peeked = c.peeked[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	err := c.Conn.Close()
	if c.release != nil {
		c.released.Do(c.release)
	}
	return err
}

// CloseWrite ends the stream to the peer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SyscallConn implements syscall.Conn; TLS has none. Whoever uses it has read what
// was peeked.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// NetConn returns what is below.
func (c *conn) NetConn() net.Conn { return c.Conn }

// connKey is where a request's context has its *conn.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// setTLS gives r the state of a TLS connection that net/http does not know as one.
func setTLS(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		r.TLS = tlsState(c.Conn)
	}
}

// limiter bounds the connections of one listener that are open.
type limiter struct {
	max int // 0: any number

	mu   sync.Mutex
	open int
}

// enter counts c and returns it in a form whose end is noticed; false: there are
// enough.
func (l *limiter) enter(c net.Conn) (net.Conn, bool) {
	if l.max == 0 {
		return c, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.max {
		return c, false
	}
	l.open++
	return &conn{Conn: c, release: func() {
		l.mu.Lock()
		l.open--
		l.mu.Unlock()
	}}, true
}

// limited is a listener that closes connections beyond the limit at once.
type limited struct {
	net.Listener
	*limiter
}

// Accept implements net.Listener.
func (l limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if counted, ok := l.enter(c); ok {
			return counted, nil
		}
		_ = c.Close() // nothing was said
	}
}
