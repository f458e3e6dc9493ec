package wamp_test

import (
	"bytes"
	"testing"

	"usher/router/wamp"
)

func TestIDValid(t *testing.T) {
	for id, want := range map[wamp.ID]bool{0: false, 1: true, 1 << 53: true, 1<<53 + 1: false, 1<<64 - 1: false} {
		if got := id.Valid(); got != want {
			t.Errorf("ID(%d).Valid() = %v, want %v", id, got, want)
		}
	}
}

// Ids lie in the range and use all of it: among 2,000, one in the lower and one
// in the upper half, and no two alike.
func TestRandomID(t *testing.T) {
	seen := map[wamp.ID]bool{}
	low, high := false, false
	for range 2000 {
		id := wamp.RandomID()
		if !id.Valid() {
			t.Fatalf("RandomID() = %d, which is out of range", id)
		}
		if seen[id] {
			t.Fatalf("RandomID() gave %d twice", id)
		}
		seen[id] = true
		low, high = low || id <= wamp.MaxID/2, high || id > wamp.MaxID/2
	}
	if !low || !high {
		t.Errorf("of 2,000 ids none is in one half: low %v, high %v", low, high)
	}
}

func TestBoolOr(t *testing.T) {
	cases := []struct {
		b             wamp.Bool
		or, otherwise bool
	}{
		{wamp.Unset, true, false},
		{wamp.False, false, false},
		{wamp.True, true, true},
	}
	for _, c := range cases {
		if got := c.b.Or(true); got != c.or {
			t.Errorf("Bool(%d).Or(true) = %v", c.b, got)
		}
		if got := c.b.Or(false); got != c.otherwise {
			t.Errorf("Bool(%d).Or(false) = %v", c.b, got)
		}
	}
}

// A clone keeps its bytes when the original's buffer is used again, absent parts
// stay absent, and growing one part does not overwrite the other.
func TestPayloadClone(t *testing.T) {
	for _, p := range []wamp.Payload{
		{},
		{Format: wamp.JSON},
		{Format: wamp.JSON, Args: []byte("[1]")},
		{Format: wamp.CBOR, Kwargs: []byte{0xa0}},
		{Format: wamp.JSON, Args: []byte("[1]"), Kwargs: []byte(`{"a":2}`)},
	} {
		args, kwargs := string(p.Args), string(p.Kwargs)
		c := p.Clone()
		if c.Format != p.Format || (c.Args == nil) != (p.Args == nil) || (c.Kwargs == nil) != (p.Kwargs == nil) {
			t.Errorf("Clone of %+v = %+v", p, c)
		}
		if c.Size() != len(args)+len(kwargs) {
			t.Errorf("Clone of %+v has size %d", p, c.Size())
		}
		clear(p.Args)
		clear(p.Kwargs)
		_ = append(c.Args, "overwritten"...)
		if string(c.Args) != args || string(c.Kwargs) != kwargs {
			t.Errorf("Clone changed with its original: %+v, want %q, %q", c, args, kwargs)
		}
	}
}

func TestValueClone(t *testing.T) {
	if c := (wamp.Value{}).Clone(); !c.Absent() {
		t.Errorf("Clone of an absent value = %+v", c)
	}
	v := wamp.Value{Format: wamp.MessagePack, Bytes: []byte{0x80}}
	c := v.Clone()
	clear(v.Bytes)
	if c.Absent() || c.Format != wamp.MessagePack || !bytes.Equal(c.Bytes, []byte{0x80}) {
		t.Errorf("Clone = %+v", c)
	}
}

func TestFormatString(t *testing.T) {
	for f, want := range map[wamp.Format]string{0: "none", wamp.JSON: "json", wamp.MessagePack: "msgpack", wamp.CBOR: "cbor"} {
		if got := f.String(); got != want {
			t.Errorf("Format(%d).String() = %q, want %q", f, got, want)
		}
	}
}

// Each bit has one name of its own.
func TestFeatureNames(t *testing.T) {
	names := wamp.FeatureNames()
	if last := wamp.FeatureCallReroute; last != 1<<(len(names)-1) {
		t.Fatalf("the last feature is bit %b, but there are %d names", last, len(names))
	}
	seen := map[string]bool{}
	for _, n := range names {
		if n == "" || seen[n] {
			t.Errorf("the name %q is empty or there twice", n)
		}
		seen[n] = true
	}
	for f, want := range map[int]string{0: "caller_identification", 9: "publisher_identification", 12: "pattern_based_subscription", 17: "session_meta_api"} {
		if names[f] != want {
			t.Errorf("bit %d is %q, want %q", f, names[f], want)
		}
	}
}
