package lualib_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// What is not listed here a script must not get by an upgrade of gopher-lua or
// by accident.
func TestGlobals(t *testing.T) {
	want := map[string]string{
		"_G": "_G _VERSION assert error getmetatable ipairs math next os pairs pcall print rawequal rawget rawset " +
			"select setmetatable string table tonumber tostring type unpack xpcall",
		"math": "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min mod modf " +
			"pi pow rad random randomseed sin sinh sqrt tan tanh",
		"os":     "clock date difftime getenv time",
		"string": "byte char find format gfind gmatch gsub len lower match rep reverse sub upper",
		"table":  "concat foreach foreachi getn insert maxn remove setn sort",
	}
	L := newState(t, lualib.Options{})
	for name, list := range want {
		var got []string
		L.GetGlobal(name).(*lua.LTable).ForEach(func(k, _ lua.LValue) { got = append(got, k.String()) })
		slices.Sort(got)
		if s := strings.Join(got, " "); s != list {
			t.Errorf("%s has\n %s, want\n %s", name, s, list)
		}
	}
}

func TestMachinesShareNothing(t *testing.T) {
	a, b := newState(t, lualib.Options{}), newState(t, lualib.Options{})
	if _, err := run(t, a, lua51.Limits{}, `string.upper = function() return "changed" end x = 1 table.y = 1`); err != nil {
		t.Fatal(err)
	}
	results, err := run(t, b, lua51.Limits{}, `return ("a"):upper(), x, table.y`)
	if err != nil || !reflect.DeepEqual(results, []lua.LValue{lua.LString("A"), lua.LNil, lua.LNil}) {
		t.Fatalf("%v, %v", results, err)
	}
}

// Operators on strings stay as they are whatever a script does.
func TestStringMetatableIsProtected(t *testing.T) {
	L := newState(t, lualib.Options{})
	results, err := run(t, L, lua51.Limits{}, `
		local mt = getmetatable("")
		for _, k in ipairs {"__add", "__index", "__metatable"} do pcall(rawset, mt, k, function() return 42 end) end
		return ("10"):len(), "10" + 1, pcall(setmetatable, "", {})`)
	if err != nil || results[0] != lua.LNumber(2) || results[1] != lua.LNumber(11) || results[2] != lua.LFalse {
		t.Fatalf("%v, %v", results, err)
	}
}

func TestPrintGivesWholeLines(t *testing.T) {
	var lines []string
	L := newState(t, lualib.Options{Print: func(line string) { lines = append(lines, line) }})
	_, err := run(t, L, lua51.Limits{}, `
		print() print(1, nil, "x", 1e15, 0.1)
		print(setmetatable({}, {__tostring = function() return "mine" end}))
		print("a\nb")
		local ok, e = pcall(print, setmetatable({}, {__tostring = function() return {} end})) print(e)`)
	want := []string{"", "1\tnil\tx\t1e+15\t0.1", "mine", "a\nb", "'tostring' must return a string to 'print'"}
	if err != nil || !slices.Equal(lines, want) {
		t.Fatalf("%q, %v", lines, err)
	}
}

func TestEnvironmentAndClockAreHooks(t *testing.T) {
	L := newState(t, lualib.Options{
		Getenv: func(name string) (string, bool) { return "value of " + name, name == "ALLOWED" },
		Now:    func() time.Time { return time.Unix(1e9, 5e8) },
	})
	results, err := run(t, L, lua51.Limits{}, `return os.getenv("ALLOWED"), os.getenv("HOME"), os.time(), os.date("!%Y-%m-%d"), os.clock() >= 0`)
	want := []lua.LValue{lua.LString("value of ALLOWED"), lua.LNil, lua.LNumber(1e9), lua.LString("2001-09-09"), lua.LTrue}
	if err != nil || !reflect.DeepEqual(results, want) {
		t.Fatalf("%v, %v", results, err)
	}

	L = newState(t, lualib.Options{}) // without hooks
	results, err = run(t, L, lua51.Limits{}, `print("discarded") return os.getenv("HOME"), os.time() > 1e9`)
	if err != nil || !reflect.DeepEqual(results, []lua.LValue{lua.LNil, lua.LTrue}) {
		t.Fatalf("%v, %v", results, err)
	}
}

func TestRandomFollowsItsSeed(t *testing.T) {
	L := newState(t, lualib.Options{})
	results, err := run(t, L, lua51.Limits{}, `
		local function draw() local t = {} for i = 1, 50 do t[i] = math.random(1000) end return table.concat(t, ",") end
		math.randomseed(7) local a = draw()
		math.randomseed(7) local b = draw()
		math.randomseed(8) local c = draw()
		for i = 1, 1000 do
			local r, n, m = math.random(), math.random(3), math.random(-2, 2)
			assert(r >= 0 and r < 1 and n >= 1 and n <= 3 and n % 1 == 0 and m >= -2 and m <= 2)
		end
		return a == b, a ~= c`)
	if err != nil || !reflect.DeepEqual(results, []lua.LValue{lua.LTrue, lua.LTrue}) {
		t.Fatalf("%v, %v", results, err)
	}
}

// The reflection on gopher-lua's insides fails silently where a field has
// another name: this is what depends on it.
func TestInsidesOfTheInterpreter(t *testing.T) {
	for typ, fields := range map[reflect.Type][]string{
		reflect.TypeFor[lua.LTable](): {"array", "k2i"},
		reflect.TypeFor[lua.Debug]():  {"frame"},
	} {
		for _, name := range fields {
			if _, ok := typ.FieldByName(name); !ok {
				t.Errorf("%v has no field %s", typ, name)
			}
		}
	}
	frame, _ := reflect.TypeFor[lua.Debug]().FieldByName("frame")
	for _, name := range []string{"Pc", "TailCall"} {
		if _, ok := frame.Type.Elem().FieldByName(name); !ok {
			t.Errorf("call frames have no field %s", name)
		}
	}
}
