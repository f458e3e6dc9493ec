package codec

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"usher/router/wamp"
)

// ErrTranscode says that a value has no form in the format of the receiver.
var ErrTranscode = errors.New("value cannot be expressed in the receiver's format")

// Writer appends encoded values to a buffer.
type Writer struct {
	f     wamp.Format
	buf   []byte
	stack []mark
}

type mark struct {
	at   int // of the head
	n    int // tokens so far; keys and values count
	dict bool
}

// Reset makes w append to dst in format f.
func (w *Writer) Reset(f wamp.Format, dst []byte) { w.f, w.buf, w.stack = f, dst, w.stack[:0] }

// Buffer returns what was appended to.
func (w *Writer) Buffer() []byte { return w.buf }

func (w *Writer) before() {
	if len(w.stack) == 0 {
		return
	}
	m := &w.stack[len(w.stack)-1]
	if w.f == wamp.JSON && m.n > 0 {
		if m.dict && m.n%2 == 1 {
			w.buf = append(w.buf, ':')
		} else {
			w.buf = append(w.buf, ',')
		}
	}
	m.n++
}

// BeginList and BeginDict open; End closes the innermost.
func (w *Writer) BeginList() { w.begin(false) }
func (w *Writer) BeginDict() { w.begin(true) }

func (w *Writer) begin(dict bool) {
	w.before()
	w.stack = append(w.stack, mark{at: len(w.buf), dict: dict})
	c := byte(0)
	if w.f == wamp.JSON {
		c = '['
		if dict {
			c = '{'
		}
	}
	w.buf = append(w.buf, c)
}

// End closes the innermost list or dict.
func (w *Writer) End() {
	m := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	n := m.n
	if m.dict {
		n /= 2
	}
	switch w.f {
	case wamp.JSON:
		c := byte(']')
		if m.dict {
			c = '}'
		}
		w.buf = append(w.buf, c)
	case wamp.MessagePack:
		var head [5]byte
		h := appendMsgpackHead(head[:0], m.dict, n)
		w.patch(m.at, h)
	case wamp.CBOR:
		major := byte(4)
		if m.dict {
			major = 5
		}
		var head [9]byte
		w.patch(m.at, appendCBORHead(head[:0], major, uint64(n)))
	}
}

// patch replaces the one byte at at by h.
func (w *Writer) patch(at int, h []byte) {
	if grow := len(h) - 1; grow > 0 {
		end := len(w.buf)
		w.buf = append(w.buf, h[1:]...)
		copy(w.buf[at+1+grow:], w.buf[at+1:end])
	}
	copy(w.buf[at:], h)
}

func appendMsgpackHead(b []byte, dict bool, n int) []byte {
	fix, wide := byte(0x90), byte(0xdc)
	if dict {
		fix, wide = 0x80, 0xde
	}
	switch {
	case n < 16:
		return append(b, fix|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, wide), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, wide+1), uint32(n))
}

func appendCBORHead(b []byte, major byte, v uint64) []byte {
	m := major << 5
	switch {
	case v < 24:
		return append(b, m|byte(v))
	case v <= math.MaxUint8:
		return append(b, m|24, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, m|25), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, m|26), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, m|27), v)
}

func appendUint(b []byte, f wamp.Format, v uint64) []byte {
	switch f {
	case wamp.JSON:
		return strconv.AppendUint(b, v, 10)
	case wamp.CBOR:
		return appendCBORHead(b, 0, v)
	}
	switch {
	case v < 128:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), v)
}

// Uint writes an integer.
func (w *Writer) Uint(v uint64) { w.before(); w.buf = appendUint(w.buf, w.f, v) }

// Int writes an integer.
func (w *Writer) Int(v int64) {
	if v >= 0 {
		w.Uint(uint64(v))
		return
	}
	w.before()
	switch w.f {
	case wamp.JSON:
		w.buf = strconv.AppendInt(w.buf, v, 10)
	case wamp.CBOR:
		w.buf = appendCBORHead(w.buf, 1, uint64(^v))
	default:
		switch {
		case v >= -32:
			w.buf = append(w.buf, byte(v))
		case v >= math.MinInt8:
			w.buf = append(w.buf, 0xd0, byte(v))
		case v >= math.MinInt16:
			w.buf = binary.BigEndian.AppendUint16(append(w.buf, 0xd1), uint16(v))
		case v >= math.MinInt32:
			w.buf = binary.BigEndian.AppendUint32(append(w.buf, 0xd2), uint32(v))
		default:
			w.buf = binary.BigEndian.AppendUint64(append(w.buf, 0xd3), uint64(v))
		}
	}
}

