package realm

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/router/transport"
	"usher/router/wamp"
)

// manyOf gives s so many registrations and subscriptions of some policies in turn.
func (w *world) manyOf(s *session, n int, policies ...wamp.Match) {
	w.t.Helper()
	r := s.realm
	for i := range n {
		m := policies[i%len(policies)]
		uri := manyURI(m, i)
		r.mu.Lock()
		r.addOffer(&offer{registration: w.newRegistration(uri, wamp.RegisterOptions{Match: m}, false), session: s})
		r.addSubscriber(r.newSubscription(uri, m), s, false)
		r.mu.Unlock()
	}
	r.flushMeta(nil)
}

// manyURI is the i-th of manyOf.
func manyURI(m wamp.Match, i int) string {
	if m == wamp.Wildcard {
		return fmt.Sprintf("com.example..%d", i)
	}
	return fmt.Sprintf("com.example.many.%d", i)
}

// BenchmarkRouteAmong is BenchmarkRoute, and the same for a publication that one
// other session hears, in a realm with so many registrations and as many
// subscriptions of all kinds that do not match: it must not grow with them.
func BenchmarkRouteAmong(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		w := newWorld(b, scenario(), Limits{})
		w.Node.log = slog.New(slog.DiscardHandler)
		many, _ := w.member(wamp.JSON, "anyone")
		w.manyOf(many, n, wamp.Exact, wamp.Prefix, wamp.Wildcard)
		var names atomic.Int64
		b.Run(fmt.Sprintf("call/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := newRoute(b, w, wamp.JSON, 16, fmt.Sprintf("com.example.echo.x%d", names.Add(1)))
				for pb.Next() {
					r.call(b)
				}
			})
		})
		b.Run(fmt.Sprintf("publish/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				topic := fmt.Sprintf("com.example.topic.x%d", names.Add(1))
				publisher, _ := w.member(wamp.JSON, "anyone")
				subscriber, _ := w.member(wamp.JSON, "anyone")
				subscriber.take(b, fmt.Sprintf(`[32,1,{},%q]`, topic))
				r := &route{format: wamp.JSON}
				publish := &wamp.Publish{Topic: topic, Payload: jsonArgs(`["a small payload"]`)}
				for pb.Next() {
					publish.Request++
					r.receive(b, publisher, publish)
				}
			})
		})
	}
}

// BenchmarkEndOfALargeSession is the end of a session with so many registrations
// and as many subscriptions, and what another waits for the realm meanwhile at most.
func BenchmarkEndOfALargeSession(b *testing.B) {
	for _, m := range []wamp.Match{wamp.Exact, wamp.Prefix, wamp.Wildcard} {
		for _, n := range []int{1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", m, n), func(b *testing.B) {
				w := newWorld(b, scenario(), Limits{})
				w.Node.log = slog.New(slog.DiscardHandler)
				var longest time.Duration
				for range b.N {
					b.StopTimer()
					large, _ := w.member(wamp.JSON, "anyone")
					w.manyOf(large, n, m)
					ended := make(chan struct{})
					b.StartTimer()
					go func() {
						defer close(ended)
						large.end(&large.batch, "dropped")
					}()
					for running := true; running; runtime.Gosched() {
						select {
						case <-ended:
							running = false
						default:
						}
						asked := time.Now()
						large.realm.mu.Lock()
						longest = max(longest, time.Since(asked))
						large.realm.mu.Unlock()
					}
				}
				b.ReportMetric(float64(longest.Microseconds()), "us-longest-wait")
			})
		}
	}
}

