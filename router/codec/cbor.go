package codec

import (
	"math"
	"unicode/utf8"
)

const (
	// cborBreak ends strings, lists and dicts of indefinite length.
	cborBreak = 0xff
	cborTag   = 6 // the major type
)

// The major types of strings.
const (
	cborBytes  = 2
	cborString = 3
)

// initial reads the first byte of a CBOR value and the number behind it, at i. It
// returns the index behind both.
func (c *cursor) initial(i int) (major, low byte, n uint64, end int) {
	if i >= len(c.data) {
		c.truncated()
		return 0, 0, 0, i
	}
	x := c.data[i]
	major, low = x>>5, x&31
	i++
	switch {
	case low < 24:
		return major, low, uint64(low), i
	case low < 28:
		width := 1 << (low - 24)
		if width > len(c.data)-i {
			c.truncated()
			return 0, 0, 0, i
		}
		return major, low, bigEndian(c.data[i : i+width]), i + width
	case low == 31 && major >= cborBytes && major != cborTag:
		return major, low, 0, i
	}
	c.fail(i-1, "a byte is no CBOR value")
	return 0, 0, 0, i
}

// peekCBOR passes no tags, but judges by what stands behind them.
func (c *cursor) peekCBOR() Kind {
	i := c.pos
	for range maxTags + 1 {
		if i >= len(c.data) {
			return KindInvalid
		}
		x := c.data[i]
		if x>>5 != cborTag {
			return cborKind(x>>5, x&31)
		}
		i++
		if low := x & 31; low >= 24 && low < 28 {
			i += 1 << (low - 24)
		}
	}
	return KindInvalid
}

// cborKind says what a value is that begins with major and low.
func cborKind(major, low byte) Kind {
	switch major {
	case 0:
		return KindUint
	case 1:
		return KindInt
	case cborBytes:
		return KindBytes
	case cborString:
		return KindString
	case 4:
		return KindList
	case 5:
		return KindDict
	}
	switch low {
	case 20, 21:
		return KindBool
	case 22, 23:
		return KindNull
	case 25, 26, 27:
		return KindFloat
	case 31:
		return KindEnd
	}
	return kindOther
}

// cborHead reads a head with the tags before it, which are dropped: a time is
// the string or number that it is made of. Those without which a value would
// mean something else fail.
func (c *cursor) cborHead() bool {
	for range maxTags + 1 {
		at := c.pos
		major, low, n, end := c.initial(at)
		if c.err != nil {
			return false
		}
		c.pos = end
		if major == cborTag {
			switch n {
			case 2, 3, 4, 5, 25, 28, 29: // big numbers and references
				c.foreign(at, "a big number or a reference")
				return false
			}
			continue
		}
		h := &c.head
		h.kind, h.n, h.open = cborKind(major, low), n, low == 31
		switch h.kind {
		case KindBool:
			h.truth = low == 21
		case KindFloat:
			switch low {
			case 25:
				h.float = float16(uint16(n))
			case 26:
				h.float = float64(math.Float32frombits(uint32(n)))
			default:
				h.float = math.Float64frombits(n)
			}
		case KindEnd:
			c.fail(at, "an end must not come here")
			return false
		case kindOther:
			if low == 24 && n < 32 {
				c.fail(at, "a byte is no CBOR value")
				return false
			}
		}
		return true
	}
	c.fail(c.pos, "a value has more than %d tags", maxTags)
	return false
}

// float16 is the value of a half-precision float.
func float16(x uint16) float64 {
	exponent, fraction := int(x>>10&31), float64(x&1023)
	v := math.Ldexp(fraction+1024, exponent-25)
	switch {
	case exponent == 0:
		v = math.Ldexp(fraction, -24)
	case exponent == 31 && fraction != 0:
		return math.NaN()
	case exponent == 31:
		v = math.Inf(1)
	}
	if x>>15 == 1 {
		return -v
	}
	return v
}

// chunks reads the content of a string of indefinite length.
func (c *cursor) chunks(kind Kind) []byte {
	c.scratch = c.scratch[:0]
	for c.pos < len(c.data) && c.data[c.pos] != cborBreak {
		at := c.pos
		start, end := c.chunk(at, kind)
		if c.err != nil {
			return nil
		}
		c.scratch = append(c.scratch, c.data[start:end]...)
		c.pos = end
	}
	if c.pos >= len(c.data) {
		c.truncated()
		return nil
	}
	c.pos++
	return c.scratch
}

// chunk validates the part of a string at at and returns where its content
// begins and ends.
func (c *cursor) chunk(at int, kind Kind) (start, end int) {
	major, low, n, start := c.initial(at)
	switch {
	case c.err != nil:
		return 0, 0
	case cborKind(major, low) != kind || major == cborTag || low == 31:
		c.fail(at, "a part of a string is malformed")
		return 0, 0
	case n > uint64(len(c.data)-start):
		c.fail(at, "a length is larger than the data")
		return 0, 0
	}
	end = start + int(n)
	if kind == KindString && !utf8.Valid(c.data[start:end]) {
		c.fail(at, "a string is not valid UTF-8")
	}
	return start, end
}

// skipCBOR passes over one value. named demands that the keys of the value
// itself, if it is a dict, are strings.
func (c *cursor) skipCBOR(depth int, named bool) {
	d, i := c.data, c.pos
	n, tags := depth, 0
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
		if in.open && i < len(d) && d[i] == cborBreak && tags == 0 {
			if in.dict && in.left&1 == 1 {
				c.fail(i, "a dict ends after a key")
				return
			}
			in.left = 0
			i++
			continue
		}
		if i < len(d) && d[i]>>5 == cborString && d[i]&31 < 24 { // as in skipMsgpack
			if end := i + 1 + int(d[i]&31); end <= len(d) && utf8.Valid(d[i+1:end]) {
				in.left--
				tags = 0
				i = end
				continue
			}
		}
		at := i
		major, low, size, end := c.initial(i)
		if c.err != nil {
			return
		}
		i = end
		if major == cborTag {
			if tags++; tags > maxTags {
				c.fail(at, "a value has more than %d tags", maxTags)
				return
			}
			continue
		}
		in.left--
		tags = 0
		kind := cborKind(major, low)
		if in.key() && (kind >= KindList || kind != KindString && named && n == depth+1) {
			c.fail(at, "a dict has a key that is %s, not a string", kind)
			return
		}
		switch kind {
		case KindString, KindBytes:
			if low == 31 {
				if i = c.skipChunks(i, kind); c.err != nil {
					return
				}
				break
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
			if n >= MaxDepth {
				c.fail(at, "lists and dicts are nested more than %d deep", MaxDepth)
				return
			}
			inner := seq{left: endless, dict: kind == KindDict, open: low == 31}
			if !inner.open {
				left := uint64(len(d) - i)
				if size > left || inner.dict && 2*size > left {
					c.fail(at, "a length is larger than the data")
					return
				}
				if inner.left = int(size); inner.dict {
					inner.left *= 2
				}
			}
			c.stack[n] = in
			n++
			in = inner
		case KindEnd:
			c.fail(at, "an end must not come here")
			return
		case kindOther:
			if low == 24 && size < 32 {
				c.fail(at, "a byte is no CBOR value")
				return
			}
		}
	}
}

// skipChunks passes over the parts of a string of indefinite length.
func (c *cursor) skipChunks(i int, kind Kind) int {
	for i < len(c.data) && c.data[i] != cborBreak {
		if _, i = c.chunk(i, kind); c.err != nil {
			return i
		}
	}
	if i >= len(c.data) {
		c.truncated()
		return i
	}
	return i + 1
}
