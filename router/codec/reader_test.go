package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"usher/router/wamp"
)

// tokens describes what a Reader finds.
func tokens(f wamp.Format, data []byte) (string, error) {
	var r Reader
	r.Reset(f, data)
	var s strings.Builder
	for depth := 0; ; {
		k := r.Next()
		switch k {
		case KindInvalid:
			return s.String(), r.Err()
		case KindList, KindDict:
			depth++
		case KindEnd:
			if depth == 0 {
				return s.String(), nil
			}
			depth--
		case KindString, KindBytes:
			s.WriteString("<" + string(r.Bytes()) + ">")
		}
		s.WriteString(k.String() + ";")
	}
}

func TestReaderAlternatesKeysAndValues(t *testing.T) {
	const want = "a dict;<a>a string;a list;null;a boolean;an end;<b>a string;a negative integer;<c>a string;<\x01>binary data;an end;"
	for f, data := range map[wamp.Format]string{
		wamp.JSON:        ` { "a" : [ null , true ] , "b" : -7 , "c" : "\u0000AQ==" } `,
		wamp.MessagePack: "\x83\xa1a\x92\xc0\xc3\xa1b\xf9\xa1c\xc4\x01\x01",
		wamp.CBOR:        "\xbf\x61a\x9f\xf6\xf5\xff\x61b\x26\x61c\x5f\x41\x01\xff\xff",
	} {
		if got, err := tokens(f, []byte(data)); got != want || err != nil {
			t.Errorf("%s: %s (%v), want %s", f, got, err, want)
		}
	}
}

func TestReaderKnowsLengths(t *testing.T) {
	for _, test := range []struct {
		f    wamp.Format
		data string
		want int
	}{
		{wamp.JSON, "[1,2]", -1},
		{wamp.MessagePack, "\x92\x01\x02", 2},
		{wamp.MessagePack, "\x81\xa1a\x02", 1},
		{wamp.CBOR, "\x82\x01\x02", 2},
		{wamp.CBOR, "\xbf\xff", -1},
	} {
		var r Reader
		r.Reset(test.f, []byte(test.data))
		if r.Next(); r.Len() != test.want {
			t.Errorf("%s of %q: length %d, want %d", test.f, test.data, r.Len(), test.want)
		}
	}
}

// In a dict, a string that looks like binary data is a key all the same; so is
// one as a value that is no base64.
func TestBinaryConventionOfJSON(t *testing.T) {
	const want = "a dict;<\x00AQ==>a string;<\x00?>a string;an end;"
	if got, err := tokens(wamp.JSON, []byte(`{"\u0000AQ==":"\u0000?"}`)); got != want || err != nil {
		t.Errorf("%q (%v), want %q", got, err, want)
	}
}

// A Writer learns only at the end how long a list is.
func TestWriterMovesHeads(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 23, 24, 255, 256, 65535, 65536} {
		for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
			var w Writer
			w.Reset(f, []byte("x"))
			w.BeginDict()
			w.String([]byte("k"))
			w.BeginList()
			for range n {
				w.Null()
			}
			w.End()
			w.End()
			var v map[string][]any
			if err := Unmarshal(f, w.Buffer()[1:], &v); err != nil || len(v) != 1 || len(v["k"]) != n {
				t.Errorf("%s: a list of %d came back with %d (%v)", f, n, len(v["k"]), err)
			}
		}
	}
}

// FuzzValue holds for any data: passing over it and reading it token by token
// agree on what is well-formed, and what is transcoded is well-formed, bounded,
// and the same after another transcoding there and back.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{`[1,-2,3.5,"a\u00e9",{"b":[null,true]}]`, `"\u0000AQI="`, `{"":{}}`, `[18446744073709551616,-0,-0.0,1e5]`, `"\ud800\ud83d\ude00"`} {
		f.Add(byte(wamp.JSON), []byte(seed))
	}
	for _, seed := range []string{"\x92\xc0\xd4\x00\x00", "\x81\xa1a\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\xdc\x00\x01\xd9\x01a", "\x82\x01\x02\xa0\xc4\x00", "\xca\x3f\x80\x00\x00"} {
		f.Add(byte(wamp.MessagePack), []byte(seed))
	}
	for _, seed := range []string{"\x9f\x7f\x61a\xff\xbf\x61b\xc1\x01\xff\xf9\x3c\x00\xff", "\xc2\x41\x01", "\xf8\x20", "\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "\xc1\xc1\xc1\xc1\xc1\x00"} {
		f.Add(byte(wamp.CBOR), []byte(seed))
	}
	f.Add(byte(wamp.CBOR), []byte("j\x000000000\n0"))                               // line breaks within base64
	f.Add(byte(wamp.CBOR), append([]byte{0x92}, bytes.Repeat([]byte{0x40}, 18)...)) // what grows most: 1 byte to 9
	f.Fuzz(func(t *testing.T, format byte, data []byte) {
		from := wamp.Format(format)
		if from < wamp.JSON || from > wamp.CBOR {
			return
		}
		var c cursor
		c.reset(from, data)
		c.skip(0)
		passed := c.end("value")
		got, err := tokens(from, data)
		if passed != (err == nil) && !(passed && errors.Is(err, ErrTranscode)) {
			t.Fatalf("%s %q: passed over: %v, read: %s, %v", from, data, c.err, got, err)
		}
		if passed && from == wamp.JSON && !json.Valid(data) {
			t.Fatalf("%q is accepted as JSON", data)
		}
		for to := wamp.JSON; to <= wamp.CBOR; to++ {
			there, err := transcode(nil, to, from, data)
			if err != nil {
				continue
			}
			if !passed {
				t.Fatalf("%s %q is malformed, but was transcoded", from, data)
			}
			if len(there) > 9*len(data)+8 {
				t.Fatalf("%d bytes became %d", len(data), len(there))
			}
			if to == wamp.JSON && !json.Valid(there) {
				t.Fatalf("%s %q became %q", from, data, there)
			}
			if d := msgpack.NewDecoder(bytes.NewReader(there)); to == wamp.MessagePack && (d.Skip() != nil || d.Buffered().(*bytes.Reader).Len() != 0) {
				t.Fatalf("%s %q became %q", from, data, there)
			}
			back, err := transcode(nil, from, to, there)
			if err != nil {
				t.Fatalf("%s %q became %s %q: %v", from, data, to, there, err)
			}
			again, err := transcode(nil, to, from, back)
			if err != nil || !bytes.Equal(there, again) {
				t.Fatalf("%s %q became %s %q, then %q (%v)", from, data, to, there, again, err)
			}
		}
	})
}
