package client

import (
	"bytes"
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// The credentials of one user for each method.
const (
	password = "pass,word="
	salt     = "O8PKAd0dUByhwi4cXX0W/g=="
)

var key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0x11}, 32))

func scramKeys(salted []byte, kdf string, memory int) auth.Credentials {
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return auth.Credentials{KDF: kdf, Salt: salt, Iterations: 3, Memory: memory, StoredKey: stored[:], ServerKey: mac(salted, "Server Key")}
}

// withMethods makes the router ask for proofs. The users' authids need escaping.
func withMethods(t *testing.T, r *testRouter) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(salt)
	if err != nil {
		t.Fatal(err)
	}
	derived, err := pbkdf2.Key(sha256.New, password, []byte("salt123"), 100, 16)
	if err != nil {
		t.Fatal(err)
	}
	byPBKDF2, err := pbkdf2.Key(sha256.New, password, raw, 3, 32)
	if err != nil {
		t.Fatal(err)
	}
	byArgon2 := argon2.IDKey([]byte(password), raw, 3, 64, 1, 32)
	r.endpoint.Auth = auth.Methods{
		Ticket: &auth.Ticket{Principals: map[string]auth.StaticTicket{"joe": {Ticket: password, Role: "user"}}},
		WAMPCRA: auth.NewWAMPCRA(map[string]auth.User{
			"joe": {Role: "user", Credentials: auth.Credentials{Secret: password}},
			"ann": {Role: "user", Credentials: auth.Credentials{Secret: base64.StdEncoding.EncodeToString(derived), Salt: "salt123", Iterations: 100, Keylen: 16}},
		}),
		SCRAM: auth.NewSCRAM(map[string]auth.User{
			"j=o,e":   {Role: "user", Credentials: scramKeys(byPBKDF2, auth.KDFPBKDF2, 0)},
			"a=n,n":   {Role: "user", Credentials: scramKeys(byArgon2, auth.KDFArgon2id, 64)},
			"theirs=": {Role: "user", Credentials: scramKeys([]byte(base64.RawStdEncoding.EncodeToString(byArgon2)), auth.KDFArgon2id, 64)},
		}),
		Cryptosign: auth.NewCryptosign(map[string]auth.User{
			"joe": {Role: "user", Credentials: auth.Credentials{AuthorizedKeys: []string{hex.EncodeToString(key.Public().(ed25519.PublicKey))}}},
		}),
	}
}

// TestProvers logs in by every method, over every format, and not with a wrong
// secret.
func TestProvers(t *testing.T) {
	r := newRouter(t)
	withMethods(t, r)
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0x12}, 32))
	for _, test := range []struct {
		name, authid string
		right, wrong func() Prover
	}{
		{"wampcra", "joe", func() Prover { return WAMPCRA(password) }, func() Prover { return WAMPCRA("wrong") }},
		{"wampcra", "ann", func() Prover { return WAMPCRA(password) }, func() Prover { return WAMPCRA("wrong") }},
		{"wampcra", "nobody", nil, func() Prover { return WAMPCRA(password) }},
		{"wamp-scram", "j=o,e", func() Prover { return SCRAM("wamp-scram", "j=o,e", password) }, func() Prover { return SCRAM("wamp-scram", "j=o,e", "wrong") }},
		{"wamp-scram", "a=n,n", func() Prover { return SCRAM("wamp-scram", "a=n,n", password) }, func() Prover { return SCRAM("wamp-scram", "a=n,n", "wrong") }},
		{"scram", "j=o,e", func() Prover { return SCRAM("scram", "j=o,e", password) }, func() Prover { return SCRAM("scram", "j=o,e", "wrong") }},
		{"scram", "theirs=", func() Prover { return SCRAM("scram", "theirs=", password) }, func() Prover { return SCRAM("scram", "theirs=", "wrong") }},
		{"wamp-scram", "theirs=", nil, func() Prover { return SCRAM("wamp-scram", "theirs=", password) }},
		{"wamp-scram", "nobody", nil, func() Prover { return SCRAM("wamp-scram", "nobody", password) }},
		{"cryptosign", "joe", func() Prover { return Cryptosign(key, "") }, func() Prover { return Cryptosign(other, "") }},
		{"cryptosign", "", func() Prover { return Cryptosign(key, "") }, func() Prover { return Cryptosign(other, "") }},
		{"cryptosign", "nobody", nil, func() Prover { return Cryptosign(key, "") }},
	} {
		for _, format := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
			if test.right != nil {
				c, err := Join(t.Context(), r.dial(format), Options{Realm: "realm1", Authid: test.authid, Provers: []Prover{test.right()}})
				if err != nil {
					t.Errorf("%s as %s by %s: %v", test.name, test.authid, format, err)
					continue
				}
				if w := c.Welcome(); w.Authmethod != test.name || w.Authrole != "user" || test.authid != "" && w.Authid != test.authid {
					t.Errorf("%s as %s by %s: %+v", test.name, test.authid, format, w)
				}
				c.Close()
			}
			_, err := Join(t.Context(), r.dial(format), Options{Realm: "realm1", Authid: test.authid, Provers: []Prover{test.wrong()}})
			var abort *AbortError
			if !errors.As(err, &abort) || abort.Reason != wamp.ErrAuthenticationDenied {
				t.Errorf("wrong %s as %s by %s: %v", test.name, test.authid, format, err)
			}
		}
	}
}

