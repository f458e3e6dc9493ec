package lualib_test

import (
	"context"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// BenchmarkLibrary compares each function with gopher-lua's own, in a loop of
// 100 calls: "own" is this package.
func BenchmarkLibrary(b *testing.B) {
	for _, c := range []struct{ name, loop string }{
		{"find_plain", `local s = ("x"):rep(40) .. "needle" for i = 1, 100 do s:find("needle", 1, true) end`},
		{"find_pattern", `local s = "user=joe; role=frontend; level=3" for i = 1, 100 do s:find("role=%w+") end`},
		{"match_captures", `local s = "user=joe; role=frontend; level=3" for i = 1, 100 do s:match("(%w+)=(%w+);") end`},
		{"gsub_string", `local s = "user=joe; role=frontend; level=3" for i = 1, 100 do s:gsub("(%w+)=", "%1: ") end`},
		{"gsub_function", `local f = function(k) return k end local s = "a=1; b=2; c=3" for i = 1, 100 do s:gsub("%w+", f) end`},
		{"format", `local f = string.format for i = 1, 100 do f("%s has %d of %5.2f", "joe", i, 3.14) end`},
		{"tostring", `for i = 1, 100 do tostring(i) end`},
		{"lower", `for i = 1, 100 do ("User@Example.COM"):lower() end`},
		{"concat", `local t = {"a", "b", "c", 1, 2, 3} for i = 1, 100 do table.concat(t, ",") end`},
		{"sort", `for i = 1, 10 do local t = {5, 2, 9, 1, 7, 3, 8, 6, 4, 0} table.sort(t) end`},
		{"pairs", `local t = {a = 1, b = 2, c = 3, 4, 5, 6} for i = 1, 20 do for k, v in pairs(t) do end end`},
		{"pcall_ok", `local f = function() return 1 end for i = 1, 100 do pcall(f) end`},
		{"pcall_error", `local f = function() error("no", 0) end for i = 1, 100 do pcall(f) end`},
		{"pcall_error_position", `local f = function() error("no") end for i = 1, 100 do pcall(f) end`},
	} {
		b.Run(c.name+"/own", func(b *testing.B) {
			L := newState(b, lualib.Options{})
			budget := lua51.NewBudget(context.Background(), lua51.Limits{Instructions: 1 << 62, Bytes: 1 << 62, PatternSteps: 1 << 62, Wall: 1 << 62})
			defer budget.Release()
			L.SetContext(budget)
			benchmarkLoop(b, L, c.loop)
		})
		b.Run(c.name+"/gopher", func(b *testing.B) {
			L := lua.NewState()
			defer L.Close()
			L.SetContext(context.Background())
			benchmarkLoop(b, L, c.loop)
		})
	}
}

func benchmarkLoop(b *testing.B, L *lua.LState, source string) {
	fn, err := L.LoadString(source)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		L.Push(fn)
		if err := L.PCall(0, 0, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is what a new virtual machine costs.
func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		L := lua.NewState(lua.Options{SkipOpenLibs: true, RegistrySize: 256, RegistryMaxSize: 1 << 16, CallStackSize: 128})
		lualib.Open(L, lualib.Options{})
		L.Close()
	}
}
