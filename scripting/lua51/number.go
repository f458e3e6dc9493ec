package lua51

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// FormatNumber returns the text of a number as the reference implementation
// prints it: C's "%.14g", with "inf", "-inf", "nan" and "-nan" as on
// linux/amd64, and "-0" for negative zero.
func FormatNumber(n lua.LNumber) string {
	return string(AppendNumber(make([]byte, 0, 24), n))
}

// AppendNumber appends FormatNumber(n) to dst.
func AppendNumber(dst []byte, n lua.LNumber) []byte {
	f := float64(n)
	// Whole numbers of up to 14 digits, the common case, need no rounding.
	if i := int64(f); f > -1e14 && f < 1e14 && float64(i) == f && (i != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, i, 10)
	}
	switch {
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(f) && math.Signbit(f):
		return append(dst, "-nan"...)
	case math.IsNaN(f):
		return append(dst, "nan"...)
	}
	// Go drops trailing zeros in 'g' just as C does and chooses the exponent
	// form by the same rule, once the precision is given.
	return strconv.AppendFloat(dst, f, 'g', 14, 64)
}

// ParseNumber converts a string to a number by the rules of tonumber(s) and of
// arithmetic on strings in the reference implementation, which asks C's strtod:
// spaces around the number, decimal and hexadecimal numerals (with fraction and
// exponent), "inf", "infinity" and "nan" are accepted, and a number too large
// is infinite. Go's own forms ("1_000", "0b1", "0o7") are not. As in C, the
// text ends at the first zero byte.
func ParseNumber(s string) (lua.LNumber, bool) {
	if len(s) > 0 && len(s) < 16 && s[0] >= '0' && s[0] <= '9' {
		if n, ok := parseDigits(s); ok {
			return lua.LNumber(n), true
		}
	}
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	s = strings.Trim(s, " \t\n\v\f\r")
	body, negative := s, false
	if body != "" && (body[0] == '+' || body[0] == '-') {
		negative = body[0] == '-'
		body = body[1:]
	}
	f, ok := parseMagnitude(body)
	if !ok {
		return 0, false
	}
	if negative {
		f = math.Copysign(f, -1)
	}
	return lua.LNumber(f), true
}

// parseDigits reads a short string of decimal digits only.
func parseDigits(s string) (int64, bool) {
	var n int64
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}

// parseMagnitude parses an unsigned numeral without surrounding spaces.
func parseMagnitude(s string) (float64, bool) {
	if s == "" {
		return 0, false
	}
	switch c := s[0]; {
	case c == 'i' || c == 'I':
		return math.Inf(1), strings.EqualFold(s, "inf") || strings.EqualFold(s, "infinity")
	case c == 'n' || c == 'N':
		return math.Copysign(math.NaN(), 1), isNaNText(s)
	case c != '.' && (c < '0' || c > '9'):
		return 0, false
	case len(s) > 1 && c == '0' && (s[1] == 'x' || s[1] == 'X'):
		return parseHex(s[2:])
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '.', c == 'e', c == 'E', c == '+', c == '-':
		default:
			return 0, false // what only Go accepts
		}
	}
	return parsedFloat(strconv.ParseFloat(s, 64))
}

// parseHex parses what follows "0x": at least one hexadecimal digit, with an
// optional fraction and an optional binary exponent.
func parseHex(s string) (float64, bool) {
	mantissa, exponent, hasExponent := s, "", false
	if i := strings.IndexAny(s, "pP"); i >= 0 {
		mantissa, exponent, hasExponent = s[:i], s[i+1:], true
	}
	digits := 0
	dot := false
	for i := range len(mantissa) {
		switch c := mantissa[i]; {
		case isHexDigit(c):
			digits++
		case c == '.' && !dot:
			dot = true
		default:
			return 0, false
		}
	}
	if digits == 0 {
		return 0, false
	}
	if !hasExponent {
		exponent = "0"
	} else if unsigned := strings.TrimLeft(exponent, "+-"); unsigned == "" || len(exponent)-len(unsigned) > 1 {
		return 0, false
	}
	if strings.ContainsRune(exponent, '_') {
		return 0, false
	}
	return parsedFloat(strconv.ParseFloat("0x"+mantissa+"p"+exponent, 64))
}

// parsedFloat keeps the infinity or zero that comes with a range error.
func parsedFloat(f float64, err error) (float64, bool) {
	if err == nil {
		return f, true
	}
	if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
		return f, true
	}
	return 0, false
}

// isNaNText reports whether strtod reads all of s as not-a-number.
func isNaNText(s string) bool {
	if len(s) < 3 || !strings.EqualFold(s[:3], "nan") {
		return false
	}
	rest := s[3:]
	if rest == "" {
		return true
	}
	if len(rest) < 2 || rest[0] != '(' || rest[len(rest)-1] != ')' {
		return false
	}
	for _, c := range []byte(rest[1 : len(rest)-1]) {
		if c != '_' && !isAlphanumeric(c) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool        { return c >= '0' && c <= '9' }
func isLetter(c byte) bool       { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isAlphanumeric(c byte) bool { return isDigit(c) || isLetter(c) }
func isHexDigit(c byte) bool     { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
