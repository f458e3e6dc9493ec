package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"

	"usher/router/config"
	"usher/router/realm"
)

// listener is one listening socket and what it serves.
type listener struct {
	server   *Server
	endpoint config.Endpoint // as configured when it was opened
	socket   net.Listener
	loopback bool // only programs on this machine can connect
	http     *http.Server
	site     atomic.Pointer[site]
	failed   atomic.Pointer[error] // why it does not accept any more
}

// site is what a listener serves: immutable, replaced by Reload.
type site struct {
	sockets     map[string]*socket // by path
	polls       map[string]*pollPath
	folders     []folder // the longest path first
	hosts       hostPolicy
	proxies     []netip.Prefix
	certificate *tls.Certificate // nil: plain TCP
}

// socket is a path where WebSockets are accepted.
type socket struct {
	endpoint     *realm.Endpoint
	subprotocols []string
	origins      []string
}

// build makes the site of t, one of c's transports.
func (l *listener) build(c *config.Config, t *config.Transport) (*site, error) {
	s := &site{
		sockets: map[string]*socket{},
		polls:   map[string]*pollPath{},
		hosts:   hostPolicy{all: !l.loopback, names: c.AllowedHosts},
		proxies: c.TrustedProxies,
	}
	withheld := []string{c.File}
	for _, t := range c.Transports {
		if t.Endpoint.TLS != nil {
			withheld = append(withheld, t.Endpoint.TLS.Key)
		}
	}
	for _, p := range t.Paths {
		switch {
		case p.WebSocket != nil:
			s.sockets[p.Path] = &socket{
				endpoint:     &realm.Endpoint{Auth: p.WebSocket.Auth},
				subprotocols: p.WebSocket.Subprotocols,
				origins:      p.WebSocket.AllowedOrigins,
			}
		case p.LongPoll != nil:
			s.polls[p.Path] = newPollPath(&p)
		case p.Static != nil:
			s.folders = append(s.folders, folder{path: p.Path, files: &directory{name: p.Static.Directory, withheld: withheld}})
		case p.Page:
			s.folders = append(s.folders, folder{path: p.Path, files: shippedPage{}})
		}
	}
	sortFolders(s.folders)
	if t.Endpoint.TLS == nil {
		return s, nil
	}
	certificate, err := tls.LoadX509KeyPair(t.Endpoint.TLS.Certificate, t.Endpoint.TLS.Key)
	if err != nil {
		return nil, fmt.Errorf("tls: certificate %s with key %s: %w", t.Endpoint.TLS.Certificate, t.Endpoint.TLS.Key, err)
	}
	s.certificate = &certificate
	return s, nil
}

// serve accepts until the socket is closed.
func (l *listener) serve() {
	var err error
	if l.http.TLSConfig != nil {
		err = l.http.ServeTLS(l.socket, "", "")
	} else {
		err = l.http.Serve(l.socket)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return
	}
	err = fmt.Errorf("the listener at %s is down: %w; start usher anew", l.socket.Addr(), err)
	l.failed.Store(&err)
	l.server.options.Log.Error("listener is down", slog.String("address", l.socket.Addr().String()), slog.Any("error", err))
}

func (l *listener) failure() error {
	if err := l.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (l *listener) shutdown(ctx context.Context) error {
	err := l.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = l.http.Close()
	}
	// A socket that was never served is not known to the HTTP server.
	if cerr := l.socket.Close(); err == nil && !errors.Is(cerr, net.ErrClosed) {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("close the listener at %s: %w", l.socket.Addr(), err)
	}
	return nil
}

// address is where clients reach l.
func (l *listener) address() Address {
	host, port, err := net.SplitHostPort(l.socket.Addr().String())
	if err != nil {
		host, port = l.endpoint.Interface, ""
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	where := net.JoinHostPort(host, port)
	secure := ""
	if l.endpoint.TLS != nil {
		secure = "s"
	}
	a := Address{HTTP: "http" + secure + "://" + where + "/"}
	for _, path := range sortedKeys(l.site.Load().sockets) {
		a.WebSockets = append(a.WebSockets, "ws"+secure+"://"+where+path)
	}
	for _, path := range sortedKeys(l.site.Load().polls) {
		a.LongPolls = append(a.LongPolls, "http"+secure+"://"+where+path)
	}
	return a
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// listenError says what to do about an address that can't be listened at.
func listenError(e config.Endpoint, err error) error {
	var dns *net.DNSError
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "Only one usage of each socket address"):
		hint = "; another program listens there: stop it or choose another port"
	case errors.Is(err, fs.ErrPermission):
		hint = "; ports below 1024 may need a privilege: choose another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.As(err, &dns):
		hint = "; interface must be an address of this machine"
	}
	return fmt.Errorf("cannot listen on %s: %w%s", e.Address(), err, hint)
}
