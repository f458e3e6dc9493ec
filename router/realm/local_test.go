package realm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/wamp"
)

// recorder is a component that keeps what it is handed, or does what its fields say.
type recorder struct {
	invoke      func(*LocalInvocation) bool // nil: keep it
	invocations chan *LocalInvocation
	events      chan string
	closed      chan string
}

func newRecorder() *recorder {
	return &recorder{
		invocations: make(chan *LocalInvocation, 1000),
		events:      make(chan string, 10_000),
		closed:      make(chan string, 1),
	}
}

func (r *recorder) Invoke(i *LocalInvocation) bool {
	if r.invoke != nil {
		return r.invoke(i)
	}
	i.Payload = i.Payload.Clone()
	r.invocations <- i
	return true
}

func (r *recorder) Event(e *LocalEvent) {
	r.events <- fmt.Sprintf("%s (%s) %s %s %s", e.URI, e.Match, e.Topic, e.Payload.Args, e.Payload.Kwargs)
}

func (r *recorder) Closed(reason string) { r.closed <- reason }

// local joins realm1 as a component.
func (w *world) local(role string, h LocalHandler) *Local {
	w.t.Helper()
	l, err := w.Join(LocalOptions{Realm: "realm1", Authrole: role, Authid: role}, h)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// bind binds registrations and subscriptions with default options.
func bind(t testing.TB, l *Local, procedures, topics []string) {
	t.Helper()
	var b Bindings
	for _, uri := range procedures {
		b.Registrations = append(b.Registrations, Binding{URI: uri})
	}
	for _, uri := range topics {
		b.Subscriptions = append(b.Subscriptions, SubscriptionBinding{URI: uri})
	}
	if err := l.Bind(b, nil); err != nil {
		t.Fatal(err)
	}
}

func jsonArgs(args string) wamp.Payload { return wamp.Payload{Format: wamp.JSON, Args: []byte(args)} }

// expectReply fails unless err is this *ErrorReply.
func expectReply(t *testing.T, err error, uri, text string) {
	t.Helper()
	var e *ErrorReply
	if !errors.As(err, &e) || e.URI != uri || !strings.Contains(e.Text, text) {
		t.Errorf("got %v, want %s with %q", err, uri, text)
	}
}

func TestJoinFails(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	_, err := w.Join(LocalOptions{Realm: "realm9", Authrole: "backend"}, newRecorder())
	expectReply(t, err, wamp.ErrNoSuchRealm, "realm9")
	_, err = w.Join(LocalOptions{Realm: "realm1", Authrole: "ghost"}, newRecorder())
	expectReply(t, err, wamp.ErrNoSuchRole, "ghost")
}

func TestLocalCallee(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		h := newRecorder()
		bind(t, w.local("backend", h), []string{"com.example.add2"}, nil)
		c := w.join(f, "frontend")
		c.send(`[48,1,{"disclose_me":true},"com.example.add2",[2,3]]`)
		i := <-h.invocations
		if i.URI != "com.example.add2" || i.Details.Caller != c.session || i.Format() != f || i.Payload.Format != f {
			t.Errorf("invocation is %+v", i)
		}
		if i.Context().Err() != nil {
			t.Error("the context has ended before the answer")
		}
		i.Yield(jsonArgs("[5]"))
		i.Yield(jsonArgs("[6]"))
		i.Error("com.example.late", wamp.Payload{})
		c.expect(`[50,1,{},[5]]`)
		if i.Context().Err() == nil {
			t.Error("the context has not ended with the answer")
		}
		c.send(`[48,2,{},"com.example.add2"]`)
		(<-h.invocations).Error("com.example.error", jsonArgs(`["broken"]`))
		c.expect(`[8,48,2,{},"com.example.error",["broken"]]`)
		c.send(`[48,3,{},"com.example.add2"]`)
		(<-h.invocations).Error("not a uri", jsonArgs(`["broken"]`))
		c.expect(`[8,48,3,{},"wamp.error.runtime_error",["broken"]]`)
	})
}

