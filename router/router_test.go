package router

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"usher/router/client"
	"usher/router/codec"
	"usher/router/config"
	"usher/router/wamp"
	"usher/router/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testConfig = `
realms:
  - name: realm1
    roles:
      - name: user
        permissions: [{uri: com.example.*, allow: {call: true, register: true, publish: true, subscribe: true}}]
      - {name: guest, permissions: []}
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0}
    paths:
      ws:
        type: websocket
        auth:
          anonymous: {type: static, role: user}
          ticket: {type: static, principals: {joe: {ticket: s3cret, role: guest}}}
limits: {ping_interval: 20s, queue_size: 1MiB}
`

type well struct{}

func (well) Health() web.Status { return web.Status{} }

func ticket(context.Context) (string, error) { return "s3cret", nil }

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("usher.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve runs a router until the test ends and returns it with its URL.
func serve(t *testing.T, text string) (r *Router, url string) {
	t.Helper()
	r = serveConfig(t, parse(t, text))
	return r, r.Addresses()[0].WebSockets[0]
}

func serveConfig(t testing.TB, c *config.Config) *Router {
	t.Helper()
	r, err := New(c, Options{Agent: "test", Health: well{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve() }() // ends with Shutdown
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return r
}

func connect(t *testing.T, url string, o client.Options) *client.Client {
	t.Helper()
	o.Realm = "realm1"
	c, err := client.Connect(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestCallsBetweenFormats goes through sockets, broker and dealer with every pair
// of formats: only there a payload is transcoded.
func TestCallsBetweenFormats(t *testing.T) {
	_, url := serve(t, testConfig)
	formats := []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR}
	for _, callee := range formats {
		procedure := fmt.Sprintf("com.example.echo.%s", callee)
		echo := func(_ context.Context, i *wamp.Invocation) (wamp.Payload, error) { return i.Payload.Clone(), nil }
		if _, err := connect(t, url, client.Options{Format: callee}).Register(t.Context(), procedure, wamp.RegisterOptions{}, echo); err != nil {
			t.Fatal(err)
		}
		for _, caller := range formats {
			t.Run(fmt.Sprintf("%s to %s", caller, callee), func(t *testing.T) {
				c := connect(t, url, client.Options{Format: caller})
				sent, err := c.Payload([]any{"grüß", int64(1) << 53, -1.5, true, nil, []any{}}, map[string]any{"deep": map[string]any{"er": []any{1.0}}})
				if err != nil {
					t.Fatal(err)
				}
				got, err := c.Call(t.Context(), procedure, wamp.CallOptions{}, sent)
				if err != nil {
					t.Fatal(err)
				}
				for _, part := range []struct{ sent, got []byte }{{sent.Args, got.Args}, {sent.Kwargs, got.Kwargs}} {
					var a, b any
					if err := errors.Join(codec.Unmarshal(caller, part.sent, &a), codec.Unmarshal(caller, part.got, &b)); err != nil {
						t.Fatal(err)
					}
					if !reflect.DeepEqual(normal(a), normal(b)) {
						t.Errorf("sent %v, got %v", a, b)
					}
				}
			})
		}
	}
}

// normal makes integers of all sizes one type: how an encoder packs them is its
// own business.
func normal(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
		return v
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
		return v
	case map[any]any:
		m := map[string]any{}
		for k, x := range v {
			m[fmt.Sprint(k)] = normal(x)
		}
		return m
	}
	r := reflect.ValueOf(v)
	switch {
	case !r.IsValid():
		return nil
	case r.CanInt():
		return float64(r.Int())
	case r.CanUint():
		return float64(r.Uint())
	}
	return v
}

func TestApply(t *testing.T) {
	r, url := serve(t, testConfig)
	stays := connect(t, url, client.Options{})
	goes := connect(t, url, client.Options{Authid: "joe", Ticket: ticket})

	changes, err := r.Apply(parse(t, strings.NewReplacer(
		"      - {name: guest, permissions: []}\n", "",
		"          ticket: {type: static, principals: {joe: {ticket: s3cret, role: guest}}}\n", "",
		"com.example.*", "com.other.*",
		"ping_interval: 20s", "ping_interval: 30s",
	).Replace(testConfig)))
	if err != nil {
		t.Fatal(err)
	}
	restart := map[string]bool{}
	for _, c := range changes {
		restart[c.Path] = c.Restart
	}
	if want := map[string]bool{"realms[0].roles": false, "realms[0].roles[0].permissions": false, "transports[0].paths": false, "limits.ping_interval": true}; !reflect.DeepEqual(restart, want) {
		t.Errorf("changes %v, want %v", restart, want)
	}

	select {
	case <-goes.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the session whose role went is still there")
	}
	var bye *client.GoodbyeError
	if !errors.As(goes.Err(), &bye) || !strings.Contains(bye.Error(), "guest") {
		t.Errorf("the session whose role went ended with %v", goes.Err())
	}
	var denied *client.Error
	_, err = stays.Publish(t.Context(), "com.example.topic", wamp.PublishOptions{Acknowledge: true}, wamp.Payload{})
	if !errors.As(err, &denied) || denied.URI != wamp.ErrNotAuthorized {
		t.Errorf("publish under the old rule: %v", err)
	}
	if _, err := stays.Publish(t.Context(), "com.other.topic", wamp.PublishOptions{Acknowledge: true}, wamp.Payload{}); err != nil {
		t.Errorf("publish under the new rule: %v", err)
	}
	var aborted *client.AbortError
	_, err = client.Connect(t.Context(), url, client.Options{Realm: "realm1", Authid: "joe", Ticket: ticket})
	if !errors.As(err, &aborted) || aborted.Reason != wamp.ErrNoMatchingAuthMethod {
		t.Errorf("login by a method that is gone: %v", err)
	}
}

func TestShutdownSaysGoodbye(t *testing.T) {
	r, url := serve(t, testConfig)
	c := connect(t, url, client.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	var bye *client.GoodbyeError
	if !errors.As(c.Err(), &bye) || bye.Reason != wamp.CloseSystemShutdown {
		t.Errorf("ended with %v", c.Err())
	}
	if _, err := client.Connect(t.Context(), url, client.Options{Realm: "realm1"}); err == nil {
		t.Error("a client could still join")
	}
}

func TestNewReportsATakenAddress(t *testing.T) {
	r, _ := serve(t, testConfig)
	address := strings.TrimSuffix(strings.TrimPrefix(r.Addresses()[0].HTTP, "http://127.0.0.1:"), "/")
	_, err := New(parse(t, strings.Replace(testConfig, "port: 0", "port: "+address, 1)), Options{Health: well{}, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "transports[0].endpoint") {
		t.Errorf("got %v", err)
	}
}

// TestEveryLimitArrives fails when a limit of the configuration is not handed on.
func TestEveryLimitArrives(t *testing.T) {
	var l config.Limits
	var numbers []reflect.Value
	names := map[int64]string{}
	for name, v := range leaves("limits", reflect.ValueOf(&l).Elem()) {
		v.SetInt(int64(1000 + len(numbers)))
		numbers = append(numbers, v)
		names[v.Int()] = name
	}
	arrived := map[int64]bool{
		int64(l.ShutdownTimeout): true, // the command line's
		int64(l.LongPolls):       true, // web's, from the configuration itself
	}
	for _, part := range []any{realmLimits(l), transportOptions(l)} {
		for _, v := range leaves("", reflect.ValueOf(part)) {
			arrived[v.Int()] = true
		}
	}
	for _, v := range numbers {
		if !arrived[v.Int()] {
			t.Errorf("%s is lost", names[v.Int()])
		}
	}
}

// leaves yields the numbers of a struct and of those within it.
func leaves(name string, v reflect.Value) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		if v.Kind() != reflect.Struct {
			yield(name, v)
			return
		}
		for i := range v.NumField() {
			for n, f := range leaves(name+"."+v.Type().Field(i).Name, v.Field(i)) {
				if !yield(n, f) {
					return
				}
			}
		}
	}
}

// TestViolationsOfTheTransport: the peer gets WAMP's ABORT as well as the close
// code, before and after it has joined.
func TestViolationsOfTheTransport(t *testing.T) {
	_, url := serve(t, testConfig)
	hello := `[1,"realm1",{"roles":{"caller":{}}}]`
	for _, c := range []struct {
		name  string
		first []string // text frames
		kind  int
		data  []byte
		code  int
	}{
		{"binary frame instead of HELLO", nil, websocket.BinaryMessage, []byte(hello), websocket.CloseUnsupportedData},
		{"binary frame in a session", []string{hello}, websocket.BinaryMessage, []byte(`[48,1,{},"com.example.x"]`), websocket.CloseUnsupportedData},
		{"a message that is too large", []string{hello}, websocket.TextMessage, make([]byte, 2<<20), websocket.CloseMessageTooBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := websocket.Dialer{Subprotocols: []string{"wamp.2.json"}}
			ws, _, err := d.DialContext(t.Context(), url, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			ws.SetReadDeadline(time.Now().Add(10 * time.Second))
			for _, m := range c.first {
				if err := ws.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
					t.Fatal(err)
				}
				if _, welcome, err := ws.ReadMessage(); err != nil || !strings.HasPrefix(string(welcome), "[2,") {
					t.Fatalf("got %s, %v", welcome, err)
				}
			}
			_ = ws.WriteMessage(c.kind, c.data) // the router may hang up in the middle of it
			_, abort, err := ws.ReadMessage()
			if err != nil || !strings.HasPrefix(string(abort), "[3,") || !strings.Contains(string(abort), wamp.ErrProtocolViolation) {
				t.Errorf("want ABORT, got %s, %v", abort, err)
			}
			if _, _, err = ws.ReadMessage(); !websocket.IsCloseError(err, c.code) {
				t.Errorf("want close code %d, got %v", c.code, err)
			}
		})
	}
}
