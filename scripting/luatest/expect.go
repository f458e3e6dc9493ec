package luatest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// Failure is one expectation that was not met, or another reason why a test
// failed.
type Failure struct {
	Where    string // file:line
	What     string // in a few words
	Expected string // empty: there is none to compare
	Got      string
	Details  []string // lines that say more
}

// expectation is what expect(value) returns.
type expectation struct {
	value lua.LValue
	never bool
}

// matcher judges a value; the first result is what was expected.
type matcher struct {
	what string
	args int
	test func(w *world, L *lua.LState, got lua.LValue) verdict
}

type verdict struct {
	ok       bool
	expected string
	got      string // empty: the value
	details  []string
	results  []lua.LValue // of the method
}

func matchers() map[string]matcher {
	simple := func(what string, ok func(lua.LValue) bool) matcher {
		return matcher{what, 0, func(_ *world, _ *lua.LState, got lua.LValue) verdict { return verdict{ok: ok(got), expected: what} }}
	}
	number := func(what string, ok func(got, want float64) bool) matcher {
		return matcher{what, 1, func(_ *world, L *lua.LState, got lua.LValue) verdict {
			want := lualib.CheckNumber(L, 2)
			n, isNumber := got.(lua.LNumber)
			return verdict{ok: isNumber && ok(float64(n), want), expected: what + " " + lua51.FormatNumber(lua.LNumber(want))}
		}}
	}
	return map[string]matcher{
		"to_be": {"the same value", 1, func(_ *world, L *lua.LState, got lua.LValue) verdict {
			want := L.Get(2)
			v := verdict{ok: same(want, got), expected: show(want)}
			if _, ok := want.(*lua.LTable); ok && !v.ok {
				v.details = []string{"tables are the same only where they are one table: to_equal compares what they hold"}
			}
			return v
		}},
		"to_equal": {"an equal value", 1, func(_ *world, L *lua.LState, got lua.LValue) verdict {
			want := L.Get(2)
			d := differences(want, got)
			v := verdict{ok: len(d) == 0, expected: show(want)}
			_, a := want.(*lua.LTable)
			if _, b := got.(*lua.LTable); a && b {
				v.details = d
			}
			return v
		}},
		"to_contain":   {"to contain", 1, toContain},
		"to_match":     {"to match", 1, toMatch},
		"to_raise":     {"an error", 0, toRaise},
		"to_be_nil":    simple("nil", func(v lua.LValue) bool { return v == lua.LNil }),
		"to_be_true":   simple("true", func(v lua.LValue) bool { return v == lua.LTrue }),
		"to_be_false":  simple("false", func(v lua.LValue) bool { return v == lua.LFalse }),
		"to_be_truthy": simple("neither nil nor false", lua.LVAsBool),
		"to_be_falsy":  simple("nil or false", lua.LVIsFalse),
		"to_be_a": {"a value of a type", 1, func(_ *world, L *lua.LState, got lua.LValue) verdict {
			want := lualib.CheckString(L, 2)
			return verdict{ok: lualib.TypeName(got) == want, expected: "a " + want}
		}},
		"to_be_above": number("more than", func(got, want float64) bool { return got > want }),
		"to_be_below": number("less than", func(got, want float64) bool { return got < want }),
		"to_be_near": {"a number near", 1, func(_ *world, L *lua.LState, got lua.LValue) verdict {
			want, by := lualib.CheckNumber(L, 2), lualib.OptNumber(L, 3, 1e-9)
			n, ok := got.(lua.LNumber)
			return verdict{
				ok:       ok && math.Abs(float64(n)-want) <= by,
				expected: fmt.Sprintf("%s, give or take %s", lua51.FormatNumber(lua.LNumber(want)), lua51.FormatNumber(lua.LNumber(by))),
			}
		}},
	}
}

