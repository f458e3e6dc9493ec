package codec

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonString finds the end of the string at start and validates it.
func (c *cursor) jsonString(start int) (end int, escaped, ok bool) {
	d := c.data
	i := start + 1
	for {
		for i+8 <= len(d) {
			x := binary.LittleEndian.Uint64(d[i:])
			const ones, highs = 0x0101010101010101, 0x8080808080808080
			quote := x ^ (ones * '"')
			slash := x ^ (ones * '\\')
			hit := (quote-ones)&^quote | (slash-ones)&^slash | (x - ones*0x20) | x
			if hit&highs != 0 {
				break
			}
			i += 8
		}
		if i >= len(d) {
			c.truncated()
			return 0, false, false
		}
		switch ch := d[i]; {
		case ch == '"':
			return i + 1, escaped, true
		case ch == '\\':
			escaped = true
			if i+1 >= len(d) {
				c.truncated()
				return 0, false, false
			}
			switch d[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				if i+6 > len(d) {
					c.truncated()
					return 0, false, false
				}
				for _, x := range d[i+2 : i+6] {
					if !(x >= '0' && x <= '9' || x|0x20 >= 'a' && x|0x20 <= 'f') {
						c.fail(i, "a \\u escape is malformed")
						return 0, false, false
					}
				}
				i += 6
			default:
				c.fail(i, "an escape is malformed")
				return 0, false, false
			}
		case ch < 0x20:
			c.fail(i, "a control character in a string")
			return 0, false, false
		case ch < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(d[i:])
			if r == utf8.RuneError && n == 1 {
				c.fail(i, "a string is not valid UTF-8")
				return 0, false, false
			}
			i += n
		}
	}
}

func unescape(dst, raw []byte) []byte {
	hex := func(b []byte) rune {
		v, _ := strconv.ParseUint(string(b), 16, 32)
		return rune(v)
	}
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			i++
			continue
		}
		switch ch := raw[i+1]; ch {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex(raw[i+2 : i+6])
			i += 6
			if utf16.IsSurrogate(r) {
				if i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
					if two := utf16.DecodeRune(r, hex(raw[i+2:i+6])); two != utf8.RuneError {
						r = two
						i += 6
					} else {
						r = utf8.RuneError
					}
				} else {
					r = utf8.RuneError
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		default:
			dst = append(dst, ch)
		}
		i += 2
	}
	return dst
}

// jsonNumber returns the end of the number at start; integer says it has neither
// fraction nor exponent.
func (c *cursor) jsonNumber(start int) (end int, integer, ok bool) {
	d, i := c.data, start
	digits := func() bool {
		s := i
		for i < len(d) && d[i] >= '0' && d[i] <= '9' {
			i++
		}
		return i > s
	}
	if d[i] == '-' {
		i++
	}
	lead := i
	if !digits() || d[lead] == '0' && i > lead+1 {
		c.fail(start, "a number is malformed")
		return 0, false, false
	}
	integer = true
	if i < len(d) && d[i] == '.' {
		i++
		integer = false
		if !digits() {
			c.fail(start, "a number is malformed")
			return 0, false, false
		}
	}
	if i < len(d) && d[i]|0x20 == 'e' {
		i++
		integer = false
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		if !digits() {
			c.fail(start, "a number is malformed")
			return 0, false, false
		}
	}
	return i, integer, true
}

func (c *cursor) literal(word string) bool {
	if len(c.data)-c.pos >= len(word) && string(c.data[c.pos:c.pos+len(word)]) == word {
		c.pos += len(word)
		return true
	}
	c.fail(c.pos, "expected a value")
	return false
}

// decodeBase64 is the binary data of a JSON string in WAMP's convention.
func decodeBase64(s []byte) ([]byte, bool) {
	if len(s) == 0 || s[0] != 0 {
		return nil, false
	}
	b, err := base64.StdEncoding.AppendDecode(nil, s[1:])
	return b, err == nil
}
