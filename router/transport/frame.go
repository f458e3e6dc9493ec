package transport

import (
	"encoding/binary"
	"math/rand/v2"
)

// Opcodes of WebSocket frames (RFC 6455, section 5.2).
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// rsv1 is the bit of a header's first byte that says that the message is
// compressed (RFC 7692, section 6).
const rsv1 = 0x40

// maxControl bounds the payload of a control frame.
const maxControl = 125

// maxHeader is the size of the longest frame header.
const maxHeader = 14

// headerSize returns the size of the header of a frame with n bytes of payload.
// A client masks what it sends.
func headerSize(n int, masked bool) int {
	size := 2
	switch {
	case n > 0xffff:
		size = 10
	case n > maxControl:
		size = 4
	}
	if masked {
		size += 4
	}
	return size
}

// putHeader writes the header of a final frame with n bytes of payload to b,
// which is headerSize(n, false) bytes long, or with a mask's key 4 more.
func putHeader(b []byte, opcode byte, n int) {
	b[0] = 0x80 | opcode
	switch {
	case n > 0xffff:
		b[1] = 127
		binary.BigEndian.PutUint64(b[2:], uint64(n))
	case n > maxControl:
		b[1] = 126
		binary.BigEndian.PutUint16(b[2:], uint16(n))
	default:
		b[1] = byte(n)
	}
}

// finishFrame completes the frame in b, of which the first headerSize bytes for
// this payload are still to be written.
func finishFrame(b []byte, opcode byte, masked bool, n int) {
	putHeader(b, opcode, n)
	if masked {
		b[1] |= 0x80
		h := headerSize(n, true)
		// The key only has to be unpredictable to scripts of a web page, which this
		// client does not run (RFC 6455, section 10.3).
		key := rand.Uint32()
		binary.LittleEndian.PutUint32(b[h-4:], key)
		mask(b[h:h+n], key)
	}
}

// mask applies a key in little-endian order to b.
func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i & 3)))
	}
}

// appendControl appends a whole control frame.
func appendControl(dst []byte, opcode byte, masked bool, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, headerSize(len(payload), masked))...)
	dst = append(dst, payload...)
	finishFrame(dst[start:], opcode, masked, len(payload))
	return dst
}

// closePayload is the payload of a close frame.
func closePayload(code uint16, text string) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, maxControl), code)
	return append(b, text[:min(len(text), maxControl-2)]...)
}
