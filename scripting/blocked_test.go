package scripting

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// manyBlocked is how many logins wait for a service while others go on.
const manyBlocked = 300

// blockedWorld has one authenticator, which asks service before it answers
// anybody who is called slow.
func blockedWorld(t testing.TB, service string, change ...func(*Options)) *world {
	return newWorld(t, map[string]string{"a.lua": fmt.Sprintf(`
router.join { realm = "realm1", authrole = "authenticator" }
router.authenticator("com.example.authenticate", function(request)
  if request.authid == "slow" then assert(http.get(%q)) end
  if crypto.equal(request.ticket, "secret") then return "frontend" end
end)`, service)}, append(change, reachAll, func(o *Options) { o.Limits.Call.Wall = time.Minute })...)
}

// Scripts that wait hold up nobody, not even calls of the same component.
func TestOthersGoOnWhileManyScriptsWait(t *testing.T) {
	var waiting atomic.Int32
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		waiting.Add(1)
		<-release
	}))
	t.Cleanup(s.Close)
	free := sync.OnceFunc(func() { close(release) })
	t.Cleanup(free)
	w := blockedWorld(t, s.URL, func(o *Options) { o.Limits.QueueWait = time.Minute }) // making 300 VMs may take a while
	var slow sync.WaitGroup
	var admitted atomic.Int32
	for range manyBlocked {
		slow.Go(func() {
			if _, err := w.login("slow", "secret"); err == nil {
				admitted.Add(1)
			}
		})
	}
	eventually(t, "all wait for the service", func() bool { return waiting.Load() == manyBlocked })
	for range 20 {
		if p, err := w.login("joe", "secret"); err != nil || p.Role != "frontend" {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if n := admitted.Load(); n != 0 {
		t.Errorf("%d did not wait", n)
	}
	free()
	slow.Wait()
	if n := admitted.Load(); n != manyBlocked {
		t.Errorf("%d of %d were admitted in the end", n, manyBlocked)
	}
}

// BenchmarkLoginWhileManyScriptsWait is a login while 300 others wait a second
// each for a service, again and again.
func BenchmarkLoginWhileManyScriptsWait(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
		}
	}))
	b.Cleanup(s.Close)
	w := blockedWorld(b, s.URL)
	var slow sync.WaitGroup
	var stop atomic.Bool
	var served atomic.Int32
	for range manyBlocked {
		slow.Go(func() {
			for !stop.Load() {
				if _, err := w.login("slow", "secret"); err != nil {
					b.Error(err)
				}
				served.Add(1)
			}
		})
	}
	for served.Load() < manyBlocked {
		time.Sleep(time.Millisecond)
	}
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		if _, err := w.login("joe", "secret"); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	stop.Store(true)
	slow.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkLoginWhileManyHash is a login without a password's hash while 100
// others, of the same script, want theirs hashed all the time.
func BenchmarkLoginWhileManyHash(b *testing.B) {
	w := newWorld(b, map[string]string{"a.lua": `
router.join { realm = "realm1", authrole = "authenticator" }
router.authenticator("com.example.authenticate", function(request)
  if request.authid == "slow" then crypto.argon2id_hash(request.ticket) end
  if crypto.equal(request.ticket, "secret") then return "frontend" end
end)`}, func(o *Options) { o.Limits.Call.Wall = time.Minute })
	var slow sync.WaitGroup
	var stop atomic.Bool
	for range 100 {
		slow.Go(func() {
			for !stop.Load() {
				if _, err := w.login("slow", "secret"); err != nil {
					b.Error(err)
				}
			}
		})
	}
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		if _, err := w.login("joe", "secret"); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	slow.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
