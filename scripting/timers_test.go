package scripting

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	wampclient "usher/router/client"
	"usher/router/wamp"
)

const backendJoin = `router.join { realm = "realm1", authrole = "backend" }
`

func TestTimersRun(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backendJoin + `
router.every(0.01, function() kv.incr("beats") end)
router.after(0, function() kv.incr("once") end)
router.after(0.02, function() error("as meant") end)
router.register("com.example.get", function(args) return kv.get(args[1]) or 0 end)`})
	c := w.client()
	eventually(t, "five beats", func() bool {
		var n int
		fmt.Sscanf(c.mustCall("com.example.get", `["beats"]`), "[%d]", &n)
		return n >= 5
	})
	eventually(t, "an error is logged", func() bool { return len(w.log.lines("timer failed", "a.lua:5: as meant", "timer at a.lua:5")) == 1 })
	if got := c.mustCall("com.example.get", `["once"]`); got != "[1]" {
		t.Errorf("after ran %s times", got)
	}
}

// A timer that repeats keeps its beat when the script is saved; what is gone from
// the script, or what was to run once, does not run from the old one.
func TestTimersSurviveReloads(t *testing.T) {
	script := func(n int, interval float64) string {
		return fmt.Sprintf("-- %d\n%srouter.every(3600, function() end) router.every(%v, function() end) router.after(3600, function() end)", n, backendJoin, interval)
	}
	w := newWorld(t, map[string]string{"a.lua": script(1, 3600)})
	timers := func() []*timer { return w.host.components["a"].current.Load().timers }
	old := timers()
	old[1].due = old[1].due.Add(-time.Minute) // another beat than the first one's
	w.write("a.lua", script(2, 3600))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	now := timers()
	for i, kept := range []bool{true, true, false} {
		if old[i].clock != nil || now[i].clock == nil {
			t.Errorf("timer %d: the old one runs %t, the new one %t", i, old[i].clock != nil, now[i].clock != nil)
		}
		if now[i].due.Equal(old[i].due) != kept {
			t.Errorf("timer %d: due at %v, was %v", i, now[i].due, old[i].due)
		}
	}
	old = now
	w.write("a.lua", script(3, 1800))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if now = timers(); !now[0].due.Equal(old[0].due) || now[1].due.Equal(old[1].due) {
		t.Error("an interval that changed kept its beat, or the other one did not")
	}
	w.host.Close(t.Context())
	for i, timer := range now {
		if timer.clock != nil {
			t.Errorf("timer %d runs after Close", i)
		}
	}
}

// A beat for which there was no VM before a reload is one of the new generation's
// timer; what was to run once is the new generation's own affair.
func TestABeatOutlivesAReload(t *testing.T) {
	script := func(n int) string {
		return fmt.Sprintf(`%s
router.every(3600, function() kv.set("beat", %d) end)
router.every(60, function() kv.set("other", true) end)
router.after(3600, function() kv.set("other", true) end)
router.register("com.example.get", function() return kv.get("beat"), kv.get("other") end)`, backendJoin, n)
	}
	w := newWorld(t, map[string]string{"a.lua": script(1)})
	c := w.host.components["a"]
	old := c.current.Load().timers
	w.write("a.lua", strings.Replace(script(2), "every(60", "every(61", 1))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	for _, timer := range []*timer{old[1], old[2], old[0]} {
		if !c.enqueue(&c.calls, &work{timer: timer, arrived: time.Now()}, c.serveCalls) {
			t.Fatal("the queue is full")
		}
	}
	if err := w.host.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.client().mustCall("com.example.get", ""); got != "[2,null]" {
		t.Errorf("got %s", got)
	}
}

// A beat is left out while the function of the one before still runs.
func TestBeatsDoNotPileUp(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backendJoin + `
router.every(3600, function() kv.incr("begun") while not kv.get("go") do end end)
router.register("com.example.begun", function() return kv.get("begun") or 0 end)
router.register("com.example.go", function() kv.set("go", true) end)`},
		func(o *Options) { o.Limits.Call.Wall, o.Limits.Call.Instructions = time.Minute, 1<<40 })
	c := w.client()
	timer := w.host.components["a"].current.Load().timers[0]
	timer.fire()
	eventually(t, "the first began", func() bool { return c.mustCall("com.example.begun", "") == "[1]" })
	timer.fire()
	c.mustCall("com.example.go", "")
	if err := w.host.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.mustCall("com.example.begun", ""); got != "[1]" || len(w.log.lines("beat of a timer left out: its function still runs")) != 1 {
		t.Errorf("%s began; the log:\n%s", got, w.log)
	}
	timer.fire()
	if err := w.host.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.mustCall("com.example.begun", ""); got != "[2]" {
		t.Errorf("%s began once the first had ended", got)
	}
}

