package codec

import (
	"strings"
	"testing"

	"usher/router/wamp"
)

// Strings of a message outlive it, whatever comes after: other formats, other
// strings in their places, and other bytes in the read buffer.
func TestStringsMayBeKept(t *testing.T) {
	var d Decoder
	wire := []byte(`[48,7,{},"com.example.first"]`)
	m, err := d.Decode(wamp.JSON, wire)
	if err != nil {
		t.Fatal(err)
	}
	kept := m.(*wamp.Call).Procedure
	clear(wire)
	for i := range 5000 {
		uri := "com.example." + string(rune('a'+i%26)) + strings.Repeat("x", i%200)
		next, err := Append(nil, wamp.MessagePack, &wamp.Call{Request: 1, Procedure: uri})
		if err != nil {
			t.Fatal(err)
		}
		if m, err = d.Decode(wamp.MessagePack, next); err != nil || m.(*wamp.Call).Procedure != uri {
			t.Fatalf("%q was decoded as %+v (%v)", uri, m, err)
		}
	}
	if kept != "com.example.first" {
		t.Errorf("the procedure became %q", kept)
	}
}
