package auth

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// extraOf is a challenge's extra as a client reads it.
func extraOf(t *testing.T, o Outcome) map[string]any {
	t.Helper()
	if o.Challenge == nil {
		t.Fatalf("came to %q, want a challenge", outcome(o))
	}
	var extra map[string]any
	if err := json.Unmarshal(o.Challenge.Extra.Bytes, &extra); err != nil {
		t.Fatal(err)
	}
	return extra
}

// sign signs a challenge of WAMP-CRA as clients do.
func sign(t *testing.T, extra map[string]any, password string) string {
	t.Helper()
	key := []byte(password)
	if salt, ok := extra["salt"].(string); ok {
		derived, err := pbkdf2.Key(sha256.New, password, []byte(salt), int(extra["iterations"].(float64)), int(extra["keylen"].(float64)))
		if err != nil {
			t.Fatal(err)
		}
		key = []byte(base64.StdEncoding.EncodeToString(derived))
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(extra["challenge"].(string)))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// The users of Crossbar.io's example: peter's secret is plain, paula's is salted
// (password secret2).
func craUsers() map[string]User {
	return map[string]User{
		"peter": {Role: "frontend", Credentials: Credentials{Secret: "secret1"}},
		"paula": {Role: "frontend", Credentials: Credentials{Secret: saltedSecret, Salt: "salt123", Iterations: 100, Keylen: 16}},
		"ghost": {Role: "ghost", Credentials: Credentials{Secret: "boo"}},
		"bound": {Role: "frontend", Realm: "realm2", Credentials: Credentials{Secret: "b"}},
	}
}

// saltedSecret is PBKDF2 of secret2.
var saltedSecret = func() string {
	key, _ := pbkdf2.Key(sha256.New, "secret2", []byte("salt123"), 100, 16)
	return base64.StdEncoding.EncodeToString(key)
}()

func TestWAMPCRA(t *testing.T) {
	m := &Methods{WAMPCRA: NewWAMPCRA(craUsers())}
	for _, test := range []struct{ realm, authid, password, want string }{
		{"realm1", "peter", "secret1", "accept realm1 frontend static"},
		{"realm1", "paula", "secret2", "accept realm1 frontend static"},
		{"realm1", "peter", "secret2", "refuse wamp.error.authentication_denied"},
		{"realm1", "paula", "secret1", "refuse wamp.error.authentication_denied"},
		{"realm1", "nobody", "secret1", "refuse wamp.error.authentication_denied"},
		{"realm1", "ghost", "boo", "refuse wamp.error.no_such_role"},
		{"realm1", "ghost", "wrong", "refuse wamp.error.authentication_denied"},
		{"realm2", "bound", "b", "accept realm2 frontend static"},
		{"realm1", "bound", "b", "refuse wamp.error.authentication_denied"},
	} {
		r := &Request{Realm: test.realm, Authid: test.authid, Session: 17}
		d, o := Begin(m, testRealms, r, []string{"wampcra"})
		extra := extraOf(t, o)
		var challenge map[string]any
		if err := json.Unmarshal([]byte(extra["challenge"].(string)), &challenge); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"authid", "authrole", "authmethod", "authprovider", "nonce", "timestamp"} {
			if s, _ := challenge[key].(string); s == "" {
				t.Errorf("%s: the challenge has no %s", test.authid, key)
			}
		}
		if challenge["session"] != 17.0 || challenge["authid"] != test.authid {
			t.Errorf("%s: the challenge is %v", test.authid, challenge)
		}
		if got := outcome(d.Answer(&Answer{Signature: sign(t, extra, test.password)})); got != test.want {
			t.Errorf("%s with %q on %s: got %q, want %q", test.authid, test.password, test.realm, got, test.want)
		}
		if got := outcome(d.Answer(&Answer{Signature: sign(t, extra, test.password)})); got != "fail" {
			t.Errorf("%s: a second AUTHENTICATE came to %q", test.authid, got)
		}
	}
}

