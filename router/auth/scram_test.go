package auth

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
)

// scramUser derives keys by PBKDF2 with the salt and cost of the transcript.
func scramUser(t *testing.T, password string) Credentials {
	t.Helper()
	const salt = "O8PKAd0dUByhwi4cXX0W/g=="
	raw, err := base64.StdEncoding.DecodeString(salt)
	if err != nil {
		t.Fatal(err)
	}
	salted, err := pbkdf2.Key(sha256.New, password, raw, 4096, 32)
	if err != nil {
		t.Fatal(err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return Credentials{KDF: "pbkdf2", Salt: salt, Iterations: 4096, StoredKey: stored[:], ServerKey: mac(salted, "Server Key")}
}

// TestSCRAMTranscript holds the computation against an exchange between
// Crossbar.io and its client.
func TestSCRAMTranscript(t *testing.T) {
	s := &scramDialogue{
		principal:   &Principal{Role: "frontend", Realm: "realm1", Authid: "sam"},
		credentials: scramUser(t, "sam-password"),
		nonce:       "LQoK5r8tWCOr9vwMwtvitXaa6k2V/MpAlShI0wKNqYQ=",
	}
	d := &Dialogue{
		Request: &Request{Authid: "sam", Authmethod: "scram", Extra: Extra{Nonce: "LQoK5r8tWCOr9vwMwtvitQ=="}},
		realms:  testRealms, method: s, state: waitsForAnswer,
	}
	o := d.Answer(&Answer{Signature: "Fr0yVsTWKMCcgzc/txsYZcyWVgk8DKK45U8JOxglEEU="})
	if o.Accept == nil {
		t.Fatalf("came to %q", outcome(o))
	}
	if got := o.Accept.Proof["scram_server_signature"]; got != "8Yt7VemDodqC5FWfz8Gv+LkqMhlgvepHEO2kOGqpdeE=" {
		t.Errorf("the router's proof is %q", got)
	}
}

const own = "LQoK5r8tWCOr9vwMwtvitQ==" // a client's half of the nonce

// prove is what a client of SCRAM with that half answers to a challenge, and what
// the router is to prove in turn.
func prove(extra map[string]any, name, password, binding string) (proof, verifier string) {
	salt, nonce := extra["salt"].(string), extra["nonce"].(string)
	raw, _ := base64.StdEncoding.DecodeString(salt)
	salted, _ := pbkdf2.Key(sha256.New, password, raw, int(extra["iterations"].(float64)), 32)
	client := mac(salted, "Client Key")
	stored := sha256.Sum256(client)
	message := "n=" + name + ",r=" + own + ",r=" + nonce + ",s=" + salt + ",i=4096,c=" + binding + ",r=" + nonce
	signature := mac(stored[:], message)
	for i := range signature {
		signature[i] ^= client[i]
	}
	return base64.StdEncoding.EncodeToString(signature), base64.StdEncoding.EncodeToString(mac(mac(salted, "Server Key"), message))
}

// TestSCRAMIsBoundToItsSession: the proof of one session is none in another, though
// the client's half of the nonce is the same.
func TestSCRAMIsBoundToItsSession(t *testing.T) {
	m := &Methods{SCRAM: NewSCRAM(map[string]User{"sam": {Role: "frontend", Credentials: scramUser(t, "sam-password")}})}
	for _, method := range []string{"scram", "wamp-scram"} {
		request := func() *Request { return &Request{Realm: "realm1", Authid: "sam", Extra: Extra{Nonce: own}} }
		_, first := Begin(m, testRealms, request(), []string{method})
		d, second := Begin(m, testRealms, request(), []string{method})
		binding := "biws"
		if method == "scram" {
			binding = ""
		}
		old, _ := prove(extraOf(t, first), "sam", "sam-password", binding)
		nonce := extraOf(t, second)["nonce"].(string)
		if got := outcome(d.Answer(&Answer{Signature: old, Extra: Extra{Nonce: nonce}})); got != "refuse wamp.error.authentication_denied" {
			t.Errorf("%s: a replayed proof came to %q", method, got)
		}
	}
}

// TestSCRAMOfACrossbarClient: it need not repeat the nonce. Where it says something,
// that must be so.
func TestSCRAMOfACrossbarClient(t *testing.T) {
	m := &Methods{SCRAM: NewSCRAM(map[string]User{"sam": {Role: "frontend", Credentials: scramUser(t, "sam-password")}})}
	for _, test := range []struct {
		extra func(nonce string) Extra
		want  string
	}{
		{func(string) Extra { return Extra{} }, "accept realm1 frontend static"},
		{func(nonce string) Extra { return Extra{Nonce: nonce} }, "accept realm1 frontend static"},
		{func(string) Extra { return Extra{Nonce: own} }, "refuse wamp.error.authentication_denied"},
		{func(nonce string) Extra { return Extra{Nonce: nonce, ChannelBinding: "tls-unique"} }, "refuse wamp.error.authentication_denied"},
		{func(nonce string) Extra { return Extra{Nonce: nonce, CbindData: "AAAA"} }, "refuse wamp.error.authentication_denied"},
	} {
		d, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "sam", Extra: Extra{Nonce: own}}, []string{"scram"})
		extra := extraOf(t, o)
		proof, _ := prove(extra, "sam", "sam-password", "")
		said := test.extra(extra["nonce"].(string))
		if got := outcome(d.Answer(&Answer{Signature: proof, Extra: said})); got != test.want {
			t.Errorf("%+v: got %q, want %q", said, got, test.want)
		}
	}
}

