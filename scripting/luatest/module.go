package luatest

import (
	"context"
	"errors"
	"math"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting/lualib"
)

// openTest creates the global table test.
func (w *world) openTest(L *lua.LState) {
	t := L.NewTable()
	for name, fn := range map[string]lua.LGFunction{
		"components":   w.testComponents,
		"realm":        w.testRealm,
		"env":          w.testEnv,
		"time":         w.testTime,
		"advance":      w.testAdvance,
		"http":         w.testHTTP,
		"requests":     w.testRequests,
		"sql":          w.testSQL,
		"authorize":    w.testAuthorize,
		"request":      w.testRequest,
		"authenticate": w.testAuthenticate,
		"call":         w.testCall,
		"reply":        w.testReply,
		"publish":      w.testPublish,
		"subscribe":    w.testSubscribe,
		"events":       w.testEvents,
		"register":     w.testRegister,
		"logs":         w.testLogs,
		"skip":         w.testSkip,
	} {
		t.RawSetString(name, L.NewFunction(fn))
	}
	L.SetGlobal("test", t)
}

// groupSettings are those of the group whose body runs; nil: a test does.
func (w *world) groupSettings() *settings {
	if w.collecting {
		return &w.current.settings
	}
	return nil
}

// nearest are the settings of the group whose body runs, or of the test.
func (w *world) nearest() *settings {
	if s := w.groupSettings(); s != nil {
		return s
	}
	return &w.own
}

// around are the settings of the test that runs, and of the groups around it, from
// the innermost to the outermost.
func (w *world) around() []*settings {
	all := []*settings{&w.own}
	if w.running != nil {
		for g := w.running.group; g != nil; g = g.parent {
			all = append(all, &g.settings)
		}
	}
	return all
}

// testComponents is test.components(name, …).
func (w *world) testComponents(L *lua.LState) int {
	names := []string{}
	for i := 1; i <= L.GetTop(); i++ {
		names = append(names, lualib.CheckString(L, i))
	}
	w.mustCollect(L, "test.components")
	w.current.settings.components = names
	return 0
}

// testRealm is test.realm(name, roles).
func (w *world) testRealm(L *lua.LState) int {
	name, roles := lualib.CheckString(L, 1), lualib.CheckTable(L, 2)
	w.mustCollect(L, "test.realm")
	for i := 1; i <= roles.Len(); i++ {
		role, ok := roles.RawGetInt(i).(lua.LString)
		if !ok {
			lualib.ArgError(L, 2, "a list of the names of roles expected")
		}
		w.current.settings.roles = append(w.current.settings.roles, roleSetting{name, string(role)})
	}
	return 0
}

// testEnv is test.env{name = value}.
func (w *world) testEnv(L *lua.LState) int {
	t := lualib.CheckTable(L, 1)
	values := map[string]string{}
	t.ForEach(func(key, value lua.LValue) {
		name, ok := key.(lua.LString)
		text, isText := value.(lua.LString)
		if !ok || !isText {
			lualib.ArgError(L, 1, "a table of names and strings expected")
		}
		values[string(name)] = string(text)
	})
	s := w.groupSettings()
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, value := range values {
		if s == nil {
			w.env[name] = value
			continue
		}
		if s.env == nil {
			s.env = map[string]string{}
		}
		s.env[name] = value
	}
	return 0
}

// testTime is test.time(seconds or RFC 3339): it sets the clock, and without an
// argument only returns it.
func (w *world) testTime(L *lua.LState) int {
	switch v := L.Get(1).(type) {
	case *lua.LNilType:
	case lua.LNumber:
		w.setTime(L, float64(v))
	case lua.LString:
		t, err := time.Parse(time.RFC3339Nano, string(v))
		if err != nil {
			lualib.ArgError(L, 1, "a time such as 2026-11-26T12:00:00Z expected")
		}
		w.setTime(L, float64(t.UnixMicro())/1e6)
	default:
		lualib.TypeError(L, 1, "number or string")
	}
	L.Push(lua.LNumber(float64(w.clock.Now().UnixMicro()) / 1e6))
	return 1
}

func (w *world) setTime(L *lua.LState, seconds float64) {
	if !(seconds > 0 && seconds < 1e11) {
		lualib.ArgError(L, 1, "seconds since 1970 expected")
	}
	if s := w.groupSettings(); s != nil {
		s.time = seconds
		return
	}
	w.clock.set(atSeconds(seconds))
}

func atSeconds(seconds float64) time.Time { return time.UnixMicro(int64(math.Round(seconds * 1e6))) }

// testAdvance is test.advance(seconds).
func (w *world) testAdvance(L *lua.LState) int {
	seconds := lualib.CheckNumber(L, 1)
	if !(seconds >= 0 && seconds < 1e9) {
		lualib.ArgError(L, 1, "a number of seconds expected")
	}
	w.load(L)
	var err error
	w.await(L, func(ctx context.Context) { err = w.pass(ctx, time.Duration(math.Round(seconds*1e9))) })
	if err != nil {
		lualib.Errorf(L, "%v", err)
	}
	return 0
}

