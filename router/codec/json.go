package codec

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// skipSpace returns the index of the first byte from i on that is no white space.
func skipSpace(d []byte, i int) int {
	for i < len(d) && d[i] <= ' ' && (d[i] == ' ' || d[i] == '\n' || d[i] == '\r' || d[i] == '\t') {
		i++
	}
	return i
}

func (c *cursor) space() { c.pos = skipSpace(c.data, c.pos) }

// peekJSON passes white space and judges by the first byte; only of numbers it
// looks at more.
func (c *cursor) peekJSON() Kind {
	c.space()
	if c.pos >= len(c.data) {
		return KindInvalid
	}
	switch x := c.data[c.pos]; {
	case x == '"':
		return KindString
	case x == '[':
		return KindList
	case x == '{':
		return KindDict
	case x == '-' || x >= '0' && x <= '9':
		for _, y := range c.data[c.pos+1:] {
			switch {
			case y >= '0' && y <= '9':
				continue
			case y == '.' || y|0x20 == 'e':
				return KindFloat
			}
			break
		}
		if x == '-' {
			return KindInt
		}
		return KindUint
	case x == 't' || x == 'f':
		return KindBool
	case x == 'n':
		return KindNull
	}
	return KindInvalid
}

// moreJSON is more for JSON.
func (c *cursor) moreJSON(s *seq) bool {
	c.space()
	if c.pos >= len(c.data) {
		c.truncated()
		return false
	}
	end := byte(']')
	if s.dict {
		end = '}'
	}
	switch x := c.data[c.pos]; {
	case x == end:
		c.pos++
		s.ended = true
		return false
	case !s.next:
		s.next = true
		return true
	case x != ',':
		c.fail(c.pos, "a comma or %q must come here", end)
		return false
	}
	c.pos++
	if c.space(); c.pos < len(c.data) && c.data[c.pos] == end {
		c.fail(c.pos, "there is a comma before %q", end)
		return false
	}
	return true
}

// keyJSON reads a key and its colon.
func (c *cursor) keyJSON() []byte {
	if c.space(); c.pos < len(c.data) && c.data[c.pos] != '"' {
		c.fail(c.pos, "a key must be a string")
		return nil
	}
	key := c.stringJSON()
	if c.err == nil {
		c.pos = c.colon(c.pos)
	}
	return key
}

// colon returns the index behind the colon that comes next.
func (c *cursor) colon(i int) int {
	i = skipSpace(c.data, i)
	if i >= len(c.data) {
		c.truncated()
		return len(c.data)
	}
	if c.data[i] != ':' {
		c.fail(i, "a colon must follow a key")
		return len(c.data)
	}
	return i + 1
}

// stringJSON reads the string that begins here.
func (c *cursor) stringJSON() []byte {
	start := c.pos
	end, escaped := c.quoted(start)
	if c.err != nil {
		return nil
	}
	c.pos = end
	raw := c.data[start+1 : end-1]
	if !escaped {
		return raw
	}
	// Escapes are longer than what they mean: one allocation is enough.
	c.scratch = unescape(slices.Grow(c.scratch[:0], len(raw)), raw)
	return c.scratch
}

const ones, highs = 0x0101010101010101, 0x8080808080808080

// special looks at eight characters of a string at a time: the lowest bit that it
// returns is the highest of the first quotation mark, backslash or control
// character.
func special(x uint64) uint64 {
	quote := x ^ ones*'"'
	slash := x ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x) & highs
}

// quoted validates the string whose quotation mark is at start and returns the
// index behind it. escaped says that it has escapes.
func (c *cursor) quoted(start int) (end int, escaped bool) {
	d := c.data
	i := start + 1
	other := uint64(0) // gathers the high bits of all bytes
	for {
		for i+8 <= len(d) {
			x := binary.LittleEndian.Uint64(d[i:])
			if hit := special(x); hit != 0 {
				n := bits.TrailingZeros64(hit) &^ 7
				other |= x & (1<<n - 1)
				i += n / 8
				if d[i] == '"' && other&highs == 0 { // nearly all strings end here
					return i + 1, escaped
				}
				break
			}
			other |= x
			i += 8
		}
		for i < len(d) && d[i] >= 0x20 && d[i] != '"' && d[i] != '\\' {
			other |= uint64(d[i])
			i++
		}
		if i >= len(d) {
			c.truncated()
			return i, false
		}
		switch d[i] {
		case '"':
			if other&highs != 0 && !utf8.Valid(d[start+1:i]) {
				c.fail(start, "a string is not valid UTF-8")
			}
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = c.escape(i); c.err != nil {
				return i, false
			}
		default:
			c.fail(i, "a string has a control character, which must be escaped")
			return i, false
		}
	}
}

// escape validates the escape at i and returns the index behind it.
func (c *cursor) escape(i int) int {
	d := c.data
	if i+1 < len(d) {
		switch d[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			return i + 2
		case 'u':
			if i+6 > len(d) {
				break
			}
			for _, x := range d[i+2 : i+6] {
				if !(x >= '0' && x <= '9' || x|0x20 >= 'a' && x|0x20 <= 'f') {
					c.fail(i, "an escape is malformed")
					return i
				}
			}
			return i + 6
		default:
			c.fail(i, "an escape is malformed")
			return i
		}
	}
	c.truncated()
	return i
}

