package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// scripted is the router's side of a session whose messages a test writes itself.
type scripted struct {
	t       *testing.T
	conn    transport.Conn
	batch   transport.Batch
	decoder codec.Decoder
}

// strict is a Conn whose messages are gone with the next Read, as they may be.
type strict struct {
	transport.Conn
	last []byte
}

func (s *strict) Read(b *transport.Batch) ([]byte, error) {
	data, err := s.Conn.Read(b)
	clear(s.last)
	s.last = bytes.Clone(data)
	return s.last, err
}

// joinScripted joins a client to a router that announces features for its dealer.
func joinScripted(t *testing.T, features wamp.Features, o Options) (*Client, *scripted) {
	t.Helper()
	ours, theirs := transport.Pair(wamp.JSON, transport.Options{})
	theirs.SetReadDeadline(time.Now().Add(20 * time.Second))
	s := &scripted{t: t, conn: theirs}
	t.Cleanup(func() { theirs.Close(transport.CloseNormal) })
	joined := make(chan struct{})
	var c *Client
	var err error
	go func() {
		defer close(joined)
		c, err = Join(context.Background(), &strict{Conn: ours}, o)
	}()
	if hello, ok := s.receive().(*wamp.Hello); !ok || !hello.Roles.Callee.Has(wamp.FeatureCallCanceling) {
		t.Errorf("got %+v, want HELLO", hello)
	}
	s.send(&wamp.Welcome{Session: 1, Roles: wamp.Roles{
		Dealer: wamp.RoleFeatures{Present: true, Features: features},
		Broker: wamp.RoleFeatures{Present: true},
	}})
	<-joined
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, s
}

// receive returns the next message, valid until the next.
func (s *scripted) receive() wamp.Message {
	s.t.Helper()
	data, err := s.conn.Read(&s.batch)
	if err != nil {
		s.t.Fatalf("read: %v", err)
	}
	m, err := s.decoder.Decode(wamp.JSON, data)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *scripted) send(m wamp.Message) {
	s.t.Helper()
	if err := s.conn.Send(nil, m); err != nil {
		s.t.Fatalf("send %s: %v", m.Type(), err)
	}
}

// want receives a message and compares what it says, as JSON.
func (s *scripted) want(text string) {
	s.t.Helper()
	got, err := codec.Append(nil, wamp.JSON, s.receive())
	if err != nil {
		s.t.Fatal(err)
	}
	if string(got) != text {
		s.t.Errorf("got  %s\nwant %s", got, text)
	}
}

// args is a JSON payload of arguments.
func args(text string) wamp.Payload { return wamp.Payload{Format: wamp.JSON, Args: []byte(text)} }

// register registers a handler under id.
func (s *scripted) register(c *Client, id wamp.ID, h InvocationHandler) {
	s.t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := c.Register(context.Background(), "com.example.p", wamp.RegisterOptions{}, h)
		done <- err
	}()
	m := s.receive().(*wamp.Register)
	s.send(&wamp.Registered{Request: m.Request, Registration: id})
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

func TestProgressiveResults(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	var got []string
	call, err := c.StartCall("com.example.p", wamp.CallOptions{}, args(`[1]`), func(r *wamp.Result) { got = append(got, string(r.Payload.Args)) })
	if err != nil {
		t.Fatal(err)
	}
	s.want(`[48,1,{"receive_progress":true},"com.example.p",[1]]`)
	s.send(&wamp.Result{Request: 1, Progress: true, Payload: args(`["a"]`)})
	s.send(&wamp.Result{Request: 1, Progress: true, Payload: args(`["b"]`)})
	s.send(&wamp.Result{Request: 1, Passthru: &wamp.Passthru{Scheme: "x_y"}, Payload: args(`["c"]`)})
	r, err := call.Wait(t.Context())
	if err != nil || string(r.Payload.Args) != `["c"]` || r.Passthru == nil || r.Passthru.Scheme != "x_y" {
		t.Errorf("the result is %+v, %v", r, err)
	}
	if strings.Join(got, "") != `["a"]["b"]` {
		t.Errorf("progressive results %q", got)
	}
	// None is handed over after the answer, nor where nobody asked.
	s.send(&wamp.Result{Request: 1, Progress: true, Payload: args(`["late"]`)})
	if err := call.Send(wamp.Payload{}, false); !errors.Is(err, ErrAnswered) {
		t.Errorf("more of a call that has its answer: %v", err)
	}
	if len(got) != 2 {
		t.Errorf("progressive results %q", got)
	}
}

