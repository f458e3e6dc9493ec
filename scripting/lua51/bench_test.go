package lua51_test

import (
	"context"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// Each of these scripts returns a function that the benchmark calls.
var benchmarks = []struct{ name, source string }{
	{"authenticator", `
local principals = {
  joe = {ticket = "secret!!!", role = "frontend", locked = false},
  client1 = {ticket = "1234", role = "backend"},
}
return function(request)
  local principal = principals[request.authid]
  if not principal then
    return nil, "com.example.no_such_user", "no such principal " .. request.authid
  end
  local ok = principal.ticket == request.ticket
  ok = ok and not principal.locked and request.realm ~= nil
  if not ok then
    return nil, "com.example.invalid_ticket", "invalid ticket for " .. request.authid
  end
  return principal.role
end`},
	{"fields", `
local u = {a = 1, b = {c = true}, n = 5}
return function()
  local n = 0
  for i = 1, 100 do
    if u.b.c and u.a < u.n then n = i end
    u.a = i % 2 == 0 and 1 or 2
  end
  return n
end`},
	{"comparisons", `
return function(request)
  local hits, last = 0, nil
  for i = 1, 100 do
    local ok = i > 50 and request.realm == "realm1" or i ~= 3
    if ok and not last then hits = hits + 1 end
    last = ok
  end
  return hits
end`},
	{"arithmetic", `
return function()
  local s, x = 0, 1.5
  for i = 1, 100 do s = s + i * x - s / 2 end
  return s
end`},
	{"list", `
local list = {"a", "b", "c", "d", "e", "f", "g", "h"}
return function(request)
  local found = 0
  for i = 1, #list do if list[i] == request.authid then found = i end end
  for i, v in ipairs(list) do if v == "h" then found = i end end
  return found
end`},
	{"strings", `
return function(request)
  local parts = {}
  for i = 1, 20 do parts[#parts + 1] = request.authid .. ":" .. i end
  return table.concat(parts, ",")
end`},
}

// BenchmarkRun compares the code that this package makes with the code that
// gopher-lua's own compiler makes, on the same machine with the same library.
func BenchmarkRun(b *testing.B) {
	for _, bench := range benchmarks {
		b.Run(bench.name+"/plain", func(b *testing.B) {
			chunk, err := parse.Parse(strings.NewReader(bench.source), "b.lua")
			if err != nil {
				b.Fatal(err)
			}
			proto, err := lua.Compile(chunk, "b.lua")
			if err != nil {
				b.Fatal(err)
			}
			benchmarkRun(b, proto)
		})
		b.Run(bench.name+"/lua51", func(b *testing.B) {
			proto, err := lua51.Compile("b.lua", []byte(bench.source))
			if err != nil {
				b.Fatal(err)
			}
			benchmarkRun(b, proto)
		})
	}
}

func benchmarkRun(b *testing.B, proto *lua.FunctionProto) {
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer L.Close()
	lualib.Open(L, lualib.Options{})
	if err := lua51.Call(L, L.NewFunctionFromProto(proto), 1); err != nil {
		b.Fatal(err)
	}
	fn := L.Get(-1).(*lua.LFunction)
	request := L.NewTable()
	for key, value := range map[string]string{"authid": "joe", "ticket": "secret!!!", "realm": "realm1"} {
		request.RawSetString(key, lua.LString(value))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	L.SetContext(ctx)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := L.CallByParam(lua.P{Fn: fn, NRet: 1, Protect: true}, request); err != nil {
			b.Fatal(err)
		}
		L.Pop(1)
	}
}

func BenchmarkCompile(b *testing.B) {
	source := []byte(benchmarks[0].source)
	b.ReportAllocs()
	for range b.N {
		if _, err := lua51.Compile("b.lua", source); err != nil {
			b.Fatal(err)
		}
	}
}
