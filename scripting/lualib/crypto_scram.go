package lualib

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"unicode"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// scramFunctions are crypto.scram_keys{password =, kdf =, iterations =, memory =,
// salt =}: what an authenticator returns for WAMP-SCRAM, and what one stores in
// place of a password. kdf is "argon2id13" by default, "pbkdf2", or "argon2id-13"
// for clients of Crossbar.io, who say "scram" and take the text of the hash for it;
// salt is base64, a new one where it is absent. The result has kdf, iterations,
// memory, salt, stored_key and server_key, the last three in base64.
func scramFunctions(c *Costly) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{"scram_keys": func(L *lua.LState) int { return scramKeys(L, c) }}
}

func scramKeys(L *lua.LState, c *Costly) int {
	const verb = "crypto.scram_keys"
	CheckTable(L, 1)
	o := checkNamed(L, verb, 1)
	given := o.needText("password")
	kdf := o.oneOf("kdf", "argon2id13", "pbkdf2", "argon2id-13")
	iterations, memory := int64(0), int64(0)
	if kdf == "pbkdf2" {
		// WAMP-SCRAM asks for at least as many.
		iterations = o.whole("iterations", 4096, maxPBKDF2Iterations, 100_000)
		o.known = append(o.known, "memory") // that of other users' hashes, beside
	} else {
		p := newHash()
		iterations = o.whole("iterations", 1, 1<<20, int64(p.iterations))
		memory = o.whole("memory", 8, 1<<22, int64(p.memory))
	}
	salt := randomBytes(16)
	if text := o.text("salt", ""); text != "" {
		var err error
		if salt, err = base64.StdEncoding.Strict().DecodeString(text); err != nil || len(salt) < minSalt || len(salt) > maxSalt {
			o.fail("salt", "must be base64 of %d to %d bytes", minSalt, maxSalt)
		}
	}
	o.done()
	password, err := saslPrep(given)
	if err != nil {
		o.fail("password", "%v", err)
	}
	var salted []byte
	if kdf == "pbkdf2" {
		salted = costly(L, c, verb, 4<<10, func() ([]byte, error) {
			return pbkdf2.Key(sha256.New, password, salt, int(iterations), sha256.Size)
		})
	} else {
		p := argon2Params{memory: uint32(memory), iterations: uint32(iterations), threads: 1}
		salted = p.derive(L, c, verb, []byte(password), salt, sha256.Size)
		if kdf == "argon2id-13" {
			salted = base64.RawStdEncoding.AppendEncode(nil, salted)
		}
	}
	stored := sha256.Sum256(mac(sha256.New, salted, "Client Key"))
	result := L.CreateTable(0, 6)
	Alloc(L, 512)
	b64 := base64.StdEncoding
	for name, value := range map[string]lua.LValue{
		"kdf":        lua.LString(kdf),
		"iterations": lua.LNumber(iterations),
		"salt":       lua.LString(b64.EncodeToString(salt)),
		"stored_key": lua.LString(b64.EncodeToString(stored[:])),
		"server_key": lua.LString(b64.EncodeToString(mac(sha256.New, salted, "Server Key"))),
	} {
		result.RawSetString(name, value)
	}
	if kdf != "pbkdf2" {
		result.RawSetString("memory", lua.LNumber(memory))
	}
	L.Push(result)
	return 1
}

var (
	errProhibited = errors.New("has a character that passwords must not have (RFC 4013)")
	errDirections = errors.New("mixes writing from the left and from the right (RFC 4013)")
)

// saslPrep brings a password into the one form of RFC 4013 that both sides hash.
func saslPrep(s string) (string, error) {
	var mapped []rune
	for _, r := range s {
		switch {
		case r != ' ' && unicode.Is(unicode.Zs, r):
			mapped = append(mapped, ' ')
		case isMappedToNothing(r):
		default:
			mapped = append(mapped, r)
		}
	}
	text := norm.NFKC.String(string(mapped))
	runes := []rune(text)
	right, left := 0, 0
	for _, r := range runes {
		if isProhibited(r) {
			return "", errProhibited
		}
		switch direction(r) {
		case bidi.R, bidi.AL:
			right++
		case bidi.L:
			left++
		}
	}
	if len(runes) == 0 {
		return "", errors.New("is empty")
	}
	if right > 0 && (left > 0 || !isRight(runes[0]) || !isRight(runes[len(runes)-1])) {
		return "", errDirections
	}
	return text, nil
}

func direction(r rune) bidi.Class {
	p, _ := bidi.LookupRune(r)
	return p.Class()
}

func isRight(r rune) bool { return direction(r) == bidi.R || direction(r) == bidi.AL }

// isMappedToNothing is table B.1 of RFC 3454.
func isMappedToNothing(r rune) bool {
	switch {
	case r == 0xAD, r == 0x34F, r == 0x1806, r == 0x2060, r == 0xFEFF,
		r >= 0x180B && r <= 0x180D, r >= 0x200B && r <= 0x200D, r >= 0xFE00 && r <= 0xFE0F:
		return true
	}
	return false
}

// isProhibited are the tables C.1.2 to C.9 of RFC 3454, and what no version of
// Unicode has assigned.
func isProhibited(r rune) bool {
	switch {
	case r == unicode.ReplacementChar, unicode.IsControl(r), r != ' ' && unicode.Is(unicode.Zs, r),
		unicode.In(r, unicode.Co, unicode.Cs, unicode.Noncharacter_Code_Point, unicode.Zl, unicode.Zp),
		r >= 0xFFF9 && r <= 0xFFFC, r >= 0x2FF0 && r <= 0x2FFB, r == 0x340, r == 0x341,
		r == 0x6DD, r == 0x70F, r == 0x180E,
		r == 0x200E, r == 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x206F,
		r == 0xE0001, r >= 0xE0020 && r <= 0xE007F, r >= 0x1D173 && r <= 0x1D17A:
		return true
	}
	return !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs, unicode.Cf)
}
