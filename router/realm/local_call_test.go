package realm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/router/wamp"
)

// streamer is a recorder that takes calls in parts.
type streamer struct {
	*recorder
	parts chan string
}

func (s *streamer) More(_ *LocalInvocation, p wamp.Payload, isLast bool) bool {
	s.parts <- fmt.Sprintf("%s %t", p.Args, isLast)
	return string(p.Args) != `["too much"]`
}

// bindWith binds one registration.
func bindWith(t *testing.T, l *Local, uri string, o wamp.RegisterOptions) {
	t.Helper()
	if err := l.Bind(Bindings{Registrations: []Binding{{URI: uri, Options: o}}}, nil); err != nil {
		t.Fatal(err)
	}
}

// TestLocalProgress: progressive results of a component.
func TestLocalProgress(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		h := newRecorder()
		bind(t, w.local("backend", h), []string{"com.example.report"}, nil)
		c := w.join(f, "anyone")
		c.send(`[48,1,{"receive_progress":true},"com.example.report"]`)
		i := <-h.invocations
		if !i.Details.ReceiveProgress || !i.YieldProgress(jsonArgs("[1]")) || !i.YieldProgress(jsonArgs("[2]")) {
			t.Error("nobody waits for progressive results")
		}
		i.Yield(jsonArgs("[3]"))
		c.expect(`[50,1,{"progress":true},[1]]`, `[50,1,{"progress":true},[2]]`, `[50,1,{},[3]]`)
		if i.YieldProgress(jsonArgs("[4]")) {
			t.Error("somebody waits for a progressive result after the final one")
		}
		c.send(`[48,2,{},"com.example.report"]`)
		i = <-h.invocations
		if i.Details.ReceiveProgress || i.YieldProgress(jsonArgs("[1]")) {
			t.Error("somebody waits for a progressive result that was not asked for")
		}
		i.Yield(jsonArgs("[2]"))
		c.expect(`[50,2,{},[2]]`)
	})
}

// TestLocalAsksForProgress: a component gets them in order, before the result.
func TestLocalAsksForProgress(t *testing.T) {
	over := ways()[0]
	w := newWorld(t, scenario(), Limits{})
	callee := w.joinOver(over, "anyone")
	callee.register("com.example.report", `{}`)
	l := w.local("backend", newRecorder())
	type outcome struct {
		progress []string
		result   wamp.Payload
		err      error
	}
	call := func(ctx context.Context, progress func(wamp.Payload)) <-chan outcome {
		done := make(chan outcome, 1)
		go func() {
			var o outcome
			o.result, o.err = l.CallProgress(ctx, "com.example.report", wamp.CallOptions{}, wamp.Payload{}, func(p wamp.Payload) {
				o.progress = append(o.progress, string(p.Args))
				if progress != nil {
					progress(p)
				}
			})
			done <- o
		}()
		return done
	}
	done := call(context.Background(), nil)
	callee.expect(`[68,1,1,{"receive_progress":true}]`)
	callee.send(`[70,1,{"progress":true},[1]]`)
	callee.send(`[70,1,{"progress":true},[2]]`)
	callee.send(`[70,1,{},[3]]`)
	if o := <-done; fmt.Sprint(o.progress) != "[[1] [2]]" || string(o.result.Args) != "[3]" || o.err != nil {
		t.Errorf("got %v, %s, %v", o.progress, o.result.Args, o.err)
	}

	// The end of its context interrupts the callee.
	ctx, cancel := context.WithCancel(context.Background())
	done = call(ctx, func(wamp.Payload) { cancel() })
	callee.expect(`[68,2,1,{"receive_progress":true}]`)
	callee.send(`[70,2,{"progress":true},[1]]`)
	callee.expect(`[69,2,{"mode":"killnowait"}]`)
	if o := <-done; !errors.Is(o.err, context.Canceled) {
		t.Errorf("got %v", o.err)
	}
}

// TestLocalTakesNoProgress: what waits for a component is bounded; over that, the
// call ends.
func TestLocalTakesNoProgress(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee, conn := w.member(wamp.JSON, "anyone")
	canDoAll(callee)
	has := conn.transcribe()
	callee.take(t, `[64,1,{},"com.example.report"]`)
	l := w.local("backend", newRecorder())
	taken, blocked := 0, make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := l.CallProgress(context.Background(), "com.example.report", wamp.CallOptions{}, wamp.Payload{}, func(wamp.Payload) {
			<-blocked
			taken++
		})
		done <- err
	}()
	eventually(t, "the call waits", func() bool { return callee.invocations.count() == 1 })
	large := strings.Repeat("x", 1<<20)
	sent := 0
	for ; sent < 100 && callee.invocations.count() == 1; sent++ {
		callee.take(t, `[70,1,{"progress":true},["`+large+`"]]`)
	}
	has.expect(t, `[65,1,1]`, `[68,1,1,{"receive_progress":true}]`, `[69,1,{"mode":"killnowait"}]`)
	close(blocked)
	expectReply(t, <-done, wamp.ErrUnavailable, "progressive results as fast as they come")
	// Each takes a little more than its text. What the function has not done with counts.
	if fit := maxProgressBytes>>20 - 1; taken != fit || sent != fit+1 {
		t.Errorf("%d of %d results were taken", taken, sent)
	}
}

