package lua51_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// start runs a chunk on a new state under the given limits.
func start(t *testing.T, source string, limits lua51.Limits) (*lua51.Budget, error) {
	t.Helper()
	proto, err := lua51.Compile("p.lua", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	L := lua.NewState(lua.Options{SkipOpenLibs: true, RegistrySize: 512, RegistryMaxSize: 1 << 16, CallStackSize: 256})
	t.Cleanup(L.Close)
	lualib.Open(L, lualib.Options{})
	budget := lua51.NewBudget(context.Background(), limits)
	t.Cleanup(budget.Release)
	L.SetContext(budget)
	return budget, lua51.Call(L, L.NewFunctionFromProto(proto), 0)
}

func TestConcatenationIsBounded(t *testing.T) {
	for _, source := range []string{
		"local s = 'x' while true do s = s .. s end",
		"local s = ('x'):rep(1000) while true do local t = s .. s .. s .. s .. 1 end",
		"local s = 'x' while true do pcall(function() s = s .. s end) end",
	} {
		budget, err := start(t, source, lua51.Limits{Bytes: 1 << 20})
		if err == nil || !errors.Is(budget.Err(), lua51.ErrBytes) {
			t.Errorf("%s: %v, stopped by %v, want %v", source, err, budget.Err(), lua51.ErrBytes)
		}
	}
}

func TestLoopsAreCounted(t *testing.T) {
	for _, source := range []string{
		"while true do end",
		"repeat until false",
		"for i = 1, 0, 0 do end for i = 1, 1, 0 do end",
		"while true do pcall(function() while true do end end) end",
		"local function f() return f() end f()",
	} {
		budget, err := start(t, source, lua51.Limits{Instructions: 100_000})
		if err == nil || !errors.Is(budget.Err(), lua51.ErrInstructions) {
			t.Errorf("%s: %v, stopped by %v, want %v", source, err, budget.Err(), lua51.ErrInstructions)
		}
	}
}

// gopher-lua's PCall lets a Go panic through when the registers run out in a
// tail call; Call must not.
func TestCallSurvivesPanics(t *testing.T) {
	for _, source := range []string{
		"local function f(...) return f(1, 2, 3, ...) end return f()",
		"local function f() return 1 + f() end return f()",
		"local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
	} {
		if _, err := start(t, source, lua51.Limits{}); err == nil {
			t.Errorf("%s: no error", source)
		}
	}
}

// The helpers are nobody's to find: the only functions a script can reach are
// its own and the library's.
func TestHelpersAreInvisible(t *testing.T) {
	source := `
local n = 0
for k, v in pairs(_G) do n = n + 1 end
local before = n
local s = "a" .. 1 .. #{} .. 2 ^ 3 .. 5 % 3 .. -n
n = 0
for k, v in pairs(_G) do n = n + 1 end
print(n == before, getmetatable("").__add, getmetatable("").__concat)`
	if got, want := run(source), "true\tnil\tnil"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// An operation whose zero has to be looked at again calls a metamethod once.
func TestMetamethodIsCalledOnce(t *testing.T) {
	source := `
local calls = 0
local m = setmetatable({}, {__mul = function() calls = calls + 1 return 0 end})
local x, zero = m * 2, 0
print(x, calls, zero * -1, "0" * -1)`
	if got, want := run(source), "0\t1\t-0\t-0"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestCallExplainsErrors(t *testing.T) {
	_, err := start(t, "local user\nreturn user.role", lua51.Limits{})
	if err == nil || !strings.Contains(err.Error(), "p.lua:2: attempt to index local 'user' (a nil value)") {
		t.Errorf("%v", err)
	}
}
