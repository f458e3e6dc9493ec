package luaconv

import (
	lua "github.com/yuin/gopher-lua"

	"usher/router/wamp"
)

// AppendJSON encodes any value as JSON for others than WAMP clients: bytes made
// by router.binary are an error there, and a string may begin with a zero byte.
func (c *Converter) AppendJSON(m Meter, v lua.LValue) ([]byte, error) {
	c.plain = true
	defer func() { c.plain = false }()
	value, err := c.AppendValue(m, wamp.JSON, v)
	return value.Bytes, err
}

// ValueJSON decodes one JSON text that did not come by WAMP: each string of it
// is one.
func (c *Converter) ValueJSON(m Meter, text []byte) (lua.LValue, error) {
	c.plain = true
	defer func() { c.plain = false }()
	if len(text) == 0 {
		return nil, errMissing
	}
	return c.Value(m, wamp.Value{Format: wamp.JSON, Bytes: text})
}

// IsNull reports whether v is the value that stands for null.
func (c *Converter) IsNull(v lua.LValue) bool { return v == lua.LValue(c.null) }

// ListMeta is the metatable by which a table is known as a list.
func (c *Converter) ListMeta() lua.LValue { return c.listMeta }
