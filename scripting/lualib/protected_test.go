package lualib_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// run runs a chunk under a budget and returns its results.
func run(t *testing.T, L *lua.LState, limits lua51.Limits, source string) ([]lua.LValue, error) {
	t.Helper()
	proto, err := lua51.Compile("x", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	budget := lua51.NewBudget(context.Background(), limits)
	defer budget.Release()
	L.SetContext(budget)
	L.Push(L.NewFunctionFromProto(proto))
	if err := L.PCall(0, lua.MultRet, nil); err != nil {
		return nil, err
	}
	var results []lua.LValue
	for i := 1; i <= L.GetTop(); i++ {
		results = append(results, L.Get(i))
	}
	L.SetTop(0)
	return results, budget.Err()
}

func TestProtectedCallCannotKeepTheEndOfTheBudget(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits lua51.Limits
		source string
		want   error
	}{
		{"instructions in pcall", lua51.Limits{Instructions: 10_000}, `pcall(function() while true do end end) escaped = true`, lua51.ErrInstructions},
		{"swallowed again and again", lua51.Limits{Instructions: 10_000}, `while true do pcall(function() while true do end end) escaped = true end`, lua51.ErrInstructions},
		{"nested", lua51.Limits{Instructions: 10_000}, `pcall(pcall, pcall, function() while true do end end) escaped = true`, lua51.ErrInstructions},
		{"handler of xpcall", lua51.Limits{Instructions: 10_000}, `xpcall(error, function() while true do end end) escaped = true`, lua51.ErrInstructions},
		{"handler is not asked", lua51.Limits{Instructions: 10_000}, `xpcall(function() while true do end end, function() escaped = true end)`, lua51.ErrInstructions},
		{"in a metamethod", lua51.Limits{Instructions: 10_000}, `local t = setmetatable({}, {__index = function() while true do end end}) pcall(function() return t.x end) escaped = true`, lua51.ErrInstructions},
		{"bytes", lua51.Limits{Bytes: 1 << 20}, `pcall(function() local t = {} for i = 1, 1e6 do t[i] = ("x"):rep(1000 + i) end end) escaped = true`, lua51.ErrBytes},
		{"pattern steps", lua51.Limits{PatternSteps: 10_000}, `pcall(string.find, ("a"):rep(30), ("a?"):rep(30) .. ("a"):rep(31)) escaped = true`, lua51.ErrPatternSteps},
		{"wall time", lua51.Limits{Wall: 20 * time.Millisecond, Instructions: 1 << 40}, `while true do pcall(function() while true do end end) end`, lua51.ErrWall},
	} {
		t.Run(c.name, func(t *testing.T) {
			L := newState(t, lualib.Options{})
			proto, err := lua51.Compile("x", []byte(c.source))
			if err != nil {
				t.Fatal(err)
			}
			budget := lua51.NewBudget(context.Background(), c.limits)
			defer budget.Release()
			L.SetContext(budget)
			L.Push(L.NewFunctionFromProto(proto))
			if err := L.PCall(0, 0, nil); err == nil {
				t.Error("the call succeeded")
			}
			if !errors.Is(budget.Err(), c.want) {
				t.Errorf("stopped by %v, want %v", budget.Err(), c.want)
			}
			if L.GetGlobal("escaped") != lua.LNil {
				t.Error("the script went on")
			}
			if err := lualib.Broken(L); err != nil {
				t.Errorf("a limit is no breakdown: %v", err)
			}
		})
	}
}

func TestGoPanicBreaksTheMachineAndDoesNotEscape(t *testing.T) {
	for _, source := range []string{
		`pcall(boom) escaped = true`,
		`xpcall(boom, function() escaped = true end)`,
		`pcall(pcall, boom) escaped = true`,
		`pcall(function() table.sort({3, 2, 1}, boom) end) escaped = true`,
		`pcall(function() local t = setmetatable({}, {__index = boom}) return t.x end) escaped = true`,
	} {
		L := newState(t, lualib.Options{})
		L.SetGlobal("boom", L.NewFunction(func(*lua.LState) int {
			var nothing *lua.LTable
			return nothing.MaxN()
		}))
		if _, err := run(t, L, lua51.Limits{}, source); err == nil {
			t.Errorf("%s: the call succeeded", source)
		} else if strings.Contains(err.(*lua.ApiError).Object.String(), "pointer") {
			t.Errorf("%s: the script's error shows Go's: %v", source, err)
		}
		if err := lualib.Broken(L); !errors.Is(err, lualib.ErrBroken) || !strings.Contains(err.Error(), "nil pointer") {
			t.Errorf("%s: Broken = %v", source, err)
		}
		if L.GetGlobal("escaped") != lua.LNil {
			t.Errorf("%s: the script went on", source)
		}
	}
}