func TestCallInParts(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	call, err := c.StartCall("com.example.p", wamp.CallOptions{Progress: true}, args(`[1]`), nil)
	if err == nil {
		err = errors.Join(call.Send(args(`[2]`), true), call.Send(args(`[3]`), false))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.want(`[48,1,{"progress":true},"com.example.p",[1]]`)
	s.want(`[48,1,{"progress":true},"com.example.p",[2]]`)
	s.want(`[48,1,{},"com.example.p",[3]]`)
	s.send(&wamp.Error{RequestType: wamp.TypeCall, Request: 1, URI: "com.example.no"})
	var e *Error
	if _, err := call.Wait(t.Context()); !errors.As(err, &e) || e.URI != "com.example.no" {
		t.Errorf("got %v", err)
	}
}

func TestCancel(t *testing.T) {
	c, s := joinScripted(t, wamp.FeatureCallCanceling, Options{})
	call, err := c.StartCall("com.example.p", wamp.CallOptions{Timeout: 5000}, wamp.Payload{}, nil)
	if err == nil {
		err = call.Cancel(wamp.CancelKill)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.want(`[48,1,{"timeout":5000},"com.example.p"]`)
	s.want(`[49,1,{"mode":"kill"}]`)
	s.send(&wamp.Error{RequestType: wamp.TypeCall, Request: 1, URI: wamp.ErrCanceled})
	var e *Error
	if _, err := call.Wait(t.Context()); !errors.As(err, &e) || e.URI != wamp.ErrCanceled {
		t.Errorf("got %v", err)
	}
	if err := call.Cancel(wamp.CancelKill); !errors.Is(err, ErrAnswered) {
		t.Errorf("cancelled twice: %v", err)
	}

	// A context that ends cancels the call as well, where the router can do that.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Call(ended, "com.example.p", wamp.CallOptions{}, wamp.Payload{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	s.want(`[48,2,{},"com.example.p"]`)
	s.want(`[49,2,{"mode":"killnowait"}]`)
}

func TestCalleeSendsProgress(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	s.register(c, 7, func(ctx context.Context, i *wamp.Invocation) (wamp.Payload, error) {
		for _, text := range []string{`[1]`, `[2]`} {
			if err := c.Progress(ctx, i, args(text)); err != nil {
				return wamp.Payload{}, err
			}
		}
		return args(`[3]`), nil
	})
	s.send(&wamp.Invocation{Request: 1, Registration: 7, Details: wamp.InvocationDetails{ReceiveProgress: true}})
	s.want(`[70,1,{"progress":true},[1]]`)
	s.want(`[70,1,{"progress":true},[2]]`)
	s.want(`[70,1,{},[3]]`)
	s.send(&wamp.Invocation{Request: 2, Registration: 7})
	s.want(`[8,68,2,{},"wamp.error.runtime_error",["progressive result: the caller did not ask for progressive results"]]`)
}

func TestInterrupt(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	causes := make(chan error, 1)
	s.register(c, 7, func(ctx context.Context, i *wamp.Invocation) (wamp.Payload, error) {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		if i.Details.Procedure == "com.example.own" {
			return wamp.Payload{}, &Error{URI: "com.example.stopped"}
		}
		return wamp.Payload{}, context.Cause(ctx)
	})
	var interrupt *InterruptError

	s.send(&wamp.Invocation{Request: 1, Registration: 7})
	s.send(&wamp.Interrupt{Request: 1, Mode: wamp.CancelKill, Reason: wamp.ErrCanceled})
	s.want(`[8,68,1,{},"wamp.error.canceled",["interrupted: wamp.error.canceled"]]`)
	if cause := <-causes; !errors.As(cause, &interrupt) || *interrupt != (InterruptError{wamp.CancelKill, wamp.ErrCanceled}) {
		t.Errorf("the context ended with %v", cause)
	}

	s.send(&wamp.Invocation{Request: 2, Registration: 7, Details: wamp.InvocationDetails{Procedure: "com.example.own"}})
	s.send(&wamp.Interrupt{Request: 2, Mode: wamp.CancelKillNoWait})
	s.want(`[8,68,2,{},"com.example.stopped"]`)
	<-causes

	s.send(&wamp.Invocation{Request: 3, Registration: 7, Details: wamp.InvocationDetails{Timeout: 1}})
	s.want(`[8,68,3,{},"wamp.error.timeout",["context deadline exceeded"]]`)
	if cause := <-causes; !errors.Is(cause, context.DeadlineExceeded) {
		t.Errorf("the context ended with %v", cause)
	}
	// One that is over, or never was, is nobody's.
	s.send(&wamp.Interrupt{Request: 3, Mode: wamp.CancelKill})
	s.send(&wamp.Interrupt{Request: 99, Mode: wamp.CancelKill})
	s.send(&wamp.Invocation{Request: 4, Registration: 8})
	s.want(`[8,68,4,{},"wamp.error.no_such_registration",["not registered by this client any more"]]`)
}

func TestInvocationInParts(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	s.register(c, 7, func(ctx context.Context, i *wamp.Invocation) (wamp.Payload, error) {
		all := string(i.Payload.Args)
		for {
			part, err := c.More(ctx, i)
			if err == io.EOF {
				text, _ := json.Marshal([]string{all}) // of a string it cannot fail
				return args(string(text)), nil
			}
			if err != nil {
				return wamp.Payload{}, err
			}
			if all += string(part.Payload.Args); all == `[1]["stop"]` {
				return args(`["stopped"]`), nil
			}
		}
	})
	part := func(request wamp.ID, text string, more bool) {
		t.Helper()
		s.send(&wamp.Invocation{Request: request, Registration: 7, Details: wamp.InvocationDetails{Progress: more}, Payload: args(text)})
	}
	part(1, `[1]`, true)
	part(1, `[2]`, true)
	part(1, `[3]`, false)
	s.want(`[70,1,{},["[1][2][3]"]]`)
	part(2, `[1]`, true)
	part(2, `["stop"]`, true)
	s.want(`[70,2,{},["stopped"]]`)
	// What comes after the answer is no new call: no handler runs, nor has one answered.
	part(2, `[2]`, false)
	s.send(&wamp.Invocation{Request: 3, Registration: 8})
	s.want(`[8,68,3,{},"wamp.error.no_such_registration",["not registered by this client any more"]]`)
	c.mu.Lock()
	running := len(c.invocations)
	c.mu.Unlock()
	if running != 0 {
		t.Errorf("%d handlers run", running)
	}
	part(4, `[9]`, false)
	s.want(`[70,4,{},["[9]"]]`)
}

// A handler that does not take what comes must not make the client grow.
func TestInvocationPartsAreBounded(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	s.register(c, 7, func(ctx context.Context, i *wamp.Invocation) (wamp.Payload, error) {
		<-ctx.Done()
		return wamp.Payload{}, context.Cause(ctx)
	})
	part := func(request wamp.ID, p wamp.Payload) {
		s.send(&wamp.Invocation{Request: request, Registration: 7, Details: wamp.InvocationDetails{Progress: true}, Payload: p})
	}
	for range maxParts + 2 {
		part(1, wamp.Payload{})
	}
	s.want(`[8,68,1,{},"wamp.error.unavailable",["more of the call came than is kept"]]`)

	large := args(`["` + strings.Repeat("x", maxPartBytes/8) + `"]`)
	for i := range wamp.ID(8) {
		part(2, large)
		// Its answer tells that what came before was read: the queue must not be full.
		s.send(&wamp.Invocation{Request: 3 + i, Registration: 8})
		s.want(fmt.Sprintf(`[8,68,%d,{},"wamp.error.no_such_registration",["not registered by this client any more"]]`, 3+i))
	}
	part(2, large)
	s.want(`[8,68,2,{},"wamp.error.unavailable",["more of the call came than is kept"]]`)
}

// Nor must a router that calls faster than handlers return.
func TestInvocationsAreBounded(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	s.register(c, 7, func(ctx context.Context, i *wamp.Invocation) (wamp.Payload, error) {
		<-ctx.Done()
		return wamp.Payload{}, nil
	})
	for request := range wamp.ID(maxInvocations + 1) {
		s.send(&wamp.Invocation{Request: request + 1, Registration: 7})
	}
	s.want(fmt.Sprintf(`[8,68,%d,{},"wamp.error.unavailable",["the callee has too many calls in hand"]]`, maxInvocations+1))
	s.send(&wamp.Interrupt{Request: 1, Mode: wamp.CancelKill})
	s.want(`[70,1,{}]`)
}

// What a handler is given is its own, whatever comes meanwhile.
func TestInvocationIsTheHandlersOwn(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	s.register(c, 7, func(ctx context.Context, i *wamp.Invocation) (wamp.Payload, error) {
		<-ctx.Done()
		return i.Payload, nil
	})
	s.send(&wamp.Invocation{Request: 1, Registration: 7, Payload: args(`["mine"]`)})
	s.send(&wamp.Interrupt{Request: 1, Mode: wamp.CancelKill})
	s.want(`[70,1,{},["mine"]]`)
}

// Nor does an answer change before who asked has looked at it.
func TestAnswerIsTheCallersOwn(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	for request, reply := range []wamp.Message{
		&wamp.Result{Payload: args(`["mine"]`)},
		&wamp.Error{RequestType: wamp.TypeCall, URI: "com.example.no", Payload: args(`["mine"]`)},
	} {
		call, err := c.StartCall("com.example.p", wamp.CallOptions{}, wamp.Payload{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		id := s.receive().(*wamp.Call).Request
		switch m := reply.(type) {
		case *wamp.Result:
			m.Request = id
		case *wamp.Error:
			m.Request = id
		}
		s.send(reply)
		s.send(&wamp.Invocation{Request: wamp.ID(1 + request), Registration: 8})
		s.want(fmt.Sprintf(`[8,68,%d,{},"wamp.error.no_such_registration",["not registered by this client any more"]]`, 1+request))
		var got wamp.Payload
		var failed *Error
		r, err := call.Wait(t.Context())
		if err == nil {
			got = r.Payload
		} else if errors.As(err, &failed) {
			got = failed.Payload
		}
		if string(got.Args) != `["mine"]` {
			t.Errorf("%s: got %q, %v", reply.Type(), got.Args, err)
		}
	}
}

func TestAnswerOfAnotherKind(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	done := make(chan error, 1)
	go func() {
		_, err := c.Subscribe(context.Background(), "com.example.t", wamp.SubscribeOptions{}, func(*wamp.Event) {})
		done <- err
	}()
	s.send(&wamp.Registered{Request: s.receive().(*wamp.Subscribe).Request, Registration: 7})
	if err := <-done; err == nil || !strings.Contains(err.Error(), "answered with a message of type 65, not 33") {
		t.Errorf("Subscribe: %v", err)
	}
}

func TestGoodbyeIsAnswered(t *testing.T) {
	c, s := joinScripted(t, 0, Options{})
	s.send(&wamp.Goodbye{Reason: wamp.CloseSystemShutdown})
	s.want(`[6,{},"wamp.close.goodbye_and_out"]`)
	<-c.Done()
	var goodbye *GoodbyeError
	if err := c.Err(); !errors.As(err, &goodbye) || goodbye.Reason != wamp.CloseSystemShutdown {
		t.Errorf("the session ended with %v", err)
	}
}

func TestRevocation(t *testing.T) {
	told := make(chan wamp.Message, 2)
	c, s := joinScripted(t, 0, Options{Revoked: func(m wamp.Message) { told <- m }})
	s.register(c, 7, func(context.Context, *wamp.Invocation) (wamp.Payload, error) { return wamp.Payload{}, nil })
	s.send(&wamp.Unregistered{Registration: 7, Reason: "com.example.why"})
	if m, ok := (<-told).(*wamp.Unregistered); !ok || m.Registration != 7 || m.Reason != "com.example.why" {
		t.Errorf("told %+v", m)
	}
	s.send(&wamp.Invocation{Request: 1, Registration: 7})
	s.want(`[8,68,1,{},"wamp.error.no_such_registration",["not registered by this client any more"]]`)
	s.send(&wamp.Unsubscribed{Subscription: 9})
	if m, ok := (<-told).(*wamp.Unsubscribed); !ok || m.Subscription != 9 {
		t.Errorf("told %+v", m)
	}
}
