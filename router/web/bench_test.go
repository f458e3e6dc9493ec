package web

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"

	"usher/router/auth"
	"usher/router/config"
	"usher/router/realm"
	"usher/router/transport"
)

// closing ends each session at once.
type closing struct{}

func (closing) Serve(c transport.Conn, _ *realm.Endpoint, _ *auth.Transport) {
	c.Close(transport.CloseNormal)
}

// BenchmarkHandshake compares a connection's way to its session with the least
// that net/http and gorilla/websocket can do, which is the floor of a login.
func BenchmarkHandshake(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		up := websocket.Upgrader{Subprotocols: []string{"wamp.2.json"}}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := up.Upgrade(w, r, nil); err == nil {
				_ = c.Close()
			}
		})}
		done := make(chan error, 1)
		go func() { done <- s.Serve(l) }()
		handshakes(b, l.Addr().String())
		_ = s.Close()
		<-done
	})
	b.Run("usher", func(b *testing.B) {
		c, err := config.Parse("a", []byte(`{"realms": [{"name": "realm1", "roles": [{"name": "guest"}]}], "transports": [{"type": "web",
"endpoint": {"type": "tcp", "port": 0, "interface": "127.0.0.1"},
"paths": {"ws": {"type": "websocket", "auth": {"anonymous": {"type": "static", "role": "guest"}}}}}]}`))
		if err != nil {
			b.Fatal(err)
		}
		s, err := Listen(c, Options{Stats: noStats, Sessions: closing{}, Transport: transport.New(transport.Options{}), Health: &health{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Serve() }()
		handshakes(b, s.listeners[0].socket.Addr().String())
		if err := s.Shutdown(b.Context()); err != nil {
			b.Error(err)
		}
		<-done
	})
}

// handshakes opens one connection after the other, as Autobahn|Python does, and
// waits until it is closed.
func handshakes(b *testing.B, address string) {
	request := []byte("GET /ws HTTP/1.1\r\nUser-Agent: AutobahnPython/26.10.2\r\nHost: " + address +
		"\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
		"Sec-WebSocket-Key: xWszwpILt1/lMXVdGmIkfw==\r\nSec-WebSocket-Protocol: wamp.2.json\r\nSec-WebSocket-Version: 13\r\n\r\n")
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		n, err := c.Read(buf)
		if err != nil || !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 101 ")) {
			b.Fatalf("%q, %v", buf[:n], err)
		}
		// Answer the close frame by leaving.
		if cw, ok := c.(*net.TCPConn); ok {
			_ = cw.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}
}
