package scripting

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"usher/router/realm"
	"usher/router/wamp"
)

// backend is a component that may do everything, with the given text.
func backend(text string) string {
	return "router.join { realm = \"realm1\", authrole = \"backend\" }\n" + text
}

func TestWhatAProcedureMayReturn(t *testing.T) {
	for _, test := range []struct{ body, want, uri string }{
		{body: `return`, want: `[]`},
		{body: ``, want: `[]`},
		{body: `return nil`, want: `[null]`},
		{body: `return 1, "a", null, nil`, want: `[1,"a",null,null]`},
		{body: `return args`, want: `[[1,"two",null]]`},
		{body: `return args.n, #args, args[3] == null`, want: `[3,3,true]`},
		{body: `return unpack(args)`, want: `[1,"two",null]`},
		{body: `return {}, router.list{}`, want: `[{},[]]`},
		{body: `return router.result({1}, {unit = "ms"})`, want: `[1] {"unit":"ms"}`},
		{body: `return router.result(nil, {unit = "ms"})`, want: `[] {"unit":"ms"}`},
		{body: `return router.result(args)`, want: `[1,"two",null]`},
		{body: `return details.procedure, next(kwargs)`, want: `["com.example.f",null]`},
		{body: `return router.binary("\0\1")`, want: `["\u0000AAE="]`},
		{body: `return 2^53, 0.5, 1e300`, want: `[9007199254740992,0.5,1e+300]`},
		{body: `error(router.error("com.example.bad", {"text"}, {a = 1}))`, uri: "com.example.bad"},
		{body: `error("plain")`, uri: wamp.ErrRuntime},
		{body: `return 0/0`, uri: wamp.ErrRuntime},
		{body: `return {name = "\255"}`, uri: wamp.ErrRuntime},
		{body: `return print`, uri: wamp.ErrRuntime},
		{body: `router.call("com.example.nothing")`, uri: wamp.ErrNoSuchProcedure},
		{body: `router.register("com.example.g", print)`, uri: wamp.ErrRuntime},
		{body: `x = 1`, uri: wamp.ErrRuntime},
	} {
		w := newWorld(t, map[string]string{"f.lua": backend(`router.register("com.example.f", function(args, kwargs, details) ` + test.body + ` end)`)})
		got, err := w.client().call("com.example.f", `[1,"two",null]`)
		if got != test.want || errorURI(err) != test.uri {
			t.Errorf("%s\n\tgives %s, %v; want %s %s", test.body, got, err, test.want, test.uri)
		}
		if err != nil && strings.Contains(err.Error(), "f.lua") {
			t.Errorf("%s\n\ttells the caller %v", test.body, err)
		}
		if test.uri == wamp.ErrRuntime && len(w.log.lines("f.lua:2:", "handler=\"procedure com.example.f\"", "generation=1", "reference=")) != 1 {
			t.Errorf("%s\n\tis logged as\n%s", test.body, w.log)
		}
	}
}

func TestAFailureIsLoggedWithItsTraceback(t *testing.T) {
	w := newWorld(t, map[string]string{"f.lua": backend(`
local function inner(user) return user.name end
router.register("com.example.f", function(args) local x = inner(args[1]) return x end)`)})
	if _, err := w.client().call("com.example.f", "[]"); errorURI(err) != wamp.ErrRuntime {
		t.Fatal(err)
	}
	if len(w.log.lines(`error="f.lua:3: attempt to index local 'user' (a nil value)"`, "traceback=", "f.lua:4")) != 1 {
		t.Errorf("the log:\n%s", w.log)
	}
}

