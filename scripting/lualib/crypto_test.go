package lualib

import (
	"context"
	"runtime"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/luaconv"
)

// cryptoVM returns a VM with the modules that need nothing from outside, and
// the globals null and router.list.
func cryptoVM(t testing.TB, o Options) *lua.LState {
	L, _ := valuesVM(t, o)
	return L
}

// valuesVM is cryptoVM with its converter.
func valuesVM(t testing.TB, o Options) (*lua.LState, *luaconv.Converter) {
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	t.Cleanup(L.Close)
	Open(L, o)
	values := luaconv.New(L)
	OpenCrypto(L, CryptoOptions{Values: values})
	OpenJSON(L, values)
	OpenURL(L)
	OpenTime(L)
	OpenEnv(L)
	L.SetGlobal("null", values.Null())
	L.SetGlobal("list", L.NewFunction(values.List))
	L.SetGlobal("binary", L.NewFunction(values.Binary))
	run(t, L, `
function unhex(s) return (s:gsub("%s", ""):gsub("..", function(d) return string.char(tonumber(d, 16)) end)) end
hex = crypto.hex_encode
function is(got, want) if got ~= want then error(("got %s, want %s"):format(tostring(got), tostring(want)), 2) end end
function fails(text, f, ...)
  local ok, e = pcall(f, ...)
  if ok or not tostring(e):find(text, 1, true) then error(("got %s, want an error with %s"):format(tostring(e), text), 2) end
end
function nothing(text, ...)
  local v, e = ...
  if v ~= nil or not tostring(e):find(text, 1, true) then error(("got %s, %s, want nil and %s"):format(tostring(v), tostring(e), text), 2) end
end`)
	return L, values
}

func runAll(t *testing.T, steps ...string) {
	t.Helper()
	L := cryptoVM(t, Options{})
	for _, step := range steps {
		run(t, L, step)
	}
}