// TestLocalAnswersAtOnce: from within Invoke, whatever that returns then.
func TestLocalAnswersAtOnce(t *testing.T) {
	for _, returns := range []bool{true, false} {
		w := newWorld(t, scenario(), Limits{})
		h := newRecorder()
		h.invoke = func(i *LocalInvocation) bool {
			i.Yield(i.Payload)
			return returns
		}
		bind(t, w.local("backend", h), []string{"com.example.add2"}, nil)
		c := w.join(wamp.CBOR, "frontend")
		c.send(`[48,1,{},"com.example.add2",["echo"]]`)
		c.expect(`[50,1,{},["echo"]]`)
		c.request = 1
		c.expectNothing()
	}
}

func TestLocalIsOverloaded(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	h.invoke = func(*LocalInvocation) bool { return false }
	bind(t, w.local("backend", h), []string{"com.example.add2"}, nil)
	c := w.join(wamp.JSON, "frontend")
	c.send(`[48,1,{},"com.example.add2"]`)
	c.expect(`[8,48,1,{},"wamp.error.unavailable",["callee of \"com.example.add2\" has too much to do"]]`)
}

// TestCallerOfLocalLeaves: the invocation's context ends.
func TestCallerOfLocalLeaves(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	bind(t, w.local("backend", h), []string{"com.example.add2"}, nil)
	c := w.join(wamp.JSON, "frontend")
	c.send(`[48,1,{},"com.example.add2"]`)
	i := <-h.invocations
	ctx := i.Context()
	c.drop()
	select {
	case <-ctx.Done():
	case <-time.After(patience):
		t.Error("the context goes on")
	}
	i.Yield(wamp.Payload{})
}

// TestOnEnd: once, at once where the end was before, and never for one taken back.
func TestOnEnd(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	bind(t, w.local("backend", h), []string{"com.example.add2"}, nil)
	c := w.join(wamp.JSON, "frontend")
	c.send(`[48,1,{},"com.example.add2"]`)
	i := <-h.invocations
	taken, kept, late := 0, 0, 0
	i.OnEnd(func() { taken++ })
	i.OnEnd(nil)
	i.OnEnd(func() { kept++ })
	if i.Ended() {
		t.Error("it has ended before the answer")
	}
	i.Yield(wamp.Payload{})
	c.expect(`[50,1,{}]`)
	i.Yield(wamp.Payload{})
	if !i.Ended() {
		t.Error("it has not ended with the answer")
	}
	i.OnEnd(func() { late++ })
	if taken != 0 || kept != 1 || late != 1 {
		t.Errorf("called %d, %d and %d times, want 0, 1 and 1", taken, kept, late)
	}
}

func TestLocalCaller(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		callee := w.join(f, "anyone")
		callee.register("com.example.remote", `{}`)
		l := w.local("backend", newRecorder())
		type outcome struct {
			payload wamp.Payload
			err     error
		}
		outcomes := make(chan outcome, 1)
		call := func() {
			p, err := l.Call(context.Background(), "com.example.remote", wamp.CallOptions{}, jsonArgs("[1]"))
			outcomes <- outcome{p, err}
		}
		go call()
		callee.expect(`[68,1,1,{},[1]]`)
		callee.send(`[70,1,{},["result"]]`)
		o := <-outcomes
		var args []any
		if err := codec.Unmarshal(o.payload.Format, o.payload.Args, &args); o.err != nil || err != nil || len(args) != 1 || args[0] != "result" {
			t.Errorf("got %v, %v, %v", args, o.err, err)
		}
		go call()
		callee.expect(`[68,2,1,{},[1]]`)
		callee.send(`[8,68,2,{},"com.example.error",["broken",1]]`)
		o = <-outcomes
		expectReply(t, o.err, "com.example.error", "broken")
		if e := o.err.(*ErrorReply); e.Payload.Format != f || len(e.Payload.Args) == 0 {
			t.Errorf("the error's payload is %+v", e.Payload)
		}
	})
}

