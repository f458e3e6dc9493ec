package codec

import (
	"testing"

	"usher/router/wamp"
)

func TestRoundTrip(t *testing.T) {
	for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		args, err := Marshal(f, []any{1, "x", -5, 1.5, nil, true, []any{}, map[string]any{"a": 1, "b": []byte("hi")}})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []wamp.Message{
			&wamp.Call{Request: 1, Procedure: "com.x", Payload: wamp.Payload{Format: f, Args: args}},
			&wamp.Hello{Realm: "r", Authmethods: []string{"ticket"}, HasAuthmethods: true, Authid: "joe", Roles: wamp.Roles{Caller: wamp.RoleFeatures{Present: true, Features: 5}, Callee: wamp.RoleFeatures{Present: true}}},
			&wamp.Welcome{Session: 5, Realm: "r", Roles: wamp.Roles{Broker: wamp.RoleFeatures{Present: true, Features: 1 << 9}}},
			&wamp.Error{RequestType: 48, Request: 3, URI: "a.b", Payload: TextPayload("hällo \"x\"")},
		} {
			for _, g := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
				b, err := Append(nil, g, m)
				if err != nil {
					t.Fatal(err)
				}
				var d Decoder
				n, err := d.Decode(g, b)
				if err != nil {
					t.Fatalf("%s %s: %v\n%q", f, g, err, b)
				}
				if g == wamp.JSON {
					t.Logf("%s", b)
				}
				back, err := Append(nil, g, n)
				if err != nil || string(back) != string(b) {
					t.Fatalf("%s: %q\n%q", g, b, back)
				}
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		m, _ := Append(nil, f, &wamp.Call{Request: 1, Procedure: "bench.echo", Payload: TextPayload("xxxxxxxxxxxxxxxxxxxx")})
		b.Run(f.String(), func(b *testing.B) {
			b.ReportAllocs()
			var d Decoder
			var out []byte
			for b.Loop() {
				n, _ := d.Decode(f, m)
				c := n.(*wamp.Call)
				out, _ = Append(out[:0], f, &wamp.Invocation{Request: 5, Registration: 1, Payload: c.Payload})
			}
		})
	}
}
