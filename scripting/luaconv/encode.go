package luaconv

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"usher/router/codec"
	"usher/router/wamp"
)

// AppendPayload encodes args, a list, and kwargs, a dict. Each may be nil.
func (c *Converter) AppendPayload(m Meter, f wamp.Format, args, kwargs *lua.LTable) (wamp.Payload, error) {
	p := wamp.Payload{Format: f}
	if args != nil {
		data, err := c.encode(m, f, "args", func(e *encoder) error { return e.list(args, 0) })
		if err != nil {
			return wamp.Payload{}, err
		}
		p.Args = data
	}
	if kwargs != nil {
		data, err := c.encode(m, f, "kwargs", func(e *encoder) error { return e.dict(kwargs, 0) })
		if err != nil {
			return wamp.Payload{}, err
		}
		p.Kwargs = data
	}
	return p, nil
}

// AppendResults encodes what a function returned as a list.
func (c *Converter) AppendResults(m Meter, f wamp.Format, results []lua.LValue) (wamp.Payload, error) {
	data, err := c.encode(m, f, "result", func(e *encoder) error {
		e.w.BeginList()
		for i, v := range results {
			if err := e.element(i+1, v, 0); err != nil {
				return err
			}
		}
		e.w.End()
		return nil
	})
	if err != nil {
		return wamp.Payload{}, err
	}
	return wamp.Payload{Format: f, Args: data}, nil
}

// AppendDict encodes a table that must be a dict.
func (c *Converter) AppendDict(m Meter, f wamp.Format, t *lua.LTable) (wamp.Value, error) {
	data, err := c.encode(m, f, "", func(e *encoder) error { return e.dict(t, 0) })
	return wamp.Value{Format: f, Bytes: data}, err
}

// AppendValue encodes any value.
func (c *Converter) AppendValue(m Meter, f wamp.Format, v lua.LValue) (wamp.Value, error) {
	data, err := c.encode(m, f, "", func(e *encoder) error { return e.value(v, 0) })
	return wamp.Value{Format: f, Bytes: data}, err
}

func (c *Converter) encode(m Meter, f wamp.Format, root string, write func(*encoder) error) ([]byte, error) {
	e := &encoder{c: c, m: m, format: f, w: &c.writer}
	e.w.Reset(f, nil)
	if err := write(e); err != nil {
		var p *placeError
		if errors.As(err, &p) && root != "" {
			return nil, p.within(root)
		}
		if root != "" {
			return nil, fmt.Errorf("%s: %w", root, err)
		}
		return nil, err
	}
	return e.w.Buffer(), nil
}

// encoder writes one value.
type encoder struct {
	c      *Converter
	m      Meter
	w      *codec.Writer
	format wamp.Format
	path   []*lua.LTable // that are being written, outermost first
}

// placeError says where in a value something is wrong.
type placeError struct {
	place string
	err   error
}

func (e *placeError) Error() string { return e.place + ": " + e.err.Error() }
func (e *placeError) Unwrap() error { return e.err }

func (e *placeError) within(outer string) *placeError {
	return &placeError{outer + e.place, e.err}
}

// at adds one step of the way to an error's place.
func at(step string, err error) error {
	var p *placeError
	if errors.As(err, &p) {
		return p.within(step)
	}
	return &placeError{step, err}
}

func indexStep(i int) string { return "[" + strconv.Itoa(i) + "]" }

func keyStep(key string) string {
	if len(key) > 100 || !utf8.ValidString(key) {
		return fmt.Sprintf("[%.100q]", key)
	}
	return "." + key
}

// value writes any Lua value.
func (e *encoder) value(v lua.LValue, depth int) error {
	if err := e.m.Bytes(valueCost); err != nil {
		return err
	}
	switch v := v.(type) {
	case *lua.LNilType:
		e.w.Null()
	case lua.LBool:
		e.w.Bool(bool(v))
	case lua.LNumber:
		return e.number(float64(v))
	case lua.LString:
		return e.text(string(v))
	case *lua.LTable:
		return e.table(v, depth)
	case *lua.LUserData:
		if v == e.c.null {
			e.w.Null()
			return nil
		}
		if b, ok := v.Value.(binary); ok {
			if e.c.plain {
				return errors.New("JSON has no bytes: encode them first, crypto.base64_encode(tostring(value))")
			}
			if err := e.m.Bytes(len(b)); err != nil {
				return err
			}
			e.w.Bytes([]byte(b))
			return nil
		}
		return errors.New("a userdata cannot be sent")
	default:
		return fmt.Errorf("a %s cannot be sent", v.Type())
	}
	return nil
}

func (e *encoder) number(n float64) error {
	switch {
	case n == math.Trunc(n) && n >= -maxExact && n <= maxExact:
		e.w.Int(int64(n))
		return nil
	case e.format == wamp.JSON && (math.IsNaN(n) || math.IsInf(n, 0)):
		return errors.New("a number that is not finite cannot be sent as JSON")
	}
	return e.w.Float(n)
}