func TestLocalCallErrors(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	l := w.local("authenticator", newRecorder())
	_, err := l.Call(context.Background(), "com.example.add2", wamp.CallOptions{}, wamp.Payload{})
	expectReply(t, err, wamp.ErrNotAuthorized, `authrole="authenticator") is not authorized to call procedure "com.example.add2" on realm "realm1"`)
	_, err = l.Publish("com.example.topic1", wamp.PublishOptions{}, wamp.Payload{})
	expectReply(t, err, wamp.ErrNotAuthorized, "publish to topic")
	b := w.local("backend", newRecorder())
	_, err = b.Call(context.Background(), "com.example.nobody", wamp.CallOptions{}, wamp.Payload{})
	expectReply(t, err, wamp.ErrNoSuchProcedure, "com.example.nobody")
	_, err = b.Publish("com..x", wamp.PublishOptions{}, wamp.Payload{})
	expectReply(t, err, wamp.ErrInvalidURI, "com..x")
	b.Leave()
	_, err = b.Call(context.Background(), "com.example.nobody", wamp.CallOptions{}, wamp.Payload{})
	expectReply(t, err, wamp.ErrCanceled, "session has left")
	_, err = b.Publish("com.example.x", wamp.PublishOptions{}, wamp.Payload{})
	expectReply(t, err, wamp.ErrCanceled, "session has left")
	expectReply(t, b.Bind(Bindings{}, nil), wamp.ErrCanceled, "session has left")
}

