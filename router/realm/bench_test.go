package realm

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// BenchmarkCall is one CALL, INVOCATION, YIELD and RESULT through the router, with
// 64 calls outstanding; the clients' own work is part of the time.
func BenchmarkCall(b *testing.B) {
	for _, f := range formats {
		for _, size := range []int{16, 4096} {
			b.Run(fmt.Sprintf("%s/%dB", f, size), func(b *testing.B) { benchmarkCall(b, f, size) })
		}
	}
}

func benchmarkCall(b *testing.B, f wamp.Format, size int) {
	w := newWorld(b, scenario(), Limits{})
	callee, caller := w.join(f, "anyone"), w.join(f, "anyone")
	callee.register("com.example.echo", `{}`)
	var serving sync.WaitGroup
	serving.Go(func() { echo(callee) })
	payload, err := newPayload(f, size)
	if err != nil {
		b.Fatal(err)
	}
	call := &wamp.Call{Procedure: "com.example.echo", Payload: payload}
	b.ReportAllocs()
	b.ResetTimer()
	for sent, received := 0, 0; received < b.N; received++ {
		for ; sent < b.N && sent-received < 64; sent++ {
			call.Request = caller.next()
			caller.post(call)
		}
		if _, ok := caller.receive().(*wamp.Result); !ok {
			b.Fatal("no result")
		}
	}
	b.StopTimer()
	caller.conn.Close(transport.CloseNormal)
	callee.conn.Close(transport.CloseNormal)
	serving.Wait()
}

// echo answers invocations with what they bring until the connection ends.
func echo(c *client) {
	var yield wamp.Yield
	for {
		data, err := c.conn.Read(&c.batch)
		if err != nil {
			return
		}
		m, err := c.decoder.Decode(c.conn.Format(), data)
		if err != nil {
			return
		}
		if i, ok := m.(*wamp.Invocation); ok {
			yield = wamp.Yield{Request: i.Request, Payload: i.Payload}
			if c.conn.Send(&c.batch, &yield) != nil {
				return
			}
		}
	}
}

// BenchmarkRoute is the router's own part of a call: CALL decoded and routed,
// INVOCATION encoded, YIELD decoded, RESULT encoded.
func BenchmarkRoute(b *testing.B) {
	for _, f := range formats {
		for _, size := range []int{16, 4096} {
			b.Run(fmt.Sprintf("%s/%dB", f, size), func(b *testing.B) {
				w := newWorld(b, scenario(), Limits{})
				r := newRoute(b, w, f, size, "com.example.echo")
				b.ReportAllocs()
				for b.Loop() {
					r.call(b)
				}
			})
		}
	}
}

// BenchmarkTimedCall is BenchmarkRoute for calls that have a time, beside so many
// others.
func BenchmarkTimedCall(b *testing.B) {
	for _, n := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := scenario()
			p.Realms["realm1"].Settings.CallTimeout = time.Hour
			w := newWorld(b, p, Limits{})
			r := newRoute(b, w, wamp.JSON, 16, "com.example.echo")
			others := new(session)
			for i := range n {
				w.timers.set(others, wamp.ID(i+1), 2*time.Hour)
			}
			b.ReportAllocs()
			for b.Loop() {
				r.call(b)
			}
		})
	}
}

// BenchmarkSharedCall is BenchmarkRoute where so many callees share the procedure.
func BenchmarkSharedCall(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		for _, invoke := range []string{"roundrobin", "random", "last"} {
			b.Run(fmt.Sprintf("%s/%d", invoke, n), func(b *testing.B) {
				w := newWorld(b, scenario(), Limits{})
				r := newRoute(b, w, wamp.JSON, 16, "com.example.other")
				for range n {
					callee, conn := w.member(wamp.JSON, "anyone")
					conn.sent = func(m wamp.Message) {
						if i, ok := m.(*wamp.Invocation); ok {
							r.callee, r.calleeConn = callee, conn
							conn.invoked = i.Request
						}
					}
					r.receive(b, callee, &wamp.Register{Request: 1, Procedure: "com.example.echo", Options: wamp.RegisterOptions{Invoke: invoke}})
				}
				r.message.Procedure = "com.example.echo"
				b.ReportAllocs()
				for b.Loop() {
					r.call(b)
				}
			})
		}
	}
}

// route is one call after the other between two members.
type route struct {
	caller, callee         *session
	callerConn, calleeConn *sink
	format                 wamp.Format
	message                wamp.Call
	yield                  wamp.Yield
	data                   []byte
}

func newRoute(t testing.TB, w *world, f wamp.Format, size int, procedure string) *route {
	r := &route{format: f}
	r.caller, r.callerConn = w.member(f, "anyone")
	r.callee, r.calleeConn = w.member(f, "anyone")
	r.receive(t, r.callee, &wamp.Register{Request: 1, Procedure: procedure})
	payload, err := newPayload(f, size)
	if err != nil {
		t.Fatal(err)
	}
	r.message = wamp.Call{Procedure: procedure, Payload: payload}
	r.yield = wamp.Yield{Payload: payload}
	return r
}

func (r *route) receive(t testing.TB, s *session, m wamp.Message) {
	var err error
	if r.data, err = codec.Append(r.data[:0], r.format, m); err != nil {
		t.Fatal(err)
	}
	if bye := s.receive(r.data); bye != nil {
		t.Fatal(bye.why)
	}
}

func (r *route) call(t testing.TB) {
	r.message.Request++
	r.receive(t, r.caller, &r.message)
	r.yield.Request = r.calleeConn.invoked
	r.receive(t, r.callee, &r.yield)
}

