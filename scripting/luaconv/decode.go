package luaconv

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"usher/router/codec"
	"usher/router/wamp"
)

// Value decodes one value.
func (c *Converter) Value(m Meter, v wamp.Value) (lua.LValue, error) {
	if v.Absent() {
		return lua.LNil, nil
	}
	c.reader.Reset(v.Format, v.Bytes)
	value, err := c.read(m, c.reader.Next())
	if err != nil {
		return nil, err
	}
	if c.reader.Next() != codec.KindEnd {
		return nil, c.reader.Err()
	}
	return value, nil
}

// read makes the value that begins with a token. The reader bounds its depth.
func (c *Converter) read(m Meter, k codec.Kind) (lua.LValue, error) {
	if err := m.Bytes(valueCost); err != nil {
		return nil, err
	}
	r := &c.reader
	switch k {
	case codec.KindNull:
		return c.null, nil
	case codec.KindBool:
		return lua.LBool(r.Bool()), nil
	case codec.KindUint:
		return unsigned(r.Uint()), nil
	case codec.KindInt:
		return negative(r), nil
	case codec.KindFloat:
		return lua.LNumber(r.Float()), nil
	case codec.KindString:
		s, err := c.text(m)
		if err == nil && !utf8.ValidString(s) {
			err = errNotUTF8
		}
		return lua.LString(s), err
	case codec.KindBytes:
		s, err := c.text(m)
		if c.plain { // only looks like WAMP's convention
			return lua.LString("\x00" + base64.StdEncoding.EncodeToString([]byte(s))), err
		}
		return c.binary(s), err
	case codec.KindList:
		return c.readList(m)
	case codec.KindDict:
		return c.readDict(m)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return nil, errMissing
}

var (
	errMissing = errors.New("a value is missing")
	errNotUTF8 = errors.New("a string is not valid UTF-8")
)

// text copies the reader's string.
func (c *Converter) text(m Meter) (string, error) {
	b := c.reader.Bytes()
	if err := m.Bytes(len(b)); err != nil {
		return "", err
	}
	return string(b), nil
}

func (c *Converter) readList(m Meter) (lua.LValue, error) {
	if err := m.Bytes(tableCost); err != nil {
		return nil, err
	}
	t := c.L.CreateTable(0, 0)
	t.Metatable = c.listMeta
	for i := 1; ; i++ {
		k := c.reader.Next()
		if k == codec.KindEnd {
			return t, nil
		}
		v, err := c.read(m, k)
		if err != nil {
			return nil, err
		}
		t.RawSetInt(i, v)
	}
}

func (c *Converter) readDict(m Meter) (lua.LValue, error) {
	if err := m.Bytes(tableCost); err != nil {
		return nil, err
	}
	t := c.L.CreateTable(0, 0)
	for {
		k := c.reader.Next()
		if k == codec.KindEnd {
			return t, nil
		}
		if k != codec.KindString {
			return nil, c.reader.Err()
		}
		key, err := c.text(m)
		if err != nil {
			return nil, err
		}
		if !utf8.ValidString(key) {
			return nil, errNotUTF8
		}
		v, err := c.read(m, c.reader.Next())
		if err != nil {
			return nil, err
		}
		t.RawSetString(key, v)
	}
}

// Payload decodes a message's arguments: args is a list whose field "n" counts
// them, kwargs a dict. Both are empty tables where the payload has none. A payload
// that is binary data is the only one of args.
func (c *Converter) Payload(m Meter, p wamp.Payload) (args, kwargs *lua.LTable, err error) {
	args, kwargs = c.L.CreateTable(0, 0), c.L.CreateTable(0, 0)
	if len(p.Args) > 0 {
		if args, err = c.table(m, p.Format, p.Args); err != nil {
			return nil, nil, fmt.Errorf("args: %w", err)
		}
	}
	if len(p.Kwargs) > 0 {
		if kwargs, err = c.table(m, p.Format, p.Kwargs); err != nil {
			return nil, nil, fmt.Errorf("kwargs: %w", err)
		}
	}
	args.Metatable = c.listMeta
	args.RawSetString(Count, lua.LNumber(length(args)))
	return args, kwargs, nil
}

func (c *Converter) table(m Meter, f wamp.Format, data []byte) (*lua.LTable, error) {
	v, err := c.Value(m, wamp.Value{Format: f, Bytes: data})
	if err != nil {
		return nil, err
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		t = c.L.CreateTable(1, 0)
		t.RawSetInt(1, v)
	}
	return t, nil
}

// length counts the positional values of a table from 1 on. gopher-lua's own
// count ends where it moves keys into a map.
func length(t *lua.LTable) int {
	n := t.Len()
	for t.RawGet(lua.LNumber(n+1)) != lua.LNil {
		n++
	}
	return n
}

// negative and unsigned make a number while that is exact, and else a string of
// digits.
func negative(r *codec.Reader) lua.LValue {
	i, ok := r.Int()
	switch {
	case ok && i >= -maxExact:
		return lua.LNumber(i)
	case ok:
		return lua.LString(strconv.FormatInt(i, 10))
	}
	below := new(big.Int).SetUint64(r.Uint()) // the value is -1 - below
	return lua.LString(below.Not(below).String())
}

func unsigned(u uint64) lua.LValue {
	if u > maxExact {
		return lua.LString(strconv.FormatUint(u, 10))
	}
	return lua.LNumber(u)
}
