package realm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// several are callees that share a procedure, and a caller, without connections.
type several struct {
	callees   []*session
	conns     []*sink
	has       []*transcript
	caller    *session
	conn      *sink
	callerHas *transcript
}

func newSeveral(t *testing.T, w *world, n int, options string) *several {
	t.Helper()
	s := new(several)
	for range n {
		callee, conn := w.member(wamp.JSON, "anyone")
		canDoAll(callee)
		callee.take(t, `[64,1,`+options+`,"com.example.work"]`)
		s.callees, s.conns, s.has = append(s.callees, callee), append(s.conns, conn), append(s.has, conn.transcribe())
	}
	s.caller, s.conn = w.member(wamp.JSON, "anyone")
	canDoAll(s.caller)
	s.callerHas = s.conn.transcribe()
	return s
}

// TestFullCalleeIsPassedOver: one that does not read gets no calls while another
// can have them.
func TestFullCalleeIsPassedOver(t *testing.T) {
	for _, invoke := range []string{"roundrobin", "random", "first"} {
		t.Run(invoke, func(t *testing.T) {
			w := newWorld(t, scenario(), Limits{})
			s := newSeveral(t, w, 3, `{"invoke":"`+invoke+`"}`)
			s.conns[0].refuse, s.conns[2].refuse = transport.ErrQueueFull, transport.ErrClosed
			for id := range 5 {
				s.caller.take(t, fmt.Sprintf(`[48,%d,{},"com.example.work"]`, id+1))
			}
			s.has[1].expect(t, `[68,1,1,{}]`, `[68,2,1,{}]`, `[68,3,1,{}]`, `[68,4,1,{}]`, `[68,5,1,{}]`)
			s.conns[1].refuse = transport.ErrQueueFull
			s.caller.take(t, `[48,6,{},"com.example.work"]`)
			s.callerHas.expect(t, `[8,48,6,{},"wamp.error.unavailable",["callee of \"com.example.work\" has too much to do"]]`)
			s.conns[0].refuse = nil
			s.caller.take(t, `[48,7,{},"com.example.work"]`)
			s.has[0].expect(t, `[68,1,1,{}]`) // without a gap
			for _, o := range s.caller.realm.registrationByID(1).callees() {
				if o.running != o.session.invocations.count() {
					t.Errorf("%d calls are counted, %d wait", o.running, o.session.invocations.count())
				}
			}
			if used := s.caller.calls.used; used != 6 {
				t.Errorf("the caller has %d calls, want 6", used)
			}
		})
	}
}

// TestRandomIsFair: each callee has its part, also of what others cannot take.
func TestRandomIsFair(t *testing.T) {
	const calls = 3000
	w := newWorld(t, scenario(), Limits{})
	s := newSeveral(t, w, 4, `{"invoke":"random"}`)
	s.conns[0].refuse = transport.ErrQueueFull
	for id := range calls {
		s.caller.take(t, fmt.Sprintf(`[48,%d,{},"com.example.work"]`, id+1))
	}
	for i, callee := range s.callees[1:] {
		if n := callee.invocations.count(); n < calls/3-200 || n > calls/3+200 {
			t.Errorf("callee %d has %d of %d calls", i+1, n, calls)
		}
	}
}

// TestKeptPayloadIsBounded: a call whose payload finds no room stays with the
// callee that it has; what is kept goes with the call.
func TestKeptPayloadIsBounded(t *testing.T) {
	w := newWorld(t, scenario(), Limits{KeptPayload: 1000})
	s := newSeveral(t, w, 2, `{"invoke":"first"}`)
	large := strings.Repeat("x", 600)
	kept := func(want int) {
		t.Helper()
		s.caller.calls.mu.Lock()
		defer s.caller.calls.mu.Unlock()
		if s.caller.calls.kept != want {
			t.Errorf("%d bytes are kept, want %d", s.caller.calls.kept, want)
		}
	}
	s.caller.take(t, `[48,1,{},"com.example.work",["`+large+`"]]`)
	s.caller.take(t, `[48,2,{},"com.example.work",["`+large+`"]]`)
	kept(604)
	s.callees[0].take(t, `[8,68,2,{},"wamp.error.unavailable"]`)
	s.callerHas.expect(t, `[8,48,2,{},"wamp.error.no_available_callee",["all callees of \"com.example.work\" are unavailable"]]`)
	s.has[1].expect(t, "")
	s.callees[0].take(t, `[8,68,1,{},"wamp.error.unavailable"]`)
	s.has[1].expect(t, `[68,1,1,{},["`+large+`"]]`)
	kept(604)
	s.callees[1].take(t, `[70,1,{}]`)
	kept(0)
	s.callerHas.expect(t, `[50,1,{}]`)

	// So are the options of calls in parts.
	s.caller.take(t, `[48,3,{"progress":true,"ppt_scheme":"`+large+`"},"com.example.work"]`)
	s.caller.take(t, `[48,4,{"progress":true,"ppt_scheme":"`+large+`"},"com.example.work"]`)
	s.callerHas.expect(t, `[8,48,4,{},"wamp.error.unavailable",["options of the session's calls take more than 1000 bytes, which is the limit"]]`)
	kept(600)
	s.caller.take(t, `[49,3,{}]`)
	kept(0)
	s.caller.take(t, `[48,5,{"progress":true,"ppt_scheme":"x","enc_key":"`+large+`"},"com.example.work"]`)
	kept(601)
	s.caller.take(t, `[49,5,{}]`)
	kept(0)

	// A callee that cannot be handed it leaves nothing behind.
	s.conns[0].refuse, s.conns[1].refuse = transport.ErrQueueFull, transport.ErrQueueFull
	s.caller.take(t, `[48,6,{},"com.example.work",["`+large+`"]]`)
	kept(0)
	s.conns[0].refuse, s.conns[1].refuse = nil, nil

	// Where there is no other callee nothing is kept for one.
	s.callees[1].take(t, `[66,2,1]`)
	s.caller.take(t, `[48,7,{},"com.example.work",["`+large+`"]]`)
	kept(0)
}

