package wamp

// Format is the serialization of encoded values. The zero Format stands for
// "nothing encoded".
type Format uint8

// The formats of the specification that usher speaks.
const (
	JSON Format = 1 + iota
	MessagePack
	CBOR
)

// Formats is how many formats there are; a Format is an index below Formats+1.
const Formats = 3

// String returns the name as it stands in a subprotocol: json, msgpack, cbor.
func (f Format) String() string {
	switch f {
	case JSON:
		return "json"
	case MessagePack:
		return "msgpack"
	case CBOR:
		return "cbor"
	}
	return "none"
}

// Payload is the application's part of a message as it came over the wire. The
// router hands it on without looking inside; only a receiver of another format
// makes it transcode (package codec).
//
// The bytes may be borrowed from a read buffer: whoever keeps a Payload beyond
// the call that it came with must Clone it.
type Payload struct {
	Format Format
	Args   []byte // one encoded list; nil if absent. Binary data where Passthru.IsOpaque
	Kwargs []byte // one encoded dict; nil if absent
}

// Clone returns a copy that owns its bytes.
func (p Payload) Clone() Payload {
	if len(p.Args)+len(p.Kwargs) == 0 {
		return p
	}
	b := make([]byte, 0, len(p.Args)+len(p.Kwargs))
	b = append(append(b, p.Args...), p.Kwargs...)
	c := Payload{Format: p.Format}
	n := len(p.Args)
	if p.Args != nil {
		c.Args = b[:n:n]
	}
	if p.Kwargs != nil {
		c.Kwargs = b[n:]
	}
	return c
}

// Size is the number of encoded bytes.
func (p Payload) Size() int { return len(p.Args) + len(p.Kwargs) }

// Value is one encoded value of any type, such as an authextra. The zero Value
// is absent. It is borrowed like a Payload.
type Value struct {
	Format Format
	Bytes  []byte
}

// Clone returns a copy that owns its bytes.
func (v Value) Clone() Value {
	return Value{Format: v.Format, Bytes: append([]byte(nil), v.Bytes...)}
}

// Absent reports whether there is no value.
func (v Value) Absent() bool { return len(v.Bytes) == 0 }