func toContain(_ *world, L *lua.LState, got lua.LValue) verdict {
	want := lualib.CheckAny(L, 2)
	v := verdict{expected: "something with " + show(want)}
	if text, ok := got.(lua.LString); ok {
		part, isText := want.(lua.LString)
		v.ok = isText && strings.Contains(string(text), string(part))
		return v
	}
	v.ok = contains(want, got)
	return v
}

// toMatch takes a pattern of Lua's.
func toMatch(w *world, L *lua.LState, got lua.LValue) verdict {
	pattern := lualib.CheckString(L, 2)
	text, ok := got.(lua.LString)
	return verdict{ok: ok && w.find(L, string(text), pattern), expected: "a text that matches " + quote(pattern)}
}

// toRaise calls the value. What it raises must have the URI, or contain the text,
// that is given, if any; it is what the method returns.
func toRaise(w *world, L *lua.LState, got lua.LValue) verdict {
	fn, ok := got.(*lua.LFunction)
	if !ok {
		lualib.Errorf(L, "to_raise: expect a function, as in expect(function() … end):to_raise()")
	}
	v := verdict{expected: "an error", got: "none"}
	want := lualib.OptString(L, 2, "")
	if want != "" {
		v.expected = "an error with " + quote(want)
	}
	_, raised := w.protected(L, fn)
	if raised == nil {
		return v
	}
	v.results = []lua.LValue{raised}
	uri := w.bench.Reason(raised)
	text := w.text(L, raised)
	v.got = "the error " + quote(text)
	v.ok = want == "" || uri == want || strings.Contains(text, want)
	return v
}

// openExpect creates the global function expect.
func (w *world) openExpect(L *lua.LState) {
	meta := L.NewTable()
	methods := L.NewTable()
	for name, m := range matchers() {
		methods.RawSetString(name, L.NewFunction(func(L *lua.LState) int { return w.judge(L, name, m) }))
	}
	meta.RawSetString("__metatable", lua.LFalse)
	meta.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		name := lualib.CheckString(L, 2)
		if method := methods.RawGetString(name); method != lua.LNil {
			L.Push(method)
			return 1
		}
		ud, ok := L.Get(1).(*lua.LUserData)
		e, isExpectation := (*expectation)(nil), false
		if ok {
			e, isExpectation = ud.Value.(*expectation)
		}
		if name != "never" || !isExpectation {
			lualib.Errorf(L, "expect has no %s: there are never, %s", quote(lualib.CutText(name, 100)), strings.Join(slices.Sorted(maps.Keys(matchers())), ", "))
		}
		L.Push(&lua.LUserData{Value: &expectation{e.value, !e.never}, Metatable: meta})
		return 1
	}))
	L.SetGlobal("expect", L.NewFunction(func(L *lua.LState) int {
		L.Push(&lua.LUserData{Value: &expectation{value: L.Get(1)}, Metatable: meta})
		return 1
	}))
}

func (w *world) judge(L *lua.LState, name string, m matcher) int {
	ud, ok := L.Get(1).(*lua.LUserData)
	var e *expectation
	if ok {
		e, ok = ud.Value.(*expectation)
	}
	if !ok {
		lualib.Errorf(L, "write expect(value):%s(…), with a colon", name)
	}
	if L.GetTop()-1 < m.args {
		lualib.Errorf(L, "%s needs a value to compare with", name)
	}
	v := m.test(w, L, e.value)
	if v.ok != e.never {
		for _, r := range v.results {
			L.Push(r)
		}
		return len(v.results)
	}
	if v.got == "" {
		v.got = show(e.value)
	}
	if e.never {
		v.expected, v.details = "never "+v.expected, nil
	}
	where := strings.TrimSuffix(lualib.Where(L, 1), ": ")
	w.fail(&Failure{Where: where, What: name, Expected: v.expected, Got: v.got, Details: v.details})
	lualib.Raise(L, lua.LString(where+": expected "+v.expected+", got "+v.got))
	return 0
}