// Beats for which the machine was not awake are not made up for.
func TestBeatsOfASleepingMachineAreLeftOut(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backendJoin + `router.every(3600, function() end)`})
	timer := w.host.components["a"].current.Load().timers[0]
	now := time.Now()
	for _, test := range []struct{ due, next time.Duration }{{0, time.Hour}, {-time.Minute, 59 * time.Minute}, {-100 * time.Hour, time.Hour}} {
		timer.mu.Lock()
		timer.due = now.Add(test.due)
		timer.mu.Unlock()
		timer.fire()
		timer.mu.Lock()
		if next := timer.due.Sub(now); next < test.next || next > test.next+time.Minute {
			t.Errorf("after a beat that was due in %v the next one is in %v", test.due, next)
		}
		timer.mu.Unlock()
	}
}

func TestCallsThatArePutOff(t *testing.T) {
	script := func(n int) string {
		return fmt.Sprintf(`%s
router.register("com.example.plan", function(args) router.after(args[1], "com.example.run", {args[2]}, {generation = %d}) end)
router.register("com.example.run", function(args, kwargs) kv.set("ran", args[1] .. " " .. kwargs.generation .. " %d") end)
router.register("com.example.get", function() return kv.get("ran") or "" end)`, backendJoin, n, n)
	}
	w := newWorld(t, map[string]string{"a.lua": script(1)})
	c := w.client()
	c.mustCall("com.example.plan", `[0, "x"]`)
	eventually(t, "the call was made", func() bool { return c.mustCall("com.example.get", "") == `["x 1 1"]` })

	// One that was put off before a reload is made after it.
	c.mustCall("com.example.plan", `[0.3, "y"]`)
	w.write("a.lua", script(2))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the call was made", func() bool { return c.mustCall("com.example.get", "") == `["y 1 2"]` })

	// They are bounded, and go with their component.
	c.mustCall("com.example.plan", `[3600, "z"]`)
	d := &w.host.components["a"].delayed
	eventually(t, "the last one waits alone", func() bool { return d.count() == 1 })
	if d.memory == 0 {
		t.Error("it takes no memory")
	}
	if err := w.host.components["a"].later(time.Hour, "com.example.run", wamp.Payload{Args: make([]byte, maxDelayedBytes)}); err != errDelayedFull {
		t.Error(err)
	}
	for n := d.count(); n < maxDelayed; n++ {
		if err := w.host.components["a"].later(time.Hour, "com.example.run", wamp.Payload{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.host.components["a"].later(time.Hour, "com.example.run", wamp.Payload{}); err != errDelayedFull {
		t.Error(err)
	}
	w.host.Close(t.Context())
	if len(d.calls) != 0 || !d.ended {
		t.Errorf("%d calls are left", len(d.calls))
	}
}

// count is how many calls are put off, or not answered yet.
func (d *delayed) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.calls)
}

func TestCallsThatArePutOffEndWithTheirScript(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backendJoin})
	c := w.host.components["a"]
	if err := c.later(time.Hour, "com.example.run", wamp.Payload{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.dir + "/a.lua"); err != nil {
		t.Fatal(err)
	}
	prepared, err := w.host.Prepare(testPolicy(), *w.host.options)
	if err != nil {
		t.Fatal(err)
	}
	prepared.Commit()
	if n := c.delayed.count(); n != 0 || c.later(0, "com.example.run", wamp.Payload{}) == nil {
		t.Errorf("%d calls are left, and more can be put off", n)
	}
}

// Those that wait for their answer count, too: a procedure that never answers does
// not let them pile up.
func TestCallsThatArePutOffCountUntilTheirAnswer(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backendJoin + `
router.register("com.example.plan", function() router.after(0, "com.example.wait") end)
router.register("com.example.wait", function() kv.set("waits", true) while not kv.get("go") do end end)
router.register("com.example.waits", function() return kv.get("waits") or false end)
router.register("com.example.go", function() kv.set("go", true) end)`},
		func(o *Options) { o.Limits.Call.Wall, o.Limits.Call.Instructions = time.Minute, 1<<40 })
	c := w.client()
	c.mustCall("com.example.plan", "")
	eventually(t, "it was called", func() bool { return c.mustCall("com.example.waits", "") == "[true]" })
	d := &w.host.components["a"].delayed
	if n := d.count(); n != 1 {
		t.Errorf("%d calls count", n)
	}
	c.mustCall("com.example.go", "")
	eventually(t, "it was answered", func() bool { return d.count() == 0 && d.memory == 0 })
}

