package lua51

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// The helpers are what the machine's own instructions get wrong or leave
// unbounded. Compiled code holds them as constants, so that a call needs no
// look-up and no script can see or replace them. They keep no state: all
// states share them.
var (
	helperConcat = &lua.LFunction{IsG: true, GFunction: concat}
	helperMod    = &lua.LFunction{IsG: true, GFunction: mod}
	helperPow    = &lua.LFunction{IsG: true, GFunction: pow}
	helperUnm    = &lua.LFunction{IsG: true, GFunction: unm}
	helperLen    = &lua.LFunction{IsG: true, GFunction: length}
	helperPack   = &lua.LFunction{IsG: true, GFunction: pack}
	helperFor    = &lua.LFunction{IsG: true, GFunction: forNumbers}
)

// signedHelpers are the operations whose result may be -0.
var signedHelpers = map[int]*lua.LFunction{
	lua.OP_ADD: {IsG: true, GFunction: add},
	lua.OP_SUB: {IsG: true, GFunction: sub},
	lua.OP_MUL: {IsG: true, GFunction: mul},
	lua.OP_DIV: {IsG: true, GFunction: div},
}

// toNumber converts a number or a numeric string.
func toNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		n, ok := ParseNumber(string(v))
		return float64(n), ok
	}
	return 0, false
}

// modulo is a % b. The conversion keeps the compiler from fusing the product
// and the difference, whose rounding the language defines.
func modulo(a, b float64) float64 { return a - float64(math.Floor(a/b)*b) }

func power(a, b float64) float64 { return Pow(a, b) }

func add(L *lua.LState) int {
	return arithmetic(L, "__add", func(a, b float64) float64 { return a + b })
}

func sub(L *lua.LState) int {
	return arithmetic(L, "__sub", func(a, b float64) float64 { return a - b })
}

func mul(L *lua.LState) int {
	return arithmetic(L, "__mul", func(a, b float64) float64 { return a * b })
}

func div(L *lua.LState) int {
	return arithmetic(L, "__div", func(a, b float64) float64 { return a / b })
}

func mod(L *lua.LState) int { return arithmetic(L, "__mod", modulo) }
func pow(L *lua.LState) int { return arithmetic(L, "__pow", power) }

// unm is unary minus, whose metamethod gets the operand twice.
func unm(L *lua.LState) int {
	v := L.Get(1)
	if n, ok := toNumber(v); ok {
		L.Push(-lua.LNumber(n))
		return 1
	}
	if !callBinary(L, v, v, "__unm") {
		raiseOperand(L, "perform arithmetic on", 1, v)
	}
	return 1
}

// arithmetic applies an operator to the first two arguments. A third is what the
// machine made of them, which stays if they are not numbers.
func arithmetic(L *lua.LState, event string, apply func(a, b float64) float64) int {
	left, right := L.Get(1), L.Get(2)
	if a, ok := left.(lua.LNumber); ok {
		if b, ok := right.(lua.LNumber); ok {
			L.Push(lua.LNumber(apply(float64(a), float64(b))))
			return 1
		}
	}
	a, aok := toNumber(left)
	b, bok := toNumber(right)
	if aok && bok {
		L.Push(lua.LNumber(apply(a, b)))
		return 1
	}
	if L.GetTop() == 3 {
		return 1
	}
	if callBinary(L, left, right, event) {
		return 1
	}
	if aok {
		raiseOperand(L, "perform arithmetic on", 2, right)
	}
	raiseOperand(L, "perform arithmetic on", 1, left)
	return 0
}

// callBinary pushes the result of an operator's metamethod, if there is one.
func callBinary(L *lua.LState, left, right lua.LValue, event string) bool {
	handler := metamethod(L, left, event)
	if handler == lua.LNil {
		handler = metamethod(L, right, event)
	}
	if handler == lua.LNil {
		return false
	}
	L.Push(handler)
	L.Push(left)
	L.Push(right)
	L.Call(2, 1)
	return true
}

// metamethod returns the handler that a value's metatable has for an event.
// Strings have none for operators: those of arithmetic are this package's own.
func metamethod(L *lua.LState, v lua.LValue, event string) lua.LValue {
	var meta lua.LValue
	switch v := v.(type) {
	case *lua.LTable:
		meta = v.Metatable
	case *lua.LUserData:
		meta = v.Metatable
	}
	if meta, ok := meta.(*lua.LTable); ok {
		return meta.RawGetString(event)
	}
	return lua.LNil
}

// length is #v: metamethods count for userdata only.
func length(L *lua.LState) int {
	v := L.Get(1)
	switch v := v.(type) {
	case *lua.LTable:
		L.Push(lua.LNumber(Length(v)))
		return 1
	case lua.LString:
		L.Push(lua.LNumber(len(v)))
		return 1
	case *lua.LUserData:
		if handler := metamethod(L, v, "__len"); handler != lua.LNil {
			L.Push(handler)
			L.Push(v)
			L.Call(1, 1)
			return 1
		}
	}
	raiseOperand(L, "get length of", 1, v)
	return 0
}

// forNumbers converts the initial value, limit and step of a numeric for.
func forNumbers(L *lua.LState) int {
	for i, what := range [...]string{"initial value", "limit", "step"} {
		v := L.Get(i + 1)
		if _, ok := v.(lua.LNumber); ok {
			continue
		}
		n, ok := toNumber(v)
		if !ok {
			L.RaiseError("'for' %s must be a number", what)
		}
		L.Replace(i+1, lua.LNumber(n))
	}
	return 3
}

// pack is the constructor {...}: a table whose array part is just as long as the
// list of all arguments, which [Length] goes by.
func pack(L *lua.LState) int {
	n := L.GetTop()
	t := L.CreateTable(n, 0)
	for i := 1; i <= n; i++ {
		t.RawSetInt(i, L.Get(i))
	}
	L.Push(t)
	return 1
}
