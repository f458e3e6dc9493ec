package lualib

import (
	"math"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// OpenTime creates the global table time, where a time is seconds since 1970
// with a fraction:
//
//	now(), monotonic()    the second is good for differences only
//	parse(text)           of RFC 3339, such as 2026-11-26T12:00:00Z; or nil and why
//	format(seconds)       RFC 3339 in UTC, with milliseconds where there are any
func OpenTime(L *lua.LState) {
	start := now(L)
	L.SetGlobal("time", newModule(L, map[string]lua.LGFunction{
		"now": func(L *lua.LState) int {
			return pushNumber(L, float64(now(L).UnixMicro())/1e6)
		},
		"monotonic": func(L *lua.LState) int { return pushNumber(L, now(L).Sub(start).Seconds()) },
		"parse": func(L *lua.LState) int {
			t, err := time.Parse(time.RFC3339Nano, checkText(L, 1))
			if err != nil {
				return pushNothing(L, "this is not a time such as 2026-11-26T12:00:00Z")
			}
			return pushNumber(L, float64(t.Unix())+float64(t.Nanosecond()/1000)/1e6)
		},
		"format": func(L *lua.LState) int {
			seconds, ok := L.Get(1).(lua.LNumber)
			if !ok {
				TypeError(L, 1, "number")
			}
			t := time.UnixMilli(0)
			if ms := math.Round(float64(seconds) * 1000); ms >= -62167219200000 && ms < 253402300800000 {
				t = time.UnixMilli(int64(ms)).UTC()
			} else {
				ArgError(L, 1, "the year must be from 0 to 9999")
			}
			return pushText(L, t.Format("2006-01-02T15:04:05.999Z07:00"))
		},
	}))
}

// OpenEnv creates the global table env: get(name), which is os.getenv.
func OpenEnv(L *lua.LState) {
	L.SetGlobal("env", newModule(L, map[string]lua.LGFunction{
		"get": func(L *lua.LState) int {
			checkText(L, 1)
			if m := machineOf(L); m != nil {
				return m.osGetenv(L)
			}
			L.Push(lua.LNil)
			return 1
		},
	}))
}