// The vectors are those of FIPS 180, RFC 4231, 4648 and 8032.
func TestCryptoPrimitives(t *testing.T) {
	runAll(t,
		`is(hex(crypto.sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")`,
		`is(hex(crypto.sha384("abc")), "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7")`,
		`is(hex(crypto.sha512("abc")), "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f")`,
		`is(hex(crypto.hmac("sha256", ("\11"):rep(20), "Hi There")), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")`,
		`is(hex(crypto.hmac("sha512", "Jefe", "what do ya want for nothing?")), "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737")`,
		`is(hex(crypto.hmac("sha1", "Jefe", "what do ya want for nothing?")), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")`,
		`fails("must be one of sha1, sha256, sha384, sha512", crypto.hmac, "md5", "k", "d")`,
		`fails("the key is empty", crypto.hmac, "sha256", "", "d")`,
		`fails("string expected, got number", crypto.sha256, 1)`,
		`fails("string expected, got no value", crypto.sha256)`,

		`for _, e in ipairs{{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}} do
		   is(crypto.base64_encode(e[1]), e[2]) is(crypto.base64_decode(e[2]), e[1]) is(crypto.base64_decode((e[2]:gsub("=", ""))), e[1])
		 end`,
		`for _, e in ipairs{{"", ""}, {"f", "MY======"}, {"foob", "MZXW6YQ="}, {"foobar", "MZXW6YTBOI======"}} do
		   is(crypto.base32_encode(e[1]), e[2]) is(crypto.base32_decode(e[2]), e[1]) is(crypto.base32_decode((e[2]:gsub("=", ""))), e[1])
		 end`,
		`is(crypto.base64url_encode("\255\254\253\252"), "__79_A") is(crypto.base64url_decode("__79_A"), "\255\254\253\252") is(crypto.base64url_decode("__79_A=="), "\255\254\253\252")`,
		`is(crypto.base64_encode("\255\254"), "//4=") nothing("this is not base64url", crypto.base64url_decode("//4="))`,
		// What only a lenient decoder takes: trailing bits, blanks, half a padding.
		`for _, s in ipairs{"Zh==", "Z g==", "Zg=", "Zg\n==", "Z", "Zg==Zg==", "Zm9v====", "é", "=", "===="} do nothing("this is not base64", crypto.base64_decode(s)) end`,
		`for _, s in ipairs{"MZ======", "my", "M", "MY=====", "1"} do nothing("this is not base32", crypto.base32_decode(s)) end`,
		`is(hex("\0\255a"), "00ff61") is(crypto.hex_decode("00FF61"), "\0\255a") nothing("this is not hex", crypto.hex_decode("0")) nothing("this is not hex", crypto.hex_decode("0g"))`,

		`local seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
		 local pub = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
		 local sig = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
		 is(hex(crypto.ed25519_public(seed)), pub)
		 is(hex(crypto.ed25519_public(unhex(seed))), pub)
		 is(hex(crypto.ed25519_sign(seed, "")), sig)
		 is(crypto.ed25519_verify(pub, "", sig), true)
		 is(crypto.ed25519_verify(unhex(pub), "", unhex(sig)), true)
		 is(crypto.ed25519_verify(pub, "x", sig), false)
		 is(crypto.ed25519_verify(pub, "", sig:gsub("^e5", "e4")), false)
		 is(crypto.ed25519_verify(pub, "", ""), false)
		 is(crypto.ed25519_verify(pub, "", ("x"):rep(128)), false)
		 fails("a public key has 32 bytes", crypto.ed25519_verify, "x", "", sig)
		 fails("a private key's seed has 32 bytes", crypto.ed25519_sign, pub .. "0", "")`,

		`is(#crypto.random(1), 1) is(#crypto.random(65536), 65536) assert(crypto.random(16) ~= crypto.random(16))
		 for _, n in ipairs{0, -1, 1.5, 65537, 0/0} do fails("a whole number from 1 to 65536", crypto.random, n) end
		 fails("number expected", crypto.random, "16")`,
		`is(#crypto.random_text(), 26) is(#crypto.random_text(100), 100) is(crypto.random_text(1000):find("[^A-Z2-7]"), nil)`,
	)
}

