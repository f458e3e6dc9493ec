package lualib

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

const (
	maxCaptures = 32

	// maxMatchDepth bounds the matcher's recursion, which grows with the number
	// of pattern items but not with the subject.
	maxMatchDepth = 2000

	// stepBatch is the number of steps after which the matcher asks the budget.
	stepBatch = 512
)

// Lengths of captures that are no text.
const (
	captureOpen     = -1
	capturePosition = -2
)

// capture is a part of the subject: where it begins and how long it is.
type capture struct {
	start, length int
}

// matcher matches one pattern, as the reference implementation defines it, on
// one subject. It counts its steps against the budget of the call: a pattern
// may take exponential time. It allocates nothing.
//
// A malformed pattern is an error only when the matching gets to that place.
type matcher struct {
	L        *lua.LState
	subject  string
	pattern  string
	captures [maxCaptures]capture
	level    int // captures so far, finished or not
	depth    int
	steps    int // not yet counted
}

// reset prepares for a pattern. As in C a pattern ends at its first zero byte.
func (m *matcher) reset(L *lua.LState, subject, pattern string) {
	m.L, m.subject, m.pattern = L, subject, cString(pattern)
	m.level, m.depth, m.steps = 0, 0, 0
}

// match tries the pattern from p on at position s of the subject and returns
// the end of the match, or -1.
func (m *matcher) match(s, p int) int {
	m.level = 0
	return m.do(s, p)
}

// count counts what has not been counted yet.
func (m *matcher) count() {
	n := m.steps
	m.steps = 0
	b, ok := m.L.Context().(*lua51.Budget)
	if !ok {
		return
	}
	if err := b.Steps(n); err != nil {
		Errorf(m.L, "%s", err.Error())
	}
}

func (m *matcher) step() {
	m.steps++
	if m.steps >= stepBatch {
		if _, ok := m.L.Context().(*lua51.Budget); ok {
			m.count()
		} else if m.steps > unbudgetedSteps {
			Errorf(m.L, "pattern too complex")
		}
	}
}

// do matches the pattern from p on at s; it returns the end or -1.
func (m *matcher) do(s, p int) int {
	m.depth++
	if m.depth > maxMatchDepth {
		Errorf(m.L, "pattern too complex")
	}
	end := m.items(s, p)
	m.depth--
	return end
}

func (m *matcher) items(s, p int) int {
	for p < len(m.pattern) {
		m.step()
		switch m.pattern[p] {
		case '(':
			if p+1 < len(m.pattern) && m.pattern[p+1] == ')' {
				return m.openCapture(s, p+2, capturePosition)
			}
			return m.openCapture(s, p+1, captureOpen)
		case ')':
			return m.closeCapture(s, p+1)
		case '$':
			if p+1 == len(m.pattern) {
				if s == len(m.subject) {
					return s
				}
				return -1
			}
		case '%':
			next, at, special := m.escape(s, p)
			if special {
				if at < 0 {
					return -1
				}
				s, p = at, next
				continue
			}
		}
		// One character class, perhaps with a repetition.
		after := m.classEnd(p)
		repetition := byte(0)
		if after < len(m.pattern) {
			repetition = m.pattern[after]
		}
		switch repetition {
		case '?':
			if m.single(s, p, after) {
				if end := m.do(s+1, after+1); end >= 0 {
					return end
				}
			}
			p = after + 1
		case '*':
			return m.most(s, p, after)
		case '+':
			if !m.single(s, p, after) {
				return -1
			}
			return m.most(s+1, p, after)
		case '-':
			return m.fewest(s, p, after)
		default:
			if !m.single(s, p, after) {
				return -1
			}
			s, p = s+1, after
		}
	}
	return s
}

// escape matches the items that begin with % and are no character class: a
// balanced pair, a frontier, a back-reference. It returns where the pattern and
// the subject go on (-1: no match), and whether it was one of these.
func (m *matcher) escape(s, p int) (next, at int, special bool) {
	if p+1 >= len(m.pattern) {
		return 0, 0, false
	}
	switch c := m.pattern[p+1]; {
	case c == 'b':
		if p+3 >= len(m.pattern) {
			Errorf(m.L, "unbalanced pattern")
		}
		return p + 4, m.balanced(s, m.pattern[p+2], m.pattern[p+3]), true
	case c == 'f':
		p += 2
		if p >= len(m.pattern) || m.pattern[p] != '[' {
			Errorf(m.L, "missing '[' after '%%f' in pattern")
		}
		after := m.classEnd(p)
		var before, here byte
		if s > 0 {
			before = m.subject[s-1]
		}
		if s < len(m.subject) {
			here = m.subject[s]
		}
		if m.inSet(before, p, after-1) || !m.inSet(here, p, after-1) {
			return after, -1, true
		}
		return after, s, true
	case c >= '0' && c <= '9':
		return p + 2, m.backReference(s, c), true
	}
	return 0, 0, false
}

