package realm

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/router/wamp"
)

// TestManyWaitTogether: however many leave a topic while it is being published to,
// they wait for two rounds at most, and each for what was under way when it came.
func TestManyWaitTogether(t *testing.T) {
	var f inFlight
	f.wait()
	if f.turn.Load() != 0 {
		t.Error("it took a round to wait for nothing")
	}
	counter := f.begin()
	var waiting sync.WaitGroup
	var returned atomic.Int32
	for range 1000 {
		waiting.Go(func() {
			f.wait()
			returned.Add(1)
		})
	}
	eventually(t, "somebody shares a round", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.next != nil
	})
	if n := returned.Load(); n != 0 {
		t.Errorf("%d did not wait", n)
	}
	f.end(counter)
	waiting.Wait()
	if turns := f.turn.Load(); turns > 4 {
		t.Errorf("counters turned %d times for two rounds", turns)
	}
	if f.current != nil || f.next != nil {
		t.Error("a round is still there")
	}
}

// TestWaitIsNotOvertaken: publications that go on without a gap do not hold up who
// waits, and what was published before the wait is over after it.
func TestWaitIsNotOvertaken(t *testing.T) {
	var f inFlight
	var stop atomic.Bool
	var publishing, leaving sync.WaitGroup
	var listening, gone [100]atomic.Bool
	for i := range listening {
		listening[i].Store(true)
	}
	for range 4 {
		publishing.Go(func() {
			for !stop.Load() {
				counter := f.begin()
				for i := range listening {
					if listening[i].Load() {
						time.Sleep(time.Microsecond)
						if gone[i].Load() {
							t.Errorf("delivered to %d after its wait", i)
						}
					}
				}
				f.end(counter)
			}
		})
	}
	for i := range listening {
		leaving.Go(func() {
			listening[i].Store(false)
			f.wait()
			gone[i].Store(true)
		})
	}
	leaving.Wait()
	stop.Store(true)
	publishing.Wait()
}

// TestOrderOfEvents: no EVENT comes behind the end of its subscription, nor ahead
// of its beginning, however slow its publication or its SUBSCRIBED is.
func TestOrderOfEvents(t *testing.T) {
	held := func(t *testing.T, what string, act, release func()) {
		t.Helper()
		done := make(chan struct{})
		go func() {
			defer close(done)
			act()
		}()
		select {
		case <-done:
			t.Errorf("%s did not wait", what)
		case <-time.After(20 * time.Millisecond):
		}
		release()
		<-done
	}
	const publish, event = `[16,1,{},"com.example.topic"]`, `[36,1,*,{}]`
	w := newWorld(t, scenario(), Limits{})
	listener, conn := w.member(wamp.JSON, "anyone")
	other, _ := w.member(wamp.JSON, "anyone")
	canDoAll(listener)
	has := conn.transcribe()
	listener.take(t, `[32,1,{},"com.example.topic"]`)
	has.expect(t, `[33,1,1]`)
	sub := listener.realm.subscriptionByID(1)

	listener.gate.shut()
	held(t, "EVENT", func() { other.take(t, publish) }, func() {
		has.expect(t, "")
		listener.gate.open()
	})
	has.expect(t, event)

	counter := sub.inFlight.begin()
	held(t, "UNSUBSCRIBED", func() { listener.take(t, `[34,2,1]`) }, func() {
		has.expect(t, "")
		sub.inFlight.end(counter)
	})
	has.expect(t, `[35,2]`)

	listener.take(t, `[32,3,{},"com.example.topic"]`)
	has.expect(t, `[33,3,2]`)
	sub = listener.realm.subscriptionByID(2)
	counter = sub.inFlight.begin()
	held(t, "the router's UNSUBSCRIBED", func() { listener.realm.revokeSubscriber(nil, sub.id, listener.id, "x") }, func() {
		has.expect(t, "")
		sub.inFlight.end(counter)
	})
	has.expect(t, `[35,0,{"subscription":2,"reason":"x"}]`)
}
