package web

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"usher/router/auth"
	"usher/router/config"
	"usher/router/realm"
	"usher/router/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests.
const patience = 10 * time.Second

// admitted is what a session was started with.
type admitted struct {
	endpoint  *realm.Endpoint
	transport *auth.Transport
}

// sessions takes connections, tells about them and closes them.
type sessions struct{ all chan admitted }

func (s *sessions) Serve(c transport.Conn, e *realm.Endpoint, t *auth.Transport) {
	s.all <- admitted{e, t}
	c.Close(transport.CloseNormal)
	<-c.Done()
}

// noStats are the figures of a router without sessions.
func noStats() realm.Stats { return realm.Stats{} }

// health is a Health that a test sets.
type health struct {
	mu     sync.Mutex
	status Status
}

func (h *health) Health() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

func (h *health) set(s Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = s
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a Server that answers, and what is around it.
type world struct {
	*Server
	sessions *sessions
	health   *health
	log      *logBuffer
	address  string // host:port of the first listener
}

// conf is a configuration whose first transport has paths, each line indented
// by six; more follows at the top level.
func conf(t *testing.T, dir, paths, more string) *config.Config {
	t.Helper()
	c, err := config.Parse(filepath.Join(dir, "usher.yaml"), []byte(`
realms: [{name: realm1, roles: [{name: guest}]}]
transports:
  - type: web
    endpoint: {type: tcp, port: 0, interface: 127.0.0.1}
    paths:
      ws: {type: websocket, serializers: [json, cbor], auth: {anonymous: {type: static, role: guest}}}
`+paths+"\n"+more))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start runs a Server until the test ends.
func start(t *testing.T, c *config.Config) *world {
	t.Helper()
	return startWith(t, c, func(*Options) {})
}

// startWith is start with other options.
func startWith(t *testing.T, c *config.Config, change func(*Options)) *world {
	t.Helper()
	w := &world{sessions: &sessions{make(chan admitted, 64)}, health: &health{}, log: &logBuffer{}}
	o := Options{
		Stats: noStats, Sessions: w.sessions, Transport: transport.New(transport.Options{}), Health: w.health,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	change(&o)
	var err error
	w.Server, err = Listen(c, o)
	if err != nil {
		t.Fatal(err)
	}
	w.address = w.listeners[0].socket.Addr().String()
	served := make(chan error, 1)
	go func() { served <- w.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return w
}

// dial opens a WebSocket at path and returns its session, or the refusal.
func (w *world) dial(t *testing.T, path string, h http.Header) (*admitted, int, string) {
	t.Helper()
	d := websocket.Dialer{HandshakeTimeout: patience, Subprotocols: []string{"wamp.2.ubjson", "wamp.2.json"}}
	c, r, err := d.Dial("ws://"+w.address+path, h)
	if err != nil {
		if r == nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		return nil, r.StatusCode, string(body)
	}
	defer c.Close()
	return w.session(t), r.StatusCode, ""
}

func (w *world) session(t *testing.T) *admitted {
	t.Helper()
	select {
	case s := <-w.sessions.all:
		return &s
	case <-time.After(patience):
		t.Fatal("no session was started")
		return nil
	}
}

// raw sends a request as it is and returns the answer with its body.
func (w *world) raw(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	r, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}

// get asks for a path exactly as it is written.
func (w *world) get(t *testing.T, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	return w.raw(t, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", path, strings.Join(append(headers, ""), "\r\n")))
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