// The vectors are those of RFC 7914, RFC 6070's for SHA-256, RFC 9106's
// reference implementation, and of bcrypt's first one.
func TestPasswordHashes(t *testing.T) {
	runAll(t,
		`is(hex(crypto.pbkdf2("passwd", "salt", 1, 64)), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783")`,
		`is(hex(crypto.pbkdf2("password", "salt", 4096, 32)), "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a")`,
		`is(hex(crypto.pbkdf2("password", "salt", 4096, 20, "sha1")), "4b007901b765489abead49d926f721d065a429c1")`,
		`fails("bad argument #3 to 'pbkdf2' (it must be a whole number from 1 to 2000000)", function() crypto.pbkdf2("p", "s", 1e9, 32) end)`,
		`fails("takes 32 times as many iterations", crypto.pbkdf2, "p", "s", 1000000, 1024)`,
		`fails("must be one of sha1", crypto.pbkdf2, "p", "s", 1, 32, "md5")`,

		`is(hex(crypto.scrypt("", "", {n = 16, length = 64, r = 1})), "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906")`,
		`is(hex(crypto.scrypt("password", "NaCl", {n = 1024, r = 8, p = 16, length = 64})), "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640")`,
		`fails("n must be a power of 2, not 1000", crypto.scrypt, "p", "s", {n = 1000})`,
		`fails("n times r times p must be at most", crypto.scrypt, "p", "s", {n = 2^20, r = 8})`,
		`fails("these parameters need 129 MiB of memory, more than the 64 MiB that scripts.limits.hash_memory allows", crypto.scrypt, "p", "s", {n = 2^17, r = 8})`,

		`is(crypto.bcrypt_verify("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"), true)`,
		`is(crypto.bcrypt_verify("U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"), true)`,
		`is(crypto.bcrypt_verify("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"), false)`,
		`is(crypto.bcrypt_verify("", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"), false)`,
		`is(crypto.argon2id_verify("", "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$aqV6uW5KU3/FFV22qaWtmxFFddvWB7lvEWgNLcYCZyM"), false)`,
		`local h = crypto.bcrypt_hash("secret", 4) assert(crypto.bcrypt_verify("secret", h)) assert(not crypto.bcrypt_verify("Secret", h)) assert(h ~= crypto.bcrypt_hash("secret", 4))`,
		`fails("a whole number from 4 to 14", crypto.bcrypt_hash, "secret", 15)`,
		`fails("from 1 to 72 bytes", crypto.bcrypt_hash, ("x"):rep(73)) fails("from 1 to 72 bytes", crypto.bcrypt_hash, "")`,
		`fails("this is not a hash made by bcrypt", crypto.bcrypt_verify, "x", "y")`,
		`fails("string expected, got nil", crypto.bcrypt_verify, nil, "y")`,
		`fails("the hash has the cost 31, more than 14", crypto.bcrypt_verify, "x", "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")`,

		`is(crypto.argon2id_verify("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"), true)`,
		`is(crypto.argon2id_verify("password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"), true)`,
		`is(crypto.argon2id_verify("passwort", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"), false)`,
		`local h = crypto.argon2id_hash("secret", {memory = 64, iterations = 1}) is(h:match("^(.-%$.-%$.-%$.-)%$"), "$argon2id$v=19$m=64,t=1,p=1")
		 assert(crypto.argon2id_verify("secret", h)) assert(not crypto.argon2id_verify("Secret", h)) assert(h ~= crypto.argon2id_hash("secret", {memory = 64, iterations = 1}))`,
		`assert(crypto.argon2id_verify("secret", crypto.argon2id_hash("secret")))`,
		`for _, h in ipairs{"", "$argon2id$", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		   "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		   "$argon2id$v=19$m=256,t=2,p=1x$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		   "$argon2id$v=19$m=-1,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		   "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$", "$argon2id$v=19$m=256,t=2,p=1$$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"} do
		   fails("this is not a hash such as", crypto.argon2id_verify, "password", h)
		 end`,
		`fails("at most 1048576", crypto.argon2id_verify, "password", "$argon2id$v=19$m=65536,t=1000,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")`,
		`fails("more than the 64 MiB", crypto.argon2id_verify, "password", "$argon2id$v=19$m=262144,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")`,
		`fails("memory at least 8 KiB for each thread", crypto.argon2id_hash, "p", {memory = 16, parallelism = 16})`,
		`fails("memory at least 8 KiB for each thread", crypto.argon2id_verify, "p", "$argon2id$v=19$m=256,t=0,p=0$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")`,
		`fails('unknown option "cost": there are memory, iterations, parallelism', crypto.argon2id_hash, "p", {cost = 3})`,
		`fails("crypto.argon2id_hash: memory must be a whole number, not a string", crypto.argon2id_hash, "p", {memory = "3"})`,
	)
}

