package scripting

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/trustroot"
)

var (
	hexKey    = strings.Repeat("0f", 32)
	base64Key = strings.Repeat("A", 43) + "="
)

// TestWhatEachMethodTakes: every method has credentials of its own, and no method
// that checks a proof takes a role for one.
func TestWhatEachMethodTakes(t *testing.T) {
	const plain = "ticket anonymous tls cookie"
	scram := `role = "frontend", kdf = "argon2id13", salt = "AAAAAAAAAAAAAAAAAAAAAA==", iterations = 3, memory = 512, stored_key = "` + hexKey + `", server_key = "` + base64Key + `"`
	keys := auth.Credentials{KDF: "argon2id13", Salt: "AAAAAAAAAAAAAAAAAAAAAA==", Iterations: 3, Memory: 512,
		StoredKey: []byte(strings.Repeat("\x0f", 32)), ServerKey: make([]byte, 32)}
	for _, test := range []struct {
		methods string // separated by blanks
		body    string
		want    auth.Credentials
		failed  string // what the log says
	}{
		{methods: plain, body: `return "frontend"`},
		{methods: plain, body: `return {role = "frontend"}`},
		{methods: plain, body: `return {role = "frontend", secret = "s"}`, failed: "returned credentials, which authentication method"},
		{methods: plain, body: `return {role = "frontend", authorized_keys = {}}`, failed: "returned credentials, which authentication method"},

		{methods: "wampcra", body: `return "frontend"`, failed: "authenticate.lua:2: the authenticator returned no secret: a role alone is no proof for wampcra"},
		{methods: "wampcra", body: `return {role = "frontend"}`, failed: "authenticate.lua:2: the authenticator returned no secret"},
		{methods: "wampcra", body: `return {role = "frontend", secret = "s"}`, want: auth.Credentials{Secret: "s"}},
		{methods: "wampcra", body: `return {role = "frontend", secret = "s", salt = "x", iterations = 100, keylen = 16}`,
			want: auth.Credentials{Secret: "s", Salt: "x", Iterations: 100, Keylen: 16}},
		{methods: "wampcra", body: `return {role = "frontend", secret = ""}`, failed: "secret is empty"},
		{methods: "wampcra", body: `return {role = "frontend", secret = 7}`, failed: "secret is of type number"},
		{methods: "wampcra", body: `return {role = "frontend", secret = "s", iterations = 5}`, failed: "iterations and keylen go with a salt"},
		{methods: "wampcra", body: `return {role = "frontend", secret = "s", salt = "x", iterations = 0}`, failed: "iterations is no count"},
		{methods: "wampcra", body: `return {role = "frontend", secret = "s", salt = "x", iterations = 1.5}`, failed: "iterations is no count"},
		{methods: "wampcra", body: `return {role = "frontend", secret = "s", salt = "x", iterations = 0/0}`, failed: "iterations is no count"},
		{methods: "wampcra", body: `return {role = "frontend", secret = "s", salt = "x", keylen = "16"}`, failed: "keylen is of type string, not a number"},
		{methods: "wampcra", body: `return {role = "frontend", secret = "s", salt = "x", keylen = 5000}`, failed: "keylen must be from 1 to 1024"},
		{methods: "wampcra", body: `return {role = "frontend", secret = "s", authorized_keys = {}}`, failed: "credentials that wampcra does not have"},
		{methods: "wampcra", body: `return {` + scram + `}`, failed: "returned no secret"},

		{methods: "scram wamp-scram", body: `return "frontend"`, failed: "authenticate.lua:2: the authenticator returned no keys: a role alone is no proof for SCRAM"},
		{methods: "scram wamp-scram", body: `return {role = "frontend"}`, failed: "authenticate.lua:2: the authenticator returned no keys"},
		{methods: "scram wamp-scram", body: `return {` + scram + `}`, want: keys},
		{methods: "scram wamp-scram", body: `local p = {` + scram + `} p.stored_key = router.binary(("\15"):rep(32)) return p`, want: keys},
		{methods: "scram wamp-scram", body: `local p = {` + scram + `} p.salt = ("0"):rep(32) p.kdf = "argon2id-13" return p`, want: keys},
		{methods: "scram wamp-scram", body: `local p = {` + scram + `} p.kdf = "pbkdf2" p.memory = 0 return p`,
			want: auth.Credentials{KDF: "pbkdf2", Salt: keys.Salt, Iterations: 3, StoredKey: keys.StoredKey, ServerKey: keys.ServerKey}},
		{methods: "scram wamp-scram", body: `local p = {` + scram + `} p.stored_key = router.binary("x") return p`, failed: "stored_key has 1 bytes, not 32"},
		{methods: "scram wamp-scram", body: `local p = {` + scram + `} p.server_key = "xyz" return p`, failed: "server_key cannot be used: a key must be 32 bytes"},
		{methods: "scram wamp-scram", body: `local p = {` + scram + `} p.server_key = nil return p`, failed: "stored_key and server_key must have 32 bytes each"},
		{methods: "scram wamp-scram", body: `local p = {` + scram + `} p.kdf = "md5" return p`, failed: "the kdf must be argon2id13 or pbkdf2"},
		{methods: "scram wamp-scram", body: `local p = {` + scram + `} p.memory = -1 return p`, failed: "memory is no count"},
		{methods: "scram wamp-scram", body: `local p = {` + scram + `} p.secret = "s" return p`, failed: "credentials that SCRAM does not have"},
		{methods: "scram wamp-scram", body: `local p = {` + scram + `} p["stored-key"] = p.stored_key return p`, failed: `the field "stored-key"`},

		{methods: "cryptosign", body: `return "frontend"`},
		{methods: "cryptosign", body: `return {role = "frontend"}`},
		{methods: "cryptosign", body: `return {role = "frontend", authorized_keys = {"` + strings.Repeat("Ab", 32) + `"}}`,
			want: auth.Credentials{AuthorizedKeys: []string{strings.Repeat("ab", 32)}}},
		{methods: "cryptosign", body: `return {role = "frontend", authorized_keys = {}}`, want: auth.Credentials{AuthorizedKeys: []string{}}},
		{methods: "cryptosign", body: `return {role = "frontend", authorized_keys = {request.pubkey}}`, want: auth.Credentials{AuthorizedKeys: []string{hexKey}}},
		{methods: "cryptosign", body: `return {role = "frontend", authorized_keys = {"abc"}}`, failed: "authorized key 1 must be 64 hexadecimal digits"},
		{methods: "cryptosign", body: `return {role = "frontend", authorized_keys = "` + hexKey + `"}`, failed: "authorized_keys is of type string, not a list"},
		{methods: "cryptosign", body: `return {role = "frontend", authorized_keys = {a = "` + hexKey + `"}}`, failed: "authorized_keys is of type table, not a list"},
		{methods: "cryptosign", body: `return {role = "frontend", authorized_keys = {7}}`, failed: "authorized_keys is of type number"},
		{methods: "cryptosign", body: `return {role = "frontend", secret = "s"}`, failed: "credentials that cryptosign does not have"},
	} {
		w := newWorld(t, decider(test.body))
		for _, method := range strings.Fields(test.methods) {
			p, err := w.loginAs(authenticate, &auth.Request{Realm: "realm1", Authid: "joe", Authmethod: method, Pubkey: hexKey, Session: 7})
			if test.failed != "" {
				if err == nil || !strings.Contains(err.Error(), test.failed) {
					t.Errorf("%s: %s\n\tfails with %v, want %q", method, test.body, err, test.failed)
				}
				continue
			}
			if err != nil || p.Role != "frontend" || !reflect.DeepEqual(p.Credentials, test.want) {
				t.Errorf("%s: %s\n\tgives %+v (%v), want %+v", method, test.body, p, err, test.want)
			}
		}
	}
}

