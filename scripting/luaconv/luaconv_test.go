package luaconv

import (
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"usher/router/codec"
	"usher/router/wamp"
)

// free is a Meter without a bound; budget one with a bound.
type free struct{}

func (free) Bytes(int) error { return nil }

type budget int

var errBudget = errors.New("memory limit reached")

func (b *budget) Bytes(n int) error {
	if *b -= budget(n); *b < 0 {
		return errBudget
	}
	return nil
}

// newVM returns a VM in which scripts can make every kind of value.
func newVM(t testing.TB) (*lua.LState, *Converter) {
	L := lua.NewState()
	t.Cleanup(L.Close)
	c := New(L)
	L.SetGlobal("null", c.Null())
	L.SetGlobal("list", L.NewFunction(c.List))
	L.SetGlobal("binary", L.NewFunction(c.Binary))
	return L, c
}

// eval returns the value of a Lua expression.
func eval(t testing.TB, L *lua.LState, expression string) lua.LValue {
	t.Helper()
	if err := L.DoString("return " + expression); err != nil {
		t.Fatal(err)
	}
	v := L.Get(1)
	L.SetTop(0)
	return v
}

func TestValuesToJSON(t *testing.T) {
	for _, test := range []struct{ lua, want string }{
		{`nil`, `null`},
		{`null`, `null`},
		{`true`, `true`},
		{`1`, `1`},
		{`-1`, `-1`},
		{`0.5`, `0.5`},
		{`2^53`, `9007199254740992`},
		{`-2^53`, `-9007199254740992`},
		{`2^53 * 2`, `1.8014398509481984e+16`},
		{`"é"`, `"é"`},
		{`{}`, `{}`},
		{`list{}`, `[]`},
		{`list()`, `[]`},
		{`{1, 2, 3}`, `[1,2,3]`},
		{`{1, null}`, `[1,null]`},
		{`{a = 1}`, `{"a":1}`},
		{`{a = {b = list{}, c = {}}}`, `{"a":{"b":[],"c":{}}}`},
		{`binary("\1\2")`, `"\u0000AQI="`},
	} {
		L, c := newVM(t)
		v, err := c.AppendValue(free{}, wamp.JSON, eval(t, L, test.lua))
		if err != nil {
			t.Errorf("%s: %v", test.lua, err)
			continue
		}
		if got := string(v.Bytes); got != test.want {
			t.Errorf("%s is sent as %s, want %s", test.lua, got, test.want)
		}
	}
}

func TestValuesThatCannotBeSent(t *testing.T) {
	for _, test := range []struct{ lua, want string }{
		{`0/0`, "not finite"},
		{`1/0`, "not finite"},
		{`{{name = "\255"}}`, "[1].name: the string is not valid UTF-8"},
		{`{users = {{name = {1, print}}}}`, ".users[1].name[2]: a function cannot be sent"},
		{`{1, a = 2}`, "both positions and the name"},
		{`{a = 1, [-7] = 2}`, "the position [-7]"},
		{`{1, [3] = 3}`, "[2]: the list has no value here"},
		{`{[true] = 1}`, "a key of type boolean"},
		{`{[{}] = 1}`, "a key of type table"},
		{`{[0.5] = 1}`, "the position [0.5]"},
		{`{["\255"] = 1}`, "not valid UTF-8"},
		{`(function() local t = {} t.t = t return t end)()`, ".t: the table contains itself"},
		{`(function() local t = {} for i = 1, 200 do t = {t} end return t end)()`, "nested more than"},
		{`"\0abc"`, "begins with a zero byte"},
		{`list{a = 1}`, "a list is needed"},
	} {
		L, c := newVM(t)
		_, err := c.AppendValue(free{}, wamp.JSON, eval(t, L, test.lua))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", test.lua, err, test.want)
		}
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	L, c := newVM(t)
	_, err := c.AppendResults(free{}, wamp.JSON, []lua.LValue{eval(t, L, `{name = "\255"}`)})
	if want := "result[1].name: the string"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	_, err = c.AppendPayload(free{}, wamp.JSON, eval(t, L, `{1, print}`).(*lua.LTable), nil)
	if want := "args[2]: a function"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	_, err = c.AppendPayload(free{}, wamp.JSON, nil, eval(t, L, `{1}`).(*lua.LTable))
	if want := "kwargs: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestValuesFromEachFormat(t *testing.T) {
	values := []struct {
		value any
		check string // of v, in Lua
	}{
		{nil, `v == null and v ~= nil`},
		{true, `v == true`},
		{7, `v == 7`},
		{-7, `v == -7`},
		{1.5, `v == 1.5`},
		{1 << 53, `v == 2^53`},
		{1<<53 + 1, `v == "9007199254740993"`},
		{-1<<53 - 1, `v == "-9007199254740993"`},
		{uint64(math.MaxUint64), `v == "18446744073709551615"`},
		{int64(math.MinInt64), `v == "-9223372036854775808"`},
		{"é", `v == "é"`},
		{[]byte{0, 255}, `tostring(v) == "\0\255" and v == binary("\0\255")`},
		{[]any{1, nil, 3}, `#v == 3 and v[2] == null`},
		{[]any{}, `next(v) == nil`},
		{map[string]any{"a": []any{map[string]any{}}}, `next(v.a[1]) == nil`},
	}
	for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		for _, test := range values {
			L, c := newVM(t)
			if b, ok := test.value.([]byte); ok && f == wamp.JSON {
				test.value = "\x00" + base64.StdEncoding.EncodeToString(b) // WAMP's convention
			}
			data, err := codec.Marshal(f, test.value)
			if err != nil {
				t.Fatal(err)
			}
			v, err := c.Value(free{}, wamp.Value{Format: f, Bytes: data})
			if err != nil {
				t.Errorf("%v of %v: %v", f, test.value, err)
				continue
			}
			L.SetGlobal("v", v)
			if eval(t, L, test.check) != lua.LTrue {
				t.Errorf("%v of %v: not %s", f, test.value, test.check)
			}
			back, err := c.AppendValue(free{}, f, v)
			if _, large := v.(lua.LString); err != nil || !large && string(back.Bytes) != string(data) {
				t.Errorf("%v of %v came back as %q (%v), was %q", f, test.value, back.Bytes, err, data)
			}
		}
	}
}

