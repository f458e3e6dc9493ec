package client

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/realm"
	"usher/router/transport"
	"usher/router/wamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testRouter is a router inside the process. Its one role may do everything but
// touch com.example.secret.
type testRouter struct {
	node     *realm.Node
	endpoint *realm.Endpoint
	serving  sync.WaitGroup
}

func newRouter(t *testing.T) *testRouter {
	role := &auth.Role{Name: "user", Rules: []auth.Rule{
		{URI: "", Match: wamp.Prefix, Allow: auth.Call | auth.Register | auth.Publish | auth.Subscribe},
		{URI: "com.example.secret"},
	}}
	policy := &realm.Policy{Realms: map[string]*realm.RealmPolicy{
		"realm1": {Name: "realm1", Roles: map[string]*auth.Role{"user": role}},
	}}
	r := &testRouter{
		node: realm.NewNode(policy, realm.Limits{Throttle: auth.ThrottleLimits{SlowAfter: -1}}, "test", slog.New(slog.DiscardHandler)),
		endpoint: &realm.Endpoint{Auth: auth.Methods{
			Anonymous: &auth.Anonymous{Role: "user"},
			Ticket:    &auth.Ticket{Principals: map[string]auth.StaticTicket{"joe": {Ticket: "secret!!!", Role: "user"}}},
		}},
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.node.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		r.serving.Wait()
	})
	return r
}

// dial connects to the router without joining.
func (r *testRouter) dial(f wamp.Format) transport.Conn {
	ours, theirs := transport.Pair(f, transport.Options{})
	r.serving.Go(func() {
		r.node.Serve(theirs, r.endpoint, &auth.Transport{Type: "websocket", Peer: "tcp4:127.0.0.1:1"})
	})
	return &strict{Conn: ours}
}

