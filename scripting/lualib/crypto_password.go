package lualib

import (
	"crypto/pbkdf2"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// The bounds on what one hash may cost. The longest takes a second or two.
const (
	maxBcryptCost       = 14
	maxPBKDF2Iterations = 2_000_000
	maxScryptWork       = 1 << 20 // N·r·p
	maxArgon2Work       = 1 << 20 // iterations · KiB
	maxDerivedKey       = 1024
	minSalt             = 8
	maxSalt             = 1024
)

// argon2Params are the cost of an Argon2id hash.
type argon2Params struct {
	memory     uint32 // KiB
	iterations uint32
	threads    uint8
}

// newHash is the cost of hashes that a script makes, unless it says otherwise:
// the first choice of OWASP's list that needs less than 20 MiB.
func newHash() argon2Params { return argon2Params{memory: 19456, iterations: 2, threads: 1} }

func (p argon2Params) check() error {
	switch {
	case p.iterations < 1 || p.threads < 1 || p.memory < 8*uint32(p.threads):
		return errors.New("iterations and parallelism must be at least 1, memory at least 8 KiB for each thread")
	case uint64(p.iterations)*uint64(p.memory) > maxArgon2Work:
		return fmt.Errorf("iterations times memory in KiB must be at most %d", maxArgon2Work)
	}
	return nil
}

func (p argon2Params) bytes() int { return int(p.memory) << 10 }

// derive hashes within c, or raises an error.
func (p argon2Params) derive(L *lua.LState, c *Costly, verb string, password, salt []byte, size uint32) []byte {
	if err := p.check(); err != nil {
		Errorf(L, "%s: %v", verb, err)
	}
	return costly(L, c, verb, p.bytes(), func() ([]byte, error) {
		return argon2.IDKey(password, salt, p.iterations, p.memory, p.threads, size), nil
	})
}

// costly runs f within c and returns its result; what fails is raised.
func costly[T any](L *lua.LState, c *Costly, verb string, bytes int, f func() (T, error)) T {
	c.check(L, verb, int64(bytes))
	var result T
	err := c.run(L, verb, bytes, func() (err error) {
		result, err = f()
		return err
	})
	if err != nil { // f may still be running
		Errorf(L, "%s: %v", verb, err)
	}
	return result
}

// passwordFunctions are:
//
//	bcrypt_hash(password, cost)                      cost 10 by default
//	bcrypt_verify(password, hash)
//	argon2id_hash(password, {memory =, iterations =, parallelism =})   a PHC string
//	argon2id_verify(password, hash)
//	pbkdf2(password, salt, iterations, length, algorithm)              bytes; sha256 by default
//	scrypt(password, salt, {n =, r =, p =, length =})                  bytes
//
// Verifying is false for an empty password. A hash that is none is an error.
func passwordFunctions(c *Costly) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"bcrypt_hash":     func(L *lua.LState) int { return bcryptHash(L, c) },
		"bcrypt_verify":   func(L *lua.LState) int { return bcryptVerify(L, c) },
		"argon2id_hash":   func(L *lua.LState) int { return argon2Hash(L, c) },
		"argon2id_verify": func(L *lua.LState) int { return argon2Verify(L, c) },
		"pbkdf2":          func(L *lua.LState) int { return cryptoPBKDF2(L, c) },
		"scrypt":          func(L *lua.LState) int { return cryptoScrypt(L, c) },
	}
}

func bcryptHash(L *lua.LState, c *Costly) int {
	password, cost := checkText(L, 1), bcrypt.DefaultCost
	if L.Get(2) != lua.LNil {
		cost = int(checkWhole(L, 2, int64(bcrypt.MinCost), maxBcryptCost))
	}
	if password == "" || len(password) > 72 {
		ArgError(L, 1, "the password must have from 1 to 72 bytes: bcrypt leaves the rest out")
	}
	hash := costly(L, c, "crypto.bcrypt_hash", 8<<10, func() ([]byte, error) {
		return bcrypt.GenerateFromPassword([]byte(password), cost)
	})
	return pushText(L, string(hash))
}

func bcryptVerify(L *lua.LState, c *Costly) int {
	password, hash := checkText(L, 1), checkText(L, 2)
	switch cost, err := bcrypt.Cost([]byte(hash)); {
	case err != nil || len(hash) != 60:
		ArgError(L, 2, "this is not a hash made by bcrypt")
	case cost > maxBcryptCost:
		ArgError(L, 2, fmt.Sprintf("the hash has the cost %d, more than %d", cost, maxBcryptCost))
	}
	same := costly(L, c, "crypto.bcrypt_verify", 8<<10, func() (bool, error) {
		return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil, nil
	})
	L.Push(lua.LBool(same && password != ""))
	return 1
}