func (e *encoder) text(s string) error {
	if err := e.m.Bytes(len(s)); err != nil {
		return err
	}
	if !utf8.ValidString(s) {
		if e.c.plain {
			return errors.New("the string is not valid UTF-8: bytes must be encoded, crypto.base64_encode(s)")
		}
		return errors.New("the string is not valid UTF-8: bytes are sent as router.binary(s)")
	}
	if !e.c.plain && e.format == wamp.JSON && s != "" && s[0] == 0 {
		return errors.New("the string begins with a zero byte, which means bytes in JSON: they are sent as router.binary(s)")
	}
	e.w.String([]byte(s))
	return nil
}

// table writes a list or a dict.
func (e *encoder) table(t *lua.LTable, depth int) error {
	if t.Metatable == e.c.listMeta || length(t) > 0 {
		return e.list(t, depth)
	}
	return e.dict(t, depth)
}

// enter notes that t is being written; leave ends that.
func (e *encoder) enter(t *lua.LTable, depth int) error {
	for _, outer := range e.path {
		if outer == t {
			return errors.New("the table contains itself")
		}
	}
	if depth >= maxDepth {
		return fmt.Errorf("tables are nested more than %d deep", maxDepth)
	}
	e.path = append(e.path, t)
	return e.m.Bytes(valueCost)
}

func (e *encoder) leave() { e.path = e.path[:len(e.path)-1] }

// list writes a table as a list. One with the field "n", as argument lists have
// it, has that many values, with null for those that are nil.
func (e *encoder) list(t *lua.LTable, depth int) error {
	if err := e.enter(t, depth); err != nil {
		return err
	}
	defer e.leave()
	n := length(t)
	counted := false
	if count, ok := t.RawGetString(Count).(lua.LNumber); ok && t.Metatable == e.c.listMeta {
		if count < lua.LNumber(n) || count != lua.LNumber(int(count)) || count > lua.LNumber(n+maxHoles) {
			return fmt.Errorf("the list's field n is %v, but it has %d values", float64(count), n)
		}
		n, counted = int(count), true
	}
	for key, _ := t.Next(lua.LNil); key != lua.LNil; key, _ = t.Next(key) {
		switch k := key.(type) {
		case lua.LNumber:
			if k < 1 || k > lua.LNumber(n) || k != lua.LNumber(int(k)) {
				return fmt.Errorf("the list has a value at [%v] but not at all places before: use null for holes", float64(k))
			}
		case lua.LString:
			if n == 0 && !counted {
				return fmt.Errorf("a list is needed, but the table has the name %.100q", string(k))
			}
			if !counted || k != Count {
				return fmt.Errorf("the table has both positions and the name %.100q: it can be a list or a dict", string(k))
			}
		default:
			return fmt.Errorf("the table has a key of type %s", key.Type())
		}
	}
	e.w.BeginList()
	for i := 1; i <= n; i++ {
		v := t.RawGet(lua.LNumber(i))
		if v == lua.LNil && !counted {
			return at(indexStep(i), errors.New("the list has no value here: use null for holes"))
		}
		if err := e.element(i, v, depth+1); err != nil {
			return err
		}
	}
	e.w.End()
	return nil
}

// maxHoles bounds how many nil values n may add at the end of a list.
const maxHoles = 256

func (e *encoder) element(i int, v lua.LValue, depth int) error {
	if err := e.value(v, depth); err != nil {
		return at(indexStep(i), err)
	}
	return nil
}

func (e *encoder) dict(t *lua.LTable, depth int) error {
	if t.Metatable == e.c.listMeta && length(t) > 0 {
		return errors.New("a dict is needed, not a list")
	}
	if err := e.enter(t, depth); err != nil {
		return err
	}
	defer e.leave()
	for key, _ := t.Next(lua.LNil); key != lua.LNil; key, _ = t.Next(key) {
		switch k := key.(type) {
		case lua.LString:
			if !utf8.ValidString(string(k)) {
				return at(keyStep(string(k)), errors.New("the name is not valid UTF-8"))
			}
		case lua.LNumber:
			return fmt.Errorf("the table has the position [%v]: a dict has names only, a list all positions from 1 on", float64(k))
		default:
			return fmt.Errorf("the table has a key of type %s: names must be strings", key.Type())
		}
	}
	e.w.BeginDict()
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		name := string(key.(lua.LString))
		if err := e.m.Bytes(len(name)); err != nil {
			return err
		}
		e.w.String([]byte(name))
		if err := e.value(value, depth+1); err != nil {
			return at(keyStep(name), err)
		}
	}
	e.w.End()
	return nil
}
