package lualib

import (
	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// buffer builds a string for a script. What it allocates is counted first.
type buffer struct {
	bytes []byte
}

// grow makes room for n more bytes.
func (b *buffer) grow(L *lua.LState, n int) {
	need := len(b.bytes) + n
	if need > MaxString || n < 0 {
		Errorf(L, "string length overflow")
	}
	if need <= cap(b.bytes) {
		return
	}
	size := max(need, 2*cap(b.bytes), 64)
	Alloc(L, size)
	grown := make([]byte, len(b.bytes), size)
	copy(grown, b.bytes)
	b.bytes = grown
}

func (b *buffer) addString(L *lua.LState, s string) {
	b.grow(L, len(s))
	b.bytes = append(b.bytes, s...)
}

func (b *buffer) addByte(L *lua.LState, c byte) {
	b.grow(L, 1)
	b.bytes = append(b.bytes, c)
}

func (b *buffer) addNumber(L *lua.LState, n lua.LNumber) {
	b.grow(L, 32)
	b.bytes = lua51.AppendNumber(b.bytes, n)
}

// addValue adds a string or a number.
func (b *buffer) addValue(L *lua.LState, v lua.LValue) {
	if n, ok := v.(lua.LNumber); ok {
		b.addNumber(L, n)
		return
	}
	b.addString(L, stringOf(v))
}

// push pushes the string. The buffer must not be used after that.
func (b *buffer) push(L *lua.LState) int {
	Alloc(L, len(b.bytes))
	return pushString(L, string(b.bytes))
}
