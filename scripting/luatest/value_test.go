package luatest

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// evaluate returns the values of a list of expressions.
func evaluate(t *testing.T, list string) []lua.LValue {
	t.Helper()
	L := lua.NewState()
	t.Cleanup(L.Close)
	if err := L.DoString("local self = {} self.me = self\nlocal deep = {{{{{{{{{{1}}}}}}}}}}\nreturn " + list); err != nil {
		t.Fatal(err)
	}
	values := make([]lua.LValue, L.GetTop())
	for i := range values {
		values[i] = L.Get(i + 1)
	}
	return values
}

func TestShow(t *testing.T) {
	for list, want := range map[string]string{
		`nil`:                              `nil`,
		`true`:                             `true`,
		`1.5`:                              `1.5`,
		`1e100`:                            `1e+100`,
		`"a\n\"b\""`:                       `"a\n\"b\""`,
		`"\255\0a"`:                        `"\255\000a"`,
		`{}`:                               `{}`,
		`{1, 2, nil, 4}`:                   `{ 1, 2, [4] = 4 }`,
		`{b = 1, a = {true}, ["a b"] = 2}`: `{ a = { true }, ["a b"] = 2, b = 1 }`,
		`self`:                             `{ me = { itself } }`,
		`deep`:                             `{ { { { { { { { { … } } } } } } } } }`,
		`print`:                            `a function`,
		`function() end`:                   `function at <string>:3`,
		`{("x"):rep(40), ("y"):rep(40)}`:   "{\n  \"" + strings.Repeat("x", 40) + "\",\n  \"" + strings.Repeat("y", 40) + "\",\n}",
	} {
		if got := show(evaluate(t, list)[0]); got != want {
			t.Errorf("%s is shown as %s, not %s", list, got, want)
		}
	}
}

func TestDifferences(t *testing.T) {
	for pair, want := range map[string]string{
		`1, 1`:                              ``,
		`1, "1"`:                            `: expected 1, got "1"`,
		`0/0, 0/0`:                          ``,
		`{1, {a = 2}}, {1, {a = 2}}`:        ``,
		`{1, {a = 2}}, {1, {a = 3, b = 4}}`: `[2].a: expected 2, got 3; [2].b: expected nil, got 4`,
		`{a = {}}, {a = 1}`:                 `.a: expected {}, got 1`,
		`{1, 2}, {1, 2, n = 2}`:             ``,
		`{1, 2}, {1, 2, n = 3}`:             `.n: expected nil, got 3`,
		`{["a b"] = 1}, {}`:                 `["a b"]: expected 1, got nil`,
		`self, self`:                        ``,
		`print, print`:                      ``,
		`print, pairs`:                      `: expected a function, got a function`,
		`{1,2,3,4,5,6,7,8,9,10,11,12}, {}`:  `and 2 more`,
	} {
		values := evaluate(t, pair)
		got := strings.Join(differences(values[0], values[1]), "; ")
		if got != want && !(strings.HasPrefix(want, "and") && strings.HasSuffix(got, want)) {
			t.Errorf("%s differ by %q, not %q", pair, got, want)
		}
	}
}

func TestContains(t *testing.T) {
	for pair, want := range map[string]bool{
		`{a = 1}, {a = 1, b = 2}`:             true,
		`{a = 1}, {a = 2, b = 1}`:             false,
		`{a = {b = 1}}, {a = {b = 1, c = 2}}`: true,
		`{a = {b = 1}}, {a = 1}`:              false,
		`2, {1, 2}`:                           true,
		`3, {1, 2}`:                           false,
		`{x = 1}, {{x = 1, y = 2}}`:           true,
		`{1}, {{1}, 2}`:                       true,
		`1, "1"`:                              false,
	} {
		values := evaluate(t, pair)
		if got := contains(values[0], values[1]); got != want {
			t.Errorf("%s: %t", pair, got)
		}
	}
}

func TestRanges(t *testing.T) {
	if got := ranges([]int{1, 3, 4, 5, 8, 9}); got != "1, 3-5, 8-9" {
		t.Error(got)
	}
}
