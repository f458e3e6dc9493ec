package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"usher/router/codec"
	"usher/router/wamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds each wait of a test; nothing here takes that long.
const patience = 10 * time.Second

// endpoint accepts WebSocket connections for a test.
type endpoint struct {
	t         testing.TB
	transport *Transport
	server    *httptest.Server
	accepted  chan *WebSocket
	failed    chan error
	deflate   *Deflate // how its connections may be compressed, and what dial asks for
}

// listen serves connections with the given options until the test ends.
func listen(t testing.TB, o Options, offered ...string) *endpoint { return serve(t, o, false, offered) }

func serve(t testing.TB, o Options, secure bool, offered []string) *endpoint {
	e := &endpoint{t: t, transport: New(o), accepted: make(chan *WebSocket, 2000), failed: make(chan error, 16)}
	e.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := e.transport.Upgrade(w, r, UpgradeOptions{Subprotocols: offered, Deflate: e.deflate})
		if err != nil {
			e.failed <- err
			return
		}
		if (r.TLS != nil) != secure {
			t.Errorf("the request's TLS state is %v", r.TLS)
		}
		t.Cleanup(func() { end(t, c) })
		e.accepted <- c
	}))
	if secure {
		e.server.StartTLS()
	} else {
		e.server.Start()
	}
	t.Cleanup(e.server.Close)
	return e
}

func (e *endpoint) url() string { return "ws" + strings.TrimPrefix(e.server.URL, "http") }

// accept returns the connection that came next.
func (e *endpoint) accept() *WebSocket {
	e.t.Helper()
	select {
	case c := <-e.accepted:
		return c
	case err := <-e.failed:
		e.t.Fatal(err)
	case <-time.After(patience):
		e.t.Fatal("nobody connected")
	}
	return nil
}

// dial connects with the package's own client.
func (e *endpoint) dial(subprotocols ...string) (client, server *WebSocket) {
	e.t.Helper()
	o := DialOptions{Subprotocols: subprotocols, Deflate: e.deflate, TLS: &tls.Config{InsecureSkipVerify: true}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := e.transport.Dial(ctx, e.url(), o)
	if err != nil {
		e.t.Fatal(err)
	}
	client, server = c.(*WebSocket), e.accept()
	e.t.Cleanup(func() { end(e.t, client, server) })
	return client, server
}

// peer is a client that may do anything that WebSocket forbids.
type peer struct {
	t testing.TB
	*websocket.Conn
}

// raw connects with a client under the test's control.
func (e *endpoint) raw(subprotocol string) (*peer, *WebSocket) {
	e.t.Helper()
	d := websocket.Dialer{Subprotocols: []string{subprotocol}, HandshakeTimeout: patience}
	ws, _, err := d.Dial(e.url(), nil)
	if err != nil {
		e.t.Fatal(err)
	}
	c := e.accept()
	e.t.Cleanup(func() { _ = ws.Close() }) // before c's
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	return &peer{e.t, ws}, c
}

// write sends bytes as they are.
func (p *peer) write(b ...byte) {
	p.t.Helper()
	if _, err := p.NetConn().Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// frame is a masked frame; the key is zero.
func frame(first byte, payload string) []byte {
	b := []byte{first, 0}
	switch n := len(payload); {
	case n > 0xffff:
		b = make([]byte, 10)
		b[0] = first
		finishHeader(b, n)
	case n > 125:
		b = append(b, 0, 0)
		finishHeader(b, n)
	default:
		b[1] = byte(n)
	}
	b[1] |= 0x80
	b = append(b, 0, 0, 0, 0)
	return append(b, payload...)
}

func finishHeader(b []byte, n int) {
	first := b[0]
	putHeader(b, 0, n)
	b[0] = first
}

// expectClose reads until the close frame and checks its code.
func (p *peer) expectClose(code int) *websocket.CloseError {
	p.t.Helper()
	for {
		_, _, err := p.ReadMessage()
		if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
			if closed.Code != code {
				p.t.Errorf("close code is %d (%s), want %d", closed.Code, closed.Text, code)
			}
			return closed
		}
		if err != nil {
			p.t.Fatalf("no close frame: %v", err)
		}
	}
}

// end closes connections and waits until they are gone.
func end(t testing.TB, conns ...Conn) {
	t.Helper()
	for _, c := range conns {
		c.Close(CloseNormal)
	}
	for _, c := range conns {
		select {
		case <-c.Done():
		case <-time.After(patience):
			t.Error("a connection did not end")
		}
	}
}

// event is message number n of a test, with size bytes of payload.
func event(t testing.TB, f wamp.Format, n, size int) *wamp.Event {
	t.Helper()
	args, err := codec.Marshal(f, []any{strings.Repeat("x", size)})
	if err != nil {
		t.Fatal(err)
	}
	return &wamp.Event{Subscription: 1, Publication: wamp.ID(n), Payload: wamp.Payload{Format: f, Args: args}}
}

// receive reads one event and returns its number.
func receive(t testing.TB, c Conn) int {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	data, err := c.Read(nil)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return number(t, c.Format(), data)
}

func number(t testing.TB, f wamp.Format, data []byte) int {
	t.Helper()
	var d codec.Decoder
	m, err := d.Decode(f, bytes.Clone(data))
	if err != nil {
		t.Fatal(err)
	}
	e, ok := m.(*wamp.Event)
	if !ok {
		t.Fatalf("received a %T", m)
	}
	return int(e.Publication)
}

// readError reads until an error comes.
func readError(t testing.TB, c Conn) error {
	t.Helper()
	result := make(chan error, 1)
	go func() { // ends with the connection
		for {
			if _, err := c.Read(nil); err != nil {
				result <- err
				return
			}
		}
	}()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatal("no error came")
		return nil
	}
}

// send sends and flushes.
func send(t testing.TB, c Conn, m wamp.Message) {
	t.Helper()
	var b Batch
	if err := c.Send(&b, m); err != nil {
		t.Fatal(err)
	}
	b.Flush()
}

// eachLink runs a test over every kind of connection and every subprotocol, with
// the two ends of one.
func eachLink(t *testing.T, o Options, test func(t *testing.T, client, server Conn)) {
	for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		t.Run("pair/"+f.String(), func(t *testing.T) {
			a, b := Pair(f, o)
			t.Cleanup(func() { end(t, a, b) })
			test(t, a, b)
		})
		for _, batched := range []bool{false, true} {
			name := subprotocol{f, batched}.String()
			t.Run("longpoll/"+name, func(t *testing.T) {
				client, server := longPoll(t, New(o), name, LongPollOptions{})
				test(t, client, server)
			})
			for _, secure := range []bool{false, true} {
				kind := map[bool]string{false: "websocket/", true: "tls/"}[secure]
				t.Run(kind+name, func(t *testing.T) {
					client, server := serve(t, o, secure, nil).dial(name)
					if client.Subprotocol() != name || server.Subprotocol() != name || server.Format() != f {
						t.Fatalf("subprotocols %s and %s, want %s", client.Subprotocol(), server.Subprotocol(), name)
					}
					test(t, client, server)
				})
			}
		}
		for _, kind := range rawKinds {
			t.Run("rawsocket/"+kind+"/"+f.String(), func(t *testing.T) {
				client, server := listenRaw(t, o, kind, RawSocketOptions{}).dial(f)
				if client.Format() != f || server.Format() != f {
					t.Fatalf("formats %s and %s, want %s", client.Format(), server.Format(), f)
				}
				test(t, client, server)
			})
		}
	}
}
