package codec

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// extUndefined is the extension type in which wampy sends undefined.
const extUndefined = 0

// msgpackType says what a value is that begins with x, from 0xc0 to 0xdf, and how
// many bytes of a number or length follow x.
func msgpackType(x byte) (kind Kind, width int) {
	switch x {
	case 0xc0:
		return KindNull, 0
	case 0xc2, 0xc3:
		return KindBool, 0
	case 0xc4, 0xc5, 0xc6:
		return KindBytes, 1 << (x - 0xc4)
	case 0xc7, 0xc8, 0xc9:
		return kindOther, 1 << (x - 0xc7)
	case 0xca, 0xcb:
		return KindFloat, 4 << (x - 0xca)
	case 0xcc, 0xcd, 0xce, 0xcf:
		return KindUint, 1 << (x - 0xcc)
	case 0xd0, 0xd1, 0xd2, 0xd3:
		return KindInt, 1 << (x - 0xd0)
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return kindOther, 0
	case 0xd9, 0xda, 0xdb:
		return KindString, 1 << (x - 0xd9)
	case 0xdc, 0xdd:
		return KindList, 2 << (x - 0xdc)
	case 0xde, 0xdf:
		return KindDict, 2 << (x - 0xde)
	}
	return KindInvalid, 0
}

// bigEndian is the unsigned integer that b is: 1, 2, 4 or 8 bytes.
func bigEndian(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	case 8:
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// peekMsgpack judges by the first byte, of extensions also by their type.
func (c *cursor) peekMsgpack() Kind {
	if c.pos >= len(c.data) {
		return KindInvalid
	}
	switch x := c.data[c.pos]; {
	case x < 0x80:
		return KindUint
	case x < 0x90:
		return KindDict
	case x < 0xa0:
		return KindList
	case x < 0xc0:
		return KindString
	case x >= 0xe0:
		return KindInt
	default:
		kind, width := msgpackType(x)
		if kind == kindOther && c.pos+1+width < len(c.data) && c.data[c.pos+1+width] == extUndefined {
			return KindNull
		}
		return kind
	}
}

// msgpackHead reads a head, and all of an extension.
func (c *cursor) msgpackHead() bool {
	at := c.pos
	if at >= len(c.data) {
		c.truncated()
		return false
	}
	x := c.data[at]
	c.pos++
	h := &c.head
	h.open = false
	switch {
	case x < 0x80:
		h.kind, h.n = KindUint, uint64(x)
		return true
	case x < 0x90:
		h.kind, h.n = KindDict, uint64(x&15)
		return true
	case x < 0xa0:
		h.kind, h.n = KindList, uint64(x&15)
		return true
	case x < 0xc0:
		h.kind, h.n = KindString, uint64(x&31)
		return true
	case x >= 0xe0:
		h.kind, h.n = KindInt, uint64(^x)
		return true
	}
	kind, width := msgpackType(x)
	if kind == KindInvalid {
		c.fail(at, "a byte is no MessagePack value")
		return false
	}
	if width > len(c.data)-c.pos {
		c.truncated()
		return false
	}
	n := bigEndian(c.data[c.pos : c.pos+width])
	c.pos += width
	h.kind, h.n = kind, n
	switch kind {
	case KindBool:
		h.truth = x == 0xc3
	case KindInt:
		shift := 64 - 8*width
		if v := int64(n<<shift) >> shift; v < 0 {
			h.n = uint64(^v)
		} else {
			h.kind = KindUint
		}
	case KindFloat:
		h.float = math.Float64frombits(n)
		if width == 4 {
			h.float = float64(math.Float32frombits(uint32(n)))
		}
	case kindOther:
		if width == 0 {
			n = 1 << (x - 0xd4)
		}
		if !c.fits(at, n+1) {
			return false
		}
		if c.data[c.pos] == extUndefined {
			h.kind = KindNull
		}
		c.pos += 1 + int(n)
	}
	return true
}

// skipMsgpack passes over one value. named demands that the keys of the value
// itself, if it is a dict, are strings.
func (c *cursor) skipMsgpack(depth int, named bool) {
	d, i := c.data, c.pos
	n := depth
	in := seq{left: 1}
	for {
		for in.left == 0 {
			if n == depth {
				c.pos = i
				return
			}
			n--
			in = c.stack[n]
		}
		in.left--
		if i >= len(d) {
			c.truncated()
			return
		}
		x := d[i]
		if x&0xe0 == 0xa0 { // short strings are most of what comes; if one is wrong, it is said below
			if end := i + 1 + int(x&31); end <= len(d) && utf8.Valid(d[i+1:end]) {
				i = end
				continue
			}
		}
		at := i
		i++
		kind, size := KindString, uint64(0)
		switch {
		case x < 0x80 || x >= 0xe0:
			kind = KindUint
		case x < 0x90:
			kind, size = KindDict, uint64(x&15)
		case x < 0xa0:
			kind, size = KindList, uint64(x&15)
		case x < 0xc0:
			size = uint64(x & 31)
		default:
			var width int
			kind, width = msgpackType(x)
			if width > len(d)-i {
				c.truncated()
				return
			}
			if kind == kindOther && width == 0 {
				size = 1 << (x - 0xd4)
			} else {
				size = bigEndian(d[i : i+width])
			}
			i += width
		}
		if in.key() && (kind >= KindList || kind != KindString && named && n == depth+1) {
			c.fail(at, "a dict has a key that is %s, not a string", kind)
			return
		}
		switch kind {
		case KindString, KindBytes, kindOther:
			if kind == kindOther {
				size++ // its type
			}
			if size > uint64(len(d)-i) {
				c.fail(at, "a length is larger than the data")
				return
			}
			if kind == KindString && !utf8.Valid(d[i:i+int(size)]) {
				c.fail(at, "a string is not valid UTF-8")
				return
			}
			i += int(size)
		case KindList, KindDict:
			if kind == KindDict {
				size *= 2
			}
			if size > uint64(len(d)-i) {
				c.fail(at, "a length is larger than the data")
				return
			}
			if n >= MaxDepth {
				c.fail(at, "lists and dicts are nested more than %d deep", MaxDepth)
				return
			}
			c.stack[n] = in
			n++
			in = seq{left: int(size), dict: kind == KindDict}
		case KindInvalid:
			c.fail(at, "a byte is no MessagePack value")
			return
		}
	}
}
