package scripting

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	wampclient "usher/router/client"
	"usher/router/realm"
	"usher/router/transport"
	"usher/router/wamp"
)

func TestProgressiveResultsOfAScript(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.register("com.example.count", function(args, kwargs, details)
  if not details.progress then return "at once" end
  for i = 1, args[1] do
    assert(details.progress({i}, {of = args[1]}) == true)
  end
  return "done"
end)
local late
router.register("com.example.keep", function(args, kwargs, details) late = late or details.progress end, {})
router.register("com.example.late", function() late({1}) end)`)}, func(o *Options) { o.Limits.VMs = 1 })
	c := w.client()
	var got []string
	p := wamp.Payload{Format: wamp.JSON, Args: []byte("[3]")}
	result, err := c.local.CallProgress(t.Context(), "com.example.count", wamp.CallOptions{}, p, func(p wamp.Payload) { got = append(got, c.json(p)) })
	if err != nil || c.json(result) != `["done"]` || strings.Join(got, " ") != `[1] {"of":3} [2] {"of":3} [3] {"of":3}` {
		t.Errorf("progress %v, result %s, %v", got, c.json(result), err)
	}
	if got := c.mustCall("com.example.count", "[3]"); got != `["at once"]` {
		t.Error(got)
	}
	// What a handler keeps does not reach another call, or one that has its answer.
	if _, err := c.local.CallProgress(t.Context(), "com.example.keep", wamp.CallOptions{}, wamp.Payload{}, func(wamp.Payload) {}); err != nil {
		t.Error(err)
	}
	if _, err := c.call("com.example.late", "[]"); errorURI(err) != wamp.ErrRuntime {
		t.Error(err)
	}
	if len(w.log.lines("a.lua:12: details.progress: the call has its answer already")) != 1 {
		t.Errorf("the log:\n%s", w.log)
	}
}

func TestProgressiveResultsOfACall(t *testing.T) {
	w := newWorld(t, map[string]string{
		"a.lua": backend(`
router.register("com.example.sum", function(args)
  local sum, seen = 0, {}
  local result = router.call("com.example.count", {args[1]}, nil, {on_progress = function(args, kwargs)
    sum = sum + args[1]
    seen[#seen + 1] = kwargs.word
  end})
  return sum, table.concat(seen, " "), result
end)
router.register("com.example.enough", function()
  local ok, e = pcall(router.call, "com.example.count", {1e9}, nil, {on_progress = function(args)
    if args[1] == 2 then error("enough") end
  end})
  return ok, e
end)
router.register("com.example.stopped", function() return kv.get("stopped") end)`),
		"b.lua": backend(`
router.register("com.example.count", function(args, kwargs, details)
  for i = 1, args[1] do
    details.progress({i}, {word = "w" .. i})
    if i >= 3 and args[1] > 3 then router.call("com.example.pause") end
  end
  return "done"
end)
router.register("com.example.pause", function() for i = 1, 1000 do end end)`),
	})
	c := w.client()
	if got := c.mustCall("com.example.sum", "[3]"); got != `[6,"w1 w2 w3","done"]` {
		t.Error(got)
	}
	// An error in the function ends the call, and so the procedure.
	if got := c.mustCall("com.example.enough", "[]"); got != `[false,"a.lua:13: enough"]` {
		t.Error(got)
	}
	eventually(t, "the procedure was stopped", func() bool {
		return len(w.log.lines("level=INFO", "procedure stopped", "b.lua:", "stopped: the call was canceled, or nobody waits for it any more", "procedure com.example.count")) == 1
	})
	if lines := w.log.lines("level=ERROR"); len(lines) > 0 {
		t.Error(lines[0])
	}
}

// A procedure does not run on for nobody: it is stopped wherever it is.
func TestAProcedureEndsWithItsCall(t *testing.T) {
	for _, body := range []string{
		`while true do end`,
		`router.call("com.example.forever")`,
		`while true do pcall(router.call, "com.example.forever") end`,
	} {
		w := newWorld(t, map[string]string{
			"a.lua": backend(`router.register("com.example.f", function() router.publish("com.example.begun") ` + body + ` end)`),
			"b.lua": backend(`router.register("com.example.forever", function() while true do end end)`),
		}, func(o *Options) { o.Limits.Call.Wall, o.Limits.Call.Instructions = time.Minute, 1<<40 })
		c := w.client()
		begun := c.subscribe("com.example.begun")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.local.Call(ctx, "com.example.f", wamp.CallOptions{}, wamp.Payload{})
			done <- err
		}()
		<-begun
		cancel()
		if err := <-done; err == nil {
			t.Errorf("%s: the call has a result", body)
		}
		eventually(t, body+" was stopped", func() bool {
			return len(w.log.lines("level=INFO", "procedure stopped", "stopped: the call was canceled, or nobody waits for it any more", "a.lua:2", "procedure com.example.f")) == 1
		})
		if lines := w.log.lines("level=ERROR"); len(lines) > 0 {
			t.Error(lines[0])
		}
	}
}

func TestACallTimesOut(t *testing.T) {
	for options, reason := range map[string]string{
		`{}`:                       "stopped: the call was canceled, or nobody waits for it any more",
		`{forward_timeout = true}`: "stopped: the call's time-out is over",
	} {
		w := newWorld(t, map[string]string{"a.lua": backend(`
router.register("com.example.f", function(args, kwargs, details) while true do end end, ` + options + `)
router.register("com.example.g", function(args, kwargs, details)
  local ok, e = pcall(router.call, "com.example.f", nil, nil, {timeout = 20})
  return ok, e.uri
end)`)}, func(o *Options) { o.Limits.Call.Wall, o.Limits.Call.Instructions = time.Minute, 1<<40 })
		c := w.client()
		if got := c.mustCall("com.example.g", "[]"); got != `[false,"wamp.error.timeout"]` {
			t.Errorf("%s: %s", options, got)
		}
		eventually(t, "the procedure was stopped", func() bool {
			return len(w.log.lines("procedure stopped", reason, "procedure com.example.f")) == 1
		})
	}
}

// What was given up while it waited for a virtual machine is not begun.
func TestAProcedureIsNotBegunForNobody(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.register("com.example.hold", function() router.publish("com.example.begun") while not kv.get("go") do end end)
router.register("com.example.f", function() while true do end end)`),
		"b.lua": backend(`router.register("com.example.go", function() kv.set("go", true) end)`),
	}, func(o *Options) {
		o.Limits.VMs, o.Limits.QueueWait = 1, time.Minute
		o.Limits.Call.Wall, o.Limits.Call.Instructions = time.Minute, 1<<40
	})
	c := w.client()
	begun := c.subscribe("com.example.begun")
	call := func(ctx context.Context, uri string) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := c.local.Call(ctx, uri, wamp.CallOptions{}, wamp.Payload{})
			done <- err
		}()
		return done
	}
	held := call(t.Context(), "com.example.hold")
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	waits := call(ctx, "com.example.f")
	q := &w.host.components["a"].calls
	eventually(t, "the other one is in the queue", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.serving
	})
	cancel()
	<-waits
	c.mustCall("com.example.go", "")
	if err := <-held; err != nil {
		t.Error(err)
	}
	if err := w.host.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lines := w.log.lines("procedure stopped"); len(lines) > 0 {
		t.Error(lines[0])
	}
}

