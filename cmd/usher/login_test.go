package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/trustroot/trustroottest"
)

// The seed and the public key of cryptosign's user in these tests.
var (
	seed      = strings.Repeat("11", 32)
	publicKey = func() string {
		b, _ := hex.DecodeString(seed)
		return hex.EncodeToString(ed25519.NewKeyFromSeed(b).Public().(ed25519.PublicKey))
	}()
)

// scramKeysOf derives keys by PBKDF2, in hexadecimal digits.
func scramKeysOf(t *testing.T, password, salt string, iterations int) (stored, server string) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(salt)
	if err != nil {
		t.Fatal(err)
	}
	salted, err := pbkdf2.Key(sha256.New, password, raw, iterations, 32)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(message string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(message))
		return h.Sum(nil)
	}
	storedKey := sha256.Sum256(sum("Client Key"))
	return hex.EncodeToString(storedKey[:]), hex.EncodeToString(sum("Server Key"))
}

// allStatic is a configuration with every method, in dir, that the tests' users
// can log in with; the listener speaks TLS with the certificates of dir.
func allStatic(t *testing.T, dir string) string {
	t.Helper()
	a := newAuthority(t, dir, "ca")
	a.issue("server")
	client := a.issue("client_0")
	a.issue("client_1")
	newAuthority(t, dir, "elsewhere").issue("stranger")
	stored, server := scramKeysOf(t, "s3cret", "O8PKAd0dUByhwi4cXX0W/g==", 4096)
	return fmt.Sprintf(`
realms:
  - name: realm1
    roles:
      - {name: anybody, permissions: [{uri: "", match: prefix, allow: {call: true}}]}
      - {name: user, permissions: [{uri: "", match: prefix, allow: {call: true}}]}
transports:
  - type: web
    endpoint:
      type: tcp
      interface: 127.0.0.1
      port: 0
      tls: &tls {certificate: server.pem, key: server.key, ca_certificates: [ca.pem], client_certificates: optional}
    paths:
      ws:
        type: websocket
        auth: &auth
          anonymous: {type: static, role: anybody}
          ticket: {type: static, principals: {joe: {ticket: s3cret, role: user}}}
          wampcra: {type: static, users: {joe: {secret: s3cret, role: user}, ann: {secret: %s, salt: salt123, iterations: 100, keylen: 16, role: user}}}
          scram: {type: static, principals: {joe: {kdf: pbkdf2, salt: O8PKAd0dUByhwi4cXX0W/g==, iterations: 4096, stored-key: %s, server-key: %s, role: user}}}
          cryptosign: {type: static, principals: {joe: {authorized_keys: [%s], role: user, realm: realm1}}, trustroots: {'%s': {role: user, realm: realm1, certificates: '%s'}}}
          tls: {type: static, principals: {device: {certificate-sha256: '%s', role: user}}}
  - {type: rawsocket, endpoint: {type: tcp, interface: 127.0.0.1, port: 0, tls: *tls}, auth: *auth}
`, craKey(t, "s3cret", "salt123", 100, 16), stored, server, publicKey,
		root.Address(), trustroottest.Chain(root.Issue(delegate, 4), root.Issue(root, 63)), auth.SHA256(client))
}

// craKey is a salted secret of WAMP-CRA.
func craKey(t *testing.T, password, salt string, iterations, keylen int) string {
	t.Helper()
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, keylen)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(key)
}

// root vouches for delegate, who holds the key of other.hex.
var root, delegate = trustroottest.NewKey(1), trustroottest.NewKey(2)

// writeKeys writes keys for cryptosign in their forms, and certificates.
func writeKeys(t *testing.T, dir string) {
	t.Helper()
	raw, err := hex.DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(raw))
	if err != nil {
		t.Fatal(err)
	}
	save(t, filepath.Join(dir, "key.hex"), seed+"\n")
	save(t, filepath.Join(dir, "key.bin"), string(raw))
	save(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	save(t, filepath.Join(dir, "other.hex"), strings.Repeat("12", 32))
	save(t, filepath.Join(dir, "broken.hex"), "s3cret")
	certified := hex.EncodeToString(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0x12}, 32)).Public().(ed25519.PublicKey))
	save(t, filepath.Join(dir, "chain.json"), string(trustroottest.Chain(delegate.Delegate(certified), root.Issue(delegate, 4), root.Issue(root, 63))))
	save(t, filepath.Join(dir, "own.json"), string(trustroottest.Chain(delegate.Delegate(certified))))
	save(t, filepath.Join(dir, "stranger.json"), string(trustroottest.Chain(delegate.Delegate(certified), delegate.Issue(delegate, 63))))
}

