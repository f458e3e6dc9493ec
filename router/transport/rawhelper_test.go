package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"usher/router/wamp"
)

// rawKinds are what a RawSocket runs over.
var rawKinds = []string{"tcp", "unix", "tls"}

// rawEndpoint accepts RawSocket connections for a test.
type rawEndpoint struct {
	t         testing.TB
	transport *Transport
	kind      string
	listener  net.Listener
	accepted  chan *RawSocket
	failed    chan error
}

// certificate is one that nobody trusts.
func certificate() tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0]
}

// listenRaw serves RawSocket connections until the test ends.
func listenRaw(t testing.TB, o Options, kind string, agreed RawSocketOptions) *rawEndpoint {
	t.Helper()
	network, address := "tcp", "127.0.0.1:0"
	if kind == "unix" {
		network, address = "unix", filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if kind == "tls" {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	}
	e := &rawEndpoint{t: t, transport: New(o), kind: kind, listener: l, accepted: make(chan *RawSocket, 2000), failed: make(chan error, 2000)}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // until l is closed
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // until the handshake's end
				c, err := e.transport.AcceptRawSocket(nc, agreed)
				if err != nil {
					e.failed <- err
					return
				}
				e.accepted <- c
			}()
		}
	}()
	return e
}

func (e *rawEndpoint) url() string {
	switch e.kind {
	case "unix":
		return "rs+unix://" + e.listener.Addr().String()
	case "tls":
		return "rss://" + e.listener.Addr().String()
	}
	return "rs://" + e.listener.Addr().String()
}

// accept returns the connection that came next.
func (e *rawEndpoint) accept() *RawSocket {
	e.t.Helper()
	select {
	case c := <-e.accepted:
		e.t.Cleanup(func() { end(e.t, c) })
		return c
	case err := <-e.failed:
		e.t.Fatal(err)
	case <-time.After(patience):
		e.t.Fatal("nobody connected")
	}
	return nil
}

// dial connects with the package's own client.
func (e *rawEndpoint) dial(f wamp.Format) (client, server *RawSocket) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := e.transport.Dial(ctx, e.url(), DialOptions{Subprotocols: []string{"wamp.2." + f.String()}, TLS: &tls.Config{InsecureSkipVerify: true}})
	if err != nil {
		e.t.Fatal(err)
	}
	client, server = c.(*RawSocket), e.accept()
	e.t.Cleanup(func() { end(e.t, client, server) })
	return client, server
}

// rawPeer is a client that may do anything that RawSocket forbids.
type rawPeer struct {
	t testing.TB
	net.Conn
}

// connect connects without a handshake.
func (e *rawEndpoint) connect() *rawPeer {
	e.t.Helper()
	nc, err := net.Dial(e.listener.Addr().Network(), e.listener.Addr().String())
	if err != nil {
		e.t.Fatal(err)
	}
	if e.kind == "tls" {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
	e.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return &rawPeer{e.t, nc}
}

// raw connects with a client under the test's control, which takes messages of
// 2^(9+length) bytes.
func (e *rawEndpoint) raw(f wamp.Format, length byte) (*rawPeer, *RawSocket) {
	e.t.Helper()
	p := e.connect()
	p.write(RawSocketMagic, length<<4|byte(f), 0, 0)
	c := e.accept()
	if a := p.read(4); a[0] != RawSocketMagic || a[1]&15 != byte(f) || a[2] != 0 || a[3] != 0 {
		e.t.Fatalf("the answer is %x", a)
	}
	e.t.Cleanup(func() { _ = p.Close() }) // before c's
	return p, c
}

// write sends bytes as they are.
func (p *rawPeer) write(b ...byte) {
	p.t.Helper()
	if _, err := p.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// read returns the next n bytes.
func (p *rawPeer) read(n int) []byte {
	p.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(p, b); err != nil {
		p.t.Fatal(err)
	}
	return b
}

// frame reads a frame.
func (p *rawPeer) frame() (kind byte, payload []byte) {
	p.t.Helper()
	kind, n, ok := parsePrefix(p.read(prefixSize))
	if !ok {
		p.t.Fatal("the router broke the protocol")
	}
	return kind, p.read(n)
}

// expectEnd reads until the end of the stream.
func (p *rawPeer) expectEnd() {
	p.t.Helper()
	if _, err := io.Copy(io.Discard, p); err != nil && !errors.Is(err, io.EOF) {
		p.t.Errorf("the stream ended with %v", err)
	}
}

// rawFrame is a frame with a payload.
func rawFrame(kind byte, payload string) []byte {
	return append(appendPrefix(nil, kind, len(payload)), payload...)
}
