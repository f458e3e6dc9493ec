package lua51

import (
	"math"
	"math/bits"
	"reflect"

	lua "github.com/yuin/gopher-lua"
)

// arrayField is where a table keeps its array part, which gopher-lua does not
// tell the length of.
var arrayField = func() int {
	f, ok := reflect.TypeFor[lua.LTable]().FieldByName("array")
	if !ok {
		return -1
	}
	return f.Index[0]
}()

// Length returns #t of a table, a border: t[n] is not nil and t[n+1] is. Of
// several borders it is the one that the reference implementation finds: the
// end of the array part, or one found by halving where that ends in nil. There,
// the array part of a table from a constructor is as long as that list, and of
// one that has grown it is a power of two. Behind the array part, which
// gopher-lua ends at lua.MaxArrayIndex, the border is found by doubling and
// halving; gopher-lua's own Len stops there.
func Length(t *lua.LTable) int {
	n := 0
	if arrayField < 0 {
		n = t.Len()
	} else {
		array := reflect.ValueOf(t).Elem().Field(arrayField)
		n = array.Len()
		if n > 0 && n != array.Cap() {
			n = 1 << bits.Len(uint(n-1))
		}
	}
	if n > 0 && at(t, n) == lua.LNil {
		return border(t, 0, n)
	}
	if n < lua.MaxArrayIndex-1 {
		return n
	}
	low, high := n, n+1
	for at(t, high) != lua.LNil {
		if high > math.MaxInt32/2 {
			return high
		}
		low, high = high, 2*high
	}
	return border(t, low, high)
}

// border returns a border between low, which is 0 or not nil, and high, which
// is nil.
func border(t *lua.LTable, low, high int) int {
	for high-low > 1 {
		middle := (low + high) / 2
		if at(t, middle) == lua.LNil {
			high = middle
		} else {
			low = middle
		}
	}
	return low
}

// at returns t[i]; gopher-lua keeps large indices with the other keys.
func at(t *lua.LTable, i int) lua.LValue {
	if i < lua.MaxArrayIndex {
		return t.RawGetInt(i)
	}
	return t.RawGetH(lua.LNumber(i))
}
