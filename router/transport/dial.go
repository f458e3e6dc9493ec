package transport

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
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
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to.url, nil)
	if err != nil {
		return nil, err
	}
	if to.network == "" {
		to.network, to.address = "tcp", r.URL.Host
		if r.URL.Port() == "" {
			port := map[bool]string{false: "80", true: "443"}[to.secure]
			to.address = net.JoinHostPort(r.URL.Hostname(), port)
		}
	}
	nc, err := to.dial(ctx, o.TLS)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(past()) })
	br := bufio.NewReader(io.LimitReader(nc, maxAnswer))
	s, deflate, err := ask(nc, br, r, o)
	if !stop() {
		err = ctx.Err() // which is why it failed, if it did
	}
	if err != nil {
		_ = nc.Close() // nothing was said yet
		return nil, err
	}
	c := t.newWebSocket(nc, true)
	c.start(s, deflate)
	c.came(br)
	return c, nil
}

// maxAnswer bounds the answer to a handshake, in bytes.
const maxAnswer = 64 << 10

// ask does the client's part of a handshake and returns what was agreed.
func ask(w io.Writer, br *bufio.Reader, r *http.Request, o DialOptions) (s subprotocol, d *deflation, err error) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it does not fail
	key := base64.StdEncoding.EncodeToString(random[:])
	r.Header = o.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	if password, ok := r.URL.User.Password(); ok && r.Header.Get("Authorization") == "" {
		r.SetBasicAuth(r.URL.User.Username(), password)
	}
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Sec-WebSocket-Key", key)
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Protocol", strings.Join(o.Subprotocols, ", "))
	if o.Deflate != nil {
		r.Header.Set("Sec-WebSocket-Extensions", extensionName+"; server_no_context_takeover; client_no_context_takeover")
	}
	if err := r.Write(w); err != nil {
		return s, nil, err
	}
	answer, err := http.ReadResponse(br, r)
	if err != nil {
		return s, nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 512)) // what there is
		return s, nil, fmt.Errorf("handshake refused: %s: %s", answer.Status, text)
	}
	if !listed(answer.Header, "Upgrade", "websocket") || !listed(answer.Header, "Connection", "upgrade") || answer.Header.Get("Sec-Websocket-Accept") != acceptKey(key) {
		return s, nil, errors.New("the answer to the handshake is none of WebSocket")
	}
	name := answer.Header.Get("Sec-Websocket-Protocol")
	if s = parseSubprotocol(name); s.format == 0 {
		return s, nil, fmt.Errorf("%w: router chose %q", ErrSubprotocol, name)
	}
	d, err = o.Deflate.accepted(answer.Header)
	return s, d, err
}
