package lualib

import (
	"crypto/sha256"
	"crypto/subtle"

	lua "github.com/yuin/gopher-lua"
)

// OpenCrypto creates the global table crypto.
//
// crypto.equal(a, b) is true only for two equal strings that are not empty, so
// that a secret which is not set (nil, or "" from the environment) admits
// nobody. Its time does not depend on where the strings differ.
func OpenCrypto(L *lua.LState) {
	L.SetGlobal("crypto", newModule(L, map[string]lua.LGFunction{"equal": cryptoEqual}))
}

func cryptoEqual(L *lua.LState) int {
	a, aok := L.Get(1).(lua.LString)
	b, bok := L.Get(2).(lua.LString)
	L.Push(lua.LBool(aok && bok && equalSecrets(string(a), string(b))))
	return 1
}

// equalSecrets compares digests: they have one length whatever the strings', so
// that the comparison does not tell that of the secret.
func equalSecrets(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1 && a != "" && b != ""
}