// TestSlowCallerOfProgress: a caller that does not take its progressive results is
// disconnected, and with that its callee interrupted; nothing is left out.
func TestSlowCallerOfProgress(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	s := newSeveral(t, w, 1, `{}`)
	s.caller.take(t, `[48,1,{"receive_progress":true},"com.example.work"]`)
	s.callees[0].take(t, `[70,1,{"progress":true},[1]]`)
	s.conn.refuse = transport.ErrQueueFull
	s.callees[0].take(t, `[70,1,{"progress":true},[2]]`)
	if len(s.conn.closed) != 1 || s.conn.closed[0] != transport.CloseSlow {
		t.Errorf("the caller was closed with %v", s.conn.closed)
	}
	s.conn.refuse = transport.ErrClosed
	s.callees[0].take(t, `[70,1,{"progress":true},[3]]`)
	s.caller.end(nil, "closed")
	s.has[0].expect(t, `[68,1,1,{"receive_progress":true}]`, `[69,1,{"mode":"killnowait"}]`)
	s.callees[0].take(t, `[70,1,{"progress":true},[4]]`)
	s.callees[0].take(t, `[70,1,{}]`)
	s.callerHas.expect(t, `[50,1,{"progress":true},[1]]`)
}

// TestUnencodableProgress: what a format cannot say ends the call at both ends.
func TestUnencodableProgress(t *testing.T) {
	nonStringKey := wamp.Payload{Format: wamp.CBOR, Args: []byte("\x81\xa1\x01\x02")} // [{1: 2}]
	w := newWorld(t, scenario(), Limits{})
	json, cbor := way{}, way{}
	for _, over := range ways() {
		switch over.name {
		case "pair json":
			json = over
		case "pair cbor":
			cbor = over
		}
	}
	one, other := w.joinOver(json, "anyone"), w.joinOver(cbor, "anyone")
	other.register("com.example.cbor", `{}`)
	one.send(`[48,1,{"receive_progress":true},"com.example.cbor"]`)
	other.expect(`[68,1,1,{"receive_progress":true}]`)
	other.post(&wamp.Yield{Request: 1, Progress: true, Payload: nonStringKey})
	other.batch.Flush()
	one.expect(`[8,48,1,{},"wamp.error.invalid_argument",["result cannot be passed on to the caller: **"]]`)
	other.expect(`[69,1,{"mode":"killnowait"}]`)

	one.request = 1
	one.register("com.example.json", `{}`)
	other.send(`[48,2,{"progress":true},"com.example.json"]`)
	one.expect(`[68,1,2,{"progress":true}]`)
	other.post(&wamp.Call{Request: 2, Procedure: "com.example.json", Payload: nonStringKey})
	other.batch.Flush()
	other.expect(`[8,48,2,{},"wamp.error.invalid_argument",["arguments cannot be passed on to the callee: **"]]`)
	one.expect(`[69,1,{"mode":"killnowait"}]`)
}

// TestFullCalleeOfParts: more of a call that its callee has no room for ends it at
// both ends.
func TestFullCalleeOfParts(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	s := newSeveral(t, w, 1, `{}`)
	s.caller.take(t, `[48,1,{"progress":true},"com.example.work"]`)
	s.conns[0].refuse = transport.ErrQueueFull
	s.caller.take(t, `[48,1,{},"com.example.work"]`)
	s.callerHas.expect(t, `[8,48,1,{},"wamp.error.unavailable",["callee of \"com.example.work\" has too much to do"]]`)
	if n := w.Stats().PendingCalls; n != 0 {
		t.Errorf("%d calls wait", n)
	}
}

