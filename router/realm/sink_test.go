package realm

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// sink is a connection that encodes what it is sent and keeps the last message,
// or refuses it.
type sink struct {
	mu      sync.Mutex // of Send
	format  wamp.Format
	refuse  error
	buffer  []byte
	invoked wamp.ID // request of the last INVOCATION
	closed  []transport.CloseReason
	sent    func(wamp.Message) // nil: nobody is told
}

func (s *sink) Format() wamp.Format                   { return s.format }
func (s *sink) Read(*transport.Batch) ([]byte, error) { return nil, io.EOF }
func (s *sink) Close(r transport.CloseReason)         { s.closed = append(s.closed, r) }
func (s *sink) SetReadDeadline(time.Time)             {}
func (s *sink) Done() <-chan struct{}                 { return nil }

func (s *sink) SendShared(*transport.Batch, *transport.Shared) error { return s.refuse }

func (s *sink) Send(_ *transport.Batch, m wamp.Message) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	if i, ok := m.(*wamp.Invocation); ok {
		s.invoked = i.Request
	}
	if s.sent != nil {
		s.sent(m)
	}
	s.buffer, err = codec.Append(s.buffer[:0], s.format, m)
	return err
}

// member joins realm1 with a sink for a connection.
func (w *world) member(f wamp.Format, role string) (*session, *sink) {
	w.t.Helper()
	c := &sink{format: f}
	s := &session{id: w.reserve(), node: w.Node, authid: "x", authrole: role, conn: c}
	if e := w.enter(s, "realm1", time.Time{}); e != nil {
		w.t.Fatal(e)
	}
	w.t.Cleanup(func() { s.end(&s.batch, "the test is over") })
	return s, c
}

// take has the session handle a message that is given in JSON.
func (s *session) take(t testing.TB, message string) {
	t.Helper()
	if bye := s.receive([]byte(message)); bye != nil {
		t.Fatalf("%s: %s", message, bye.why)
	}
}

// TestCalleeIsFull: its caller is told, the callee stays, and its ids have no gap.
func TestCalleeIsFull(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee, calleeConn := w.member(wamp.JSON, "anyone")
	caller, callerConn := w.member(wamp.JSON, "anyone")
	callee.take(t, `[64,1,{},"com.example.busy"]`)
	calleeConn.refuse = transport.ErrQueueFull
	caller.take(t, `[48,1,{},"com.example.busy"]`)
	if got, want := string(callerConn.buffer), `[8,48,1,{},"wamp.error.unavailable",["callee of \"com.example.busy\" has too much to do"]]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(calleeConn.closed) != 0 || w.Stats().SlowClients != 0 {
		t.Error("the callee was closed")
	}
	calleeConn.refuse = errors.New("connection is going away")
	caller.take(t, `[48,2,{},"com.example.busy"]`)
	if got, want := string(callerConn.buffer), `[8,48,2,{},"wamp.error.canceled",["callee session left"]]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	calleeConn.refuse = nil
	caller.take(t, `[48,3,{},"com.example.busy"]`)
	if calleeConn.invoked != 1 {
		t.Errorf("the first INVOCATION is number %d", calleeConn.invoked)
	}
}

