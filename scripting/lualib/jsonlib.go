package lualib

import (
	lua "github.com/yuin/gopher-lua"

	"usher/scripting/luaconv"
)

// maxJSON bounds a text that is decoded; what is made of it counts, too.
const maxJSON = 8 << 20

// OpenJSON creates the global table json: encode(value) and decode(text), which
// returns nil and why, with the offset, where text is not JSON. What corresponds
// to what is as in a WAMP payload: null is the value null, {} an object and
// router.list{} an empty array, an integer beyond 2^53 a string of digits.
func OpenJSON(L *lua.LState, values *luaconv.Converter) {
	L.SetGlobal("json", newModule(L, map[string]lua.LGFunction{
		"encode": func(L *lua.LState) int {
			data, err := values.AppendJSON(meterOf(L), CheckAny(L, 1))
			if err != nil {
				Errorf(L, "json.encode: %v", err)
			}
			return pushText(L, string(data))
		},
		"decode": func(L *lua.LState) int {
			text := checkText(L, 1)
			if len(text) > maxJSON {
				Errorf(L, "json.decode: the text has more than %d bytes", maxJSON)
			}
			return pushJSON(L, values, text)
		},
	}))
}

// pushJSON pushes the value of a JSON text, or nil and why there is none.
func pushJSON(L *lua.LState, values *luaconv.Converter, text string) int {
	Alloc(L, len(text))
	v, err := values.ValueJSON(meterOf(L), []byte(text))
	if err != nil {
		checkStopped(L)
		return pushNothing(L, "this is not JSON: "+err.Error())
	}
	L.Push(v)
	return 1
}