// TestSCRAM plays the client of the specification.
func TestSCRAM(t *testing.T) {
	m := &Methods{SCRAM: NewSCRAM(map[string]User{
		"sam":    {Role: "frontend", Credentials: scramUser(t, "sam-password")},
		"a=b,c":  {Role: "frontend", Credentials: scramUser(t, "odd")},
		"ghost":  {Role: "ghost", Credentials: scramUser(t, "boo")},
		"second": {Role: "frontend", Credentials: scramUser(t, "sam-password")},
	})}
	for _, test := range []struct {
		name, authid, password string
		change                 func(extra map[string]any, a *Answer)
		want                   string
	}{
		{"right", "sam", "sam-password", nil, "accept realm1 frontend static"},
		{"an authid that must be escaped", "a=b,c", "odd", nil, "accept realm1 frontend static"},
		{"wrong password", "sam", "sam-passwore", nil, "refuse wamp.error.authentication_denied"},
		{"unknown user", "nobody", "sam-password", nil, "refuse wamp.error.authentication_denied"},
		{"a role that does not exist", "ghost", "boo", nil, "refuse wamp.error.no_such_role"},
		{"another nonce", "sam", "sam-password", func(_ map[string]any, a *Answer) { a.Extra.Nonce = own }, "refuse wamp.error.authentication_denied"},
		{"no nonce", "sam", "sam-password", func(_ map[string]any, a *Answer) { a.Extra.Nonce = "" }, "refuse wamp.error.authentication_denied"},
		{"a channel binding that was not announced", "sam", "sam-password", func(_ map[string]any, a *Answer) { a.Extra.ChannelBinding = "tls-unique" }, "refuse wamp.error.authentication_denied"},
		{"data of a channel binding", "sam", "sam-password", func(_ map[string]any, a *Answer) { a.Extra.CbindData = "AAAA" }, "refuse wamp.error.authentication_denied"},
		{"no signature", "sam", "sam-password", func(_ map[string]any, a *Answer) { a.Signature = "" }, "refuse wamp.error.authentication_denied"},
		{"a long signature", "sam", "sam-password", func(_ map[string]any, a *Answer) { a.Signature = strings.Repeat("A", 88) }, "refuse wamp.error.authentication_denied"},
		{"half a signature", "sam", "sam-password", func(_ map[string]any, a *Answer) { a.Signature = a.Signature[:20] }, "refuse wamp.error.authentication_denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: test.authid, Extra: Extra{Nonce: own}}, []string{"wamp-scram"})
			extra := extraOf(t, o)
			nonce := extra["nonce"].(string)
			if !strings.HasPrefix(nonce, own) || len(nonce) < len(own)+20 {
				t.Fatalf("the nonce is %q", nonce)
			}
			escaped := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(test.authid)
			proof, verifier := prove(extra, escaped, test.password, "biws")
			a := &Answer{Signature: proof, Extra: Extra{Nonce: nonce}}
			if test.change != nil {
				test.change(extra, a)
			}
			o = d.Answer(a)
			if got := outcome(o); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			if o.Accept != nil {
				if o.Accept.Proof["verifier"] != verifier || !o.Accept.Credentials.IsZero() {
					t.Errorf("accepted with %+v", o.Accept)
				}
			}
		})
	}
	for _, nonce := range []string{"", "short", "not base64!!", strings.Repeat("A", 400)} {
		_, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "sam", Extra: Extra{Nonce: nonce}}, []string{"wamp-scram"})
		if got := outcome(o); got != "refuse wamp.error.authentication_denied" {
			t.Errorf("the nonce %q came to %q", nonce, got)
		}
	}
	_, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "sam", Extra: Extra{Nonce: own, ChannelBinding: "tls-unique"}}, []string{"wamp-scram"})
	if got := outcome(o); got != "refuse wamp.error.authentication_denied" {
		t.Errorf("a channel binding without TLS came to %q", got)
	}
}

