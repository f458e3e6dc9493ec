package realm

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"usher/router/auth"
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