// TestEndOfALargeSession lets others in while it takes what the session had: the
// realm is found free with a part of it gone. At the end nothing is left, and
// what it had can be had by others.
func TestEndOfALargeSession(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 2_000
	}
	for _, m := range []wamp.Match{wamp.Exact, wamp.Prefix, wamp.Wildcard} {
		t.Run(m.String(), func(t *testing.T) {
			w := newWorld(t, scenario(), Limits{})
			large, _ := w.member(wamp.JSON, "anyone")
			other, conn := w.member(wamp.JSON, "anyone")
			w.manyOf(large, n, m)

			ended := make(chan struct{})
			go func() {
				defer close(ended)
				large.end(&large.batch, "dropped")
			}()
			isPartSeen := false
			for running := true; running; runtime.Gosched() {
				select {
				case <-ended:
					running = false
				default:
				}
				large.realm.mu.Lock()
				left := len(large.registrations) + len(large.subscriptions)
				large.realm.mu.Unlock()
				isPartSeen = isPartSeen || left > 0 && left < 2*n
			}
			if !isPartSeen {
				t.Error("nobody else had the realm until all was gone")
			}
			if st := w.Stats(); st.Registrations != 0 || st.Subscriptions != 0 {
				t.Errorf("left behind: %+v", st)
			}
			uri := manyURI(m, 7)
			other.take(t, fmt.Sprintf(`[64,1,{"match":%q},%q]`, m, uri))
			if got := string(conn.buffer); !matches(got, `[65,1,*]`) {
				t.Errorf("got %s, want REGISTERED", got)
			}
		})
	}
}

// TestPartOfAnEndedSession: while a part of what a session had is still there,
// nothing is routed to it, and what others take from it is not taken twice.
func TestPartOfAnEndedSession(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	large, largeConn := w.member(wamp.JSON, "anyone")
	other, conn := w.member(wamp.JSON, "anyone")
	const n = 4 * removalStep
	w.manyOf(large, n, wamp.Exact)
	r := large.realm

	large.rules.Store(w.noRules)
	left, isAll := r.removeSome(large, nil)
	if isAll || len(large.registrations)+len(large.subscriptions) != 2*n-removalStep {
		t.Fatalf("%d registrations and %d subscriptions left after one step", len(large.registrations), len(large.subscriptions))
	}
	request := 0
	for i := range n {
		uri := manyURI(wamp.Exact, i)
		request++
		other.take(t, fmt.Sprintf(`[48,%d,{},%q]`, request, uri))
		if got := string(conn.buffer); !matches(got, `[8,48,*,{},"wamp.error.no_such_procedure",**]`) {
			t.Fatalf("got %s", got)
		}
		request++
		other.take(t, fmt.Sprintf(`[16,%d,{},%q]`, request, uri))
	}
	if len(largeConn.buffer) != 0 {
		t.Errorf("the session that has ended was sent %s", largeConn.buffer)
	}
	for !isAll {
		// Somebody else removes one in between, and another session has its place.
		r.mu.Lock()
		for _, o := range large.registrations {
			r.removeOffer(o)
			r.addOffer(&offer{registration: w.newRegistration(o.registration.uri, wamp.RegisterOptions{}, false), session: other})
			break
		}
		r.mu.Unlock()
		left, isAll = r.removeSome(large, left)
	}
	if len(left) != n {
		t.Errorf("%d subscriptions were removed, want %d", len(left), n)
	}
	if st := w.Stats(); len(other.registrations) == 0 || st.Registrations != len(other.registrations) || st.Subscriptions != 0 {
		t.Errorf("%d registrations are the other session's, of %+v", len(other.registrations), st)
	}
}

// holder is a sink that holds up who sends it an EVENT.
type holder struct {
	sink
	held    chan struct{} // closed when somebody is
	release chan struct{}
}

func (h *holder) Send(b *transport.Batch, m wamp.Message) error {
	if m.Type() == wamp.TypeEvent {
		close(h.held)
		<-h.release
	}
	return h.sink.Send(b, m)
}

// TestEndWaitsForWhatIsUnderWay: an EVENT that was being queued when the session
// ended is queued when the end is over, and not behind what is sent then.
func TestEndWaitsForWhatIsUnderWay(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	s, _ := w.member(wamp.JSON, "anyone")
	conn := &holder{sink: sink{format: wamp.JSON}, held: make(chan struct{}), release: make(chan struct{})}
	s.conn = conn
	publisher, _ := w.member(wamp.JSON, "anyone")
	w.manyOf(s, removalStep/2, wamp.Exact)
	var publishing, ending sync.WaitGroup
	publishing.Go(func() { publisher.take(t, `[16,1,{},"com.example.many.7"]`) })
	<-conn.held
	ended := make(chan struct{})
	ending.Go(func() {
		s.end(&s.batch, "left")
		close(ended)
	})
	eventually(t, "everything is taken from the session", func() bool { return w.Stats().Subscriptions == 0 })
	select {
	case <-ended:
		t.Error("the end is over, and an EVENT still to be queued")
	case <-time.After(20 * time.Millisecond):
	}
	close(conn.release)
	publishing.Wait()
	ending.Wait()
}

