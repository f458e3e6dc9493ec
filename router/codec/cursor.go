package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"usher/router/wamp"
)

// MaxDepth bounds the nesting of lists and dicts in a message, itself included.
const MaxDepth = 64

// Error says what is wrong with encoded data, and where.
type Error struct {
	Type    wamp.MessageType // zero where it could not be read
	Offset  int              // in bytes from the start of the data
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (offset %d)", e.Message, e.Offset) }

// Kind is what a value is.
type Kind uint8

// The kinds. KindEnd is the end of the innermost list or dict.
const (
	KindInvalid Kind = iota
	KindNull
	KindBool
	KindInt
	KindUint
	KindFloat
	KindString
	KindBytes
	KindList
	KindDict
	KindEnd
)

func (k Kind) String() string {
	return [...]string{"something malformed", "null", "a boolean", "an integer", "an integer", "a float", "a string", "binary data", "a list", "a dict", "an end"}[k]
}

// cursor walks over encoded data of one format. After an error it stays there.
type cursor struct {
	f       wamp.Format
	data    []byte
	pos     int
	err     *Error
	scratch []byte
}

func (c *cursor) fail(at int, format string, args ...any) {
	if c.err == nil {
		c.err = &Error{Offset: at, Message: fmt.Sprintf(format, args...)}
	}
	c.pos = len(c.data)
}

// seq is one open list or dict.
type seq struct {
	left  int // elements (or entries) left; -1: until the closing mark
	first bool
	dict  bool
}

// head of a MessagePack or CBOR value
type head struct {
	kind       Kind
	n          uint64 // value of an int; length of strings, lists, dicts; -1-n for negative ints
	neg        bool
	fl         float64
	b          bool
	indefinite bool
	ext        bool
}

func (c *cursor) space() {
	for c.pos < len(c.data) {
		switch c.data[c.pos] {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return
		}
	}
}

func (c *cursor) truncated() { c.fail(len(c.data), "the data ends in the middle of a value") }

// peek says what comes next.
func (c *cursor) peek() Kind {
	if c.err != nil {
		return KindInvalid
	}
	if c.f == wamp.JSON {
		c.space()
		if c.pos >= len(c.data) {
			return KindInvalid
		}
		switch ch := c.data[c.pos]; ch {
		case '[':
			return KindList
		case '{':
			return KindDict
		case '"':
			if len(c.data)-c.pos >= 7 && string(c.data[c.pos+1:c.pos+7]) == `\u0000` {
				return KindBytes
			}
			return KindString
		case 't', 'f':
			return KindBool
		case 'n':
			return KindNull
		default:
			if ch == '-' || ch >= '0' && ch <= '9' {
				for i := c.pos + 1; i < len(c.data); i++ {
					switch d := c.data[i]; {
					case d >= '0' && d <= '9':
					case d == '.' || d == 'e' || d == 'E':
						return KindFloat
					default:
						if ch == '-' {
							return KindInt
						}
						return KindUint
					}
				}
				return KindUint
			}
		}
		return KindInvalid
	}
	save := c.pos
	h, ok := c.head()
	c.pos = save
	if !ok {
		return KindInvalid
	}
	return h.kind
}

func (c *cursor) take(n int) ([]byte, bool) {
	if n < 0 || len(c.data)-c.pos < n {
		c.truncated()
		return nil, false
	}
	b := c.data[c.pos : c.pos+n]
	c.pos += n
	return b, true
}

func (c *cursor) be(n int) (uint64, bool) {
	b, ok := c.take(n)
	if !ok {
		return 0, false
	}
	switch n {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), true
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), true
	}
	return binary.BigEndian.Uint64(b), true
}

// head reads a MessagePack or CBOR head.
func (c *cursor) head() (h head, ok bool) {
	if c.f == wamp.MessagePack {
		return c.msgpackHead()
	}
	return c.cborHead()
}

