package lua51_test

import (
	"math"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// The expected texts are what the reference implementation prints.
func TestFormatNumber(t *testing.T) {
	for _, test := range []struct {
		n    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {1, "1"}, {-42, "-42"}, {0.1, "0.1"}, {1.0 / 3, "0.33333333333333"},
		{1e14, "1e+14"}, {99999999999999, "99999999999999"}, {1e15, "1e+15"}, {1 << 53, "9.007199254741e+15"},
		{12345678.9, "12345678.9"}, {123456789012345, "1.2345678901234e+14"}, {1e-4, "0.0001"}, {1e-5, "1e-05"},
		{5e-324, "4.9406564584125e-324"}, {1.7e308, "1.7e+308"}, {99999999999999.5, "1e+14"}, {1e100, "1e+100"},
		{math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {math.Copysign(math.NaN(), 1), "nan"}, {math.Copysign(math.NaN(), -1), "-nan"},
	} {
		if got := lua51.FormatNumber(lua.LNumber(test.n)); got != test.want {
			t.Errorf("FormatNumber(%v) = %q, want %q", test.n, got, test.want)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for _, test := range []struct {
		s    string
		want float64
		ok   bool
	}{
		{"10", 10, true}, {" 10\t", 10, true}, {"010", 10, true}, {"1e2", 100, true}, {"1E-1", 0.1, true}, {".5", 0.5, true}, {"5.", 5, true},
		{"-7", -7, true}, {"+7", 7, true}, {"0x10", 16, true}, {"-0X1f", -31, true}, {"0x.8", 0.5, true}, {"0x1p4", 16, true},
		{"1e400", math.Inf(1), true}, {"-1e400", math.Inf(-1), true}, {"1e-400", 0, true}, {"inf", math.Inf(1), true}, {"Infinity", math.Inf(1), true},
		{"10\x00abc", 10, true}, {"12345678901234567890", 12345678901234567890, true},
		{"", 0, false}, {" ", 0, false}, {".", 0, false}, {"1e", 0, false}, {"1_000", 0, false}, {"0b1", 0, false}, {"0o7", 0, false},
		{"0x", 0, false}, {"0xg", 0, false}, {"0x1p", 0, false}, {"0x1_0", 0, false}, {"- 1", 0, false}, {"--1", 0, false}, {"1 2", 0, false},
		{"\x0010", 0, false}, {"1.5.2", 0, false}, {"infin", 0, false}, {"nan(", 0, false}, {"abc", 0, false},
	} {
		got, ok := lua51.ParseNumber(test.s)
		if ok != test.ok || ok && float64(got) != test.want {
			t.Errorf("ParseNumber(%q) = %v, %v, want %v, %v", test.s, got, ok, test.want, test.ok)
		}
	}
	for _, s := range []string{"nan", "NaN", "-nan", "nan(1)"} {
		if got, ok := lua51.ParseNumber(s); !ok || !math.IsNaN(float64(got)) {
			t.Errorf("ParseNumber(%q) = %v, %v, want not a number", s, got, ok)
		}
	}
	if got, ok := lua51.ParseNumber("-0"); !ok || !math.Signbit(float64(got)) {
		t.Errorf(`ParseNumber("-0") = %v, %v, want -0`, got, ok)
	}
}

// FuzzParseNumber: what FormatNumber writes is read back as the same text.
func FuzzParseNumber(f *testing.F) {
	for _, seed := range []string{"1", "-0", "0x1p4", "1e400", "nan", " 7 ", "1_0", "0x", "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := lua51.ParseNumber(s)
		if !ok {
			return
		}
		text := lua51.FormatNumber(n)
		again, ok := lua51.ParseNumber(text)
		if !ok || lua51.FormatNumber(again) != text {
			t.Errorf("%q is %q, which is read as %v, %v", s, text, again, ok)
		}
	})
}
