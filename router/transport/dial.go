package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/websocket"
)

// DialOptions say how to connect. The zero value offers all Subprotocols.
type DialOptions struct {
	Subprotocols []string    // in order of preference; a RawSocket asks for the format of the first
	Header       http.Header // of a WebSocket's upgrade request
	TLS          *tls.Config // for wss and rss; nil: the defaults
}

// Dial connects to a WAMP router. The handshake is bounded by ctx. The url is one of
//
//	ws://HOST[:PORT]/PATH   wss://HOST[:PORT]/PATH   WebSocket, plain or in TLS
//	ws+unix:///SOCKET:/PATH wss+unix:///SOCKET:/PATH the same over a Unix socket
//	rs://HOST:PORT          rss://HOST:PORT          RawSocket, plain or in TLS
//	rs+unix:///SOCKET       rss+unix:///SOCKET       the same over a Unix socket
//
// SOCKET being an absolute file name, and PATH that of the request. In TLS over a
// Unix socket the router's name is localhost, unless the options say another.
func (t *Transport) Dial(ctx context.Context, url string, o DialOptions) (Conn, error) {
	if len(o.Subprotocols) == 0 {
		o.Subprotocols = Subprotocols()
	}
	var c Conn
	target, err := parseTarget(url)
	if err == nil {
		if target.rawSocket {
			c, err = t.dialRawSocket(ctx, target, o)
		} else {
			c, err = t.dialWebSocket(ctx, target, o)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", url, err)
	}
	return c, nil
}

// target is what a URL for Dial says.
type target struct {
	rawSocket bool
	secure    bool
	network   string // "tcp" or "unix"; empty: as the URL says
	address   string // for network
	url       string // that a WebSocket's request is made from
}

func parseTarget(s string) (target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return target{}, errors.Unwrap(err) // which does not repeat the URL
	}
	switch u.Scheme {
	case "ws", "wss":
		return target{url: s}, nil
	case "ws+unix", "wss+unix":
		name, path, _ := strings.Cut(u.Path, ":")
		at := url.URL{Scheme: strings.TrimSuffix(u.Scheme, "+unix"), Host: "localhost", Path: path, RawQuery: u.RawQuery}
		return target{network: "unix", address: name, url: at.String()}, socketName(u, name)
	case "rs+unix", "rss+unix":
		return target{rawSocket: true, secure: u.Scheme == "rss+unix", network: "unix", address: u.Path}, socketName(u, u.Path)
	case "rs", "rss":
		if u.Port() == "" || u.Hostname() == "" {
			return target{}, fmt.Errorf("host and port are needed: %s://localhost:8081", u.Scheme)
		}
		return target{rawSocket: true, secure: u.Scheme == "rss", network: "tcp", address: u.Host}, nil
	}
	return target{}, fmt.Errorf("the scheme %q is none of ws, wss, rs and rss, nor of these with +unix", u.Scheme)
}

// socketName says what is wrong with the name of a Unix socket in u.
func socketName(u *url.URL, name string) error {
	if u.Host != "" || !strings.HasPrefix(name, "/") {
		return fmt.Errorf("the socket's name must be absolute: %s:///run/usher.sock", u.Scheme)
	}
	return nil
}

// tls is c with the name that the router has to prove, where the address is none.
func (t target) tls(c *tls.Config) *tls.Config {
	if t.network != "unix" || c != nil && c.ServerName != "" {
		return c
	}
	if c == nil {
		c = new(tls.Config)
	}
	c = c.Clone()
	c.ServerName = "localhost"
	return c
}

func (t *Transport) dialRawSocket(ctx context.Context, to target, o DialOptions) (*RawSocket, error) {
	s := parseSubprotocol(o.Subprotocols[0])
	if s.format == 0 {
		return nil, fmt.Errorf("%q has no format that a RawSocket can have", o.Subprotocols[0])
	}
	var nc net.Conn
	var err error
	if to.secure {
		nc, err = (&tls.Dialer{Config: to.tls(o.TLS)}).DialContext(ctx, to.network, to.address)
	} else {
		nc, err = new(net.Dialer).DialContext(ctx, to.network, to.address)
	}
	if err != nil {
		return nil, err
	}
	return t.shakeRawSocket(ctx, nc, s.format)
}

func (t *Transport) dialWebSocket(ctx context.Context, to target, o DialOptions) (*WebSocket, error) {
	var asked *asking
	wrap := func(nc net.Conn, err error) (net.Conn, error) {
		if err != nil {
			return nil, err
		}
		asked = &asking{Conn: nc}
		return asked, nil
	}
	dialer := websocket.Dialer{
		Subprotocols:    o.Subprotocols,
		ReadBufferSize:  handshakeBuffer,
		WriteBufferSize: handshakeBuffer,
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if to.network != "" {
				network, addr = to.network, to.address
			}
			return wrap(new(net.Dialer).DialContext(ctx, network, addr))
		},
		NetDialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if to.network != "" {
				network, addr = to.network, to.address
			}
			return wrap((&tls.Dialer{Config: to.tls(o.TLS)}).DialContext(ctx, network, addr))
		},
	}
	ws, response, err := dialer.DialContext(ctx, to.url, o.Header)
	if err != nil {
		if response != nil {
			text, _ := io.ReadAll(io.LimitReader(response.Body, 512)) // what there is
			return nil, fmt.Errorf("%w: %s: %s", err, response.Status, text)
		}
		return nil, err
	}
	s := parseSubprotocol(ws.Subprotocol())
	if s.format == 0 {
		_ = ws.Close() // nothing was said yet
		return nil, fmt.Errorf("%w: router chose %q", ErrSubprotocol, ws.Subprotocol())
	}
	c := t.newWebSocket(asked.Conn, true)
	c.start(s)
	if len(asked.came) > 0 {
		c.in.raw = &buffer{asked.came}
	}
	return c, nil
}

// asking is the connection as gorilla sees it until the handshake is answered.
type asking struct {
	net.Conn
	came  []byte // and was not handed out yet
	blank int    // how much of blankLine came last
}

// blankLine ends the head of an answer.
const blankLine = "\r\n\r\n"

// Read hands out no more than the head of the answer at first: what is behind it
// are frames, unless it is a refusal.
func (a *asking) Read(p []byte) (int, error) {
	if len(a.came) == 0 {
		a.came = make([]byte, smallBuffer)
		n, err := a.Conn.Read(a.came)
		a.came = a.came[:max(n, 0)]
		if n <= 0 {
			return n, err
		}
	}
	n := 0
	if a.blank == len(blankLine) {
		n = len(a.came)
	}
	for n < min(len(p), len(a.came)) && a.blank < len(blankLine) {
		switch a.came[n] {
		case blankLine[a.blank]:
			a.blank++
		case blankLine[0]:
			a.blank = 1
		default:
			a.blank = 0
		}
		n++
	}
	n = copy(p, a.came[:n])
	a.came = a.came[n:]
	return n, nil
}
