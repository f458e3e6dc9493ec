package scripting

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"usher/router/wamp"
)

func TestOptionsAreChecked(t *testing.T) {
	register := func(options string) string { return `router.register("com.example.f", print, ` + options + `)` }
	subscribe := func(options string) string { return `router.subscribe("com.example.t", print, ` + options + `)` }
	for _, test := range []struct{ text, want string }{
		{register(`{mach = "prefix"}`), `a.lua:2: router.register: unknown option "mach": there are match, invoke, concurrency, disclose_caller, force_reregister and forward_timeout`},
		{register(`{match = "regex"}`), `a.lua:2: router.register: match must be "exact", "prefix" or "wildcard", not "regex"`},
		{register(`{match = 1}`), `a.lua:2: router.register: match must be a string, not a number`},
		{register(`{invoke = "all"}`), `a.lua:2: router.register: invoke must be "single", "first", "last", "roundrobin" or "random", not "all"`},
		{register(`{concurrency = -1}`), `a.lua:2: router.register: concurrency must be a whole number from 0 to 2147483647, not -1`},
		{register(`{concurrency = 1.5}`), `a.lua:2: router.register: concurrency must be a whole number from 0 to 2147483647, not 1.5`},
		{register(`{concurrency = "1"}`), `a.lua:2: router.register: concurrency must be a whole number, not a string`},
		{register(`{disclose_caller = 1}`), `a.lua:2: router.register: disclose_caller must be true or false, not a number`},
		{register(`{get_retained = true}`), `a.lua:2: router.register: unknown option "get_retained"`},
		{register(`{"prefix"}`), `a.lua:2: router.register: options have names: write {match = …}`},
		{register(`"prefix"`), `a.lua:2: bad argument #3 to 'register' (table expected, got string)`},
		{subscribe(`{get_retained = "yes"}`), `a.lua:2: router.subscribe: get_retained must be true or false, not a string`},
		{subscribe(`{invoke = "first"}`), `a.lua:2: router.subscribe: unknown option "invoke": there are match, get_retained and concurrent`},
		{`router.authenticator("com.example.authenticate", print, {match = "prefix"})`, `a.lua:2: router.authenticator has no options`},
	} {
		w := newWorld(t, map[string]string{"a.lua": backend(test.text)})
		if s := w.status("a"); s.Err == nil || !strings.Contains(s.Err.Error(), test.want) {
			t.Errorf("%s\n\tfails with %v\n\twant %s", test.text, s.Err, test.want)
		}
	}
	for _, text := range []string{
		register(`{match = "prefix", invoke = "roundrobin", concurrency = 3, disclose_caller = true, forward_timeout = true, force_reregister = false}`),
		subscribe(`{match = "wildcard", get_retained = true, concurrent = true}`),
		register(`{}`), register(`nil`),
	} {
		if s := newWorld(t, map[string]string{"a.lua": backend(text)}).status("a"); s.Err != nil {
			t.Errorf("%s\n\tfails with %v", text, s.Err)
		}
	}
}

func TestOptionsOfCallsAreChecked(t *testing.T) {
	const publish, call = `router.publish("com.example.t", nil, nil, %s)`, `router.call("com.example.g", nil, nil, %s)`
	for _, test := range []struct{ format, options, want string }{
		{publish, `{exclude = 5}`, `router.publish: exclude must be a list, not a number`},
		{publish, `{exclude = {1, "a"}}`, `router.publish: each of exclude must be a whole number, not a string`},
		{publish, `{exclude = {1, nil, 3}}`, `router.publish: exclude must be a list, without names and gaps`},
		{publish, `{eligible = {a = 1}}`, `router.publish: eligible must be a list, without names and gaps`},
		{publish, `{eligible_authid = {7}}`, `router.publish: each of eligible_authid must be a string, not a number`},
		{publish, `{retain = 1}`, `router.publish: retain must be true or false, not a number`},
		{publish, `{acknowlege = true}`, `router.publish: unknown option "acknowlege": there are acknowledge, retain, exclude_me, disclose_me, exclude,`},
		{call, `{timeout = 1.5}`, `router.call: timeout must be a whole number from 0 to 2147483647, not 1.5`},
		{call, `{timeout = "5s"}`, `router.call: timeout must be a whole number, not a string`},
		{call, `{disclose = true}`, `router.call: unknown option "disclose": there are timeout`},
	} {
		text := fmt.Sprintf(test.format, test.options)
		w := newWorld(t, map[string]string{"a.lua": backend("router.register(\"com.example.f\", function()\n" + text + "\nend)\nrouter.register(\"com.example.g\", function() end)")})
		if _, err := w.client().call("com.example.f", "[]"); errorURI(err) != wamp.ErrRuntime {
			t.Errorf("%s\n\t%v", text, err)
		}
		want := "a.lua:3: " + strings.ReplaceAll(test.want, `"`, `\"`)
		if len(w.log.lines(want)) != 1 {
			t.Errorf("%s\n\tis not logged as %s but\n%s", text, want, w.log)
		}
	}
}