// TestWAMPCRAIsBoundToItsSession: the signature of one challenge answers no other,
// and challenges do not repeat.
func TestWAMPCRAIsBoundToItsSession(t *testing.T) {
	m := &Methods{WAMPCRA: NewWAMPCRA(craUsers())}
	request := func() *Request { return &Request{Realm: "realm1", Authid: "peter", Session: 5} }
	_, first := Begin(m, testRealms, request(), []string{"wampcra"})
	d, second := Begin(m, testRealms, request(), []string{"wampcra"})
	old := sign(t, extraOf(t, first), "secret1")
	if old == sign(t, extraOf(t, second), "secret1") {
		t.Fatal("two challenges are the same")
	}
	if got := outcome(d.Answer(&Answer{Signature: old})); got != "refuse wamp.error.authentication_denied" {
		t.Errorf("a replayed signature came to %q", got)
	}
}

// TestUnknownUsersLookLikeOthers: the challenge of an authid that does not exist has
// the parameters of one that does, the same each time and after a restart.
func TestUnknownUsersLookLikeOthers(t *testing.T) {
	salted := map[string]User{
		"paula": {Role: "frontend", Credentials: Credentials{Secret: saltedSecret, Salt: "salt123", Iterations: 100, Keylen: 16}},
	}
	extra := func(authid string) map[string]any {
		_, o := Begin(&Methods{WAMPCRA: NewWAMPCRA(salted)}, testRealms, &Request{Realm: "realm1", Authid: authid}, []string{"wampcra"})
		return extraOf(t, o)
	}
	known, unknown, again, other := extra("paula"), extra("nobody"), extra("nobody"), extra("somebody")
	if unknown["iterations"] != known["iterations"] || unknown["keylen"] != known["keylen"] || len(unknown["salt"].(string)) != len("salt123") {
		t.Errorf("the unknown user's challenge is %v, a known one's %v", unknown, known)
	}
	if unknown["salt"] != again["salt"] {
		t.Errorf("the salt of an unknown user is first %v, then %v", unknown["salt"], again["salt"])
	}
	if unknown["salt"] == other["salt"] || unknown["salt"] == known["salt"] {
		t.Errorf("users share the salt %v", unknown["salt"])
	}

	// Who has read this code must not be able to tell a salt that is made up.
	another := NewWAMPCRA(map[string]User{
		"paula": {Role: "frontend", Credentials: Credentials{Secret: "another", Salt: "salt123", Iterations: 100, Keylen: 16}},
	})
	if another.decoy("nobody").Credentials.Salt == unknown["salt"] {
		t.Errorf("routers with other users share the salt %v", unknown["salt"])
	}
	if secret := another.decoy("nobody").Credentials.Secret; secret == "another" || secret == "" {
		t.Errorf("the secret of nobody is %q", secret)
	}

	sam := scramUser(t, "sam-password")
	decoy := (&scramDialogue{method: NewSCRAM(map[string]User{"sam": {Role: "frontend", Credentials: sam}})}).decoy("nobody")
	if len(decoy.StoredKey) != 32 || bytes.Equal(decoy.StoredKey, sam.StoredKey) || bytes.Equal(decoy.ServerKey, sam.ServerKey) {
		t.Errorf("the keys of nobody are %+v", decoy)
	}
	keys := func(authid string) map[string]any {
		m := NewSCRAM(map[string]User{"sam": {Role: "frontend", Credentials: scramUser(t, "sam-password")}})
		_, o := Begin(&Methods{SCRAM: m}, testRealms, &Request{Realm: "realm1", Authid: authid, Extra: Extra{Nonce: "LQoK5r8tWCOr9vwMwtvitQ=="}}, []string{"wamp-scram"})
		return extraOf(t, o)
	}
	known, unknown, again = keys("sam"), keys("nobody"), keys("nobody")
	if unknown["kdf"] != known["kdf"] || unknown["iterations"] != known["iterations"] || len(unknown["salt"].(string)) != len(known["salt"].(string)) ||
		unknown["salt"] != again["salt"] || unknown["salt"] == known["salt"] {
		t.Errorf("the unknown user's challenge is %v, then %v, a known one's %v", unknown, again, known)
	}
}

