package lua51_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

func TestCompileRefusesWhatIsNotAvailable(t *testing.T) {
	names, instead := lua51.Unavailable()
	if len(names) == 0 || len(names) != len(instead) || !slices.IsSorted(names) {
		t.Fatalf("Unavailable: %d names, %d alternatives", len(names), len(instead))
	}
	for _, name := range names {
		_, err := lua51.Compile("a.lua", []byte("local x\n\nx = "+name+"\n"))
		var refusal *lua51.Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v, want a refusal", name, err)
			continue
		}
		if refusal.File != "a.lua" || refusal.Line != 3 || !strings.Contains(refusal.Message, name) || refusal.Instead != instead[name] {
			t.Errorf("%s: %+v", name, refusal)
		}
		if want := "a.lua:3: "; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %q does not begin with %q", name, err, want)
		}
	}
}

func TestCompileAcceptsOwnNames(t *testing.T) {
	for _, source := range []string{
		"local load = 1 return load",
		"local function f(io) return io end",
		"function load(x) return x end return load(1)",
		"for debug = 1, 2 do print(debug) end",
		"return t.load, t.io.write, ('x'):dump()",
		"local os = {} os.exit()",
		"local goto = 1 return goto",
		"#!/usr/bin/lua\nreturn 1",
	} {
		if _, err := lua51.Compile("a.lua", []byte(source)); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestCompileReportsSyntaxErrors(t *testing.T) {
	for _, test := range []struct{ source, want string }{
		{"x = = 1", "a.lua:1: unexpected symbol near '='"},
		{"if x then\n", "a.lua:2: 'end' expected (to close 'if' at line 1) near '<eof>'"},
		{"x = 'abc", "a.lua:1: unfinished string near '<eof>'"},
		{"x = 'abc\n'", "a.lua:1: unfinished string near ''abc'"},
		{"x = [[abc", "a.lua:1: unfinished long string near '<eof>'"},
		{"--[[ abc", "a.lua:1: unfinished long comment near '<eof>'"},
		{"x = 3x", "a.lua:1: malformed number near '3x'"},
		{"x = 1..2", "a.lua:1: malformed number near '1..2'"},
		{"break", "a.lua:1: no loop to break near '<eof>'"},
		{"function f() return ... end", "a.lua:1: cannot use '...' outside a vararg function near '...'"},
		{"return 1\nx = 2", "a.lua:2: '<eof>' expected near 'x'"},
		{"f\n()", "a.lua:2: ambiguous syntax (function call x new statement) near '('"},
		{"x", "a.lua:1: '=' expected near '<eof>'"},
		{"f() = 1", "a.lua:1: unexpected symbol near '='"},
		{"x, f() = 1", "a.lua:1: syntax error near '='"},
		{"goto done", "a.lua:1: '=' expected near 'done'"},
		{"x = '\\300'", "a.lua:1: escape sequence too large near '''"},
		{"for x do end", "a.lua:1: '=' or 'in' expected near 'do'"},
		{"\x80 = 1", "a.lua:1: unexpected symbol near '\x80'"},
		{"x = 1 // 2", "a.lua:1: unexpected symbol near '/'"},
		{"x = ~1", "a.lua:1: unexpected symbol near '~'"},
	} {
		_, err := lua51.Compile("a.lua", []byte(test.source))
		var syntax *lua51.SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: %v, want a syntax error", test.source, err)
			continue
		}
		if err.Error() != test.want {
			t.Errorf("%q: %q, want %q", test.source, err, test.want)
		}
	}
}

// Sources that take a compiler's stack, time or table of registers to its end
// are refused, quickly.
func TestCompileIsBounded(t *testing.T) {
	const n = 100_000
	locals := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "local v%d\n", i)
		}
		return b.String()
	}
	for _, test := range []struct {
		name, source string
		want         string // "" compiles
	}{
		{"parentheses", "return " + strings.Repeat("(", n), "too many syntax levels"},
		{"tables", "return " + strings.Repeat("{", n), "too many syntax levels"},
		{"minus", "return " + strings.Repeat("- ", n) + "1", "too many syntax levels"},
		{"not", "return " + strings.Repeat("not ", n/2) + "1", "too many syntax levels"},
		{"blocks", strings.Repeat("do ", n/2), "too many syntax levels"},
		{"functions", strings.Repeat("return function() ", n/20), "too many syntax levels"},
		{"powers", "return " + strings.Repeat("2^", n) + "1", "too many syntax levels"},
		{"calls", "f" + strings.Repeat("()", n), ""},
		{"sum", "return 1" + strings.Repeat("+x", n/20), ""},
		{"and", "return x" + strings.Repeat(" and x", n/4), ""},
		{"fields", "return x" + strings.Repeat(".y", n), ""},
		{"concatenation", "return x" + strings.Repeat("..x", n/2), "too complex"},
		{"arguments", "f(" + strings.Repeat("x,", 300) + "x)", "too complex"},
		{"locals", locals(200), ""},
		{"more locals", locals(201), "main function has more than 200 local variables"},
		{"long", strings.Repeat(" ", lua51.MaxSource+1), "longer than"},
		{"list", "return {" + strings.Repeat("1,", n) + "}", ""},
		{"statements", strings.Repeat("x=1 ", n/2), ""},
	} {
		start := time.Now()
		_, err := lua51.Compile("a.lua", []byte(test.source))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		t.Logf("%s: %v", test.name, time.Since(start))
	}
}

