package transport

import (
	"bytes"
	"encoding/binary"
	"errors"

	"usher/router/wamp"
)

// The separators of json.batched: that of the specification, and the one that
// Autobahn|Python reads and writes because it takes the specification's "\30" for
// an octal number.
const (
	separator       = 0x1e
	separatorPython = 0x18
)

// errBatch is what nextMessage says of a batch that breaks its framing.
var errBatch = errors.New("malformed batch")

// nextMessage cuts the first message off a batch that is not empty. For JSON sep
// is the separator that ended it.
func nextMessage(f wamp.Format, batch []byte) (message, rest []byte, sep byte, err error) {
	if f == wamp.JSON {
		// Neither octet may stand inside a JSON text, so whichever comes first ends it.
		i := bytes.IndexByte(batch, separator)
		if i < 0 {
			i = len(batch)
		}
		if j := bytes.IndexByte(batch[:i], separatorPython); j >= 0 {
			i = j
		}
		if i == 0 || i == len(batch) {
			return nil, nil, 0, errBatch
		}
		return batch[:i], batch[i+1:], batch[i], nil
	}
	if len(batch) < 4 {
		return nil, nil, 0, errBatch
	}
	n := binary.BigEndian.Uint32(batch)
	if n == 0 || uint64(n) > uint64(len(batch)-4) {
		return nil, nil, 0, errBatch
	}
	return batch[4 : 4+n], batch[4+n:], 0, nil
}
