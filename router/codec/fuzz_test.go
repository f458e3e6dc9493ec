package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/vmihailenco/msgpack/v5"

	"usher/router/wamp"
)

// wellFormed asks the usual library of a format.
func wellFormed(f wamp.Format, data []byte) bool {
	switch f {
	case wamp.JSON:
		return json.Valid(data)
	case wamp.MessagePack:
		r := bytes.NewReader(data)
		return msgpack.NewDecoder(r).Skip() == nil && r.Len() == 0
	}
	mode, err := cbor.DecOptions{MaxNestedLevels: 1024, MaxArrayElements: 1 << 30, MaxMapPairs: 1 << 30}.DecMode()
	return err == nil && mode.Wellformed(data) == nil
}

// FuzzDecode holds for any data: Decode does not panic, and its errors lie within
// the data. What it accepts is well-formed by the usual library; what is encoded
// from that is decoded to the same, in each format that can hold it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`[1,"realm1",{"roles":{"caller":{"features":{"caller_identification":true}}},"authmethods":["ticket"],"authid":"joe","authextra":{"k":[1.5]}}]`,
		`[2,9007199254740992,{"realm":"r","authextra":{},"roles":{"broker":{},"dealer":{}}}]`,
		`[3,{"message":"no"},"wamp.error.no_such_realm"]`, `[4,"ticket",{}]`, `[5,"secret",null]`, `[6,{},"wamp.close.normal"]`,
		`[8,48,7,{},"a.b",["x"],{"y":-1}]`, `[16,1,{"acknowledge":true,"exclude_me":false},"a.b",[1.0]]`, `[17,1,2]`,
		`[32,1,{"match":"wildcard"},"a..b"]`, `[33,1,2]`, `[34,1,2]`, `[35,1]`, `[36,1,2,{"publisher":3,"topic":"a"},[null]]`,
		`[48,1.0,{"disclose_me":null,"x":[{}]},"a",null,{"k":"\u00e9\ud83d\ude00\n"}]`, `[49,1,{}]`, `[50,1,{},["\u0000AQI="]]`,
		`[64,1,{"invoke":"single"},"a"]`, `[65,1,2]`, `[66,1,2]`, `[67,1]`, `[68,1,2,{"caller":3},[18446744073709551615,-9223372036854775808]]`, `[70,1,{},[]]`,
	} {
		f.Add(byte(wamp.JSON), []byte(seed))
		for _, to := range []wamp.Format{wamp.MessagePack, wamp.CBOR} {
			data, err := transcode(nil, to, wamp.JSON, []byte(seed))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(to), data)
		}
	}
	f.Add(byte(wamp.MessagePack), []byte("\x95\x30\x01\x81\xaddisclose_meee\xd4\x00\x00\xa1a\x91\xd6\xff\x00\x00\x00\x00"))
	f.Add(byte(wamp.MessagePack), []byte("\x93C\x00\x80"))
	f.Add(byte(wamp.CBOR), []byte("\x9f\x18\x30\xf9\x3c\x00\xbf\x61a\xf7\xff\x7f\x61a\xff\x9f\xc2\x41\x01\xff\xff"))
	f.Add(byte(wamp.JSON), []byte(`[50,1,{"ppt_scheme":"wamp","ppt_keyid":"k","ppt_scheme":""}]`))
	f.Fuzz(func(t *testing.T, format byte, data []byte) { survives(t, wamp.Format(format), data) })
}

// survives decodes a message and checks what FuzzDecode says of it. It is nil if the
// message is refused.
func survives(t *testing.T, from wamp.Format, data []byte) wamp.Message {
	var d Decoder
	m, err := d.Decode(from, data)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(data) || e.Message == "" {
			t.Fatalf("%#v for %d bytes", err, len(data))
		}
		return nil
	}
	if !wellFormed(from, data) {
		t.Fatalf("%s %q is accepted", from, data)
	}
	for to := wamp.JSON; to <= wamp.CBOR; to++ {
		once, err := Append(nil, to, m)
		if err != nil {
			if to == from || !errors.Is(err, ErrTranscode) {
				t.Fatalf("%s %q to %s: %v", from, data, to, err)
			}
			continue
		}
		if !wellFormed(to, once) {
			t.Fatalf("%s %q became %s %q", from, data, to, once)
		}
		var other Decoder
		n, err := other.Decode(to, once)
		if err != nil {
			t.Fatalf("%s %q became %s %q: %v", from, data, to, once, err)
		}
		twice, err := Append(nil, to, n)
		if err != nil || !bytes.Equal(once, twice) || n.Type() != m.Type() {
			t.Fatalf("%s %q became %s %q, then %q (%v)", from, data, to, once, twice, err)
		}
	}
	return m
}

// FuzzSplitBatch holds for any data: the messages lie in the batch one behind the
// other, none is empty, and what is split off makes the rest shorter.
func FuzzSplitBatch(f *testing.F) {
	f.Add(byte(wamp.JSON), []byte("[1]\x1e[2]\x18"))
	f.Add(byte(wamp.JSON), []byte("[1]"))
	f.Add(byte(wamp.MessagePack), []byte("\x00\x00\x00\x02\x91\x01\x00\x00\x00\x01\x90"))
	f.Add(byte(wamp.CBOR), []byte("\xff\xff\xff\xff\x80"))
	f.Fuzz(func(t *testing.T, format byte, data []byte) {
		for len(data) > 0 {
			message, rest, sep, err := SplitBatch(wamp.Format(format), data)
			if err != nil {
				return
			}
			start, end := 4, 0
			if wamp.Format(format) == wamp.JSON {
				start, end = 0, 1
				if at := len(message); data[at] != sep || bytes.ContainsAny(message, "\x1e\x18") {
					t.Fatalf("%q was split off %q by %q", message, data, sep)
				}
			}
			n := start + len(message)
			if len(message) == 0 || !bytes.Equal(message, data[start:n]) || !bytes.Equal(rest, data[n+end:]) {
				t.Fatalf("%q was split into %q and %q", data, message, rest)
			}
			data = rest
		}
	})
}
