package realm

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"usher/router/transport"
	"usher/router/wamp"
)

// usage is what a process takes at one moment.
type usage struct {
	goroutines int
	heap       int // bytes that are reachable
	stacks     int // bytes of goroutines' stacks
}

func measure() usage {
	// What pools held is free after the second one.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{runtime.NumGoroutine(), int(m.HeapAlloc), int(m.StackInuse)}
}

// TestSessionsLeaveNothingBehind: many sessions join, each with registrations and
// subscriptions of its own and one that all share, and leave, one way or another.
// Then there are as many goroutines as before, and the heap is as large as before
// but for a tolerance per session. The first time that is what Go keeps of each
// goroutine for ever, to use it again, and the room in maps for as many sessions as
// there were at most; a session itself takes several times as much.
func TestSessionsLeaveNothingBehind(t *testing.T) {
	for _, c := range []struct {
		name      string
		many, few int
		open      func(w *world) func() transport.Conn
	}{
		{"pair", 10_000, 200, openPairs},
		{"websocket", 2_000, 100, openWebSockets},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := c.many
			if testing.Short() {
				n = c.few
			}
			w := newWorld(t, scenario(), Limits{})
			w.Node.log = slog.New(slog.DiscardHandler) // or the log would be what is kept
			open := c.open(w)
			comeAndGo(t, w, open, 1) // what is made once is made
			for round, perSession := range []int{768, 64} {
				before := measure()
				during := comeAndGo(t, w, open, n)
				var after usage
				eventually(t, "as many goroutines as before", func() bool {
					after = measure()
					return after.goroutines <= before.goroutines
				})
				t.Logf("round %d: %d sessions take %d bytes each with their clients and keep %d; %+v, %+v, %+v", round, n,
					(during.heap+during.stacks-before.heap-before.stacks)/n, (after.heap-before.heap)/n, before, during, after)
				if tolerance := perSession*n + 32<<10; after.heap-before.heap > tolerance {
					t.Errorf("round %d: %d bytes of heap were kept, more than %d", round, after.heap-before.heap, tolerance)
				}
			}
		})
	}
}

// TestBurstOfCalls: a callee and its caller keep no room for the many calls that
// waited once.
func TestBurstOfCalls(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee, _ := w.member(wamp.JSON, "anyone")
	caller, _ := w.member(wamp.JSON, "anyone")
	callee.take(t, `[64,1,{},"com.example.later"]`)
	burst := func(first, n int) {
		for i := range n {
			caller.take(t, fmt.Sprintf(`[48,%d,{},"com.example.later"]`, first+i))
		}
		for i := range n {
			callee.take(t, fmt.Sprintf(`[70,%d,{}]`, first+i))
		}
	}
	burst(1, 10)
	if callee.invocations.pending == nil {
		t.Error("the room for few calls is made anew each time")
	}
	burst(11, 2*maxKeptInvocations)
	if callee.invocations.pending != nil || caller.calls.places != nil {
		t.Error("the room for many calls is kept")
	}
	burst(11+2*maxKeptInvocations, 10)
}

// comeAndGo has n sessions join and leave, and returns what they took.
func comeAndGo(t *testing.T, w *world, open func() transport.Conn, n int) (during usage) {
	clients := make([]*client, n)
	inParallel(n, func(i int) {
		c := &client{t: t, conn: open()}
		c.post(&wamp.Hello{Realm: "realm1", Roles: wamp.Roles{Callee: wamp.RoleFeatures{Present: true}}})
		c.post(&wamp.Register{Request: c.next(), Procedure: fmt.Sprintf("com.example.procedure.%d", i)})
		c.post(&wamp.Register{Request: c.next(), Procedure: fmt.Sprintf("com.example..%d", i), Options: wamp.RegisterOptions{Match: wamp.Wildcard}})
		c.post(&wamp.Subscribe{Request: c.next(), Topic: "com.example.topic"})
		c.post(&wamp.Subscribe{Request: c.next(), Topic: fmt.Sprintf("com.example.topic.%d", i), Options: wamp.SubscribeOptions{Match: wamp.Prefix}})
		c.batch.Flush()
		c.expect(`[2,**]`, `[65,**]`, `[65,**]`, `[33,**]`, `[33,**]`)
		clients[i] = c
	})
	during = measure()
	inParallel(n, func(i int) {
		if i%2 == 0 {
			clients[i].leave()
		}
		clients[i].drop()
	})
	w.serving.Wait()
	return during
}

// inParallel calls f for 0 to n-1, some at a time.
func inParallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	const workers = 16
	for k := range workers {
		wg.Go(func() {
			for i := k; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

func (w *world) serveAnyone(c transport.Conn) {
	w.serving.Go(func() { w.Serve(c, anonymous("anyone"), nil) })
}

func openPairs(w *world) func() transport.Conn {
	return func() transport.Conn {
		router, own := transport.Pair(wamp.JSON, transport.Options{})
		w.serveAnyone(router)
		return own
	}
}

func openWebSockets(w *world) func() transport.Conn {
	router, dialer := transport.New(transport.Options{}), transport.New(transport.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if c, err := router.Upgrade(rw, r, transport.UpgradeOptions{}); err == nil {
			w.serveAnyone(c)
		}
	}))
	w.t.Cleanup(server.Close)
	return func() transport.Conn {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c, err := dialer.Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http"), transport.DialOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
		return c
	}
}