// logins are command lines that log in, by method, and what comes of them.
var logins = []struct {
	args    string // separated by blanks; DIR/ stands for the directory
	secret  string // in USHER_SECRET
	role    string // joined as; empty: refused
	refused string // then a regular expression for what is said
}{
	{"--authmethod anonymous", "", "anybody", ""},
	{"--authid joe --ticket s3cret", "", "user", ""},
	{"--authid joe --method ticket --ticket wrong", "", "", denied},
	{"--authid joe --authmethod wampcra", "s3cret", "user", ""},
	{"--authid joe --authmethod wampcra --secret s3cret", "", "user", ""},
	{"--authid ann --authmethod wampcra", "s3cret", "user", ""},
	{"--authid ann --authmethod wampcra --password wrong", "", "", denied},
	{"--authid eve --authmethod wampcra", "s3cret", "", denied},
	{"--authid joe --authmethod scram", "s3cret", "user", ""},
	{"--authid joe --authmethod wamp-scram", "s3cret", "user", ""},
	{"--authid joe --authmethod wamp-scram", "wrong", "", denied},
	{"--authid eve --authmethod scram", "s3cret", "", denied},
	{"--key DIR/key.hex", "", "user", ""},
	{"--authid joe --key DIR/key.bin", "", "user", ""},
	{"--authid joe --authmethod cryptosign --key DIR/key.pem", "", "user", ""},
	{"--realm= --key DIR/key.hex", "", "user", ""},
	{"--authid joe --key DIR/other.hex", "", "", denied},
	{"--authid eve --key DIR/key.hex", "", "", denied},
	{"--key DIR/other.hex --certificates DIR/chain.json", "", "user", ""},
	{"--realm= --key DIR/other.hex --certificates DIR/own.json --trustroot " + root.Address().String(), "", "user", ""},
	{"--key DIR/key.hex --certificates DIR/chain.json", "", "", "wamp.error.authentication_denied: the certificates prove nothing: they are for another key than pubkey"},
	{"--key DIR/other.hex --certificates DIR/stranger.json", "", "", "wamp.error.authentication_denied: the certificates prove nothing: the trust root " + delegate.Address().String() + " is not trusted here"},
	{"--cert DIR/client_0.both", "", "user", ""},
	{"--cert DIR/client_0.pem --cert-key DIR/client_0.key", "", "user", ""},
	{"--cert DIR/client_1.both", "", "", denied},
}

const denied = `wamp.error.authentication_denied: the authid is unknown, or its proof is wrong`

