package lualib

import (
	"fmt"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// maxCalls is how many calls from library functions into Lua may be nested, as
// deep as in the reference implementation; each takes a piece of Go's stack.
const maxCalls = 197

// maxHandlerCalls is how often xpcall asks a handler that itself fails, with
// the error of its own last call, before it gives up.
const maxHandlerCalls = 220

// maxIdleThreads is the number of threads kept for the next protected call.
const maxIdleThreads = 4

// callState is what one virtual machine knows about the calls from library
// functions into Lua that are going on.
type callState struct {
	depth  int
	active []*protectedThread // of protected calls, innermost last
	idle   []*protectedThread
	broken error
}

// protectedThread runs the functions of protected calls, one after the other.
//
// gopher-lua's own PCall does not do: an error closes the captured variables of
// all functions of the thread, also of those outside the protected call, which
// go on using the originals; and a Go panic on the way of the error escapes. On
// a thread of its own the error closes what it should. After the call, failed
// or not, the thread's stack is empty and no captured variable points to it, so
// that the next call can use it.
type protectedThread struct {
	machine *machine
	L       *lua.LState
	caller  *lua.LState
	run     *lua.LFunction    // body: calls what follows it on the stack
	onError func(*lua.LState) // raise
	place   int               // in callState.active
	raised  bool              // a Lua error is on its way
	dead    bool              // a Go panic came through; not to be used again
}

func (m *machine) newThread(L *lua.LState) *protectedThread {
	// NewThread takes the sizes from the options of L and would derive a context
	// (with a goroutine) from the one of L.
	options := L.Options
	ctx := L.Context()
	L.Options.RegistryMaxSize = max(options.RegistryMaxSize, options.RegistrySize)
	L.Options.RegistrySize = 64
	L.Options.RegistryGrowStep = 128
	L.Options.MinimizeStackMemory = true
	if ctx != nil {
		L.RemoveContext()
	}
	thread, _ := L.NewThread()
	L.Options = options
	if ctx != nil {
		L.SetContext(ctx)
	}
	th := &protectedThread{machine: m, L: thread}
	th.run = thread.NewFunction(th.body)
	th.onError = th.raise
	return th
}

// takeThread returns an idle or new thread that works for L.
func (m *machine) takeThread(L *lua.LState) *protectedThread {
	var th *protectedThread
	if n := len(m.calls.idle); n > 0 {
		th, m.calls.idle = m.calls.idle[n-1], m.calls.idle[:n-1]
	} else {
		th = m.newThread(L)
	}
	th.caller = L
	th.raised = false
	th.L.Env = L.Env
	if ctx := L.Context(); ctx != nil {
		th.L.SetContext(ctx)
	} else {
		th.L.RemoveContext()
	}
	th.place = len(m.calls.active)
	m.calls.active = append(m.calls.active, th)
	return th
}

func (m *machine) releaseThread(th *protectedThread) {
	m.calls.active = m.calls.active[:th.place]
	if th.dead {
		return
	}
	th.L.SetTop(0)
	if len(m.calls.idle) < maxIdleThreads {
		m.calls.idle = append(m.calls.idle, th)
	}
}

// callerThread returns the thread whose protected call runs on L, or nil.
func callerThread(L *lua.LState) *lua.LState {
	m := machineOf(L)
	if m == nil {
		return nil
	}
	for _, th := range slices.Backward(m.calls.active) {
		if th.L == L {
			return th.caller
		}
	}
	return nil
}

// body calls the function on its stack with the arguments that follow. It turns
// a Go panic into a Lua error while the stack still stands, so that captured
// variables keep their values.
func (th *protectedThread) body(L *lua.LState) int {
	returned := false
	defer func() {
		if returned || th.raised {
			return
		}
		if r := recover(); r != nil {
			th.convertPanic(r)
		}
	}()
	L.Panic = th.onError // PCall puts the old one back
	L.Call(L.GetTop()-1, lua.MultRet)
	returned = true
	return L.GetTop()
}

// raise begins the unwinding for the error on top of the stack, without the
// traceback that gopher-lua would make for each error that is caught.
func (th *protectedThread) raise(L *lua.LState) {
	th.raised = true
	v := lua51.Explain(L, L.Get(-1))
	panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: v, StackTrace: "(caught)"})
}

// convertPanic raises a Lua error for a Go panic.
func (th *protectedThread) convertPanic(r any) {
	L := th.L
	if err, ok := r.(*lua.ApiError); ok { // raised inside a nested PCall of Go code
		Raise(L, err.Object)
	}
	if isStackOverflow(L, r) {
		Raise(L, lua.LString(Where(L, 0)+"stack overflow"))
	}
	th.machine.breakdown(r)
	th.dead = true
	Raise(L, lua.LString("internal error"))
}

// isStackOverflow recognizes the two panics by which gopher-lua reports that a
// stack is full: of the call stack, and of the registers in a tail call, where
// making the error message fails because the new function has not started.
func isStackOverflow(L *lua.LState, r any) bool {
	if r == "lua callstack overflow" {
		return true
	}
	dbg, ok := L.GetStack(0)
	if !ok {
		return false
	}
	v, err := L.GetInfo("f", dbg, lua.LNil)
	fn, ok := v.(*lua.LFunction)
	return err == nil && ok && !fn.IsG && frameField(dbg, "Pc") == 0
}

