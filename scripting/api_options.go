package scripting

import (
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/router/wamp"
	"usher/scripting/lualib"
)

// option is one that a verb knows, spelled as in WAMP.
type option struct {
	name string
	read func(o *optionValue)
}

// optionValue is the value that a script gave to an option. Reading it as what
// it is not raises an error with the position of the verb's call.
type optionValue struct {
	L     *lua.LState
	verb  string
	name  string
	value lua.LValue
}

// readOptions reads the table t, which may be nil, of a verb's options.
func readOptions(L *lua.LState, verb string, t *lua.LTable, known []option) {
	if t == nil {
		return
	}
next:
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		name, ok := key.(lua.LString)
		if !ok {
			lualib.Errorf(L, "%s: options have names: write {%s = …}", verb, known[0].name)
		}
		for _, o := range known {
			if o.name == string(name) {
				o.read(&optionValue{L, verb, o.name, value})
				continue next
			}
		}
		unknownOption(L, verb, string(name), known)
	}
}

func unknownOption(L *lua.LState, verb, name string, known []option) {
	names := make([]string, len(known))
	for i, o := range known {
		names[i] = o.name
	}
	last := len(names) - 1
	list := names[last]
	if last > 0 {
		list = strings.Join(names[:last], ", ") + " and " + list
	}
	lualib.Errorf(L, "%s: unknown option %q: there are %s", verb, lualib.CutText(name, 100), list)
}

func (o *optionValue) fail(want string) {
	lualib.Errorf(o.L, "%s: %s must be %s, not a %s", o.verb, o.name, want, lualib.TypeName(o.value))
}

func (o *optionValue) bool() wamp.Bool { return boolField(o.L, o.verb, o.name, o.value) }

func (o *optionValue) isTrue() bool { return o.bool() == wamp.True }

func (o *optionValue) string() string { return stringField(o.L, o.verb, o.name, o.value) }

// oneOf is a string that must be among names.
func (o *optionValue) oneOf(names ...string) string {
	s := o.string()
	for _, name := range names {
		if s == name {
			return s
		}
	}
	last := len(names) - 1
	lualib.Errorf(o.L, "%s: %s must be \"%s\" or %q, not %q", o.verb, o.name, strings.Join(names[:last], `", "`), names[last], lualib.CutText(s, 100))
	return ""
}

func (o *optionValue) match() wamp.Match {
	m, _ := wamp.ParseMatch(o.oneOf("exact", "prefix", "wildcard"))
	return m
}

// whole is a whole number from 0 to most.
func (o *optionValue) whole(most float64) uint64 {
	n, ok := o.value.(lua.LNumber)
	if f := float64(n); !ok || f < 0 || f > most || f != math.Trunc(f) {
		if ok {
			lualib.Errorf(o.L, "%s: %s must be a whole number from 0 to %.0f, not %v", o.verb, o.name, most, f)
		}
		o.fail("a whole number")
	}
	return uint64(n)
}

// function is a function to be called later.
func (o *optionValue) function() *lua.LFunction {
	fn, ok := o.value.(*lua.LFunction)
	if !ok {
		o.fail("a function")
	}
	return fn
}

// list hands the items of a list to f.
func (o *optionValue) list(f func(item *optionValue)) {
	t, ok := o.value.(*lua.LTable)
	if !ok {
		o.fail("a list")
	}
	count := 0
	for key, _ := t.Next(lua.LNil); key != lua.LNil; key, _ = t.Next(key) {
		count++
	}
	for i := 1; i <= count; i++ {
		item := t.RawGetInt(i)
		if item == lua.LNil {
			lualib.Errorf(o.L, "%s: %s must be a list, without names and gaps", o.verb, o.name)
		}
		f(&optionValue{o.L, o.verb, "each of " + o.name, item})
	}
}

// ids is a list of session ids; never nil.
func (o *optionValue) ids() []wamp.ID {
	all := []wamp.ID{}
	o.list(func(item *optionValue) { all = append(all, wamp.ID(item.whole(float64(wamp.MaxID)))) })
	return all
}

// strings is a list of strings; never nil.
func (o *optionValue) strings() []string {
	all := []string{}
	o.list(func(item *optionValue) { all = append(all, item.string()) })
	return all
}

// maxTimeout bounds a time-out in milliseconds: those of messages are integers
// that every client can read.
const maxTimeout = 1<<31 - 1

// declarationOptions are those of router.authenticator, register and subscribe,
// read into to.
func declarationOptions(k kind, to *options) []option {
	match := option{"match", func(o *optionValue) { to.match = o.match() }}
	switch k {
	case kindProcedure:
		return []option{
			match,
			{"invoke", func(o *optionValue) {
				to.invoke = o.oneOf(wamp.InvokeSingle, wamp.InvokeFirst, wamp.InvokeLast, wamp.InvokeRoundRobin, wamp.InvokeRandom)
			}},
			{"concurrency", func(o *optionValue) { to.concurrency = int(o.whole(math.MaxInt32)) }},
			{"disclose_caller", func(o *optionValue) { to.discloseCaller = o.bool() }},
			{"force_reregister", func(o *optionValue) { to.forceReregister = o.isTrue() }},
			{"forward_timeout", func(o *optionValue) { to.forwardTimeout = o.isTrue() }},
		}
	case kindSubscription:
		return []option{
			match,
			{"get_retained", func(o *optionValue) { to.getRetained = o.isTrue() }},
			{"concurrent", func(o *optionValue) { to.concurrent = o.isTrue() }},
		}
	}
	return nil
}

// checkOptions reads the options of a declaration.
func checkOptions(L *lua.LState, k kind, t *lua.LTable) options {
	var o options
	known := declarationOptions(k, &o)
	if known == nil {
		lualib.Errorf(L, "%s has no options", k.verb())
	}
	readOptions(L, k.verb(), t, known)
	return o
}

// publishOptions reads the options of router.publish.
func publishOptions(L *lua.LState, t *lua.LTable) wamp.PublishOptions {
	var to wamp.PublishOptions
	var a wamp.Audience
	narrow := func() *wamp.Audience {
		to.Audience = &a
		return &a
	}
	readOptions(L, "router.publish", t, []option{
		{"acknowledge", func(o *optionValue) { to.Acknowledge = o.isTrue() }},
		{"retain", func(o *optionValue) { to.Retain = o.isTrue() }},
		{"exclude_me", func(o *optionValue) { to.ExcludeMe = o.bool() }},
		{"disclose_me", func(o *optionValue) { to.DiscloseMe = o.bool() }},
		{"exclude", func(o *optionValue) { narrow().Exclude = o.ids() }},
		{"exclude_authid", func(o *optionValue) { narrow().ExcludeAuthid = o.strings() }},
		{"exclude_authrole", func(o *optionValue) { narrow().ExcludeAuthrole = o.strings() }},
		{"eligible", func(o *optionValue) { narrow().Eligible = o.ids() }},
		{"eligible_authid", func(o *optionValue) { narrow().EligibleAuthid = o.strings() }},
		{"eligible_authrole", func(o *optionValue) { narrow().EligibleAuthrole = o.strings() }},
	})
	return to
}