// TestCallerIsFull: an answer that cannot be queued ends the caller's connection,
// once, and nothing is left of the call.
func TestCallerIsFull(t *testing.T) {
	for _, answer := range []string{`[70,1,{},["x"]]`, `[8,68,1,{},"com.example.error"]`} {
		w := newWorld(t, scenario(), Limits{})
		callee, _ := w.member(wamp.JSON, "anyone")
		caller, conn := w.member(wamp.JSON, "anyone")
		callee.take(t, `[64,1,{},"com.example.echo"]`)
		caller.take(t, `[48,1,{},"com.example.echo"]`)
		conn.refuse = transport.ErrQueueFull
		callee.take(t, answer)
		caller.take(t, `[48,2,{},"com.example.nobody"]`)
		if st := w.Stats(); st.SlowClients != 1 || st.PendingCalls != 0 {
			t.Errorf("stats are %+v", st)
		}
		if len(conn.closed) == 0 || conn.closed[0] != transport.CloseSlow {
			t.Errorf("closed with %v", conn.closed)
		}
		if n := strings.Count(w.log.String(), "client is too slow"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	}
}

// TestEventThatCannotBeEncoded is lost for that subscriber, who stays, and counted.
func TestEventThatCannotBeEncoded(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	publisher, _ := w.member(wamp.JSON, "anyone")
	subscriber, conn := w.member(wamp.JSON, "anyone")
	subscriber.take(t, `[32,1,{},"com.example.topic"]`)
	conn.refuse = codec.ErrTranscode
	publisher.take(t, `[16,1,{},"com.example.topic"]`)
	if st := w.Stats(); st.DroppedEvents != 1 || st.SlowClients != 0 || len(conn.closed) != 0 {
		t.Errorf("stats are %+v, closed with %v", st, conn.closed)
	}
}

// TestMessageThatThePeerDoesNotTake: where it is too large, somebody is told, and
// everybody stays who can.
func TestMessageThatThePeerDoesNotTake(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee, calleeConn := w.member(wamp.JSON, "anyone")
	caller, callerConn := w.member(wamp.JSON, "anyone")
	callee.take(t, `[64,1,{},"com.example.echo"]`)
	callee.take(t, `[32,2,{},"com.example.topic"]`)

	calleeConn.refuse = transport.ErrTooLarge
	caller.take(t, `[48,1,{},"com.example.echo"]`)
	if got := string(callerConn.buffer); !strings.HasPrefix(got, `[8,48,1,{},"wamp.error.payload_size_exceeded",["arguments cannot be passed on to the callee`) {
		t.Errorf("got %s", got)
	}
	caller.take(t, `[16,2,{},"com.example.topic"]`)
	if st := w.Stats(); st.DroppedEvents != 1 || st.SlowClients != 0 || len(calleeConn.closed) != 0 {
		t.Errorf("stats are %+v, closed with %v", st, calleeConn.closed)
	}

	calleeConn.refuse = nil
	caller.take(t, `[48,3,{},"com.example.echo"]`)
	callerConn.refuse = transport.ErrTooLarge
	callee.take(t, `[70,1,{},["x"]]`) // and the ERROR does not fit either
	if st := w.Stats(); st.PendingCalls != 0 {
		t.Errorf("stats are %+v", st)
	}
	if len(callerConn.closed) == 0 || callerConn.closed[0] != transport.CloseTooLarge {
		t.Errorf("closed with %v", callerConn.closed)
	}
}

// FuzzReceive feeds a session with what a client might send: it must not fail in
// any other way than by ending the session, which leaves nothing behind.
func FuzzReceive(f *testing.F) {
	for _, seed := range []string{
		`[48,1,{},"com.example.procedure",[1],{"a":2}]`,
		`[48,1,{"disclose_me":true},"com.example.mine.x"]`,
		`[16,1,{"acknowledge":true,"exclude_me":false},"com.example.topic",["x"]]`,
		`[32,1,{"match":"wildcard"},"com..topic"]`,
		`[16,1,{"retain":true,"eligible":[1,2],"exclude_authid":["x"],"ppt_scheme":"a"},"com.example.topic",["x"]]`,
		`[32,1,{"match":"prefix","get_retained":true},"com.example."]`,
		`[48,1,{},"wamp.session.add_testament",["com.example.topic",["x"],{},{"retain":true},"detached"]]`,
		`[48,1,{},"wamp.session.flush_testaments",[],{"scope":"detached"}]`,
		`[48,1,{},"wamp.subscription.get_events",[1],{"limit":2,"from_time":"2026-01-02T03:04:05Z","after_publication":7}]`,
		`[34,1,1]`, `[64,1,{"match":"prefix"},"com.example."]`, `[66,1,1]`, `[70,1,{},[1]]`,
		`[8,68,1,{},"com.example.error"]`, `[6,{},"wamp.close.normal"]`, `[3,{},"a.b"]`, `[49,1,{}]`,
		`[1,"realm1",{"roles":{"caller":{}}}]`, `[5,"x",null]`, `[]`, `[99]`, `{}`, "\x93\x18\x46\x01\xa0",
	} {
		for i := range formats {
			f.Add(uint8(i), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, format uint8, data []byte) {
		w := newWorld(t, scenario(), Limits{})
		fm := formats[int(format)%len(formats)]
		s, _ := w.member(fm, "anyone")
		peer, _ := w.member(wamp.JSON, "anyone")
		peer.take(t, `[64,1,{"match":"prefix"},"com.example.mine."]`)
		peer.take(t, `[32,2,{"match":"prefix"},"com.example."]`)
		s.receive(data)
		peer.take(t, `[16,3,{},"com.example.topic",["x"]]`)
		peer.end(&peer.batch, "done")
		s.end(&s.batch, "done")
		st := w.Stats()
		st.DroppedEvents = 0
		if st != (Stats{}) {
			t.Errorf("%q left something behind: %+v", data, st)
		}
	})
}