// TestRefusalsAreTheSameForAllMethods: what the script says is what the client hears.
func TestRefusalsAreTheSameForAllMethods(t *testing.T) {
	w := newWorld(t, decider(`if request.authid == "raised" then error(router.error("com.example.no", {"because"})) end
		return nil, "com.example.no", "because"`))
	for _, method := range []string{"ticket", "anonymous", "tls", "cookie", "wampcra", "scram", "wamp-scram", "cryptosign"} {
		for _, authid := range []string{"returned", "raised"} {
			_, err := w.loginAs(authenticate, &auth.Request{Realm: "realm1", Authid: authid, Authmethod: method, Session: 7})
			var refusal *auth.Refusal
			if !errors.As(err, &refusal) || *refusal != (auth.Refusal{URI: "com.example.no", Message: "because"}) {
				t.Errorf("%s, %s: %v", method, authid, err)
			}
		}
	}
}

// clientCertificate makes one that vouches for itself.
func clientCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		Subject:  pkix.Name{CommonName: "client_0", Organization: []string{"Example"}, OrganizationalUnit: []string{"Devices"}, Country: []string{"DE"}},
		DNSNames: []string{"a.example", "b.example"}, EmailAddresses: []string{"joe@example.com"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTheRequestHasTheClientCertificate, if the listener has verified it.
func TestTheRequestHasTheClientCertificate(t *testing.T) {
	w := newWorld(t, decider(`return {role = "frontend", extra = {cert = request.transport.client_cert or "none", pubkey = request.pubkey}}`))
	c := clientCertificate(t)
	for _, test := range []struct {
		state *tls.ConnectionState
		want  string
	}{
		{nil, `{"cert":"none","pubkey":"` + hexKey + `"}`},
		{&tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}, `{"cert":"none","pubkey":"` + hexKey + `"}`},
		{&tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}, VerifiedChains: [][]*x509.Certificate{{c}}},
			`{"cert":{"dns_names":["a.example","b.example"],"emails":["joe@example.com"],` +
				`"issuer":{"C":"DE","CN":"client_0","O":"Example","OU":"Devices"},` +
				`"not_after":"2100-01-01T00:00:00Z","not_before":"2026-01-02T03:04:05Z","serial":"123456789012345678901234567890",` +
				`"sha1":"` + auth.SHA1(c) + `","sha256":"` + auth.SHA256(c) + `",` +
				`"subject":{"C":"DE","CN":"client_0","O":"Example","OU":"Devices"}},"pubkey":"` + hexKey + `"}`},
	} {
		p, err := authenticator{w.host.components["authenticate"], authenticate}.Authenticate(context.Background(), &auth.Request{
			Realm: "realm1", Authid: "joe", Authmethod: "tls", Pubkey: hexKey, Session: 7, Transport: &auth.Transport{TLS: test.state}})
		if err != nil {
			t.Fatal(err)
		}
		if got := extraOf(t, p); got != test.want {
			t.Errorf("got %s\nwant %s", got, test.want)
		}
	}
	if len(auth.SHA1(c)) != 20*3-1 || len(auth.SHA256(c)) != 32*3-1 {
		t.Errorf("fingerprints %s, %s", auth.SHA1(c), auth.SHA256(c))
	}
}

