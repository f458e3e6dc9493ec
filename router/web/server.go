package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"usher/router/auth"
	"usher/router/config"
	"usher/router/realm"
	"usher/router/transport"
)

// The bounds on what a connection may cost before it is a session's.
const (
	headerTimeout  = 5 * time.Second // from accept to the end of the request's head
	requestTimeout = 10 * time.Second
	answerTimeout  = 2 * time.Minute // to send a file
	idleTimeout    = time.Minute
	drainTimeout   = time.Second // to finish answers on Shutdown
	maxHeaderBytes = 16 << 10
)

// Sessions runs the session of one connection until it has ended;
// *realm.Node does.
type Sessions interface {
	Serve(c transport.Conn, e *realm.Endpoint, t *auth.Transport)
}

var _ Sessions = (*realm.Node)(nil)

// Health tells how the rest of the router is. Its method may be called
// concurrently and must not block.
type Health interface {
	Health() Status
}

// Status is the answer of Health. The zero Status is well.
type Status struct {
	Unready  []string // why logins can't work, e.g. a component that never loaded
	Degraded []string // what works in an older form, e.g. a component whose reload failed
}

// Options are what a Server uses of the router. All but Cookies are required.
type Options struct {
	Sessions  Sessions
	Transport *transport.Transport
	Stats     func() realm.Stats // of the sessions
	Health    Health
	Log       *slog.Logger
	// Cookies returns the store of a cookie of the configuration that Listen or Reload
	// is called with. It may be called concurrently. Nil: clients get no cookies.
	Cookies func(*config.Cookie) CookieStore
}

// Server is the listeners of one router. Its methods may be called concurrently.
type Server struct {
	options   Options
	listeners []*listener // fixed by Listen
	polls     polls       // of all listeners
}

// Listen opens a listener for each transport of c. Clients may connect then,
// but are answered only once Serve is called. On an error nothing is open.
func Listen(c *config.Config, o Options) (*Server, error) {
	s := &Server{options: o}
	s.polls.init(c.Limits.LongPolls)
	for i, t := range c.Transports {
		l, err := s.listen(c, &t)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("transports[%d].endpoint: %w", i, err)
		}
		s.listeners = append(s.listeners, l)
	}
	return s, nil
}

func (s *Server) close() {
	for _, l := range s.listeners {
		_ = l.socket.Close() // was only just opened, nobody was served
	}
}

// Address is where a Server listens.
type Address struct {
	HTTP       string   // e.g. "http://127.0.0.1:8080/" or "http+unix:///run/usher.sock"; empty: not spoken
	WebSockets []string // e.g. "ws://127.0.0.1:8080/ws" or "ws+unix:///run/usher.sock:/ws"
	LongPolls  []string // e.g. "http://127.0.0.1:8080/lp"
	RawSocket  string   // e.g. "rs://127.0.0.1:8081" or "rs+unix:///run/usher.sock"; empty: not spoken
}

// All returns the addresses in one list.
func (a Address) All() []string {
	var all []string
	if a.HTTP != "" {
		all = append(all, a.HTTP)
	}
	all = append(append(all, a.WebSockets...), a.LongPolls...)
	if a.RawSocket != "" {
		all = append(all, a.RawSocket)
	}
	return all
}

// Addresses returns where clients can connect, in the order of the
// configuration that is in force.
func (s *Server) Addresses() []Address {
	all := make([]Address, len(s.listeners))
	for i, l := range s.listeners {
		all[i] = l.address()
	}
	return all
}

// Serve answers clients until Shutdown has begun and returns nil then, or the
// errors of all listeners once none is left. It must be called once.
//
// Each listener has one goroutine, which accepts and ends when its socket is
// closed; each HTTP connection has one, which ends with the connection or when
// the WebSocket is handed to its session's own goroutine. A RawSocket's is the same
// but for HTTP. One goroutine more looks at the files of certificates, until all
// listeners have ended.
func (s *Server) Serve() error {
	var running, watching sync.WaitGroup
	for _, l := range s.listeners {
		running.Go(l.serve)
	}
	ctx, cancel := context.WithCancel(context.Background())
	watching.Go(func() { s.watchCertificates(ctx, certificateInterval) })
	running.Wait()
	cancel()
	watching.Wait()
	var all []error
	for _, l := range s.listeners {
		all = append(all, l.failure())
	}
	return errors.Join(all...)
}

// Reload puts what c says about paths, origins, authentication, hosts, proxies
// and certificates in force on the listeners that c still has, for clients that
// connect from now on. Listeners can't be opened or closed: config.Diff names
// what differs there. On an error nothing has changed.
func (s *Server) Reload(c *config.Config) error {
	sites := make([]*site, len(s.listeners))
	for i, l := range s.listeners {
		for j := range c.Transports {
			t := &c.Transports[j]
			if !t.Endpoint.Same(l.endpoint) || sites[i] != nil {
				continue
			}
			built, err := l.build(c, t)
			if err != nil {
				return fmt.Errorf("transports[%d].endpoint: %w", j, err)
			}
			sites[i] = built
		}
	}
	for i, l := range s.listeners {
		if sites[i] != nil {
			sites[i].retire(l.site.Load(), func(path string) bool { return s.polls.openAt(l, path) })
			l.site.Store(sites[i])
		}
	}
	return nil
}

// Shutdown closes the listeners, gives HTTP requests in flight a second, or
// until ctx ends if that is sooner, and cuts what is left: connections that have
// not asked for anything, and browsers that can ask again. WebSockets are not its
// business any more: their sessions are the realm.Node's to shut down. The clients
// of long-poll transports fetch what that tells them by HTTP requests, so where
// there are any the listeners stay until these have ended, or until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.polls.stop(ctx)
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	var waiting sync.WaitGroup
	errs := make([]error, len(s.listeners))
	for i, l := range s.listeners {
		waiting.Go(func() { errs[i] = l.shutdown(ctx) })
	}
	waiting.Wait()
	return errors.Join(errs...)
}

// listen opens the listener of one transport.
func (s *Server) listen(c *config.Config, t *config.Transport) (*listener, error) {
	l := &listener{server: s, endpoint: t.Endpoint}
	socket, err := openSocket(t.Endpoint)
	if err != nil {
		return nil, listenError(t.Endpoint, err)
	}
	l.socket = socket
	l.loopback = isLoopback(socket.Addr())
	built, err := l.build(c, t)
	if err != nil {
		_ = socket.Close() // nobody was served
		return nil, err
	}
	l.site.Store(built)
	l.limit.max = t.MaxConnections
	if t.Endpoint.TLS != nil {
		l.tls = l.tlsConfig()
	}
	if t.RawSocket != nil {
		l.accept = &acceptor{l: l, opening: map[net.Conn]string{}, from: map[string]int{}}
	}
	if t.HTTP() {
		l.listenHTTP()
	}
	return l, nil
}

// listenHTTP prepares the HTTP server.
func (l *listener) listenHTTP() {
	l.http = &http.Server{
		Handler:                      l,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  requestTimeout,
		WriteTimeout:                 answerTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		ErrorLog:                     slog.NewLogLogger(l.log().Handler(), slog.LevelDebug),
		Protocols:                    new(http.Protocols),
	}
	// A WebSocket needs a connection of its own, which HTTP/2 does not give.
	l.http.Protocols.SetHTTP1(true)
	if l.accept != nil {
		l.accept.http = newHandoff(l.socket)
		l.http.ConnContext = withConn
		return
	}
	l.http.TLSConfig = l.tls
}
