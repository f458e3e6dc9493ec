package scripting

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/router/realm"
	"usher/router/wamp"
)

// answering is a component whose procedure com.example.f returns a value.
func answering(value any) string {
	return backend(fmt.Sprintf(`router.register("com.example.f", function() return %v end)`, value))
}

func TestABrokenSaveKeepsTheLastGoodGeneration(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": answering(1), "b.lua": backend(``)})
	c := w.client()
	session := w.status("a").Session
	for _, broken := range []string{"local x = = 1", "", "router.join {}", backend(`error("no")`), `router.join { realm = "realm1", authrole = "nobody" }`} {
		w.write("a.lua", broken)
		w.write("b.lua", backend(fmt.Sprintf("-- beside %q", broken))) // others load all the same
		before := w.status("b").Generation
		if err := w.reload(); err == nil {
			t.Errorf("%q was loaded", broken)
		}
		if err := w.reload(); err == nil { // still
			t.Errorf("%q was loaded", broken)
		}
		s := w.status("a")
		if s.Err == nil || !strings.HasPrefix(s.Err.Error(), "a.lua:") || s.Generation != 1 || s.Session != session {
			t.Errorf("%q: %+v", broken, s)
		}
		if n := len(w.log.lines("script not loaded", s.Err.Error()[:8])); n == 0 {
			t.Errorf("%q is not in the log:\n%s", broken, w.log)
		}
		if got := c.mustCall("com.example.f", "[]"); got != "[1]" {
			t.Errorf("%q: %s", broken, got)
		}
		if w.status("b").Generation != before+1 {
			t.Errorf("%q held b.lua back", broken)
		}
	}
	if n := len(w.log.lines("script not loaded, its last good generation stays", "generation_in_force=1")); n != 5 {
		t.Errorf("%d failures logged, want each once:\n%s", n, w.log)
	}
	w.write("a.lua", answering(2))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if s := w.status("a"); s.Err != nil || s.Generation < 2 || s.Session != session {
		t.Errorf("mended: %+v", s)
	}
	if got := c.mustCall("com.example.f", "[]"); got != "[2]" {
		t.Errorf("mended: %s", got)
	}
}

func TestAScriptThatIsBrokenAtStartCanBeMended(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": "=", "b.lua": answering(1)})
	if s := w.status("a"); s.Generation != 0 || s.Err == nil {
		t.Errorf("%+v", s)
	}
	if got := w.client().mustCall("com.example.f", "[]"); got != "[1]" {
		t.Error(got)
	}
	w.write("a.lua", backend(`router.register("com.example.g", function() end)`))
	if err := w.reload(); err != nil {
		t.Error(err)
	}
	w.client().mustCall("com.example.g", "[]")
}

func TestAModuleReloadsWhoRequiredIt(t *testing.T) {
	w := newWorld(t, map[string]string{
		"a.lua":     backend(`local m = require "lib.m" router.register("com.example.f", function() return m end)`),
		"late.lua":  backend(`router.register("com.example.late", function() return require "lib.late" end)`),
		"other.lua": backend(`router.register("com.example.other", function() end)`),
		"lib/m.lua": `return require "lib.n"`, "lib/n.lua": `return 1`, "lib/late.lua": `return 1`,
	})
	c := w.client()
	c.mustCall("com.example.late", "[]")
	w.write("lib/n.lua", `return 2`)
	w.write("lib/late.lua", `return 2`)
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if f, late := c.mustCall("com.example.f", "[]"), c.mustCall("com.example.late", "[]"); f != "[2]" || late != "[2]" {
		t.Error(f, late)
	}
	if n := w.status("other").Generation; n != 1 {
		t.Errorf("a component that does not need it is of generation %d", n)
	}
	w.write("lib/n.lua", `=`)
	if err := w.reload(); err == nil || !strings.Contains(err.Error(), "lib/n.lua:1:") {
		t.Error(err)
	}
	if err := os.Remove(w.dir + "/lib/n.lua"); err != nil {
		t.Fatal(err)
	}
	if err := w.reload(); err == nil || !strings.Contains(err.Error(), "there is no module lib/n.lua") {
		t.Error(err)
	}
	if f := c.mustCall("com.example.f", "[]"); f != "[2]" {
		t.Error(f)
	}
	w.write("lib/n.lua", `return 3`) // a module that comes back counts, too
	if err := w.reload(); err != nil {
		t.Error(err)
	}
	if f := c.mustCall("com.example.f", "[]"); f != "[3]" {
		t.Error(f)
	}
}