func (r *testRouter) join(t *testing.T, f wamp.Format) *Client {
	t.Helper()
	c, err := Join(t.Context(), r.dial(f), Options{Realm: "realm1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func formats() []wamp.Format { return []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} }

func TestCallsAndErrors(t *testing.T) {
	for _, f := range formats() {
		t.Run(f.String(), func(t *testing.T) {
			r := newRouter(t)
			callee, caller := r.join(t, f), r.join(t, f)
			ctx := t.Context()
			registration, err := callee.Register(ctx, "com.example.echo", wamp.RegisterOptions{}, func(_ context.Context, i *wamp.Invocation) (wamp.Payload, error) {
				return i.Payload, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = callee.Register(ctx, "com.example.fail", wamp.RegisterOptions{}, func(context.Context, *wamp.Invocation) (wamp.Payload, error) {
				return wamp.Payload{}, &Error{URI: "com.example.no", Payload: codec.TextPayload("because")}
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = callee.Register(ctx, "com.example.broken", wamp.RegisterOptions{}, func(context.Context, *wamp.Invocation) (wamp.Payload, error) {
				return wamp.Payload{}, io.ErrUnexpectedEOF
			})
			if err != nil {
				t.Fatal(err)
			}

			p, err := caller.Payload([]any{"hello"}, map[string]any{"a": "b"})
			if err != nil {
				t.Fatal(err)
			}
			result, err := caller.Call(ctx, "com.example.echo", wamp.CallOptions{}, p)
			var args []any
			var kwargs map[string]any
			if err == nil {
				err = errors.Join(codec.Unmarshal(result.Format, result.Args, &args), codec.Unmarshal(result.Format, result.Kwargs, &kwargs))
			}
			if err != nil || len(args) != 1 || args[0] != "hello" || kwargs["a"] != "b" {
				t.Errorf("echo returned %v, %v, %v", args, kwargs, err)
			}

			for _, c := range []struct{ procedure, uri, text string }{
				{"com.example.fail", "com.example.no", "because"},
				{"com.example.broken", wamp.ErrRuntime, io.ErrUnexpectedEOF.Error()},
				{"com.example.none", wamp.ErrNoSuchProcedure, ""},
				{"com.example.secret", wamp.ErrNotAuthorized, ""},
			} {
				_, err := caller.Call(ctx, c.procedure, wamp.CallOptions{}, wamp.Payload{})
				var e *Error
				if !errors.As(err, &e) || e.URI != c.uri || c.text != "" && e.Text() != c.text || !strings.Contains(err.Error(), c.procedure) {
					t.Errorf("%s: got %v, want %s: %s", c.procedure, err, c.uri, c.text)
				}
			}
			if err := callee.Unregister(ctx, registration); err != nil {
				t.Error(err)
			}
			if _, err := caller.Call(ctx, "com.example.echo", wamp.CallOptions{}, p); err == nil {
				t.Error("the procedure can still be called")
			}
		})
	}
}

func TestEventsInOrder(t *testing.T) {
	r := newRouter(t)
	subscriber, publisher := r.join(t, wamp.CBOR), r.join(t, wamp.JSON)
	ctx := t.Context()
	received := make(chan wamp.ID, 100)
	subscription, err := subscriber.Subscribe(ctx, "com.example.", wamp.SubscribeOptions{Match: wamp.Prefix}, func(e *wamp.Event) { received <- e.Publication })
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		id, err := publisher.Publish(ctx, "com.example.topic1", wamp.PublishOptions{Acknowledge: true}, wamp.Payload{})
		if err != nil {
			t.Fatal(err)
		}
		if got := <-received; got != id {
			t.Fatalf("got publication %d, want %d", got, id)
		}
	}
	if err := subscriber.Unsubscribe(ctx, subscription); err != nil {
		t.Error(err)
	}
	if id, err := publisher.Publish(ctx, "com.example.topic1", wamp.PublishOptions{}, wamp.Payload{}); err != nil || id != 0 {
		t.Errorf("a publication that is not acknowledged: %d, %v", id, err)
	}
	_, err = publisher.Publish(ctx, "com.example.secret", wamp.PublishOptions{Acknowledge: true}, wamp.Payload{})
	var e *Error
	if !errors.As(err, &e) || e.URI != wamp.ErrNotAuthorized {
		t.Errorf("got %v, want %s", err, wamp.ErrNotAuthorized)
	}
}

func TestTickets(t *testing.T) {
	r := newRouter(t)
	broken := errors.New("no ticket at hand")
	for _, c := range []struct {
		name   string
		ticket func(context.Context) (string, error)
		want   func(error) bool
	}{
		{"right", func(context.Context) (string, error) { return "secret!!!", nil }, func(err error) bool { return err == nil }},
		{"wrong", func(context.Context) (string, error) { return "x", nil }, func(err error) bool {
			var abort *AbortError
			return errors.As(err, &abort) && abort.Reason == wamp.ErrAuthenticationDenied
		}},
		{"none", func(context.Context) (string, error) { return "", broken }, func(err error) bool { return errors.Is(err, broken) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := Join(t.Context(), r.dial(wamp.JSON), Options{Realm: "realm1", Authid: "joe", Ticket: c.ticket})
			if !c.want(err) {
				t.Errorf("got %v", err)
			}
			if err != nil {
				return
			}
			if w := client.Welcome(); w.Authid != "joe" || w.Authrole != "user" || w.Authmethod != "ticket" {
				t.Errorf("welcome is %+v", w)
			}
			if reason, err := client.Leave(t.Context()); err != nil || reason != wamp.CloseNormal {
				t.Errorf("left with %q, %v", reason, err)
			}
			if err := client.Err(); !errors.Is(err, ErrClosed) {
				t.Errorf("the session ended with %v", err)
			}
			if _, err := client.Call(t.Context(), "com.example.x", wamp.CallOptions{}, wamp.Payload{}); !errors.Is(err, ErrClosed) {
				t.Errorf("a call after Leave: %v", err)
			}
		})
	}
}

func TestRouterThatSaysNothing(t *testing.T) {
	ours, theirs := transport.Pair(wamp.JSON, transport.Options{})
	defer theirs.Close(transport.CloseNormal)
	_, err := Join(t.Context(), ours, Options{Realm: "realm1", Timeout: 10 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a deadline exceeded", err)
	}
}

// A call whose context ends is given up; the session goes on.
func TestCallIsGivenUp(t *testing.T) {
	r := newRouter(t)
	callee, caller := r.join(t, wamp.JSON), r.join(t, wamp.MessagePack)
	called, release := make(chan struct{}), make(chan struct{})
	_, err := callee.Register(t.Context(), "com.example.slow", wamp.RegisterOptions{}, func(ctx context.Context, _ *wamp.Invocation) (wamp.Payload, error) {
		close(called)
		<-release
		return wamp.Payload{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-called
		cancel()
	}()
	if _, err := caller.Call(ctx, "com.example.slow", wamp.CallOptions{}, wamp.Payload{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	close(release)
	if _, err := caller.Publish(t.Context(), "com.example.topic1", wamp.PublishOptions{Acknowledge: true}, wamp.Payload{}); err != nil {
		t.Errorf("after a call was given up: %v", err)
	}
}

// yields is a connection that tells how it is when an answer was sent.
type yields struct {
	transport.Conn
	sent func()
}

func (y yields) Send(b *transport.Batch, m wamp.Message) error {
	err := y.Conn.Send(b, m)
	if _, ok := m.(*wamp.Yield); ok {
		y.sent()
	}
	return err
}

// The context of a handler ends behind its answer, and then at once.
func TestHandlersContextEndsBehindTheAnswer(t *testing.T) {
	r := newRouter(t)
	var handler context.Context
	var early error
	conn := yields{r.dial(wamp.JSON), func() { early = handler.Err() }}
	callee, err := Join(t.Context(), conn, Options{Realm: "realm1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(callee.Close)
	ended := make(chan struct{})
	_, err = callee.Register(t.Context(), "com.example.p", wamp.RegisterOptions{}, func(ctx context.Context, _ *wamp.Invocation) (wamp.Payload, error) {
		handler = ctx
		context.AfterFunc(ctx, func() { close(ended) })
		return wamp.Payload{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	caller := r.join(t, wamp.JSON)
	if _, err := caller.Call(t.Context(), "com.example.p", wamp.CallOptions{}, wamp.Payload{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the handler's context goes on")
	}
	if early != nil {
		t.Errorf("when the answer was sent the context had ended: %v", early)
	}
}

func TestRouterStops(t *testing.T) {
	r := newRouter(t)
	c := r.join(t, wamp.JSON)
	if err := r.node.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-c.Done()
	var goodbye *GoodbyeError
	if !errors.As(c.Err(), &goodbye) || goodbye.Reason != wamp.CloseSystemShutdown {
		t.Errorf("the session ended with %v, want %s", c.Err(), wamp.CloseSystemShutdown)
	}
}

func TestConnectToNobody(t *testing.T) {
	_, err := Connect(t.Context(), "ws://127.0.0.1:1/ws", Options{Realm: "realm1"})
	var connect *ConnectError
	if !errors.As(err, &connect) || strings.Count(err.Error(), "cannot connect to ws://127.0.0.1:1/ws: ") != 1 {
		t.Errorf("got %v, want a *ConnectError that names the URL once", err)
	}
}