// Each option reaches the router as what it is.
func TestOptionsReachTheRouter(t *testing.T) {
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer L.Close()
	table := func(text string) *lua.LTable {
		if err := L.DoString("return {" + text + "}"); err != nil {
			t.Fatal(err)
		}
		defer L.Pop(1)
		return L.CheckTable(-1)
	}
	for text, want := range map[string]wamp.PublishOptions{
		``:                                  {},
		`acknowledge = true`:                {Acknowledge: true},
		`retain = true`:                     {Retain: true},
		`exclude_me = false`:                {ExcludeMe: wamp.False},
		`disclose_me = true`:                {DiscloseMe: wamp.True},
		`exclude = {1, 2}`:                  {Audience: &wamp.Audience{Exclude: []wamp.ID{1, 2}}},
		`exclude_authid = {"a"}`:            {Audience: &wamp.Audience{ExcludeAuthid: []string{"a"}}},
		`exclude_authrole = {"a"}`:          {Audience: &wamp.Audience{ExcludeAuthrole: []string{"a"}}},
		`eligible = {}`:                     {Audience: &wamp.Audience{Eligible: []wamp.ID{}}},
		`eligible_authid = {"a"}`:           {Audience: &wamp.Audience{EligibleAuthid: []string{"a"}}},
		`eligible_authrole = {}`:            {Audience: &wamp.Audience{EligibleAuthrole: []string{}}},
		`eligible = {1}, exclude = {}`:      {Audience: &wamp.Audience{Eligible: []wamp.ID{1}, Exclude: []wamp.ID{}}},
		`exclude_me = true, retain = false`: {ExcludeMe: wamp.True},
	} {
		if got := publishOptions(L, table(text)); !reflect.DeepEqual(got, want) {
			t.Errorf("publish {%s}: %+v, want %+v", text, got, want)
		}
	}
	for text, want := range map[string]wamp.RegisterOptions{
		`match = "prefix"`:        {Match: wamp.Prefix},
		`invoke = "random"`:       {Invoke: wamp.InvokeRandom},
		`concurrency = 3`:         {Concurrency: 3},
		`disclose_caller = true`:  {DiscloseCaller: wamp.True},
		`force_reregister = true`: {ForceReregister: true},
		`forward_timeout = true`:  {ForwardTimeout: true},
	} {
		d := declaration{kind: kindProcedure, options: checkOptions(L, kindProcedure, table(text))}
		if got := d.registration(nil).Options; !reflect.DeepEqual(got, want) {
			t.Errorf("register {%s}: %+v, want %+v", text, got, want)
		}
	}
	for text, want := range map[string]wamp.SubscribeOptions{
		`match = "wildcard"`:  {Match: wamp.Wildcard},
		`get_retained = true`: {GetRetained: true},
		`concurrent = true`:   {},
	} {
		d := declaration{kind: kindSubscription, options: checkOptions(L, kindSubscription, table(text))}
		if got := d.subscription().Options; !reflect.DeepEqual(got, want) {
			t.Errorf("subscribe {%s}: %+v, want %+v", text, got, want)
		}
	}
}

