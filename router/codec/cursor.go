package codec

import (
	"fmt"
	"math"
	"unicode/utf8"

	"usher/router/wamp"
)

// cursor walks over encoded data of one format. The first error stays and moves
// it to the end, so that callers may check once for several steps.
type cursor struct {
	f       wamp.Format
	data    []byte
	pos     int
	err     *Error
	within  string        // the dict whose values are being read, for errors
	scratch []byte        // of strings that are not in one piece in data
	stack   [MaxDepth]seq // open lists and dicts: the Reader's, and above them skip's
	head    head          // read last, in MessagePack and CBOR
}

// seq is one open list or dict.
type seq struct {
	left  int // MessagePack and CBOR: values left, where keys count too
	dict  bool
	open  bool // it ends where a mark says so: JSON, and CBOR's indefinite lengths
	next  bool // JSON: a comma must come before the next element
	ended bool
}

// endless is seq.left where the length is not known: even, and never used up.
const endless = math.MaxInt - 1

// key reports whether the value before which left was counted down is a key.
func (s *seq) key() bool { return s.dict && s.left&1 == 1 }

// head is the beginning of a MessagePack or CBOR value, or all of a short one.
type head struct {
	kind  Kind
	truth bool
	open  bool   // CBOR: of indefinite length
	n     uint64 // an integer (of negative ones -1-n), or the length of what follows
	float float64
}

// reset begins with new data. The scratch buffer is kept, if it is not huge.
func (c *cursor) reset(f wamp.Format, data []byte) {
	c.f, c.data, c.pos, c.err, c.within = f, data, 0, nil, ""
	if cap(c.scratch) > maxScratch {
		c.scratch = nil
	}
	if f < wamp.JSON || f > wamp.CBOR {
		c.fail(0, "the data has no format")
	}
}

// maxScratch bounds the memory that outlives a message.
const maxScratch = 4 << 10

func (c *cursor) fail(at int, format string, args ...any) {
	if c.err == nil {
		c.err = &Error{Offset: at, Message: fmt.Sprintf(format, args...)}
	}
	c.pos = len(c.data)
}

// foreign fails because of a value that only its own format has.
func (c *cursor) foreign(at int, what string) {
	c.fail(at, "%s has no form in other formats", what)
	c.err.cause = ErrTranscode
}

func (c *cursor) truncated() { c.fail(len(c.data), "the data ends in the middle of a value") }

// expected fails because a value is not what it must be.
func (c *cursor) expected(at int, what, want string, got Kind) {
	if got == KindInvalid && at >= len(c.data) {
		c.truncated()
		return
	}
	c.fail(at, "%s must be %s, got %s", c.name(what), want, got)
}

// name is the full name of a value in errors.
func (c *cursor) name(what string) string {
	if c.within == "" {
		return what
	}
	return c.within + "." + what
}

// peek says what comes next, without judging whether it is complete.
func (c *cursor) peek() Kind {
	if c.err != nil {
		return KindInvalid
	}
	switch c.f {
	case wamp.JSON:
		return c.peekJSON()
	case wamp.MessagePack:
		return c.peekMsgpack()
	default:
		return c.peekCBOR()
	}
}

// readHead reads a MessagePack or CBOR head into c.head.
func (c *cursor) readHead() bool {
	if c.f == wamp.MessagePack {
		return c.msgpackHead()
	}
	return c.cborHead()
}

// fits reports whether n bytes are left, and fails if they are not.
func (c *cursor) fits(at int, n uint64) bool {
	if n > uint64(len(c.data)-c.pos) {
		c.fail(at, "a length is larger than the data")
		return false
	}
	return true
}

// enter makes a seq of the list or dict whose head was read at at.
func (c *cursor) enter(at int) (s seq, ok bool) {
	s.dict = c.head.kind == KindDict
	if c.head.open {
		s.open, s.left = true, endless
		return s, true
	}
	// Each value takes a byte, so that a length cannot make anybody work or
	// allocate more than the data is worth.
	n := c.head.n
	if !c.fits(at, n) || s.dict && !c.fits(at, 2*n) {
		return s, false
	}
	s.left = int(n)
	if s.dict {
		s.left *= 2
	}
	return s, true
}

// openSeq enters the list or dict that comes next.
func (c *cursor) openSeq(want Kind, what string) (s seq, ok bool) {
	if c.err != nil {
		return s, false
	}
	if c.f == wamp.JSON {
		if k := c.peekJSON(); k != want {
			c.expected(c.pos, what, want.String(), k)
			return s, false
		}
		c.pos++
		return seq{open: true, dict: want == KindDict}, true
	}
	at := c.pos
	if !c.readHead() {
		return s, false
	}
	if c.head.kind != want {
		c.expected(at, what, want.String(), c.head.kind)
		return s, false
	}
	return c.enter(at)
}

// more goes to the next element of a list or key of a dict; false at the end,
// which it passes, and after errors.
func (c *cursor) more(s *seq) bool {
	switch {
	case c.err != nil || s.ended:
		return false
	case c.f == wamp.JSON:
		return c.moreJSON(s)
	case s.open:
		if c.pos >= len(c.data) {
			c.truncated()
			return false
		}
		if c.data[c.pos] == cborBreak {
			c.pos++
			s.ended = true
			return false
		}
	case s.left == 0:
		return false
	}
	s.left--
	return true
}

