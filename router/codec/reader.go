package codec

import (
	"bytes"
	"encoding/base64"
	"math"

	"usher/router/wamp"
)

// Reader pulls one encoded value apart, token by token, without recursion and
// without memory but for strings that are not in one piece in the data. Reset it,
// then call Next until it returns KindEnd at the outermost level, or KindInvalid.
//
// What it reads it validates, as Decode does. Tags of CBOR are dropped; values
// that only one format has fail with an error that wraps ErrTranscode. A JSON
// string in WAMP's convention for binary data is KindBytes. The zero Reader is
// not ready: Reset it first. It is not safe for concurrent use.
type Reader struct {
	c       cursor
	depth   int  // lists and dicts open, in c.stack
	at      int  // where the last value begins
	named   bool // a key was read: its value comes next
	begun   bool
	n       uint64
	float   float64
	truth   bool
	bytes   []byte
	decoded []byte // memory for binary data in JSON
	length  int
}

// Reset makes r read data, one value of format f.
func (r *Reader) Reset(f wamp.Format, data []byte) {
	r.c.reset(f, data)
	r.depth, r.named, r.begun = 0, false, false
}

// Err is the reason for KindInvalid, an *Error.
func (r *Reader) Err() error {
	if r.c.err == nil {
		return nil
	}
	return r.c.err
}

// Next reads the next token. Within a dict, keys and values take turns, and all
// keys are KindString. KindEnd closes the innermost list or dict, and at last,
// when none is open, says that all is read.
func (r *Reader) Next() Kind {
	c := &r.c
	if c.err != nil {
		return KindInvalid
	}
	switch {
	case r.named:
		r.named = false
	case r.depth > 0:
		s := &c.stack[r.depth-1]
		if !c.more(s) {
			if c.err != nil {
				return KindInvalid
			}
			r.depth--
			return KindEnd
		}
		if s.dict {
			r.bytes, r.named = c.key(s), true
			return r.checked(KindString)
		}
	case r.begun:
		if !c.end("value") {
			return KindInvalid
		}
		return KindEnd
	}
	r.begun = true
	if c.f == wamp.JSON {
		return r.valueJSON()
	}
	return r.value()
}

// checked returns k, unless there was an error.
func (r *Reader) checked(k Kind) Kind {
	if r.c.err != nil {
		return KindInvalid
	}
	return k
}

// push enters a list or dict.
func (r *Reader) push(at int, s seq, k Kind) Kind {
	if r.depth == MaxDepth {
		r.c.fail(at, "lists and dicts are nested more than %d deep", MaxDepth)
		return KindInvalid
	}
	r.length = -1
	if !s.open {
		if r.length = s.left; s.dict {
			r.length /= 2
		}
	}
	r.c.stack[r.depth] = s
	r.depth++
	return k
}

// value reads a value of MessagePack or CBOR.
func (r *Reader) value() Kind {
	c := &r.c
	at := c.pos
	r.at = at
	if !c.readHead() {
		return KindInvalid
	}
	h := &c.head
	switch h.kind {
	case KindInt, KindUint:
		r.n = h.n
	case KindFloat:
		r.float = h.float
	case KindBool:
		r.truth = h.truth
	case KindString:
		r.bytes = c.text(at)
		return r.checked(KindString)
	case KindBytes:
		r.bytes = c.binary(at)
		return r.checked(KindBytes)
	case KindList, KindDict:
		s, ok := c.enter(at)
		if !ok {
			return KindInvalid
		}
		return r.push(at, s, h.kind)
	case kindOther:
		c.foreign(at, "an extension")
		return KindInvalid
	}
	return h.kind
}

func (r *Reader) valueJSON() Kind {
	c := &r.c
	k := c.peekJSON()
	at := c.pos
	r.at = at
	switch k {
	case KindList, KindDict:
		c.pos++
		return r.push(at, seq{open: true, dict: k == KindDict}, k)
	case KindString:
		r.bytes = c.stringJSON()
		if len(r.bytes) > 0 && r.bytes[0] == 0 && r.binary(r.bytes[1:]) {
			return KindBytes
		}
	case KindInt, KindUint, KindFloat:
		if k, r.n, r.float = c.number(); k == KindFloat && math.IsInf(r.float, 0) {
			c.foreign(at, "a number beyond the range of floats")
		}
	case KindBool:
		r.truth = c.data[at] == 't'
		c.constant(c.data[at])
	case KindNull:
		c.word("null")
	default:
		c.pos = at
		if at < len(c.data) {
			c.fail(at, "a value must come here")
		} else {
			c.truncated()
		}
	}
	return r.checked(k)
}

// binary decodes binary data in WAMP's JSON convention (specification: "Binary
// support in JSON"). What is not exactly as an encoder writes it, and would come
// out differently again, is a string.
func (r *Reader) binary(text []byte) bool {
	if bytes.ContainsAny(text, "\r\n") { // which the decoder would pass over
		return false
	}
	decoded, err := base64.StdEncoding.Strict().AppendDecode(r.decoded[:0], text)
	if err != nil {
		return false
	}
	r.decoded, r.bytes = decoded, decoded
	return true
}

// Raw returns all of the value that Next has just begun or read, as it is encoded,
// and passes over it. k is what Next returned.
func (r *Reader) Raw(k Kind) []byte {
	c := &r.c
	if k == KindList || k == KindDict {
		r.depth--
		c.pos = r.at
		return c.skip(r.depth)
	}
	if c.err != nil {
		return nil
	}
	return c.data[r.at:c.pos]
}

// Bool returns the value of a KindBool.
func (r *Reader) Bool() bool { return r.truth }

// Uint returns the value of a KindUint, and -1-n of a KindInt n.
func (r *Reader) Uint() uint64 { return r.n }

// Int returns the value of a KindInt, and false where that is below -2^63, as it
// can be in CBOR.
func (r *Reader) Int() (int64, bool) {
	if r.n > math.MaxInt64 {
		return 0, false
	}
	return ^int64(r.n), true
}

// Float returns the value of a KindFloat. Floats of 16 and 32 bits are widened.
func (r *Reader) Float() float64 { return r.float }

// Bytes returns the content of a KindString, which is UTF-8, or a KindBytes. It
// is valid until the next Next.
func (r *Reader) Bytes() []byte { return r.bytes }

// Len returns how many values the list, or entries the dict, has that was just
// entered; -1 where only its end will tell. It is never more than the data has bytes.
func (r *Reader) Len() int { return r.length }