// balanced matches from the byte open to the close that belongs to it.
func (m *matcher) balanced(s int, open, close byte) int {
	if s >= len(m.subject) || m.subject[s] != open {
		return -1
	}
	nesting := 1
	for s++; s < len(m.subject); s++ {
		m.step()
		switch m.subject[s] {
		case close:
			nesting--
			if nesting == 0 {
				return s + 1
			}
		case open:
			nesting++
		}
	}
	return -1
}

// backReference matches the text of capture number digit once more.
func (m *matcher) backReference(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= m.level || m.captures[i].length == captureOpen {
		Errorf(m.L, "invalid capture index")
	}
	c := m.captures[i]
	if c.length == capturePosition {
		return -1
	}
	m.steps += c.length / 16
	if !strings.HasPrefix(m.subject[s:], m.subject[c.start:c.start+c.length]) {
		return -1
	}
	return s + c.length
}

func (m *matcher) openCapture(s, p, kind int) int {
	if m.level >= maxCaptures {
		Errorf(m.L, "too many captures")
	}
	m.captures[m.level] = capture{start: s, length: kind}
	m.level++
	end := m.do(s, p)
	if end < 0 {
		m.level--
	}
	return end
}

func (m *matcher) closeCapture(s, p int) int {
	i := m.level - 1
	for i >= 0 && m.captures[i].length != captureOpen {
		i--
	}
	if i < 0 {
		Errorf(m.L, "invalid pattern capture")
	}
	m.captures[i].length = s - m.captures[i].start
	end := m.do(s, p)
	if end < 0 {
		m.captures[i].length = captureOpen
	}
	return end
}

// most matches a class as often as it can from first on, then the rest.
func (m *matcher) most(first, p, after int) int {
	s := first
	for ; m.single(s, p, after); s++ {
		m.step()
	}
	for ; s >= first; s-- {
		if end := m.do(s, after+1); end >= 0 {
			return end
		}
	}
	return -1
}

// fewest matches a class as rarely as it can, then the rest.
func (m *matcher) fewest(s, p, after int) int {
	for {
		if end := m.do(s, after+1); end >= 0 {
			return end
		}
		if !m.single(s, p, after) {
			return -1
		}
		s++
	}
}

// classEnd returns where the character class at p ends.
func (m *matcher) classEnd(p int) int {
	start, c := p, m.pattern[p]
	p++
	switch c {
	case '%':
		if p >= len(m.pattern) {
			Errorf(m.L, "malformed pattern (ends with '%%')")
		}
		return p + 1
	case '[':
		if p < len(m.pattern) && m.pattern[p] == '^' {
			p++
		}
		for first := true; first || p >= len(m.pattern) || m.pattern[p] != ']'; first = false {
			if p >= len(m.pattern) {
				Errorf(m.L, "malformed pattern (missing ']')")
			}
			escaped := m.pattern[p] == '%'
			p++
			if escaped && p < len(m.pattern) {
				p++
			}
		}
		m.steps += (p - start) / 4
		return p + 1
	}
	return p
}

// single reports whether the byte at s is in the class at p, which ends at after.
func (m *matcher) single(s, p, after int) bool {
	if s >= len(m.subject) {
		return false
	}
	c := m.subject[s]
	switch m.pattern[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pattern[p+1])
	case '[':
		return m.inSet(c, p, after-1)
	}
	return m.pattern[p] == c
}

// inSet reports whether c is in the set from the bracket at p to that at end.
func (m *matcher) inSet(c byte, p, end int) bool {
	found := true
	p++
	if m.pattern[p] == '^' {
		found = false
		p++
	}
	for ; p < end; p++ {
		m.steps++
		switch {
		case m.pattern[p] == '%':
			p++
			if inClass(c, m.pattern[p]) {
				return found
			}
		case p+2 < end && m.pattern[p+1] == '-':
			if m.pattern[p] <= c && c <= m.pattern[p+2] {
				return found
			}
			p += 2
		case m.pattern[p] == c:
			return found
		}
	}
	return !found
}

// inClass reports whether c is in the class that a letter names in the C
// locale; an upper-case letter names the complement. Anything else stands for
// itself.
func inClass(c, class byte) bool {
	var in bool
	switch class | 0x20 {
	case 'a':
		in = isAlpha(c)
	case 'c':
		in = c < ' ' || c == 0x7f
	case 'd':
		in = isDigit(c)
	case 'l':
		in = c >= 'a' && c <= 'z'
	case 'p':
		in = c > ' ' && c < 0x7f && !isAlpha(c) && !isDigit(c)
	case 's':
		in = c == ' ' || c >= '\t' && c <= '\r'
	case 'u':
		in = c >= 'A' && c <= 'Z'
	case 'w':
		in = isAlpha(c) || isDigit(c)
	case 'x':
		in = isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	return in == (class&0x20 != 0)
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
