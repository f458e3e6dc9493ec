package scripting

import (
	"errors"

	lua "github.com/yuin/gopher-lua"

	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting/lualib"
)

// maxSessions bounds how many sessions router.sessions describes.
const maxSessions = 10_000

// meta calls one of the realm's meta procedures under the component's role, which
// must be allowed to. missing reports that there is no such session.
func (v *vm) meta(L *lua.LState, verb, procedure string, args, kwargs *lua.LTable) (results *lua.LTable, missing bool) {
	if !v.sealed {
		v.topLevelError(L, verb)
	}
	p, err := v.values.AppendPayload(v.budget, scriptFormat, args, kwargs)
	if err != nil {
		lualib.Errorf(L, "%s: %v", verb, err)
	}
	result, err := v.callOut(procedure, wamp.CallOptions{}, p)
	var reply *realm.ErrorReply
	if errors.As(err, &reply) && reply.URI == wamp.ErrNoSuchSession {
		return nil, true
	}
	if err != nil {
		v.raiseError(L, verb, err)
	}
	results, _, err = v.values.Payload(v.budget, result)
	if err != nil {
		lualib.Errorf(L, "%s: %v", verb, err)
	}
	return results, false
}

func listOf(L *lua.LState, values ...lua.LValue) *lua.LTable {
	t := L.CreateTable(len(values), 0)
	for i, value := range values {
		t.RawSetInt(i+1, value)
	}
	return t
}

// routerSessions is router.sessions{authrole =, limit =}: a list of what the meta
// API tells of each session of the realm, oldest ids first as it has them, and
// whether there are more. authrole is one or a list.
func (v *vm) routerSessions(L *lua.LState) int {
	const verb = "router.sessions"
	limit := 1000
	args := L.CreateTable(1, 0)
	readOptions(L, verb, optTable(L, 1), []option{
		{"authrole", func(o *optionValue) {
			roles := L.NewTable()
			if one, ok := o.value.(lua.LString); ok {
				roles.Append(one)
			} else {
				o.list(func(item *optionValue) { roles.Append(lua.LString(item.string())) })
			}
			args.RawSetInt(1, roles)
		}},
		{"limit", func(o *optionValue) { limit = int(o.whole(maxSessions)) }},
	})
	results, _ := v.meta(L, verb, "wamp.session.list", args, nil)
	ids, ok := results.RawGetInt(1).(*lua.LTable)
	if !ok {
		lualib.Errorf(L, "%s: the router did not answer with a list", verb)
	}
	all := L.NewTable()
	more := false
	for i := 1; ; i++ {
		id := ids.RawGetInt(i)
		if id == lua.LNil {
			break
		}
		if all.Len() == limit {
			more = true
			break
		}
		details, gone := v.meta(L, verb, "wamp.session.get", listOf(L, id), nil)
		if !gone {
			all.Append(details.RawGetInt(1))
		}
	}
	all.Metatable = v.values.ListMeta()
	L.Push(all)
	L.Push(lua.LBool(more))
	return 2
}

// routerSession is router.session(id): what the meta API tells of a session, or
// nil where there is none.
func (v *vm) routerSession(L *lua.LState) int {
	id := lualib.CheckNumber(L, 1)
	details, gone := v.meta(L, "router.session", "wamp.session.get", listOf(L, lua.LNumber(id)), nil)
	if gone {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(details.RawGetInt(1))
	return 1
}

// routerKill is router.kill(session, reason, message), which returns whether there
// was such a session, and router.kill({authid =} or {authrole =}, reason, message),
// which returns how many there were. reason is a URI; message is for people.
func (v *vm) routerKill(L *lua.LState) int {
	const verb = "router.kill"
	kwargs := L.CreateTable(0, 2)
	if L.Get(2) != lua.LNil {
		reason := lualib.CheckString(L, 2)
		if !wamp.ValidURI(reason) {
			lualib.ArgError(L, 2, "the reason must be a URI such as com.example.banned")
		}
		kwargs.RawSetString("reason", lua.LString(reason))
	}
	if L.Get(3) != lua.LNil {
		kwargs.RawSetString("message", lua.LString(lualib.CheckString(L, 3)))
	}
	whom, ok := L.Get(1).(*lua.LTable)
	if !ok {
		_, gone := v.meta(L, verb, "wamp.session.kill", listOf(L, lua.LNumber(lualib.CheckNumber(L, 1))), kwargs)
		L.Push(lua.LBool(!gone))
		return 1
	}
	given, by, name := 0, "", ""
	read := func(o *optionValue) { given, by, name = given+1, o.name, o.string() }
	readOptions(L, verb, whom, []option{{"authid", read}, {"authrole", read}})
	if given != 1 {
		lualib.Errorf(L, "%s: give a session, {authid = …} or {authrole = …}", verb)
	}
	results, _ := v.meta(L, verb, "wamp.session.kill_by_"+by, listOf(L, lua.LString(name)), kwargs)
	switch n := results.RawGetInt(1).(type) {
	case *lua.LTable: // their ids
		L.Push(lua.LNumber(n.Len()))
	default:
		L.Push(n)
	}
	return 1
}
