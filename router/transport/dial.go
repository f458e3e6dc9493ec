package transport

import (
	"bytes"
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
	Deflate      *Deflate    // a WebSocket asks for compression; nil: it does not
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
		return nil, fmt.Errorf("cannot connect to %s: %w", url, err)
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
		return target{secure: u.Scheme == "wss", url: s}, nil
	case "ws+unix", "wss+unix":
		name, path, _ := strings.Cut(u.Path, ":")
		at := url.URL{Scheme: strings.TrimSuffix(u.Scheme, "+unix"), Host: "localhost", Path: path, RawQuery: u.RawQuery}
		return target{secure: at.Scheme == "wss", network: "unix", address: name, url: at.String()}, socketName(u, name)
	case "rs+unix", "rss+unix":
		return target{rawSocket: true, secure: u.Scheme == "rss+unix", network: "unix", address: u.Path}, socketName(u, u.Path)
	case "rs", "rss":
		if u.Host == "unix:" { // as Autobahn|Python writes it: rs://unix:/run/usher.sock
			return target{rawSocket: true, secure: u.Scheme == "rss", network: "unix", address: u.Path}, nil
		}
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

func (t target) dial(ctx context.Context, c *tls.Config) (net.Conn, error) {
	if t.secure {
		return (&tls.Dialer{Config: t.tls(c)}).DialContext(ctx, t.network, t.address)
	}
	return new(net.Dialer).DialContext(ctx, t.network, t.address)
}

func (t *Transport) dialRawSocket(ctx context.Context, to target, o DialOptions) (*RawSocket, error) {
	s := parseSubprotocol(o.Subprotocols[0])
	if s.format == 0 {
		return nil, fmt.Errorf("%q has no format that a RawSocket can have", o.Subprotocols[0])
	}
	nc, err := to.dial(ctx, o.TLS)
	if err != nil {
		return nil, err
	}
	return t.shakeRawSocket(ctx, nc, s.format)
}

func (t *Transport) dialWebSocket(ctx context.Context, to target, o DialOptions) (*WebSocket, error) {
	var nc *answerReader
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if to.network == "" {
			to.network, to.address = network, address
		}
		dialed, err := to.dial(ctx, o.TLS)
		if err != nil {
			return nil, err
		}
		nc = &answerReader{Conn: dialed, left: maxAnswer}
		return nc, nil
	}
	dialer := websocket.Dialer{
		Subprotocols:      o.Subprotocols,
		ReadBufferSize:    handshakeBuffer,
		WriteBufferSize:   handshakeBuffer,
		EnableCompression: o.Deflate != nil,
		NetDialContext:    dial,
		NetDialTLSContext: dial,
	}
	ws, response, err := dialer.DialContext(ctx, to.url, o.Header)
	if err != nil {
		if response != nil {
			text, _ := io.ReadAll(io.LimitReader(response.Body, 512)) // what there is
			return nil, fmt.Errorf("handshake refused: %s: %s", response.Status, text)
		}
		return nil, err
	}
	s := parseSubprotocol(ws.Subprotocol())
	if s.format == 0 {
		_ = nc.Close() // nothing was said yet
		return nil, fmt.Errorf("%w: router chose %q", ErrSubprotocol, ws.Subprotocol())
	}
	deflate, err := o.Deflate.accepted(response.Header)
	if err != nil {
		_ = nc.Close() // likewise
		return nil, err
	}
	c := t.newWebSocket(nc.Conn, true)
	c.start(s, deflate)
	if len(nc.behind) > 0 {
		c.in.raw = &buffer{nc.behind}
	}
	return c, nil
}

// maxAnswer bounds the answer to a handshake, in bytes.
const maxAnswer = 64 << 10

// answerReader is a connection of which gorilla reads the answer to its handshake
// and nothing more: what comes behind it are frames.
type answerReader struct {
	net.Conn
	left   int // bytes that may still come
	last   [3]byte
	ended  bool   // the header has
	behind []byte // what came with the end of the header
}

// Read pauses at the end of the header.
func (r *answerReader) Read(p []byte) (int, error) {
	if r.ended { // the answer is a refusal, which has a text
		n := copy(p, r.behind)
		if r.behind = r.behind[n:]; n > 0 {
			return n, nil
		}
		return r.Conn.Read(p)
	}
	if r.left == 0 {
		return 0, errors.New("the answer to the handshake is too long")
	}
	n, err := r.Conn.Read(p[:min(len(p), r.left)])
	r.left -= n
	seen := append(r.last[:len(r.last):len(r.last)], p[:n]...)
	if i := bytes.Index(seen, []byte("\r\n\r\n")); i >= 0 {
		end := i + 4 - len(r.last)
		r.ended, r.behind = true, bytes.Clone(p[end:n])
		n = end
	}
	copy(r.last[:], seen[len(seen)-len(r.last):])
	return n, err
}