func TestMistakesWithTimers(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{`router.every(0, print)`, "the time must be from 0.01 to"},
		{`router.every(0/0, print)`, "the time must be from"},
		{`router.every("1", print)`, "number of seconds expected"},
		{`router.every(1)`, "function expected"},
		{`router.after(-1, print)`, "the time must be from 0 to"},
		{`router.after(1, "com.example.x")`, "at the top level of a script"},
		{`router.after(1, "com..x")`, "this is not a URI"},
		{`for i = 1, 101 do router.every(1, print) end`, "there are 100 timers already"},
	} {
		w := newWorld(t, map[string]string{"a.lua": backendJoin + test.line})
		if err := w.status("a").Err; err == nil || !strings.Contains(err.Error(), "a.lua:2: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.line, err)
		}
	}
	w := newWorld(t, map[string]string{"a.lua": backendJoin + `
router.register("com.example.every", function() router.every(1, print) end)
router.register("com.example.after", function() router.after(1, print) end)`})
	c := w.client()
	for _, uri := range []string{"com.example.every", "com.example.after"} {
		if _, err := c.call(uri, ""); err == nil || len(w.log.lines("works at the top level only")) == 0 {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestSessionsInLuaTerms(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backendJoin + `
router.register("com.example.list", function(args)
  local names, all, more = {}, router.sessions(args[1] ~= null and args[1] or nil)
  for i, s in ipairs(all) do names[i] = s.authid .. "/" .. s.authrole end
  table.sort(names)
  return table.concat(names, " "), more
end)
router.register("com.example.get", function(args) local s = router.session(args[1]) return s and s.authid or "none" end)
router.register("com.example.kill", function(args) return router.kill(args[1], args[2], args[3]) end)`})
	c := w.client()
	for _, test := range []struct{ uri, args, want string }{
		{"com.example.list", `[null]`, `["a/backend client/frontend",false]`},
		{"com.example.list", `[{"authrole": "frontend"}]`, `["client/frontend",false]`},
		{"com.example.list", `[{"authrole": ["backend", "other"]}]`, `["a/backend",false]`},
		{"com.example.list", `[{"limit": 1, "authrole": ["backend", "frontend"]}]`, `true]`},
		{"com.example.get", fmt.Sprintf("[%d]", c.local.Session()), `["client"]`},
		{"com.example.get", `[1]`, `["none"]`},
		{"com.example.kill", `[1]`, `[false]`},
		{"com.example.kill", `[{"authid": "nobody"}]`, `[0]`},
		{"com.example.kill", `[{"authrole": "nobody"}, "com.example.banned", "go away"]`, `[0]`},
	} {
		if got := c.mustCall(test.uri, test.args); !strings.HasSuffix(got, test.want) {
			t.Errorf("%s%s: %s, want %s", test.uri, test.args, got, test.want)
		}
	}
	for _, test := range []struct{ args, want string }{
		{`["x"]`, "number expected"}, {`[{}]`, "give a session"}, {`[{"authid": "a", "authrole": "b"}]`, "give a session"}, {`[1, "no uri"]`, "the reason must be a URI"}, {`[{"name": "a"}]`, "unknown option"},
	} {
		if _, err := c.call("com.example.kill", test.args); err == nil || len(w.log.lines(test.want)) == 0 {
			t.Errorf("%s: %v\n%s", test.args, err, w.log)
		}
	}
}

// What a script kills is told why, and by whichever name it was meant.
func TestAScriptKillsSessions(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backendJoin + `
router.register("com.example.kill", function(args) return router.kill(args[1], args[2], args[3]) end)`})
	c := w.client()
	for _, test := range []struct{ whom, want string }{
		{"SESSION", "[true]"}, {`{"authid": "AUTHID"}`, "[1]"}, {`{"authrole": "frontend"}`, "[1]"},
	} {
		r := w.remote()
		welcome := r.Welcome()
		whom := strings.NewReplacer("SESSION", fmt.Sprint(welcome.Session), "AUTHID", welcome.Authid).Replace(test.whom)
		var got string
		eventually(t, "the session is found", func() bool { // which WELCOME does not wait for
			got = c.mustCall("com.example.kill", fmt.Sprintf(`[%s, "com.example.banned", "go away"]`, whom))
			return got != "[false]" && got != "[0]"
		})
		if got != test.want {
			t.Errorf("%s: %s, want %s", whom, got, test.want)
		}
		<-r.Done()
		var goodbye *wampclient.GoodbyeError
		if !errors.As(r.Err(), &goodbye) || goodbye.Reason != "com.example.banned" || goodbye.Message != "go away" {
			t.Errorf("%s: it ended with %v", whom, r.Err())
		}
	}
}