func TestTwoComponentsThatClaimOneURI(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": answering(1), "b.lua": answering(2)})
	c := w.client()
	err := w.status("b").Err
	if err == nil || err.Error() != "b.lua:2: procedure com.example.f is held by component a (a.lua:2): component b cannot have it, too" {
		t.Errorf("%v", err)
	}
	if got := c.mustCall("com.example.f", "[]"); got != "[1]" {
		t.Error(got)
	}
	// It may move from one file to the other, in either direction.
	w.write("a.lua", backend(``))
	w.write("b.lua", answering(3))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if got := c.mustCall("com.example.f", "[]"); got != "[3]" {
		t.Error(got)
	}
	w.write("a.lua", answering(4))
	w.write("b.lua", backend(``))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if got := c.mustCall("com.example.f", "[]"); got != "[4]" {
		t.Error(got)
	}
}

func TestAClientsRegistrationIsInTheWayUntilItGoes(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(``)})
	remote, err := w.node.Join(realm.LocalOptions{Realm: "realm1", Authrole: "backend"}, holder{})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Bind(realm.Bindings{Registrations: []realm.Binding{{URI: "com.example.f"}}}, nil); err != nil {
		t.Fatal(err)
	}
	w.write("a.lua", answering(1))
	if err := w.reload(); err == nil || !strings.HasPrefix(err.Error(), "a.lua:2: procedure com.example.f is held by another session") {
		t.Errorf("%v", err)
	}
	remote.Leave()
	eventually(t, "the script was tried again", func() bool { return w.status("a").Err == nil })
	if got := w.client().mustCall("com.example.f", "[]"); got != "[1]" {
		t.Error(got)
	}
}

func TestAnEditThatLosesARequiredURI(t *testing.T) {
	w := newWorld(t, map[string]string{"authenticate.lua": seedAuthenticator}, func(o *Options) { o.RequiredURIs = []string{authenticate} })
	w.write("authenticate.lua", `router.join { realm = "realm1", authrole = "authenticator" }`)
	if err := w.reload(); err == nil || !strings.Contains(err.Error(), "does not register com.example.authenticate any more") {
		t.Errorf("%v", err)
	}
	if _, err := w.login("joe", "secret!!!"); err != nil {
		t.Error(err)
	}
	// Another script may take it over in the same save.
	w.write("a.lua", seedAuthenticator)
	if err := w.reload(); err != nil {
		t.Error(err)
	}
	if _, err := w.login("joe", "secret!!!"); err != nil {
		t.Error(err)
	}
}

func TestAChangeOfRole(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": answering(1)})
	old := w.status("a").Session
	w.write("a.lua", `router.join { realm = "realm1", authrole = "frontend" } router.register("com.example.f", function() return 2 end)`)
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if s := w.status("a"); s.Session == old || s.Authrole != "frontend" {
		t.Errorf("%+v", s)
	}
	if got := w.client().mustCall("com.example.f", "[]"); got != "[2]" {
		t.Error(got)
	}
	if n := w.node.Stats().Sessions; n != 2 { // a's and the client's
		t.Errorf("%d sessions", n)
	}
}

func TestCallsInFlightFinishOnTheirGeneration(t *testing.T) {
	text := func(n int) string {
		return backend(fmt.Sprintf(`
router.register("com.example.f", function()
  kv.set("waiting", true)
  while not kv.get("go") do router.call("com.example.nop") end
  return %d
end)`, n))
	}
	w := newWorld(t, map[string]string{"a.lua": text(1), "b.lua": backend(`
router.register("com.example.nop", function() return kv.get("waiting") end)
router.register("com.example.go", function() kv.set("go", true) end)`)})
	c := w.client()
	results := make(chan string, 1)
	go func() { r, err := c.call("com.example.f", "[]"); results <- fmt.Sprint(r, err) }()
	eventually(t, "the call waits", func() bool { return c.mustCall("com.example.nop", "[]") == "[true]" })
	w.write("a.lua", text(2))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	c.mustCall("com.example.go", "[]") // kv survives
	if got := <-results; got != "[1]<nil>" {
		t.Errorf("the call in flight: %s", got)
	}
	if got := c.mustCall("com.example.f", "[]"); got != "[2]" {
		t.Error(got)
	}
}

