package lualib

import (
	"math"
	"math/rand/v2"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

func (m *machine) openMath(L *lua.LState, globals *lua.LTable) {
	functions := map[string]lua.LGFunction{
		"frexp":      mathFrexp,
		"ldexp":      mathLdexp,
		"max":        mathMax,
		"min":        mathMin,
		"modf":       mathModf,
		"random":     m.mathRandom,
		"randomseed": m.mathRandomseed,
	}
	for name, fn := range map[string]func(float64) float64{
		"abs": math.Abs, "acos": math.Acos, "asin": math.Asin, "atan": math.Atan, "ceil": math.Ceil,
		"cos": math.Cos, "cosh": math.Cosh, "exp": math.Exp, "floor": math.Floor, "log": math.Log,
		"log10": math.Log10, "sin": math.Sin, "sinh": math.Sinh, "sqrt": math.Sqrt, "tan": math.Tan, "tanh": math.Tanh,
		"deg": func(x float64) float64 { return x / (math.Pi / 180) },
		"rad": func(x float64) float64 { return x * (math.Pi / 180) },
	} {
		functions[name] = func(L *lua.LState) int {
			x := CheckNumber(L, 1)
			return pushNumber(L, likeC(name, fn(x), x, x))
		}
	}
	for name, fn := range map[string]func(x, y float64) float64{
		"atan2": math.Atan2, "fmod": math.Mod, "pow": lua51.Pow,
	} {
		functions[name] = func(L *lua.LState) int {
			y := CheckNumber(L, 2) // the last first: C evaluates arguments so
			x := CheckNumber(L, 1)
			return pushNumber(L, likeC(name, fn(x, y), x, y))
		}
	}
	module := newModule(L, functions)
	module.RawSetString("mod", module.RawGetString("fmod"))
	module.RawSetString("pi", lua.LNumber(math.Pi))
	module.RawSetString("huge", lua.LNumber(math.Inf(1)))
	globals.RawSetString("math", module)
}

func pushNumber(L *lua.LState, f float64) int {
	L.Push(lua.LNumber(f))
	return 1
}

// likeC gives a result that is not a number the sign that C's library gives it
// on linux/amd64, where it prints as nan or -nan: that of the argument which is
// none, else a minus but for a few functions.
func likeC(name string, result, x, y float64) float64 {
	switch {
	case !math.IsNaN(result) || name == "abs":
		return result
	case math.IsNaN(x):
		return x
	case math.IsNaN(y):
		return y
	case name == "acos" || name == "asin" || name == "log10":
		return math.Copysign(result, 1)
	}
	return math.Copysign(result, -1)
}

func mathFrexp(L *lua.LState) int {
	fraction, exponent := math.Frexp(CheckNumber(L, 1))
	L.Push(lua.LNumber(fraction))
	L.Push(lua.LNumber(exponent))
	return 2
}

func mathLdexp(L *lua.LState) int {
	exponent := CheckInt(L, 2)
	return pushNumber(L, math.Ldexp(CheckNumber(L, 1), exponent))
}

func mathMax(L *lua.LState) int {
	largest := CheckNumber(L, 1)
	for i := 2; i <= L.GetTop(); i++ {
		if f := CheckNumber(L, i); f > largest {
			largest = f
		}
	}
	return pushNumber(L, largest)
}

func mathMin(L *lua.LState) int {
	smallest := CheckNumber(L, 1)
	for i := 2; i <= L.GetTop(); i++ {
		if f := CheckNumber(L, i); f < smallest {
			smallest = f
		}
	}
	return pushNumber(L, smallest)
}

// mathModf keeps the sign of a zero fraction and has 0 for that of infinity,
// as C has.
func mathModf(L *lua.LState) int {
	f := CheckNumber(L, 1)
	whole := math.Trunc(f)
	fraction := math.Copysign(f-whole, f)
	if math.IsInf(f, 0) {
		fraction = math.Copysign(0, f)
	}
	L.Push(lua.LNumber(whole))
	L.Push(lua.LNumber(fraction))
	return 2
}

func (m *machine) mathRandom(L *lua.LState) int {
	r := m.random.Float64()
	switch L.GetTop() {
	case 0:
		return pushNumber(L, r)
	case 1:
		high := CheckInt(L, 1)
		if high < 1 {
			ArgError(L, 1, "interval is empty")
		}
		return pushNumber(L, math.Floor(r*float64(high))+1)
	case 2:
		low, high := CheckInt(L, 1), CheckInt(L, 2)
		if low > high {
			ArgError(L, 2, "interval is empty")
		}
		return pushNumber(L, math.Floor(r*float64(high-low+1))+float64(low))
	}
	Errorf(L, "wrong number of arguments")
	return 0
}

func (m *machine) mathRandomseed(L *lua.LState) int {
	m.random = rand.New(rand.NewPCG(uint64(CheckInt(L, 1)), 0))
	return 0
}
