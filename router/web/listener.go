package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"

	"usher/router/config"
	"usher/router/realm"
	"usher/router/transport"
	"usher/router/wamp"
)

// listener is one listening socket and what it serves.
type listener struct {
	server   *Server
	endpoint config.Endpoint // as configured when it was opened
	socket   net.Listener
	loopback bool // only programs on this machine can connect
	limit    limiter
	tls      *tls.Config  // nil: plain
	accept   *acceptor    // nil: RawSocket is not spoken, and the HTTP server accepts
	http     *http.Server // nil: HTTP is not spoken
	site     atomic.Pointer[site]
	failed   atomic.Pointer[error] // why it does not accept any more
}

// site is what a listener serves: immutable, replaced by Reload.
type site struct {
	sockets     map[string]*socket   // by path
	polls       map[string]*pollPath // by path
	retired     map[string]*pollPath // by path: configured no more, for the transports that are open there
	folders     []folder             // the longest path first
	metrics     map[string]bool      // by path
	hosts       hostPolicy
	proxies     []netip.Prefix
	trustUnix   bool
	unix        string     // what clients of a Unix socket are called; empty: it is none
	raw         *rawSocket // nil: not spoken
	handshakes  int        // RawSocket connections whose first bytes are waited for
	perAddress  int        // likewise of one address; of a Unix socket as many as handshakes
	certificate *keyPair   // nil: plain
}

// rawSocket is what RawSocket clients meet.
type rawSocket struct {
	endpoint       *realm.Endpoint
	formats        []wamp.Format
	maxMessageSize int
	ping           bool
}

// The defaults for handshakes, as the realm's are.
const (
	maxHandshakes           = 16384
	maxHandshakesPerAddress = 4096
)

// socket is a path where WebSockets are accepted.
type socket struct {
	endpoint     *realm.Endpoint
	subprotocols []string
	origins      []string
	deflate      *transport.Deflate
	cookie       *tracking // nil: clients get none
}

// build makes the site of t, one of c's transports.
func (l *listener) build(c *config.Config, t *config.Transport) (*site, error) {
	s := &site{
		sockets: map[string]*socket{},
		polls:   map[string]*pollPath{},
		metrics: map[string]bool{},
		hosts:   hostPolicy{all: !l.loopback, names: c.AllowedHosts},
		proxies: c.TrustedProxies, trustUnix: c.TrustUnix,
		handshakes: cmp.Or(c.Limits.Handshakes, maxHandshakes),
		perAddress: cmp.Or(c.Limits.HandshakesPerAddress, maxHandshakesPerAddress),
	}
	if t.Endpoint.Path != "" {
		s.unix = "unix:" + t.Endpoint.Path
		s.perAddress = s.handshakes
	}
	if r := t.RawSocket; r != nil {
		s.raw = &rawSocket{endpoint: &realm.Endpoint{Auth: r.Auth}, formats: r.Formats, maxMessageSize: r.MaxMessageSize, ping: r.AutoPing}
	}
	withheld := []string{c.File}
	for _, t := range c.Transports {
		if t.Endpoint.TLS != nil {
			withheld = append(withheld, t.Endpoint.TLS.Key)
		}
	}
	for _, k := range c.Cookies() {
		if k.File != "" {
			withheld = append(withheld, k.File)
		}
	}
	for _, p := range t.Paths {
		switch {
		case p.WebSocket != nil:
			s.sockets[p.Path] = &socket{
				endpoint:     &realm.Endpoint{Auth: p.WebSocket.Auth},
				subprotocols: p.WebSocket.Subprotocols,
				origins:      p.WebSocket.AllowedOrigins,
				deflate:      (*transport.Deflate)(p.WebSocket.Deflate),
				cookie:       l.track(p.WebSocket.Cookie, &p.WebSocket.Auth),
			}
		case p.LongPoll != nil:
			poll := newPollPath(&p)
			poll.cookie = l.track(p.LongPoll.Cookie, &p.LongPoll.Auth)
			s.polls[p.Path] = poll
		case p.Static != nil:
			s.folders = append(s.folders, folder{path: p.Path, files: &directory{name: p.Static.Directory, withheld: withheld}})
		case p.Page:
			s.folders = append(s.folders, folder{path: p.Path, files: shippedPage{}})
		case p.Metrics:
			s.metrics[p.Path] = true
		}
	}
	sortFolders(s.folders)
	if t.Endpoint.TLS == nil {
		return s, nil
	}
	certificate, err := newKeyPair(t.Endpoint.TLS)
	if err != nil {
		return nil, err
	}
	s.certificate = certificate
	return s, nil
}

