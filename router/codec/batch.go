package codec

import (
	"bytes"
	"encoding/binary"

	"usher/router/wamp"
)

// The separators of wamp.2.json.batched: that of the specification, and the one
// that Autobahn|Python reads and writes, because it takes the specification's
// "\30" for an octal number. Neither octet can stand inside JSON.
const (
	SeparatorJSON     = 0x1e
	SeparatorAutobahn = 0x18
)

// SplitBatch takes the first message off a batch that is not empty
// (specification: "Message Batching"). sep is the separator that stood behind it
// in JSON, else 0. An error is an *Error.
func SplitBatch(f wamp.Format, data []byte) (message, rest []byte, sep byte, err error) {
	if f == wamp.JSON {
		switch i := separator(data); i {
		case len(data):
			return nil, nil, 0, &Error{Offset: i, Message: "a batch must end with a separator"}
		case 0:
			return nil, nil, 0, &Error{Message: "a message in a batch is empty"}
		default:
			return data[:i], data[i+1:], data[i], nil
		}
	}
	if len(data) < 4 {
		return nil, nil, 0, &Error{Message: "a batch ends in the middle of a length"}
	}
	switch n := uint64(binary.BigEndian.Uint32(data)); {
	case n == 0:
		return nil, nil, 0, &Error{Message: "a message in a batch is empty"}
	case n > uint64(len(data)-4):
		return nil, nil, 0, &Error{Message: "a length in a batch is larger than the batch"}
	default:
		return data[4 : 4+n], data[4+n:], 0, nil
	}
}

// separator returns the index of the first separator, or len(data). It looks
// for both in one stretch after the other: the one that a batch does not have
// would otherwise be looked for in the whole rest of it for each message.
func separator(data []byte) int {
	const stretch = 512
	for start := 0; start < len(data); start += stretch {
		part := data[start:min(start+stretch, len(data))]
		i := bytes.IndexByte(part, SeparatorJSON)
		if i < 0 {
			i = len(part)
		}
		if j := bytes.IndexByte(part[:i], SeparatorAutobahn); j >= 0 {
			i = j
		}
		if i < len(part) {
			return start + i
		}
	}
	return len(data)
}
