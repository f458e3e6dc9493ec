package lualib

import (
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

func (m *machine) openBase(L *lua.LState, globals *lua.LTable) {
	register(L, globals, map[string]lua.LGFunction{
		"assert":       baseAssert,
		"error":        baseError,
		"getmetatable": baseGetMetatable,
		"next":         baseNext,
		"pcall":        m.pcall,
		"print":        m.print,
		"rawequal":     baseRawEqual,
		"rawget":       baseRawGet,
		"rawset":       baseRawSet,
		"select":       baseSelect,
		"setmetatable": baseSetMetatable,
		"tonumber":     baseToNumber,
		"tostring":     m.tostring,
		"type":         baseType,
		"unpack":       baseUnpack,
		"xpcall":       m.xpcall,
	})
	next := L.NewFunction(baseNext) // not equal to the global one in the reference either
	globals.RawSetString("pairs", L.NewFunction(func(L *lua.LState) int {
		t := CheckTable(L, 1)
		L.Push(next)
		L.Push(t)
		L.Push(lua.LNil)
		return 3
	}))
	step := L.NewFunction(ipairsStep)
	globals.RawSetString("ipairs", L.NewFunction(func(L *lua.LState) int {
		t := CheckTable(L, 1)
		L.Push(step)
		L.Push(t)
		L.Push(lua.LNumber(0))
		return 3
	}))
	globals.RawSetString("_G", globals)
	globals.RawSetString("_VERSION", lua.LString("Lua 5.1"))
}

func baseAssert(L *lua.LState) int {
	if lua.LVAsBool(CheckAny(L, 1)) {
		return L.GetTop()
	}
	Errorf(L, "%s", cString(OptString(L, 2, "assertion failed!")))
	return 0
}

func baseError(L *lua.LState) int {
	level := OptInt(L, 2, 1)
	v := L.Get(1)
	if lua.LVCanConvToString(v) && level > 0 {
		v = lua.LString(Where(L, level) + stringOf(v))
	}
	Raise(L, v)
	return 0
}

func baseGetMetatable(L *lua.LState) int {
	L.Push(L.GetMetatable(CheckAny(L, 1)))
	return 1
}

func baseSetMetatable(L *lua.LState) int {
	t := CheckTable(L, 1)
	mt := L.Get(2)
	if _, ok := mt.(*lua.LTable); L.GetTop() < 2 || !ok && mt != lua.LNil {
		ArgError(L, 2, "nil or table expected")
	}
	if L.GetMetaField(t, "__metatable") != lua.LNil {
		Errorf(L, "cannot change a protected metatable")
	}
	t.Metatable = mt
	L.Push(t)
	return 1
}

func ipairsStep(L *lua.LState) int {
	i := CheckInt(L, 2)
	t := CheckTable(L, 1)
	i++
	v := rawGetInt(t, i)
	if v == lua.LNil {
		return 0
	}
	L.Push(lua.LNumber(i))
	L.Push(v)
	return 2
}

func baseNext(L *lua.LState) int {
	t := CheckTable(L, 1)
	k, v, ok := next(t, L.Get(2))
	if !ok {
		Raise(L, lua.LString("invalid key to 'next'"))
	}
	if k == lua.LNil {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(k)
	L.Push(v)
	return 2
}

func baseRawEqual(L *lua.LState) int {
	L.Push(lua.LBool(L.RawEqual(CheckAny(L, 1), CheckAny(L, 2))))
	return 1
}

func baseRawGet(L *lua.LState) int {
	t := CheckTable(L, 1)
	L.Push(t.RawGet(CheckAny(L, 2)))
	return 1
}

func baseRawSet(L *lua.LState) int {
	t := CheckTable(L, 1)
	k, v := CheckAny(L, 2), CheckAny(L, 3)
	if k == lua.LNil {
		Raise(L, lua.LString("table index is nil"))
	}
	if n, ok := k.(lua.LNumber); ok && math.IsNaN(float64(n)) {
		Raise(L, lua.LString("table index is NaN"))
	}
	Alloc(L, slotBytes)
	t.RawSet(k, v)
	L.Push(t)
	return 1
}

func baseSelect(L *lua.LState) int {
	top := L.GetTop()
	if s, ok := L.Get(1).(lua.LString); ok && strings.HasPrefix(string(s), "#") {
		L.Push(lua.LNumber(top - 1))
		return 1
	}
	i := CheckInt(L, 1)
	if i < 0 {
		i = top + i
	} else if i > top {
		i = top
	}
	if i < 1 {
		ArgError(L, 1, "index out of range")
	}
	return top - i
}

func baseToNumber(L *lua.LState) int {
	base := OptInt(L, 2, 10)
	result := lua.LValue(lua.LNil)
	if base == 10 {
		switch v := CheckAny(L, 1).(type) {
		case lua.LNumber:
			result = v
		case lua.LString:
			if n, ok := lua51.ParseNumber(string(v)); ok {
				result = n
			}
		}
	} else {
		s := CheckString(L, 1)
		if base < 2 || base > 36 {
			ArgError(L, 2, "base out of range")
		}
		if n, ok := parseInBase(cString(s), base); ok {
			result = lua.LNumber(n)
		}
	}
	L.Push(result)
	return 1
}

// parseInBase reads an integer as C's strtoul does: spaces around it, a sign
// that wraps around, "0x" before base 16; too large is the largest one.
func parseInBase(s string, base int) (uint64, bool) {
	const spaces = " \t\n\v\f\r"
	s = strings.TrimRight(strings.TrimLeft(s, spaces), spaces)
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	if base == 16 && len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		s = s[2:]
	}
	if s == "" {
		return 0, false
	}
	var n uint64
	overflow := false
	for i := range len(s) {
		d := digitValue(s[i])
		if d >= base {
			return 0, false
		}
		if n > (math.MaxUint64-uint64(d))/uint64(base) {
			overflow = true
		}
		n = n*uint64(base) + uint64(d)
	}
	if overflow {
		return math.MaxUint64, true
	}
	if negative {
		n = -n
	}
	return n, true
}

func digitValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'z':
		return int(c|0x20-'a') + 10
	}
	return math.MaxInt
}

