package web

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/config"
	"usher/router/realm"
	"usher/router/transport"
	"usher/router/wamp"
)

// keeper takes connections and keeps them until the test closes them.
type keeper struct{ all chan kept }

type kept struct {
	conn transport.Conn
	admitted
}

func (k *keeper) Serve(c transport.Conn, e *realm.Endpoint, t *auth.Transport) {
	k.all <- kept{c, admitted{e, t}}
	<-c.Done()
}

// pollWorld is a Server with long-poll paths, and a client of it.
type pollWorld struct {
	*world
	keeper *keeper
	client *http.Client
	scheme string
}

// startPolls runs a Server whose path lp has these options.
func startPolls(t *testing.T, options, more string) *pollWorld {
	t.Helper()
	return servePolls(t, conf(t, "", `      lp: {type: longpoll, serializers: [json, cbor], auth: {anonymous: {type: static, role: guest}}, options: {`+options+`}}
      two/lp: {type: longpoll, auth: {anonymous: {type: static, role: guest}}}`, more))
}

// servePolls runs a Server until the test ends. Its client takes any certificate.
func servePolls(t *testing.T, c *config.Config) *pollWorld {
	t.Helper()
	w := &pollWorld{world: &world{log: &logBuffer{}, health: &health{}}, keeper: &keeper{make(chan kept, 64)}, scheme: "http://"}
	var err error
	w.Server, err = Listen(c, Options{
		Stats: noStats, Sessions: w.keeper, Transport: transport.New(transport.Options{MaxMessageSize: 2000, CloseTimeout: time.Second}), Health: w.health,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	at := w.listeners[0].socket.Addr()
	w.address = at.String()
	if at.Network() == "unix" {
		w.address = "localhost"
	}
	if c.Transports[0].Endpoint.TLS != nil {
		w.scheme = "https://"
	}
	w.client = &http.Client{Timeout: 3 * patience, Transport: &http.Transport{
		TLSClientConfig: insecure(),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, at.Network(), at.String())
		},
	}}
	served := make(chan error, 1)
	go func() { served <- w.Serve() }() // ends with Shutdown
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		w.polls.mu.Lock()
		open := slices.Collect(maps.Values(w.polls.byID))
		w.polls.mu.Unlock()
		for _, entry := range open {
			w.polls.close(entry)
			entry.conn.Close(transport.CloseNormal)
		}
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

// post makes one request and returns its answer.
func (w *pollWorld) post(t testing.TB, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.scheme+w.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return w.do(t, r, headers...)
}

func (w *pollWorld) do(t testing.TB, r *http.Request, headers ...string) (*http.Response, string) {
	t.Helper()
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(b)
}

// open opens a transport below a path and returns its own path, with the
// session's side.
func (w *pollWorld) open(t testing.TB, path, protocol string, headers ...string) (string, kept) {
	t.Helper()
	r, body := w.post(t, path+"/open?x=1", `{"protocols": ["wamp.2.ubjson", "`+protocol+`", "wamp.2.json"]}`, headers...)
	var opened struct{ Transport, Protocol string }
	if err := json.Unmarshal([]byte(body), &opened); r.StatusCode != 200 || err != nil || opened.Protocol != protocol || len(opened.Transport) < 22 {
		t.Fatalf("open: %d %s", r.StatusCode, body)
	}
	select {
	case k := <-w.keeper.all:
		return path + "/" + opened.Transport, k
	case <-time.After(patience):
		t.Fatal("no session was started")
		return "", kept{}
	}
}

// expect makes a request and checks its answer's status, and that the body has text.
func (w *pollWorld) expect(t testing.TB, status int, text, path, body string) *http.Response {
	t.Helper()
	r, got := w.post(t, path, body)
	if r.StatusCode != status || !strings.Contains(got, text) {
		t.Errorf("%s: %d %q, want %d %q", path[strings.LastIndexByte(path, '/'):], r.StatusCode, got, status, text)
	}
	return r
}

func sendNow(t testing.TB, c transport.Conn, m wamp.Message) {
	t.Helper()
	if err := c.Send(nil, m); err != nil {
		t.Error(err)
	}
}
