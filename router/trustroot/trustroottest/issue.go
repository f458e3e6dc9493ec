package trustroottest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"

	"usher/router/trustroot"
)

// Key is a private key of Ethereum.
type Key struct{ private *secp256k1.PrivateKey }

// NewKey returns the key of a number: the same one each time.
func NewKey(n byte) Key {
	return Key{secp256k1.PrivKeyFromBytes([]byte{n, 31: 1})}
}

// Address is the key's.
func (k Key) Address() trustroot.Address {
	h := sha3.NewLegacyKeccak256()
	_, _ = h.Write(k.private.PubKey().SerializeUncompressed()[1:]) // never fails; see hash.Hash
	return trustroot.Address(h.Sum(nil)[12:])
}

// sign returns r, s and v.
func (k Key) sign(digest []byte) []byte {
	s := ecdsa.SignCompact(k.private, digest, false)
	return append(s[1:len(s):len(s)], s[0])
}

// Certificate are the data of one, and whose signature it has.
type Certificate struct {
	Type   string // "Delegate" or "Authority"
	Fields map[string]any
	Signer Key
}

// Realm is what the certificates of this package are for.
const (
	Realm    = "0xA6e693CC4A2b4F1400391a728D26369D9b82ef96"
	Contract = "0xf766Dc789CF04CD18aE75af2c5fAf2DA6650Ff57"
)

// Delegate is the certificate of an Ed25519 key, in hexadecimal digits, which k holds.
func (k Key) Delegate(pubkey string) Certificate {
	return Certificate{"Delegate", map[string]any{
		"chainId": 1, "verifyingContract": Contract, "validFrom": 15212703, "meta": "",
		"delegate": k.Address().String(), "csPubKey": pubkey, "bootedAt": uint64(1658765756680628959),
	}, k}
}

// Issue is the certificate by which k lets subject vouch for others.
func (k Key) Issue(subject Key, capabilities uint64) Certificate {
	return Certificate{"Authority", map[string]any{
		"chainId": 1, "verifyingContract": Contract, "validFrom": 15212703, "meta": "",
		"issuer": k.Address().String(), "subject": subject.Address().String(), "realm": Realm, "capabilities": capabilities,
	}, k}
}

// With is c with other fields; a nil value takes one away.
func (c Certificate) With(fields map[string]any) Certificate {
	c.Fields = maps.Clone(c.Fields)
	maps.Copy(c.Fields, fields)
	maps.DeleteFunc(c.Fields, func(_ string, v any) bool { return v == nil })
	return c
}

// Chain writes certificates as clients send them, in JSON. One that trustroot does
// not read is signed with zeroes.
func Chain(certificates ...Certificate) json.RawMessage {
	list := make([]any, len(certificates))
	for i, c := range certificates {
		data := map[string]any{
			"domain": map[string]any{"name": "WMP", "version": "1"}, "primaryType": "EIP712" + c.Type + "Certificate", "message": c.Fields,
		}
		list[i] = []any{data, hex.EncodeToString(c.signature(data))}
	}
	return encode(list)
}

func (c Certificate) signature(data map[string]any) []byte {
	zero := make([]byte, 65)
	unsigned := encode([]any{[]any{data, hex.EncodeToString(zero)}})
	if c.Type == "Delegate" {
		if chain, err := trustroot.ParseChain(unsigned); err == nil {
			return c.Signer.sign(chain.Delegate.Digest())
		}
	} else if list, err := trustroot.ParseAuthorities(unsigned); err == nil {
		return c.Signer.sign(list[0].Digest())
	}
	return zero
}

func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("trustroottest: %v", err)) // a test's own mistake
	}
	return b
}