func baseType(L *lua.LState) int {
	return pushString(L, TypeName(CheckAny(L, 1)))
}

func baseUnpack(L *lua.LState) int {
	t := CheckTable(L, 1)
	i := OptInt(L, 2, 1)
	e := 0
	if L.Get(3) == lua.LNil {
		e = lua51.Length(t)
	} else {
		e = CheckInt(L, 3)
	}
	if i > e {
		return 0
	}
	n := e - i + 1
	if n+L.GetTop() > maxStack {
		Errorf(L, "too many results to unpack")
	}
	Alloc(L, n*slotBytes)
	for ; i <= e; i++ {
		L.Push(rawGetInt(t, i))
	}
	return n
}

func (m *machine) tostring(L *lua.LState) int {
	L.Push(m.toStringMeta(L, CheckAny(L, 1)))
	return 1
}

// toStringMeta returns what tostring returns: anything, if a __tostring
// metamethod says so.
func (m *machine) toStringMeta(L *lua.LState, v lua.LValue) lua.LValue {
	if handler := L.GetMetaField(v, "__tostring"); handler != lua.LNil {
		return m.call1(L, handler, v)
	}
	switch v := v.(type) {
	case lua.LString:
		return v
	case lua.LNumber:
		return lua.LString(lua51.FormatNumber(v))
	}
	return lua.LString(v.String())
}

func (m *machine) print(L *lua.LState) int {
	tostring := L.GetGlobal("tostring")
	var line strings.Builder
	n := L.GetTop()
	for i := 1; i <= n; i++ {
		v := m.call1(L, tostring, L.Get(i))
		if !lua.LVCanConvToString(v) {
			Errorf(L, "'tostring' must return a string to 'print'")
		}
		s := stringOf(v)
		allocString(L, line.Len()+len(s)+1)
		if i > 1 {
			line.WriteByte('\t')
		}
		line.WriteString(s)
	}
	if m.options.Print != nil {
		m.options.Print(line.String())
	}
	return 0
}

// stringOf converts a string or a number.
func stringOf(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return lua51.FormatNumber(v)
	}
	return v.String()
}

// cString cuts s where C would: at the first zero byte.
func cString(s string) string {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return s[:i]
	}
	return s
}
