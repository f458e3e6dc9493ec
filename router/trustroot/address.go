package trustroot

import (
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/crypto/sha3"
)

// Address is one of Ethereum. The zero Address belongs to nobody.
type Address [20]byte

// ParseAddress reads 0x and 40 hexadecimal digits. Where these are in mixed case
// they carry a checksum (EIP-55), which must be right.
func ParseAddress(s string) (a Address, err error) {
	digits, ok := strings.CutPrefix(s, "0x")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != len(a) {
		return Address{}, fmt.Errorf("%.60q is not an address of 0x and 40 hexadecimal digits", s)
	}
	a = Address(b)
	if digits != strings.ToLower(digits) && digits != strings.ToUpper(digits) && s != a.String() {
		return Address{}, fmt.Errorf("the address %s has a wrong checksum: a digit, or its case, is mistyped", s)
	}
	return a, nil
}

// String is the address with its checksum.
func (a Address) String() string {
	digits := []byte(hex.EncodeToString(a[:]))
	sum := keccak(digits)
	for i, c := range digits {
		if c >= 'a' && sum[i/2]>>(4*(1-i%2))&8 != 0 {
			digits[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(digits)
}

// keccak is Ethereum's hash of parts, one behind the other.
func keccak(parts ...[]byte) []byte {
	h := sha3.NewLegacyKeccak256()
	for _, part := range parts {
		_, _ = h.Write(part) // never fails; see hash.Hash
	}
	return h.Sum(nil)
}
