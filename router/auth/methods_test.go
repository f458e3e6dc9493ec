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

// carl's key is that of the transcript: the seed is 11 over and over.
func carl() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat("\x11", 32)))
}

func pubkeyOf(k ed25519.PrivateKey) string { return hex.EncodeToString(k.Public().(ed25519.PublicKey)) }

func TestCryptosign(t *testing.T) {
	other, shared := ed25519.NewKeyFromSeed([]byte(strings.Repeat("\x12", 32))), ed25519.NewKeyFromSeed([]byte(strings.Repeat("\x13", 32)))
	m := &Methods{Cryptosign: NewCryptosign(map[string]User{
		"carl":  {Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(carl())}}},
		"ghost": {Role: "ghost", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(other)}}},
		"one":   {Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(shared)}}},
		"two":   {Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(shared)}}},
	})}
	signature := func(k ed25519.PrivateKey, extra map[string]any) string {
		challenge, _ := hex.DecodeString(extra["challenge"].(string))
		return hex.EncodeToString(ed25519.Sign(k, challenge)) + extra["challenge"].(string)
	}
	for _, test := range []struct {
		name, authid, pubkey string
		key                  ed25519.PrivateKey
		change               func(string) string
		want                 string
	}{
		{"right", "carl", pubkeyOf(carl()), carl(), nil, "accept realm1 frontend static"},
		{"no authid", "", pubkeyOf(carl()), carl(), nil, "accept realm1 frontend static"},
		{"the key in capitals", "carl", strings.ToUpper(pubkeyOf(carl())), carl(), nil, "accept realm1 frontend static"},
		{"the signature alone", "carl", pubkeyOf(carl()), carl(), func(s string) string { return s[:128] }, "accept realm1 frontend static"},
		{"signed by another key", "carl", pubkeyOf(carl()), other, nil, "refuse wamp.error.authentication_denied"},
		{"a key that the user does not have", "carl", pubkeyOf(other), other, nil, "refuse wamp.error.authentication_denied"},
		{"an unknown user", "nobody", pubkeyOf(carl()), carl(), nil, "refuse wamp.error.authentication_denied"},
		{"an unknown key without an authid", "", pubkeyOf(ed25519.NewKeyFromSeed(make([]byte, 32))), ed25519.NewKeyFromSeed(make([]byte, 32)), nil, "refuse wamp.error.authentication_denied"},
		{"a key of two users", "two", pubkeyOf(shared), shared, nil, "accept realm1 frontend static"},
		{"a key of two users without an authid", "", pubkeyOf(shared), shared, nil, "refuse wamp.error.authentication_denied"},
		{"a role that does not exist", "ghost", pubkeyOf(other), other, nil, "refuse wamp.error.no_such_role"},
		{"another message behind the signature", "carl", pubkeyOf(carl()), carl(), func(s string) string { return s[:128] + strings.Repeat("00", 32) }, "refuse wamp.error.authentication_denied"},
		{"no signature", "carl", pubkeyOf(carl()), carl(), func(string) string { return "" }, "refuse wamp.error.authentication_denied"},
		{"no hexadecimal digits", "carl", pubkeyOf(carl()), carl(), func(string) string { return strings.Repeat("zz", 96) }, "refuse wamp.error.authentication_denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: test.authid, Extra: Extra{Pubkey: test.pubkey}}, []string{"cryptosign"})
			s := signature(test.key, extraOf(t, o))
			if test.change != nil {
				s = test.change(s)
			}
			if got := outcome(d.Answer(&Answer{Signature: s})); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	for _, pubkey := range []string{"", "11", strings.Repeat("z", 64), strings.Repeat("1", 66)} {
		_, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "carl", Extra: Extra{Pubkey: pubkey}}, []string{"cryptosign"})
		if got := outcome(o); got != "refuse wamp.error.authentication_denied" {
			t.Errorf("the key %q came to %q", pubkey, got)
		}
	}
}

// TestCryptosignIsBoundToItsSession: a signature over another session's challenge,
// which is a real one of the same key, proves nothing. Others accept it.
func TestCryptosignIsBoundToItsSession(t *testing.T) {
	m := &Methods{Cryptosign: NewCryptosign(map[string]User{
		"carl": {Role: "frontend", Credentials: Credentials{AuthorizedKeys: []string{pubkeyOf(carl())}}},
	})}
	d, o := Begin(m, testRealms, &Request{Realm: "realm1", Authid: "carl", Extra: Extra{Pubkey: pubkeyOf(carl())}}, []string{"cryptosign"})
	extraOf(t, o)
	// Crossbar.io's transcript: signature and challenge of an earlier session.
	const replayed = "ecba483414986398c8b9d9a0664aaca05f12f1760ebf41d9a3d7d0d3d2f8e6742b542de2c16d3659f6e3bcbc3eec68497514970743cb13e864a1c41aee1362053c5a0aacb36961ba884f7f7223dbd6ba7fec7f9e0b1d487089ddfe174166d72e"
	message, _ := hex.DecodeString(replayed[128:])
	signature, _ := hex.DecodeString(replayed[:128])
	if !ed25519.Verify(carl().Public().(ed25519.PublicKey), message, signature) {
		t.Fatal("the transcript's signature is not carl's")
	}
	if got := outcome(d.Answer(&Answer{Signature: replayed})); got != "refuse wamp.error.authentication_denied" {
		t.Errorf("the replayed signature came to %q", got)
	}
}

// TestCryptosignVectors are the specification's, with and without channel binding.
func TestCryptosignVectors(t *testing.T) {
	for _, v := range []struct{ channel, seed, challenge, signature string }{
		{"", "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
			"b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0cae80a357331bfc5cc9fb71081464e6e75013517c2cf067ad566a6b7b728e5d03ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
		{"62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff", "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd", "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
			"305aaa3ac25e98f651427688b3fc43fe7d8a68a7ec1d7d61c61517c519bd4a427c3015599d83ca28b4c652333920223844ef0725eb5dc2febfd6af7677b73f01d0852a29b460fc92ec943242ac638a053bbacc200512b18b30d15083cbdc9282"},
	} {
		seed, _ := hex.DecodeString(v.seed)
		message, _ := hex.DecodeString(v.challenge)
		if v.channel != "" {
			id, _ := hex.DecodeString(v.channel)
			for i := range message {
				message[i] ^= id[i]
			}
		}
		c := &cryptosignDialogue{principal: &Principal{Role: "frontend"}, message: message}
		d := &Dialogue{Request: &Request{Pubkey: pubkeyOf(ed25519.NewKeyFromSeed(seed)), Authmethod: "cryptosign"}, method: c, state: waitsForAnswer}
		if o := d.Answer(&Answer{Signature: v.signature}); o.Accept == nil {
			t.Errorf("a vector of the specification came to %q", outcome(o))
		}
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
