package web

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"usher/router/auth"
	"usher/router/transport"
)

// acceptor takes the connections of a listener where RawSocket is spoken. Each has
// a goroutine until it is a session's or the HTTP server's, so that one that says
// nothing holds nobody up.
type acceptor struct {
	l    *listener
	http *handoff // nil: HTTP is not spoken

	mu      sync.Mutex
	opening map[net.Conn]string // sockets whose first bytes are waited for, with their addresses
	from    map[string]int      // how many of opening are of an address
	stopped bool
	running sync.WaitGroup // their goroutines
}

// maxRefusals is how many connections beyond the bound on handshakes are told so,
// at a time. Further ones are just closed.
const maxRefusals = 256

// The pauses after a failure to accept that may pass.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// run accepts until the socket is closed, and returns why.
func (a *acceptor) run() error {
	pause := firstPause
	for {
		c, err := a.l.socket.Accept()
		if err == nil {
			pause = firstPause
			a.take(c)
			continue
		}
		if !mayPass(err) {
			return err
		}
		a.l.log().Warn("connections can't be accepted for now", slog.String("address", a.l.socket.Addr().String()), slog.Any("error", err))
		time.Sleep(pause)
		pause = min(2*pause, lastPause)
	}
}

// mayPass reports whether a failure to accept is of that connection or of this
// moment.
func mayPass(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// take begins the handshake of an accepted connection.
func (a *acceptor) take(socket net.Conn) {
	counted, ok := a.l.limit.enter(socket)
	s := a.l.site.Load()
	address := s.addressOf(socket)
	a.mu.Lock()
	full := !ok || len(a.opening) >= s.handshakes || a.from[address] >= s.perAddress
	if a.stopped || full && (len(a.opening) >= s.handshakes+maxRefusals || a.from[address] >= s.perAddress+maxRefusals) {
		a.mu.Unlock()
		_ = counted.Close() // nothing was said
		return
	}
	a.opening[counted] = address
	a.from[address]++
	a.running.Add(1)
	a.mu.Unlock()
	go func() { // ends with the handshake
		defer a.running.Done()
		a.open(counted, full)
	}()
}

// done takes a connection off those that stop closes; false: stop has closed it.
func (a *acceptor) done(socket net.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if address, ok := a.opening[socket]; ok {
		delete(a.opening, socket)
		if a.from[address]--; a.from[address] == 0 {
			delete(a.from, address)
		}
	}
	return !a.stopped
}

// stop closes what is not a session's or the HTTP server's yet.
func (a *acceptor) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	for c := range a.opening {
		_ = c.Close() // its goroutine notices
	}
}

func (a *acceptor) isStopped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopped
}

// open does all that comes before a connection's first request or message; full:
// it is one too many.
func (a *acceptor) open(socket net.Conn, full bool) {
	l, s := a.l, a.l.site.Load()
	peer := s.peerOf(socket)
	deadline := time.Now().Add(headerTimeout)
	_ = socket.SetDeadline(deadline) // its failure shows in what follows
	nc := socket
	if l.tls != nil {
		nc = tls.Server(socket, l.tls)
	}
	universal := a.http != nil || s.raw == nil
	if universal {
		first := make([]byte, 1)
		if _, err := io.ReadFull(nc, first); err != nil {
			a.gone(socket, peer, err)
			return
		}
		if first[0] != transport.RawSocketMagic || s.raw == nil {
			_ = socket.SetDeadline(time.Time{})
			if !a.done(socket) || full || a.http == nil || !a.http.give(&conn{Conn: nc, peeked: first}) {
				_ = nc.Close()
			}
			return
		}
	}
	if full {
		l.log().Warn("RawSocket client refused: there are too many connections", slog.String("peer", peer))
		transport.RefuseRawSocket(nc)
		a.done(socket)
		return
	}
	raw, err := l.server.options.Transport.AcceptRawSocket(nc, transport.RawSocketOptions{
		Formats: s.raw.formats, MaxMessageSize: s.raw.maxMessageSize, Ping: s.raw.ping, Begun: universal, Deadline: deadline,
	})
	if err != nil {
		a.gone(socket, peer, err)
		return
	}
	if !a.done(socket) {
		raw.Close(transport.CloseShutdown)
		return
	}
	// As an upgraded WebSocket's: a goroutine with a small stack.
	go l.server.options.Sessions.Serve(raw, s.raw.endpoint, &auth.Transport{
		Type:            "rawsocket",
		Protocol:        raw.Subprotocol(),
		Peer:            peer,
		HeadersReceived: map[string]string{},
		Secure:          l.tls != nil,
		TLS:             tlsState(nc),
	})
}

// gone ends a connection that came to nothing.
func (a *acceptor) gone(socket net.Conn, peer string, err error) {
	a.l.log().Debug("connection ended before it was a session's", slog.String("peer", peer), slog.Any("error", err))
	_ = socket.Close() // if it is not closed yet
	a.done(socket)
}

// peerOf is the address of a connection in the form of auth.Transport.Peer.
func (s *site) peerOf(c net.Conn) string {
	if s.unix != "" {
		return s.unix
	}
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return formatPeer(from)
}

// addressOf is what the connections of one client have in common: its IP address.
// Those of a Unix socket have none, and are bounded together.
func (s *site) addressOf(c net.Conn) string {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return s.unix
}

// handoff is the HTTP server's listener for what an acceptor found to be HTTP.
type handoff struct {
	socket net.Listener
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandoff(socket net.Listener) *handoff {
	return &handoff{socket: socket, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give passes c on; false: nobody takes it any more.
func (h *handoff) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.closed:
		return false
	}
}

// Accept implements net.Listener.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *handoff) Addr() net.Addr { return h.socket.Addr() }
