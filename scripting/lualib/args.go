package lualib

import (
	"math"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// CheckAny returns argument n, which may be nil but must be there.
func CheckAny(L *lua.LState, n int) lua.LValue {
	if n > L.GetTop() {
		ArgError(L, n, "value expected")
	}
	return L.Get(n)
}

// CheckString returns argument n, a string or a number.
func CheckString(L *lua.LState, n int) string {
	switch v := L.Get(n).(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return lua51.FormatNumber(v)
	}
	TypeError(L, n, "string")
	return ""
}

// OptString is CheckString with a default for an absent or nil argument.
func OptString(L *lua.LState, n int, def string) string {
	if L.Get(n) == lua.LNil {
		return def
	}
	return CheckString(L, n)
}

// CheckNumber returns argument n, a number or a string that reads as one.
func CheckNumber(L *lua.LState, n int) float64 {
	switch v := L.Get(n).(type) {
	case lua.LNumber:
		return float64(v)
	case lua.LString:
		if f, ok := lua51.ParseNumber(string(v)); ok {
			return float64(f)
		}
	}
	TypeError(L, n, "number")
	return 0
}

// OptNumber is CheckNumber with a default for an absent or nil argument.
func OptNumber(L *lua.LState, n int, def float64) float64 {
	if L.Get(n) == lua.LNil {
		return def
	}
	return CheckNumber(L, n)
}

// CheckInteger returns argument n cut to a 64-bit integer.
func CheckInteger(L *lua.LState, n int) int64 { return toInteger(CheckNumber(L, n)) }

// OptInteger is CheckInteger with a default for an absent or nil argument.
func OptInteger(L *lua.LState, n int, def int64) int64 {
	if L.Get(n) == lua.LNil {
		return def
	}
	return CheckInteger(L, n)
}

// CheckInt returns argument n cut to a C int: of the 64-bit integer only the
// lower 32 bits, as the reference implementation does on linux/amd64.
func CheckInt(L *lua.LState, n int) int { return int(int32(CheckInteger(L, n))) }

// OptInt is CheckInt with a default for an absent or nil argument.
func OptInt(L *lua.LState, n int, def int) int {
	if L.Get(n) == lua.LNil {
		return def
	}
	return CheckInt(L, n)
}

// CheckTable returns argument n, a table.
func CheckTable(L *lua.LState, n int) *lua.LTable {
	t, ok := L.Get(n).(*lua.LTable)
	if !ok {
		TypeError(L, n, "table")
	}
	return t
}

// CheckFunction returns argument n, a function.
func CheckFunction(L *lua.LState, n int) *lua.LFunction {
	f, ok := L.Get(n).(*lua.LFunction)
	if !ok {
		TypeError(L, n, "function")
	}
	return f
}

// toInteger cuts f as C does on amd64, where everything out of range becomes
// the smallest integer; Go leaves that to the machine.
func toInteger(f float64) int64 {
	if f >= -(1<<63) && f < 1<<63 {
		return int64(f)
	}
	return math.MinInt64
}

// toUnsigned is the same for an unsigned integer: negative numbers wrap around.
func toUnsigned(f float64) uint64 {
	if f >= 1<<63 {
		return uint64(toInteger(f-(1<<63))) ^ 1<<63
	}
	return uint64(toInteger(f))
}
