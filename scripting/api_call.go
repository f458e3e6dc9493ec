package scripting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	lua "github.com/yuin/gopher-lua"

	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting/lua51"
	"usher/scripting/luaconv"
	"usher/scripting/lualib"
)

// scriptFormat is what scripts' own calls and publications are encoded in: it
// keeps all types apart.
const scriptFormat = wamp.MessagePack

// callContext is the context of a router.call: it ends with the script's budget
// and says how deep the call is nested.
type callContext struct {
	*lua51.Budget
	depth int
}

type depthKey struct{}

func (c *callContext) Done() <-chan struct{} { return c.Closed() } // may be asked from anywhere

func (c *callContext) Value(key any) any {
	if key == (depthKey{}) {
		return c.depth
	}
	return nil
}

var _ context.Context = (*callContext)(nil)

// routerCall is router.call(uri, args, kwargs, options).
func (v *vm) routerCall(L *lua.LState) int {
	uri := lualib.CheckString(L, 1)
	p := v.checkPayload(L, "router.call")
	var o wamp.CallOptions
	var progress *lua.LFunction
	readOptions(L, "router.call", optTable(L, 4), []option{
		{"timeout", func(value *optionValue) { o.Timeout = value.whole(maxTimeout) }},
		{"disclose_me", func(value *optionValue) { o.DiscloseMe = value.bool() }},
		{"on_progress", func(value *optionValue) { progress = value.function() }},
	})
	switch {
	case !v.sealed:
		v.topLevelError(L, "router.call")
	case v.depth >= v.gen.options.Limits.Depth:
		lualib.Errorf(L, "router.call: calls are nested more than %d deep", v.gen.options.Limits.Depth)
	}
	var result wamp.Payload
	var err error
	if progress == nil {
		result, err = v.callOut(uri, o, p)
	} else {
		result, err = v.callWithProgress(L, uri, o, p, progress)
	}
	if err != nil {
		v.raiseError(L, "router.call", err)
	}
	args, _, err := v.values.Payload(v.budget, result)
	if err != nil {
		lualib.Errorf(L, "router.call: the result of %s: %v", uri, err)
	}
	n := args.Len()
	for i := 1; i <= n; i++ {
		L.Push(args.RawGetInt(i))
	}
	return n
}

// callOut waits for the answer; meanwhile the VM does not count as computing.
func (v *vm) callOut(uri string, o wamp.CallOptions, p wamp.Payload) (wamp.Payload, error) {
	v.gen.pool.pause()
	defer v.gen.pool.resume()
	return v.gen.session.Call(&callContext{v.budget, v.depth + 1}, uri, o, p)
}

// routerPublish is router.publish(uri, args, kwargs, options).
func (v *vm) routerPublish(L *lua.LState) int {
	topic := lualib.CheckString(L, 1)
	p := v.checkPayload(L, "router.publish")
	o := publishOptions(L, optTable(L, 4))
	if !v.sealed {
		v.topLevelError(L, "router.publish")
	}
	id, err := v.gen.session.Publish(topic, o, p)
	switch {
	case err != nil && o.Acknowledge:
		v.raiseError(L, "router.publish", err)
	case err != nil: // not raised, as no client is told
		v.log.Warn("publication without acknowledge failed", slog.String("topic", topic), slog.Any("error", err))
		return 0
	case !o.Acknowledge:
		return 0
	}
	L.Push(lua.LNumber(id))
	return 1
}

// checkPayload encodes the arguments 2 and 3 of a verb.
func (v *vm) checkPayload(L *lua.LState, verb string) wamp.Payload {
	p, err := v.values.AppendPayload(v.budget, scriptFormat, optTable(L, 2), optTable(L, 3))
	if err != nil {
		lualib.Errorf(L, "%s: %v", verb, err)
	}
	return p
}

// optTable returns argument n, or nil where it is absent.
func optTable(L *lua.LState, n int) *lua.LTable {
	if L.Get(n) == lua.LNil {
		return nil
	}
	return lualib.CheckTable(L, n)
}