// breakdown marks the virtual machine as unusable.
func (m *machine) breakdown(r any) {
	if m.calls.broken == nil {
		m.calls.broken = fmt.Errorf("%w: Go panic: %v", ErrBroken, r)
	}
}

// protected calls the function at index first of L's stack with all that
// follows it as arguments. If that succeeds, the stack holds true and nret
// results (lua.MultRet: all), whose number it returns; else nothing. An error
// that no protected call may keep it passes on: the end of the budget, or a
// virtual machine that is broken.
func (m *machine) protected(L *lua.LState, first, nret int) (n int, err *lua.ApiError) {
	th := m.takeThread(L)
	defer m.releaseThread(th)
	depth := m.calls.depth
	m.calls.depth++
	err = th.pcall(L, first)
	m.calls.depth = depth
	L.SetTop(0)
	if err != nil {
		if m.ended(L) {
			Raise(L, err.Object)
		}
		return 0, err
	}
	n = nret
	if n == lua.MultRet {
		n = th.L.GetTop()
	}
	L.Push(lua.LTrue)
	for i := 1; i <= n; i++ {
		L.Push(th.L.Get(i))
	}
	return n + 1, nil
}

// ended reports whether nothing more may run on the virtual machine.
func (m *machine) ended(L *lua.LState) bool {
	ctx := L.Context()
	return m.calls.broken != nil || ctx != nil && stopReason(ctx) != nil
}

func (th *protectedThread) pcall(L *lua.LState, first int) (failure *lua.ApiError) {
	defer func() {
		if r := recover(); r != nil {
			th.machine.breakdown(r)
			th.dead = true
			failure = &lua.ApiError{Type: lua.ApiErrorPanic, Object: lua.LString("internal error")}
		}
	}()
	top := L.GetTop()
	th.L.Push(th.run)
	for i := first; i <= top; i++ {
		th.L.Push(L.Get(i))
	}
	switch err := th.L.PCall(top-first+1, lua.MultRet, nil).(type) {
	case nil:
		return nil
	case *lua.ApiError:
		if err.Type == lua.ApiErrorPanic {
			panic(err.Object) // a Go panic that body did not see
		}
		return err
	default:
		panic(err)
	}
}

func (m *machine) pcall(L *lua.LState) int {
	fn := CheckAny(L, 1)
	if m.calls.depth >= maxCalls {
		return pushFailure(L, lua.LString("C stack overflow"))
	}
	if !callable(L, fn) {
		return pushFailure(L, notCallable(fn))
	}
	n, err := m.protected(L, 1, lua.MultRet)
	if err != nil {
		return pushFailure(L, err.Object)
	}
	return n
}

func pushFailure(L *lua.LState, v lua.LValue) int {
	L.Push(lua.LFalse)
	L.Push(v)
	return 2
}

// xpcall calls the handler when the stack of the failed function is gone. A
// script can not tell: it has no function that looks at the stack.
func (m *machine) xpcall(L *lua.LState) int {
	CheckAny(L, 2)
	fn, handler := L.Get(1), L.Get(2)
	L.SetTop(0)
	var problem lua.LValue
	switch {
	case m.calls.depth >= maxCalls:
		problem = lua.LString("C stack overflow")
	case !callable(L, fn):
		problem = notCallable(fn)
	default:
		L.Push(fn)
		n, err := m.protected(L, 1, lua.MultRet)
		if err == nil {
			return n
		}
		problem = err.Object
	}
	if handler.Type() == lua.LTFunction {
		for i := m.calls.depth; i < maxHandlerCalls; i++ {
			L.SetTop(0)
			L.Push(handler)
			L.Push(problem)
			_, err := m.protected(L, 1, 1)
			if err == nil {
				return pushFailure(L, L.Get(-1))
			}
			problem = err.Object
		}
	}
	return pushFailure(L, lua.LString("error in error handling"))
}

// call1 calls fn with args and returns the first result.
func (m *machine) call1(L *lua.LState, fn lua.LValue, args ...lua.LValue) lua.LValue {
	L.Push(fn)
	for _, arg := range args {
		L.Push(arg)
	}
	m.call(L, len(args), 1)
	v := L.Get(-1)
	L.Pop(1)
	return v
}

// call calls the function that is on the stack below its arguments.
func (m *machine) call(L *lua.LState, nargs, nret int) {
	if fn := L.Get(-nargs - 1); !callable(L, fn) {
		Raise(L, notCallable(fn))
	}
	if m.calls.depth >= maxCalls {
		Raise(L, lua.LString("C stack overflow"))
	}
	m.calls.depth++
	defer func() { m.calls.depth-- }()
	L.Call(nargs, nret)
}

func callable(L *lua.LState, fn lua.LValue) bool {
	return fn.Type() == lua.LTFunction || L.GetMetaField(fn, "__call").Type() == lua.LTFunction
}

func notCallable(fn lua.LValue) lua.LString {
	return lua.LString("attempt to call a " + TypeName(fn) + " value")
}
