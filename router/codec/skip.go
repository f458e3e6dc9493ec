package codec

import (
	"unicode/utf8"

	"usher/router/wamp"
)

// skip passes over one value, validating it, and returns its bytes. depth is how
// deep the value itself is nested.
func (c *cursor) skip(depth int) []byte {
	if c.err != nil {
		return nil
	}
	if c.f == wamp.JSON {
		c.space()
	}
	start := c.pos
	if c.f == wamp.JSON {
		c.skipJSON(depth)
	} else {
		c.skipBinary(depth)
	}
	if c.err != nil {
		return nil
	}
	return c.data[start:c.pos]
}

func (c *cursor) scalarJSON() bool {
	if c.pos >= len(c.data) {
		c.truncated()
		return false
	}
	switch ch := c.data[c.pos]; {
	case ch == '"':
		end, _, ok := c.jsonString(c.pos)
		if ok {
			c.pos = end
		}
		return ok
	case ch == '-' || ch >= '0' && ch <= '9':
		if ch == '-' && c.pos+1 >= len(c.data) {
			c.truncated()
			return false
		}
		end, _, ok := c.jsonNumber(c.pos)
		if ok {
			c.pos = end
		}
		return ok
	case ch == 't':
		return c.literal("true")
	case ch == 'f':
		return c.literal("false")
	case ch == 'n':
		return c.literal("null")
	}
	c.fail(c.pos, "expected a value")
	return false
}

func (c *cursor) skipJSON(depth int) {
	var stack [MaxDepth]seq
	n := 0
	for {
		c.space()
		opened := false
		if c.pos < len(c.data) && (c.data[c.pos] == '[' || c.data[c.pos] == '{') {
			if depth+n >= MaxDepth {
				c.fail(c.pos, "nested more than %d deep", MaxDepth)
				return
			}
			stack[n] = seq{left: -1, first: true, dict: c.data[c.pos] == '{'}
			n++
			c.pos++
			opened = true
		} else if !c.scalarJSON() {
			return
		}
		_ = opened
		for n > 0 {
			s := &stack[n-1]
			if c.next(s) {
				if s.dict {
					if c.pos >= len(c.data) || c.data[c.pos] != '"' {
						c.fail(c.pos, "a key must be a string")
						return
					}
					end, _, ok := c.jsonString(c.pos)
					if !ok {
						return
					}
					c.pos = end
					c.space()
					if c.pos >= len(c.data) || c.data[c.pos] != ':' {
						c.fail(c.pos, "expected ':' after a key")
						return
					}
					c.pos++
				}
				break
			}
			if c.err != nil {
				return
			}
			n--
		}
		if n == 0 {
			return
		}
	}
}

func (c *cursor) skipBinary(depth int) {
	var stack [MaxDepth]seq
	n := 0
	for {
		at := c.pos
		h, ok := c.head()
		if !ok {
			return
		}
		switch h.kind {
		case KindList, KindDict:
			if depth+n >= MaxDepth {
				c.fail(at, "nested more than %d deep", MaxDepth)
				return
			}
			s := seq{left: int(h.n), dict: h.kind == KindDict}
			if h.indefinite {
				s.left = -1
			} else if h.n > uint64(len(c.data)-c.pos) {
				c.fail(at, "a length is larger than the data")
				return
			} else if s.dict {
				s.left *= 2
			}
			stack[n] = s
			n++
		case KindString:
			b, ok := c.chunk(h, at, 3)
			if !ok {
				return
			}
			if !utf8.Valid(b) {
				c.fail(at, "a string is not valid UTF-8")
				return
			}
		case KindBytes:
			if _, ok := c.chunk(h, at, 2); !ok {
				return
			}
		case KindEnd:
			c.fail(at, "an end without a beginning")
			return
		}
		for n > 0 {
			s := &stack[n-1]
			odd := s.dict && s.first // an indefinite dict between key and value
			if s.left == -1 && odd {
				s.first = false
				break
			}
			if c.next(s) {
				if s.left == -1 && s.dict {
					s.first = true
				}
				break
			}
			if c.err != nil {
				return
			}
			n--
		}
		if n == 0 {
			return
		}
	}
}