// unescape appends what the validated content of a string means. Half a
// surrogate pair becomes U+FFFD.
func unescape(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		x := raw[i+1]
		raw = raw[i+2:]
		switch x {
		case 'b':
			x = '\b'
		case 'f':
			x = '\f'
		case 'n':
			x = '\n'
		case 'r':
			x = '\r'
		case 't':
			x = '\t'
		case 'u':
			r := hex4(raw)
			raw = raw[4:]
			if utf16.IsSurrogate(r) {
				low := rune(utf8.RuneError)
				if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
					low = hex4(raw[2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					raw = raw[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, x)
	}
}

// hex4 is the value of four hexadecimal digits.
func hex4(b []byte) (r rune) {
	for _, x := range b[:4] {
		if x >= 'A' {
			x = x&0x0f + 9
		}
		r = r<<4 | rune(x&0x0f)
	}
	return r
}

// digits returns the index of the first byte from i on that is no digit.
func digits(d []byte, i int) int {
	for i < len(d) && d[i] >= '0' && d[i] <= '9' {
		i++
	}
	return i
}

// numeral validates the number at i and returns the index behind it. whole says
// that it has neither fraction nor exponent.
func (c *cursor) numeral(i int) (end int, whole bool) {
	d, start := c.data, i
	if d[i] == '-' {
		i++
	}
	first := i
	i = digits(d, i)
	ok := i > first && (d[first] != '0' || i == first+1)
	whole = true
	if ok && i < len(d) && d[i] == '.' {
		whole = false
		first, i = i+1, digits(d, i+1)
		ok = i > first
	}
	if ok && i < len(d) && d[i]|0x20 == 'e' {
		whole = false
		i++
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		first, i = i, digits(d, i)
		ok = i > first
	}
	if !ok {
		c.fail(start, "a number is malformed")
		return start, false
	}
	return i, whole
}

// number reads the number that begins here. Integers beyond 64 bits are floats,
// as the languages that have no such integers take them; what is too large for a
// float is infinite.
func (c *cursor) number() (kind Kind, n uint64, float float64) {
	start := c.pos
	end, whole := c.numeral(start)
	if c.err != nil {
		return KindInvalid, 0, 0
	}
	c.pos = end
	text := c.data[start:end]
	if whole {
		negative := text[0] == '-'
		for _, x := range bytes.TrimPrefix(text, []byte{'-'}) {
			hi, lo := bits.Mul64(n, 10)
			sum, carry := bits.Add64(lo, uint64(x-'0'), 0)
			if hi != 0 || carry != 0 {
				whole = false
				break
			}
			n = sum
		}
		switch {
		case whole && !negative:
			return KindUint, n, 0
		case whole && n >= 1 && n <= 1<<63:
			return KindInt, n - 1, 0
		}
	}
	float, _ = strconv.ParseFloat(string(text), 64) // it can only be out of range: then it is infinite
	return KindFloat, 0, float
}

// word passes over true, false or null and reports whether it is there.
func (c *cursor) word(w string) bool {
	if len(c.data)-c.pos < len(w) || string(c.data[c.pos:c.pos+len(w)]) != w {
		c.fail(c.pos, "a value must come here")
		return false
	}
	c.pos += len(w)
	return true
}

// skipJSON passes over one value. Nothing is called for white space, brackets
// and commas, which make up much of a message.
func (c *cursor) skipJSON(depth int) {
	d, i := c.data, c.pos
	dicts := uint64(0) // bit n: the list or dict in n others is a dict
	n := depth
value:
	for {
		if i = skipSpace(d, i); i >= len(d) {
			c.truncated()
			return
		}
		switch x := d[i]; {
		case x == '"':
			i, _ = c.quoted(i)
		case x == '-' || x >= '0' && x <= '9':
			i, _ = c.numeral(i)
		case x == '[' || x == '{':
			if n >= MaxDepth {
				c.fail(i, "lists and dicts are nested more than %d deep", MaxDepth)
				return
			}
			if i = skipSpace(d, i+1); i >= len(d) {
				c.truncated()
				return
			}
			if d[i] == x+2 { // the closing bracket in ASCII
				i++
				break
			}
			dicts &^= 1 << n
			if x == '{' {
				dicts |= 1 << n
				if i = c.skipKey(i); c.err != nil {
					return
				}
			}
			n++
			continue value
		case len(d)-i >= 4 && (string(d[i:i+4]) == "null" || string(d[i:i+4]) == "true"):
			i += 4
		default:
			c.pos = i
			i = c.constant(x)
		}
		if c.err != nil {
			return
		}
		for n > depth {
			if i = skipSpace(d, i); i >= len(d) {
				c.truncated()
				return
			}
			dict := dicts>>(n-1)&1 == 1
			switch x := d[i]; {
			case x == ',':
				i++
				if dict {
					if i = c.skipKey(i); c.err != nil {
						return
					}
				}
				continue value
			case x == '}' && dict, x == ']' && !dict:
				i++
				n--
			default:
				c.fail(i, "a comma or a closing bracket must come here")
				return
			}
		}
		c.pos = i
		return
	}
}

// constant passes over true, false or null, which begins with x.
func (c *cursor) constant(x byte) int {
	switch x {
	case 't':
		c.word("true")
	case 'f':
		c.word("false")
	default:
		c.word("null")
	}
	return c.pos
}

// skipKey passes over a key and its colon.
func (c *cursor) skipKey(i int) int {
	i = skipSpace(c.data, i)
	if i >= len(c.data) {
		c.truncated()
		return i
	}
	if c.data[i] != '"' {
		c.fail(i, "a key must be a string")
		return i
	}
	if i, _ = c.quoted(i); c.err != nil {
		return i
	}
	if i < len(c.data) && c.data[i] == ':' {
		return i + 1
	}
	return c.colon(i)
}
