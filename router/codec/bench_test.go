package codec

import (
	"fmt"
	"strings"
	"testing"

	"usher/router/wamp"
)

// benchPayload is about size bytes in f: one string, or many small values.
func benchPayload(b *testing.B, f wamp.Format, size int, structured bool) wamp.Payload {
	args := []any{strings.Repeat("x", size)}
	if structured {
		args = nil
		for i := 0; i*64 < size; i++ {
			args = append(args, map[string]any{"id": i, "name": "somebody", "value": 2.5, "tags": []any{"a", "b", true, nil}})
		}
	}
	encoded, err := Marshal(f, args)
	if err != nil {
		b.Fatal(err)
	}
	return wamp.Payload{Format: f, Args: encoded}
}

// eachPayload runs a benchmark for each size and kind of payload in each format.
func eachPayload(b *testing.B, run func(b *testing.B, f wamp.Format, p wamp.Payload)) {
	for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		for _, size := range []int{16, 128, 4096} {
			for _, kind := range []string{"text", "values"} {
				p := benchPayload(b, f, size, kind == "values")
				b.Run(fmt.Sprintf("%s/%d/%s", f, size, kind), func(b *testing.B) {
					b.ReportAllocs()
					b.SetBytes(int64(p.Size()))
					run(b, f, p)
				})
			}
		}
	}
}

func BenchmarkDecodeCall(b *testing.B) {
	eachPayload(b, func(b *testing.B, f wamp.Format, p wamp.Payload) {
		data, err := Append(nil, f, &wamp.Call{Request: 123456, Procedure: "com.example.procedure", Payload: p})
		if err != nil {
			b.Fatal(err)
		}
		var d Decoder
		for b.Loop() {
			if _, err := d.Decode(f, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendInvocation(b *testing.B) {
	eachPayload(b, func(b *testing.B, f wamp.Format, p wamp.Payload) {
		m := &wamp.Invocation{Request: 123456, Registration: 7, Payload: p}
		dst := make([]byte, 0, 16<<10)
		for b.Loop() {
			if _, err := Append(dst, f, m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkTranscode is AppendInvocation for a callee of the next format.
func BenchmarkTranscode(b *testing.B) {
	eachPayload(b, func(b *testing.B, f wamp.Format, p wamp.Payload) {
		m := &wamp.Invocation{Request: 123456, Registration: 7, Payload: p}
		dst := make([]byte, 0, 16<<10)
		for b.Loop() {
			if _, err := Append(dst, f%wamp.Formats+1, m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