// extraOf is a principal's extra in JSON, with sorted keys.
func extraOf(t *testing.T, p *auth.Principal) string {
	t.Helper()
	var extra any
	if err := codec.Unmarshal(p.Extra.Format, p.Extra.Bytes, &extra); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(extra)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheRequestHasTheDelegation(t *testing.T) {
	w := newWorld(t, decider(`return {role = "frontend", extra = {said = request.delegation or "none"}}`))
	root, err := trustroot.ParseAddress("0xf766Dc789CF04CD18aE75af2c5fAf2DA6650Ff57")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		delegation *trustroot.Delegation
		want       string
	}{
		{nil, `{"said":"none"}`},
		{&trustroot.Delegation{Trustroot: root, Delegate: trustroot.Address{1}, Realm: trustroot.Address{2}, ChainID: 5, Contract: trustroot.Address{3}, Capabilities: 12},
			`{"said":{"capabilities":12,"chain_id":5,"delegate":"0x0100000000000000000000000000000000000000",` +
				`"realm":"0x0200000000000000000000000000000000000000","trustroot":"0xf766Dc789CF04CD18aE75af2c5fAf2DA6650Ff57",` +
				`"verifying_contract":"0x0300000000000000000000000000000000000000"}}`},
	} {
		p, err := w.loginAs(authenticate, &auth.Request{Realm: "realm1", Authid: "joe", Authmethod: "cryptosign", Pubkey: hexKey, Session: 7, Delegation: test.delegation})
		if err != nil {
			t.Fatal(err)
		}
		if got := extraOf(t, p); got != test.want {
			t.Errorf("got %s\nwant %s", got, test.want)
		}
	}
}

// TestScriptsMakeTheirKeys: what crypto.scram_keys returns is what an authenticator
// returns.
func TestScriptsMakeTheirKeys(t *testing.T) {
	for _, kdf := range []string{"argon2id13", "pbkdf2"} {
		w := newWorld(t, decider(`local p = crypto.scram_keys { password = "secret", kdf = "`+kdf+`", iterations = 4096, memory = 8 }
			p.role = "frontend"
			return p`))
		p, err := w.loginAs(authenticate, &auth.Request{Realm: "realm1", Authid: "joe", Authmethod: "wamp-scram", Session: 7})
		if err != nil || p.Credentials.KDF != kdf || len(p.Credentials.StoredKey) != 32 {
			t.Errorf("%s: %+v, %v", kdf, p, err)
		}
		if salt, err := base64.StdEncoding.DecodeString(p.Credentials.Salt); err != nil || len(salt) != 16 {
			t.Errorf("%s: salt %q", kdf, p.Credentials.Salt)
		}
	}
}
