package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/vmihailenco/msgpack/v5"

	"usher/router/codec"
	"usher/router/wamp"
)

// understood is what the usual library of a format makes of data: integers are
// int64 or uint64, other numbers float64; a JSON number without fraction and
// exponent is an integer.
func understood(f wamp.Format, data []byte) (v any, err error) {
	switch f {
	case wamp.JSON:
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		err = d.Decode(&v)
	case wamp.MessagePack:
		v, err = msgpack.NewDecoder(bytes.NewReader(data)).DecodeInterface()
	case wamp.CBOR:
		err = cbor.Unmarshal(data, &v)
	}
	return plain(v), err
}

// plain turns the types of the libraries into common ones.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case map[any]any:
		m := dict{}
		for k, x := range v {
			m[fmt.Sprint(k)] = plain(x)
		}
		return m
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		x, _ := v.Float64()
		return x
	case int8, int16, int32:
		return reflect.ValueOf(v).Int()
	case uint8, uint16, uint32:
		return int64(reflect.ValueOf(v).Uint())
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
	case float32:
		return float64(v)
	}
	return v
}

// argument puts one encoded value into the arguments of a payload.
func argument(f wamp.Format, value []byte) wamp.Payload {
	switch f {
	case wamp.JSON:
		return wamp.Payload{Format: f, Args: append(append([]byte{'['}, value...), ']')}
	case wamp.MessagePack:
		return wamp.Payload{Format: f, Args: append([]byte{0x91}, value...)}
	}
	return wamp.Payload{Format: f, Args: append([]byte{0x81}, value...)}
}

// sent is the value that a receiver in format to gets of argument p.
func sent(t testing.TB, to wamp.Format, p wamp.Payload) ([]byte, error) {
	t.Helper()
	data, err := codec.Append(nil, to, &wamp.Yield{Request: 1, Payload: p})
	if err != nil {
		return nil, err
	}
	var d codec.Decoder
	m, err := d.Decode(to, data)
	if err != nil {
		t.Fatalf("what Append wrote is refused: %v\n%q", err, data)
	}
	args := m.(*wamp.Yield).Payload.Args
	if to == wamp.JSON {
		return args[1 : len(args)-1], nil
	}
	return args[1:], nil
}

// Values that all formats have keep their type and value between any two.
func TestTranscodeKeeps(t *testing.T) {
	values := map[string]any{
		"null": nil, "true": true, "false": false,
		"0": int64(0), "1": int64(1), "23": int64(23), "24": int64(24), "127": int64(127), "128": int64(128), "255": int64(255), "256": int64(256),
		"65535": int64(65535), "65536": int64(65536), "2^32-1": int64(1<<32 - 1), "2^32": int64(1 << 32), "2^53": int64(1 << 53), "2^53+1": int64(1<<53 + 1),
		"2^63-1": int64(math.MaxInt64), "2^63": uint64(1 << 63), "2^64-1": uint64(math.MaxUint64),
		"-1": int64(-1), "-24": int64(-24), "-25": int64(-25), "-32": int64(-32), "-33": int64(-33), "-128": int64(-128), "-129": int64(-129),
		"-32768": int64(-32768), "-32769": int64(-32769), "-2^31": int64(math.MinInt32), "-2^31-1": int64(math.MinInt32 - 1), "-2^63": int64(math.MinInt64),
		"float 0": float64(0), "1.5": 1.5, "0.1": 0.1, "-2.25": -2.25, "1e21": 1e21, "1e300": 1e300, "largest": math.MaxFloat64, "smallest": math.SmallestNonzeroFloat64,
		"empty string": "", "text": "plain", "escapes": "\"\\/\b\f\n\r\t\x00\x1f\x7f", "umlaut": "grüße", "emoji": "\U0001F600\u2028\u2029", "html": "<&>",
		"31 bytes": strings.Repeat("a", 31), "32 bytes": strings.Repeat("a", 32), "256 bytes": strings.Repeat("ä", 128), "64 KiB": strings.Repeat("\\", 1<<16),
		"empty list": list{}, "empty dict": dict{}, "list": list{int64(1), "a", nil, list{}, dict{"x": list{true}}},
		"16 elements": list{int64(0), int64(1), int64(2), int64(3), int64(4), int64(5), int64(6), int64(7), int64(8), int64(9), int64(10), int64(11), int64(12), int64(13), int64(14), "end"},
		"dict":        dict{"": int64(1), "ключ": "v", "a\"b": dict{"deep": list{1.25, int64(-7)}}},
	}
	numbers := make(list, 70_000)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	values["70,000 elements"] = numbers
	for name, v := range values {
		for _, from := range formats {
			p := argument(from, oracle(t, from, v))
			if x, ok := v.(float64); ok && from == wamp.JSON && x == math.Trunc(x) {
				p = argument(from, strconv.AppendFloat(nil, x, 'e', -1, 64)) // the library makes integers of them
			}
			for _, to := range formats {
				got, err := sent(t, to, p)
				if err != nil {
					t.Errorf("%s, %s to %s: %v", name, from, to, err)
					continue
				}
				if back, err := understood(to, got); err != nil || !reflect.DeepEqual(back, v) {
					t.Errorf("%s, %s to %s: %.60q is %.60v, %v", name, from, to, got, back, err)
				}
			}
		}
	}
}