// TestRoutedCallAllocatesNothing: between clients of one format.
func TestRoutedCallAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		r := newRoute(t, w, f, 16, "com.example.echo")
		r.call(t)
		if n := testing.AllocsPerRun(1000, func() { r.call(t) }); n > 0 {
			t.Errorf("%v allocations for one call", n)
		}
	})
}

// BenchmarkFanOut is one publication to so many subscribers, until each has it.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkFanOut(b, n) })
	}
}

func benchmarkFanOut(b *testing.B, subscribers int) {
	w := newWorld(b, scenario(), Limits{})
	var listening, received sync.WaitGroup
	var conns []transport.Conn
	for range subscribers {
		c := w.join(wamp.JSON, "anyone")
		c.subscribe("com.example.topic", `{}`)
		c.conn.SetReadDeadline(time.Time{})
		conns = append(conns, c.conn)
		listening.Go(func() {
			for {
				if _, err := c.conn.Read(&c.batch); err != nil {
					return
				}
				received.Done()
			}
		})
	}
	publisher := w.join(wamp.JSON, "anyone")
	publish := &wamp.Publish{Topic: "com.example.topic", Payload: jsonArgs(`["a small payload"]`)}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		received.Add(subscribers)
		publish.Request = publisher.next()
		publisher.post(publish)
		publisher.batch.Flush()
		received.Wait()
	}
	b.StopTimer()
	for _, c := range conns {
		c.Close(transport.CloseNormal)
	}
	listening.Wait()
}

// BenchmarkLogin is one connection from HELLO to WELCOME and its end, with a
// ticket that an authenticator inside the process accepts.
func BenchmarkLogin(b *testing.B) {
	w := newWorld(b, scenario(), Limits{})
	w.authenticateBy(func(context.Context, *auth.Request) (*auth.Principal, error) {
		return &auth.Principal{Role: "frontend"}, nil
	})
	e := ticketed()
	b.ReportAllocs()
	for b.Loop() {
		c := w.login(wamp.JSON, e, "joe", "secret!!!")
		c.welcomed()
		c.conn.Close(transport.CloseNormal)
	}
}

// BenchmarkPublish is the router's own part of a publication to so many
// subscribers of one topic: PUBLISH decoded, EVENT handed to each connection.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, scenario(), Limits{})
			publisher, _ := w.member(wamp.JSON, "anyone")
			for range n {
				s, _ := w.member(wamp.JSON, "anyone")
				if bye := s.receive([]byte(`[32,1,{},"com.example.topic"]`)); bye != nil {
					b.Fatal(bye.why)
				}
			}
			message := wamp.Publish{Topic: "com.example.topic", Payload: jsonArgs(`["a small payload"]`)}
			publishing(b, publisher, &message)
		})
	}
}

// publishing publishes as often as b says, from the bytes on.
func publishing(b *testing.B, publisher *session, message *wamp.Publish) {
	var data []byte
	b.ReportAllocs()
	for b.Loop() {
		message.Request++
		var err error
		if data, err = codec.Append(data[:0], wamp.JSON, message); err != nil {
			b.Fatal(err)
		}
		if bye := publisher.receive(data); bye != nil {
			b.Fatal(bye.why)
		}
	}
}

// BenchmarkPublishToMany is a publication to 1,000 subscribers that carries a list
// of so many ids, of which each receiver is one.
func BenchmarkPublishToMany(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, scenario(), Limits{})
			publisher, _ := w.member(wamp.JSON, "anyone")
			eligible := make([]wamp.ID, 0, n)
			for range 1000 {
				s, _ := w.member(wamp.JSON, "anyone")
				if bye := s.receive([]byte(`[32,1,{},"com.example.topic"]`)); bye != nil {
					b.Fatal(bye.why)
				}
				eligible = append(eligible, s.id)
			}
			for len(eligible) < n {
				eligible = append(eligible, wamp.RandomID())
			}
			message := wamp.Publish{Topic: "com.example.topic", Options: wamp.PublishOptions{Audience: &wamp.Audience{Eligible: eligible[:n]}}}
			publishing(b, publisher, &message)
		})
	}
}

// BenchmarkPublishKept is a publication without subscribers that is retained, or
// kept in one of 100 histories.
func BenchmarkPublishKept(b *testing.B) {
	for _, options := range []wamp.PublishOptions{{Retain: true}, {}} {
		b.Run(fmt.Sprintf("retain=%t", options.Retain), func(b *testing.B) {
			p := scenario()
			for i := range 100 {
				rule := HistoryRule{URI: fmt.Sprintf("com.example.%d.", i), Match: wamp.Prefix}
				p.Realms["realm1"].Settings.History = append(p.Realms["realm1"].Settings.History, rule)
			}
			w := newWorld(b, p, Limits{})
			publisher, _ := w.member(wamp.JSON, "anyone")
			message := wamp.Publish{Topic: "com.example.7.topic", Options: options, Payload: jsonArgs(`["a small payload"]`)}
			if options.Retain {
				message.Topic = "com.example.topic"
			}
			publishing(b, publisher, &message)
		})
	}
}

// BenchmarkPermission is one decision about a URI, from the cache.
func BenchmarkPermission(b *testing.B) {
	r := newSnapshot(scenario()).realms["realm1"]["frontend"]
	b.ReportAllocs()
	for b.Loop() {
		if !r.decide("com.example.topic1").allows(auth.Publish) {
			b.Fatal("denied")
		}
	}
}