func TestCallsBetweenComponents(t *testing.T) {
	w := newWorld(t, map[string]string{
		"a.lua": backend(`
router.register("com.example.twice", function(args)
  local x, unit = router.call("com.example.double", {args[1]})
  return x, unit
end)
router.register("com.example.caught", function()
  local ok, e = pcall(router.call, "com.example.fail", {1}, {b = 2})
  return ok, e.uri, e.args[1], e.kwargs.b, tostring(e)
end)
router.register("com.example.uncaught", function() router.call("com.example.fail", {1}, {b = 2}) end)
router.register("com.example.ask", function(args)
  return router.call("com.example.who"), router.call("com.example.who", nil, nil, {disclose_me = true})
end)`),
		"b.lua": backend(`
router.register("com.example.who", function(args, kwargs, details) return details.caller_authid or "somebody" end)
router.register("com.example.double", function(args) return args[1] * 2, "ms" end)
router.register("com.example.fail", function(args, kwargs) error(router.error("com.example.bad", {"no"}, kwargs)) end)`),
	})
	c := w.client()
	if got := c.mustCall("com.example.twice", "[21]"); got != `[42,"ms"]` {
		t.Error(got)
	}
	if got := c.mustCall("com.example.caught", "[]"); got != `[false,"com.example.bad","no",2,"com.example.bad: no"]` {
		t.Error(got)
	}
	if got := c.mustCall("com.example.ask", "[]"); got != `["somebody","a"]` {
		t.Error(got)
	}
	if _, err := c.call("com.example.uncaught", "[]"); errorURI(err) != "com.example.bad" {
		t.Error(err)
	}
}