// key reads a dict's key up to its value. The bytes are valid until the next string.
func (c *cursor) key(s *seq) []byte {
	if c.f == wamp.JSON {
		return c.keyJSON()
	}
	at := c.pos
	if !c.readHead() {
		return nil
	}
	if c.head.kind != KindString {
		c.fail(at, "a dict has a key that is %s, not a string", c.head.kind)
		c.err.cause = ErrTranscode
		return nil
	}
	s.left-- // for the value
	return c.text(at)
}

// str reads a string. The bytes are borrowed from data, or from scratch until
// the next string.
func (c *cursor) str(what string) []byte {
	if c.err != nil {
		return nil
	}
	if c.f == wamp.JSON {
		if k := c.peekJSON(); k != KindString {
			c.expected(c.pos, what, "a string", k)
			return nil
		}
		return c.stringJSON()
	}
	at := c.pos
	if !c.readHead() {
		return nil
	}
	if c.head.kind != KindString {
		c.expected(at, what, "a string", c.head.kind)
		return nil
	}
	return c.text(at)
}

// text reads the content of the string whose head was read at at.
func (c *cursor) text(at int) []byte {
	if c.head.open {
		return c.chunks(KindString)
	}
	b := c.binary(at)
	if !utf8.Valid(b) {
		c.fail(at, "a string is not valid UTF-8")
		return nil
	}
	return b
}

// binary reads the content of the binary data whose head was read at at.
func (c *cursor) binary(at int) []byte {
	if c.head.open {
		return c.chunks(KindBytes)
	}
	if !c.fits(at, c.head.n) {
		return nil
	}
	b := c.data[c.pos : c.pos+int(c.head.n)]
	c.pos += len(b)
	return b
}

// skip passes over one value that lies in depth lists and dicts, validates it,
// and returns its bytes.
func (c *cursor) skip(depth int) []byte {
	if c.err != nil {
		return nil
	}
	start := c.pos
	switch c.f {
	case wamp.JSON:
		c.space()
		start = c.pos
		c.skipJSON(depth)
	case wamp.MessagePack:
		c.skipMsgpack(depth, false)
	default:
		c.skipCBOR(depth, false)
	}
	if c.err != nil {
		return nil
	}
	return c.data[start:c.pos]
}

// skipNamed is skip for a dict whose keys must be strings.
func (c *cursor) skipNamed(depth int) []byte {
	start := c.pos
	switch {
	case c.err != nil:
		return nil
	case c.f == wamp.MessagePack:
		c.skipMsgpack(depth, true)
	case c.f == wamp.CBOR:
		c.skipCBOR(depth, true)
	default:
		return c.skip(depth)
	}
	if c.err != nil {
		return nil
	}
	return c.data[start:c.pos]
}

// end checks that nothing but white space of JSON is left.
func (c *cursor) end(what string) bool {
	if c.err != nil {
		return false
	}
	if c.f == wamp.JSON {
		c.space()
	}
	if c.pos != len(c.data) {
		c.fail(c.pos, "there is data behind the end of the %s", what)
		return false
	}
	return true
}

// boolean reads true or false.
func (c *cursor) boolean(what string) bool {
	if c.err != nil {
		return false
	}
	at := c.pos
	if c.f == wamp.JSON {
		if k := c.peekJSON(); k != KindBool {
			c.expected(c.pos, what, "a boolean", k)
			return false
		}
		if c.data[c.pos] == 't' {
			return c.word("true")
		}
		c.word("false")
		return false
	}
	if !c.readHead() {
		return false
	}
	if c.head.kind != KindBool {
		c.expected(at, what, "a boolean", c.head.kind)
		return false
	}
	return c.head.truth
}

// id reads an id: an integer, or a float that has its value.
func (c *cursor) id(what string) wamp.ID {
	at := c.pos
	n := c.integer(what)
	if c.err == nil && (n < 1 || n > uint64(wamp.MaxID)) {
		c.fail(at, "%s must be an id from 1 to 2^53", c.name(what))
	}
	return wamp.ID(n)
}

// integer reads an integer from 0 on, or a float that has its value. Numbers
// that are none are returned as one beyond all ids.
func (c *cursor) integer(what string) uint64 {
	if c.err != nil {
		return 0
	}
	at := c.pos
	kind, n, float := KindInvalid, uint64(0), 0.0
	if c.f == wamp.JSON {
		if kind = c.peekJSON(); kind >= KindInt && kind <= KindFloat {
			if kind, n, float = c.number(); c.err != nil {
				return 0
			}
		}
	} else {
		if !c.readHead() {
			return 0
		}
		kind, n, float = c.head.kind, c.head.n, c.head.float
	}
	switch {
	case kind == KindUint:
		return n
	case kind == KindFloat && float >= 0 && float <= 1<<53 && float == math.Trunc(float):
		return uint64(float)
	case kind == KindFloat || kind == KindInt:
		return math.MaxUint64
	}
	c.expected(at, what, "an integer", kind)
	return 0
}