// Between two results the caller looks whether it still wants them, so that each is
// told of.
func TestProgressIsTakenOneByOne(t *testing.T) {
	q := newProgressQueue()
	for range 3 {
		if err := q.push(wamp.Payload{Args: []byte("[1]")}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		select {
		case <-q.wake:
		default:
			t.Fatalf("nothing tells of result %d", n)
		}
		taken := 0
		if !q.take(func(wamp.Payload) { taken++ }) || taken != 1 {
			t.Errorf("%d were taken at once", taken)
		}
	}
	if len(q.wake) != 0 || q.bytes != 0 || q.take(func(wamp.Payload) {}) {
		t.Errorf("%d bytes are left of none", q.bytes)
	}
}

// TestLocalIsInterrupted: CANCEL ends the context of an invocation; after kill its
// answer counts.
func TestLocalIsInterrupted(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	bind(t, w.local("backend", h), []string{"com.example.slow"}, nil)
	c := w.join(wamp.JSON, "anyone")
	for n, test := range []struct{ options, during, after string }{
		{`{"mode":"kill"}`, ``, `[8,48,%d,{},"com.example.stopped",["by you"]]`},
		{`{"mode":"killnowait"}`, `[8,48,%d,{},"wamp.error.canceled"]`, ``},
		{`{"mode":"skip"}`, `[8,48,%d,{},"wamp.error.canceled"]`, ``},
		{`{}`, `[8,48,%d,{},"wamp.error.canceled"]`, ``},
	} {
		id := c.next()
		c.send(fmt.Sprintf(`[48,%d,{},"com.example.slow"]`, id))
		i := <-h.invocations
		if n%2 == 0 && i.Context().Err() != nil {
			t.Error("the context has ended before CANCEL")
		}
		c.send(fmt.Sprintf(`[49,%d,%s]`, id, test.options))
		<-i.Context().Done()
		if test.during != "" {
			c.expect(fmt.Sprintf(test.during, id))
		}
		i.Error("com.example.stopped", jsonArgs(`["by you"]`))
		if test.after != "" {
			c.expect(fmt.Sprintf(test.after, id))
		}
		c.expectNothing()
	}
	c.send(fmt.Sprintf(`[48,%d,{"timeout":10},"com.example.slow"]`, c.next()))
	i := <-h.invocations
	<-i.Context().Done()
	c.expect(`[8,48,*,{},"wamp.error.timeout",["no result came within 10ms"]]`)
}

// TestLocalStreams: a component that takes calls in parts gets them in order; one
// that does not gets whole calls.
func TestLocalStreams(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := &streamer{newRecorder(), make(chan string, 10)}
	bind(t, w.local("backend", h), []string{"com.example.upload"}, nil)
	bind(t, w.local("anyone", newRecorder()), []string{"com.example.whole"}, nil)
	c := w.joinOver(ways()[0], "anyone")
	c.send(`[48,1,{"progress":true},"com.example.whole"]`)
	c.expect(`[8,48,1,{},"wamp.error.feature_not_supported",[**]]`)

	c.send(`[48,2,{"progress":true},"com.example.upload",["a"]]`)
	i := <-h.invocations
	if !i.Details.Progress || string(i.Payload.Args) != `["a"]` {
		t.Errorf("got %+v", i)
	}
	c.send(`[48,2,{"progress":true},"com.example.upload",["b"]]`)
	c.send(`[48,2,{},"com.example.upload",["c"]]`)
	if b, last := <-h.parts, <-h.parts; b != `["b"] false` || last != `["c"] true` {
		t.Errorf("got %s and %s", b, last)
	}
	i.Yield(jsonArgs(`["abc"]`))
	c.expect(`[50,2,{},["abc"]]`)

	c.send(`[48,3,{"progress":true},"com.example.upload",["a"]]`)
	i = <-h.invocations
	c.send(`[48,3,{"progress":true},"com.example.upload",["too much"]]`)
	c.expect(`[8,48,3,{},"wamp.error.unavailable",["callee of \"com.example.upload\" has too much to do"]]`)
	if i.Context().Err() == nil {
		t.Error("the context goes on after the call")
	}
}

// TestLocalShares: a component and clients are callees of one procedure.
func TestLocalShares(t *testing.T) {
	shared := wamp.RegisterOptions{Invoke: "roundrobin"}
	w := newWorld(t, scenario(), Limits{})
	callee := w.joinOver(ways()[0], "anyone")
	callee.register("com.example.work", `{"invoke":"roundrobin"}`)
	h := newRecorder()
	l := w.local("backend", h)
	bindWith(t, l, "com.example.work", shared)
	caller := w.joinOver(ways()[0], "anyone")
	call := func() {
		caller.send(fmt.Sprintf(`[48,%d,{},"com.example.work"]`, caller.next()))
	}
	call()
	callee.expect(`[68,1,1,{}]`)
	call()
	i := <-h.invocations

	// A reload keeps its place in the row, and what it has.
	bindWith(t, l, "com.example.work", shared)
	call()
	callee.expect(`[68,2,1,{}]`)
	call()
	i.Yield(jsonArgs(`[1]`))
	caller.expect(`[50,2,{},[1]]`)

	// An error that it is unavailable goes to the other.
	(<-h.invocations).Error(wamp.ErrUnavailable, wamp.Payload{})
	callee.expect(`[68,3,1,{}]`)
	call()
	<-h.invocations

	// So does a call that it does not take.
	h.invoke = func(*LocalInvocation) bool { return false }
	call()
	call()
	callee.expect(`[68,4,1,{}]`, `[68,5,1,{}]`)

	// Other options are the session's own affair, another policy is not.
	shared.Concurrency, shared.DiscloseCaller = 1, wamp.True
	bindWith(t, l, "com.example.work", shared)
	err := l.Bind(Bindings{Registrations: []Binding{{URI: "com.example.work"}}}, nil)
	expectReply(t, err, wamp.ErrInvocationPolicyConflict, `(has roundrobin and single was requested) by authid "`)
	if got := l.session.realm.registrationByID(1).sessions(); len(got) != 2 || got[1] != l.session {
		t.Errorf("%d sessions share the registration", len(got))
	}
	if err := l.Bind(Bindings{}, nil); err != nil {
		t.Fatal(err)
	}
	if got := l.session.realm.registrationByID(1).sessions(); len(got) != 1 || len(l.session.registrations) != 0 {
		t.Errorf("%d sessions share the registration", len(got))
	}
}

// TestLocalConcurrency: how many calls a component has at a time is a matter of
// its options, also over a reload.
func TestLocalConcurrency(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	l := w.local("backend", h)
	one := wamp.RegisterOptions{Concurrency: 1}
	bindWith(t, l, "com.example.work", one)
	c := w.join(wamp.JSON, "anyone")
	c.send(`[48,1,{},"com.example.work"]`)
	i := <-h.invocations
	bindWith(t, l, "com.example.work", one)
	c.send(`[48,2,{},"com.example.work"]`)
	c.expect(`[8,48,2,{},"wamp.error.unavailable",["callee of \"com.example.work\" has too much to do"]]`)
	i.Yield(wamp.Payload{})
	c.expect(`[50,1,{}]`)
	c.send(`[48,3,{},"com.example.work"]`)
	<-h.invocations
}

// TestBindWithoutAGap: a binding whose options change is found by callers all the
// time.
func TestBindWithoutAGap(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	h.invoke = func(i *LocalInvocation) bool { i.Yield(wamp.Payload{}); return true }
	l := w.local("backend", h)
	bindWith(t, l, "com.example.work", wamp.RegisterOptions{})
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() {
		other := w.local("anyone", newRecorder())
		for ctx.Err() == nil {
			if _, err := other.Call(ctx, "com.example.work", wamp.CallOptions{}, wamp.Payload{}); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for n := range rounds {
		bindWith(t, l, "com.example.work", wamp.RegisterOptions{Concurrency: 1 + n%2, DiscloseCaller: wamp.Bool(n % 3)})
		time.Sleep(10 * time.Microsecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("a call failed while options changed: %v", err)
	}
}

// TestForceWithoutAGap: likewise where another session takes a procedure over.
func TestForceWithoutAGap(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	w := newWorld(t, scenario(), Limits{PendingCalls: 10_000_000, PendingInvocations: 10_000_000})
	one, _ := w.member(wamp.JSON, "anyone")
	other, _ := w.member(wamp.JSON, "anyone")
	caller, conn := w.member(wamp.JSON, "anyone")
	failed := make(chan string, 1)
	conn.sent = func(m wamp.Message) {
		if e, ok := m.(*wamp.Error); ok {
			select {
			case failed <- text(e):
			default:
			}
		}
	}
	one.take(t, `[64,1,{},"com.example.work"]`)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range rounds {
			for _, s := range []*session{other, one} {
				s.handle(new(work), &wamp.Register{Request: s.lastRequest + 1, Procedure: "com.example.work",
					Options: wamp.RegisterOptions{ForceReregister: true, Invoke: []string{"", "last"}[n%2]}})
			}
		}
	}()
	for id := wamp.ID(1); ; id++ {
		caller.take(t, fmt.Sprintf(`[48,%d,{},"com.example.work"]`, id))
		select {
		case <-done:
			return
		case text := <-failed:
			t.Fatal(text)
		default:
		}
	}
}
