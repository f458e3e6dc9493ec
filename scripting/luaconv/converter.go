package luaconv

import (
	lua "github.com/yuin/gopher-lua"

	"usher/router/codec"
)

// Count is the field of an argument list that says how many arguments there are.
const Count = "n"

// maxDepth bounds the nesting of tables that are sent, as the codec does for what
// is received; the message around them is two levels.
const maxDepth = codec.MaxDepth - 2

// maxExact is 2^53: the largest integer that a Lua number holds together with all
// smaller ones.
const maxExact = 1 << 53

// The bytes that a meter is asked for besides the text of strings.
const (
	valueCost = 32
	tableCost = 256
)

// Meter counts the bytes that a conversion makes; an error of it ends the
// conversion. *lua51.Budget is one.
type Meter interface {
	Bytes(n int) error
}

// Converter converts the values of one VM and belongs to the goroutine that
// runs it.
type Converter struct {
	L          *lua.LState
	null       *lua.LUserData
	listMeta   *lua.LTable // marks a table as a list
	binaryMeta *lua.LTable

	reader codec.Reader // their memory is reused
	writer codec.Writer
	plain  bool // JSON is meant that does not follow WAMP's convention for bytes
}

// New returns the converter of a VM.
func New(L *lua.LState) *Converter {
	c := &Converter{L: L, listMeta: L.NewTable(), binaryMeta: L.NewTable()}
	c.listMeta.RawSetString("__metatable", lua.LFalse)

	nullMeta := L.NewTable()
	nullMeta.RawSetString("__metatable", lua.LFalse)
	nullMeta.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LString("null"))
		return 1
	}))
	c.null = L.NewUserData()
	c.null.Metatable = nullMeta

	c.binaryMeta.RawSetString("__metatable", lua.LFalse)
	c.binaryMeta.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LString(bytesOf(L.Get(1))))
		return 1
	}))
	c.binaryMeta.RawSetString("__len", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LNumber(len(bytesOf(L.Get(1)))))
		return 1
	}))
	c.binaryMeta.RawSetString("__eq", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LBool(bytesOf(L.Get(1)) == bytesOf(L.Get(2))))
		return 1
	}))
	return c
}

// Null is the value that stands for null.
func (c *Converter) Null() lua.LValue { return c.null }

// List is the Lua function router.list(table): it marks a table as a list, an
// empty one by default, and returns it.
func (c *Converter) List(L *lua.LState) int {
	t, ok := L.Get(1).(*lua.LTable)
	switch {
	case L.Get(1) == lua.LNil:
		t = L.NewTable()
	case !ok:
		L.ArgError(1, "table expected, got "+L.Get(1).Type().String())
	case t.Metatable != lua.LNil && t.Metatable != c.listMeta:
		L.ArgError(1, "the table has a metatable")
	}
	t.Metatable = c.listMeta
	L.Push(t)
	return 1
}

// binary is the content of a value made by router.binary.
type binary string

func bytesOf(v lua.LValue) string {
	b, _ := Bytes(v)
	return b
}

// Bytes returns the content of a value made by router.binary; false: v is none.
func Bytes(v lua.LValue) (string, bool) {
	if ud, ok := v.(*lua.LUserData); ok {
		if b, ok := ud.Value.(binary); ok {
			return string(b), true
		}
	}
	return "", false
}

// Binary is the Lua function router.binary(string): a value that is sent as
// bytes. tostring of it is the string again, # its length.
func (c *Converter) Binary(L *lua.LState) int {
	s, ok := L.Get(1).(lua.LString)
	if !ok {
		L.ArgError(1, "string expected, got "+L.Get(1).Type().String())
	}
	L.Push(c.binary(string(s)))
	return 1
}

func (c *Converter) binary(s string) *lua.LUserData {
	return &lua.LUserData{Value: binary(s), Metatable: c.binaryMeta, Env: c.L.Env}
}
