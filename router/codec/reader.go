package codec

import (
	"math"
	"strconv"

	"usher/router/wamp"
)

// Reader pulls encoded data apart, token by token. Reset it to a value, then call
// Next until it returns KindEnd at the outermost level or KindInvalid.
type Reader struct {
	c     cursor
	stack [MaxDepth]seq
	key   [MaxDepth]bool // the next token of that dict is a key
	n     int
	done  bool

	str []byte
	num uint64
	neg bool
	fl  float64
	b   bool
}

// Reset makes r read data, one value of format f.
func (r *Reader) Reset(f wamp.Format, data []byte) {
	scratch := r.c.scratch
	r.c = cursor{f: f, data: data, scratch: scratch}
	r.n, r.done = 0, false
}

// Err is the reason for KindInvalid.
func (r *Reader) Err() error {
	if r.c.err == nil {
		return nil
	}
	return r.c.err
}

// Next reads the next token. Within a dict, keys and values take turns. KindEnd
// closes the innermost list or dict, and at last says that all is read.
func (r *Reader) Next() Kind {
	c := &r.c
	if c.err != nil {
		return KindInvalid
	}
	if r.n == 0 {
		if r.done {
			c.f = r.c.f
			if c.f == wamp.JSON {
				c.space()
			}
			if c.pos != len(c.data) {
				c.fail(c.pos, "data after the end of the value")
				return KindInvalid
			}
			return KindEnd
		}
		r.done = true
		return r.value()
	}
	s := &r.stack[r.n-1]
	if s.dict && !r.key[r.n-1] {
		r.key[r.n-1] = true
		return r.value()
	}
	if !c.next(s) {
		if c.err != nil {
			return KindInvalid
		}
		r.n--
		return KindEnd
	}
	if s.dict {
		r.key[r.n-1] = false
		r.str = c.key()
		if c.err != nil {
			return KindInvalid
		}
		return KindString
	}
	return r.value()
}

func (r *Reader) value() Kind {
	c := &r.c
	if c.f == wamp.JSON {
		return r.jsonValue()
	}
	at := c.pos
	h, ok := c.head()
	if !ok {
		return KindInvalid
	}
	switch h.kind {
	case KindUint, KindInt:
		r.num, r.neg = h.n, h.neg
	case KindFloat:
		r.fl = h.fl
	case KindBool:
		r.b = h.b
	case KindString, KindBytes:
		major := byte(3)
		if h.kind == KindBytes {
			major = 2
		}
		if r.str, ok = c.chunk(h, at, major); !ok {
			return KindInvalid
		}
	case KindList, KindDict:
		s := seq{left: int(h.n), dict: h.kind == KindDict}
		if h.indefinite {
			s.left = -1
		} else if h.n > uint64(len(c.data)-c.pos) {
			c.fail(at, "a length is larger than the data")
			return KindInvalid
		}
		return r.push(s, h.kind, at)
	case KindEnd:
		c.fail(at, "an end without a beginning")
		return KindInvalid
	}
	return h.kind
}

func (r *Reader) push(s seq, k Kind, at int) Kind {
	if r.n == MaxDepth {
		r.c.fail(at, "nested more than %d deep", MaxDepth)
		return KindInvalid
	}
	r.stack[r.n], r.key[r.n] = s, true
	r.n++
	return k
}

func (r *Reader) jsonValue() Kind {
	c := &r.c
	at := c.pos
	switch k := c.peek(); k {
	case KindList, KindDict:
		c.pos++
		return r.push(seq{left: -1, first: true, dict: k == KindDict}, k, at)
	case KindString, KindBytes:
		r.str = c.str("a string")
		if c.err != nil {
			return KindInvalid
		}
		if k == KindBytes {
			b, ok := decodeBase64(r.str)
			if !ok {
				return KindString // no binary after all
			}
			r.str = b
		}
		return k
	case KindBool:
		r.b = c.boolean("a value")
		if c.err != nil {
			return KindInvalid
		}
		return k
	case KindNull:
		if !c.literal("null") {
			return KindInvalid
		}
		return k
	case KindUint, KindInt, KindFloat:
		end, integer, ok := c.jsonNumber(c.pos)
		if !ok {
			return KindInvalid
		}
		text := string(c.data[c.pos:end])
		c.pos = end
		if integer {
			if text[0] == '-' {
				if v, err := strconv.ParseInt(text, 10, 64); err == nil && v != 0 {
					r.num, r.neg = uint64(^v), true
					return KindInt
				}
			} else if v, err := strconv.ParseUint(text, 10, 64); err == nil {
				r.num, r.neg = v, false
				return KindUint
			}
		}
		fl, err := strconv.ParseFloat(text, 64)
		if err != nil {
			c.fail(at, "a number is out of range")
			return KindInvalid
		}
		r.fl = fl
		return KindFloat
	default:
		c.fail(c.pos, "expected a value")
		return KindInvalid
	}
}

// Bool, Uint, Int, Float and Bytes return the token's value. Bytes are those of a
// string or of binary data, valid until the next Next.
func (r *Reader) Bool() bool     { return r.b }
func (r *Reader) Uint() uint64   { return r.num }
func (r *Reader) Float() float64 { return r.fl }
func (r *Reader) Bytes() []byte  { return r.str }

// Int returns the value of KindInt, which is negative, and false where it does
// not fit.
func (r *Reader) Int() (int64, bool) {
	if r.num > math.MaxInt64 {
		return 0, false
	}
	return ^int64(r.num), true
}
