package lualib

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// findPattern runs the matcher as string.find does. A Lua error is returned as
// its message; a Go panic is not caught.
func findPattern(L *lua.LState, subject, pattern string) (start, end int, message string) {
	defer func() {
		if r := recover(); r != nil {
			err, ok := r.(*lua.ApiError)
			if !ok {
				panic(r)
			}
			message = err.Object.String()
			L.SetTop(0)
		}
	}()
	var m matcher
	m.reset(L, subject, pattern)
	p, anchored := 0, strings.HasPrefix(pattern, "^")
	if anchored {
		p = 1
	}
	for s := 0; s <= len(subject); s++ {
		if end := m.match(s, p); end >= 0 {
			for i := range m.level {
				m.captureValue(i, s, end)
			}
			return s, end, ""
		}
		if anchored {
			break
		}
	}
	return -1, -1, ""
}

// naive matches simple patterns: bytes, dots and letter classes, each perhaps
// repeated. It tries every count and keeps the longest or shortest way.
func naive(subject, pattern string) (end int) {
	if pattern == "" {
		return 0
	}
	class, rest := pattern[:1], pattern[1:]
	if class == "%" {
		class, rest = pattern[:2], pattern[2:]
	}
	fits := func(c byte) bool {
		switch class {
		case ".":
			return true
		case "%d":
			return c >= '0' && c <= '9'
		case "%D":
			return c < '0' || c > '9'
		}
		return class[0] == c
	}
	least, most, greedy := 1, 1, true
	if rest != "" {
		switch rest[0] {
		case '*':
			least, most = 0, len(subject)
		case '+':
			least, most = 1, len(subject)
		case '-':
			least, most, greedy = 0, len(subject), false
		case '?':
			least, most = 0, 1
		}
		if least == 0 || most > 1 {
			rest = rest[1:]
		} else if strings.HasPrefix(rest, "+") {
			rest = rest[1:]
		}
	}
	result := -1
	for n := 0; n <= most && n <= len(subject); n++ {
		if n > 0 && !fits(subject[n-1]) {
			break
		}
		if n < least {
			continue
		}
		if end := naive(subject[n:], rest); end >= 0 {
			result = n + end
			if !greedy {
				break
			}
		}
	}
	return result
}

// simple reports whether naive understands the pattern.
func simple(pattern string) bool {
	repeatable := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '%':
			i++
			if i == len(pattern) || pattern[i] != 'd' && pattern[i] != 'D' {
				return false
			}
			repeatable = true
		case strings.IndexByte("*+-?", c) >= 0:
			if !repeatable {
				return false
			}
			repeatable = false
		case strings.IndexByte("^$()[]\x00", c) >= 0:
			return false
		default:
			repeatable = true
		}
	}
	return true
}

func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"abc", "b"}, {"aaa", "a-"}, {"aab12", "a*%d+"}, {"a1b2", ".-%d?b"}, {"", ""}, {"x", "x?x"},
		{"THE (quick) fox", "%f[%a]%a+"}, {"f(a(b)c)", "%b()"}, {"abcabc", "(abc)%1"}, {"key = value", "^(%w+)%s*=%s*(%w+)$"},
		{"a]b", "[]]"}, {"a-z", "[a%-z]+"}, {"x", "["}, {"x", "%"}, {"x", "(()"}, {"x", "())"}, {"x", "%1"}, {"x", "(%1)"}, {"x", "%f"}, {"x", "%b("},
		{"a\x00b", "%z"}, {"a", "[%"}, {"a", "[^"}, {"a", "[a-"}, {"a", "[%a-z]"}, {"\xff", "[\x80-\xff]"}, {"aa", "()a()"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, subject, pattern string) {
		if len(subject) > 40 || len(pattern) > 40 {
			return
		}
		L := lua.NewState(lua.Options{SkipOpenLibs: true, RegistrySize: 128, CallStackSize: 8})
		defer L.Close()
		start, end, message := findPattern(L, subject, pattern)
		if start > end || end > len(subject) {
			t.Fatalf("find(%q, %q) = %d, %d", subject, pattern, start, end)
		}
		if !simple(pattern) || len(subject) > 12 || len(pattern) > 10 {
			return
		}
		wantStart, wantEnd := -1, -1
		for s := 0; s <= len(subject) && wantStart < 0; s++ {
			if end := naive(subject[s:], pattern); end >= 0 {
				wantStart, wantEnd = s, s+end
			}
		}
		if message != "" || start != wantStart || end != wantEnd {
			t.Fatalf("find(%q, %q) = %d, %d %s, want %d, %d", subject, pattern, start, end, message, wantStart, wantEnd)
		}
	})
}

func TestMatcherAllocatesNothing(t *testing.T) {
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer L.Close()
	var m matcher
	n := testing.AllocsPerRun(100, func() {
		m.reset(L, "user=joe; role=frontend; level=3", "(%w+)=(%w+);%s*%f[%a]level")
		for s := range m.subject {
			if m.match(s, 0) >= 0 {
				return
			}
		}
		t.Error("no match")
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMatcher(b *testing.B) {
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer L.Close()
	b.ReportAllocs()
	var m matcher
	for b.Loop() {
		m.reset(L, "user=joe; role=frontend; level=3", "role=(%w+)")
		for s := range m.subject {
			if m.match(s, 0) >= 0 {
				break
			}
		}
	}
}

func FuzzFormat(f *testing.F) {
	for _, seed := range []string{"%d", "%5.2f", "%-+ #0d", "%c%c", "%q", "%s", "%99.99g", "%", "%y", "%123d", "%#x%#o", "%.3s|%i%u%X%E%G"} {
		f.Add(seed, "text\x00\n\"", 1e300)
	}
	f.Fuzz(func(t *testing.T, format, text string, number float64) {
		if len(format) > 200 || len(text) > 200 {
			return
		}
		L := lua.NewState(lua.Options{SkipOpenLibs: true, RegistrySize: 128, CallStackSize: 8})
		defer L.Close()
		for _, arg := range []lua.LValue{lua.LString(text), lua.LNumber(number), lua.LNil} {
			L.Push(L.NewFunction(stringFormat))
			L.Push(lua.LString(format))
			for range 8 {
				L.Push(arg)
			}
			if err := L.PCall(9, 1, nil); err != nil {
				if err.(*lua.ApiError).Type != lua.ApiErrorRun {
					t.Fatalf("format(%q, %v): %v", format, arg, err)
				}
				continue
			}
			if n := len(L.Get(-1).(lua.LString)); n > len(format)*(400+4*len(text)) {
				t.Fatalf("format(%q, %v) made %d bytes", format, arg, n)
			}
			L.Pop(1)
		}
	})
}