func TestStackOverflowIsAnErrorOfTheScript(t *testing.T) {
	for _, source := range []string{
		`local function f() return 1 + f() end return pcall(f)`,
		"local function f(...) return f(" + strings.Repeat("0, ", 100) + "...) end return pcall(f)",
		`local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. "x"] end return pcall(function() return t.x end)`,
	} {
		L := newState(t, lualib.Options{})
		for range 3 { // the thread is used again
			results, err := run(t, L, lua51.Limits{}, source)
			if err != nil || len(results) != 2 || results[0] != lua.LFalse || !strings.Contains(results[1].String(), "overflow") {
				t.Errorf("%s: %v, %v", source, results, err)
			}
			if err := lualib.Broken(L); err != nil {
				t.Errorf("%s: %v", source, err)
			}
		}
	}
}

func TestProtectedCallsNestToALimit(t *testing.T) {
	L := newState(t, lualib.Options{})
	results, err := run(t, L, lua51.Limits{}, `
		local function deep(n) return pcall(deep, n + 1) end
		local results = {deep(1)}
		return #results, results[#results]`)
	if err != nil || len(results) != 2 || results[1].String() != "C stack overflow" {
		t.Fatalf("%v, %v", results, err)
	}
	// The depth is counted anew for each call.
	results, err = run(t, L, lua51.Limits{}, `return pcall(function() return pcall(function() return "fine" end) end)`)
	if err != nil || len(results) != 3 || results[2].String() != "fine" {
		t.Fatalf("%v, %v", results, err)
	}
}

// A captured variable must stay the variable that it was, whatever fails, on
// either side of a protected call; each thread that a call leaves behind is
// used by later ones.
func TestCapturedVariablesSurviveFailures(t *testing.T) {
	L := newState(t, lualib.Options{})
	results, err := run(t, L, lua51.Limits{}, `
		local bad = 0
		local kept = {}
		for round = 1, 300 do
			local outer = round
			local function get() return outer end
			local function fail(depth, ...)
				local inner = depth * 1000 + round
				kept[#kept + 1] = {want = inner + 1, get = function() return inner end}
				local ok = depth > 0 and pcall(fail, depth - 1, ...)
				inner = inner + 1
				outer = outer + 1
				if round % 3 == 0 then error({}) elseif round % 3 == 1 then local x = nil; x() end
				return select("#", ...)
			end
			local before = outer
			pcall(fail, round % 5, 1, 2, 3)
			if get() ~= before + round % 5 + 1 then bad = bad + 1 end
			outer = "new"
			if get() ~= "new" then bad = bad + 1 end
		end
		for i, k in ipairs(kept) do if k.get() ~= k.want then bad = bad + 1 end end
		return bad, #kept`)
	if err != nil || len(results) != 2 || results[0] != lua.LNumber(0) || results[1] != lua.LNumber(900) {
		t.Fatalf("%v, %v", results, err)
	}
}

func TestErrorLevelsGoThroughProtectedCalls(t *testing.T) {
	L := newState(t, lualib.Options{})
	results, err := run(t, L, lua51.Limits{}, "local function fail() error('e', 4) end\n"+
		"local function helper() fail() end\n"+
		"return pcall(helper)") // 1 fail, 2 helper, 3 pcall, 4 this chunk
	if err != nil || len(results) != 2 || results[1].String() != "x:3: e" {
		t.Fatalf("%v, %v", results, err)
	}
}

func TestProtectedCallWithoutABudget(t *testing.T) {
	L := newState(t, lualib.Options{})
	if err := L.DoString(`
		assert(pcall(function() return 1 end))
		local ok, e = pcall(error, "no")
		assert(not ok and e == "no")`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	L.SetContext(ctx)
	if err := L.DoString(`while true do pcall(error) end`); err == nil {
		t.Error("a cancelled context did not stop the script")
	}
}
