package lualib

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/luaconv"
)

// CryptoOptions are what the module crypto needs from outside.
type CryptoOptions struct {
	Values *luaconv.Converter // of the virtual machine
	Costly *Costly            // shared by all of a process; nil: of its own
}

// OpenCrypto creates the global table crypto.
//
// crypto.equal(a, b) is true only for two equal strings that are not empty, so
// that a secret which is not set (nil, or "" from the environment) admits
// nobody. Its time does not depend on where the strings differ.
//
//	random(n), random_text(n)              bytes; letters and digits, 26 by default
//	sha256, sha384, sha512(data)           bytes
//	hmac(algorithm, key, data)             bytes
//	base64_encode and base64_decode, and so base64url, base32 and hex: what can't
//	be decoded is nil and why
//
// and what the files crypto_*.go open.
func OpenCrypto(L *lua.LState, o CryptoOptions) {
	if o.Costly == nil {
		o.Costly = NewCostly(0)
	}
	functions := map[string]lua.LGFunction{
		"equal":       cryptoEqual,
		"random":      cryptoRandom,
		"random_text": cryptoRandomText,
		"hmac":        cryptoHMAC,
	}
	for _, name := range []string{"sha256", "sha384", "sha512"} {
		functions[name] = cryptoHash(hashes()[name])
	}
	for name, e := range encodings() {
		functions[name+"_encode"] = func(L *lua.LState) int {
			data := checkText(L, 1)
			allocString(L, 2*len(data)+8) // none makes more
			return pushString(L, e.encode([]byte(data)))
		}
		functions[name+"_decode"] = func(L *lua.LState) int {
			text := checkText(L, 1)
			allocString(L, len(text))
			data, err := e.decode(text)
			if err != nil {
				return pushNothing(L, "this is not "+name)
			}
			return pushString(L, string(data))
		}
	}
	maps.Copy(functions, passwordFunctions(o.Costly))
	maps.Copy(functions, scramFunctions(o.Costly))
	maps.Copy(functions, ed25519Functions())
	maps.Copy(functions, totpFunctions())
	maps.Copy(functions, jwtFunctions(o.Values))
	L.SetGlobal("crypto", newModule(L, functions))
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

func cryptoRandom(L *lua.LState) int {
	return pushText(L, string(randomBytes(int(checkWhole(L, 1, 1, 65536)))))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: the process ends where there is no randomness
	return b
}

func cryptoRandomText(L *lua.LState) int {
	n := 26 // 130 bits
	if L.Get(1) != lua.LNil {
		n = int(checkWhole(L, 1, 1, 4096))
	}
	var text strings.Builder
	for text.Len() < n {
		text.WriteString(rand.Text())
	}
	return pushText(L, text.String()[:n])
}

// hashes are the algorithms by the names that scripts use.
func hashes() map[string]func() hash.Hash {
	return map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}
}

// checkHash returns the algorithm that is named by s.
func checkHash(L *lua.LState, n int, s string) func() hash.Hash {
	all := hashes()
	h := all[s]
	if h == nil {
		ArgError(L, n, "the algorithm must be one of "+strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	return h
}

func cryptoHash(algorithm func() hash.Hash) lua.LGFunction {
	return func(L *lua.LState) int {
		h := algorithm()
		h.Write([]byte(checkText(L, 1)))
		return pushText(L, string(h.Sum(nil)))
	}
}

func cryptoHMAC(L *lua.LState) int {
	algorithm, key, data := checkHash(L, 1, checkText(L, 1)), checkText(L, 2), checkText(L, 3)
	if key == "" {
		ArgError(L, 2, "the key is empty")
	}
	return pushText(L, string(mac(algorithm, []byte(key), data)))
}

func mac(algorithm func() hash.Hash, key []byte, data string) []byte {
	h := hmac.New(algorithm, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

type encoding struct {
	encode func([]byte) string
	decode func(string) ([]byte, error)
}

// encodings are decoded strictly: what another decoder could take for something
// else is refused. Padding may be absent.
func encodings() map[string]encoding {
	std, url := base64.StdEncoding, base64.RawURLEncoding
	b32 := base32.StdEncoding
	return map[string]encoding{
		"base64": {std.EncodeToString, func(s string) ([]byte, error) {
			return decodeStrictly(strings.TrimRight(s, "="), base64.RawStdEncoding.Strict().DecodeString, std.EncodeToString, s)
		}},
		"base64url": {url.EncodeToString, func(s string) ([]byte, error) {
			return decodeStrictly(strings.TrimRight(s, "="), url.Strict().DecodeString, base64.URLEncoding.EncodeToString, s)
		}},
		"base32": {b32.EncodeToString, func(s string) ([]byte, error) {
			return decodeStrictly(strings.TrimRight(s, "="), b32.WithPadding(base32.NoPadding).DecodeString, b32.EncodeToString, s)
		}},
		"hex": {hex.EncodeToString, hex.DecodeString},
	}
}

// decodeStrictly decodes what is text without its padding. The result encodes to
// text again, or to text with the padding left out.
func decodeStrictly(bare string, decode func(string) ([]byte, error), encode func([]byte) string, text string) ([]byte, error) {
	data, err := decode(bare)
	if err != nil {
		return nil, err
	}
	if again := encode(data); again != text && strings.TrimRight(again, "=") != text {
		return nil, base64.CorruptInputError(0)
	}
	return data, nil
}