func argon2Hash(L *lua.LState, c *Costly) int {
	const verb = "crypto.argon2id_hash"
	password, o, p := checkText(L, 1), checkNamed(L, verb, 2), newHash()
	p.memory = uint32(o.whole("memory", 8, 1<<22, int64(p.memory)))
	p.iterations = uint32(o.whole("iterations", 1, 1<<20, int64(p.iterations)))
	p.threads = uint8(o.whole("parallelism", 1, 16, int64(p.threads)))
	o.done()
	if password == "" {
		ArgError(L, 1, "the password is empty")
	}
	salt := randomBytes(16)
	key := p.derive(L, c, verb, []byte(password), salt, 32)
	b64 := base64.RawStdEncoding
	return pushText(L, fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.iterations, p.threads,
		b64.EncodeToString(salt), b64.EncodeToString(key)))
}

func argon2Verify(L *lua.LState, c *Costly) int {
	password, text := checkText(L, 1), checkText(L, 2)
	h, err := parsePHC(text)
	if err != nil {
		ArgError(L, 2, err.Error())
	}
	got := h.derive(L, c, "crypto.argon2id_verify", []byte(password), h.salt, uint32(len(h.key)))
	L.Push(lua.LBool(subtle.ConstantTimeCompare(got, h.key) == 1 && password != ""))
	return 1
}

type phc struct {
	argon2Params
	salt, key []byte
}

// parsePHC reads a hash in the PHC format, $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func parsePHC(text string) (*phc, error) {
	bad := errors.New("this is not a hash such as $argon2id$v=19$m=19456,t=2,p=1$…$…")
	parts := strings.Split(text, "$")
	if len(text) > 4096 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, bad
	}
	var h phc
	_, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.iterations, &h.threads)
	if err != nil || parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", h.memory, h.iterations, h.threads) {
		return nil, bad
	}
	b64 := base64.RawStdEncoding.Strict()
	if h.salt, err = b64.DecodeString(parts[4]); err != nil || len(h.salt) < minSalt || len(h.salt) > maxSalt {
		return nil, bad
	}
	if h.key, err = b64.DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > maxDerivedKey {
		return nil, bad
	}
	return &h, nil
}

func cryptoPBKDF2(L *lua.LState, c *Costly) int {
	password, salt := checkText(L, 1), checkText(L, 2)
	iterations, length := int(checkWhole(L, 3, 1, maxPBKDF2Iterations)), int(checkWhole(L, 4, 1, maxDerivedKey))
	name := "sha256"
	if L.Get(5) != lua.LNil {
		name = checkText(L, 5)
	}
	algorithm := checkHash(L, 5, name)
	if blocks := (length-1)/algorithm().Size() + 1; iterations*blocks > maxPBKDF2Iterations {
		ArgError(L, 4, fmt.Sprintf("a key of %d bytes takes %d times as many iterations, more than %d", length, blocks, maxPBKDF2Iterations))
	}
	key := costly(L, c, "crypto.pbkdf2", 4<<10, func() ([]byte, error) {
		return pbkdf2.Key(algorithm, password, []byte(salt), iterations, length)
	})
	return pushText(L, string(key))
}

func cryptoScrypt(L *lua.LState, c *Costly) int {
	const verb = "crypto.scrypt"
	password, salt, o := checkText(L, 1), checkText(L, 2), checkNamed(L, verb, 3)
	n, r, p := o.whole("n", 2, 1<<24, 1<<15), o.whole("r", 1, 1<<10, 8), o.whole("p", 1, 1<<10, 1)
	length := int(o.whole("length", 1, maxDerivedKey, 32))
	o.done()
	switch {
	case n&(n-1) != 0:
		o.fail("n", "must be a power of 2, not %d", n)
	case n*r*p > maxScryptWork:
		Errorf(L, "%s: n times r times p must be at most %d, not %d", verb, maxScryptWork, n*r*p)
	}
	key := costly(L, c, verb, int(128*r*(n+p)), func() ([]byte, error) {
		return scrypt.Key([]byte(password), []byte(salt), int(n), int(r), int(p), length)
	})
	return pushText(L, string(key))
}