// The salted passwords follow from RFC 7677's example (PBKDF2) by its definitions.
func TestScramKeys(t *testing.T) {
	runAll(t,
		`local k = crypto.scram_keys{password = "pencil", kdf = "pbkdf2", iterations = 4096, salt = "W22ZaJ0SNY7soEsUEjb6gQ=="}
		 is(k.stored_key, "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=") is(k.server_key, "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")
		 is(k.kdf, "pbkdf2") is(k.iterations, 4096) is(k.salt, "W22ZaJ0SNY7soEsUEjb6gQ==") is(k.memory, nil)`,
		`local a = crypto.scram_keys{password = "pencil", memory = 64, iterations = 1} is(a.kdf, "argon2id13") is(a.memory, 64) is(#crypto.base64_decode(a.stored_key), 32)
		 local b = crypto.scram_keys{password = "pencil", memory = 64, iterations = 1, salt = a.salt} is(a.stored_key, b.stored_key) is(a.server_key, b.server_key)
		 local c = crypto.scram_keys{password = "pencil", memory = 64, iterations = 1} assert(a.stored_key ~= c.stored_key)`,
		// As Autobahn|Python makes them.
		`local k = crypto.scram_keys{password = "s3cret", kdf = "argon2id-13", memory = 512, iterations = 3, salt = "O8PKAd0dUByhwi4cXX0W/g=="}
		 is(k.kdf, "argon2id-13") is(k.stored_key, crypto.base64_encode(crypto.hex_decode("d95e38b43579862476b64984bb730a16e4ac61dc9ab17589fa6d1ea5c58aa7f8"))) is(k.server_key, crypto.base64_encode(crypto.hex_decode("c29e92ea15f0feb8104a58269f1d9b846c494e1276dab5f8aa37a6e145a46bd1")))`,
		// RFC 4013, section 3: I<U+00AD>X is IX, U+2168 is IX, U+00AA is a.
		`local function key(p) return crypto.scram_keys{password = p, kdf = "pbkdf2", iterations = 4096, salt = "W22ZaJ0SNY7soEsUEjb6gQ=="}.stored_key end
		 is(key("I\194\173X"), key("IX")) is(key("\226\133\168"), key("IX")) is(key("\194\170"), key("a")) assert(key("user") ~= key("USER"))
		 is(key("a\194\160b"), key("a b"))
		 for _, p in ipairs{"\7", "\216\1671", "\255", "\226\128\142"} do fails("RFC 4013", key, p) end
		 fails("password is empty", key, "") fails("password is empty", key, "\194\173")`,
		`fails("crypto.scram_keys: password is missing", crypto.scram_keys, {})`,
		`fails("salt must be base64", crypto.scram_keys, {password = "p", salt = "a"})`,
		`fails("from 4096 to 2000000", crypto.scram_keys, {password = "p", kdf = "pbkdf2", iterations = 1})`,
		`fails("kdf must be one of pbkdf2", crypto.scram_keys, {password = "p", kdf = "md5"})`,
		`fails("table expected", crypto.scram_keys)`,
	)
}

// The vectors are those of RFC 6238, appendix B.
func TestTOTP(t *testing.T) {
	runAll(t,
		`local s1 = crypto.base32_encode("12345678901234567890")
		 local s256 = crypto.base32_encode("12345678901234567890123456789012")
		 local s512 = crypto.base32_encode("1234567890123456789012345678901234567890123456789012345678901234")
		 for _, v in ipairs{
		   {59, "94287082", "46119246", "90693936"}, {1111111109, "07081804", "68084774", "25091201"}, {1111111111, "14050471", "67062674", "99943326"},
		   {1234567890, "89005924", "91819424", "93441116"}, {2000000000, "69279037", "90698825", "38618901"}, {20000000000, "65353130", "77737706", "47863826"}} do
		   is(crypto.totp(s1, {time = v[1], digits = 8}), v[2])
		   is(crypto.totp(s256, {time = v[1], digits = 8, algorithm = "sha256"}), v[3])
		   is(crypto.totp(s512, {time = v[1], digits = 8, algorithm = "sha512"}), v[4])
		   is(crypto.totp_verify(s1, v[2], {time = v[1], digits = 8}), math.floor(v[1] / 30))
		 end`,
		`local s = "gezd gnbv-gy3t qojq gezd gnbv gy3t qojq"
		 local code = crypto.totp(s, {time = 3000}) is(#code, 6)
		 is(crypto.totp_verify(s, code, {time = 3000}), 100)
		 is(crypto.totp_verify(s, code, {time = 3059}), 100) is(crypto.totp_verify(s, code, {time = 2970}), 100)
		 is(crypto.totp_verify(s, code, {time = 3060}), nil) is(crypto.totp_verify(s, code, {time = 2969}), nil)
		 is(crypto.totp_verify(s, code, {time = 3060, window = 2}), 100) is(crypto.totp_verify(s, code, {time = 3030, window = 0}), nil)
		 is(crypto.totp_verify(s, code, {time = 3000, after = 99}), 100) is(crypto.totp_verify(s, code, {time = 3000, after = 100}), nil)
		 for _, wrong in ipairs{"", "1", code .. "0", "0" .. code, " " .. code, "abcdef"} do is(crypto.totp_verify(s, wrong, {time = 3000}), nil) end
		 fails("string expected, got number", crypto.totp_verify, s, tonumber(code))`,
		`local s = crypto.totp_secret() is(#s, 32) is(crypto.totp_verify(s, crypto.totp(s)) ~= nil, true)`,
		`for _, s in ipairs{"", "GEZDGNBV", "1", ("A"):rep(2000)} do fails("a secret is base32", crypto.totp, s) end`,
		`local s = crypto.totp_secret()
		 fails("digits must be a whole number from 6 to 8, not 9", crypto.totp, s, {digits = 9}) fails("period", crypto.totp, s, {period = 0})
		 fails("algorithm must be one of", crypto.totp, s, {algorithm = "md5"}) fails("time must be", crypto.totp, s, {time = -1}) fails("unknown option", crypto.totp, s, {window = 1})`,
	)
}