// What one format writes in several ways, or only one has, in other formats.
func TestTranscodeSpecial(t *testing.T) {
	cases := []struct {
		name     string
		from, to wamp.Format
		in, out  string // JSON, or hexadecimal
		refused  bool
	}{
		{"binary", wamp.MessagePack, wamp.CBOR, "c403010203", "43010203", false},
		{"binary", wamp.MessagePack, wamp.JSON, "c403010203", `"\u0000AQID"`, false},
		{"binary", wamp.CBOR, wamp.MessagePack, "43010203", "c403010203", false},
		{"binary", wamp.CBOR, wamp.JSON, "43010203", `"\u0000AQID"`, false},
		{"binary", wamp.JSON, wamp.MessagePack, `"\u0000AQID"`, "c403010203", false},
		{"binary", wamp.JSON, wamp.CBOR, `"\u0000AQID"`, "43010203", false},
		{"empty binary", wamp.JSON, wamp.CBOR, `"\u0000"`, "40", false},
		{"empty binary", wamp.CBOR, wamp.JSON, "40", `"\u0000"`, false},
		{"a NUL before what is no base64", wamp.JSON, wamp.CBOR, `"\u0000no base64!"`, "6b00" + "6e6f2062617365363421", false},
		{"a NUL before base64 that ends early", wamp.JSON, wamp.MessagePack, `"\u0000AQ="`, "a40041513d", false},
		{"lone high surrogate", wamp.JSON, wamp.CBOR, `"a\ud800b"`, "65" + "61efbfbd62", false},
		{"lone low surrogate", wamp.JSON, wamp.MessagePack, `"\udc00"`, "a3efbfbd", false},
		{"two high surrogates", wamp.JSON, wamp.CBOR, `"\ud83d\ud83d\ude00"`, "67efbfbdf09f9880", false},
		{"surrogate pair", wamp.JSON, wamp.CBOR, `"\uD83D\uDE00"`, "64f09f9880", false},
		{"escaped solidus", wamp.JSON, wamp.CBOR, `"\/"`, "612f", false},
		{"an integral float stays one", wamp.JSON, wamp.MessagePack, `1.0`, "cb3ff0000000000000", false},
		{"an integral float stays one", wamp.CBOR, wamp.JSON, "fb3ff0000000000000", `1.0`, false},
		{"a large float", wamp.CBOR, wamp.JSON, "fb444b1ae4d6e2ef50", `1e+21`, false},
		{"minus zero", wamp.CBOR, wamp.JSON, "fb8000000000000000", `-0.0`, false},
		{"minus zero", wamp.JSON, wamp.CBOR, `-0.0`, "fb8000000000000000", false},
		{"an integer beyond 64 bits", wamp.JSON, wamp.CBOR, `18446744073709551616`, "fb43f0000000000000", false},
		{"an integer below 64 bits", wamp.JSON, wamp.MessagePack, `-9223372036854775809`, "cbc3e0000000000000", false},
		{"float16", wamp.CBOR, wamp.JSON, "f93e00", `1.5`, false},
		{"subnormal float16", wamp.CBOR, wamp.MessagePack, "f90001", "cb3e70000000000000", false},
		{"float32", wamp.CBOR, wamp.MessagePack, "fa3fc00000", "cb3ff8000000000000", false},
		{"float32", wamp.MessagePack, wamp.CBOR, "ca3fc00000", "fb3ff8000000000000", false},
		{"NaN", wamp.MessagePack, wamp.CBOR, "cb7ff8000000000000", "fb7ff8000000000000", false},
		{"infinity", wamp.CBOR, wamp.MessagePack, "f9fc00", "cbfff0000000000000", false},
		{"NaN", wamp.MessagePack, wamp.JSON, "cb7ff8000000000000", "", true},
		{"NaN of 16 bits", wamp.CBOR, wamp.JSON, "f97e00", "", true},
		{"infinity", wamp.CBOR, wamp.JSON, "fb7ff0000000000000", "", true},
		{"beyond floats", wamp.JSON, wamp.CBOR, `1e400`, "", true},
		{"undefined", wamp.CBOR, wamp.JSON, "f7", `null`, false},
		{"undefined of wampy", wamp.MessagePack, wamp.JSON, "d40000", `null`, false},
		{"undefined of wampy, empty", wamp.MessagePack, wamp.CBOR, "c70000", "f6", false},
		{"another extension", wamp.MessagePack, wamp.CBOR, "d40100", "", true},
		{"a timestamp", wamp.MessagePack, wamp.JSON, "d6ff00000000", "", true},
		{"simple value", wamp.CBOR, wamp.JSON, "f0", "", true},
		{"simple value in two bytes", wamp.CBOR, wamp.MessagePack, "f8ff", "", true},
		{"-2^63", wamp.CBOR, wamp.MessagePack, "3b7fffffffffffffff", "d38000000000000000", false},
		{"-2^63-1", wamp.CBOR, wamp.JSON, "3b8000000000000000", "", true},
		{"-2^64", wamp.CBOR, wamp.MessagePack, "3bffffffffffffffff", "", true},
		{"big number", wamp.CBOR, wamp.JSON, "c249010000000000000000", "", true},
		{"tagged time", wamp.CBOR, wamp.JSON, "c11a514b67b0", `1363896240`, false},
		{"indefinite lengths", wamp.CBOR, wamp.JSON, "9f5f4101420203ff7f616162c3a4ffbf7f6178ff00ffff", `["\u0000AQID","aä",{"x":0}]`, false},
		{"indefinite lengths", wamp.CBOR, wamp.MessagePack, "9f5f4101420203ff7f616162c3a4ffbf7f6178ff00ffff", "93c403010203a361c3a481a17800", false},
		{"integer as key", wamp.MessagePack, wamp.CBOR, "810102", "", true},
		{"integer as key", wamp.CBOR, wamp.JSON, "a10102", "", true},
		{"binary as key", wamp.CBOR, wamp.MessagePack, "a1410102", "", true},
		{"null as key", wamp.MessagePack, wamp.JSON, "81c002", "", true},
		{"the longest heads", wamp.MessagePack, wamp.CBOR, "dd00000001db0000000161", "816161", false},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%s to %s", c.name, c.from, c.to), func(t *testing.T) {
			in, want := []byte(c.in), []byte(c.out)
			if c.from != wamp.JSON {
				in = unhex(t, c.in)
			}
			if c.to != wamp.JSON {
				want = unhex(t, c.out)
			}
			got, err := sent(t, c.to, argument(c.from, in))
			if c.refused {
				if !errors.Is(err, codec.ErrTranscode) {
					t.Fatalf("%q, %v; want ErrTranscode", got, err)
				}
				return
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%q (%x), %v; want %q", got, got, err, want)
			}
			// Within its own format it goes as it came.
			if same, err := sent(t, c.from, argument(c.from, in)); err != nil || !bytes.Equal(same, in) {
				t.Errorf("within %s: %q, %v", c.from, same, err)
			}
		})
	}
}

