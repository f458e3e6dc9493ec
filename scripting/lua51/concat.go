package lua51

import (
	lua "github.com/yuin/gopher-lua"
)

// concat joins its arguments as the operator .. does: from the right, numbers
// as their text, with metamethods where a value is neither string nor number.
func concat(L *lua.LState) int {
	n := L.GetTop()
	last := L.Get(n)
	for n--; n > 0; {
		if !isText(last) || !isText(L.Get(n)) {
			left := L.Get(n)
			if !callBinary(L, left, last, "__concat") {
				raiseConcat(L, n, left, last)
			}
			last = L.Get(-1)
			L.Pop(1)
			n--
			continue
		}
		first := n
		for first > 1 && isText(L.Get(first-1)) {
			first--
		}
		last = lua.LString(join(L, first, n, last))
		n = first - 1
	}
	L.Push(last)
	return 1
}

// raiseConcat raises the error for argument n, left, and what was made of those
// behind it, last, which goes by the name of argument n+1.
func raiseConcat(L *lua.LState, n int, left, last lua.LValue) {
	if isText(left) {
		raiseOperand(L, "concatenate", n+1, last)
	}
	raiseOperand(L, "concatenate", n, left)
}

func isText(v lua.LValue) bool {
	switch v.(type) {
	case lua.LString, lua.LNumber:
		return true
	}
	return false
}

// join returns the text of the arguments from first to end and of last.
func join(L *lua.LState, first, end int, last lua.LValue) string {
	var numbers [64]byte
	size := 0
	for i := first; i <= end; i++ {
		size += textLength(L.Get(i))
	}
	size += textLength(last)
	if b, ok := L.Context().(*Budget); ok {
		if err := b.Bytes(size); err != nil {
			L.RaiseError("%s", err.Error())
		}
	}
	if end == first {
		if s, ok := L.Get(first).(lua.LString); ok {
			if t, ok := last.(lua.LString); ok {
				return string(s) + string(t)
			}
		}
	}
	buf := numbers[:0]
	if size > len(numbers) {
		buf = make([]byte, 0, size)
	}
	for i := first; i <= end; i++ {
		buf = appendText(buf, L.Get(i))
	}
	return string(appendText(buf, last))
}

// textLength returns the length of a value's text, for numbers an upper bound.
func textLength(v lua.LValue) int {
	if s, ok := v.(lua.LString); ok {
		return len(s)
	}
	return 24
}

func appendText(dst []byte, v lua.LValue) []byte {
	switch v := v.(type) {
	case lua.LString:
		return append(dst, v...)
	case lua.LNumber:
		return AppendNumber(dst, v)
	}
	return dst
}
