package realm

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/router/transport"
	"usher/router/wamp"
)

// TestEveryCallHasOneAnswer: callers call at random while callees answer, fail,
// answer twice, leave or drop dead and come back. Each CALL gets exactly one final
// answer, and nothing is left at the end.
func TestEveryCallHasOneAnswer(t *testing.T) {
	calls := 500
	if testing.Short() {
		calls = 100
	}
	w := newWorld(t, scenario(), Limits{})
	var callees, callers sync.WaitGroup
	var stop atomic.Bool
	for i := range 3 {
		f := formats[i]
		random := rand.New(rand.NewPCG(1, uint64(i)))
		callees.Go(func() {
			for !stop.Load() {
				if c := w.tryJoin(f); c != nil {
					serveAtRandom(c, fmt.Sprintf("com.example.procedure%d", i), random)
				}
			}
		})
	}
	for i := range 4 {
		c := w.join(formats[i%len(formats)], "anyone")
		random := rand.New(rand.NewPCG(2, uint64(i)))
		callers.Go(func() { callAtRandom(t, c, calls, random) })
	}
	callers.Wait()
	stop.Store(true)
	served := make(chan struct{})
	go func() { callees.Wait(); close(served) }()
	for done := false; !done; {
		for _, s := range w.members() {
			s.dismiss(wamp.CloseNormal, "the test is over", transport.CloseNormal)
		}
		select {
		case <-served:
			done = true
		case <-time.After(time.Millisecond):
		}
	}
	w.serving.Wait()
	w.expectEmpty()
}

// tryJoin joins without failing the test where that does not come about.
func (w *world) tryJoin(f wamp.Format) *client {
	c := w.connect(f, anonymous("anyone"))
	_ = c.conn.Send(&c.batch, &wamp.Hello{Realm: "realm1", Roles: wamp.Roles{Callee: wamp.RoleFeatures{Present: true}}})
	if m, err := c.read(); err != nil || m.Type() != wamp.TypeWelcome {
		c.conn.Close(transport.CloseNormal)
		return nil
	}
	return c
}

// serveAtRandom is one session of a callee.
func serveAtRandom(c *client, uri string, random *rand.Rand) {
	defer c.conn.Close(transport.CloseNormal)
	_ = c.conn.Send(&c.batch, &wamp.Register{Request: c.next(), Procedure: uri})
	for {
		m, err := c.read()
		if err != nil {
			return
		}
		i, ok := m.(*wamp.Invocation)
		if !ok {
			continue
		}
		switch n := random.IntN(100); {
		case n < 60:
			_ = c.conn.Send(&c.batch, &wamp.Yield{Request: i.Request, Payload: i.Payload})
		case n < 80:
			_ = c.conn.Send(&c.batch, &wamp.Error{RequestType: wamp.TypeInvocation, Request: i.Request, URI: "com.example.error"})
		case n < 96:
			_ = c.conn.Send(&c.batch, &wamp.Yield{Request: i.Request})
			_ = c.conn.Send(&c.batch, &wamp.Yield{Request: i.Request})
		case n < 98:
			_ = c.conn.Send(&c.batch, &wamp.Goodbye{Reason: wamp.CloseNormal})
		default:
			return
		}
	}
}

// callAtRandom calls with up to 16 calls outstanding and checks that each is
// answered once. A callee that keeps one for itself ends sooner or later.
func callAtRandom(t *testing.T, c *client, calls int, random *rand.Rand) {
	defer c.conn.Close(transport.CloseNormal)
	waiting := make(map[wamp.ID]bool)
	for sent := 0; sent < calls || len(waiting) > 0; {
		for ; sent < calls && len(waiting) < 16; sent++ {
			id := c.next()
			waiting[id] = true
			_ = c.conn.Send(&c.batch, &wamp.Call{Request: id, Procedure: fmt.Sprintf("com.example.procedure%d", random.IntN(3))})
		}
		m, err := c.read()
		if err != nil {
			t.Errorf("%d calls have no answer: %v", len(waiting), err)
			return
		}
		var id wamp.ID
		switch m := m.(type) {
		case *wamp.Result:
			id = m.Request
		case *wamp.Error:
			id = m.Request
		}
		if !waiting[id] {
			t.Errorf("%s answers a call that has an answer already, or none", text(m))
			return
		}
		delete(waiting, id)
	}
}

