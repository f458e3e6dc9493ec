package lualib_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// Each of these would take gigabytes or minutes in one instruction. The script
// gets an error, or the budget ends, before that.
func TestOneInstructionCannotTakeEverything(t *testing.T) {
	for _, c := range []struct{ name, source, want string }{
		{"rep", `return ("x"):rep(1e9)`, "string length overflow"},
		{"rep of int size", `return ("x"):rep(2^31 - 1)`, "string length overflow"},
		{"rep of a long string", `local s = ("x"):rep(2^20) return s:rep(4096)`, "string length overflow"},
		{"concat", `local s, t = ("x"):rep(2^20), {} for i = 1, 100 do t[i] = s end return table.concat(t)`, "string length overflow"},
		{"concat with a separator", `local t = {} for i = 1, 1000 do t[i] = 1 end return table.concat(t, ("x"):rep(2^19))`, "string length overflow"},
		{"gsub", `return ("x"):rep(2^20):gsub("x", ("y"):rep(1000))`, "string length overflow"},
		{"gsub of nothing", `return ("x"):rep(2^20):gsub("", "y")`, "string length overflow"},
		{"format", `local s = ("x"):rep(2^20) return ("%s%s"):format(s, s)`, "string length overflow"},
		{"quote", `return ("%q"):format(("\0"):rep(2^20))`, "string length overflow"},
		{"many long strings", `local t = {} for i = 1, 1e6 do t[i] = ("x"):rep(2^20) end`, lua51.ErrBytes.Error()},
		{"many upper-case strings", `local s = ("x"):rep(2^20) local t = {} for i = 1, 1e6 do t[i] = s:upper() end`, lua51.ErrBytes.Error()},
		{"many reversed strings", `local s = ("x"):rep(2^20) local t = {} for i = 1, 1e6 do t[i] = s:reverse() end`, lua51.ErrBytes.Error()},
		{"unpack", `return unpack({}, 1, 1e8)`, "too many results to unpack"},
		{"byte", `return ("x"):rep(2^20):byte(1, -1)`, "string slice too long"},
		{"insert below zero", `local t = {} for i = 1, 2^20 do t[i] = 1 end while true do table.insert(t, -2^30, 1) end`, lua51.ErrWall.Error()},
		{"sort", `local t = {} for i = 1, 300000 do t[i] = -i % 1000 end while true do table.sort(t) end`, lua51.ErrWall.Error()},
		{"optional items", `return (("a"):rep(28)):find(("a?"):rep(28) .. ("a"):rep(28) .. "b")`, lua51.ErrPatternSteps.Error()},
		{"nested repetitions", `return (("x"):rep(300)):find(".-.-.-.-.-b")`, lua51.ErrPatternSteps.Error()},
		{"quadratic gsub", `return (("x"):rep(300000)):gsub("x*y", "")`, lua51.ErrPatternSteps.Error()},
		{"quadratic balance", `return (("("):rep(300000)):gsub("%b()", "")`, lua51.ErrPatternSteps.Error()},
		{"long set", `local set = "[" .. ("ab"):rep(50000) .. "]" return (("x"):rep(5000)):gsub(set, "")`, lua51.ErrPatternSteps.Error()},
		{"long set that matches at once", `return (("x"):rep(100000)):gsub("[x" .. ("a"):rep(100000) .. "]", "")`, lua51.ErrPatternSteps.Error()},
		{"back-reference", `return (("x"):rep(100000)):find("^(x*)%1%1%1y")`, lua51.ErrPatternSteps.Error()},
		{"open parentheses", `return ("x"):find(("("):rep(1e6))`, "too many captures"},
		{"deep pattern", `return (("a"):rep(1e5)):find(("a?"):rep(1e5))`, "pattern too complex"},
		{"frontier", `return (("x"):rep(1e6)):find(("%f[%w]"):rep(1e5))`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			L := newState(t, lualib.Options{})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			limits := lua51.Limits{Wall: time.Minute}
			if c.want == lua51.ErrWall.Error() {
				limits.Wall = 100 * time.Millisecond
			}
			_, err := run(t, L, limits, c.source)
			runtime.ReadMemStats(&after)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 150 {
				t.Errorf("%d MiB were allocated", made)
			}
			if err := lualib.Broken(L); err != nil {
				t.Error(err)
			}
		})
	}
}

// With lua.MaxArrayIndex lowered, gopher-lua keeps the rest of an array in a
// hash and its # ends there. The functions here must not.
func TestArraysBeyondTheArrayPart(t *testing.T) {
	L := newState(t, lualib.Options{})
	results, err := run(t, L, lua51.Limits{}, `
		local t, n = {}, 70000
		for i = 1, n do t[i] = n - i end
		assert(table.getn(t) == n)
		table.insert(t, "last") assert(t[n + 1] == "last")
		assert(table.remove(t) == "last" and t[n + 1] == nil)
		table.insert(t, 1, "first") assert(t[1] == "first" and t[2] == n - 1 and t[n + 1] == 0 and t[65536] == n - 65535)
		assert(table.remove(t, 1) == "first" and t[1] == n - 1 and t[n] == 0 and t[n + 1] == nil)
		table.sort(t) for i = 1, n do assert(t[i] == i - 1) end
		local count = 0 for i, v in ipairs(t) do count = count + 1 end assert(count == n)
		count = 0 for k, v in pairs(t) do count = count + 1 end assert(count == n)
		assert(#table.concat(t, "", n - 1) == 10)
		assert(select("#", unpack(t, 65530, 65540)) == 11)
		t[67108863] = 1 assert(table.maxn(t) == 67108863)
		return "fine"`)
	if err != nil || len(results) != 1 || results[0] != lua.LString("fine") {
		t.Fatalf("%v, %v", results, err)
	}
}

func TestEntriesMayBeRemovedDuringATraversal(t *testing.T) {
	L := newState(t, lualib.Options{})
	results, err := run(t, L, lua51.Limits{}, `
		local t = {1, 2, 3, 4, 5, 6, a = 1, b = 2, c = 3}
		local seen = {}
		for k in pairs(t) do
			assert(not seen[k]) seen[k] = true
			t[k] = nil
		end
		assert(next(t) == nil)
		for _, k in ipairs {1, 2, 3, 4, 5, 6, "a", "b", "c"} do assert(seen[k], k) end

		t, seen = {1, 2, 3, 4, 5, 6, a = 1, b = 2, c = 3}, {}
		for k in pairs(t) do seen[k] = true table.remove(t) end
		assert(seen.a and seen.b and seen.c and seen[3] and not seen[4])
		return "fine"`)
	if err != nil || len(results) != 1 {
		t.Fatalf("%v, %v", results, err)
	}
}
