package codec_test

import (
	"errors"
	"reflect"
	"testing"

	"usher/router/codec"
	"usher/router/wamp"
)

// A string that is not UTF-8, such as an operating system's error text, must not
// make the receiver refuse the message.
func TestAppendReplacesWhatIsNotUTF8(t *testing.T) {
	for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		for _, c := range []struct{ m, want wamp.Message }{
			{&wamp.Abort{Reason: "a\xffb", Message: "x\xff\xfey\x00\u2028"}, &wamp.Abort{Reason: "a\ufffdb", Message: "x\ufffdy\x00\u2028"}},
			{&wamp.Welcome{Session: 1, Authid: "\xed\xa0\x80", Agent: "ä"}, &wamp.Welcome{Session: 1, Authid: "\ufffd", Agent: "ä"}},
			{&wamp.Challenge{Method: "\xc3", Extra: wamp.Value{Format: f, Bytes: empty(f)}}, &wamp.Challenge{Method: "\ufffd", Extra: wamp.Value{Format: f, Bytes: empty(f)}}},
		} {
			data, err := codec.Append(nil, f, c.m)
			if err != nil {
				t.Fatal(err)
			}
			var d codec.Decoder
			if got, err := d.Decode(f, data); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %+v became %+v, %v", f, c.m, got, err)
			}
		}
		data, err := codec.Append(nil, f, &wamp.Error{RequestType: wamp.TypeCall, Request: 1, URI: "a.b", Payload: codec.TextPayload("x\xff \"\n")})
		if err != nil {
			t.Fatal(err)
		}
		var d codec.Decoder
		m, err := d.Decode(f, data)
		if err != nil {
			t.Fatal(err)
		}
		var args []any
		if err := codec.Unmarshal(f, m.(*wamp.Error).Payload.Args, &args); err != nil || len(args) != 1 || args[0] != "x\ufffd \"\n" {
			t.Errorf("%s: the text became %q, %v", f, args, err)
		}
	}
}

// empty is {} in f.
func empty(f wamp.Format) []byte {
	return map[wamp.Format][]byte{wamp.JSON: []byte("{}"), wamp.MessagePack: {0x80}, wamp.CBOR: {0xa0}}[f]
}

func TestAppendRefuses(t *testing.T) {
	call := &wamp.Call{Request: 1, Procedure: "a", Payload: wamp.Payload{Format: wamp.MessagePack, Args: []byte("\x91\xd6\xff\x00\x00\x00\x00")}}
	cases := []struct {
		name      string
		f         wamp.Format
		m         wamp.Message
		want      string
		transcode bool
	}{
		{"no format", 0, call, "encode a message: there is no format to encode in", false},
		{"no message", wamp.JSON, nil, "encode a message: it is of no type known here", false},
		{"an extension, to JSON", wamp.JSON, call, "encode a message: an extension has no form in other formats (offset 1)", true},
		{"an extension, to CBOR", wamp.CBOR, call, "encode a message: an extension has no form in other formats (offset 1)", true},
		{"a payload without format", wamp.JSON, &wamp.Call{Request: 1, Procedure: "a", Payload: wamp.Payload{Args: []byte("[]")}}, "encode a message: the data has no format (offset 0)", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dst, err := codec.Append([]byte("before"), c.f, c.m)
			if err == nil || err.Error() != c.want {
				t.Errorf("%v\nwant: %s", err, c.want)
			}
			if errors.Is(err, codec.ErrTranscode) != c.transcode {
				t.Errorf("errors.Is(%q, ErrTranscode) is not %v", err, c.transcode)
			}
			if string(dst) != "before" {
				t.Errorf("what was written before became %q", dst)
			}
		})
	}
	if dst, err := codec.AppendValue([]byte("before"), 0, wamp.Value{}); err == nil || string(dst) != "before" {
		t.Errorf("AppendValue without a format: %q, %v", dst, err)
	}
	for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		if b, err := codec.AppendValue(nil, f, wamp.Value{}); err != nil || string(b) != string(empty(f)) {
			t.Errorf("%s: an absent value is %q, %v", f, b, err)
		}
	}
}
