package realm

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usher/router/wamp"
)

// transcript is what a connection was sent, in JSON.
type transcript struct {
	mu       sync.Mutex
	messages []string
}

// transcribe keeps what a connection is sent.
func (s *sink) transcribe() *transcript {
	tr := new(transcript)
	s.sent = func(m wamp.Message) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.messages = append(tr.messages, text(m))
	}
	return tr
}

// expect fails unless exactly these messages were sent since the last look.
func (tr *transcript) expect(t *testing.T, patterns ...string) {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if got, want := strings.Join(tr.messages, "\n"), strings.Join(patterns, "\n"); !matches(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	tr.messages = nil
}

// canDoAll makes a member announce all features.
func canDoAll(sessions ...*session) {
	for _, s := range sessions {
		s.roles = localRoles(nil)
		s.roles.Callee.Features |= wamp.FeatureProgressiveCallInvocations | wamp.FeaturePayloadPassthruMode
	}
}

// TestTimes: when the time of a call is over, and when it begins anew.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, scenario(), Limits{})
		callee, calleeConn := w.member(wamp.JSON, "anyone")
		caller, callerConn := w.member(wamp.JSON, "anyone")
		canDoAll(callee, caller)
		calleeHas, callerHas := calleeConn.transcribe(), callerConn.transcribe()
		step := func(wait time.Duration, s *session, message string) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			if message != "" {
				s.take(t, message)
			}
		}
		step(0, callee, `[64,1,{},"com.example.slow"]`)

		// Each progressive result begins it anew; more of the call does not.
		step(0, caller, `[48,1,{"progress":true,"receive_progress":true,"timeout":1000},"com.example.slow"]`)
		step(900*time.Millisecond, callee, `[70,1,{"progress":true},[1]]`)
		step(900*time.Millisecond, callee, `[70,1,{"progress":true},[2]]`)
		step(900*time.Millisecond, caller, `[48,1,{},"com.example.slow"]`)
		step(99*time.Millisecond, callee, "")
		callerHas.expect(t, `[50,1,{"progress":true},[1]]`, `[50,1,{"progress":true},[2]]`)
		step(2*time.Millisecond, callee, `[70,1,{"progress":true},["too late"]]`)

		// One that the callee was told to end has no more time than others.
		step(0, caller, `[48,2,{"timeout":500},"com.example.slow"]`)
		step(400*time.Millisecond, caller, `[49,2,{"mode":"kill"}]`)
		step(101*time.Millisecond, callee, `[70,2,{},["too late"]]`)

		// One that has its answer has no time any more.
		step(0, caller, `[48,3,{"timeout":500},"com.example.slow"]`)
		step(499*time.Millisecond, callee, `[70,3,{},["in time"]]`)
		step(time.Hour, callee, "")
		callerHas.expect(t,
			`[8,48,1,{},"wamp.error.timeout",["no further result came within 1s"]]`,
			`[8,48,2,{},"wamp.error.timeout",["no result came within 500ms"]]`,
			`[50,3,{},["in time"]]`,
		)
		calleeHas.expect(t,
			`[65,1,1]`,
			`[68,1,1,{"receive_progress":true,"progress":true}]`,
			`[68,1,1,{"receive_progress":true}]`,
			`[69,1,{"mode":"killnowait","reason":"wamp.error.timeout"}]`,
			`[68,2,1,{}]`,
			`[69,2,{"mode":"kill"}]`,
			`[68,3,1,{}]`,
		)
		if n := len(w.timers.heap); n != 0 {
			t.Errorf("%d times are still set", n)
		}
	})
}

