package scripting

import (
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/wamp"
	"usher/scripting/lualib"
)

// The bounds on a timer.
const (
	minEvery = 10 * time.Millisecond
	maxTimer = 366 * 24 * time.Hour
	// maxTimers are those of one top level.
	maxTimers = 100
)

// routerEvery is router.every(seconds, fn), at the top level only.
func (v *vm) routerEvery(L *lua.LState) int {
	interval := checkSeconds(L, "router.every", minEvery)
	v.declareTimer(L, "router.every", true, interval)
	return 0
}

// routerAfter is router.after(seconds, fn) at the top level: once in each
// generation; and router.after(seconds, uri, args, kwargs) in handlers: a call
// that is put off.
func (v *vm) routerAfter(L *lua.LState) int {
	wait := checkSeconds(L, "router.after", 0)
	uri, ok := L.Get(2).(lua.LString)
	if !ok {
		v.declareTimer(L, "router.after", false, wait)
		return 0
	}
	if !wamp.ValidURI(string(uri)) {
		lualib.ArgError(L, 2, "this is not a URI: give a function, or a procedure to be called")
	}
	args, kwargs := optTable(L, 3), optTable(L, 4)
	if !v.sealed {
		v.topLevelError(L, "router.after with a procedure")
	}
	p, err := v.values.AppendPayload(v.budget, scriptFormat, args, kwargs)
	if err != nil {
		lualib.Errorf(L, "router.after: %v", err)
	}
	if err := v.gen.component.later(wait, string(uri), p.Clone()); err != nil {
		lualib.Errorf(L, "router.after: %v", err)
	}
	return 0
}

func checkSeconds(L *lua.LState, verb string, low time.Duration) time.Duration {
	n, ok := L.Get(1).(lua.LNumber)
	if !ok {
		lualib.TypeError(L, 1, "number of seconds")
	}
	if f := float64(n); !(f >= low.Seconds() && f <= maxTimer.Seconds()) {
		lualib.Errorf(L, "%s: the time must be from %v to %v seconds", verb, low.Seconds(), maxTimer.Seconds())
	}
	return time.Duration(float64(n) * float64(time.Second))
}

// declareTimer notes a timer, or its function on a VM after the first.
func (v *vm) declareTimer(L *lua.LState, verb string, every bool, interval time.Duration) {
	fn := lualib.CheckFunction(L, 2)
	g := v.gen
	switch {
	case v.sealed:
		lualib.Errorf(L, "%s with a function works at the top level only: router.after takes a procedure's URI, too", verb)
	case g.session == nil:
		lualib.Errorf(L, "%s: router.join first", verb)
	case v.load != nil:
		if len(g.timers) == maxTimers {
			lualib.Errorf(L, "%s: there are %d timers already", verb, maxTimers)
		}
		t := &timer{generation: g, every: every, interval: interval, index: len(g.timers), where: strings.TrimSuffix(lualib.Where(L, 1), ": ")}
		for _, other := range g.timers {
			if other.every == every && other.interval == interval {
				t.nth++
			}
		}
		g.timers = append(g.timers, t)
	case len(v.ticks) >= len(g.timers) || g.timers[len(v.ticks)].every != every || g.timers[len(v.ticks)].interval != interval:
		lualib.Errorf(L, "%s: the first VM of this generation did not declare this timer: the top level must do the same in each VM", verb)
	}
	v.ticks = append(v.ticks, fn)
}