// TestProversInOrder: the first that the router offers is taken, and what the user of
// the package says in authextra stays.
func TestProversInOrder(t *testing.T) {
	r := newRouter(t)
	withMethods(t, r)
	c, err := Join(t.Context(), r.dial(wamp.CBOR), Options{Realm: "realm1", Authid: "joe",
		Authextra: wamp.Value{Format: wamp.JSON, Bytes: []byte(`{"own":[1],"nonce":"x"}`)},
		Provers:   []Prover{Anonymous(), Certificate(), Cryptosign(key, ""), WAMPCRA(password)}})
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Welcome(); w.Authmethod != "cryptosign" {
		t.Errorf("%+v", w)
	}
	c.Close()
	if _, err := Join(t.Context(), r.dial(wamp.JSON), Options{Realm: "realm1", Provers: []Prover{Cryptosign(key, "tls-exporter")}}); err == nil || !strings.Contains(err.Error(), "is not available on this connection") {
		t.Errorf("%v", err)
	}
	all, err := joinDicts(wamp.Value{Format: wamp.JSON, Bytes: []byte(`{"own":[1],"nonce":"x"}`)}, wamp.Value{Format: wamp.JSON, Bytes: []byte(`{"nonce":"y"}`)})
	if err != nil || string(all.Bytes) != `{"nonce":"y","own":[1]}` {
		t.Errorf("%s, %v", all.Bytes, err)
	}
}

// TestSCRAMTranscript holds the computation against an exchange of Crossbar.io's
// client.
func TestSCRAMTranscript(t *testing.T) {
	p := &scramProver{silent: silent{auth.MethodCrossbarSCRAM}, authid: "sam", password: "sam-password", nonce: "LQoK5r8tWCOr9vwMwtvitQ=="}
	a, err := p.Answer(t.Context(), &wamp.Challenge{Method: "scram", Extra: wamp.Value{Format: wamp.JSON, Bytes: []byte(
		`{"nonce":"LQoK5r8tWCOr9vwMwtvitXaa6k2V/MpAlShI0wKNqYQ=","kdf":"pbkdf2","salt":"O8PKAd0dUByhwi4cXX0W/g==","iterations":4096,"memory":0}`)}})
	if err != nil || a.Signature != "Fr0yVsTWKMCcgzc/txsYZcyWVgk8DKK45U8JOxglEEU=" {
		t.Errorf("%+v, %v", a, err)
	}
	if err := p.Welcomed(wamp.Value{Format: wamp.JSON, Bytes: []byte(`{"scram_server_signature":"8Yt7VemDodqC5FWfz8Gv+LkqMhlgvepHEO2kOGqpdeE="}`)}); err != nil {
		t.Error(err)
	}
}