// serve accepts until the socket is closed.
func (l *listener) serve() {
	var err error
	switch {
	case l.accept != nil:
		var serving sync.WaitGroup
		if l.accept.http != nil {
			serving.Go(func() { _ = l.http.Serve(l.accept.http) }) // until shutdown closes that
		}
		if err = l.accept.run(); l.accept.isStopped() {
			err = http.ErrServerClosed
		}
		if l.accept.http != nil {
			_ = l.accept.http.Close()
		}
		serving.Wait()
	case l.tls != nil:
		err = l.http.ServeTLS(l.counted(), "", "")
	default:
		err = l.http.Serve(l.counted())
	}
	if errors.Is(err, http.ErrServerClosed) {
		return
	}
	err = fmt.Errorf("the listener at %s is down: %w; start usher anew", l.socket.Addr(), err)
	l.failed.Store(&err)
	l.server.options.Log.Error("listener is down", slog.String("address", l.socket.Addr().String()), slog.Any("error", err))
}

// counted is the socket with its bound on connections, if it has one.
func (l *listener) counted() net.Listener {
	if l.limit.max == 0 {
		return l.socket
	}
	return limited{l.socket, &l.limit}
}

func (l *listener) failure() error {
	if err := l.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (l *listener) shutdown(ctx context.Context) error {
	var err error
	if l.accept != nil {
		l.accept.stop()
		err = l.closeSocket()
		if l.accept.http != nil {
			_ = l.accept.http.Close()
		}
		l.accept.running.Wait()
	}
	if l.http != nil {
		herr := l.http.Shutdown(ctx)
		if errors.Is(herr, context.DeadlineExceeded) || errors.Is(herr, context.Canceled) {
			herr = l.http.Close()
		}
		err = cmp.Or(err, herr)
	}
	// A socket that was never served is not known to the HTTP server.
	if err = cmp.Or(err, l.closeSocket()); err != nil {
		return fmt.Errorf("close the listener at %s: %w", l.socket.Addr(), err)
	}
	return nil
}

// closeSocket closes the socket if it is not closed yet.
func (l *listener) closeSocket() error {
	if err := l.socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// address is where clients reach l.
func (l *listener) address() Address {
	s, secure := l.site.Load(), ""
	if l.endpoint.TLS != nil {
		secure = "s"
	}
	if l.endpoint.Path != "" {
		return l.unixAddress(s, secure)
	}
	host, port, err := net.SplitHostPort(l.socket.Addr().String())
	if err != nil {
		host, port = l.endpoint.Interface, ""
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	where := net.JoinHostPort(host, port)
	var a Address
	if l.http != nil {
		a.HTTP = "http" + secure + "://" + where + "/"
	}
	for _, path := range sortedKeys(s.sockets) {
		a.WebSockets = append(a.WebSockets, "ws"+secure+"://"+where+path)
	}
	for _, path := range sortedKeys(s.polls) {
		a.LongPolls = append(a.LongPolls, "http"+secure+"://"+where+path)
	}
	if s.raw != nil && l.accept != nil {
		a.RawSocket = "rs" + secure + "://" + where
	}
	return a
}

// unixAddress is address for a Unix socket, in the form that transport.Dial takes.
func (l *listener) unixAddress(s *site, secure string) Address {
	name, err := filepath.Abs(l.endpoint.Path)
	if err != nil {
		name = l.endpoint.Path
	}
	var a Address
	if l.http != nil {
		a.HTTP = "http" + secure + "+unix://" + name
	}
	for _, path := range sortedKeys(s.sockets) {
		a.WebSockets = append(a.WebSockets, "ws"+secure+"+unix://"+name+":"+path)
	}
	for _, path := range sortedKeys(s.polls) {
		a.LongPolls = append(a.LongPolls, "http"+secure+"+unix://"+name+":"+path)
	}
	if s.raw != nil && l.accept != nil {
		a.RawSocket = "rs" + secure + "+unix://" + name
	}
	return a
}
