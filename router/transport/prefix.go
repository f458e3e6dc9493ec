package transport

import (
	"encoding/binary"
	"math/bits"
)

// prefixSize is the size of what goes before each payload of a RawSocket.
const prefixSize = 4

// The types of RawSocket frames.
const (
	rawMessage = 0
	rawPing    = 1
	rawPong    = 2
)

// The bounds of a message on a RawSocket: what a handshake can express.
const (
	minRawMessage = 1 << 9
	maxRawMessage = 1 << 24
)

// putPrefix writes the prefix of a frame with n bytes of payload to b. Of a length
// of 2^24 the highest bit falls just above the 24 of the others: into the first
// byte, where it belongs.
func putPrefix(b []byte, kind byte, n int) {
	binary.BigEndian.PutUint32(b, uint32(kind)<<24|uint32(n&(maxRawMessage-1))|uint32(n>>24)<<27)
}

// appendPrefix is putPrefix at the end of dst.
func appendPrefix(dst []byte, kind byte, n int) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	putPrefix(dst[start:], kind, n)
	return dst
}

// parsePrefix reads a prefix; false: it breaks the protocol, whatever its type.
func parsePrefix(b []byte) (kind byte, n int, ok bool) {
	p := binary.BigEndian.Uint32(b)
	kind, n = byte(p>>24)&7, int(p&(maxRawMessage-1))
	if p>>27&1 != 0 {
		return kind, maxRawMessage, p>>28 == 0 && n == 0
	}
	return kind, n, p>>28 == 0
}

// lengthExponent is the LENGTH of a handshake for messages of n bytes, rounded
// down where it has to be.
func lengthExponent(n int) byte {
	n = min(max(n, minRawMessage), maxRawMessage)
	return byte(bits.Len(uint(n)) - 10)
}

// exponentLength is what a LENGTH of a handshake means, in bytes.
func exponentLength(l byte) int { return minRawMessage << l }
