package codec

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"usher/router/wamp"
)

// The functions of this file append one value, or the head of one. What JSON
// needs between values is the caller's.

// appendBegin appends the head of a list or dict of n elements or entries.
func appendBegin(b []byte, f wamp.Format, dict bool, n int) []byte {
	switch f {
	case wamp.JSON:
		if dict {
			return append(b, '{')
		}
		return append(b, '[')
	case wamp.MessagePack:
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
	if dict {
		return appendCBOR(b, 5, uint64(n))
	}
	return appendCBOR(b, 4, uint64(n))
}

// appendEnd appends what ends a list or dict whose length stood in its head.
func appendEnd(b []byte, f wamp.Format, dict bool) []byte {
	switch {
	case f != wamp.JSON:
		return b
	case dict:
		return append(b, '}')
	}
	return append(b, ']')
}

// appendCBOR appends a head of CBOR.
func appendCBOR(b []byte, major byte, n uint64) []byte {
	x := major << 5
	switch {
	case n < 24:
		return append(b, x|byte(n))
	case n <= math.MaxUint8:
		return append(b, x|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, x|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, x|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, x|27), n)
}

// appendLength appends the first of three types of MessagePack, for lengths of 8,
// 16 and 32 bits.
func appendLength(b []byte, x byte, n int) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(b, x, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, x+1), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, x+2), uint32(n))
}

func appendNull(b []byte, f wamp.Format) []byte {
	switch f {
	case wamp.JSON:
		return append(b, "null"...)
	case wamp.MessagePack:
		return append(b, 0xc0)
	}
	return append(b, 0xf6)
}

func appendBool(b []byte, f wamp.Format, v bool) []byte {
	bit := byte(0)
	if v {
		bit = 1
	}
	switch f {
	case wamp.JSON:
		return strconv.AppendBool(b, v)
	case wamp.MessagePack:
		return append(b, 0xc2|bit)
	}
	return append(b, 0xf4|bit)
}

func appendUint(b []byte, f wamp.Format, v uint64) []byte {
	switch {
	case f == wamp.JSON:
		return strconv.AppendUint(b, v, 10)
	case f == wamp.CBOR:
		return appendCBOR(b, 0, v)
	case v < 128:
		return append(b, byte(v))
	case v <= math.MaxUint32:
		return appendLength(b, 0xcc, int(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), v)
}

func appendInt(b []byte, f wamp.Format, v int64) []byte {
	switch {
	case v >= 0:
		return appendUint(b, f, uint64(v))
	case f == wamp.JSON:
		return strconv.AppendInt(b, v, 10)
	case f == wamp.CBOR:
		return appendCBOR(b, 1, uint64(^v))
	case v >= -32:
		return append(b, byte(v))
	case v >= math.MinInt8:
		return append(b, 0xd0, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, 0xd1), uint16(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(v))
}

// appendFloat appends a float, in JSON so that it reads as a float again. There
// it must be finite.
func appendFloat(b []byte, f wamp.Format, v float64) []byte {
	switch f {
	case wamp.JSON:
		start := len(b)
		b = strconv.AppendFloat(b, v, 'g', -1, 64)
		for _, x := range b[start:] {
			if x == '.' || x == 'e' {
				return b
			}
		}
		return append(b, '.', '0')
	case wamp.MessagePack:
		return binary.BigEndian.AppendUint64(append(b, 0xcb), math.Float64bits(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xfb), math.Float64bits(v))
}

func appendString[S string | []byte](b []byte, f wamp.Format, s S) []byte {
	switch n := len(s); {
	case f == wamp.JSON:
		return appendQuoted(b, s)
	case f == wamp.CBOR:
		b = appendCBOR(b, cborString, uint64(n))
	case n < 32:
		b = append(b, 0xa0|byte(n))
	default:
		b = appendLength(b, 0xd9, n)
	}
	return append(b, s...)
}

// appendQuoted appends a JSON string.
func appendQuoted[S string | []byte](b []byte, s S) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		x := s[i]
		if x >= 0x20 && x != '"' && x != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch x {
		case '"', '\\':
			b = append(b, '\\', x)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[x>>4], hex[x&15])
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

// appendBytes appends binary data: in JSON a string in WAMP's convention
// (specification: "Binary support in JSON").
func appendBytes(b []byte, f wamp.Format, s []byte) []byte {
	switch f {
	case wamp.JSON:
		b = append(b, `"\u0000`...)
		b = base64.StdEncoding.AppendEncode(b, s)
		return append(b, '"')
	case wamp.CBOR:
		b = appendCBOR(b, cborBytes, uint64(len(s)))
	default:
		b = appendLength(b, 0xc4, len(s))
	}
	return append(b, s...)
}
