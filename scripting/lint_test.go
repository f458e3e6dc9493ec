package scripting

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestLint(t *testing.T) {
	r := reference(t)
	known := Known{Scripts: r.Globals(false), Tests: r.Globals(true)}
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":          {map[string]string{"a.lua": `router.join { realm = "r" } print(string.rep("a", 2))`}, ""},
		"undefined":        {map[string]string{"a.lua": "\npirnt(1) pirnt(2)"}, "a.lua:2: undefined global 'pirnt': did you mean 'print'?"},
		"undefined, alone": {map[string]string{"a.lua": "return qwertz"}, "a.lua:1: undefined global 'qwertz'"},
		"defined here":     {map[string]string{"a.lua": "limit = 7\nprint(limit)"}, ""},
		"defined by a module": {map[string]string{"lib/m.lua": "limit = 7", "a.lua": `require "lib.m" print(limit)`},
			""},
		"defined by another component": {map[string]string{"a.lua": "limit = 7 print(limit)", "b.lua": "print(limit)"},
			"b.lua:1: undefined global 'limit'"},
		"used by a module": {map[string]string{"lib/m.lua": "print(limit)", "a.lua": `limit = 7 require "lib.m"`}, ""},
		"field":            {map[string]string{"a.lua": `router.regster("a", print)`}, "a.lua:1: router has no regster: did you mean 'register'?"},
		"own field":        {map[string]string{"a.lua": `function string.trim(s) return s end print(string.trim(" "))`}, ""},
		"own table":        {map[string]string{"a.lua": `t = {} t.x = 1 print(t.x, t.y)`}, ""},
		"no module":        {map[string]string{"a.lua": `print(_G.x, null)`}, ""},
		"in functions":     {map[string]string{"a.lua": "n = 0\nlocal function f()\nn = n + 1\nend f()"}, "a.lua:3: assignment to global 'n' in a function: once the script has loaded that is an error; make it local, or use kv"},
		"with one virtual machine": {map[string]string{"a.lua": "router.join { vms = 1 } n = 0\nlocal function f()\nn = n + 1\nend f()"},
			""},
		"hides":         {map[string]string{"a.lua": "print = nil"}, "a.lua:1: assignment to 'print' hides what all scripts have under that name: choose another, or make it local"},
		"unread":        {map[string]string{"a.lua": "princpal = 1"}, "a.lua:1: global 'princpal' is given a value that nothing reads"},
		"locals":        {map[string]string{"a.lua": "local x"}, "a.lua:1: unused local 'x'"},
		"broken":        {map[string]string{"a.lua": "local x ="}, ""},
		"a test":        {map[string]string{"a_test.lua": "it('a', function() expect(1):to_be(1) end)"}, ""},
		"a hidden test": {map[string]string{"a_test.lua": "", ".git/a_test.lua": "pirnt(1)", "lib/.a_test.lua": "pirnt(1)"}, ""},
		"no test":       {map[string]string{"a.lua": "it('a', print)"}, "a.lua:1: undefined global 'it'"},
		"a test's field": {map[string]string{"a_test.lua": "test.publsh('a')"},
			"a_test.lua:1: test has no publsh: did you mean 'publish'?"},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{}
			for name, text := range test.files {
				files[name] = &fstest.MapFile{Data: []byte(text)}
			}
			warnings, err := Lint(Options{FS: files}, known)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, w := range warnings {
				lines = append(lines, w.String())
			}
			if got := strings.Join(lines, "\n"); got != test.want {
				t.Errorf("warns\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"print", "print", 0}, {"pirnt", "print", 1}, {"prin", "print", 1}, {"a", "abc", 2}, {"abc", "abcdef", 64}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("from %q to %q it is %d, not %d", test.a, test.b, got, test.want)
		}
	}
}
