package lua51

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// Install gives the metatable of strings the operators of arithmetic, so that
// strings are converted as the reference implementation does: gopher-lua asks
// metamethods before it converts strings by Go's rules. Scripts must not be able
// to reach that metatable. Prototypes made by [Compile] run as they should only
// on a state where this has been done.
func Install(L *lua.LState, strings *lua.LTable) {
	for event, operate := range map[string]lua.LGFunction{"__add": add, "__sub": sub, "__mul": mul, "__div": div} {
		strings.RawSetString(event, L.NewFunction(operate))
	}
}

// Call calls fn on a state, with nret results left
// on the stack (lua.MultRet: all of them). The error of a failed call is a
// *lua.ApiError whose text is that of the reference implementation; a Go panic
// anywhere below is an error, too, after which the state must be thrown away.
func Call(L *lua.LState, fn *lua.LFunction, nret int, args ...lua.LValue) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &lua.ApiError{Type: lua.ApiErrorPanic, Object: lua.LString(fmt.Sprint(r))}
		}
	}()
	L.Push(L.NewFunction(func(L *lua.LState) int {
		raise := L.Panic
		L.Panic = func(L *lua.LState) { // PCall puts the old one back
			v := Explain(L, L.Get(-1))
			L.Pop(1)
			L.Push(v)
			raise(L)
		}
		L.Call(L.GetTop()-1, lua.MultRet)
		return L.GetTop()
	}))
	L.Push(fn)
	for _, arg := range args {
		L.Push(arg)
	}
	return L.PCall(len(args)+1, nret, nil)
}
