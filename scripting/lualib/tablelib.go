package lualib

import (
	"fmt"
	"math"
	"reflect"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

func (m *machine) openTable(L *lua.LState, globals *lua.LTable) {
	globals.RawSetString("table", newModule(L, map[string]lua.LGFunction{
		"concat":   tableConcat,
		"foreach":  m.tableForeach,
		"foreachi": m.tableForeachi,
		"getn":     tableGetn,
		"insert":   tableInsert,
		"maxn":     tableMaxn,
		"remove":   tableRemove,
		"setn":     tableSetn,
		"sort":     m.tableSort,
	}))
}

// rawGetInt reads t[i], in the array part or beyond it.
func rawGetInt(t *lua.LTable, i int) lua.LValue {
	if i >= 1 && i < lua.MaxArrayIndex {
		return t.RawGetInt(i)
	}
	return t.RawGetH(lua.LNumber(i))
}

// rawSetInt sets t[i], likewise.
func rawSetInt(t *lua.LTable, i int, v lua.LValue) {
	if i >= 1 && i < lua.MaxArrayIndex {
		t.RawSetInt(i, v)
		return
	}
	t.RawSetH(lua.LNumber(i), v)
}

// next returns the entry after key, nil at the end, and false for a key that
// the table does not have.
func next(t *lua.LTable, key lua.LValue) (k, v lua.LValue, ok bool) {
	if key == lua.LNil {
		k, v = t.Next(lua.LNil)
		return k, v, true
	}
	if n, isNumber := key.(lua.LNumber); isNumber && n >= 1 && n < lua.LNumber(lua.MaxArrayIndex) && n == lua.LNumber(int(n)) {
		if t.RawGetInt(int(n)) == lua.LNil && int(n) > arrayLength(t) {
			return lua.LNil, lua.LNil, false
		}
	} else if t.RawGet(key) == lua.LNil && !wasHashKey(t, key) {
		return lua.LNil, lua.LNil, false
	}
	k, v = t.Next(key)
	return k, v, true
}

// arrayLength returns how long the array part is, with what was removed from it.
// Reflection reads it, as gopher-lua does not tell; only for an index that holds
// nil.
func arrayLength(t *lua.LTable) int {
	if array := reflect.ValueOf(t).Elem().FieldByName("array"); array.IsValid() {
		return array.Len()
	}
	return math.MaxInt
}

// wasHashKey reports whether the table had a value for key: a traversal may go
// on from an entry that was removed.
func wasHashKey(t *lua.LTable, key lua.LValue) bool {
	if index := reflect.ValueOf(t).Elem().FieldByName("k2i"); index.IsValid() {
		return index.MapIndex(reflect.ValueOf(&key).Elem()).IsValid()
	}
	return true
}

func tableConcat(L *lua.LState) int {
	separator := OptString(L, 2, "")
	t := CheckTable(L, 1)
	i := OptInt(L, 3, 1)
	last := 0
	if L.Get(4) == lua.LNil {
		last = lua51.Length(t)
	} else {
		last = CheckInt(L, 4)
	}
	if i > last {
		return pushString(L, "")
	}
	var out buffer
	for ; ; i++ {
		switch v := rawGetInt(t, i).(type) {
		case lua.LString:
			out.addString(L, string(v))
		case lua.LNumber:
			out.addNumber(L, v)
		default:
			Errorf(L, "invalid value (%s) at index %d in table for 'concat'", TypeName(v), i)
		}
		if i == last {
			return out.push(L)
		}
		out.addString(L, separator)
	}
}

func tableInsert(L *lua.LState) int {
	t := CheckTable(L, 1)
	border := lua51.Length(t)
	end := border + 1
	pos := end
	switch L.GetTop() {
	case 2:
	case 3:
		pos = CheckInt(L, 2)
		end = max(end, pos)
	default:
		Errorf(L, "wrong number of arguments to 'insert'")
	}
	v := L.Get(L.GetTop())
	Alloc(L, slotBytes*max(1, min(pos, lua.MaxArrayIndex)-border))
	for i := end; i > pos; i-- {
		if i%1024 == 0 {
			checkStopped(L)
		}
		rawSetInt(t, i, rawGetInt(t, i-1))
	}
	rawSetInt(t, pos, v)
	return 0
}

func tableRemove(L *lua.LState) int {
	t := CheckTable(L, 1)
	end := lua51.Length(t)
	pos := OptInt(L, 2, end)
	if pos < 1 || pos > end {
		return 0
	}
	v := rawGetInt(t, pos)
	for ; pos < end; pos++ {
		if pos%1024 == 0 {
			checkStopped(L)
		}
		rawSetInt(t, pos, rawGetInt(t, pos+1))
	}
	rawSetInt(t, end, lua.LNil)
	L.Push(v)
	return 1
}

func tableMaxn(L *lua.LState) int {
	t := CheckTable(L, 1)
	largest := lua.LNumber(0)
	t.ForEach(func(k, _ lua.LValue) {
		if n, ok := k.(lua.LNumber); ok && n > largest {
			largest = n
		}
	})
	L.Push(largest)
	return 1
}

func tableGetn(L *lua.LState) int {
	L.Push(lua.LNumber(lua51.Length(CheckTable(L, 1))))
	return 1
}

func tableSetn(L *lua.LState) int {
	CheckTable(L, 1)
	Errorf(L, "'setn' is obsolete")
	return 0
}

func (m *machine) tableForeach(L *lua.LState) int {
	t := CheckTable(L, 1)
	fn := CheckFunction(L, 2)
	k, v, ok := next(t, lua.LNil)
	for ok && k != lua.LNil {
		checkStopped(L)
		if result := m.call1(L, fn, k, v); result != lua.LNil {
			L.Push(result)
			return 1
		}
		k, v, ok = next(t, k)
	}
	if !ok {
		Raise(L, lua.LString("invalid key to 'next'"))
	}
	return 0
}

func (m *machine) tableForeachi(L *lua.LState) int {
	t := CheckTable(L, 1)
	n := lua51.Length(t)
	fn := CheckFunction(L, 2)
	for i := 1; i <= n; i++ {
		checkStopped(L)
		if result := m.call1(L, fn, lua.LNumber(i), rawGetInt(t, i)); result != lua.LNil {
			L.Push(result)
			return 1
		}
	}
	return 0
}

// tableSort sorts in place by the very steps of the reference implementation's
// quicksort, because the order of equal elements and the calls of a comparison
// function can be seen.
func (m *machine) tableSort(L *lua.LState) int {
	t := CheckTable(L, 1)
	n := lua51.Length(t)
	s := sorter{L: L, machine: m, table: t}
	if less := L.Get(2); less != lua.LNil {
		s.less = CheckFunction(L, 2)
	}
	L.SetTop(2)
	s.sort(1, n)
	return 0
}

type sorter struct {
	L           *lua.LState
	machine     *machine
	table       *lua.LTable
	less        *lua.LFunction // nil: <
	comparisons int
}

func (s *sorter) get(i int) lua.LValue    { return rawGetInt(s.table, i) }
func (s *sorter) set(i int, v lua.LValue) { rawSetInt(s.table, i, v) }

// before reports whether a sorts before b.
func (s *sorter) before(a, b lua.LValue) bool {
	s.comparisons++
	if s.comparisons%256 == 0 {
		checkStopped(s.L)
	}
	if s.less != nil {
		return lua.LVAsBool(s.machine.call1(s.L, s.less, a, b))
	}
	return s.machine.lessThan(s.L, a, b)
}

// order swaps the elements at i < j if they are the wrong way round.
func (s *sorter) order(i, j int) bool {
	a, b := s.get(i), s.get(j)
	if !s.before(b, a) {
		return false
	}
	s.set(i, b)
	s.set(j, a)
	return true
}

// sort sorts the elements low to high.
func (s *sorter) sort(low, high int) {
	for low < high {
		s.order(low, high)
		if high-low == 1 {
			return
		}
		middle := (low + high) / 2
		if !s.order(low, middle) {
			s.order(middle, high)
		}
		if high-low == 2 {
			return
		}
		i := s.partition(low, middle, high)
		// The smaller half first, by recursion: the depth stays logarithmic.
		if i-low < high-i {
			s.sort(low, i-1)
			low = i + 1
		} else {
			s.sort(i+1, high)
			high = i - 1
		}
	}
}

// partition takes the middle element as the pivot, which it parks next to the
// last; smaller ones go before it, larger ones behind. It returns its place.
func (s *sorter) partition(low, middle, high int) int {
	pivot, last := s.get(middle), s.get(high-1)
	s.set(middle, last)
	s.set(high-1, pivot)
	i, j := low, high-1
	for {
		var left, right lua.LValue
		for {
			i++
			if left = s.get(i); !s.before(left, pivot) {
				break
			}
			if i > high {
				Errorf(s.L, "invalid order function for sorting")
			}
		}
		for {
			j--
			if right = s.get(j); !s.before(pivot, right) {
				break
			}
			if j < low {
				Errorf(s.L, "invalid order function for sorting")
			}
		}
		if j < i {
			break
		}
		s.set(i, right)
		s.set(j, left)
	}
	a, b := s.get(high-1), s.get(i)
	s.set(high-1, b)
	s.set(i, a)
	return i
}

// lessThan is the operator <.
func (m *machine) lessThan(L *lua.LState, a, b lua.LValue) bool {
	switch a := a.(type) {
	case lua.LNumber:
		if b, ok := b.(lua.LNumber); ok {
			return a < b
		}
	case lua.LString:
		if b, ok := b.(lua.LString); ok {
			return a < b
		}
	}
	if a.Type() == b.Type() {
		handler := L.GetMetaField(a, "__lt")
		if handler != lua.LNil && L.RawEqual(handler, L.GetMetaField(b, "__lt")) {
			return lua.LVAsBool(m.call1(L, handler, a, b))
		}
		Raise(L, lua.LString(fmt.Sprintf("attempt to compare two %s values", TypeName(a))))
	}
	Raise(L, lua.LString(fmt.Sprintf("attempt to compare %s with %s", TypeName(a), TypeName(b))))
	return false
}
