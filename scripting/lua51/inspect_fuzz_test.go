package lua51

import "testing"

// What compiles can be inspected and counted, and nothing else.
func FuzzInspect(f *testing.F) {
	for _, text := range []string{
		"local a, b = 1 for i, v in pairs(t) do local a = i end",
		"local function f(a, ...) if a then return ... else return end end f()",
		"repeat local x = 1 until x while true do break end",
		"x.y = function() return function() x = 1 end end",
		"local t = {} function t.a:b(c) self = c end",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Compile("a.lua", []byte(text))
		if _, inspected := Inspect("a.lua", []byte(text)); (inspected == nil) != (err == nil) {
			t.Errorf("compiled: %v; inspected: %v", err, inspected)
		}
		if _, counted := NewCoverage().Compile("a.lua", []byte(text)); (counted == nil) != (err == nil) {
			t.Errorf("compiled: %v; counted: %v", err, counted)
		}
	})
}
