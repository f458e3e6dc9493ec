package lualib

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// named reads a table of arguments by name, strictly: what is of another type
// than it should be, or was never asked for, is an error that names the verb.
type named struct {
	L     *lua.LState
	verb  string
	table *lua.LTable // nil: nothing was given
	known []string
}

// checkNamed returns argument n of verb, a table of names and values that may be
// absent.
func checkNamed(L *lua.LState, verb string, n int) *named {
	o := &named{L: L, verb: verb}
	if L.Get(n) != lua.LNil {
		o.table = CheckTable(L, n)
	}
	return o
}

func (o *named) fail(name, format string, args ...any) {
	Errorf(o.L, "%s: %s %s", o.verb, name, fmt.Sprintf(format, args...))
}

func (o *named) wrong(name, want string, v lua.LValue) {
	o.fail(name, "must be %s, not a %s", want, TypeName(v))
}

// get returns a value, nil where it is absent.
func (o *named) get(name string) lua.LValue {
	o.known = append(o.known, name)
	if o.table == nil {
		return lua.LNil
	}
	return o.table.RawGetString(name)
}

// need is get for a value that must be there.
func (o *named) need(name string) lua.LValue {
	v := o.get(name)
	if v == lua.LNil {
		o.fail(name, "is missing")
	}
	return v
}

// text returns a string, or absent.
func (o *named) text(name, absent string) string {
	v := o.get(name)
	if v == lua.LNil {
		return absent
	}
	return o.string(name, v)
}

func (o *named) needText(name string) string { return o.string(name, o.need(name)) }

func (o *named) string(name string, v lua.LValue) string {
	s, ok := v.(lua.LString)
	if !ok {
		o.wrong(name, "a string", v)
	}
	return string(s)
}

// oneOf returns a string that is among names, or absent.
func (o *named) oneOf(name, absent string, names ...string) string {
	s := o.text(name, absent)
	if s != absent && !slices.Contains(names, s) {
		o.fail(name, "must be one of %s, not %q", strings.Join(names, ", "), CutText(s, 100))
	}
	return s
}

// whole returns a whole number from low to high, or absent.
func (o *named) whole(name string, low, high, absent int64) int64 {
	v := o.get(name)
	if v == lua.LNil {
		return absent
	}
	n, ok := v.(lua.LNumber)
	if !ok {
		o.wrong(name, "a whole number", v)
	}
	if f := float64(n); f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		o.fail(name, "must be a whole number from %d to %d, not %v", low, high, f)
	}
	return int64(n)
}

// seconds returns a time from low to high, or absent.
func (o *named) seconds(name string, low, high, absent time.Duration) time.Duration {
	v := o.get(name)
	if v == lua.LNil {
		return absent
	}
	n, ok := v.(lua.LNumber)
	if !ok {
		o.wrong(name, "a number of seconds", v)
	}
	if f := float64(n); !(f >= low.Seconds() && f <= high.Seconds()) {
		o.fail(name, "must be from %v to %v seconds, not %v", low.Seconds(), high.Seconds(), f)
	}
	return time.Duration(float64(n) * float64(time.Second))
}

// flag returns true or false; absent is false.
func (o *named) flag(name string) bool {
	v := o.get(name)
	if v == lua.LNil {
		return false
	}
	b, ok := v.(lua.LBool)
	if !ok {
		o.wrong(name, "true or false", v)
	}
	return bool(b)
}

// dict returns a table, or nil.
func (o *named) dict(name string) *lua.LTable {
	v := o.get(name)
	if v == lua.LNil {
		return nil
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		o.wrong(name, "a table", v)
	}
	return t
}

// texts returns a string or a list of strings, nil where it is absent. What is there
// names something: an empty list, or an empty string, would restrict nothing where it
// was meant to.
func (o *named) texts(name string) []string {
	var all []string
	switch v := o.get(name).(type) {
	case *lua.LNilType:
		return nil
	case lua.LString:
		all = []string{string(v)}
	case *lua.LTable:
		count := 0
		for key, _ := v.Next(lua.LNil); key != lua.LNil; key, _ = v.Next(key) {
			count++
		}
		for i := 1; i <= count; i++ {
			all = append(all, o.string(fmt.Sprintf("%s[%d]", name, i), v.RawGetInt(i)))
		}
	default:
		o.wrong(name, "a string or a list of strings", v)
	}
	if len(all) == 0 || slices.Contains(all, "") {
		o.fail(name, "must not be empty")
	}
	return all
}

// done raises an error for what was never asked for.
func (o *named) done() {
	if o.table == nil {
		return
	}
	for key, _ := o.table.Next(lua.LNil); key != lua.LNil; key, _ = o.table.Next(key) {
		name, ok := key.(lua.LString)
		switch {
		case !ok:
			Errorf(o.L, "%s: options have names: write {%s = …}", o.verb, o.known[0])
		case !slices.Contains(o.known, string(name)):
			Errorf(o.L, "%s: unknown option %q: there are %s", o.verb, CutText(string(name), 100), strings.Join(o.known, ", "))
		}
	}
}

// checkText returns argument n, a string; numbers are none here.
func checkText(L *lua.LState, n int) string {
	s, ok := L.Get(n).(lua.LString)
	if !ok {
		TypeError(L, n, "string")
	}
	return string(s)
}

// checkWhole returns argument n, a whole number from low to high.
func checkWhole(L *lua.LState, n int, low, high int64) int64 {
	v, ok := L.Get(n).(lua.LNumber)
	if !ok {
		TypeError(L, n, "number")
	}
	if f := float64(v); f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		ArgError(L, n, fmt.Sprintf("it must be a whole number from %d to %d", low, high))
	}
	return int64(v)
}

// pushText counts and pushes a string.
func pushText(L *lua.LState, s string) int {
	allocString(L, len(s))
	return pushString(L, s)
}

// pushNothing pushes nil and why there is no result: for what is wrong with data
// of others, where an error would be raised for what is wrong with the script.
func pushNothing(L *lua.LState, reason string) int {
	L.Push(lua.LNil)
	return 1 + pushText(L, CutText(reason, 1000))
}
