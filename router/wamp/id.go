package wamp

import (
	"crypto/rand"
	"encoding/binary"
)

// ID identifies a session, publication, subscription, registration or request.
// The zero ID is none; valid ids are 1 to MaxID (specification: "IDs").
type ID uint64

// MaxID is the largest id, 2^53: the largest integer that an IEEE 754 double
// holds together with all smaller ones.
const MaxID ID = 1 << 53

// Valid reports whether id is in the range that the specification allows.
func (id ID) Valid() bool { return id >= 1 && id <= MaxID }

// RandomID draws an id of the global scope, uniformly over 1 to MaxID, from the
// system's secure source: session ids must not be guessable.
func RandomID() ID {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	return ID(binary.LittleEndian.Uint64(b[:])&(uint64(MaxID)-1)) + 1
}