func TestCostlyWorkEndsWithTheCall(t *testing.T) {
	L := cryptoVM(t, Options{})
	// As many at once as may run, for as long as the test: nobody else's turn comes.
	c := NewCostly(0)
	OpenCrypto(L, CryptoOptions{Costly: c})
	c.slots = 0
	budget := lua51.NewBudget(t.Context(), lua51.Limits{Wall: 50_000_000})
	defer budget.Release()
	L.SetContext(budget)
	err := L.DoString(`pcall(crypto.bcrypt_hash, "secret", 4) error("went on")`)
	if err == nil || strings.Contains(err.Error(), "went on") || budget.Err() == nil {
		t.Errorf("%v, %v", err, budget.Err())
	}
	if len(c.waiting) != 0 {
		t.Errorf("%d are still waiting", len(c.waiting))
	}
}

// What waits for memory lets nobody pass who came later, and gives everything back.
func TestCostlyIsFairAndBounded(t *testing.T) {
	c := NewCostly(1000)
	c.slots = 3
	enter := func(bytes int) chan error {
		before := len(c.waiting)
		done := make(chan error, 1)
		go func() { done <- c.enter(t.Context(), bytes) }()
		for len(done) == 0 {
			c.mu.Lock()
			queued := len(c.waiting) > before
			c.mu.Unlock()
			if queued {
				break
			}
		}
		return done
	}
	first, second := enter(1000), enter(900)
	if <-first != nil || <-second != nil {
		t.Fatal("two do not fit")
	}
	large, small := enter(200), enter(10)
	if len(large) != 0 || len(small) != 0 {
		t.Fatal("more than fits has begun")
	}
	c.leave(1000)
	if <-large != nil {
		t.Fatal("the next did not begin")
	}
	c.leave(900)
	if <-small != nil {
		t.Fatal("the last did not begin")
	}
	c.leave(200)
	c.leave(10)
	if c.slots != 3 || c.free != 2000 || len(c.waiting) != 0 {
		t.Errorf("%d slots, %d bytes, %d waiting", c.slots, c.free, len(c.waiting))
	}
}

