package codec

import (
	"bytes"
	"testing"

	"usher/router/wamp"
)

// TestRaw: what is taken out of a list or dict undecoded and put into another is
// the same value, and what stands behind it is read as if it had been decoded.
func TestRaw(t *testing.T) {
	type (
		list = []any
		dict = map[string]any
	)
	value := list{"text", int64(-7), list{}, dict{}, list{list{int64(1), dict{"k": list{true}}}, nil},
		dict{"a": "b", "c": dict{"d": 1.5}}, []byte{0, 1}, int64(1) << 40}
	for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		data, err := Marshal(f, value)
		if err != nil {
			t.Fatal(err)
		}
		copyRaw(t, f, data)
	}
	copyRaw(t, wamp.JSON, []byte(" [ 1 , [ 2 , { \"a\" : [ ] } ] , \"x\" , { } , null ] "))
	copyRaw(t, wamp.CBOR, []byte("\x9f\x01\x9f\x02\xff\xbf\x61a\x01\xff\xc1\x1a\x00\x01\x02\x03\xff"))
}

// copyRaw copies a list by its elements, and returns the copy.
func copyRaw(t *testing.T, f wamp.Format, data []byte) {
	t.Helper()
	var r Reader
	r.Reset(f, data)
	if k := r.Next(); k != KindList {
		t.Fatalf("%q begins with %s", data, k)
	}
	var w Writer
	w.Reset(f, nil)
	w.BeginList()
	for k := r.Next(); k != KindEnd; k = r.Next() {
		raw := r.Raw(k)
		if k == KindInvalid || r.Err() != nil {
			t.Fatalf("%q: %v", data, r.Err())
		}
		w.Raw(raw)
	}
	w.End()
	if k := r.Next(); k != KindEnd {
		t.Fatalf("%q ends with %s: %v", data, k, r.Err())
	}
	want, err := AppendValue(nil, wamp.JSON, wamp.Value{Format: f, Bytes: data})
	if err != nil {
		t.Fatal(err)
	}
	got, err := AppendValue(nil, wamp.JSON, wamp.Value{Format: f, Bytes: w.Buffer()})
	if err != nil {
		t.Fatalf("%q became %q: %v", data, w.Buffer(), err)
	}
	if compact(want) != compact(got) {
		t.Errorf("%q became %q", want, got)
	}
}

func compact(b []byte) string { return string(bytes.ReplaceAll(b, []byte(" "), nil)) }

// TestRawOfDictAndErrors: values of a dict, and what is broken within.
func TestRawOfDictAndErrors(t *testing.T) {
	var r Reader
	r.Reset(wamp.JSON, []byte(`{"a":[1,{"b":2}],"c":3}`))
	r.Next()
	r.Next()
	if k := r.Next(); k != KindList || string(r.Raw(k)) != `[1,{"b":2}]` {
		t.Errorf("the first value is not as it is written: %v", r.Err())
	}
	if k := r.Next(); k != KindString || string(r.Bytes()) != "c" {
		t.Errorf("behind it comes %s %q", k, r.Bytes())
	}
	for f, data := range map[wamp.Format]string{wamp.JSON: `[[1,}]`, wamp.MessagePack: "\x91\x92\x01", wamp.CBOR: "\x81\x82\x01"} {
		r.Reset(f, []byte(data))
		r.Next()
		if raw := r.Raw(r.Next()); raw != nil || r.Err() == nil {
			t.Errorf("%s: got %q of a broken list", f, raw)
		}
		if k := r.Next(); k != KindInvalid {
			t.Errorf("%s: %s comes behind an error", f, k)
		}
	}
}

// FuzzRaw: passing over a value finds fault with the same data as reading it,
// but for what has no form in other formats.
func FuzzRaw(f *testing.F) {
	f.Add(uint8(wamp.JSON), []byte(`[1,[2,{"a":"b"}],"x"]`))
	f.Add(uint8(wamp.MessagePack), []byte("\x93\x01\x92\x02\x81\xa1a\xa1b\xa1x"))
	f.Add(uint8(wamp.CBOR), []byte("\x83\x01\x82\x02\xa1\x61a\x61b\x61x"))
	f.Fuzz(func(t *testing.T, format uint8, data []byte) {
		var read, passed Reader
		fm := wamp.Format(format%wamp.Formats + 1)
		read.Reset(fm, data)
		passed.Reset(fm, data)
		if k := passed.Next(); k != KindList {
			return
		}
		for k := passed.Next(); k != KindEnd && k != KindInvalid; k = passed.Next() {
			passed.Raw(k)
		}
		if passed.Err() == nil {
			passed.Next()
		}
		if k := read.Next(); k != KindList {
			t.Fatalf("read %s", k)
		}
		for depth := 1; depth > 0; {
			switch read.Next() {
			case KindList, KindDict:
				depth++
			case KindEnd:
				depth--
			case KindInvalid:
				depth = 0
			}
		}
		if read.Err() == nil {
			read.Next()
			if passed.Err() != nil && read.Err() == nil {
				t.Errorf("%q: passing over it fails: %v", data, passed.Err())
			}
		}
	})
}