func TestCheckSCRAM(t *testing.T) {
	argon := scramUser(t, "sam-password")
	argon.KDF, argon.Memory, argon.Iterations = KDFArgon2id, 64<<10, 3
	for _, test := range []struct {
		name   string
		change func(c *Credentials)
		want   string // the error; empty: none
	}{
		{"good", func(*Credentials) {}, ""},
		{"Crossbar.io's name of the KDF", func(c *Credentials) { c.KDF = "argon2id-13" }, ""},
		{"another KDF", func(c *Credentials) { c.KDF = "bcrypt" }, "the kdf must be"},
		{"a salt of digits", func(c *Credentials) { c.Salt = "3bc3ca01dd1d501ca1c22e1c5d7d16fe" }, ""},
		{"no salt", func(c *Credentials) { c.Salt = "" }, "the salt must be"},
		{"a salt that is neither", func(c *Credentials) { c.Salt = "salt!" }, "the salt must be"},
		{"no iterations", func(c *Credentials) { c.Iterations = 0 }, "iterations must be"},
		{"too many iterations", func(c *Credentials) { c.Iterations = maxIterations + 1 }, "iterations must be"},
		{"too little memory", func(c *Credentials) { c.Memory = 7 }, "memory must be"},
		{"too much memory", func(c *Credentials) { c.Memory = maxMemory + 1 }, "memory must be"},
		{"memory of pbkdf2", func(c *Credentials) { c.KDF = KDFPBKDF2 }, "pbkdf2 has no memory"},
		{"half a stored key", func(c *Credentials) { c.StoredKey = c.StoredKey[:16] }, "must have 32 bytes"},
		{"no server key", func(c *Credentials) { c.ServerKey = nil }, "must have 32 bytes"},
		{"a secret", func(c *Credentials) { c.Secret = "s" }, "does not have"},
		{"keys", func(c *Credentials) { c.AuthorizedKeys = []string{} }, "does not have"},
	} {
		c := argon
		test.change(&c)
		err := c.CheckSCRAM()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err == nil && (c.KDF != KDFArgon2id || c.Salt != argon.Salt) {
			t.Errorf("%s: written as %+v", test.name, c)
		}
	}
	// What is base64, too, is digits only if nobody could take it for anything else.
	for salt, want := range map[string]string{"3bc3ca01dd1d501C": "3bc3ca01dd1d501C", "abcdef01": "abcdef01"} {
		c := argon
		if c.Salt = salt; c.CheckSCRAM() != nil || c.Salt != want {
			t.Errorf("%s is written as %s", salt, c.Salt)
		}
	}
}
