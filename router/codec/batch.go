package codec

import (
	"bytes"
	"encoding/binary"

	"usher/router/wamp"
)

// The separators of wamp.2.json.batched: the specification's, and the one that
// Autobahn|Python writes and expects.
const (
	SeparatorJSON     = 0x1e
	SeparatorAutobahn = 0x18
)

// SplitBatch takes the first message off a batch. sep is the separator that stood
// behind it in JSON, else 0. An error is an *Error.
func SplitBatch(f wamp.Format, data []byte) (message, rest []byte, sep byte, err error) {
	if f == wamp.JSON {
		i := bytes.IndexFunc(data, func(r rune) bool { return r == SeparatorJSON || r == SeparatorAutobahn })
		if i < 0 {
			return nil, nil, 0, &Error{Offset: len(data), Message: "a batch must end with a separator"}
		}
		return data[:i], data[i+1:], data[i], nil
	}
	if len(data) < 4 {
		return nil, nil, 0, &Error{Offset: 0, Message: "a batch ends in the middle of a length"}
	}
	n := uint64(binary.BigEndian.Uint32(data))
	if n > uint64(len(data)-4) {
		return nil, nil, 0, &Error{Offset: 0, Message: "a length in a batch is larger than the batch"}
	}
	return data[4 : 4+n], data[4+n:], 0, nil
}