// TestTimersRing: each call ends at its own time, whatever the order in which they
// were set and stopped.
func TestTimersRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, scenario(), Limits{})
		callee, _ := w.member(wamp.JSON, "anyone")
		callee.take(t, `[64,1,{},"com.example.slow"]`)
		random := rand.New(rand.NewPCG(4, 1))
		start := time.Now()
		want := make(map[wamp.ID]time.Duration)
		got := make(map[wamp.ID]time.Duration)
		var mu sync.Mutex // of got
		rang := func(id wamp.ID) bool {
			mu.Lock()
			defer mu.Unlock()
			_, rang := got[id]
			return rang
		}
		caller, conn := w.member(wamp.JSON, "anyone")
		conn.sent = func(m wamp.Message) {
			if e, ok := m.(*wamp.Error); ok && e.URI == wamp.ErrTimeout {
				mu.Lock()
				defer mu.Unlock()
				got[e.Request] = time.Since(start)
			}
		}
		for i := range 1000 {
			id := wamp.ID(i + 1)
			after := time.Duration(random.IntN(5000)+1) * time.Millisecond
			caller.take(t, fmt.Sprintf(`[48,%d,{"timeout":%d},"com.example.slow"]`, id, after.Milliseconds()))
			want[id] = time.Since(start) + after
			if random.IntN(3) == 0 {
				time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
			}
			if random.IntN(4) == 0 {
				callee.take(t, fmt.Sprintf(`[70,%d,{}]`, id))
				if !rang(id) {
					delete(want, id)
				}
			}
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if len(got) != len(want) {
			t.Errorf("%d calls ended, want %d", len(got), len(want))
		}
		for id, at := range want {
			if got[id] != at {
				t.Fatalf("call %d ended after %s, want %s", id, got[id], at)
			}
		}
		if w.timers.next != 0 || len(w.timers.heap) != 0 {
			t.Errorf("the alarm is set for %s, %d times are", w.timers.next, len(w.timers.heap))
		}
	})
}

// TestTimeout: of what a call asks for and the realm says.
func TestTimeout(t *testing.T) {
	for _, test := range []struct {
		asked       uint64
		def, most   time.Duration
		want        time.Duration
		description string
	}{
		{0, 0, 0, 0, "none"},
		{1500, 0, 0, 1500 * time.Millisecond, "as asked for"},
		{0, time.Second, 0, time.Second, "the default"},
		{1, time.Second, 0, time.Millisecond, "less than the default"},
		{1500, time.Second, 0, 1500 * time.Millisecond, "more than the default"},
		{1500, 0, time.Second, time.Second, "more than the maximum"},
		{500, 0, time.Second, 500 * time.Millisecond, "less than the maximum"},
		{0, time.Hour, time.Second, time.Second, "a default above the maximum"},
		{0, 0, time.Second, 0, "none, below a maximum"},
		{uint64(wamp.MaxID), 0, 0, maxTimeout, "for ever"},
		{1<<64 - 1, 0, 0, maxTimeout, "for longer than that"},
	} {
		s := Settings{CallTimeout: test.def, MaxCallTimeout: test.most}
		if got := s.timeout(test.asked); got != test.want {
			t.Errorf("%s: got %s, want %s", test.description, got, test.want)
		}
	}
}

// TestTimedCallAllocatesNothing: the time of a call costs no memory of its own.
func TestTimedCallAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	p := scenario()
	p.Realms["realm1"].Settings.CallTimeout = time.Hour
	w := newWorld(t, p, Limits{})
	r := newRoute(t, w, wamp.JSON, 16, "com.example.echo")
	r.call(t)
	if n := testing.AllocsPerRun(1000, func() { r.call(t) }); n > 0 {
		t.Errorf("%v allocations for one call", n)
	}
}

// TestExtendedInTime: a result that comes in the moment in which the time is over
// counts.
func TestExtendedInTime(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	s := newSeveral(t, w, 1, `{}`)
	s.caller.take(t, `[48,1,{"receive_progress":true,"timeout":3600000},"com.example.work"]`)
	p, _ := s.callees[0].invocations.get(1)
	w.timers.mu.Lock()
	heap.Remove(&w.timers.heap, p.timer.place) // it rings
	w.timers.mu.Unlock()
	s.callees[0].take(t, `[70,1,{"progress":true}]`)
	works := w.works.get()
	defer w.works.put(works)
	s.callees[0].expire(nil, works, 1, p.timer)
	s.callerHas.expect(t, `[50,1,{"progress":true}]`)
	s.callees[0].take(t, `[70,1,{}]`)
	s.callees[0].expire(nil, works, 1, p.timer)
	s.callerHas.expect(t, `[50,1,{}]`)
}
