package lualib

import (
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

func (m *machine) openString(L *lua.LState, globals *lua.LTable) {
	module := newModule(L, map[string]lua.LGFunction{
		"byte":    stringByte,
		"char":    stringChar,
		"find":    stringFind,
		"format":  stringFormat,
		"gmatch":  stringGmatch,
		"gsub":    m.stringGsub,
		"len":     stringLen,
		"lower":   stringLower,
		"match":   stringMatch,
		"rep":     stringRep,
		"reverse": stringReverse,
		"sub":     stringSub,
		"upper":   stringUpper,
	})
	module.RawSetString("gfind", module.RawGetString("gmatch"))
	globals.RawSetString("string", module)

	mt := L.NewTable()
	lua51.Install(L, mt)
	mt.RawSetString("__index", module)
	shown := L.NewTable() // to scripts, which must not change the real one
	shown.RawSetString("__index", module)
	mt.RawSetString("__metatable", shown)
	L.SetMetatable(lua.LString(""), mt)
}

func toNumber(v lua.LValue) (lua.LNumber, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return v, true
	case lua.LString:
		return lua51.ParseNumber(string(v))
	}
	return 0, false
}

func stringByte(L *lua.LState) int {
	s := CheckString(L, 1)
	from := relative(OptInteger(L, 2, 1), len(s))
	to := relative(OptInteger(L, 3, from), len(s))
	from, to = max(from, 1), min(to, int64(len(s)))
	if from > to {
		return 0
	}
	n := int(to - from + 1)
	if n+L.GetTop() > maxStack {
		Errorf(L, "stack overflow (string slice too long)")
	}
	Alloc(L, n*slotBytes)
	for _, c := range []byte(s[from-1 : to]) {
		L.Push(lua.LNumber(c))
	}
	return n
}

func stringChar(L *lua.LState) int {
	n := L.GetTop()
	allocString(L, n)
	bytes := make([]byte, n)
	for i := range bytes {
		c := CheckInt(L, i+1)
		if c != int(byte(c)) {
			ArgError(L, i+1, "invalid value")
		}
		bytes[i] = byte(c)
	}
	return pushString(L, string(bytes))
}

func stringLen(L *lua.LState) int {
	L.Push(lua.LNumber(len(CheckString(L, 1))))
	return 1
}

func stringLower(L *lua.LState) int { return mapBytes(L, 'A', 'Z') }
func stringUpper(L *lua.LState) int { return mapBytes(L, 'a', 'z') }

// mapBytes changes the case of the letters from first to last, byte by byte: in
// the C locale nothing beyond ASCII is a letter.
func mapBytes(L *lua.LState, first, last byte) int {
	s := CheckString(L, 1)
	i := 0
	for i < len(s) && (s[i] < first || s[i] > last) {
		i++
	}
	if i == len(s) {
		return pushString(L, s)
	}
	allocString(L, len(s))
	mapped := []byte(s)
	for ; i < len(mapped); i++ {
		if c := mapped[i]; c >= first && c <= last {
			mapped[i] = c ^ 0x20
		}
	}
	return pushString(L, string(mapped))
}

func stringReverse(L *lua.LState) int {
	s := CheckString(L, 1)
	allocString(L, len(s))
	reversed := []byte(s)
	slices.Reverse(reversed)
	return pushString(L, string(reversed))
}

func stringRep(L *lua.LState) int {
	s := CheckString(L, 1)
	n := CheckInt(L, 2)
	if n <= 0 || s == "" {
		return pushString(L, "")
	}
	if n > MaxString {
		allocString(L, -1)
	}
	allocString(L, n*len(s))
	return pushString(L, strings.Repeat(s, n))
}

func stringSub(L *lua.LState) int {
	s := CheckString(L, 1)
	from := max(relative(CheckInteger(L, 2), len(s)), 1)
	to := min(relative(OptInteger(L, 3, -1), len(s)), int64(len(s)))
	if from > to {
		return pushString(L, "")
	}
	return pushString(L, s[from-1:to])
}