// testSkip is test.skip(reason).
func (w *world) testSkip(L *lua.LState) int {
	w.skipped = lualib.OptString(L, 1, "skipped")
	lualib.Raise(L, lua.LString("skipped"))
	return 0
}

// caller reads from the options of a call or publication who makes it, and
// returns the others.
func (w *world) caller(L *lua.LState, verb string, n int) (*session, *lua.LTable) {
	w.load(L)
	who := identity{w.realm, testRole, "test"}
	rest := L.NewTable()
	if L.Get(n) != lua.LNil {
		lualib.CheckTable(L, n).ForEach(func(key, value lua.LValue) {
			text, isText := value.(lua.LString)
			name := key.String()
			switch name {
			case "realm":
				who.realm = string(text)
			case "authrole":
				who.authrole = string(text)
			case "authid":
				who.authid = string(text)
			default:
				rest.RawSet(key, value)
				return
			}
			if !isText {
				lualib.Errorf(L, "%s: %s must be a string", verb, name)
			}
		})
	}
	s, err := w.sessionOf(who)
	if err != nil {
		lualib.Errorf(L, "%s: as role %q of realm %q: %v", verb, who.authrole, who.realm, err)
	}
	return s, rest
}

func (w *world) payload(L *lua.LState, verb string) wamp.Payload {
	var tables [2]*lua.LTable
	for i := range tables {
		if L.Get(2+i) != lua.LNil {
			tables[i] = lualib.CheckTable(L, 2+i)
		}
	}
	p, err := w.bench.Values().AppendPayload(w.bench.Budget(), wamp.MessagePack, tables[0], tables[1])
	if err != nil {
		lualib.Errorf(L, "%s: %v", verb, err)
	}
	return p
}

// call makes a call, and waits for the answer and until all is quiet again.
func (w *world) call(L *lua.LState, verb string, parts *[]wamp.Payload) (wamp.Payload, error) {
	uri := lualib.CheckString(L, 1)
	p := w.payload(L, verb)
	s, options := w.caller(L, verb, 4)
	var o wamp.CallOptions
	options.ForEach(func(key, value lua.LValue) {
		switch n, isNumber := value.(lua.LNumber); {
		case key == lua.LString("timeout") && isNumber && n >= 0 && n < 1<<31:
			o.Timeout = uint64(n)
		case key == lua.LString("disclose_me"):
			o.DiscloseMe = wampBool(value)
		default:
			lualib.Errorf(L, "%s: unknown option %s: there are authid, authrole, disclose_me, realm and timeout (milliseconds)", verb, show(key))
		}
	})
	var result wamp.Payload
	var err error
	w.await(L, func(ctx context.Context) {
		if parts == nil {
			result, err = s.local.Call(ctx, uri, o, p)
		} else {
			result, err = s.local.CallProgress(ctx, uri, o, p, func(p wamp.Payload) { *parts = append(*parts, p) })
		}
		if e := w.quiet(ctx); err == nil {
			err = e
		}
	})
	return result, err
}

func wampBool(v lua.LValue) wamp.Bool {
	if lua.LVAsBool(v) {
		return wamp.True
	}
	return wamp.False
}

// testCall is test.call(uri, args, kwargs, options), as router.call.
func (w *world) testCall(L *lua.LState) int {
	result, err := w.call(L, "test.call", nil)
	if err != nil {
		w.bench.RaiseError(L, "test.call", err)
	}
	args, _ := w.decode(L, result)
	n := args.Len()
	if count, ok := args.RawGetString("n").(lua.LNumber); ok {
		n = int(count)
	}
	for i := 1; i <= n; i++ {
		L.Push(args.RawGetInt(i))
	}
	return n
}

// testReply is test.reply(uri, args, kwargs, options): all of the answer.
func (w *world) testReply(L *lua.LState) int {
	parts := []wamp.Payload{}
	result, err := w.call(L, "test.reply", &parts)
	t := L.NewTable()
	var reply *realm.ErrorReply
	switch {
	case errors.As(err, &reply):
		t.RawSetString("error", lua.LString(reply.URI))
		result = reply.Payload
	case err != nil:
		lualib.Errorf(L, "test.reply: %v", err)
	}
	args, kwargs := w.decode(L, result)
	t.RawSetString("args", args)
	t.RawSetString("kwargs", kwargs)
	if reply != nil && args.Len() == 0 && reply.Text != "" {
		args.Append(lua.LString(reply.Text))
	}
	progress := L.NewTable()
	for _, p := range parts {
		part := L.NewTable()
		args, kwargs := w.decode(L, p)
		part.RawSetString("args", args)
		part.RawSetString("kwargs", kwargs)
		progress.Append(part)
	}
	t.RawSetString("progress", progress)
	L.Push(t)
	return 1
}

func (w *world) decode(L *lua.LState, p wamp.Payload) (args, kwargs *lua.LTable) {
	args, kwargs, err := w.bench.Values().Payload(w.bench.Budget(), p)
	if err != nil {
		lualib.Errorf(L, "the answer: %v", err)
	}
	return args, kwargs
}