// FuzzTranscode holds for any arguments that Decode accepts: in another format
// they are well-formed, and there and back again nothing changes any more; or
// the error wraps ErrTranscode.
func FuzzTranscode(f *testing.F) {
	for _, from := range formats {
		for _, v := range []any{nil, true, -1, 1 << 40, 1.5, 1e300, "text\"\u00e4\x00", list{list{}, dict{}}, dict{"a": list{1, dict{"b": nil}}}} {
			f.Add(uint8(from), oracle(f, from, v))
		}
	}
	for _, s := range []string{`"\u0000AQID"`, `"\ud800"`, `-0`, `123456789012345678901234567890`, `1e400`, `{"a":1,"a":2}`} {
		f.Add(uint8(wamp.JSON), []byte(s))
	}
	for _, s := range []string{"c403010203", "d40000", "d6ff00000000", "810102", "cb7ff8000000000000", "dc000100"} {
		f.Add(uint8(wamp.MessagePack), unhex(f, s))
	}
	for _, s := range []string{"9f5f4101ff7f6161ffbf616100ffff", "c11a514b67b0", "c24101", "f97e00", "f0", "f7", "3bffffffffffffffff", "a10102"} {
		f.Add(uint8(wamp.CBOR), unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, format uint8, value []byte) {
		from := wamp.Format(format)
		if from < wamp.JSON || from > wamp.CBOR {
			return
		}
		var d codec.Decoder
		p := argument(from, value)
		head, err := codec.Append(nil, from, &wamp.Yield{Request: 1, Payload: p})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(from, head); err != nil {
			return // also what Append trusted
		}
		for _, to := range formats {
			if to == from {
				continue
			}
			data, err := codec.AppendValue(nil, to, wamp.Value{Format: from, Bytes: p.Args})
			if err != nil {
				if !errors.Is(err, codec.ErrTranscode) {
					t.Fatalf("%s to %s: %v", from, to, err)
				}
				continue
			}
			if to != wamp.CBOR { // the library has a bound of its own on depth
				if _, err := understood(to, data); err != nil {
					t.Fatalf("%s to %s is %q: %v", from, to, data, err)
				}
			}
			back, err := codec.AppendValue(nil, from, wamp.Value{Format: to, Bytes: data})
			if err != nil {
				t.Fatalf("%s to %s and back: %v", from, to, err)
			}
			again, err := codec.AppendValue(nil, to, wamp.Value{Format: from, Bytes: back})
			if err != nil || !bytes.Equal(again, data) {
				t.Fatalf("%s to %s is %q, and after there and back %q, %v", from, to, data, again, err)
			}
		}
	})
}
