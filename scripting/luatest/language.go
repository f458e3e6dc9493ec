package luatest

import (
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting"
	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// open creates the globals of tests.
func (w *world) open(b *scripting.Bench) {
	w.bench = b
	L := b.State()
	w.pcall, w.tostring = function(L, "", "pcall"), function(L, "", "tostring")
	w.textFind = function(L, "string", "find")
	for name, fn := range w.globals() {
		L.SetGlobal(name, L.NewFunction(fn))
	}
	w.openExpect(L)
	w.openTest(L)
	// Of the module router, tests have what makes values; what talks to
	// components is that of the module test, which answers them meanwhile.
	if router, ok := L.GetGlobal("router").(*lua.LTable); ok {
		keep := []string{"error", "result", "list", "binary"}
		router.ForEach(func(key, _ lua.LValue) {
			if !slices.Contains(keep, key.String()) {
				router.RawSet(key, lua.LNil)
			}
		})
		router.RawSetString("call", L.NewFunction(w.testCall))
		router.RawSetString("publish", L.NewFunction(w.testPublish))
	}
}

// globals are the functions that group and name tests.
func (w *world) globals() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"describe":    w.describe,
		"it":          w.it,
		"each":        w.each,
		"before_each": func(L *lua.LState) int { return w.hook(L, "before_each", &w.current.before) },
		"after_each":  func(L *lua.LState) int { return w.hook(L, "after_each", &w.current.after) },
	}
}

// function returns a function of the library, before a script can change it.
func function(L *lua.LState, module, name string) *lua.LFunction {
	from := L.Get(lua.GlobalsIndex)
	if module != "" {
		from = L.GetGlobal(module)
	}
	fn, _ := L.GetField(from, name).(*lua.LFunction)
	return fn
}

func here(L *lua.LState) string { return strings.TrimSuffix(lualib.Where(L, 1), ": ") }

func (w *world) mustCollect(L *lua.LState, what string) {
	if !w.collecting {
		lualib.Errorf(L, "%s works at the top level of the file and inside of describe only", what)
	}
}

// describe is describe(name, fn).
func (w *world) describe(L *lua.LState) int {
	name, fn := lualib.CheckString(L, 1), lualib.CheckFunction(L, 2)
	w.mustCollect(L, "describe")
	outer := w.current
	w.current = &group{parent: outer, name: name}
	defer func() { w.current = outer }() // errors are panics
	L.Push(fn)
	L.Call(0, 0)
	return 0
}

// it is it(name, fn); without fn the test is still to be written.
func (w *world) it(L *lua.LState) int {
	c := &testCase{group: w.current, name: lualib.CheckString(L, 1), where: here(L)}
	if L.Get(2) != lua.LNil {
		c.run = lualib.CheckFunction(L, 2)
	}
	w.add(L, c, "it")
	return 0
}

func (w *world) add(L *lua.LState, c *testCase, what string) {
	w.mustCollect(L, what)
	if len(w.cases) == maxTests {
		lualib.Errorf(L, "a file has at most %d tests", maxTests)
	}
	w.cases = append(w.cases, c)
}

// each is each(cases, name, fn): a test for each case. A case that is a list is
// handed over as arguments; {1} in the name stands for the first, and {field} for
// that of a case with names.
func (w *world) each(L *lua.LState) int {
	cases, name, fn := lualib.CheckTable(L, 1), lualib.CheckString(L, 2), lualib.CheckFunction(L, 3)
	if cases.Len() == 0 {
		lualib.Errorf(L, "each: the list of cases is empty")
	}
	for i := 1; i <= cases.Len(); i++ {
		row := cases.RawGetInt(i)
		c := &testCase{group: w.current, where: here(L), run: fn, args: []lua.LValue{row}}
		t, isTable := row.(*lua.LTable)
		if !isTable {
			t = L.NewTable()
			t.RawSetInt(1, row)
		} else if last := lastIndex(t); last > 0 {
			c.args = make([]lua.LValue, last)
			for j := range c.args {
				c.args[j] = t.RawGetInt(j + 1)
			}
		}
		c.name = fillIn(name, t)
		if c.name == name && cases.Len() > 1 {
			c.name = fmt.Sprintf("%s (case %d)", name, i)
		}
		w.add(L, c, "each")
	}
	return 0
}

// lastIndex is the highest index of a list that may have holes; its field n, if
// any, says so.
func lastIndex(t *lua.LTable) int {
	last := t.Len()
	t.ForEach(func(key, value lua.LValue) {
		n, ok := key.(lua.LNumber)
		if count, isCount := value.(lua.LNumber); key == lua.LString("n") && isCount {
			n, ok = count, true
		}
		if ok && int(n) > last && n <= 200 {
			last = int(n)
		}
	})
	return last
}

// fillIn puts the values of a case into the name of its test.
func fillIn(name string, t *lua.LTable) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(name, "{")
		key, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			b.WriteString(name)
			return b.String()
		}
		var field lua.LValue = lua.LString(key)
		if n, ok := lua51.ParseNumber(key); ok {
			field = n
		}
		b.WriteString(before)
		switch v := t.RawGet(field).(type) {
		case lua.LString:
			b.WriteString(lualib.CutText(string(v), 60))
		default:
			b.WriteString(lualib.CutText(show(v), 60))
		}
		name = after
	}
}

// hook is before_each(fn) and after_each(fn).
func (w *world) hook(L *lua.LState, what string, to *[]*lua.LFunction) int {
	fn := lualib.CheckFunction(L, 1)
	w.mustCollect(L, what)
	*to = append(*to, fn)
	return 0
}
