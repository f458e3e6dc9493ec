package lualib

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// ed25519Functions are, where each key and signature may be given as bytes or,
// as WAMP's cryptosign has them, in hexadecimal:
//
//	ed25519_public(seed)                         the public key, bytes
//	ed25519_sign(seed, message)                  the signature, bytes
//	ed25519_verify(pubkey, message, signature)   true or false
func ed25519Functions() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"ed25519_public": func(L *lua.LState) int {
			return pushText(L, string(checkSeed(L, 1).Public().(ed25519.PublicKey)))
		},
		"ed25519_sign": func(L *lua.LState) int {
			return pushText(L, string(ed25519.Sign(checkSeed(L, 1), []byte(checkText(L, 2)))))
		},
		"ed25519_verify": func(L *lua.LState) int {
			key, message, signature := checkText(L, 1), checkText(L, 2), checkText(L, 3)
			public, ok := bytesOrHex(key, ed25519.PublicKeySize)
			if !ok {
				ArgError(L, 1, "a public key has 32 bytes, or 64 hexadecimal digits")
			}
			signed, ok := bytesOrHex(signature, ed25519.SignatureSize)
			L.Push(lua.LBool(ok && ed25519.Verify(public, []byte(message), signed)))
			return 1
		},
	}
}

func checkSeed(L *lua.LState, n int) ed25519.PrivateKey {
	seed, ok := bytesOrHex(checkText(L, n), ed25519.SeedSize)
	if !ok {
		ArgError(L, n, fmt.Sprintf("a private key's seed has %d bytes, or %d hexadecimal digits", ed25519.SeedSize, 2*ed25519.SeedSize))
	}
	return ed25519.NewKeyFromSeed(seed)
}

// bytesOrHex returns size bytes that are written as themselves or in hexadecimal.
func bytesOrHex(s string, size int) ([]byte, bool) {
	switch len(s) {
	case size:
		return []byte(s), true
	case 2 * size:
		b, err := hex.DecodeString(s)
		return b, err == nil
	}
	return nil, false
}
