package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/trustroot"
	"usher/router/trustroot/trustroottest"
)

// withAuth is minimal with another auth section, in flow style, and a realm2 that
// has the role too.
func withAuth(t *testing.T, section string) string {
	t.Helper()
	return edit(t, "auth:\n          ticket: {type: dynamic, authenticator: com.example.authenticate}", "auth: {"+section+"}",
		"transports:\n", "  - {name: realm2, roles: [{name: other, permissions: []}]}\ntransports:\n")
}

var (
	hexKey    = strings.Repeat("0f", 32)
	base64Key = strings.Repeat("A", 43) + "="
	pubkey    = strings.Repeat("Ab", 32)
)

func TestMethods(t *testing.T) {
	ca := trustroottest.NewKey(1)
	authorities := trustroottest.Chain(ca.Issue(trustroottest.NewKey(2), 4), ca.Issue(ca, 63))
	known, err := trustroot.ParseAuthorities(authorities)
	if err != nil {
		t.Fatal(err)
	}
	address := func(s string) trustroot.Address {
		a, err := trustroot.ParseAddress(s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	trusting := func(roots ...auth.Root) *auth.Cryptosign {
		m := auth.NewCryptosign(map[string]auth.User{})
		m.Roots = roots
		return m
	}
	keys := func(n byte) []byte { return []byte(strings.Repeat(string([]byte{n}), 32)) }
	for _, test := range []struct {
		section string
		want    auth.Methods
	}{
		{"anonymous: {type: static, role: frontend, authid: guest}", auth.Methods{Anonymous: &auth.Anonymous{Role: "frontend", Authid: "guest"}}},
		{"anonymous: {type: static, role: other, realm: realm2}", auth.Methods{Anonymous: &auth.Anonymous{Role: "other", Realm: "realm2"}}},
		{"anonymous: {type: dynamic, authenticator: com.example.authenticate}", auth.Methods{Anonymous: &auth.Anonymous{Authenticator: &auth.Dynamic{URI: "com.example.authenticate"}}}},
		{"wampcra: {type: dynamic, authenticator: com.example.authenticate, authenticator-realm: realm1, realms: [realm2]}",
			auth.Methods{WAMPCRA: &auth.WAMPCRA{Authenticator: &auth.Dynamic{URI: "com.example.authenticate", Realm: "realm1", Realms: []string{"realm2"}}}}},
		{"wampcra: {type: static, users: {joe: {secret: s, role: frontend}, ann: {secret: k, role: other, realm: realm2, salt: x, iterations: 100, keylen: 16}}}",
			auth.Methods{WAMPCRA: auth.NewWAMPCRA(map[string]auth.User{
				"joe": {Role: "frontend", Credentials: auth.Credentials{Secret: "s"}},
				"ann": {Role: "other", Realm: "realm2", Credentials: auth.Credentials{Secret: "k", Salt: "x", Iterations: 100, Keylen: 16}},
			})}},
		{"scram: {type: dynamic, authenticator: com.example.authenticate}", auth.Methods{SCRAM: &auth.SCRAM{Authenticator: &auth.Dynamic{URI: "com.example.authenticate"}}}},
		// As in Crossbar.io's example, and in the specification's way.
		{"scram: {type: static, principals: {joe: {kdf: argon2id-13, salt: 3bc3ca01dd1d501ca1c22e1c5d7d16fe, iterations: 4096, memory: 512, stored-key: " + hexKey + ", server-key: " + base64Key + ", role: frontend}}}",
			auth.Methods{SCRAM: auth.NewSCRAM(map[string]auth.User{"joe": {Role: "frontend", Credentials: auth.Credentials{
				KDF: "argon2id13", Salt: "O8PKAd0dUByhwi4cXX0W/g==", Iterations: 4096, Memory: 512, StoredKey: keys(0xf), ServerKey: keys(0)}}})}},
		{"wamp-scram: {type: static, principals: {joe: {kdf: pbkdf2, salt: O8PKAd0dUByhwi4cXX0W/g==, iterations: 4096, memory: 0, stored-key: " + hexKey + ", server-key: " + hexKey + ", role: frontend}}}",
			auth.Methods{SCRAM: auth.NewSCRAM(map[string]auth.User{"joe": {Role: "frontend", Credentials: auth.Credentials{
				KDF: "pbkdf2", Salt: "O8PKAd0dUByhwi4cXX0W/g==", Iterations: 4096, StoredKey: keys(0xf), ServerKey: keys(0xf)}}})}},
		{"cryptosign: {type: dynamic, authenticator: com.example.authenticate}", auth.Methods{Cryptosign: &auth.Cryptosign{Authenticator: &auth.Dynamic{URI: "com.example.authenticate"}}}},
		{"cryptosign: {type: static, principals: {joe: {authorized_keys: [" + pubkey + "], role: frontend, realm: realm1}}}",
			auth.Methods{Cryptosign: auth.NewCryptosign(map[string]auth.User{"joe": {Role: "frontend", Realm: "realm1",
				Credentials: auth.Credentials{AuthorizedKeys: []string{strings.ToLower(pubkey)}}}})}},
		{"cryptosign: {type: static, trustroots: {'" + ca.Address().String() + "': {role: frontend, realm: realm1, chain_id: 1, verifying_contract: '" + trustroottest.Contract + "', certificate_realm: '" + trustroottest.Realm + "', certificates: '" + string(authorities) + "'}, '0x0000000000000000000000000000000000000001': {role: other}}}",
			auth.Methods{Cryptosign: trusting(
				auth.Root{Address: ca.Address(), Role: "frontend", Realm: "realm1", ChainID: 1, Contract: address(trustroottest.Contract), CertificateRealm: address(trustroottest.Realm), Authorities: known},
				auth.Root{Address: trustroot.Address{19: 1}, Role: "other"})}},
	} {
		c := parse(t, "usher.yaml", withAuth(t, test.section))
		if got := c.Transports[0].Paths[0].WebSocket.Auth; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s\ngot %+v\nwant %+v", test.section, got, test.want)
		}
	}
}

func TestMethodErrors(t *testing.T) {
	const trustroot = "0xf766Dc789CF04CD18aE75af2c5fAf2DA6650Ff57"
	ca := trustroottest.NewKey(1)
	trustroots := func(fields string) string {
		return "cryptosign: {type: static, trustroots: {'" + trustroot + "': {" + fields + "}}}"
	}
	scram := func(more string) string {
		return "scram: {type: static, principals: {joe: {role: frontend, kdf: pbkdf2, salt: AAAA, iterations: 5, stored-key: " + hexKey + ", server-key: " + hexKey + more + "}}}"
	}
	for _, test := range []struct{ section, path, want string }{
		{"anonymous: {type: static, role: frontend, authenticator: a.b}", "anonymous.authenticator", "unknown key; authenticator goes with type: dynamic"},
		{"anonymous: {type: dynamic, authenticator: com.example.authenticate, role: frontend}", "anonymous.role", "unknown key; role goes with type: static"},
		{"anonymous: {type: static, role: frontend, realm: realm2}", "anonymous.role", `realm "realm2" has no role "frontend"`},
		{"anonymous: {type: dynamik}", "anonymous.type", `"dynamik" is not a type of anonymous authentication; did you mean "dynamic"?`},
		{"anonymous: {type: function, create: a.b}", "anonymous.type", "functions in Python do not run in usher: write an authenticator in Lua, and here type: dynamic, authenticator: its URI; the method is not offered to clients"},
		{"wampcra: {type: static, principals: {}}", "wampcra", `"users" is missing`},
		{"wampcra: {type: static, users: {joe: {role: frontend}}}", "wampcra.users.joe", `"secret" is missing`},
		{"wampcra: {type: static, users: {joe: {secret: s, role: fronted}}}", "wampcra.users.joe.role", `no realm has the role "fronted": nobody can join with it; did you mean "frontend"?`},
		{"wampcra: {type: static, users: {joe: {secret: s, role: frontend, realm: realm3}}}", "wampcra.users.joe.realm", `there is no realm "realm3"; did you mean "realm1"?`},
		{"wampcra: {type: static, users: {joe: {secret: s, role: frontend, realm: realm2}}}", "wampcra.users.joe.role", `realm "realm2" has no role "frontend"`},
		{"wampcra: {type: static, users: {joe: {secret: s, role: frontend, iterations: 5}}}", "wampcra.users.joe", "iterations and keylen go with a salt"},
		{"wampcra: {type: static, users: {joe: {secret: s, role: frontend, salt: x, keylen: 5000}}}", "wampcra.users.joe.keylen", "5000 is not from 1 to 1024"},
		{"wampcra: {type: static, users: {joe: {secrets: s, role: frontend}}}", "wampcra.users.joe.secrets", `unknown key; did you mean "secret"?`},
		{"wampcra: {type: dynamic, authenticator: com.example.authentikate}", "wampcra.authenticator", "no role of realm realm1, realm2 may register com.example.authentikate"},
		{scram(", memory: 8"), "scram.principals.joe", "pbkdf2 has no memory"},
		{strings.Replace(scram(""), "pbkdf2", "bcrypt", 1), "scram.principals.joe", "the kdf must be argon2id13 or pbkdf2"},
		{strings.Replace(scram(""), "pbkdf2", "argon2id13", 1), "scram.principals.joe", "memory must be from 8 to 4194304 KiB"},
		{strings.Replace(scram(""), "AAAA", "'not base64'", 1), "scram.principals.joe", "the salt must be base64 or hexadecimal digits"},
		{strings.Replace(scram(""), hexKey, "deadbeef", 1), "scram.principals.joe.stored-key", "a key must be 32 bytes in hexadecimal digits or base64"},
		{scram("") + ", wamp-scram: {type: dynamic, authenticator: com.example.authenticate}", "wamp-scram", "scram and wamp-scram are two names of one method: keep one, clients may use both"},
		{"cryptosign: {type: static, principals: {joe: {authorized_keys: [], role: frontend}}}", "cryptosign.principals.joe.authorized_keys", `the list is empty: "joe" could not log in`},
		{"cryptosign: {type: static, principals: {joe: {authorized_keys: ['xy'], role: frontend}}}", "cryptosign.principals.joe.authorized_keys[0]", `"xy" is not a public key of 64 hexadecimal digits`},
		{"cryptosign: {type: static, principals: {}, trustroots: [a]}", "cryptosign.trustroots", "want a dict, this is a list"},
		{"cryptosign: {type: static}", "cryptosign", `"principals" is missing`},
		{"cryptosign: {type: static, trustroots: {joe: {role: frontend}}}", "cryptosign.trustroots.joe", `"joe" is not an address of 0x and 40 hexadecimal digits`},
		{"cryptosign: {type: static, trustroots: {'" + strings.Replace(trustroot, "f766", "F766", 1) + "': {role: frontend}}}", "cryptosign.trustroots." + strings.Replace(trustroot, "f766", "F766", 1), "the address " + strings.Replace(trustroot, "f766", "F766", 1) + " has a wrong checksum"},
		{trustroots(""), "cryptosign.trustroots." + trustroot, `"role" is missing`},
		{trustroots("role: fronted"), "cryptosign.trustroots." + trustroot + ".role", `no realm has the role "fronted": nobody can join with it; did you mean "frontend"?`},
		{trustroots("role: frontend, chain_id: 0"), "cryptosign.trustroots." + trustroot + ".chain_id", "0 is not from 1 to "},
		{trustroots("role: frontend, verifying_contract: a"), "cryptosign.trustroots." + trustroot + ".verifying_contract", `"a" is not an address`},
		{trustroots("role: frontend, certificate_realm: realm1"), "cryptosign.trustroots." + trustroot + ".certificate_realm", `"realm1" is not an address`},
		{trustroots("role: frontend, certificates: '['"), "cryptosign.trustroots." + trustroot + ".certificates", "read the certificates: unexpected end of JSON input"},
		{trustroots("role: frontend, certificates: '[]'"), "cryptosign.trustroots." + trustroot + ".certificates", "there is no certificate of an authority"},
		{trustroots("role: frontend, certificates: '" + string(trustroottest.Chain(ca.Issue(ca, 1))) + "'"), "cryptosign.trustroots." + trustroot + ".certificates", "they are of the trust root " + ca.Address().String()},
		{trustroots("role: frontend}, '" + strings.ToLower(trustroot) + "': {role: frontend"), "cryptosign.trustroots." + strings.ToLower(trustroot), "this address stands here twice"},
		{"cryptosign: {type: dynamic, authenticator: com.example.authenticate, trustroots: {'" + trustroot + "': {role: frontend}}}", "cryptosign.trustroots", "trustroots go with type: static; an authenticator decides by request.delegation"},
		{"tls: {type: static, principals: {joe: {role: frontend}}}", "tls.principals.joe", "which certificate is it? Write certificate-sha256, certificate-sha1 or subject, its common name"},
		{"tls: {type: static, principals: {joe: {role: frontend, certificate-sha1: 'AA:BB'}}}", "tls.principals.joe.certificate-sha1", `"AA:BB" is not a fingerprint of 20 pairs of hexadecimal digits, as openssl x509 -noout -fingerprint prints it`},
		{"tls: {type: static, principals: {joe: {role: frontend, subject: joe}}}", "tls", "no client has a certificate here: give the endpoint tls: {ca_certificates: […]}, the files of whoever issues them"},
		{"tls: {type: dynamic, authenticator: com.example.authenticate}", "tls", "no client has a certificate here: give the endpoint tls: {ca_certificates: […]}, the files of whoever issues them"},
	} {
		_, err := Parse("a", []byte(withAuth(t, test.section)))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s\nerror %v", test.section, err)
			continue
		}
		if !slices.ContainsFunc(e.Problems, func(p Problem) bool {
			return p.Path == "transports[0].paths.ws.auth."+test.path && strings.HasPrefix(p.Message, test.want)
		}) {
			t.Errorf("%s\ngot\n%v\nwant %s: %s", test.section, e, test.path, test.want)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	section := "tls: {type: static, principals: {joe: {role: frontend, certificate-sha1: '" + strings.TrimSuffix(strings.Repeat("ab:", 20), ":") + "', subject: j}, ann: {role: frontend, certificate-sha256: " + hexKey + "}}}"
	for _, mode := range []string{"", "required", "optional"} {
		text := strings.Replace(withAuth(t, section), "127.0.0.1}", "127.0.0.1, tls: {certificate: a.pem, key: b.pem, ca_certificates: [c.pem, d.pem], client_certificates: "+mode+"}}", 1)
		text = strings.Replace(text, ", client_certificates: }", "}", 1)
		c := parse(t, "dir/usher.yaml", text)
		tls := c.Transports[0].Endpoint.TLS
		if want := (&TLS{Certificate: "dir/a.pem", Key: "dir/b.pem", ClientCAs: []string{"dir/c.pem", "dir/d.pem"}, ClientOptional: mode == "optional"}); !reflect.DeepEqual(tls, want) {
			t.Errorf("%q: %+v", mode, tls)
		}
		want := []auth.Certificate{
			{SHA1: strings.TrimSuffix(strings.Repeat("AB:", 20), ":"), Subject: "j", Authid: "joe", Role: "frontend"},
			{SHA256: strings.TrimSuffix(strings.Repeat("0F:", 32), ":"), Authid: "ann", Role: "frontend"},
		}
		if got := c.Transports[0].Paths[0].WebSocket.Auth.TLS.Principals; !reflect.DeepEqual(got, want) {
			t.Errorf("principals %+v", got)
		}
	}
}

// TestSecretsAreNotTold: neither an error nor the difference of two configurations
// has them.
func TestSecretsAreNotTold(t *testing.T) {
	const secret = "S3CR3T-W0RD"
	section := func(s string) string {
		return "wampcra: {type: static, users: {joe: {secret: " + s + ", role: frontend}}}, ticket: {type: static, principals: {joe: {ticket: " + s + ", role: frontend}}}"
	}
	a, b := parse(t, "usher.yaml", withAuth(t, section(secret))), parse(t, "usher.yaml", withAuth(t, section(secret+"2")))
	if changes := fmt.Sprint(Diff(a, b)); !strings.Contains(changes, "paths: changed") || strings.Contains(changes, secret) {
		t.Errorf("the difference is told as %s", changes)
	}
	for _, bad := range []string{
		"wampcra: {type: static, users: {joe: {secret: " + secret + ", role: frontend, keylen: 7}}}",
		"scram: {type: static, principals: {joe: {role: frontend, kdf: pbkdf2, salt: AAAA, iterations: 5, stored-key: " + secret + ", server-key: [" + secret + "]}}}",
	} {
		if _, err := Parse("a", []byte(withAuth(t, bad))); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
	}
}
