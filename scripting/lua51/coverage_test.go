package lua51

import (
	"fmt"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

func TestCoverageCountsStatementsByLine(t *testing.T) {
	const source = `local n = 0
local function f(x)
  if x then
    n = n + 1
  else
    n = n - 1
  end
  for i = 1, 2 do
    n = n
  end
  repeat local y = n
  until y
  return function()
    return n
  end
end
while n < 3 do f(true) end
local ok = n == 3
if not ok then
  error("wrong")
end
`
	c := NewCoverage()
	p, err := c.Compile("a.lua", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer L.Close()
	if err := Call(L, L.NewFunctionFromProto(p), 0); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(c.Files()), "[{a.lua 14 [6 14 20]}]"; got != want {
		t.Errorf("coverage is %s, want %s", got, want)
	}
	if _, err := c.Compile("b.lua", []byte("x x")); err == nil {
		t.Error("a wrong program was compiled")
	}
}

// What is counted runs as what is not.
func TestCoverageChangesNothing(t *testing.T) {
	const source = `
local out, closures = {}, {}
local function add(...) for _, v in ipairs{...} do out[#out + 1] = tostring(v) end end
for i = 1, 3 do
  local j = i * 2
  closures[i] = function() j = j + 1 return i, j end
  if i == 2 then add("two") elseif i == 3 then add("three") break end
end
for i = 1, #closures do add(closures[i]()) end
local i = 0
repeat local k = i; i = i + 1; closures[i] = function() return k end until k >= 2
for n = 1, 3 do add(closures[n]()) end
do local a, b, c = 1, 2 add(a, b, c) end
return table.concat(out, " ")`
	run := func(p *lua.FunctionProto, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		L := lua.NewState()
		defer L.Close()
		if err := Call(L, L.NewFunctionFromProto(p), 1); err != nil {
			t.Fatal(err)
		}
		return L.Get(-1).String()
	}
	plain := run(Compile("a.lua", []byte(source)))
	if counted := run(NewCoverage().Compile("a.lua", []byte(source))); counted != plain || plain == "" {
		t.Errorf("counted: %q; not counted: %q", counted, plain)
	}
}
