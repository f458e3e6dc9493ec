package codec_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"usher/router/codec"
	"usher/router/wamp"
)

// TestVectors holds the codec against messages that other libraries have encoded
// (testdata/vectors.json): each form is read, written again byte for byte, and
// transcoded into each other form.
func TestVectors(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Name, JSON, Msgpack, CBOR string }
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 40 {
		t.Fatalf("there are %d vectors only", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			forms := map[wamp.Format][]byte{wamp.JSON: []byte(v.JSON), wamp.MessagePack: unhex(t, v.Msgpack), wamp.CBOR: unhex(t, v.CBOR)}
			for from, form := range forms {
				var d codec.Decoder
				m, err := d.Decode(from, form)
				if err != nil {
					t.Fatalf("%s: %v", from, err)
				}
				for to, want := range forms {
					got, err := codec.Append(nil, to, m)
					if err != nil {
						t.Fatalf("%s to %s: %v", from, to, err)
					}
					if string(got) != string(want) {
						t.Errorf("%s to %s:\ngot  %q\nwant %q", from, to, got, want)
					}
				}
			}
		})
	}
}