func TestMetaAPIFromAScript(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.subscribe("wamp.session.on_join", function(args, kwargs, details)
  local sessions = router.call("wamp.session.list")
  for _, id in ipairs(sessions) do
    if id == args[1].session then
      local who = router.call("wamp.session.get", {id})
      kv.set("seen", who.authid .. " as " .. who.authrole .. " told by " .. details.topic)
    end
  end
end)
router.register("com.example.seen", function() return kv.get("seen") end)
router.register("com.example.missing", function()
  local ok, e = pcall(router.call, "wamp.session.get", {12345})
  return ok, e.uri
end)`)})
	c := w.client()
	eventually(t, "the script saw the client join", func() bool {
		return c.mustCall("com.example.seen", "[]") == `["client as frontend told by wamp.session.on_join"]`
	})
	if got := c.mustCall("com.example.missing", "[]"); got != `[false,"wamp.error.no_such_session"]` {
		t.Error(got)
	}
}

// What does not change keeps its ids over a reload, whatever its options are.
func TestReloadKeepsWhatIsEqual(t *testing.T) {
	script := func(a, b string) string {
		return backend(`
router.register("com.example.a", function() end, ` + a + `)
router.register("com.example.b", function() end, {match = "prefix", disclose_caller = true})
router.subscribe("com.example.t", function() end, ` + b + `)`)
	}
	w := newWorld(t, map[string]string{"a.lua": script(`{invoke = "roundrobin", concurrency = 2}`, `{get_retained = true}`)})
	c := w.client()
	ids := func() [3]string {
		return [3]string{
			c.mustCall("wamp.registration.lookup", `["com.example.a"]`),
			c.mustCall("wamp.registration.lookup", `["com.example.b",{"match":"prefix"}]`),
			c.mustCall("wamp.subscription.lookup", `["com.example.t"]`),
		}
	}
	first := ids()
	for _, id := range first {
		if id == "[null]" {
			t.Fatalf("ids %v", first)
		}
	}
	w.write("a.lua", script(`{invoke = "roundrobin", concurrency = 2}`, `{get_retained = true}`)+"\n-- saved again")
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if got := ids(); got != first || w.status("a").Generation != 2 {
		t.Errorf("ids %v, were %v", got, first)
	}
	w.write("a.lua", script(`{invoke = "first"}`, `{get_retained = true, concurrent = true}`))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	if got := ids(); got[1] != first[1] || got[2] != first[2] {
		t.Errorf("ids %v, were %v", got, first)
	}
	if got := c.mustCall("wamp.registration.get", "["+strings.Trim(ids()[0], "[]")+"]"); !strings.Contains(got, `"invoke":"first"`) {
		t.Errorf("after another policy: %s", got)
	}
}

func TestRetainedEventsAndReceivers(t *testing.T) {
	w := newWorld(t, map[string]string{"b.lua": backend(`
router.register("com.example.publish", function(args)
  router.publish("com.example.state", {args[1]}, nil, {acknowledge = true, retain = true})
  router.publish("com.example.direct", {"for nobody"}, nil, {eligible_authrole = {"others"}})
  router.publish("com.example.direct", {"not for you"}, nil, {exclude = {args[2]}})
  router.publish("com.example.direct", {"for you"}, nil, {eligible = {args[2]}, disclose_me = true})
end)`)})
	c := w.client()
	events := c.subscribe("com.example.direct")
	c.mustCall("com.example.publish", fmt.Sprintf(`["on",%d]`, c.local.Session()))
	if e := <-events; c.json(e.Payload) != `["for you"]` || e.Details.PublisherAuthid != "b" {
		t.Errorf("got %s of %q", c.json(e.Payload), e.Details.PublisherAuthid)
	}
	w.write("a.lua", backend(`
router.subscribe("com.example.state", function(args, kwargs, details) kv.set("state", args[1] .. " " .. tostring(details.retained)) end, {get_retained = true})
router.register("com.example.state", function() return kv.get("state") end)`))
	if err := w.reload(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the script got the retained event", func() bool { return c.mustCall("com.example.state", "[]") == `["on true"]` })
}
