package wamp_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"usher/router/wamp"
)

func TestValidURI(t *testing.T) {
	cases := []struct {
		name                    string
		s                       string
		exact, prefix, wildcard bool
	}{
		{"a URI", "com.example.add2", true, true, true},
		{"one component", "com", true, true, true},
		{"upper case, digits, punctuation", "Com.Example-1._x!$/", true, true, true},
		{"other scripts", "com.пример.例", true, true, true},
		{"an emoji", "com.\U0001F600", true, true, true},
		{"a control character that is no white space", "com.\x01", true, true, true},
		{"empty", "", false, true, false},
		{"a dot", ".", false, false, true},
		{"two dots", "..", false, false, true},
		{"ends in a dot", "com.", false, true, true},
		{"begins with a dot", ".com", false, false, true},
		{"an empty component", "com..x", false, false, true},
		{"a dot and an empty component at the end", "com..", false, false, true},
		{"#", "com.#", false, false, false},
		{"a space", "com. x", false, false, false},
		{"a tab", "com.\t", false, false, false},
		{"a line feed at the end", "com.x\n", false, false, false},
		{"a vertical tab", "\vcom", false, false, false},
		{"a unit separator", "com\x1f", false, false, false},
		{"a next line", "com.\u0085", false, false, false},
		{"a no-break space", "com.\u00a0", false, false, false},
		{"a line separator", "com\u2028x", false, false, false},
		{"an ideographic space", "com.\u3000", false, false, false},
		{"half a character", "com.\xe4\xbe", false, false, false},
		{"a byte that is no UTF-8", "com.\x85x", false, false, false},
		{"an encoded surrogate", "com.\xed\xa0\x80", false, false, false},
		{"the character U+FFFD", "com.\ufffd", true, true, true},
		{"the longest", strings.Repeat("a", wamp.MaxURILength), true, true, true},
		{"as many components as a wildcard pattern may have", strings.Repeat("a.", wamp.MaxWildcardComponents-1) + "a", true, true, true},
		{"more components than that", strings.Repeat("a.", wamp.MaxWildcardComponents) + "a", true, true, false},
		{"too long", strings.Repeat("a", wamp.MaxURILength+1), false, false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := wamp.ValidURI(c.s); got != c.exact {
				t.Errorf("ValidURI(%q) = %v, want %v", c.s, got, c.exact)
			}
			for m, want := range map[wamp.Match]bool{wamp.Exact: c.exact, wamp.Prefix: c.prefix, wamp.Wildcard: c.wildcard} {
				if got := wamp.ValidPattern(c.s, m); got != want {
					t.Errorf("ValidPattern(%q, %s) = %v, want %v", c.s, m, got, want)
				}
			}
		})
	}
}

// FuzzValidPattern compares with regular expressions that say the same.
func FuzzValidPattern(f *testing.F) {
	for _, s := range []string{"com.example.x", "", ".", "a..b", "a.", ".a", "a b", "a#", "ä.\u00a0", "\xff", "\x1c", "\u180e"} {
		f.Add(s)
	}
	const part = `[^\s\v\p{Z}\x{1c}-\x{1f}\x{85}.#]`
	rules := map[wamp.Match]*regexp.Regexp{
		wamp.Exact:    regexp.MustCompile(`\A(` + part + `+\.)*` + part + `+\z`),
		wamp.Prefix:   regexp.MustCompile(`\A(` + part + `+\.)*` + part + `*\z`),
		wamp.Wildcard: regexp.MustCompile(`\A(` + part + `*\.)*` + part + `*\z`),
	}
	f.Fuzz(func(t *testing.T, s string) {
		for m, rule := range rules {
			want := (m != wamp.Wildcard || strings.Count(s, ".") < wamp.MaxWildcardComponents) &&
				len(s) <= wamp.MaxURILength && utf8.ValidString(s) && rule.MatchString(s) && (s != "" || m == wamp.Prefix)
			if got := wamp.ValidPattern(s, m); got != want {
				t.Errorf("ValidPattern(%q, %s) = %v, want %v", s, m, got, want)
			}
		}
	})
}

func TestReserved(t *testing.T) {
	for s, want := range map[string]bool{
		"wamp": true, "wamp.": true, "wamp.session.count": true,
		"wampx.y": false, "com.wamp.x": false, "": false, "Wamp.x": false,
	} {
		if got := wamp.Reserved(s); got != want {
			t.Errorf("Reserved(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for s, want := range map[string]wamp.Match{"": wamp.Exact, "exact": wamp.Exact, "prefix": wamp.Prefix, "wildcard": wamp.Wildcard} {
		got, ok := wamp.ParseMatch(s)
		if got != want || !ok {
			t.Errorf("ParseMatch(%q) = %v, %v; want %v", s, got, ok, want)
		}
		if s != "" && got.String() != s {
			t.Errorf("ParseMatch(%q).String() = %q", s, got)
		}
	}
	for _, s := range []string{"Exact", "prefix ", "regexp"} {
		if got, ok := wamp.ParseMatch(s); ok {
			t.Errorf("ParseMatch(%q) = %v, want none", s, got)
		}
	}
}

func BenchmarkValidURI(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if !wamp.ValidURI("com.example.service.procedure") {
			b.Fatal("not valid")
		}
	}
}
