package luatest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/luaconv"
	"usher/scripting/lualib"
)

// The bounds on what is shown of a value.
const (
	maxShown      = 2000 // bytes
	maxShownDepth = 8
	maxDifferent  = 10 // differences that are listed
	lineWidth     = 72

	noText = "a userdata" // of which nothing else is known
)

// show writes a value as a script would.
func show(v lua.LValue) string {
	return lualib.CutText(showAt(v, 0, map[*lua.LTable]bool{}), maxShown)
}

func showAt(v lua.LValue, depth int, inside map[*lua.LTable]bool) string {
	switch v := v.(type) {
	case *lua.LNilType, lua.LBool:
		return v.String()
	case lua.LNumber:
		return lua51.FormatNumber(v)
	case lua.LString:
		return quote(string(v))
	case *lua.LTable:
		switch {
		case inside[v]:
			return "{ itself }"
		case depth == maxShownDepth:
			return "{ … }"
		}
		inside[v] = true
		defer delete(inside, v)
		return showTable(v, depth, inside)
	case *lua.LUserData:
		return userText(v)
	case *lua.LFunction:
		if !v.IsG {
			return fmt.Sprintf("function at %s:%d", v.Proto.SourceName, v.Proto.LineDefined)
		}
	}
	return "a " + lualib.TypeName(v)
}