// TestDynamicCredentials is DESIGN's table of what an authenticator may return for
// each method.
func TestDynamicCredentials(t *testing.T) {
	dynamic := &Dynamic{URI: "com.example.authenticate"}
	m := &Methods{
		Anonymous: &Anonymous{Authenticator: dynamic}, Ticket: &Ticket{Authenticator: dynamic},
		WAMPCRA: &WAMPCRA{Authenticator: dynamic}, SCRAM: &SCRAM{Authenticator: dynamic}, Cryptosign: &Cryptosign{Authenticator: dynamic},
	}
	scram := scramUser(t, "sam-password")
	for _, test := range []struct {
		name, method string
		credentials  Credentials
		want         string
	}{
		{"a role", "anonymous", Credentials{}, "accept realm1 frontend dynamic"},
		{"a secret", "anonymous", Credentials{Secret: "s"}, "fail"},
		{"a role", "ticket", Credentials{}, "accept realm1 frontend dynamic"},
		{"a secret", "ticket", Credentials{Secret: "s"}, "fail"},
		{"no keys", "ticket", Credentials{AuthorizedKeys: []string{}}, "fail"},
		{"a role", "wampcra", Credentials{}, "fail"},
		{"a secret", "wampcra", Credentials{Secret: "s"}, "challenge wampcra"},
		{"a salted secret", "wampcra", Credentials{Secret: "s", Salt: "x", Iterations: 10, Keylen: 16}, "challenge wampcra"},
		{"iterations without a salt", "wampcra", Credentials{Secret: "s", Iterations: 10}, "fail"},
		{"too many iterations", "wampcra", Credentials{Secret: "s", Salt: "x", Iterations: 1 << 30}, "fail"},
		{"too long a key", "wampcra", Credentials{Secret: "s", Salt: "x", Keylen: 1 << 20}, "fail"},
		{"keys", "wampcra", Credentials{Secret: "s", AuthorizedKeys: []string{pubkeyOf(carl())}}, "fail"},
		{"a role", "wamp-scram", Credentials{}, "fail"},
		{"keys", "wamp-scram", scram, "challenge wamp-scram"},
		{"keys", "scram", scram, "challenge scram"},
		{"a secret", "wamp-scram", Credentials{Secret: "s"}, "fail"},
		{"half of the keys", "wamp-scram", Credentials{KDF: "pbkdf2", Salt: scram.Salt, Iterations: 10, StoredKey: scram.StoredKey}, "fail"},
		{"a role", "cryptosign", Credentials{}, "challenge cryptosign"},
		{"keys", "cryptosign", Credentials{AuthorizedKeys: []string{pubkeyOf(carl())}}, "challenge cryptosign"},
		{"no key", "cryptosign", Credentials{AuthorizedKeys: []string{}}, "challenge cryptosign"},
		{"a key that is none", "cryptosign", Credentials{AuthorizedKeys: []string{"abc"}}, "fail"},
		{"a secret", "cryptosign", Credentials{Secret: "s"}, "fail"},
	} {
		t.Run(test.method+" "+test.name, func(t *testing.T) {
			r := &Request{Realm: "realm1", Authid: "joe", Extra: Extra{Nonce: "LQoK5r8tWCOr9vwMwtvitQ==", Pubkey: pubkeyOf(carl())}}
			d, o := Begin(m, testRealms, r, []string{test.method})
			if test.method == "ticket" {
				o = d.Answer(&Answer{Signature: "t"})
			}
			if o.Ask != dynamic {
				t.Fatalf("came to %q, want the authenticator to be asked", outcome(o))
			}
			o = d.Decide(&Principal{Role: "frontend", Credentials: test.credentials}, nil)
			if got := outcome(o); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			if o.Challenge != nil {
				// No proof at all never admits anybody.
				if got := outcome(d.Answer(&Answer{})); got != "refuse wamp.error.authentication_denied" {
					t.Errorf("an empty AUTHENTICATE came to %q", got)
				}
			}
		})
	}
}