func (c *cursor) msgpackHead() (h head, ok bool) {
	at := c.pos
	b, ok := c.take(1)
	if !ok {
		return h, false
	}
	x := b[0]
	sized := func(kind Kind, n int) (head, bool) {
		v, ok := c.be(n)
		return head{kind: kind, n: v}, ok
	}
	switch {
	case x < 0x80:
		return head{kind: KindUint, n: uint64(x)}, true
	case x < 0x90:
		return head{kind: KindDict, n: uint64(x & 15)}, true
	case x < 0xa0:
		return head{kind: KindList, n: uint64(x & 15)}, true
	case x < 0xc0:
		return head{kind: KindString, n: uint64(x & 31)}, true
	case x >= 0xe0:
		return head{kind: KindInt, neg: true, n: uint64(^int64(int8(x)))}, true
	}
	switch x {
	case 0xc0:
		return head{kind: KindNull}, true
	case 0xc2, 0xc3:
		return head{kind: KindBool, b: x == 0xc3}, true
	case 0xc4:
		return sized(KindBytes, 1)
	case 0xc5:
		return sized(KindBytes, 2)
	case 0xc6:
		return sized(KindBytes, 4)
	case 0xca:
		v, ok := c.be(4)
		return head{kind: KindFloat, fl: float64(math.Float32frombits(uint32(v)))}, ok
	case 0xcb:
		v, ok := c.be(8)
		return head{kind: KindFloat, fl: math.Float64frombits(v)}, ok
	case 0xcc, 0xcd, 0xce, 0xcf:
		return sized(KindUint, 1<<(x-0xcc))
	case 0xd0, 0xd1, 0xd2, 0xd3:
		n := 1 << (x - 0xd0)
		v, ok := c.be(n)
		s := int64(v<<(64-8*n)) >> (64 - 8*n)
		if s < 0 {
			return head{kind: KindInt, neg: true, n: uint64(^s)}, ok
		}
		return head{kind: KindUint, n: uint64(s)}, ok
	case 0xd9:
		return sized(KindString, 1)
	case 0xda:
		return sized(KindString, 2)
	case 0xdb:
		return sized(KindString, 4)
	case 0xdc:
		return sized(KindList, 2)
	case 0xdd:
		return sized(KindList, 4)
	case 0xde:
		return sized(KindDict, 2)
	case 0xdf:
		return sized(KindDict, 4)
	case 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		n := uint64(1)
		if x >= 0xd4 {
			n = 1 << (x - 0xd4)
		} else if n, ok = c.be(1 << (x - 0xc7)); !ok {
			return h, false
		}
		if n >= uint64(len(c.data)) {
			c.truncated()
			return h, false
		}
		b, ok := c.take(int(n) + 1)
		if !ok {
			return h, false
		}
		if b[0] == 0 { // wampy's undefined
			return head{kind: KindNull, ext: true}, true
		}
		return head{kind: KindNull, ext: true}, true
	}
	c.fail(at, "0x%02x is no MessagePack value", x)
	return h, false
}

func (c *cursor) cborHead() (h head, ok bool) {
	for {
		at := c.pos
		b, ok := c.take(1)
		if !ok {
			return h, false
		}
		major, low := b[0]>>5, b[0]&31
		n := uint64(low)
		switch {
		case low < 24:
		case low < 28:
			if n, ok = c.be(1 << (low - 24)); !ok {
				return h, false
			}
		case low == 31 && major >= 2 && major != 6:
			h.indefinite = true
		default:
			c.fail(at, "0x%02x is no CBOR value", b[0])
			return h, false
		}
		h.n = n
		switch major {
		case 0:
			h.kind = KindUint
		case 1:
			h.kind, h.neg = KindInt, true
		case 2:
			h.kind = KindBytes
		case 3:
			h.kind = KindString
		case 4:
			h.kind = KindList
		case 5:
			h.kind = KindDict
		case 6:
			continue // a tag: the value follows
		case 7:
			switch low {
			case 20, 21:
				h.kind, h.b = KindBool, low == 21
			case 22, 23:
				h.kind = KindNull
			case 25:
				h.kind, h.fl = KindFloat, half(uint16(n))
			case 26:
				h.kind, h.fl = KindFloat, float64(math.Float32frombits(uint32(n)))
			case 27:
				h.kind, h.fl = KindFloat, math.Float64frombits(n)
			case 31:
				h.kind = KindEnd
			default:
				c.fail(at, "0x%02x is no CBOR value known here", b[0])
				return h, false
			}
		}
		return h, true
	}
}

func half(x uint16) float64 {
	sign, exp, frac := x>>15, int(x>>10&31), float64(x&1023)
	var v float64
	switch exp {
	case 0:
		v = math.Ldexp(frac, -24)
	case 31:
		v = math.Inf(1)
		if frac != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(frac+1024, exp-25)
	}
	if sign == 1 {
		v = -v
	}
	return v
}