func TestOnReadyRunsOncePerGeneration(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.on_ready(function() kv.incr("ready") print("ready!") end)
router.on_ready(function() error("second") end)
router.register("com.example.f", function() return kv.get("ready") end)`)})
	c := w.client()
	eventually(t, "on_ready ran", func() bool { return c.mustCall("com.example.f", "[]") == "[1]" })
	eventually(t, "its failure is in the log", func() bool { return len(w.log.lines("a.lua:4: second", "generation=1")) == 1 })
	w.write("a.lua", backend(`router.on_ready(function() kv.incr("ready") end)
router.register("com.example.f", function() return kv.get("ready") end)`))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "on_ready ran again", func() bool { return c.mustCall("com.example.f", "[]") == "[2]" })
}

func TestADeletedFileLeavesForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"a.lua": answering(1), "b.lua": backend(``)})
	c := w.client()
	if err := os.Remove(w.dir + "/a.lua"); err != nil {
		t.Fatal(err)
	}
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if got := c.mustCall("com.example.f", "[]"); got != "[1]" { // it may come back
		t.Error(got)
	}
	eventually(t, "the component left", func() bool { return len(w.host.Status()) == 1 })
	if _, err := c.call("com.example.f", "[]"); errorURI(err) != wamp.ErrNoSuchProcedure {
		t.Error(err)
	}
	if len(w.log.lines("script removed", "script=a.lua", "generation=1")) != 1 {
		t.Errorf("the log:\n%s", w.log)
	}
	w.write("a.lua", answering(2))
	eventually(t, "the component came back", func() bool { r, _ := c.call("com.example.f", "[]"); return r == "[2]" })
}

// TestReloadsUnderLogins saves 200 versions, every fifth of them broken, while
// logins and calls go on without a pause: none fails, and none is answered by a
// generation that is older than the one it could have begun with.
func TestReloadsUnderLogins(t *testing.T) {
	reloads := 200
	if testing.Short() {
		reloads = 20
	}
	authenticator := func(n int) string { return fmt.Sprintf("-- version %d\n", n) + seedAuthenticator }
	w := newWorld(t, map[string]string{"authenticate.lua": authenticator(0), "backend.lua": answering(0)})
	var stop atomic.Bool
	var logins, calls atomic.Int64
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			for !stop.Load() {
				if p, err := w.login("joe", "secret!!!"); err != nil || p.Role != "frontend" {
					t.Errorf("a login failed: %+v, %v", p, err)
					return
				}
				logins.Add(1)
			}
		})
	}
	running.Go(func() {
		c := w.client()
		last := 0
		for !stop.Load() {
			result, err := c.call("com.example.f", "[]")
			var n int
			if _, scan := fmt.Sscanf(result, "[%d]", &n); err != nil || scan != nil || n < last {
				t.Errorf("a call gave %s after %d, %v", result, last, err)
				return
			}
			last = n
			calls.Add(1)
		}
	})
	defer running.Wait()
	defer stop.Store(true)
	eventually(t, "there are logins and calls", func() bool { return logins.Load() > 0 && calls.Load() > 0 || t.Failed() })
	for i := 1; i <= reloads; i++ {
		broken := i%5 == 0
		if broken {
			w.write("authenticate.lua", "local broken = = 1")
		} else {
			w.write("authenticate.lua", authenticator(i))
		}
		w.write("backend.lua", answering(i))
		if err := w.reload(); (err != nil) != broken {
			t.Errorf("version %d: %v", i, err)
		}
		if t.Failed() {
			break
		}
	}
	t.Logf("%d logins and %d calls during %d reloads", logins.Load(), calls.Load(), reloads)
}

func TestEventsGoToExactlyOneGeneration(t *testing.T) {
	text := func(n int) string {
		return fmt.Sprintf("-- version %d\n", n) + backend(`router.subscribe("com.example.in", function() kv.incr("seen") end)`)
	}
	w := newWorld(t, map[string]string{"a.lua": text(0), "b.lua": backend(`router.register("com.example.seen", function() return kv.get("seen") end)`)})
	c := w.client()
	const events = 1000
	done := make(chan error, 1)
	go func() {
		for range events {
			if _, err := c.local.Publish("com.example.in", wamp.PublishOptions{}, wamp.Payload{}); err != nil {
				done <- err
				return
			}
			time.Sleep(20 * time.Microsecond)
		}
		done <- nil
	}()
	for i := 1; i < 20; i++ {
		w.write("a.lua", text(i))
		if err := w.reload(); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	eventually(t, "all events were handled", func() bool { return c.mustCall("com.example.seen", "[]") == fmt.Sprintf("[%d]", events) })
	time.Sleep(10 * time.Millisecond) // none more
	if got := c.mustCall("com.example.seen", "[]"); got != fmt.Sprintf("[%d]", events) {
		t.Error(got)
	}
}