// TestDynamicProof: what a dynamic authenticator gave is what the proof is checked
// against.
func TestDynamicProof(t *testing.T) {
	dynamic := &Dynamic{URI: "com.example.authenticate"}
	m := &Methods{WAMPCRA: &WAMPCRA{Authenticator: dynamic}, Cryptosign: &Cryptosign{Authenticator: dynamic}}
	d, _ := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "joe"}, []string{"wampcra"})
	extra := extraOf(t, d.Decide(&Principal{Role: "frontend", Authid: "joe@example", Credentials: Credentials{Secret: "s3cret"}}, nil))
	o := d.Answer(&Answer{Signature: sign(t, extra, "s3cret")})
	if got := outcome(o); got != "accept realm1 frontend dynamic" || o.Accept.Authid != "joe@example" {
		t.Errorf("got %q as %+v", got, o.Accept)
	}
	for _, test := range []struct {
		keys []string
		want string
	}{
		{nil, "accept realm1 frontend dynamic"}, // the key that it was asked about
		{[]string{pubkeyOf(carl())}, "accept realm1 frontend dynamic"},
		{[]string{strings.Repeat("00", 32)}, "refuse wamp.error.authentication_denied"},
		{[]string{}, "refuse wamp.error.authentication_denied"},
	} {
		r := &Request{Realm: "realm1", Extra: Extra{Pubkey: pubkeyOf(carl())}}
		d, _ := Begin(m, testRealms, r, []string{"cryptosign"})
		if r.Pubkey != pubkeyOf(carl()) {
			t.Errorf("the authenticator is asked about %q", r.Pubkey)
		}
		extra := extraOf(t, d.Decide(&Principal{Role: "frontend", Authid: "carl", Credentials: Credentials{AuthorizedKeys: test.keys}}, nil))
		challenge, _ := hex.DecodeString(extra["challenge"].(string))
		if got := outcome(d.Answer(&Answer{Signature: hex.EncodeToString(ed25519.Sign(carl(), challenge))})); got != test.want {
			t.Errorf("keys %v: got %q, want %q", test.keys, got, test.want)
		}
	}
}

// TestAnswerWithoutChallenge: AUTHENTICATE counts only where something asked for it.
func TestAnswerWithoutChallenge(t *testing.T) {
	dynamic := &Dynamic{URI: "com.example.authenticate"}
	m := &Methods{Anonymous: &Anonymous{Authenticator: dynamic}, WAMPCRA: &WAMPCRA{Authenticator: dynamic}}
	for _, method := range []string{"anonymous", "wampcra"} {
		d, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "joe"}, []string{method})
		if o.Ask == nil {
			t.Fatal(outcome(o))
		}
		if got := outcome(d.Answer(&Answer{Signature: "x"})); got != "fail" {
			t.Errorf("%s: came to %q", method, got)
		}
		if got := outcome(d.Decide(&Principal{Role: "frontend", Credentials: Credentials{Secret: "x"}}, nil)); got != "fail" {
			t.Errorf("%s: a decision after that came to %q", method, got)
		}
	}
}

// TestDynamics: the URI of an authenticator is reserved whatever method asks it.
func TestDynamics(t *testing.T) {
	var want []*Dynamic
	next := func() *Dynamic {
		want = append(want, &Dynamic{URI: fmt.Sprint("com.example.", len(want))})
		return want[len(want)-1]
	}
	m := &Methods{
		Anonymous: &Anonymous{Authenticator: next()}, Ticket: &Ticket{Authenticator: next()}, WAMPCRA: &WAMPCRA{Authenticator: next()}, SCRAM: &SCRAM{Authenticator: next()},
		Cryptosign: &Cryptosign{Authenticator: next()}, TLS: &TLS{Authenticator: next()}, Cookie: &Cookie{Authenticator: next()},
	}
	if got := m.Dynamics(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := reflect.TypeOf(*m).NumField(); n != len(want) {
		t.Errorf("there are %d methods, and %d of them here", n, len(want))
	}
}

// TestChallengeParameters: each client is told the parameters in its own words, and
// the defaults of those that the configuration leaves out.
func TestChallengeParameters(t *testing.T) {
	pbkdf2 := scramUser(t, "sam-password")
	argon := pbkdf2
	argon.KDF, argon.Memory = KDFArgon2id, 64<<10
	m := &Methods{
		SCRAM:   NewSCRAM(map[string]User{"sam": {Role: "frontend", Credentials: pbkdf2}, "ann": {Role: "frontend", Credentials: argon}}),
		WAMPCRA: NewWAMPCRA(map[string]User{"sam": {Role: "frontend", Credentials: Credentials{Secret: "s", Salt: "x"}}}),
	}
	for _, test := range []struct {
		method, authid string
		want           map[string]any
	}{
		{"wamp-scram", "sam", map[string]any{"kdf": "pbkdf2", "memory": nil}},
		{"wamp-scram", "ann", map[string]any{"kdf": "argon2id13", "memory": 65536.0}},
		{"scram", "sam", map[string]any{"kdf": "pbkdf2", "memory": 0.0}},
		{"scram", "ann", map[string]any{"kdf": "argon2id-13", "memory": 65536.0}},
		{"wampcra", "sam", map[string]any{"salt": "x", "iterations": 1000.0, "keylen": 32.0}},
	} {
		_, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: test.authid, Extra: Extra{Nonce: own}}, []string{test.method})
		extra := extraOf(t, o)
		for name, want := range test.want {
			if extra[name] != want {
				t.Errorf("%s of %s: %s is %v, want %v", test.method, test.authid, name, extra[name], want)
			}
		}
	}
}