// wampError is a WAMP error as scripts raise it.
type wampError struct {
	uri    string
	args   *lua.LTable // nil: none
	kwargs *lua.LTable
	own    bool // made by router.error, not the answer to a router.call
}

func (e *wampError) String() string {
	if text := e.text(); text != "" {
		return e.uri + ": " + text
	}
	return e.uri
}

// text is the first argument, if that is a string.
func (e *wampError) text() string {
	if e.args == nil {
		return ""
	}
	s, _ := e.args.RawGetInt(1).(lua.LString)
	return string(s)
}

// newErrorMeta makes the metatable by which error values are known.
func (v *vm) newErrorMeta() *lua.LTable {
	meta := v.L.NewTable()
	meta.RawSetString("__metatable", lua.LFalse)
	meta.RawSetString("__tostring", v.L.NewFunction(func(L *lua.LState) int {
		text := "error"
		if t, ok := L.Get(1).(*lua.LTable); ok {
			if e := v.wampError(t); e != nil {
				text = e.String()
			}
		}
		L.Push(lua.LString(text))
		return 1
	}))
	return meta
}

// wampError reads a raised value; nil: it is not one that the router's functions made.
func (v *vm) wampError(t *lua.LTable) *wampError {
	if t.Metatable != v.errorMeta && t.Metatable != v.callErrorMeta {
		return nil
	}
	uri, ok := t.RawGetString("uri").(lua.LString)
	if !ok {
		return nil
	}
	e := &wampError{uri: string(uri), own: t.Metatable == v.errorMeta}
	e.args, _ = t.RawGetString("args").(*lua.LTable)
	e.kwargs, _ = t.RawGetString("kwargs").(*lua.LTable)
	return e
}

// routerError is router.error(uri, args, kwargs): a value to be raised.
func (v *vm) routerError(L *lua.LState) int {
	uri := lualib.CheckString(L, 1)
	if !wamp.ValidURI(uri) {
		lualib.ArgError(L, 1, fmt.Sprintf("%q is not a URI", lualib.CutText(uri, 100)))
	}
	t := L.CreateTable(0, 3)
	t.RawSetString("uri", lua.LString(uri))
	if args := optTable(L, 2); args != nil {
		t.RawSetString("args", args)
	}
	if kwargs := optTable(L, 3); kwargs != nil {
		t.RawSetString("kwargs", kwargs)
	}
	t.Metatable = v.errorMeta
	v.note(L, t)
	L.Push(t)
	return 1
}

// note remembers where an error value was made: tables have no position.
func (v *vm) note(L *lua.LState, t *lua.LTable) { v.raised, v.raisedAt = t, lualib.Where(L, 1) }

// routerResult is router.result(args, kwargs): what a procedure returns where it
// has results by name.
func (v *vm) routerResult(L *lua.LState) int {
	r := &result{args: optTable(L, 1), kwargs: optTable(L, 2)}
	ud := L.NewUserData()
	ud.Value = r
	L.Push(ud)
	return 1
}

// result is what router.result made.
type result struct{ args, kwargs *lua.LTable }

// raiseError raises the error of a call or publication.
func (v *vm) raiseError(L *lua.LState, verb string, err error) {
	var reply *realm.ErrorReply
	if errors.As(err, &reply) {
		v.raiseReply(L, reply)
	}
	lualib.Errorf(L, "%s: %v", verb, err)
}

// raiseReply raises {uri =, args =, kwargs =}.
func (v *vm) raiseReply(L *lua.LState, reply *realm.ErrorReply) {
	args, kwargs, err := v.values.Payload(v.budget, reply.Payload)
	if err != nil {
		lualib.Errorf(L, "%s: its arguments: %v", reply.URI, err)
	}
	if args.Len() == 0 && reply.Text != "" {
		args.Append(lua.LString(reply.Text))
		args.RawSetString(luaconv.Count, lua.LNumber(1))
	}
	t := L.CreateTable(0, 3)
	t.RawSetString("uri", lua.LString(reply.URI))
	t.RawSetString("args", args)
	t.RawSetString("kwargs", kwargs)
	t.Metatable = v.callErrorMeta
	v.note(L, t)
	lualib.Raise(L, t)
}