// open enters the list or dict that comes next.
func (c *cursor) open(want Kind, what string) (s seq, ok bool) {
	s.dict = want == KindDict
	at := c.pos
	if c.f == wamp.JSON {
		if k := c.peek(); k != want {
			c.fail(at, "%s must be %s, got %s", what, want, k)
			return s, false
		}
		c.pos++
		s.left, s.first = -1, true
		return s, true
	}
	h, ok := c.head()
	if !ok {
		return s, false
	}
	if h.kind != want {
		c.fail(at, "%s must be %s, got %s", what, want, h.kind)
		return s, false
	}
	s.left = int(h.n)
	if h.indefinite {
		s.left = -1
	} else if h.n > uint64(len(c.data)-c.pos) {
		c.fail(at, "a length is larger than the data")
		return s, false
	}
	return s, true
}

// next positions at the next element, or key; false at the end and after errors.
func (c *cursor) next(s *seq) bool {
	if c.err != nil {
		return false
	}
	if c.f != wamp.JSON {
		if s.left > 0 {
			s.left--
			return true
		}
		if s.left == 0 {
			return false
		}
		if c.pos >= len(c.data) {
			c.truncated()
			return false
		}
		if c.data[c.pos] == 0xff {
			c.pos++
			s.left = 0
			return false
		}
		return true
	}
	if s.left == 0 {
		return false
	}
	c.space()
	if c.pos >= len(c.data) {
		c.truncated()
		return false
	}
	end := byte(']')
	if s.dict {
		end = '}'
	}
	ch := c.data[c.pos]
	switch {
	case ch == end:
		c.pos++
		s.left = 0
		return false
	case s.first:
		s.first = false
		return true
	case ch == ',':
		c.pos++
		c.space()
		if c.pos < len(c.data) && c.data[c.pos] == end {
			c.fail(c.pos, "a comma before %q", end)
			return false
		}
		return true
	}
	c.fail(c.pos, "expected ',' or %q", end)
	return false
}

// key reads a dict's key, valid until the next string.
func (c *cursor) key() []byte {
	k := c.str("a key")
	if c.f == wamp.JSON && c.err == nil {
		c.space()
		if c.pos >= len(c.data) || c.data[c.pos] != ':' {
			c.fail(c.pos, "expected ':' after a key")
			return nil
		}
		c.pos++
	}
	return k
}

// str reads a string; the bytes are borrowed from data or scratch.
func (c *cursor) str(what string) []byte {
	at := c.pos
	if c.f == wamp.JSON {
		k := c.peek()
		if k != KindString && k != KindBytes {
			c.fail(at, "%s must be a string, got %s", what, k)
			return nil
		}
		start := c.pos
		end, escaped, ok := c.jsonString(start)
		if !ok {
			return nil
		}
		c.pos = end
		raw := c.data[start+1 : end-1]
		if escaped {
			c.scratch = unescape(c.scratch[:0], raw)
			return c.scratch
		}
		return raw
	}
	h, ok := c.head()
	if !ok {
		return nil
	}
	if h.kind != KindString {
		c.fail(at, "%s must be a string, got %s", what, h.kind)
		return nil
	}
	b, ok := c.chunk(h, at, 3)
	if !ok {
		return nil
	}
	if !utf8.Valid(b) {
		c.fail(at, "%s is not valid UTF-8", what)
		return nil
	}
	return b
}

// chunk reads the bytes of a string or binary head.
func (c *cursor) chunk(h head, at int, major byte) ([]byte, bool) {
	if !h.indefinite {
		if h.n > uint64(len(c.data)-c.pos) {
			c.fail(at, "a length is larger than the data")
			return nil, false
		}
		return c.take(int(h.n))
	}
	c.scratch = c.scratch[:0]
	for {
		if c.pos >= len(c.data) {
			c.truncated()
			return nil, false
		}
		if c.data[c.pos] == 0xff {
			c.pos++
			return c.scratch, true
		}
		p := c.pos
		g, ok := c.cborHead()
		if !ok {
			return nil, false
		}
		if c.data[p]>>5 != major || g.indefinite || g.n > uint64(len(c.data)-c.pos) {
			c.fail(p, "a part of a string is malformed")
			return nil, false
		}
		b, _ := c.take(int(g.n))
		if major == 3 && !utf8.Valid(b) {
			c.fail(p, "a string is not valid UTF-8")
			return nil, false
		}
		c.scratch = append(c.scratch, b...)
	}
}