func quote(s string) string {
	if utf8.ValidString(s) {
		return strconv.Quote(s)
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\%03d`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}

// userText shows what the router's functions made, by its own tostring.
func userText(v *lua.LUserData) string {
	meta, ok := v.Metatable.(*lua.LTable)
	if !ok {
		return noText
	}
	if f, ok := meta.RawGetString("__tostring").(*lua.LFunction); ok && f.IsG {
		text, ok := callText(f, v)
		switch {
		case !ok:
		case text == "null":
			return text
		default:
			return "router.binary(" + quote(text) + ")"
		}
	}
	return noText
}

// callText calls a __tostring written in Go.
func callText(f *lua.LFunction, v lua.LValue) (text string, ok bool) {
	L := lua.NewState(lua.Options{SkipOpenLibs: true, RegistrySize: 64})
	defer L.Close()
	if err := lua51.Call(L, f, 1, v); err != nil {
		return "", false
	}
	return L.Get(-1).String(), true
}

func showTable(t *lua.LTable, depth int, inside map[*lua.LTable]bool) string {
	var items []string
	n := 0
	for v := t.RawGetInt(1); v != lua.LNil; v = t.RawGetInt(n + 1) {
		n++
		items = append(items, showAt(v, depth+1, inside))
	}
	for _, key := range sortedKeys(t) {
		if i, ok := key.(lua.LNumber); ok && i >= 1 && i <= lua.LNumber(n) && i == lua.LNumber(int(i)) {
			continue
		}
		items = append(items, showKey(key)+" = "+showAt(t.RawGet(key), depth+1, inside))
	}
	if len(items) == 0 {
		return "{}"
	}
	line := "{ " + strings.Join(items, ", ") + " }"
	if utf8.RuneCountInString(line) <= lineWidth {
		return line
	}
	indent := strings.Repeat("  ", depth+1)
	return "{\n" + indent + strings.Join(items, ",\n"+indent) + ",\n" + indent[2:] + "}"
}

func showKey(key lua.LValue) string {
	if s, ok := key.(lua.LString); ok && isName(string(s)) {
		return string(s)
	}
	return "[" + showAt(key, maxShownDepth, nil) + "]"
}

func isName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == "" && (s[0] < '0' || s[0] > '9')
}

// sortedKeys puts numbers first, then strings, then the others.
func sortedKeys(t *lua.LTable) []lua.LValue {
	var keys []lua.LValue
	t.ForEach(func(k, _ lua.LValue) { keys = append(keys, k) })
	slices.SortStableFunc(keys, func(a, b lua.LValue) int {
		x, xNumber := a.(lua.LNumber)
		y, yNumber := b.(lua.LNumber)
		switch {
		case xNumber && yNumber:
			return cmp.Compare(x, y)
		case xNumber:
			return -1
		case yNumber:
			return 1
		}
		return cmp.Or(cmp.Compare(a.Type(), b.Type()), strings.Compare(a.String(), b.String()))
	})
	return keys
}

// comparison collects where two values differ.
type comparison struct {
	different []string
	more      int
	inside    map[[2]*lua.LTable]bool
}

// differences lists where got is not want; none: they are equal. Tables are
// equal where their keys and values are, NaN is equal to itself, and the count
// "n" of an argument list may be left out of want.
func differences(want, got lua.LValue) []string {
	c := &comparison{inside: map[[2]*lua.LTable]bool{}}
	c.compare("", want, got)
	if c.more > 0 {
		c.different = append(c.different, fmt.Sprintf("and %d more", c.more))
	}
	return c.different
}

func (c *comparison) note(path string, want, got lua.LValue) {
	if len(c.different) == maxDifferent {
		c.more++
		return
	}
	c.different = append(c.different, fmt.Sprintf("%s: expected %s, got %s", path, show(want), show(got)))
}

func (c *comparison) compare(path string, want, got lua.LValue) {
	a, aTable := want.(*lua.LTable)
	b, bTable := got.(*lua.LTable)
	if !aTable || !bTable {
		if !same(want, got) {
			c.note(path, want, got)
		}
		return
	}
	pair := [2]*lua.LTable{a, b}
	if a == b || c.inside[pair] {
		return
	}
	c.inside[pair] = true
	for _, key := range sortedKeys(a) {
		c.compare(path+pathOf(key), a.RawGet(key), b.RawGet(key))
	}
	for _, key := range sortedKeys(b) {
		if a.RawGet(key) == lua.LNil && !isCount(a, b, key) {
			c.note(path+pathOf(key), lua.LNil, b.RawGet(key))
		}
	}
}

// isCount reports whether key is the count of the list b, which a has not.
func isCount(a, b *lua.LTable, key lua.LValue) bool {
	return key == lua.LString(luaconv.Count) && b.RawGet(key) == lua.LNumber(b.Len()) && a.Len() == b.Len()
}

// same compares values that are not both tables.
func same(a, b lua.LValue) bool {
	if x, ok := a.(lua.LNumber); ok {
		y, ok := b.(lua.LNumber)
		return ok && (x == y || x != x && y != y)
	}
	x, xUser := a.(*lua.LUserData)
	y, yUser := b.(*lua.LUserData)
	if xUser && yUser {
		return x == y || x.Metatable == y.Metatable && userText(x) == userText(y) && userText(x) != noText
	}
	return a == b
}

func pathOf(key lua.LValue) string {
	if s, ok := key.(lua.LString); ok && isName(string(s)) {
		return "." + string(s)
	}
	return showKey(key)
}

// contains reports whether got has what want says: all of a dict's fields, or the
// items of a list anywhere among those of got.
func contains(want, got lua.LValue) bool {
	t, ok := got.(*lua.LTable)
	if !ok {
		return false
	}
	if fields, ok := want.(*lua.LTable); ok && fields.Len() == 0 {
		all := true
		fields.ForEach(func(key, value lua.LValue) {
			held := t.RawGet(key)
			_, nested := value.(*lua.LTable)
			if len(differences(value, held)) > 0 && !(nested && contains(value, held)) {
				all = false
			}
		})
		if all {
			return true
		}
	}
	for i := 1; i <= t.Len(); i++ {
		item := t.RawGetInt(i)
		if len(differences(want, item)) == 0 {
			return true
		}
		if fields, ok := want.(*lua.LTable); ok && fields.Len() == 0 && contains(want, item) {
			return true
		}
	}
	return false
}