func TestArgumentsAreCounted(t *testing.T) {
	L, c := newVM(t)
	args, kwargs, err := c.Payload(free{}, wamp.Payload{Format: wamp.JSON, Args: []byte(`[1,null,null]`)})
	if err != nil {
		t.Fatal(err)
	}
	L.SetGlobal("args", args)
	L.SetGlobal("kwargs", kwargs)
	if eval(t, L, `args.n == 3 and args[3] == null and next(kwargs) == nil`) != lua.LTrue {
		t.Error("args of [1,null,null] are not counted")
	}
	// They can be handed on as they are, also after the script put nil in.
	for _, test := range []struct{ change, want string }{
		{`nil`, `[1,null,null]`},
		{`(function() args[3] = nil end)()`, `[1,null,null]`},
		{`(function() args[4] = 4; args.n = 4 end)()`, `[1,null,null,4]`},
	} {
		eval(t, L, test.change)
		p, err := c.AppendPayload(free{}, wamp.JSON, args, nil)
		if err != nil || string(p.Args) != test.want {
			t.Errorf("after %s: %s (%v), want %s", test.change, p.Args, err, test.want)
		}
	}
}

func TestLongLists(t *testing.T) {
	lua.MaxArrayIndex = 1 << 16 // as in the host
	L, c := newVM(t)
	v, err := c.AppendValue(free{}, wamp.MessagePack, eval(t, L, `(function() local t = {} for i = 1, 100000 do t[i] = i end return t end)()`))
	if err != nil {
		t.Fatal(err)
	}
	back, err := c.Value(free{}, v)
	if err != nil {
		t.Fatal(err)
	}
	if n := length(back.(*lua.LTable)); n != 100000 {
		t.Errorf("a list of 100,000 came back with %d", n)
	}
}

func TestConversionIsMetered(t *testing.T) {
	L, c := newVM(t)
	small := budget(1000)
	if _, err := c.AppendValue(&small, wamp.JSON, eval(t, L, `{("x"):rep(2000)}`)); !errors.Is(err, errBudget) {
		t.Errorf("encode: %v", err)
	}
	small = 1000
	data := []byte("[" + strings.Repeat("1,", 100) + "1]")
	if _, err := c.Value(&small, wamp.Value{Format: wamp.JSON, Bytes: data}); !errors.Is(err, errBudget) {
		t.Errorf("decode: %v", err)
	}
}

// FuzzRoundTrip checks that what was decoded can be encoded, and is the same when
// decoded again.
func FuzzRoundTrip(f *testing.F) {
	for _, seed := range []string{`[1,"a",null,{"b":[]}]`, `{"n":2}`, `"\u0000AQI="`, `1e300`, `[[[[]]]]`, `18446744073709551615`} {
		f.Add(byte(wamp.JSON), []byte(seed))
	}
	f.Add(byte(wamp.MessagePack), []byte{0x93, 0xc0, 0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc4, 1, 7})
	f.Add(byte(wamp.CBOR), []byte{0x9f, 0xf6, 0xbf, 0x61, 'a', 0x20, 0xff, 0xff})
	L := lua.NewState()
	f.Cleanup(L.Close)
	f.Fuzz(func(t *testing.T, format byte, data []byte) {
		format = format%wamp.Formats + 1
		c := New(L)
		left := budget(1 << 20)
		v, err := c.Value(&left, wamp.Value{Format: wamp.Format(format), Bytes: data})
		if err != nil || v == lua.LNil {
			return
		}
		once, err := c.AppendValue(free{}, wamp.MessagePack, v)
		if err != nil {
			if strings.Contains(err.Error(), "nested more") {
				return // the codec allows two levels more
			}
			t.Fatalf("%q was decoded but not encoded: %v", data, err)
		}
		again, err := c.Value(free{}, once)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := c.AppendValue(free{}, wamp.MessagePack, again)
		if err != nil || string(once.Bytes) != string(twice.Bytes) {
			t.Fatalf("%q and %q (%v)", once.Bytes, twice.Bytes, err)
		}
	})
}
