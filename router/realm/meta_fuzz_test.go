package realm

import (
	"testing"

	"usher/router/codec"
	"usher/router/wamp"
)

// FuzzMetaArguments: whatever a meta procedure is called with, it is read or
// refused with a URI that says so, and what was copied of it is well-formed.
func FuzzMetaArguments(f *testing.F) {
	f.Add(uint8(wamp.JSON), []byte(`[7,"a",["b"],{"match":"prefix","x":[{}]}]`), []byte(`{"reason":"a.b","other":{}}`))
	f.Add(uint8(wamp.MessagePack), []byte{0x92, 0xcb, 0x40, 0, 0, 0, 0, 0, 0, 0, 0xa1, 'a'}, []byte{0x80})
	f.Add(uint8(wamp.CBOR), []byte{0x82, 0xfb, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x61, 'a'}, []byte{0xa0})
	f.Fuzz(func(t *testing.T, format uint8, args, kwargs []byte) {
		p := wamp.Payload{Format: wamp.Format(format%wamp.Formats) + 1, Args: args, Kwargs: kwargs}
		for _, read := range []func(*arguments){
			func(a *arguments) { a.id("id") },
			func(a *arguments) { a.text("text") },
			func(a *arguments) { a.texts("texts") },
			func(a *arguments) { a.match("options") },
			func(a *arguments) { a.option("reason") },
			func(a *arguments) { a.keyword("reason") },
			func(a *arguments) { a.more() },
			func(a *arguments) {
				a.dict("dict", func(key string, r *codec.Reader, kind codec.Kind) {
					var w codec.Writer
					w.Reset(keptFormat, nil)
					if codec.Copy(&w, r, kind) != nil {
						a.fail(wamp.ErrInvalidArgument, "%s", key)
						return
					}
					for _, to := range []wamp.Format{wamp.MessagePack, wamp.CBOR} {
						if _, err := codec.AppendValue(nil, to, wamp.Value{Format: keptFormat, Bytes: w.Buffer()}); err != nil {
							t.Errorf("%x: %v", w.Buffer(), err)
						}
					}
				})
			},
		} {
			var a arguments
			a.begin(p)
			for range 4 {
				read(&a)
			}
			if e := a.end(); e != nil && e.URI != wamp.ErrInvalidArgument {
				t.Errorf("got %v", e)
			}
		}
	})
}