// TestChannelBinding: the proof is of the connection that it came over.
func TestChannelBinding(t *testing.T) {
	channel := []byte("the first finished message")
	over := func() *Transport { return &Transport{TLS: &tls.ConnectionState{TLSUnique: channel}} }
	const yes, no = "accept realm1 frontend static", "refuse wamp.error.authentication_denied"
	scram := &Methods{SCRAM: NewSCRAM(map[string]User{"sam": {Role: "frontend", Credentials: scramUser(t, "sam-password")}})}
	for _, method := range []string{"scram", "wamp-scram"} {
		for _, test := range []struct{ signed, data, kind, want string }{
			{string(channel), string(channel), "tls-unique", yes},
			{"another connection", "another connection", "tls-unique", no},
			{"another connection", string(channel), "tls-unique", no},
			{string(channel), "another connection", "tls-unique", no},
			{string(channel), "", "tls-unique", no},
			{string(channel), string(channel), "tls-exporter", no},
			{string(channel), string(channel), "", no},
		} {
			d, o := Begin(scram, testRealms, &Request{Realm: "realm1", Authid: "sam", Extra: Extra{Nonce: own, ChannelBinding: "tls-unique"}, Transport: over()}, []string{method})
			extra := extraOf(t, o)
			proof, _ := prove(extra, "sam", "sam-password", base64.StdEncoding.EncodeToString([]byte("p=tls-unique,,"+test.signed)))
			got := outcome(d.Answer(&Answer{Signature: proof, Extra: Extra{
				Nonce: extra["nonce"].(string), ChannelBinding: test.kind, CbindData: base64.StdEncoding.EncodeToString([]byte(test.data))}}))
			if got != test.want {
				t.Errorf("%s: %+v: got %q", method, test, got)
			}
		}
	}
	m := &Methods{Cryptosign: NewCryptosign(map[string]User{"carl": {Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(carl())}}}})}
	request := func(tr *Transport) *Request {
		return &Request{Realm: "realm1", Authid: "carl", Extra: Extra{Pubkey: pubkeyOf(carl()), ChannelBinding: "tls-unique"}, Transport: tr}
	}
	for data, want := range map[string]string{string(channel): yes, "another connection": no, "": no} {
		d, o := Begin(m, testRealms, request(over()), []string{"cryptosign"})
		extra := extraOf(t, o)
		message, _ := hex.DecodeString(extra["challenge"].(string))
		if id := sha256.Sum256([]byte(data)); data != "" {
			for i := range message {
				message[i] ^= id[i]
			}
		}
		if got := outcome(d.Answer(&Answer{Signature: hex.EncodeToString(ed25519.Sign(carl(), message))})); got != want || extra["channel_binding"] != "tls-unique" {
			t.Errorf("cryptosign bound to %q: got %q, want %q", data, got, want)
		}
	}
	if _, o := Begin(m, testRealms, request(&Transport{}), []string{"cryptosign"}); outcome(o) != no {
		t.Errorf("cryptosign bound to no TLS: %q", outcome(o))
	}
}
