package lualib

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// directive is one conversion of string.format, as in C's printf.
type directive struct {
	minus, plus, space, alternate, zero bool
	leadingZero                         bool // of an octal number

	width     int
	precision int // -1: not given
	verb      byte
}

// maxFlags is how many flags a conversion may have, repeated ones included.
const maxFlags = 5

func stringFormat(L *lua.LState) int {
	format := CheckString(L, 1)
	var out buffer
	arg := 1
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			break
		}
		out.addString(L, format[:i])
		format = format[i+1:]
		if strings.HasPrefix(format, "%") {
			out.addByte(L, '%')
			format = format[1:]
			continue
		}
		arg++
		if arg > L.GetTop() {
			ArgError(L, arg, "no value")
		}
		var d directive
		format = d.parse(L, format)
		d.format(L, &out, arg)
	}
	out.addString(L, format)
	return out.push(L)
}

// parse reads what follows the % and returns the rest of the format.
func (d *directive) parse(L *lua.LState, s string) string {
	i := 0
flags:
	for ; i < len(s); i++ {
		switch s[i] {
		case '-':
			d.minus = true
		case '+':
			d.plus = true
		case ' ':
			d.space = true
		case '#':
			d.alternate = true
		case '0':
			d.zero = true
		default:
			break flags
		}
	}
	if i > maxFlags {
		Errorf(L, "invalid format (repeated flags)")
	}
	d.width, i = twoDigits(s, i)
	d.precision = -1
	if i < len(s) && s[i] == '.' {
		d.precision, i = twoDigits(s, i+1)
	}
	if i < len(s) && isDigit(s[i]) {
		Errorf(L, "invalid format (width or precision too long)")
	}
	if i < len(s) {
		d.verb = s[i]
		i++
	}
	return s[i:]
}

// twoDigits reads a number of at most two digits; none is 0.
func twoDigits(s string, i int) (n, next int) {
	for end := i + 2; i < end && i < len(s) && isDigit(s[i]); i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n, i
}

// format adds the text of one argument.
func (d *directive) format(L *lua.LState, out *buffer, arg int) {
	switch d.verb {
	case 'c':
		// The reference implementation takes the result as a C string.
		d.zero = false
		out.addString(L, cString(d.pad("", string([]byte{byte(toInteger(CheckNumber(L, arg)))}))))
	case 'd', 'i':
		n := toInteger(CheckNumber(L, arg))
		magnitude := uint64(n)
		if n < 0 {
			magnitude = -magnitude
		}
		out.addString(L, d.integer(d.sign(n < 0), strconv.FormatUint(magnitude, 10)))
	case 'o':
		d.leadingZero = d.alternate
		out.addString(L, d.integer("", strconv.FormatUint(toUnsigned(CheckNumber(L, arg)), 8)))
	case 'u':
		out.addString(L, d.integer("", strconv.FormatUint(toUnsigned(CheckNumber(L, arg)), 10)))
	case 'x', 'X':
		n := toUnsigned(CheckNumber(L, arg))
		prefix := ""
		if d.alternate && n != 0 {
			prefix = "0x"
		}
		text := d.integer(prefix, strconv.FormatUint(n, 16))
		if d.verb == 'X' {
			text = strings.ToUpper(text)
		}
		out.addString(L, text)
	case 'e', 'E', 'f', 'g', 'G':
		out.addString(L, d.float(CheckNumber(L, arg)))
	case 'q':
		addQuoted(L, out, CheckString(L, arg))
	case 's':
		s := CheckString(L, arg)
		if d.precision < 0 && len(s) >= 100 {
			out.addString(L, s) // long enough for any width, and kept whole
			return
		}
		s = cString(s)
		if d.precision >= 0 && d.precision < len(s) {
			s = s[:d.precision]
		}
		d.zero = false
		out.addString(L, d.pad("", s))
	default:
		Errorf(L, "invalid option '%%%s' to 'format'", cString(string([]byte{d.verb})))
	}
}

// sign returns what stands before a signed number.
func (d *directive) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case d.plus:
		return "+"
	case d.space:
		return " "
	}
	return ""
}

// integer fills digits up to the precision and pads to the width.
func (d *directive) integer(prefix, digits string) string {
	if d.precision >= 0 {
		d.zero = false
		if digits == "0" && d.precision == 0 {
			digits = ""
		}
		if n := d.precision - len(digits); n > 0 {
			digits = strings.Repeat("0", n) + digits
		}
	}
	if d.leadingZero && !strings.HasPrefix(digits, "0") {
		prefix = "0"
	}
	return d.pad(prefix, digits)
}

// float formats by the verbs e, f and g.
func (d *directive) float(f float64) string {
	sign := d.sign(math.Signbit(f))
	verb := d.verb | 0x20
	var text string
	switch {
	case math.IsInf(f, 0):
		d.zero = false
		text = "inf"
	case math.IsNaN(f):
		d.zero = false
		text = "nan"
	default:
		precision := d.precision
		if precision < 0 {
			precision = 6
		}
		if verb == 'g' {
			text = d.general(math.Abs(f), max(precision, 1))
			break
		}
		text = strconv.FormatFloat(math.Abs(f), verb, precision, 64)
		if d.alternate && precision == 0 {
			text = withPoint(text)
		}
	}
	text = d.pad(sign, text)
	if d.verb != verb {
		text = strings.ToUpper(text)
	}
	return text
}

// general is %g: the shorter of e and f, without trailing zeros unless the flag
// # asks for them.
func (d *directive) general(f float64, precision int) string {
	if !d.alternate {
		return strconv.FormatFloat(f, 'g', precision, 64)
	}
	scientific := strconv.FormatFloat(f, 'e', precision-1, 64)
	exponent, _ := strconv.Atoi(scientific[strings.IndexByte(scientific, 'e')+1:])
	if exponent < -4 || exponent >= precision {
		return withPoint(scientific)
	}
	return withPoint(strconv.FormatFloat(f, 'f', precision-1-exponent, 64))
}

// withPoint adds the decimal point that the flag # keeps.
func withPoint(s string) string {
	if strings.IndexByte(s, '.') >= 0 {
		return s
	}
	if i := strings.IndexByte(s, 'e'); i >= 0 {
		return s[:i] + "." + s[i:]
	}
	return s + "."
}

// pad fills up to the width: zeros between prefix and text, or spaces around.
func (d *directive) pad(prefix, text string) string {
	n := d.width - len(prefix) - len(text)
	switch {
	case n <= 0:
		return prefix + text
	case d.minus:
		return prefix + text + strings.Repeat(" ", n)
	case d.zero:
		return prefix + strings.Repeat("0", n) + text
	}
	return strings.Repeat(" ", n) + prefix + text
}

// addQuoted adds s as a string literal that reads back as s.
func addQuoted(L *lua.LState, out *buffer, s string) {
	out.addByte(L, '"')
	for len(s) > 0 {
		i := strings.IndexAny(s, "\"\\\n\r\x00")
		if i < 0 {
			break
		}
		out.addString(L, s[:i])
		switch s[i] {
		case '\r':
			out.addString(L, `\r`)
		case 0:
			out.addString(L, `\000`)
		default:
			out.addByte(L, '\\')
			out.addByte(L, s[i])
		}
		s = s[i+1:]
	}
	out.addString(L, s)
	out.addByte(L, '"')
}