// Who waits in vain leaves nothing behind: not its place, not what was given to it in
// the same moment, and not those behind it.
func TestCostlyWaitersLeave(t *testing.T) {
	for range 50 {
		c := NewCostly(1000)
		c.slots = 2
		if err := c.enter(t.Context(), 1500); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		large, small := make(chan error, 1), make(chan error, 1)
		wait := func(ctx context.Context, bytes, count int, done chan error) {
			go func() { done <- c.enter(ctx, bytes) }()
			for waiting := 0; waiting < count; runtime.Gosched() {
				c.mu.Lock()
				waiting = len(c.waiting)
				c.mu.Unlock()
			}
		}
		wait(ctx, 1000, 1, large)
		wait(t.Context(), 10, 2, small)
		cancel()
		if err := <-large; err != context.Canceled {
			t.Fatal(err)
		}
		if err := <-small; err != nil { // for which there was room all the time
			t.Fatal(err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		wait(ctx, 1000, 1, large)
		c.mu.Lock()
		cancel()
		c.give(1500)
		c.next()
		c.mu.Unlock()
		if <-large == nil {
			c.leave(1000)
		}
		if c.leave(10); c.slots != 2 || c.free != 2000 || len(c.waiting) != 0 {
			t.Fatalf("%d slots, %d bytes, %d waiting", c.slots, c.free, len(c.waiting))
		}
	}
}

// A panic of what runs on a goroutine of its own ends neither that nor the process.
func TestCostlyPanics(t *testing.T) {
	c := NewCostly(1000)
	err := c.run(cryptoVM(t, Options{}), "crypto.test", 10, func() error { panic("oh") })
	if err == nil || err.Error() != "crypto.test failed: oh" {
		t.Error(err)
	}
	if c.Close(); c.free != 2000 {
		t.Errorf("%d bytes are free", c.free)
	}
}

func TestJSONModule(t *testing.T) {
	runAll(t,
		`is(json.encode{a = 1}, '{"a":1}') is(json.encode{1, 2.5, "x", true, null}, '[1,2.5,"x",true,null]') is(json.encode({}), "{}") is(json.encode(list{}), "[]")`,
		`is(json.encode("\0a"), '"\\u0000a"') is(json.decode('"\\u0000AAAA"'), "\0AAAA") is(json.encode(nil), "null")`,
		`local v = json.decode('{"n": null, "l": [], "d": {}, "i": 9007199254740993, "s": "\\u00e9", "f": 1.5e3}')
		 is(v.n, null) is(v.i, "9007199254740993") is(v.s, "é") is(v.f, 1500) is(json.encode(v.l), "[]") is(json.encode(v.d), "{}")`,
		`is(json.decode("null"), null) is(json.decode("false"), false) is(json.decode(" 1 "), 1)`,
		`for _, s in ipairs{"", " ", "{", "[1,]", "nul", "{a:1}", "1 2", "'a'", "01", '"\1"', '"\255"', ("["):rep(1000)} do nothing("this is not JSON", json.decode(s)) end`,
		`nothing("(offset 4)", json.decode("[1, x]"))`,
		`local deep = {} local v = deep for i = 1, 100 do v[1] = {} v = v[1] end fails("nested more than", json.encode, deep)`,
		`local t = {} t.t = t fails("json.encode: .t: the table contains itself", json.encode, t)`,
		`fails("not finite", json.encode, 0/0) fails("base64_encode", json.encode, binary("x")) fails("not valid UTF-8", json.encode, "\255")
		 fails("a function cannot be sent", json.encode, print) fails("value expected", json.encode) fails("both positions", json.encode, {1, a = 2})`,
		`fails("string expected", json.decode, 1)`,
	)
}

func TestURLModule(t *testing.T) {
	runAll(t,
		`local u = url.parse("https://joe:p%40ss@example.com:8443/a%20b/c?x=1&y=2#top")
		 is(u.scheme, "https") is(u.user, "joe") is(u.password, "p@ss") is(u.host, "example.com") is(u.port, "8443") is(u.path, "/a b/c") is(u.query, "x=1&y=2") is(u.fragment, "top")`,
		`local u = url.parse("/only") is(u.path, "/only") is(u.host, nil) is(u.query, nil) is(url.parse("mailto:a@b.c").path, "a@b.c") is(url.parse("http://[::1]:80").host, "::1")`,
		`nothing("this is not a URL", url.parse("http://a b")) nothing("this is not a URL", url.parse("%zz")) nothing("this is not a URL", url.parse("\1"))`,
		`is(url.escape("a b&=é"), "a+b%26%3D%C3%A9") is(url.unescape("a+b%26%3D%C3%A9"), "a b&=é") nothing("not escaped", url.unescape("%"))`,
		`is(url.query_encode{b = {1, 2}, a = "x y", c = true}, "a=x+y&b=1&b=2&c=true") is(url.query_encode{}, "")`,
		`local q = url.query_decode("a=x+y&b=1&b=2&c") is(q.a, "x y") is(#q.b, 2) is(q.b[2], "2") is(q.c, "") nothing("not the query", url.query_decode("a=%"))`,
		`fails("names must be strings", url.query_encode, {1}) fails("the value of a must be", url.query_encode, {a = print})`,
	)
}

func TestTimeAndEnv(t *testing.T) {
	runAll(t,
		`is(time.parse("1970-01-01T00:00:01.5Z"), 1.5) is(time.parse("2026-11-26T12:00:00+01:00"), time.parse("2026-11-26T11:00:00Z"))`,
		`is(time.format(1.5), "1970-01-01T00:00:01.5Z") is(time.format(0), "1970-01-01T00:00:00Z") is(time.format(time.parse("2026-11-26T12:00:00+01:00")), "2026-11-26T11:00:00Z")`,
		`for _, s in ipairs{"", "yesterday", "2026-11-26", "2026-13-26T12:00:00Z", "2026-11-26 12:00:00Z"} do nothing("this is not a time", time.parse(s)) end`,
		`for _, n in ipairs{1e300, -1e300, 0/0, 1/0} do fails("the year must be", time.format, n) end fails("number expected", time.format, "1")`,
		`assert(time.now() > 1e9 and time.monotonic() >= 0) is(env.get("HOME"), nil)`,
	)
	L := cryptoVM(t, Options{Getenv: func(name string) (string, bool) { return "v", name == "A" }})
	run(t, L, `is(env.get("A"), "v") is(env.get("B"), nil) fails("string expected", env.get)`)
}

// What comes from others must not break anything, whatever it is.
func FuzzDecoders(f *testing.F) {
	for _, s := range []string{"", "{}", `{"a":[1,null]}`, "Zg==", "00ff", "I\u00adX\u2168\u0627", "a=1&a=2", "http://u:p@h:1/p?q#f", "2026-11-26T12:00:00Z",
		"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UifQ.", `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`} {
		f.Add(s)
	}
	L := cryptoVM(f, Options{})
	f.Fuzz(func(t *testing.T, s string) {
		L.SetGlobal("s", lua.LString(s))
		if err := L.DoString(`
local v = json.decode(s)
if v ~= nil then assert(json.encode(json.decode(json.encode(v))) == json.encode(v)) end
for _, name in ipairs{"base64", "base64url", "base32", "hex"} do
  local d = crypto[name .. "_decode"](s)
  if d then assert(crypto[name .. "_decode"](crypto[name .. "_encode"](d)) == d) end
end
url.parse(s)
local q = url.query_decode(s) if q then url.query_encode(q) end
assert(url.unescape(url.escape(s)) == s)
time.parse(s)
pcall(crypto.totp, s) assert(crypto.totp_verify("GEZDGNBVGY3TQOJQGEZDGNBV", s, {time = 0}) == nil or #s == 6)
assert(crypto.jwt_verify(s, {key = ("k"):rep(32), algorithm = "HS256"}) == nil)
pcall(crypto.jwt_verify, "a.b.c", {jwks = s})
pcall(crypto.jwt_verify, "a.b.c", {key = s, algorithm = "RS256"})`); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if h, err := parsePHC(s); err == nil {
			_ = h.check()
		}
		if once, err := saslPrep(s); err == nil {
			if twice, err := saslPrep(once); err != nil || twice != once {
				t.Errorf("%q becomes %q, and that %q, %v", s, once, twice, err)
			}
		}
	})
}