// TestOrder: whatever the interleaving, each subscriber hears each publisher's
// events in the order of publishing, across topics, and each callee gets each
// caller's invocations in the order of calling, across procedures, under ids
// without a gap.
func TestOrder(t *testing.T) {
	messages := 300
	if testing.Short() {
		messages = 100
	}
	const senders, receivers = 3, 3
	w := newWorld(t, scenario(), Limits{})
	var sending, receiving sync.WaitGroup
	for i := range receivers {
		c := w.join(formats[i], "anyone")
		c.subscribe("com.example.topic1", `{}`)
		c.subscribe("com.example.topic2", `{}`)
		if i == 0 {
			c.register("com.example.procedure1", `{}`)
			c.register("com.example.procedure2", `{}`)
		}
		receiving.Go(func() {
			expected := senders * messages
			if i == 0 {
				expected *= 2
			}
			checkOrder(t, c, expected)
		})
	}
	for i := range senders {
		c := w.join(formats[i], "anyone")
		sending.Go(func() {
			for n := range messages {
				args := jsonArgs(fmt.Sprintf("[%d,%d]", i, n))
				_ = c.conn.Send(&c.batch, &wamp.Publish{Request: c.next(), Topic: fmt.Sprintf("com.example.topic%d", n%2+1), Payload: args})
				_ = c.conn.Send(&c.batch, &wamp.Call{Request: c.next(), Procedure: fmt.Sprintf("com.example.procedure%d", n%2+1), Payload: args})
				if n%7 == 0 {
					c.batch.Flush()
				}
			}
			c.batch.Flush()
		})
	}
	sending.Wait()
	receiving.Wait()
}

// checkOrder reads so many events and invocations and checks that those of one
// sender count up.
func checkOrder(t *testing.T, c *client, expected int) {
	events, invocations := make(map[int64]int64), make(map[int64]int64)
	var last wamp.ID
	for range expected {
		m, err := c.read()
		if err != nil {
			t.Error(err)
			return
		}
		var next map[int64]int64
		var payload wamp.Payload
		switch m := m.(type) {
		case *wamp.Event:
			next, payload = events, m.Payload
		case *wamp.Invocation:
			next, payload = invocations, m.Payload
			if last++; m.Request != last {
				t.Errorf("invocation %d, want %d", m.Request, last)
			}
		default:
			t.Errorf("got %s", text(m))
			return
		}
		var args []int64
		if err := unmarshal(payload, &args); err != nil || len(args) != 2 {
			t.Errorf("args are %v, %v", args, err)
			return
		}
		if args[1] != next[args[0]] {
			t.Errorf("sender %d: got %d, want %d", args[0], args[1], next[args[0]])
			return
		}
		next[args[0]]++
	}
}

// TestChurn: sessions that come, subscribe, register, publish and go in every way,
// all at once, leave nothing behind.
func TestChurn(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 10
	}
	w := newWorld(t, scenario(), Limits{})
	var clients sync.WaitGroup
	for i := range 6 {
		random := rand.New(rand.NewPCG(3, uint64(i)))
		clients.Go(func() {
			for range rounds {
				if c := w.tryJoin(formats[random.IntN(len(formats))]); c != nil {
					churn(c, random)
				}
			}
		})
	}
	clients.Wait()
	w.serving.Wait()
	w.expectEmpty()
}

// churn is the life of one session.
func churn(c *client, random *rand.Rand) {
	uri := func() string { return fmt.Sprintf("com.example.x%d", random.IntN(5)) }
	for range 20 {
		var m wamp.Message
		match := wamp.Match(random.IntN(3))
		switch random.IntN(6) {
		case 0:
			m = &wamp.Subscribe{Request: c.next(), Topic: uri(), Options: wamp.SubscribeOptions{Match: match}}
		case 1:
			m = &wamp.Register{Request: c.next(), Procedure: uri(), Options: wamp.RegisterOptions{Match: match}}
		case 2:
			m = &wamp.Publish{Request: c.next(), Topic: uri(), Payload: jsonArgs("[1]")}
		case 3:
			m = &wamp.Call{Request: c.next(), Procedure: uri(), Payload: jsonArgs("[1]")}
		case 4:
			m = &wamp.Unsubscribe{Request: c.next(), Subscription: wamp.ID(random.IntN(50) + 1)}
		case 5:
			m = &wamp.Unregister{Request: c.next(), Registration: wamp.ID(random.IntN(50) + 1)}
		}
		_ = c.conn.Send(&c.batch, m)
	}
	c.batch.Flush()
	switch random.IntN(3) {
	case 0:
		_ = c.conn.Send(&c.batch, &wamp.Goodbye{Reason: wamp.CloseNormal})
	case 1:
		_ = c.conn.Send(&c.batch, &wamp.Authenticate{}) // a violation
	case 2:
		c.conn.Close(transport.CloseNormal)
	}
	for {
		if _, err := c.read(); err != nil {
			c.conn.Close(transport.CloseNormal)
			return
		}
	}
}

