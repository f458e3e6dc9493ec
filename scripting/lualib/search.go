package lualib

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// specials are the bytes that make a pattern more than plain text.
const specials = "^$*+?.([%-"

func stringFind(L *lua.LState) int  { return search(L, true) }
func stringMatch(L *lua.LState) int { return search(L, false) }

// search is string.find and string.match.
func search(L *lua.LState, find bool) int {
	subject, pattern := CheckString(L, 1), CheckString(L, 2)
	start := clampIndex(relative(OptInteger(L, 3, 1), len(subject))-1, len(subject))
	if find && (lua.LVAsBool(L.Get(4)) || !strings.ContainsAny(cString(pattern), specials)) {
		i := strings.Index(subject[start:], pattern)
		if i < 0 {
			L.Push(lua.LNil)
			return 1
		}
		L.Push(lua.LNumber(start + i + 1))
		L.Push(lua.LNumber(start + i + len(pattern)))
		return 2
	}
	var m matcher
	m.reset(L, subject, pattern)
	p, anchored := 0, strings.HasPrefix(pattern, "^")
	if anchored {
		p = 1
	}
	for s := start; ; s++ {
		end := m.match(s, p)
		if end < 0 && !anchored && s < len(subject) {
			continue
		}
		m.count()
		if end < 0 {
			L.Push(lua.LNil)
			return 1
		}
		if !find {
			return m.pushCaptures(s, end)
		}
		L.Push(lua.LNumber(s + 1))
		L.Push(lua.LNumber(end))
		for i := range m.level {
			L.Push(m.captureValue(i, s, end))
		}
		return 2 + m.level
	}
}

// captureValue returns capture i, counted from 0, of a match from s to end;
// without any captures number 0 is the whole match.
func (m *matcher) captureValue(i, s, end int) lua.LValue {
	if i >= m.level {
		if i > 0 {
			Errorf(m.L, "invalid capture index")
		}
		return lua.LString(m.subject[s:end])
	}
	c := m.captures[i]
	switch c.length {
	case captureOpen:
		Errorf(m.L, "unfinished capture")
	case capturePosition:
		return lua.LNumber(c.start + 1)
	}
	return lua.LString(m.subject[c.start : c.start+c.length])
}

// pushCaptures pushes all captures, or the whole match where there are none.
func (m *matcher) pushCaptures(s, end int) int {
	n := max(m.level, 1)
	Alloc(m.L, n*slotBytes)
	for i := range n {
		m.L.Push(m.captureValue(i, s, end))
	}
	return n
}

func stringGmatch(L *lua.LState) int {
	subject, pattern := CheckString(L, 1), CheckString(L, 2)
	next := 0
	L.Push(L.NewFunction(func(L *lua.LState) int {
		var m matcher
		m.reset(L, subject, pattern)
		for s := next; s <= len(subject); s++ {
			end := m.match(s, 0)
			if end < 0 {
				continue
			}
			m.count()
			next = end
			if end == s {
				next++
			}
			return m.pushCaptures(s, end)
		}
		m.count()
		return 0
	}))
	return 1
}

// stringGsub replaces. Without a match the subject itself comes back.
func (lib *machine) stringGsub(L *lua.LState) int {
	subject, pattern := CheckString(L, 1), CheckString(L, 2)
	replacement := L.Get(3)
	limit := OptInt(L, 4, len(subject)+1)
	r := replacer{lib: lib, value: replacement}
	switch v := replacement.(type) {
	case lua.LString, lua.LNumber:
		r.text = stringOf(v)
	case *lua.LFunction, *lua.LTable:
	default:
		ArgError(L, 3, "string/function/table expected")
	}
	r.reset(L, subject, pattern)
	p, anchored := 0, strings.HasPrefix(pattern, "^")
	if anchored {
		p = 1
	}
	count, s := 0, 0
	for count < limit {
		end := r.match(s, p)
		if end >= 0 {
			count++
			r.replace(s, end)
		}
		if end > s {
			s = end
		} else if s < len(subject) {
			if r.changed {
				r.out.addByte(L, subject[s])
			}
			s++
		} else {
			break
		}
		if anchored {
			break
		}
	}
	r.count()
	if r.changed {
		r.out.addString(L, subject[s:])
		r.out.push(L)
	} else {
		L.Push(lua.LString(subject))
	}
	L.Push(lua.LNumber(count))
	return 2
}

// replacer is the matcher of one gsub with what it makes.
type replacer struct {
	matcher
	lib     *machine
	value   lua.LValue // string or number, function, table
	text    string     // of a string or number
	out     buffer
	changed bool // out holds what precedes the current match
}

// replace adds the replacement of the match from s to end.
func (r *replacer) replace(s, end int) {
	L := r.L
	if !r.changed {
		r.out.addString(L, r.subject[:s])
		r.changed = true
	}
	var v lua.LValue
	switch value := r.value.(type) {
	case *lua.LFunction:
		L.Push(value)
		r.lib.call(L, r.pushCaptures(s, end), 1)
		v = L.Get(-1)
		L.Pop(1)
	case *lua.LTable:
		v = L.GetTable(value, r.captureValue(0, s, end))
	default:
		r.expand(s, end)
		return
	}
	switch {
	case !lua.LVAsBool(v):
		r.out.addString(L, r.subject[s:end])
	case lua.LVCanConvToString(v):
		r.out.addValue(L, v)
	default:
		Errorf(L, "invalid replacement value (a %s)", TypeName(v))
	}
}

// expand adds the replacement text, with %0 to %9 filled in.
func (r *replacer) expand(s, end int) {
	L := r.L
	text := r.text
	for {
		i := strings.IndexByte(text, '%')
		if i < 0 {
			r.out.addString(L, text)
			return
		}
		r.out.addString(L, text[:i])
		text = text[i+1:]
		var c byte // a % at the end stands for a zero byte
		if text != "" {
			c, text = text[0], text[1:]
		}
		switch {
		case !isDigit(c):
			r.out.addByte(L, c)
		case c == '0':
			r.out.addString(L, r.subject[s:end])
		default:
			r.out.addValue(L, r.captureValue(int(c)-'1', s, end))
		}
	}
}

// relative turns a position that counts from the end, if negative, into one
// that counts from the start.
func relative(pos int64, length int) int64 {
	if pos < 0 {
		pos += int64(length) + 1
	}
	return max(pos, 0)
}

func clampIndex(i int64, length int) int {
	return int(min(max(i, 0), int64(length)))
}
