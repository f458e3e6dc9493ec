package lua51

import (
	"fmt"
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	for name, test := range map[string]struct{ source, want string }{
		"unused local":          {"local a = 1", "1 unused local 'a'"},
		"used later":            {"local a = 1\nlocal function f() return a end\nf()", ""},
		"underscore":            {"local _, _x = f()", ""},
		"in the way":            {"local ok, err = pcall(f)\nprint(err)", ""},
		"not in the way":        {"local ok, err = pcall(f)\nprint(ok)", "1 unused local 'err'"},
		"only written":          {"local a\na = 1\na = 2", "1 local 'a' is given values that nothing reads"},
		"written in a closure":  {"local a = 0\nlocal function f() a = a + 1 end\nf()", ""},
		"only written in one":   {"local a = 0\nlocal function f() a = 1 a = 2 end\nf()", "1 local 'a' is given values that nothing reads"},
		"written, then read":    {"local function f() local n\nlocal function g() print(n) n = 1 end g() end f()", ""},
		"field of a local":      {"local t = {}\nt.x = 1", ""},
		"unused function":       {"local function f() end", "1 unused local function 'f'"},
		"argument":              {"local function f(a, b) return a end\nf()", "1 unused argument 'b' of function 'f'"},
		"argument in the way":   {"local function f(a, b) return b end\nf()", ""},
		"argument of a value":   {"local function f(a, b) return a end\nregister(f)", ""},
		"argument of a closure": {"register(function(args, kwargs) end)", ""},
		"argument of a method":  {"local t = {}\nfunction t:m(a) end\nfunction t.n(a) end\nreturn t", ""},
		"loop":                  {"for k, v in pairs(t) do print(k) end", "1 unused loop variable 'v'"},
		"loop that counts":      {"for i = 1, 3 do f() end for k in pairs(t) do f() end", ""},
		"loop with a key":       {"for k, v in pairs(t) do print(v) end", ""},
		"shadow": {"local a = 1\nif f() then\nlocal a = 2 print(a)\nend\nprint(a)",
			"3 local 'a' hides the one of line 1, which is used again at line 5"},
		"shadow, not used again": {"local a = 1 print(a)\nif f() then\nlocal a = 2 print(a)\nend", ""},
		"shadow on purpose":      {"local a = 1\ndo\nlocal a = a + 1 print(a)\nend\nprint(a)", ""},
		"shadow in a function": {"local a = 1\nlocal function f()\nlocal a = 2 print(a)\nend\nf() print(a)",
			"3 local 'a' hides the one of line 1, which is used again at line 5"},
		"shadow in a function, used before": {"local a = 1 print(a)\nlocal function f()\nlocal a = 2 print(a)\nend\nf()",
			"3 local 'a' hides the one of line 1"},
		"shadow in a function, on purpose": {"local a = 1 print(a)\nregister(function() local a = a print(a) end)", ""},
		"shadow two functions away": {"local a = 1 print(a)\nregister(function() return function()\nlocal function a() end a() end end)",
			"3 local function 'a' hides the one of line 1"},
		"function hides a local": {"local a = 1 print(a)\nif f() then\nlocal function a() end a() end\nprint(a)",
			"3 local function 'a' hides the one of line 1, which is used again at line 4"},
		"underscore hides":             {"for _, a in f() do\nfor _, b in f() do print(a, b) end\nprint(_) end", ""},
		"varargs hide":                 {"local function f(...) print(#arg)\nregister(function(...) print(...) end) end f()", ""},
		"argument hides a local":       {"local a = 1 print(a)\nregister(function(a) end)", "2 argument 'a' hides the one of line 1"},
		"argument hides its own":       {"local a = 1\nregister(a, function(a) end)", ""},
		"local hides an argument":      {"register(function(a) a() return function()\nlocal a = 1 print(a) end end)", "2 local 'a' hides the one of line 1"},
		"argument hides an argument":   {"register(function(a) a() return function(a) print(a) end end)", ""},
		"loop hides a local":           {"local a = 1 print(a)\nfor a = 1, 2 do f(a) end\nprint(a)", "2 loop variable 'a' hides the one of line 1, which is used again at line 3"},
		"loop hides a loop":            {"for k, v in f() do\nfor k, w in f() do\nprint(k, w) end\nprint(k, v) end", "2 loop variable 'k' hides the one of line 1, which is used again at line 4"},
		"loop hides what it goes over": {"local a = {}\nfor a in pairs(a) do f(a) end\nprint(a)", ""},
		"numbers as many as a local":   {"local a = 3\nfor a = 1, a do f(a) end\nprint(a)", ""},
		"the same block":               {"local a = 1 print(a)\nlocal a = 2 print(a)", ""},
		"after do return end":          {"local function f()\ndo return end\nf()\nend f()", "3 this is never reached: what stands before it always leaves"},
		"after if":                     {"local function f(x)\nif x then return 1 else return 2 end\nf()\nend f()", "3 this is never reached: what stands before it always leaves"},
		"after if without else":        {"local function f(x)\nif x then return 1 end\nreturn 2\nend f()", ""},
		"after elseif":                 {"local function f(x)\nif x then return 1 elseif f() then f() else return 2 end\nf()\nend f()", ""},
		"after a loop":                 {"while true do f() end\nf()", "2 this is never reached: what stands before it always leaves"},
		"after break":                  {"while true do if f() then break end end\nf()", ""},
		"after another loop":           {"while true and f() do f() end\nfor i = 1, 2 do return end\nf()", ""},
		"repeat":                       {"repeat local x = f() until x", ""},
		"swap":                         {"local a, b = 1, 2\na, b = b, a\nprint(a, b)", ""},
		"varargs":                      {"local function f(...) return ... end\nlocal function g(...) return #arg end f() g()", ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Inspect("a.lua", []byte(test.source))
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, w := range found.Warnings {
				lines = append(lines, fmt.Sprintf("%d %s", w.Line, w.Message))
			}
			if got := strings.Join(lines, "\n"); got != test.want {
				t.Errorf("%s\nwarns %q, want %q", test.source, got, test.want)
			}
		})
	}
}

func TestInspectGlobals(t *testing.T) {
	const source = `x = 1
local function f() y = x end
f(string.rep, string["sub"], ("x"):rep(2))
string.trim = f
function z() end
function string.pad() end
t[1] = os.time().x
`
	found, err := Inspect("a.lua", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{x  1 true false} {y  2 true true} {x  2 false true} {string  3 false false} {string rep 3 false false} ` +
		`{string  3 false false} {string  4 false false} {string trim 4 true false} {z  5 true false} {string  6 false false} ` +
		`{string pad 6 true false} {t  7 false false} {os  7 false false} {os time 7 false false}]`
	if got := fmt.Sprint(found.Globals); got != want {
		t.Errorf("globals are\n%s, want\n%s", got, want)
	}
	if _, err := Inspect("a.lua", []byte("x")); err == nil {
		t.Error("a wrong program was inspected")
	}
}