// TestLocalCallEndsWithItsContext: and leaves nothing at the callee.
func TestLocalCallEndsWithItsContext(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee := w.join(wamp.JSON, "anyone")
	callee.register("com.example.slow", `{}`)
	l := w.local("backend", newRecorder())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := l.Call(ctx, "com.example.slow", wamp.CallOptions{}, wamp.Payload{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if n := w.Stats().PendingCalls; n != 0 {
		t.Errorf("%d calls are pending", n)
	}
	callee.expect(`[68,1,1,{}]`)
	callee.send(`[70,1,{}]`)
	callee.expectNothing()
}

// TestLocalsCallEachOther: without a connection anywhere.
func TestLocalsCallEachOther(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	type key struct{}
	h := newRecorder()
	h.invoke = func(i *LocalInvocation) bool {
		if i.Caller == nil || i.Caller.Value(key{}) != "nested" {
			t.Error("the callee does not see the values of the caller's context")
		}
		i.Yield(i.Payload)
		return true
	}
	bind(t, w.local("backend", h), []string{"com.example.echo"}, nil)
	l := w.local("anyone", newRecorder())
	ctx := context.WithValue(context.Background(), key{}, "nested")
	for range 100 {
		p, err := l.Call(ctx, "com.example.echo", wamp.CallOptions{}, jsonArgs(`["x"]`))
		if err != nil || string(p.Args) != `["x"]` {
			t.Fatalf("got %s, %v", p.Args, err)
		}
	}
}

func TestLocalEvents(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	l := w.local("backend", h)
	err := l.Bind(Bindings{Subscriptions: []SubscriptionBinding{
		{URI: "com.example.topic"},
		{URI: "com.example.topic"},
		{URI: "com.example.", Options: wamp.SubscribeOptions{Match: wamp.Prefix}},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	publisher := w.join(wamp.JSON, "anyone")
	publisher.send(`[16,1,{},"com.example.topic",[1],{"a":2}]`)
	for _, want := range []string{
		`com.example.topic (exact) com.example.topic [1] {"a":2}`,
		`com.example. (prefix) com.example.topic [1] {"a":2}`,
	} {
		if got := <-h.events; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	// Its own publications it hears where it asks to, and not otherwise.
	if _, err := l.Publish("com.example.topic", wamp.PublishOptions{}, jsonArgs("[2]")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Publish("com.example.topic", wamp.PublishOptions{ExcludeMe: wamp.False}, jsonArgs("[3]")); err != nil {
		t.Fatal(err)
	}
	if got, want := <-h.events, "com.example.topic (exact) com.example.topic [3] "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLocalPublishes(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		c := w.join(f, "anyone")
		c.subscribe("com.example.topic", `{}`)
		l := w.local("backend", newRecorder())
		id, err := l.Publish("com.example.topic", wamp.PublishOptions{DiscloseMe: wamp.True}, jsonArgs(`["x"]`))
		if err != nil || !id.Valid() {
			t.Fatal(id, err)
		}
		event := c.receive().(*wamp.Event)
		if event.Publication != id || event.Details.Publisher != l.Session() || event.Details.PublisherAuthid != "backend" {
			t.Errorf("got %s", text(event))
		}
	})
}

// TestLocalLeaves: its callers are answered, and its callers' table knows.
func TestLocalLeaves(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	l := w.local("backend", h)
	bind(t, l, []string{"com.example.add2"}, []string{"com.example.topic"})
	c := w.join(wamp.JSON, "frontend")
	c.send(`[48,1,{},"com.example.add2"]`)
	i := <-h.invocations
	l.Leave()
	l.Leave()
	c.expect(`[8,48,1,{},"wamp.error.canceled",["callee session left"]]`)
	if i.Context().Err() == nil {
		t.Error("the invocation's context goes on")
	}
	i.Yield(wamp.Payload{})
	c.send(`[48,2,{},"com.example.add2"]`)
	c.expect(`[8,48,2,{},"wamp.error.no_such_procedure",**`)
	select {
	case reason := <-h.closed:
		t.Errorf("Closed was called with %q", reason)
	default:
	}
}

func TestBindFails(t *testing.T) {
	w := newWorld(t, scenario(), Limits{Registrations: 3, Subscriptions: 1})
	taken := w.join(wamp.JSON, "anyone")
	taken.register("com.example.taken", `{}`)
	h := newRecorder()
	h.invoke = func(i *LocalInvocation) bool { i.Yield(wamp.Payload{}); return true }
	l := w.local("backend", h)
	bind(t, l, []string{"com.example.mine"}, nil)
	for _, test := range []struct {
		name      string
		b         Bindings
		uri, text string
	}{
		{"taken", Bindings{Registrations: []Binding{{URI: "com.example.new"}, {URI: "com.example.taken"}}},
			wamp.ErrProcedureAlreadyExists, `procedure "com.example.taken" is already registered with match "exact" by authid`},
		{"twice", Bindings{Registrations: []Binding{{URI: "com.example.new"}, {URI: "com.example.new"}}},
			wamp.ErrProcedureAlreadyExists, `procedure "com.example.new"`},
		{"an authenticator's, by prefix only", Bindings{Registrations: []Binding{{URI: authenticatorURI}}},
			wamp.ErrNotAuthorized, "an exact permission rule"},
		{"denied topic", Bindings{Subscriptions: []SubscriptionBinding{{URI: "com.example.topic2"}}},
			wamp.ErrNotAuthorized, `subscribe to topic "com.example.topic2"`},
		{"bad URI", Bindings{Registrations: []Binding{{URI: "com..x"}}}, wamp.ErrInvalidURI, "com..x"},
		{"the router's", Bindings{Registrations: []Binding{{URI: "wamp.x"}}}, wamp.ErrInvalidURI, "wamp.x"},
		{"an option", Bindings{Registrations: []Binding{{URI: "com.x", Options: wamp.RegisterOptions{Invoke: "mystery"}}}},
			wamp.ErrOptionNotAllowed, `"invoke" is "mystery"`},
		{"too many procedures", Bindings{Registrations: make([]Binding, 4)}, wamp.ErrUnavailable, "4 registrations"},
		{"too many topics", Bindings{Subscriptions: make([]SubscriptionBinding, 2)}, wamp.ErrUnavailable, "2 subscriptions"},
	} {
		t.Run(test.name, func(t *testing.T) {
			expectReply(t, l.Check(test.b), test.uri, test.text)
			err := l.Bind(test.b, func() { t.Error("committed") })
			expectReply(t, err, test.uri, test.text)
			if _, err := l.Call(context.Background(), "com.example.mine", wamp.CallOptions{}, wamp.Payload{}); err != nil {
				t.Errorf("what was bound before is gone: %v", err)
			}
			if st := w.Stats(); st.Registrations != 2 || st.Subscriptions != 0 {
				t.Errorf("something has changed: %+v", st)
			}
		})
	}
	if err := l.Check(Bindings{Registrations: []Binding{{URI: "com.example.new"}}}); err != nil {
		t.Error(err)
	}
	if st := w.Stats(); st.Registrations != 2 {
		t.Errorf("Check has changed something: %+v", st)
	}
}

// TestBindKeepsIds: what is equal keeps its id, what is not gets a new one.
func TestBindKeepsIds(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	l := w.local("backend", newRecorder())
	ids := func() map[string]wamp.ID {
		ids := make(map[string]wamp.ID)
		for id, o := range l.session.registrations {
			reg := o.registration
			ids[fmt.Sprint(reg.uri, reg.match)] = id
			if got, ok := l.session.realm.registrations.Get(reg.match, reg.uri); !ok || got != reg {
				t.Errorf("%s is not what callers find", reg.uri)
			}
		}
		for id, m := range l.session.subscriptions {
			sub := m.subscription
			ids[fmt.Sprint("topic ", sub.uri, sub.match)] = id
		}
		return ids
	}
	prefix := wamp.RegisterOptions{Match: wamp.Prefix}
	if err := l.Bind(Bindings{
		Registrations: []Binding{{URI: "a.same"}, {URI: "a.gone"}, {URI: "a.pattern", Options: prefix}, {URI: "a.option"}},
		Subscriptions: []SubscriptionBinding{{URI: "t.same"}, {URI: "t.gone"}},
	}, nil); err != nil {
		t.Fatal(err)
	}
	before := ids()
	if err := l.Bind(Bindings{
		Registrations: []Binding{{URI: "a.new"}, {URI: "a.same"}, {URI: "a.pattern"}, {URI: "a.option", Options: wamp.RegisterOptions{DiscloseCaller: wamp.True}}},
		Subscriptions: []SubscriptionBinding{{URI: "t.same"}, {URI: "t.new"}},
	}, nil); err != nil {
		t.Fatal(err)
	}
	after := ids()
	if len(after) != 6 {
		t.Errorf("bound are %v", after)
	}
	for _, key := range []string{"a.sameexact", "topic t.sameexact"} {
		if before[key] != after[key] || after[key] == 0 {
			t.Errorf("%s: %d became %d", key, before[key], after[key])
		}
	}
	if before["a.optionexact"] == after["a.optionexact"] {
		t.Error("a registration with other options has the same id")
	}
	if after["a.goneexact"] != 0 || after["a.patternprefix"] != 0 || after["topic t.goneexact"] != 0 {
		t.Errorf("what was dropped is there: %v", after)
	}
}

// TestBindSwapsAuthenticator: the registration stays, the next login asks the new one.
func TestBindSwapsAuthenticator(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	refuse := authenticatorFunc(func(context.Context, *auth.Request) (*auth.Principal, error) {
		return nil, &auth.Refusal{URI: "com.example.closed", Message: "closed"}
	})
	l := w.authenticateBy(seedAuthenticator)
	w.login(wamp.JSON, ticketed(), "joe", "secret!!!").welcomed()
	if err := l.Bind(Bindings{Registrations: []Binding{{URI: authenticatorURI, Authenticator: refuse}}}, nil); err != nil {
		t.Fatal(err)
	}
	w.login(wamp.JSON, ticketed(), "joe", "secret!!!").expect(`[3,{"message":"closed"},"com.example.closed"]`)
}

// TestBindUnderCalls: through 200 transactions, half of which also add and remove
// others, a caller that calls all the time never misses the procedure, and each
// call is answered by the generation that was committed or the one before.
func TestBindUnderCalls(t *testing.T) {
	rebinds := 200
	if testing.Short() {
		rebinds = 50
	}
	w := newWorld(t, scenario(), Limits{})
	var generation atomic.Int64
	h := newRecorder()
	h.invoke = func(i *LocalInvocation) bool {
		i.Yield(jsonArgs(fmt.Sprintf("[%d]", generation.Load())))
		return true
	}
	l := w.local("backend", h)
	bind(t, l, []string{"com.example.add2"}, []string{"com.example.topic"})
	c := w.join(wamp.MessagePack, "frontend")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rebinds {
			b := Bindings{Registrations: []Binding{{URI: "com.example.add2"}}, Subscriptions: []SubscriptionBinding{{URI: "com.example.topic"}}}
			if i%2 == 0 {
				b.Registrations = append(b.Registrations, Binding{URI: "com.example.other"})
			}
			if err := l.Bind(b, func() { generation.Add(1) }); err != nil {
				t.Error(err)
			}
			time.Sleep(100 * time.Microsecond)
		}
	}()
	last := int64(0)
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		c.send(fmt.Sprintf(`[48,%d,{},"com.example.add2"]`, c.next()))
		m := c.receive()
		result, ok := m.(*wamp.Result)
		if !ok {
			t.Fatalf("got %s", text(m))
		}
		var args []int64
		if err := codec.Unmarshal(result.Payload.Format, result.Payload.Args, &args); err != nil || len(args) != 1 || args[0] < last {
			t.Fatalf("generation %v after %d, %v", args, last, err)
		}
		last = args[0]
	}
	if last != int64(rebinds) {
		t.Errorf("the last answer is generation %d, want %d", last, rebinds)
	}
}

// details is a component that keeps the details of events.
type details struct {
	*recorder
	of chan wamp.EventDetails
}

func (d details) Event(e *LocalEvent) { d.of <- e.Details }

// TestLocalEventDetails: a component learns all that a client would, and may keep it.
func TestLocalEventDetails(t *testing.T) {
	w := newWorld(t, settled(Settings{}), Limits{})
	h := details{newRecorder(), make(chan wamp.EventDetails, 10)}
	l := w.local("anyone", h)
	b := Bindings{Subscriptions: []SubscriptionBinding{{URI: "com.example.", Options: wamp.SubscribeOptions{Match: wamp.Prefix, GetRetained: true}}}}
	publisher := w.joinWith(ways()[0], "trusted", allFeatures)
	authid := w.realms["realm1"].members.get(publisher.session).authid
	want := wamp.EventDetails{
		Publisher: publisher.session, PublisherAuthid: authid, PublisherAuthrole: "trusted", Topic: "com.example.x",
		Trustlevel: wamp.Trustlevel{Level: 3, Given: true}, Retained: true,
		Passthru: &wamp.Passthru{Scheme: "x_a", Cipher: "c"},
	}
	const options = `{"disclose_me":true,"retain":true,"ppt_scheme":"x_a","ppt_cipher":"c"}`
	publisher.publish("com.example.x", options, `,["x"]`)
	if err := l.Bind(b, nil); err != nil {
		t.Fatal(err)
	}
	retained := <-h.of
	publisher.publish("com.example.x", options, `,["x"]`)
	live := <-h.of
	publisher.publish("com.example.x", `{"ppt_scheme":"x_b","exclude_authrole":["anyone"]}`, `,["x"]`)
	for name, got := range map[string]wamp.EventDetails{"retained": retained, "live": live} {
		want.Retained = name == "retained"
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if len(h.of) != 0 {
		t.Error("an event came for others")
	}
	// What it publishes itself narrows and discloses likewise.
	c := w.joinWith(ways()[0], "anyone", allFeatures)
	sub := c.subscribe("com.example.y", `{}`)
	for _, o := range []wamp.PublishOptions{
		{Audience: &wamp.Audience{Exclude: []wamp.ID{c.session}}},
		{Audience: &wamp.Audience{EligibleAuthrole: []string{"other"}}},
		{Passthru: &wamp.Passthru{Scheme: "x_c"}, DiscloseMe: wamp.True, Audience: &wamp.Audience{Eligible: []wamp.ID{c.session}}},
	} {
		if _, err := l.Publish("com.example.y", o, wamp.Payload{}); err != nil {
			t.Fatal(err)
		}
	}
	c.expect(fmt.Sprintf(`[36,%d,*,{"publisher":%d,"publisher_authid":"anyone","publisher_authrole":"anyone","ppt_scheme":"x_c"}]`, sub, l.Session()))
	c.expectNothing()
}