// TestNothingAfterTheEnd: under publications and calls all the time, no EVENT
// comes before SUBSCRIBED or behind UNSUBSCRIBED, and no INVOCATION before
// REGISTERED or behind UNREGISTERED; some clients end their session at one.
func TestNothingAfterTheEnd(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	w := newWorld(t, scenario(), Limits{})
	var storming sync.WaitGroup
	var stop atomic.Bool
	for i := range 2 {
		c := w.join(formats[i], "anyone")
		storming.Go(func() { storm(c, &stop) })
	}
	c := w.join(wamp.CBOR, "anyone")
	for range rounds {
		c.send(fmt.Sprintf(`[32,%d,{},"com.example.storm"]`, c.next()))
		c.send(fmt.Sprintf(`[64,%d,{},"com.example.storm"]`, c.next()))
		listening, serving := false, false
		for !listening || !serving {
			switch m := c.receive().(type) {
			case *wamp.Subscribed:
				listening = true
				c.send(fmt.Sprintf(`[34,%d,%d]`, c.next(), m.Subscription))
			case *wamp.Registered:
				serving = true
				c.send(fmt.Sprintf(`[66,%d,%d]`, c.next(), m.Registration))
			case *wamp.Event:
				if !listening {
					t.Fatal("an EVENT came before SUBSCRIBED")
				}
			case *wamp.Invocation:
				if !serving {
					t.Fatal("an INVOCATION came before REGISTERED")
				}
			}
		}
		for listening || serving {
			switch m := c.receive().(type) {
			case *wamp.Unsubscribed:
				listening = false
			case *wamp.Unregistered:
				serving = false
			case *wamp.Event:
				if !listening {
					t.Fatal("an EVENT came behind UNSUBSCRIBED")
				}
			case *wamp.Invocation:
				if !serving {
					t.Fatal("an INVOCATION came behind UNREGISTERED")
				}
			default:
				t.Fatalf("got %s", text(m))
			}
		}
	}
	stop.Store(true)
	storming.Wait()
}

// storm publishes and calls until it is told to stop.
func storm(c *client, stop *atomic.Bool) {
	defer c.conn.Close(transport.CloseNormal)
	for !stop.Load() {
		for range 10 {
			_ = c.conn.Send(&c.batch, &wamp.Publish{Request: c.next(), Topic: "com.example.storm"})
			_ = c.conn.Send(&c.batch, &wamp.Call{Request: c.next(), Procedure: "com.example.storm"})
		}
		last := c.next()
		_ = c.conn.Send(&c.batch, &wamp.Unsubscribe{Request: last, Subscription: wamp.MaxID})
		for answered := false; !answered; {
			m, err := c.read()
			if err != nil {
				return
			}
			e, ok := m.(*wamp.Error)
			answered = ok && e.Request == last
		}
	}
}

// TestWaitForPublications: whoever waits, waits for those that began before.
func TestWaitForPublications(t *testing.T) {
	var f inFlight
	f.wait()
	first := f.begin()
	waited := make(chan struct{})
	go func() { f.wait(); close(waited) }()
	time.Sleep(5 * time.Millisecond)
	select {
	case <-waited:
		t.Fatal("did not wait for a publication that began before")
	default:
	}
	f.end(first)
	<-waited
	f.wait()
}

// TestApplyUnderLogins: while a role comes and goes, who joins under it is
// welcomed or refused, and who was welcomed is not left in when the role has gone.
func TestApplyUnderLogins(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	w := newWorld(t, scenario(), Limits{})
	without := scenario()
	delete(without.Realms["realm1"].Roles, "anyone")
	var joining sync.WaitGroup
	var stop atomic.Bool
	for i := range 3 {
		joining.Go(func() {
			for !stop.Load() {
				if c := w.tryJoin(formats[i]); c != nil {
					for {
						if _, err := c.read(); err != nil {
							break
						}
					}
					c.conn.Close(transport.CloseNormal)
				}
			}
		})
	}
	for range rounds {
		w.Apply(without)
		eventually(t, "all sessions of the role are gone", func() bool { return w.Stats().Sessions == 0 })
		w.Apply(scenario())
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	w.Apply(without)
	joining.Wait()
}