// TestStalePlace: a caller's table may name an id that a callee could not be sent
// and gave to another call, which a CANCEL or the caller's end must not touch.
func TestStalePlace(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	s := newSeveral(t, w, 2, `{"invoke":"first"}`)
	other, otherConn := w.member(wamp.JSON, "anyone")
	otherHas := otherConn.transcribe()
	s.caller.take(t, `[48,1,{},"com.example.work"]`)
	p, ok := s.callees[0].invocations.take(1)
	if !ok {
		t.Fatal("there is no call")
	}
	// As if it had been on its way to the second callee, who was full.
	if err := s.caller.calls.move(p.place, call{callee: s.callees[1], invocation: 1, request: 1}); err != nil {
		t.Fatal(err)
	}
	s.callees[0].end(nil, "out of the way")
	other.take(t, `[48,1,{},"com.example.work"]`)
	s.has[1].expect(t, `[68,1,1,{}]`)
	s.caller.take(t, `[49,1,{}]`)
	s.caller.end(nil, "gone")
	s.callees[1].take(t, `[70,1,{}]`)
	otherHas.expect(t, `[50,1,{}]`)
	s.has[1].expect(t, "")
}

// TestCanceledOnItsWay: a call that is canceled while it is with no callee goes to
// no other any more.
func TestCanceledOnItsWay(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	s := newSeveral(t, w, 2, `{"invoke":"first"}`)
	s.caller.take(t, `[48,1,{},"com.example.work"]`)
	s.has[0].expect(t, `[68,1,1,{}]`)
	p, _ := s.callees[0].invocations.take(1)
	s.caller.take(t, `[49,1,{"mode":"kill"}]`)
	works := w.works.get()
	if !p.goesOn(nil, works) {
		t.Error("the call is not answered")
	}
	w.works.put(works)
	s.callerHas.expect(t, `[8,48,1,{},"wamp.error.canceled"]`)
	s.has[0].expect(t, "")
	s.has[1].expect(t, "")
}

// TestRouterStopsWithCalls: calls of all kinds have their answer before GOODBYE.
func TestRouterStopsWithCalls(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	over := ways()[0]
	callee, caller := w.joinOver(over, "anyone"), w.joinOver(over, "anyone")
	callee.register("com.example.work", `{}`)
	caller.send(`[48,1,{"timeout":3600000},"com.example.work"]`)
	caller.send(`[48,2,{"progress":true},"com.example.work"]`)
	caller.send(`[48,3,{"receive_progress":true},"com.example.work"]`)
	callee.expect(`[68,1,1,{}]`, `[68,2,1,{"progress":true}]`, `[68,3,1,{"receive_progress":true}]`)
	callee.send(`[70,3,{"progress":true}]`)
	caller.expect(`[50,3,{"progress":true}]`)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- w.Shutdown(ctx) }()
	answered := make(map[wamp.ID]bool)
	for range 3 {
		m, ok := caller.receive().(*wamp.Error)
		if !ok || m.URI != wamp.ErrCanceled || answered[m.Request] {
			t.Fatalf("got %s", text(m))
		}
		answered[m.Request] = true
	}
	caller.expect(`[6,{"message":"router is stopping"},"wamp.close.system_shutdown"]`)
	callee.drop()
	caller.drop()
	<-stopped
}

// TestSharedAuthenticator: several sessions may be one authenticator; they are
// asked in turn.
func TestSharedAuthenticator(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	var callees []*client
	for range 2 {
		c := w.join(wamp.JSON, "authenticator")
		c.register(authenticatorURI, `{"invoke":"roundrobin"}`)
		callees = append(callees, c)
	}
	for n, callee := range []*client{callees[0], callees[1], callees[0]} {
		done := make(chan *client, 1)
		go func() { done <- w.login(wamp.JSON, ticketed(), "joe", "secret!!!") }()
		callee.expect(fmt.Sprintf(`[68,%d,1,{},[**]]`, n/2+1))
		callee.send(fmt.Sprintf(`[70,%d,{},["frontend"]]`, n/2+1))
		(<-done).welcomed()
	}
	// A component that the router asks directly does not share with them.
	l := w.local("authenticator", newRecorder())
	err := l.Bind(Bindings{Registrations: []Binding{{URI: authenticatorURI, Options: wamp.RegisterOptions{Invoke: "roundrobin"},
		Authenticator: authenticatorFunc(func(context.Context, *auth.Request) (*auth.Principal, error) { return nil, nil })}}}, nil)
	expectReply(t, err, wamp.ErrProcedureAlreadyExists, authenticatorURI)
}

// TestUnregisteredOnItsWay: a call that found a callee before it unregistered does
// not reach it behind UNREGISTERED.
func TestUnregisteredOnItsWay(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	s := newSeveral(t, w, 1, `{}`)
	q := ask{registration: s.caller.realm.registrationByID(1), procedure: "com.example.work"}
	found := q.registration.callees()[0]
	s.callees[0].take(t, `[66,2,1]`)
	s.has[0].expect(t, `[67,2]`)
	works := w.works.get()
	defer w.works.put(works)
	if _, err := q.hand(nil, works, pending{caller: s.caller, request: 1}, found); !errors.Is(err, errUnregistered) {
		t.Errorf("got %v, want %v", err, errUnregistered)
	}
	s.has[0].expect(t, "")
	if used := s.caller.calls.used; used != 0 {
		t.Errorf("the caller has %d calls", used)
	}
}
