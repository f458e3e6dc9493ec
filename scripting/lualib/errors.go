package lualib

import (
	"fmt"
	"reflect"
	"strconv"

	lua "github.com/yuin/gopher-lua"
)

// Raise raises v as it is, without a position.
func Raise(L *lua.LState, v lua.LValue) {
	if s, ok := v.(lua.LString); ok {
		L.Error(s, 0) // level 0: gopher-lua adds nothing
	}
	L.Error(v, 0)
}

// Errorf raises a message that begins with the position, "file:line: ", of the
// Lua code that called the running Go function.
func Errorf(L *lua.LState, format string, args ...any) {
	Raise(L, lua.LString(Where(L, 1)+fmt.Sprintf(format, args...)))
}

// ArgError raises "bad argument #n to 'name' (message)" for argument n of the
// running Go function, with the name by which the script called it.
func ArgError(L *lua.LState, n int, message string) {
	name, method := callSite(L)
	if method {
		n-- // self does not count
		if n == 0 {
			Errorf(L, "calling '%s' on bad self (%s)", name, message)
		}
	}
	Errorf(L, "bad argument #%d to '%s' (%s)", n, name, message)
}

// TypeError raises an ArgError that says what was expected and what came.
func TypeError(L *lua.LState, n int, expected string) {
	ArgError(L, n, expected+" expected, got "+argTypeName(L, n))
}

// TypeName returns the name of v's type as the function type gives it.
func TypeName(v lua.LValue) string { return v.Type().String() }

// argTypeName is TypeName for argument n, with "no value" for an absent one.
func argTypeName(L *lua.LState, n int) string {
	if n > L.GetTop() {
		return "no value"
	}
	return TypeName(L.Get(n))
}

// Where returns "file:line: " for the function at a level of the call stack: 0
// is the running Go function, 1 its caller, and so on, through protected calls.
// It is empty where that function is no Lua function or has gone by a tail call.
func Where(L *lua.LState, level int) string {
	for L != nil {
		frame, rest := frameAt(L, level)
		if frame != nil {
			return position(L, frame)
		}
		if rest < 0 {
			return ""
		}
		L, level = callerThread(L), rest
	}
	return ""
}

// position formats where a frame's function is, if that is a Lua function.
func position(L *lua.LState, frame *lua.Debug) string {
	if _, err := L.GetInfo("Sl", frame, lua.LNil); err != nil || frame.CurrentLine <= 0 {
		return ""
	}
	return frame.Source + ":" + strconv.Itoa(frame.CurrentLine) + ": "
}

// frameAt returns the frame at a level of one thread. Without one, rest is the
// level to look for in the calling thread, or negative for a level that a tail
// call took away.
//
// It walks with GetStack, which answers with the outermost frame for each level
// lost to a tail call, so those have to be told from the real ones.
func frameAt(L *lua.LState, level int) (frame *lua.Debug, rest int) {
	lost := 0 // levels that tail calls of the frames so far took away
	for i := 0; ; i++ {
		dbg, ok := L.GetStack(i)
		if !ok {
			// The frames of a protected call's thread end with one that the
			// reference does not have.
			return nil, level - i + 1
		}
		if lost > 0 {
			lost--
			dbg = nil
		} else {
			lost = tailCalls(dbg)
		}
		if i == level {
			if dbg == nil {
				return nil, -1
			}
			return dbg, 0
		}
	}
}

// callSite returns the name by which the running Go function was called, "?"
// where there is none, and whether as a method.
func callSite(L *lua.LState) (name string, method bool) {
	self, ok := L.GetStack(0)
	if !ok {
		return "?", false
	}
	caller, ok := L.GetStack(1)
	if !ok {
		return "?", false
	}
	v, err := L.GetInfo("f", caller, lua.LNil)
	fn, ok := v.(*lua.LFunction)
	if err != nil || !ok || fn.IsG {
		return "?", false
	}
	pc := frameField(caller, "Pc") - 1
	if pc < 0 || pc >= len(fn.Proto.Code) {
		return "?", false
	}
	switch opcode(fn.Proto.Code[pc]) {
	case lua.OP_TFORLOOP:
		return "(for generator)", false
	case lua.OP_CALL, lua.OP_TAILCALL:
	default: // a metamethod
		return "?", false
	}
	if _, err := L.GetInfo("n", self, lua.LNil); err != nil || self.Name == "" || self.Name[0] == '(' {
		return "?", false
	}
	return self.Name, isMethodCall(fn.Proto.Code, pc)
}

// isMethodCall reports whether the function that the instruction at pc calls
// was put into its register by "self", as obj:name() does.
func isMethodCall(code []uint32, pc int) bool {
	register := registerA(code[pc])
	for pc--; pc >= 0; pc-- {
		if registerA(code[pc]) == register {
			return opcode(code[pc]) == lua.OP_SELF
		}
	}
	return false
}

func opcode(instruction uint32) int    { return int(instruction >> 26) }
func registerA(instruction uint32) int { return int(instruction>>18) & 0xff }

// tailCalls returns how many frames the one of dbg replaced. As in the
// reference implementation only Lua functions have that.
func tailCalls(dbg *lua.Debug) int { return frameField(dbg, "TailCall") }

// frameField reads a number of the call frame behind dbg, which gopher-lua
// keeps to itself. Reflection reads it without a copy of the interpreter; it is
// used on the way to an error only.
func frameField(dbg *lua.Debug, name string) int {
	frame := reflect.ValueOf(dbg).Elem().FieldByName("frame")
	if !frame.IsValid() || frame.IsNil() {
		return 0
	}
	field := frame.Elem().FieldByName(name)
	if !field.IsValid() {
		return 0
	}
	return int(field.Int())
}