// Float writes a float; NaN and infinities have no form in JSON.
func (w *Writer) Float(v float64) error {
	switch w.f {
	case wamp.JSON:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: %v in JSON", ErrTranscode, v)
		}
		w.before()
		at := len(w.buf)
		w.buf = strconv.AppendFloat(w.buf, v, 'g', -1, 64)
		for _, c := range w.buf[at:] {
			if c == '.' || c == 'e' {
				return nil
			}
		}
		w.buf = append(w.buf, ".0"...)
	case wamp.MessagePack:
		w.before()
		w.buf = binary.BigEndian.AppendUint64(append(w.buf, 0xcb), math.Float64bits(v))
	default:
		w.before()
		w.buf = binary.BigEndian.AppendUint64(append(w.buf, 0xfb), math.Float64bits(v))
	}
	return nil
}

// Bool writes a boolean.
func (w *Writer) Bool(v bool) { w.before(); w.buf = appendBool(w.buf, w.f, v) }

func appendBool(b []byte, f wamp.Format, v bool) []byte {
	switch {
	case f == wamp.JSON:
		return strconv.AppendBool(b, v)
	case f == wamp.MessagePack && v:
		return append(b, 0xc3)
	case f == wamp.MessagePack:
		return append(b, 0xc2)
	case v:
		return append(b, 0xf5)
	}
	return append(b, 0xf4)
}

// Null writes null.
func (w *Writer) Null() {
	w.before()
	switch w.f {
	case wamp.JSON:
		w.buf = append(w.buf, "null"...)
	case wamp.MessagePack:
		w.buf = append(w.buf, 0xc0)
	default:
		w.buf = append(w.buf, 0xf6)
	}
}

// String writes a string, or a key. It must be valid UTF-8.
func (w *Writer) String(s []byte) {
	w.before()
	w.buf = appendString(w.buf, w.f, s)
}

func appendString[S string | []byte](b []byte, f wamp.Format, s S) []byte {
	switch f {
	case wamp.JSON:
		return appendJSONString(b, s)
	case wamp.CBOR:
		return append(appendCBORHead(b, 3, uint64(len(s))), s...)
	}
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n <= math.MaxUint8:
		b = append(b, 0xd9, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}

func appendJSONString[S string | []byte](b []byte, s S) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

// Bytes writes binary data; in JSON as a string in WAMP's convention.
func (w *Writer) Bytes(s []byte) {
	w.before()
	switch w.f {
	case wamp.JSON:
		w.buf = append(w.buf, `"\u0000`...)
		w.buf = base64.StdEncoding.AppendEncode(w.buf, s)
		w.buf = append(w.buf, '"')
	case wamp.CBOR:
		w.buf = append(appendCBORHead(w.buf, 2, uint64(len(s))), s...)
	default:
		switch n := len(s); {
		case n <= math.MaxUint8:
			w.buf = append(w.buf, 0xc4, byte(n))
		case n <= math.MaxUint16:
			w.buf = binary.BigEndian.AppendUint16(append(w.buf, 0xc5), uint16(n))
		default:
			w.buf = binary.BigEndian.AppendUint32(append(w.buf, 0xc6), uint32(n))
		}
		w.buf = append(w.buf, s...)
	}
}

// transcode appends data, one value of format from, to dst in format to.
func transcode(dst []byte, to, from wamp.Format, data []byte) ([]byte, error) {
	var r Reader
	r.Reset(from, data)
	w := Writer{f: to, buf: dst}
	for {
		k := r.Next()
		switch k {
		case KindInvalid:
			return dst, r.Err()
		case KindEnd:
			if len(w.stack) == 0 {
				return w.buf, nil
			}
			w.End()
		case KindNull:
			w.Null()
		case KindBool:
			w.Bool(r.Bool())
		case KindUint:
			w.Uint(r.Uint())
		case KindInt:
			v, ok := r.Int()
			if !ok {
				return dst, fmt.Errorf("%w: an integer below -2^63", ErrTranscode)
			}
			w.Int(v)
		case KindFloat:
			if err := w.Float(r.Float()); err != nil {
				return dst, err
			}
		case KindString:
			if !utf8.Valid(r.Bytes()) {
				return dst, fmt.Errorf("%w: a string that is not UTF-8", ErrTranscode)
			}
			w.String(r.Bytes())
		case KindBytes:
			w.Bytes(r.Bytes())
		case KindList:
			w.BeginList()
		case KindDict:
			w.BeginDict()
		}
	}
}
