package scripting

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting/lua51"
)

// TestScriptsOverALimitAreStopped runs each script beside one that behaves: it is
// stopped, its caller is answered, and the other goes on.
func TestScriptsOverALimitAreStopped(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"loop", `while true do end`, "instruction limit"},
		{"loop in pcall", `while true do pcall(function() while true do end end) end`, "instruction limit"},
		{"loop in a handler of xpcall", `xpcall(error, function() while true do end end)`, "instruction limit"},
		{"string bomb", `local s = "x" while true do s = s .. s end`, "memory limit"},
		{"kept strings", `local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(2^20 - i) end`, "memory limit"},
		{"rep", `return ("x"):rep(2^30)`, "length overflow"},
		{"tables", `local t = {} while true do t = {t, {}, {}, {}} end`, "limit"},
		{"huge index", `local t = {} t[67108863] = 1 t[1e15] = 1 return #t`, ""},
		{"pattern", `return (("a"):rep(30)):find(("a?"):rep(30) .. ("a"):rep(30))`, "pattern too complex"},
		{"quadratic pattern", `return (("a"):rep(1e5)):find(".-.-.-.-b")`, "pattern too complex"},
		{"recursion", `local function f() return 1 + f() end return f()`, "stack overflow"},
		{"tail calls and varargs", `local function f(...) return f(1, 2, 3, ...) end return f()`, ""},
		{"sort without order", `local t = {} for i = 1, 1e5 do t[i] = i end table.sort(t, function() return true end)`, ""},
		{"unpack", `return unpack({}, 1, 1e8)`, "too many results"},
		{"nested tables in a result", `local t = {} for i = 1, 1000 do t = {t} end return t`, "nested more than"},
		{"a result that is too large", `local t = {} for i = 1, 200 do t[i] = ("x"):rep(2^20) end return t`, "memory limit"},
		{"a Go panic", `return panic_in_go()`, "bad.lua:2: panic in the interpreter: in Go"},
		{"a Go panic in pcall", `pcall(panic_in_go) return "frontend"`, "broken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, map[string]string{
				"good.lua": backend(`router.register("com.example.good", function() return "good" end)`),
				"bad.lua":  backend(`router.register("com.example.bad", function() ` + test.body + ` end)`),
			}, func(o *Options) {
				o.Limits.Call = lua51.Limits{Instructions: 2_000_000, Bytes: 16 << 20, PatternSteps: 100_000}
			})
			g := w.host.components["bad"].current.Load()
			v, err := g.pool.acquire(t.Context(), time.Second, false)
			if err != nil {
				t.Fatal(err)
			}
			v.global("panic_in_go", v.L.NewFunction(func(*lua.LState) int { panic("in Go") }))
			g.pool.release(v)
			c := w.client()
			result, err := c.call("com.example.bad", "[]")
			if strings.Contains(result, "frontend") {
				t.Errorf("answered %s", result)
			}
			if test.want != "" && (errorURI(err) != wamp.ErrRuntime || len(w.log.lines(test.want, "bad.lua", "generation=1")) == 0) {
				t.Errorf("answered %s, %v; the log:\n%s", result, err, w.log)
			}
			if got := c.mustCall("com.example.good", "[]"); got != `["good"]` {
				t.Error(got)
			}
			if _, err := c.call("com.example.bad", "[]"); err != nil && errorURI(err) != wamp.ErrRuntime {
				t.Errorf("on a fresh VM: %v", err)
			}
		})
	}
}

// global sets a global of a VM that is sealed.
func (v *vm) global(name string, value lua.LValue) {
	globals := v.L.Get(lua.GlobalsIndex).(*lua.LTable)
	globals.Metatable.(*lua.LTable).RawGetString("__index").(*lua.LTable).RawSetString(name, value)
}

