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

// Each feature has one name of its own, from which it is found again.
func TestFeatures(t *testing.T) {
	n := 0
	for f := wamp.Features(1); f.Name() != ""; f <<= 1 {
		n++
		if got := wamp.ParseFeature(f.Name()); got != f {
			t.Errorf("ParseFeature(%q) = %b, want %b", f.Name(), got, f)
		}
	}
	if n != 23 {
		t.Errorf("%d features have names, want 23", n)
	}
	for name, want := range map[string]wamp.Features{
		"caller_identification": wamp.FeatureCallerIdentification, "publisher_exclusion": wamp.FeaturePublisherExclusion,
		"session_meta_api": wamp.FeatureSessionMetaAPI, "call_cancelling": wamp.FeatureCallCanceling, "": 0, "Call_timeout": 0, "unknown": 0,
	} {
		if got := wamp.ParseFeature(name); got != want {
			t.Errorf("ParseFeature(%q) = %b, want %b", name, got, want)
		}
	}
	if got := (wamp.FeatureCallTimeout | wamp.FeatureCallReroute).Name(); got != "" {
		t.Errorf("two features have the name %q", got)
	}
}