// TestRoutersMustProveThemselves to a client of SCRAM, and may not make it work
// without bound.
func TestRoutersMustProveThemselves(t *testing.T) {
	challenge := func(extra string) *wamp.Challenge {
		return &wamp.Challenge{Method: "wamp-scram", Extra: wamp.Value{Format: wamp.JSON, Bytes: []byte(extra)}}
	}
	const nonce = `"nonce":"LQoK5r8tWCOr9vwMwtvitXaa6k2V/MpAlShI0wKNqYQ=","salt":"AAAA"`
	for _, test := range []struct{ extra, welcome, want string }{
		{`{` + nonce + `,"kdf":"pbkdf2","iterations":3}`, `{"verifier":"AAAA"}`, "has not proved"},
		{`{` + nonce + `,"kdf":"pbkdf2","iterations":3}`, `{}`, "has not proved"},
		{`{` + nonce + `,"kdf":"pbkdf2","iterations":30000000}`, ``, "more work"},
		{`{` + nonce + `,"kdf":"argon2id13","iterations":3,"memory":2000000}`, ``, "more work"},
		{`{` + nonce + `,"kdf":"pbkdf2","iterations":0}`, ``, "no iterations"},
		{`{` + nonce + `,"kdf":"md5","iterations":1}`, ``, "does not have"},
		{`{"nonce":"other","salt":"AAAA","kdf":"pbkdf2","iterations":3}`, ``, "does not go on from"},
		{`{"nonce":"LQoK5r8tWCOr9vwMwtvitQ==","salt":"AAAA","kdf":"pbkdf2","iterations":3}`, ``, "does not go on from"},
		{`[]`, ``, "read the router's challenge"},
	} {
		p := &scramProver{silent: silent{auth.MethodSCRAM}, authid: "sam", password: "x", nonce: "LQoK5r8tWCOr9vwMwtvitQ=="}
		_, err := p.Answer(t.Context(), challenge(test.extra))
		if err == nil {
			err = p.Welcomed(wamp.Value{Format: wamp.JSON, Bytes: []byte(test.welcome)})
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %s: %v, want %q", test.extra, test.welcome, err, test.want)
		}
	}
	// A WELCOME without a challenge is no proof either.
	ours, theirs := transport.Pair(wamp.JSON, transport.Options{})
	defer theirs.Close(transport.CloseNormal)
	s := &scripted{t: t, conn: theirs}
	done := make(chan error, 1)
	go func() { // ends with Join
		_, err := Join(t.Context(), ours, Options{Realm: "realm1", Authid: "sam", Provers: []Prover{SCRAM("wamp-scram", "sam", "x")}})
		done <- err
	}()
	s.receive()
	s.send(&wamp.Welcome{Session: 1, Authmethod: "anonymous"})
	if err := <-done; err == nil || !strings.Contains(err.Error(), "has not proved") {
		t.Errorf("%v", err)
	}
}

// FuzzChallenge: whatever a router sends as a challenge or for its proof, a client
// answers or gives up.
func FuzzChallenge(f *testing.F) {
	f.Add([]byte(`{"challenge":"{}","salt":"x","iterations":100,"keylen":16}`), []byte(`{}`))
	f.Add([]byte(`{"challenge":"`+strings.Repeat("ab", 32)+`","channel_binding":null}`), []byte(`null`))
	f.Add([]byte(`{"nonce":"LQoK5r8tWCOr9vwMwtvitXaa6k2V/MpAlShI0wKNqYQ=","kdf":"argon2id13","salt":"AAAA","iterations":1,"memory":0}`), []byte(`{"verifier":"AAAA"}`))
	f.Add([]byte(`{"nonce":"LQoK5r8tWCOr9vwMwtvitXaa6k2V/MpAlShI0wKNqYQ=","kdf":"pbkdf2","salt":"","iterations":1}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, extra, welcome []byte) {
		c := &wamp.Challenge{Extra: wamp.Value{Format: wamp.JSON, Bytes: extra}}
		if e, err := readChallenge(c); err == nil && (e.Iterations > 100 || e.Memory > 1024) {
			return // right, and slow
		}
		for _, p := range []Prover{
			WAMPCRA("secret"), Cryptosign(key, ""),
			&scramProver{silent: silent{auth.MethodSCRAM}, authid: "a", password: "b", nonce: "LQoK5r8tWCOr9vwMwtvitQ=="},
			&scramProver{silent: silent{auth.MethodCrossbarSCRAM}, authid: "a", password: "b", nonce: "LQoK5r8tWCOr9vwMwtvitQ=="},
		} {
			a, err := p.Answer(t.Context(), c)
			if (err == nil) != (a != nil) || a != nil && a.Signature == "" {
				t.Errorf("%s: %+v, %v", p.Method(), a, err)
			}
			if _, mutual := p.(*scramProver); mutual && p.Welcomed(wamp.Value{Format: wamp.JSON, Bytes: welcome}) == nil {
				t.Errorf("%s: %q is taken for a proof", p.Method(), welcome)
			}
		}
	})
}