func TestNestedCallsNeverWaitForAVM(t *testing.T) {
	recursive := `
router.register("com.example.down", function(args)
  if args[1] == 0 then return 0 end
  return 1 + router.call("com.example.down", {args[1] - 1})
end)`
	for _, test := range []struct {
		name, join string
		depth      int
		uri        string
	}{
		{"as deep as allowed", `router.join { realm = "realm1", authrole = "backend" }`, 8, ""},
		{"one too deep", `router.join { realm = "realm1", authrole = "backend" }`, 9, wamp.ErrRuntime},
		{"beyond the cap", `router.join { realm = "realm1", authrole = "backend", vms = 2 }`, 8, ""},
		{"a single VM", `router.join { realm = "realm1", authrole = "backend", vms = 1 }`, 1, wamp.ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, map[string]string{"a.lua": test.join + recursive})
			got, err := w.client().call("com.example.down", fmt.Sprintf("[%d]", test.depth))
			if errorURI(err) != test.uri || test.uri == "" && got != fmt.Sprintf("[%d]", test.depth) {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

func TestPublishingAndEvents(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.subscribe("com.example.in", function(args, kwargs, details)
  local id = router.publish("com.example.out", {args[1] * 10, details.topic}, {a = kwargs.a}, {acknowledge = true})
  assert(id > 0)
  assert(not router.publish("com.example.other"))
end)
router.register("com.example.denied_publish", function()
  local ok, e = pcall(router.publish, "com.example.denied", {1}, nil, {acknowledge = true})
  return ok, e.uri
end)`)})
	c := w.client()
	if err := c.local.Bind(realm.Bindings{Subscriptions: []realm.SubscriptionBinding{{URI: "com.example.out"}}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.local.Publish("com.example.in", wamp.PublishOptions{}, wamp.Payload{Format: wamp.JSON, Args: []byte("[4]"), Kwargs: []byte(`{"a":1}`)}); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-c.events:
		if got := c.json(e.Payload); got != `[40,"com.example.in"] {"a":1}` {
			t.Error(got)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("no event:\n%s", w.log)
	}
	if got := c.mustCall("com.example.denied_publish", "[]"); got != `[false,"wamp.error.not_authorized"]` {
		t.Error(got)
	}
}

func TestEventsAreHandledOneAtATimeInOrder(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.subscribe("com.example.in", function(args)
  assert(kv.incr("inside") == 1, "two at a time")
  assert(kv.incr("next") == args[1], "out of order")
  router.call("com.example.pause")
  kv.incr("inside", -1)
end)
router.subscribe("com.example.free", function(args)
  if kv.incr("free") == 1 then
    while kv.get("free") < 2 do router.call("com.example.pause") end
  end
  kv.incr("freed")
end, {concurrent = true})
router.register("com.example.pause", function() end)
router.register("com.example.seen", function() return kv.get("next"), kv.get("freed") end)`)})
	c := w.client()
	for i := 1; i <= 50; i++ {
		p := wamp.Payload{Format: wamp.JSON, Args: fmt.Appendf(nil, "[%d]", i)}
		if _, err := c.local.Publish("com.example.in", wamp.PublishOptions{}, p); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the first waits for the second
		if _, err := c.local.Publish("com.example.free", wamp.PublishOptions{}, wamp.Payload{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all events were handled", func() bool { return c.mustCall("com.example.seen", "[]") == "[50,2]" })
	if lines := w.log.lines("level=ERROR"); len(lines) > 0 {
		t.Error(lines[0])
	}
}

func TestWhatATopLevelMayNotDo(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{``, "a.lua:1: the script does not join a realm"},
		{`router.register("com.example.f", print)`, "a.lua:1: router.register: router.join first"},
		{backend(`router.publish("com.example.t")`), "a.lua:2: router.publish at the top level"},
		{backend(`router.call("com.example.t")`), "a.lua:2: router.call at the top level"},
		{backend(`kv.set("a", 1)`), "a.lua:2: kv writes at the top level"},
		{backend(`kv.incr("a")`), "a.lua:2: kv writes at the top level"},
		{backend(`router.join { realm = "realm1", authrole = "backend" }`), "a.lua:2: router.join: the script has joined already"},
		{`router.join { realm = "realm1", authrole = "nobody" }`, "a.lua:1: router.join: wamp.error.no_such_role"},
		{`router.join { realm = "realm9", authrole = "backend" }`, "a.lua:1: router.join: wamp.error.no_such_realm"},
		{`router.join { realm = "realm1" }`, "a.lua:1: router.join: realm and authrole must be given"},
		{`router.join { realm = "realm1", authrole = "backend", role = "x" }`, `a.lua:1: router.join: unknown field "role"`},
		{`router.join { realm = "realm1", authrole = "backend", vms = 0 }`, "a.lua:1: router.join: vms must be"},
		{backend(`router.register("com.example.f", print, {mach = "prefix"})`), `a.lua:2: router.register: unknown option "mach"`},
		{backend(`router.register("com.example.f", print, {match = "regex"})`), `a.lua:2: router.register: match must be`},
		{backend(`router.register("com.example.f")`), "a.lua:2: bad argument #2 to 'register'"},
		{backend(`router.register("com.example.f", print) router.register("com.example.f", print)`), "is already declared at a.lua:2"},
		{backend(`router.register("com.example.denied", print)`), "a.lua:2: wamp.error.not_authorized"},
		{backend(`router.register("wamp.f", print)`), "a.lua:2: wamp.error"},
		{backend(`router.register("com.example.authenticate", print)`), "a.lua:2: wamp.error.not_authorized"}, // only a prefix rule allows it
		{backend(`local x = = 1`), "a.lua:2: unexpected symbol near '='"},
		{backend(`error("no")`), "a.lua:2: no"},
		{backend(`error({})`), "a.lua:2: error value of type table"},
		{backend(`while true do end`), "instruction limit reached"},
		{backend(`require "nothing.there"`), "a.lua:2: require: there is no module nothing/there.lua"},
		{backend(`require "../etc/passwd"`), "is not a module's name"},
		{backend(`require "b"`), "b.lua is a component of its own"},
		{backend(`require "lib.broken"`), "lib/broken.lua:1: unexpected symbol"},
		{backend(`require "lib.raises"`), "lib/raises.lua:1: no"},
		{backend(`require "lib.one"`), "lib/two.lua:1: require: lib/one.lua requires itself: lib/one.lua -> lib/two.lua -> lib/one.lua"},
		{backend(`dofile("b.lua")`), "a.lua:2:"},
		{backend(`os.execute("true")`), "a.lua:2:"},
		{backend(`io.open("x")`), "a.lua:2:"},
	} {
		w := newWorld(t, map[string]string{
			"a.lua":          test.text,
			"b.lua":          backend(``),
			"lib/broken.lua": `=`,
			"lib/raises.lua": `error("no")`,
			"lib/one.lua":    `require "lib.two"`,
			"lib/two.lua":    `require "lib.one"`,
			"_private.lua":   `=`,
			"a_test.lua":     `=`,
			".hidden.lua":    `=`,
		}, func(o *Options) { o.Limits.Call.Instructions = 100_000 })
		s := w.status("a")
		if s.Err == nil || !strings.Contains(s.Err.Error(), test.want) {
			t.Errorf("%s\n\tfails with %v, want %q", test.text, s.Err, test.want)
		}
		if s.Generation != 0 || w.status("b").Err != nil || len(w.host.Status()) != 2 {
			t.Errorf("%s\n\tstatus %+v", test.text, w.host.Status())
		}
	}
}

func TestADeniedDeclarationCanBeCaught(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
local ok, e = pcall(router.subscribe, "com.example.denied", print)
router.register("com.example.f", function() return ok, e.uri end)`)})
	c := w.client()
	for range 2 * w.host.options.Limits.Computing { // on the leader and on others
		if got := c.mustCall("com.example.f", "[]"); got != `[false,"wamp.error.not_authorized"]` {
			t.Error(got)
		}
	}
	if s := w.status("a"); len(s.Denied) != 1 || s.Denied[0] != "com.example.denied" || len(s.Subscriptions) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestModulesAreSharedText(t *testing.T) {
	w := newWorld(t, map[string]string{
		"a.lua":              backend(`local m = require "lib.sub.m"; assert(m == require "lib/sub/m"); router.register("com.example.a", function() return m.answer, (require "_top") end)`),
		"b.lua":              backend(`local m = require "lib.sub.m"; m.answer = 7; string.upper = nil; router.register("com.example.b", function() return m.answer end)`),
		"lib/sub/m.lua":      `return {answer = 42}`,
		"lib/sub/m_test.lua": `=`,
		"_top.lua":           `return "top"`,
	})
	c := w.client()
	if a, b := c.mustCall("com.example.a", "[]"), c.mustCall("com.example.b", "[]"); a != `[42,"top"]` || b != "[7]" {
		t.Errorf("%s, %s", a, b)
	}
}

func TestScriptsDoNotSeeEachOther(t *testing.T) {
	w := newWorld(t, map[string]string{
		"a.lua": backend(`shared = 1; string.upper = function() return "a's" end; table.insert = nil
getmetatable = nil; router.call = nil; pcall(function() getmetatable("").__index.lower = nil end)`),
		"b.lua": backend(`router.register("com.example.b", function()
  return tostring(shared), ("x"):upper(), type(table.insert), type(getmetatable), type(router.call), ("X"):lower()
end)`),
	})
	if got := w.client().mustCall("com.example.b", "[]"); got != `["nil","X","function","function","function","x"]` {
		t.Error(got)
	}
}

func TestGlobalsAfterTheTopLevel(t *testing.T) {
	text := `
counter = 0
local up = 0
router.register("com.example.write", function() counter = counter + 1 return counter end)
router.register("com.example.new", function() fresh = 1 end)
router.register("com.example.raw", function() rawset(_G, "counter", 7) end)
router.register("com.example.g", function() _G.fresh = 1 end)
router.register("com.example.meta", function() setmetatable(_G, nil) end)
router.register("com.example.read", function() return counter, _G.counter, type(print), fresh end)`
	w := newWorld(t, map[string]string{"a.lua": backend(text)})
	c := w.client()
	for _, name := range []string{"write", "new", "raw", "g", "meta"} {
		if _, err := c.call("com.example."+name, "[]"); errorURI(err) != wamp.ErrRuntime {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(w.log.lines("globals are per VM: use kv")); n != 4 {
		t.Errorf("%d errors explain themselves:\n%s", n, w.log)
	}
	if got := c.mustCall("com.example.read", "[]"); got != `[0,0,"function",null]` {
		t.Error(got)
	}

	w = newWorld(t, map[string]string{"a.lua": `router.join { realm = "realm1", authrole = "backend", vms = 1 }` + text})
	c = w.client()
	for i := 1; i <= 3; i++ {
		if got := c.mustCall("com.example.write", "[]"); got != fmt.Sprintf("[%d]", i) {
			t.Error(got)
		}
	}
}

func TestLaterVMsMustDoTheSame(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
if not kv.get("leader") then
  router.register("com.example.f", function() end)
else
  router.register("com.example.g", function() end)
end
router.on_ready(function() kv.set("leader", true) end)
router.register("com.example.slow", function() while not kv.get("go") do router.call("com.example.pause") end end)`),
		"b.lua": backend(`router.register("com.example.pause", function() end)
router.register("com.example.ready", function() return kv.get("leader") end)
router.register("com.example.go", function() kv.set("go", true) end)`)})
	c := w.client()
	eventually(t, "on_ready ran", func() bool { return c.mustCall("com.example.ready", "[]") == "[true]" })
	done := make(chan error, 1)
	go func() { // keeps the leader busy, once that is done with on_ready
		_, err := c.call("com.example.slow", "[]")
		for errorURI(err) == wamp.ErrRuntime {
			_, err = c.call("com.example.slow", "[]")
		}
		done <- err
	}()
	eventually(t, "another VM was needed", func() bool { _, err := c.call("com.example.f", "[]"); return errorURI(err) == wamp.ErrRuntime })
	if len(w.log.lines("com.example.g", "the top level must do the same in each VM")) == 0 {
		t.Errorf("the log:\n%s", w.log)
	}
	c.mustCall("com.example.go", "[]")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestComponentsSectionWins(t *testing.T) {
	section := func(o *Options) {
		o.ForbidJoin = true
		o.Components = map[string]Role{"a": {"realm1", "backend"}, "b": {"realm1", "backend"}, "c": {"realm1", "frontend"}}
	}
	w := newWorld(t, map[string]string{
		"a.lua": `router.register("com.example.a", function() end)`,
		"b.lua": backend(`router.register("com.example.b", function() end)`),
		"c.lua": backend(``),
		"d.lua": backend(``),
	}, section)
	for name, want := range map[string]string{"a": "", "b": "",
		"c": "c.lua:1: router.join: the script joins as role \"backend\"",
		"d": "d.lua:1: router.join: the configuration forbids it"} {
		s := w.status(name)
		if want == "" && (s.Err != nil || s.Authrole != "backend") || want != "" && (s.Err == nil || !strings.HasPrefix(s.Err.Error(), want)) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestEnvironmentVariablesAreListed(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`router.register("com.example.f", function() return os.getenv("SHOWN"), os.getenv("HIDDEN") end)`)},
		func(o *Options) {
			o.Env = []string{"SHOWN"}
			o.LookupEnv = func(name string) (string, bool) { return "value of " + name, true }
		})
	if got := w.client().mustCall("com.example.f", "[]"); got != `["value of SHOWN",null]` {
		t.Error(got)
	}
}

func TestEmbeddedScripts(t *testing.T) {
	w := newWorld(t, nil, func(o *Options) {
		o.Dir, o.FS = "", fstest.MapFS{
			"a.lua":     {Data: []byte(backend(`router.register("com.example.f", function() return require "lib.m" end)`))},
			"lib/m.lua": {Data: []byte(`return 42`)},
		}
	})
	if got := w.client().mustCall("com.example.f", "[]"); got != "[42]" {
		t.Error(got)
	}
}