// remote joins a client over a connection.
func (w *world) remote() *wampclient.Client {
	w.Helper()
	ours, theirs := transport.Pair(wamp.JSON, transport.Options{})
	served := make(chan struct{})
	go func() { // ends with the connection
		defer close(served)
		w.node.Serve(theirs, &realm.Endpoint{Auth: auth.Methods{Anonymous: &auth.Anonymous{Role: "frontend"}}}, &auth.Transport{Type: "websocket"})
	}()
	c, err := wampclient.Join(w.Context(), ours, wampclient.Options{Realm: "realm1"})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		c.Close()
		<-served
	})
	return c
}

// A call that comes in parts is read by details.more.
func TestCallInParts(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.register("com.example.join", function(args, kwargs, details)
  local words = {args[1]}
  if details.more then
    for args, kwargs in details.more do words[#words + 1] = args[1] .. (kwargs.mark or "") end
  end
  return table.concat(words, " "), details.more == nil
end)
router.register("com.example.first", function(args) return args[1] end)
router.register("com.example.stuck", function(args, kwargs, details) details.more() return "too late" end)
local late
router.register("com.example.keep", function(args, kwargs, details) late = details.more end)
router.register("com.example.late", function() late() end)`)}, func(o *Options) { o.Limits.VMs = 1 })
	c := w.remote()
	call := func(procedure string, parts ...string) (*wampclient.PendingCall, error) {
		var pending *wampclient.PendingCall
		for i, part := range parts {
			p, more := wamp.Payload{Format: wamp.JSON, Args: []byte(part)}, i < len(parts)-1
			var err error
			if i == 0 {
				pending, err = c.StartCall(procedure, wamp.CallOptions{Progress: more}, p, nil)
			} else {
				err = pending.Send(p, more)
			}
			if err != nil {
				return nil, err
			}
		}
		return pending, nil
	}
	for _, test := range []struct {
		procedure string
		parts     []string
		want      string
	}{
		{"com.example.join", []string{`["a"]`, `["b"]`, `["c"]`}, `["a b c",false]`},
		{"com.example.join", []string{`["a"]`}, `["a",true]`},
		{"com.example.first", []string{`["a"]`}, `["a"]`},
		{"com.example.keep", []string{`["a"]`, `["b"]`}, "[]"},
	} {
		pending, err := call(test.procedure, test.parts...)
		if err != nil {
			t.Fatal(err)
		}
		result, err := pending.Wait(t.Context())
		if err != nil || string(result.Payload.Args) != test.want {
			t.Errorf("%s %v: %s, %v; want %s", test.procedure, test.parts, result.Payload.Args, err, test.want)
		}
	}
	// Nothing is kept of those that have their answer.
	eventually(t, "their parts are forgotten", func() bool { return w.host.components["a"].streams.count() == 0 })
	// What a handler keeps does not reach a call that has its answer.
	if _, err := w.client().call("com.example.late", "[]"); errorURI(err) != wamp.ErrRuntime || len(w.log.lines("details.more: the call has its answer already")) != 1 {
		t.Errorf("%v; the log:\n%s", err, w.log)
	}
	// One that waits for more ends with its call.
	pending, err := c.StartCall("com.example.stuck", wamp.CallOptions{Progress: true}, wamp.Payload{}, nil)
	if err == nil {
		err = pending.Cancel(wamp.CancelKill)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pending.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), wamp.ErrCanceled) {
		t.Errorf("got %v", err)
	}
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// Nothing is kept of a call in parts that no virtual machine could take.
func TestARefusedCallInParts(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.register("com.example.hold", function() router.publish("com.example.begun") while not kv.get("go") do end end)
router.register("com.example.f", function(args, kwargs, details) while details.more() do end end)`),
		"b.lua": backend(`router.register("com.example.go", function() kv.set("go", true) end)`),
	}, func(o *Options) {
		o.Limits.VMs, o.Limits.QueueWait = 1, 20*time.Millisecond
		o.Limits.Call.Wall, o.Limits.Call.Instructions = time.Minute, 1<<40
	})
	c := w.client()
	begun := c.subscribe("com.example.begun")
	held := make(chan error, 1)
	go func() {
		_, err := c.local.Call(t.Context(), "com.example.hold", wamp.CallOptions{}, wamp.Payload{})
		held <- err
	}()
	<-begun
	pending, err := w.remote().StartCall("com.example.f", wamp.CallOptions{Progress: true}, wamp.Payload{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pending.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), wamp.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if n := w.host.components["a"].streams.count(); n != 0 {
		t.Errorf("parts of %d calls are kept", n)
	}
	c.mustCall("com.example.go", "")
	if err := <-held; err != nil {
		t.Error(err)
	}
}

// Parts that nobody takes must not make the router grow.
func TestPartsAreBounded(t *testing.T) {
	s := newStream()
	p := wamp.Payload{Format: wamp.JSON, Args: []byte(fmt.Sprintf("[%q]", strings.Repeat("x", 1<<20)))}
	pushed := 0
	for s.push(p, false) {
		pushed++
	}
	if pushed != maxPartBytes>>20-1 {
		t.Errorf("%d parts of 1 MiB were kept", pushed)
	}
	if _, ok, wait := s.take(); !ok || wait {
		t.Error("the first part is not there")
	}
	if !s.push(p, true) {
		t.Error("there is no room again")
	}
	for range pushed {
		if _, ok, _ := s.take(); !ok {
			t.Error("a part is missing")
		}
	}
	if _, ok, wait := s.take(); ok || wait {
		t.Error("more than was pushed")
	}
}