// Many constants: operands reach 256 of them, and names of globals and fields
// have a table of their own.
func TestManyConstants(t *testing.T) {
	var b strings.Builder
	b.WriteString("local t = {")
	for i := range 1000 {
		fmt.Fprintf(&b, "field%d = 'value%d', ", i, i)
	}
	b.WriteString("}\nlocal n = 0\nfor k, v in pairs(t) do n = n + 1 end\n")
	for i := range 400 {
		fmt.Fprintf(&b, "Global%d = t.field%d .. %d.5\n", i, i+500, i)
	}
	b.WriteString("function t:last() return self.field999, Global399, Global0 end\nprint(n, t:last())\nprint(missing)")
	if got, want := run(b.String()), "1000\tvalue999\tvalue899399.5\tvalue5000.5\nnil"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// A list longer than one instruction can number.
func TestLongList(t *testing.T) {
	source := "local t = {" + strings.Repeat("1,2,3,4,5,6,7,8,9,10,\n", 3000) + "'last'} print(#t, t[1], t[25601], t[#t], t[29999])"
	if got, want := run(source), "30001\t1\t1\tlast\t9"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestTracebackNamesFunctions(t *testing.T) {
	source := "local function inner() error('boom') end\n\nlocal t = {}\nfunction t.outer() inner() end\nt.outer()"
	if got, want := run(source), "error: p.lua:1: boom"; got != want {
		t.Fatalf("printed %q, want %q", got, want)
	}
	_, err := execute(source)
	var raised *lua.ApiError
	if !errors.As(err, &raised) {
		t.Fatal(err)
	}
	trace := raised.StackTrace
	for _, want := range []string{"p.lua:1:", "function 'inner'", "p.lua:4:", "function 'outer'", "p.lua:5:"} {
		if !strings.Contains(trace, want) {
			t.Errorf("the traceback lacks %q:\n%s", want, trace)
		}
	}
}

// FuzzCompile: no source makes Compile panic, and what it reports has a type
// and a place.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		"", "return 1", "local a, b = 1 a, b = b, a", "x = [==[ ]==]", "--[[", "for i = 1, 2 do end", "f{...}", "a.b:c'd'",
		"repeat local x until x", "x = -0 ^ #'' .. 1 % 2", "goto", "if a then elseif b then else end", "\x00", "#", "0x", "'\\", "x=~",
	} {
		f.Add([]byte(seed))
	}
	for n := range uint64(8) {
		f.Add([]byte(generate(1, n)))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		proto, err := lua51.Compile("f.lua", source)
		var syntax *lua51.SyntaxError
		var refusal *lua51.Refusal
		switch {
		case err == nil && proto != nil:
		case errors.As(err, &syntax) && syntax.Line > 0 && syntax.File == "f.lua":
		case errors.As(err, &refusal) && refusal.Line > 0 && refusal.File == "f.lua":
		default:
			t.Fatalf("%q: %v", source, err)
		}
	})
}