// testPublish is test.publish(topic, args, kwargs, options). When it returns, the
// components have handled the event.
func (w *world) testPublish(L *lua.LState) int {
	topic := lualib.CheckString(L, 1)
	p := w.payload(L, "test.publish")
	s, options := w.caller(L, "test.publish", 4)
	o := wamp.PublishOptions{Acknowledge: true}
	options.ForEach(func(key, value lua.LValue) {
		switch key.String() {
		case "acknowledge":
		case "retain":
			o.Retain = lua.LVAsBool(value)
		case "disclose_me":
			o.DiscloseMe = wampBool(value)
		case "exclude_me":
			o.ExcludeMe = wampBool(value)
		default:
			lualib.Errorf(L, "test.publish: unknown option %s: there are authid, authrole, disclose_me, exclude_me, realm and retain", show(key))
		}
	})
	var id wamp.ID
	var err error
	w.await(L, func(ctx context.Context) {
		if id, err = s.local.Publish(topic, o, p); err == nil {
			err = w.quiet(ctx)
		}
	})
	if err != nil {
		w.bench.RaiseError(L, "test.publish", err)
	}
	L.Push(lua.LNumber(id))
	return 1
}

// testSubscribe is test.subscribe(topic, options).
func (w *world) testSubscribe(L *lua.LState) int {
	topic := lualib.CheckString(L, 1)
	s, options := w.caller(L, "test.subscribe", 2)
	binding := realm.SubscriptionBinding{URI: topic, Options: wamp.SubscribeOptions{Match: matchOption(L, "test.subscribe", options)}}
	next := s.bindings
	next.Subscriptions = append(next.Subscriptions[:len(next.Subscriptions):len(next.Subscriptions)], binding)
	s.bind(w, L, "test.subscribe", next)
	return 0
}

// testRegister is test.register(uri, fn, options): a procedure of the test.
func (w *world) testRegister(L *lua.LState) int {
	uri, fn := lualib.CheckString(L, 1), lualib.CheckFunction(L, 2)
	s, options := w.caller(L, "test.register", 3)
	m := matchOption(L, "test.register", options)
	at := place{uri, m}
	if s.handlers[at] == nil {
		next := s.bindings
		next.Registrations = append(next.Registrations[:len(next.Registrations):len(next.Registrations)],
			realm.Binding{URI: uri, Options: wamp.RegisterOptions{Match: m}})
		s.bind(w, L, "test.register", next)
	}
	s.handlers[at] = fn
	return 0
}

func (s *session) bind(w *world, L *lua.LState, verb string, b realm.Bindings) {
	if err := s.local.Bind(b, nil); err != nil {
		w.bench.RaiseError(L, verb, err)
	}
	s.bindings = b
}

func matchOption(L *lua.LState, verb string, options *lua.LTable) wamp.Match {
	var m wamp.Match
	options.ForEach(func(key, value lua.LValue) {
		ok := key == lua.LString("match")
		if ok {
			m, ok = wamp.ParseMatch(value.String())
		}
		if !ok {
			lualib.Errorf(L, "%s: wrong option %s: there are authid, authrole, match (exact, prefix or wildcard) and realm", verb, show(key))
		}
	})
	return m
}

// testEvents is test.events(topic): the events that came since the last time, on
// one topic or on all.
func (w *world) testEvents(L *lua.LState) int {
	topic := lualib.OptString(L, 1, "")
	w.load(L)
	w.settle(L)
	w.mu.Lock()
	var mine, others []*realm.LocalEvent
	for _, e := range w.events {
		if topic == "" || e.Topic == topic {
			mine = append(mine, e)
		} else {
			others = append(others, e)
		}
	}
	w.events = others
	w.mu.Unlock()
	list := L.NewTable()
	for _, e := range mine {
		t := L.NewTable()
		args, kwargs := w.decode(L, e.Payload)
		t.RawSetString("topic", lua.LString(e.Topic))
		t.RawSetString("args", args)
		t.RawSetString("kwargs", kwargs)
		t.RawSetString("details", w.bench.EventDetails(e))
		list.Append(t)
	}
	L.Push(list)
	return 1
}

// testLogs is test.logs(pattern): what components have logged and printed, in
// order; with a pattern, what of it matches.
func (w *world) testLogs(L *lua.LState) int {
	pattern := lualib.OptString(L, 1, "")
	w.load(L)
	w.settle(L)
	list := L.NewTable()
	for _, r := range w.log.all() {
		if pattern != "" && !w.find(L, r.message, pattern) {
			continue
		}
		t, fields := L.NewTable(), L.NewTable()
		for name, value := range r.fields {
			switch name {
			case "component":
				t.RawSetString("component", lua.LString(value))
			case "script", "generation":
			default:
				fields.RawSetString(name, lua.LString(value))
			}
		}
		t.RawSetString("level", lua.LString(levelName(r.level)))
		t.RawSetString("message", lua.LString(r.message))
		t.RawSetString("fields", fields)
		list.Append(t)
	}
	L.Push(list)
	return 1
}