func TestWallTimeIncludesWaiting(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.register("com.example.waits", function() router.call("com.example.never") end)`)},
		func(o *Options) { o.Limits.Call.Wall = 50 * time.Millisecond })
	c := w.client()
	never, err := w.node.Join(realm.LocalOptions{Realm: "realm1", Authrole: "backend"}, holder{})
	if err != nil {
		t.Fatal(err)
	}
	defer never.Leave()
	if err := never.Bind(realm.Bindings{Registrations: []realm.Binding{{URI: "com.example.never"}}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.call("com.example.waits", "[]"); errorURI(err) != wamp.ErrRuntime {
		t.Error(err)
	}
	if len(w.log.lines("time limit reached", "a.lua:3:")) != 1 {
		t.Errorf("the log:\n%s", w.log)
	}
}

// holder takes calls and never answers.
type holder struct{ nobody }

func (holder) Invoke(*realm.LocalInvocation) bool { return true }

// TestASlowAuthenticatorDoesNotStarveOthers has many logins burn processor time
// in one script while another component is asked: those come through, and each
// login of the slow one has its outcome.
func TestASlowAuthenticatorDoesNotStarveOthers(t *testing.T) {
	logins := 300
	if testing.Short() {
		logins = 30
	}
	w := newWorld(t, map[string]string{
		"slow.lua": `router.join { realm = "realm1", authrole = "authenticator" }
router.authenticator("com.example.authenticate", function()
  local till = os.clock() + 0.1
  while os.clock() < till do end
  return "frontend"
end)`,
		"fast.lua": `router.join { realm = "realm1", authrole = "authenticator" }
router.authenticator("com.example.authenticate2", function() return "frontend" end)`,
	})
	outcomes := make(chan error, logins)
	var begun sync.WaitGroup
	for range logins {
		begun.Add(1)
		go func() {
			begun.Done()
			_, err := w.login("joe", "t")
			outcomes <- err
		}()
	}
	begun.Wait()
	slowest := time.Duration(0)
	for range 20 {
		start := time.Now()
		if _, err := w.loginAs("com.example.authenticate2", &auth.Request{Realm: "realm1", Authid: "jim", Authmethod: "ticket"}); err != nil {
			t.Errorf("the fast authenticator: %v", err)
		}
		slowest = max(slowest, time.Since(start))
	}
	// A bound on waiting, far from what it takes.
	if slowest > time.Second {
		t.Errorf("a login at the other authenticator took %v", slowest)
	}
	accepted, refused := 0, 0
	for range logins {
		err := <-outcomes
		var refusal *auth.Refusal
		switch {
		case err == nil:
			accepted++
		case errors.As(err, &refusal) && refusal.URI == wamp.ErrUnavailable:
			refused++
		default:
			t.Errorf("a slow login: %v", err)
		}
	}
	if accepted == 0 || accepted+refused != logins {
		t.Errorf("%d accepted, %d refused of %d", accepted, refused, logins)
	}
}

func TestTooManyCallsAreRefused(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.register("com.example.f", function() router.call("com.example.never") end)`)},
		func(o *Options) {
			o.Limits.VMs, o.Limits.QueueWait = 2, 20*time.Millisecond
			o.Limits.Call.Wall = 500 * time.Millisecond
		})
	never, err := w.node.Join(realm.LocalOptions{Realm: "realm1", Authrole: "backend"}, holder{})
	if err != nil {
		t.Fatal(err)
	}
	defer never.Leave()
	if err := never.Bind(realm.Bindings{Registrations: []realm.Binding{{URI: "com.example.never"}}}, nil); err != nil {
		t.Fatal(err)
	}
	c := w.client()
	uris := make(chan string, 5)
	for range 5 {
		go func() { _, err := c.call("com.example.f", "[]"); uris <- errorURI(err) }()
	}
	counts := map[string]int{}
	for range 5 {
		counts[<-uris]++
	}
	if counts[wamp.ErrUnavailable] != 3 || counts[wamp.ErrRuntime] != 2 {
		t.Errorf("%v", counts)
	}
}

func TestQueuesAreBoundedInBytes(t *testing.T) {
	q := queue{limit: 3 * workOverhead}
	for i := range 5 {
		ok, _ := q.push(&work{})
		if want := i < 3; ok != want {
			t.Errorf("item %d: %v", i, ok)
		}
	}
	if ok, _ := q.push(&work{payload: wamp.Payload{Args: make([]byte, 3*workOverhead)}}); ok {
		t.Error("a large one went in")
	}
}

func TestVMsAreRetired(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
local calls = 0
router.register("com.example.f", function() calls = calls + 1 return calls end)`)},
		func(o *Options) { o.Limits.CallsPerVM = 4 })
	c := w.client()
	// The top level is a call, too: three are left. Which VM serves the next call is
	// open, for a call is answered before its VM is back in the pool.
	for range 20 {
		switch got := c.mustCall("com.example.f", "[]"); got {
		case "[1]", "[2]", "[3]":
		default:
			t.Fatalf("a VM served call %s, it was to be retired after 3", got)
		}
	}
}

// TestTheWatchdogStopsTheGreediest has one script keep memory that its budget
// allows, beside one that needs none.
func TestTheWatchdogStopsTheGreediest(t *testing.T) {
	w := newWorld(t, map[string]string{
		"greedy.lua": backend(`router.register("com.example.greedy", function()
  local t = {}
  for i = 1, 400 do t[i] = ("x"):rep(2^20 - i) end
  return "done"
end)`),
		"modest.lua": backend(`router.register("com.example.modest", function() return router.call("com.example.wait") end)`),
	}, func(o *Options) {
		o.Limits.HeapGrowth = 48 << 20
		o.Limits.Call.Bytes = 1 << 30
	})
	waiting := make(chan *realm.LocalInvocation, 1)
	other, err := w.node.Join(realm.LocalOptions{Realm: "realm1", Authrole: "backend"}, keeper{calls: waiting})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Leave()
	if err := other.Bind(realm.Bindings{Registrations: []realm.Binding{{URI: "com.example.wait"}}}, nil); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	c := w.client()
	modest := make(chan string, 1)
	go func() { result, err := c.call("com.example.modest", "[]"); modest <- fmt.Sprint(result, err) }()
	if _, err := c.call("com.example.greedy", "[]"); errorURI(err) != wamp.ErrRuntime {
		t.Errorf("the greedy one: %v", err)
	}
	if len(w.log.lines("the heap grew", "greedy.lua")) == 0 {
		t.Errorf("the log:\n%s", w.log)
	}
	(<-waiting).Yield(wamp.Payload{Format: wamp.JSON, Args: []byte(`["done"]`)})
	if got := <-modest; got != `["done"]<nil>` {
		t.Errorf("the modest one: %s", got)
	}
}

// keeper hands calls to a test.
type keeper struct {
	nobody
	calls chan *realm.LocalInvocation
}

func (k keeper) Invoke(i *realm.LocalInvocation) bool {
	k.calls <- i
	return true
}