func TestTryEveryMethod(t *testing.T) {
	dir := t.TempDir()
	save(t, filepath.Join(dir, "usher.yaml"), allStatic(t, dir))
	writeKeys(t, dir)
	for _, l := range logins {
		t.Run(l.args, func(t *testing.T) {
			if l.secret != "" {
				t.Setenv(secretVariable, l.secret)
			}
			status, out, errs := usher(t, dir, "", append([]string{"try"}, strings.Fields(strings.ReplaceAll(l.args, "DIR/", dir+"/"))...)...)
			want, wantStatus := "accepted  realm=realm1 authid=.* authrole="+l.role+" ", exitOK
			if l.role == "" {
				want, wantStatus = "refused   "+l.refused, exitFailed
			}
			if status != wantStatus || !regexp.MustCompile(want).MatchString(out) || !strings.Contains(out, "asked     configuration") {
				t.Errorf("exit status %d, want %d and %s\n%s%s", status, wantStatus, want, out, errs)
			}
			if strings.Contains(out+errs, "s3cret") || strings.Contains(out+errs, seed) {
				t.Errorf("a secret is shown:\n%s%s", out, errs)
			}
		})
	}
	for args, want := range map[string]string{
		"--method wampcra":                                    `--authid is missing: somebody must log in by method wampcra`,
		"--method magic":                                      `--authmethod: "magic" is none of anonymous, ticket, jwt, wampcra, scram, wamp-scram, cryptosign, tls`,
		"--method cryptosign":                                 `--key is missing`,
		"--certificates DIR/own.json":                         `--key is missing`,
		"--key DIR/other.hex --certificates DIR/own.json":     `--certificates: .*alone: say whose it is with --trustroot`,
		"--key DIR/other.hex --certificates DIR/key.hex":      `--certificates: .*key.hex: read the certificates: `,
		"--key DIR/other.hex --trustroot 0x":                  `--trustroot goes with --certificates`,
		"--method tls":                                        `--cert is missing`,
		"--authid joe --secret s3cret":                        `--secret goes with --authmethod`,
		"--key DIR/broken.hex":                                `--key: .*broken.hex holds neither a seed`,
		"--key DIR/ca.pem":                                    `--key: .*ca.pem: the PEM block "CERTIFICATE" is no Ed25519 key`,
		"--key DIR/nowhere":                                   `--key: .*nowhere`,
		"--key DIR/key.hex --channel-binding tls-exporter":    `channel binding "tls-exporter" is not available on this connection`,
		"--cert DIR/stranger.both":                            `refuses the certificate of --cert, and the connection with it`,
		"--cert DIR/client_0.pem --cert-key DIR/client_1.key": `--cert: `,
	} {
		status, out, errs := usher(t, dir, "", append([]string{"try"}, strings.Fields(strings.ReplaceAll(args, "DIR/", dir+"/"))...)...)
		if status == exitOK || !regexp.MustCompile(want).MatchString(errs) || strings.Contains(out+errs, "s3cret") {
			t.Errorf("%s: exit status %d, want %s\n%s%s", args, status, want, out, errs)
		}
	}
}

// TestCommandsLogInByEveryMethod over TLS, and bound to it.
func TestCommandsLogInByEveryMethod(t *testing.T) {
	dir := t.TempDir()
	text := strings.NewReplacer("server.pem", dir+"/server.pem", "server.key", dir+"/server.key", "ca.pem", dir+"/ca.pem").Replace(allStatic(t, dir))
	writeKeys(t, dir)
	log, _ := serving(t, text+"limits: {failed_logins: {slow_after: 0}}\n", nil)
	url := regexp.MustCompile(`wss://[^/"\s]+/ws\b`).FindString(log.String())
	raw := regexp.MustCompile(`rss://[^\s",]+`).FindString(log.String())
	run := func(url, args, secret string) (int, string, string) {
		t.Helper()
		if secret != "" {
			t.Setenv(secretVariable, secret)
		} else if err := os.Unsetenv(secretVariable); err != nil {
			t.Fatal(err)
		}
		return clientCommand(t, url, "", "call", append([]string{"--ca", dir + "/ca.pem", "wamp.session.count"}, strings.Fields(strings.ReplaceAll(args, "DIR/", dir+"/"))...)...)
	}
	for _, url := range []string{url, raw} {
		for _, l := range logins {
			status, out, errs := run(url, l.args, l.secret)
			want := exitOK
			if l.role == "" {
				want = exitLogin
			}
			if status != want || l.role == "" && !regexp.MustCompile("login refused: "+l.refused).MatchString(errs) {
				t.Errorf("%s %s: exit status %d, want %d\n%s%s", url, l.args, status, want, out, errs)
			}
		}
	}
	for args, want := range map[string]int{
		"--key DIR/key.hex --channel-binding tls-exporter":                                exitOK,
		"--key DIR/key.hex --channel-binding tls-unique":                                  exitOK,
		"--key DIR/other.hex --channel-binding tls-exporter":                              exitLogin,
		"--cert DIR/stranger.both":                                                        exitConnect,
		"--authid joe --method wamp-scram --secret s3cret --channel-binding tls-exporter": exitOK,
		"--authid joe --method wamp-scram --secret s3cret --channel-binding tls-unique":   exitOK,
		"--authid joe --method scram --secret s3cret --channel-binding tls-exporter":      exitOK,
		"--authid joe --method wamp-scram --secret wrong --channel-binding tls-exporter":  exitLogin,
	} {
		for _, url := range []string{url, raw} {
			if status, out, errs := run(url, args, ""); status != want {
				t.Errorf("%s %s: exit status %d, want %d\n%s%s", url, args, status, want, out, errs)
			}
		}
	}
	if strings.Contains(log.String(), "s3cret") || strings.Contains(log.String(), seed) {
		t.Error("a secret is in the log")
	}
}