// TestNothingBehindGoodbye: a large session that leaves amid publications and
// calls hears of none behind its GOODBYE, and each of its subscriptions and
// registrations is gone by then.
func TestNothingBehindGoodbye(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	w := newWorld(t, scenario(), Limits{})
	var storming sync.WaitGroup
	var stop atomic.Bool
	for i := range 2 {
		c := w.join(formats[i], "anyone")
		storming.Go(func() { storm(c, &stop) })
	}
	for range rounds {
		c := w.join(wamp.CBOR, "anyone")
		const n = 2 * removalStep
		for i := range n {
			c.post(&wamp.Subscribe{Request: c.next(), Topic: "com.example.storm"[:i%16+1], Options: wamp.SubscribeOptions{Match: wamp.Prefix}})
			c.post(&wamp.Subscribe{Request: c.next(), Topic: manyURI(wamp.Exact, i)})
			c.post(&wamp.Register{Request: c.next(), Procedure: manyURI(wamp.Exact, i)})
		}
		c.post(&wamp.Register{Request: c.next(), Procedure: "com.example.storm"})
		c.batch.Flush()
		for isServing := false; !isServing; {
			switch m := c.receive().(type) {
			case *wamp.Registered:
				isServing = m.Request == c.request
			case *wamp.Subscribed, *wamp.Event:
			default:
				t.Fatalf("got %s", text(m))
			}
		}
		c.send(`[6,{},"wamp.close.normal"]`)
		for isOver := false; !isOver; {
			switch m := c.receive().(type) {
			case *wamp.Goodbye:
				isOver = true
			case *wamp.Event, *wamp.Invocation:
			default:
				t.Fatalf("got %s", text(m))
			}
		}
		c.expectClosed()
		if st := w.Stats(); st.Registrations != 0 || st.Subscriptions != 0 {
			t.Fatalf("left behind: %+v", st)
		}
	}
	stop.Store(true)
	storming.Wait()
}

// TestWildcardShapes: in how many ways the wildcards of patterns of one length
// stand is bounded, and nothing else about them.
func TestWildcardShapes(t *testing.T) {
	w := newWorld(t, scenario(), Limits{WildcardShapes: 2})
	one, conn := w.member(wamp.JSON, "anyone")
	other, otherConn := w.member(wamp.JSON, "anyone")
	for i, c := range []struct{ uri, register, subscribe string }{
		{"com..a", `[65,**]`, `[33,**]`},
		{"com..b", `[65,**]`, `[33,**]`},
		{".com.a", `[65,**]`, `[33,**]`},
		{"com.a.", `[8,64,*,{},"wamp.error.unavailable",**]`, `[8,32,*,{},"wamp.error.unavailable",**]`},
		{"com..c", `[65,**]`, `[33,**]`},
		{"com.a..", `[65,**]`, `[33,**]`},
		{strings.Repeat(".", wamp.MaxWildcardComponents), `[8,64,*,{},"wamp.error.invalid_uri",**]`, `[8,32,*,{},"wamp.error.invalid_uri",**]`},
	} {
		one.take(t, fmt.Sprintf(`[64,%d,{"match":"wildcard"},%q]`, 2*i+1, c.uri))
		if got := string(conn.buffer); !matches(got, c.register) {
			t.Errorf("REGISTER %q: got %s, want %s", c.uri, got, c.register)
		}
		one.take(t, fmt.Sprintf(`[32,%d,{"match":"wildcard"},%q]`, 2*i+2, c.uri))
		if got := string(conn.buffer); !matches(got, c.subscribe) {
			t.Errorf("SUBSCRIBE %q: got %s, want %s", c.uri, got, c.subscribe)
		}
	}
	one.end(&one.batch, "left")
	other.take(t, `[32,1,{"match":"wildcard"},"com.a."]`)
	if got := string(otherConn.buffer); !matches(got, `[33,**]`) {
		t.Errorf("after the others have gone: got %s", got)
	}
}
