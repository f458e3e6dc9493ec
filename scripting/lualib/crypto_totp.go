package lualib

import (
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// totpFunctions are, as RFC 6238 defines them, where secret is base32 as
// authenticator apps show it:
//
//	totp_secret()                          a new secret
//	totp(secret, options)                  the code of now
//	totp_verify(secret, code, options)     the step of the code, or nil
//
// options: digits (6), period (30 seconds), algorithm ("sha1"), time (now, in
// seconds); and of totp_verify window (1: how many steps the clocks may differ)
// and after: a step up to which codes have been used. A script that stores the
// step that totp_verify returns, and gives it as after the next time, accepts no
// code twice.
func totpFunctions() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"totp_secret": func(L *lua.LState) int {
			return pushText(L, base32.StdEncoding.EncodeToString(randomBytes(20)))
		},
		"totp": func(L *lua.LState) int {
			t := checkTOTP(L, "crypto.totp", 2)
			t.done()
			return pushText(L, t.code(t.step))
		},
		"totp_verify": totpVerify,
	}
}

// totp is what a code is made of.
type totp struct {
	*named
	secret    []byte
	digits    int
	algorithm func() hash.Hash
	step      int64 // of the time
}

// checkTOTP reads the secret, argument 1, and the options, argument n.
func checkTOTP(L *lua.LState, verb string, n int) *totp {
	t := &totp{named: checkNamed(L, verb, n)}
	secret, ok := totpSecret(checkText(L, 1))
	if !ok {
		ArgError(L, 1, "a secret is base32 of at least 10 bytes")
	}
	t.secret = secret
	t.digits = int(t.whole("digits", 6, 8, 6))
	period := t.whole("period", 1, 3600, 30)
	t.algorithm = hashes()[t.oneOf("algorithm", "sha1", "sha256", "sha512")]
	seconds := now(L).Unix()
	if v := t.get("time"); v != lua.LNil {
		at, ok := v.(lua.LNumber)
		if !ok || !(at >= 0 && at < 1<<53) {
			t.fail("time", "must be a number of seconds since 1970")
		}
		seconds = int64(at)
	}
	t.step = seconds / period
	return t
}

// totpSecret decodes a secret as people type it.
func totpSecret(text string) ([]byte, bool) {
	if len(text) > 1024 {
		return nil, false
	}
	text = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "=", "").Replace(text))
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	return secret, err == nil && len(secret) >= 10
}

func (t *totp) code(step int64) string {
	sum := mac(t.algorithm, t.secret, string(binary.BigEndian.AppendUint64(nil, uint64(step))))
	at := sum[len(sum)-1] & 15
	n := int64(binary.BigEndian.Uint32(sum[at:])&math.MaxInt32) % int64(math.Pow10(t.digits))
	return fmt.Sprintf("%0*d", t.digits, n)
}

func totpVerify(L *lua.LState) int {
	code := checkText(L, 2)
	t := checkTOTP(L, "crypto.totp_verify", 3)
	window := t.whole("window", 0, 10, 1)
	after := t.whole("after", -1, 1<<53, -1)
	t.done()
	// All of them, so that the time does not tell which was right.
	found := int64(-1)
	for step := max(t.step-window, 0); step <= t.step+window; step++ {
		same := subtle.ConstantTimeCompare([]byte(t.code(step)), []byte(code)) == 1
		if same && step > after && found < 0 {
			found = step
		}
	}
	if found < 0 {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(lua.LNumber(found))
	return 1
}
