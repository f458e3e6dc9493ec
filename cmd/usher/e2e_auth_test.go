//go:build unix

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
)

// foreignLogin is one login of a foreign client.
type foreignLogin struct {
	URL     string         `json:"url"` // completed by the test
	Realm   string         `json:"realm,omitempty"`
	Authid  string         `json:"authid,omitempty"`
	Method  string         `json:"method"`
	Ticket  string         `json:"ticket,omitempty"`
	TOTP    string         `json:"totp,omitempty"` // its secret
	Secret  string         `json:"secret,omitempty"`
	Key     string         `json:"key,omitempty"` // seed
	Binding string         `json:"binding,omitempty"`
	Replay  bool           `json:"replay,omitempty"` // the signature is the one of the login before
	Extra   map[string]any `json:"authextra,omitempty"`
	TLS     string         `json:"tls,omitempty"` // its version
	CA      string         `json:"ca,omitempty"`
	Cert    string         `json:"cert,omitempty"`
	Methods []string       `json:"methods,omitempty"` // all that are offered; absent: Method
	Jar     string         `json:"jar,omitempty"`     // of cookies

	want string // the line that the client prints, in JSON; a beginning where it ends in "…"
}

// loginClient is a program that logs in as it is told, in one process.
type loginClient struct {
	name    string
	set     func() toolset
	command func(t *testing.T, dir string) (args, env []string)
	lacks   []string // methods that it does not have
	named   bool     // it wants an authid for every method
}

func pythonLogins(framework string) loginClient {
	return loginClient{"autobahn-" + framework, pythonClients, func(_ *testing.T, dir string) (args, env []string) {
		return []string{"python3", filepath.Join("testdata", "clients", "autobahn_auth.py"), framework},
			[]string{"PYTHONPATH=" + filepath.Join(dir, "site"), "PYTHONDONTWRITEBYTECODE=1"}
	}, nil, false}
}

func jsLogins() loginClient {
	return loginClient{"autobahn-js", nodeClients, func(t *testing.T, dir string) (args, env []string) {
		return append(node(t), nodeScript(t, "autobahn_auth.js", dir)), nil
	}, []string{"scram"}, false}
}

func wampyLogins() loginClient {
	return loginClient{"wampy", nodeClients, func(t *testing.T, dir string) (args, env []string) {
		return []string{"node", nodeScript(t, "wampy_auth.mjs", dir)}, nil
	}, []string{"scram"}, true}
}

// logIn does all logins that the client can, in order, and compares what it prints.
func (c loginClient) logIn(t *testing.T, logins []foreignLogin) {
	t.Helper()
	dir := need(t, c.set())
	logins = slices.DeleteFunc(slices.Clone(logins), func(l foreignLogin) bool {
		return slices.Contains(c.lacks, l.Method) || c.named && l.Authid == ""
	})
	encoded, err := json.Marshal(logins)
	if err != nil {
		t.Fatal(err)
	}
	args, env := c.command(t, dir)
	output, status := runClient(t, env, append(args, string(encoded))...)
	var lines []string
	for _, line := range output {
		if strings.HasPrefix(line, "[") { // not what the library itself prints
			lines = append(lines, compact(line))
		}
	}
	if status != 0 || len(lines) != len(logins) {
		t.Fatalf("exit status %d, %d lines for %d logins:\n%s", status, len(lines), len(logins), strings.Join(output, "\n"))
	}
	for i, l := range logins {
		beginning, partly := strings.CutSuffix(l.want, "…")
		if lines[i] != l.want && (!partly || !strings.HasPrefix(lines[i], beginning)) {
			l.Ticket, l.Secret = strings.Repeat("*", len(l.Ticket)), strings.Repeat("*", len(l.Secret))
			t.Errorf("%+v\n got %s", l, lines[i])
		}
	}
}

// joinedAs and refusedWith are what a client prints of a login.
func joinedAs(realm, authid, role, method, provider, extra string) string {
	return fmt.Sprintf(`["joined",%q,%q,%q,%q,%q,%s]`, realm, authid, role, method, provider, extra)
}

func refusedWith(uri, message string) string { return fmt.Sprintf(`["refused",%q,%q]`, uri, message) }

// notProved is how the router itself refuses.
var notProved = refusedWith("wamp.error.authentication_denied", "the authid is unknown, or its proof is wrong")

// theirSCRAM are keys as Crossbar.io's clients make them of a password: of the text
// of the Argon2 hash.
func theirSCRAM(t *testing.T, password, salt string, iterations, memory uint32) (stored, server string) {
	t.Helper()
	raw, err := hex.DecodeString(salt)
	if err != nil {
		t.Fatal(err)
	}
	hash := argon2.IDKey([]byte(password), raw, iterations, memory, 1, 32)
	sum := func(message string) []byte {
		h := hmac.New(sha256.New, []byte(base64.RawStdEncoding.EncodeToString(hash)))
		h.Write([]byte(message))
		return h.Sum(nil)
	}
	key := sha256.Sum256(sum("Client Key"))
	return hex.EncodeToString(key[:]), hex.EncodeToString(sum("Server Key"))
}

// authFile is a file of testdata/auth with the principals' keys in it.
func authFile(t *testing.T, name string, more ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "auth", name))
	if err != nil {
		t.Fatal(err)
	}
	const salt = "3bc3ca01dd1d501ca1c22e1c5d7d16fe"
	stored, server := theirSCRAM(t, "s3cret", salt, 3, 512)
	return strings.NewReplacer(append(more, "CRA_KEY", craKey(t, "s3cret", "salt123", 100, 16), "SCRAM_SALT", salt,
		"STORED_KEY", stored, "SERVER_KEY", server, "PUBLIC_KEY", publicKey)...).Replace(string(text))
}

// startAuthenticator runs a remote authenticator that knows principals, until the
// test ends.
func startAuthenticator(t *testing.T, url string, principals any) {
	t.Helper()
	dir := need(t, pythonClients())
	encoded, err := json.Marshal(principals)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("python3", filepath.Join("testdata", "clients", "authenticator_methods.py"), url)
	c.Env = append(os.Environ(), "TICKET=remote-secret", "PRINCIPALS="+string(encoded), "PYTHONPATH="+filepath.Join(dir, "site"), "PYTHONDONTWRITEBYTECODE=1")
	output := new(logBuffer)
	c.Stdout, c.Stderr = output, output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { // ends with the program
		_ = c.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("the authenticator printed:\n%s", output)
		}
	})
	output.waitFor(t, exited, `"registered"`)
}

// TestEveryMethodWithForeignClients: by whomever it is decided, the right ones come
// in, and wrong secrets, unknown users and signatures of another session do not.
func TestEveryMethodWithForeignClients(t *testing.T) {
	if testing.Short() {
		t.Skip("foreign clients are not run with -short")
	}
	need(t, pythonClients())
	usher := startUsher(t, usherOptions{config: authFile(t, "every.yaml"), scripts: map[string]string{"every.lua": authFile(t, "every.lua")}})
	base := strings.TrimSuffix(usher.url, "/internal/ws")
	stored, server := theirSCRAM(t, "s3cret", "3bc3ca01dd1d501ca1c22e1c5d7d16fe", 3, 512)
	type dict = map[string]any
	startAuthenticator(t, base+"/internal/ws", dict{
		"anonymous": dict{"": dict{"role": "user", "authid": "guest"}},
		"ticket":    dict{"joe": dict{"role": "user", "ticket": "t1ck3t"}},
		"wampcra": dict{
			"joe": dict{"role": "user", "secret": "s3cret"},
			"ann": dict{"role": "user", "secret": craKey(t, "s3cret", "salt123", 100, 16), "salt": "salt123", "iterations": 100, "keylen": 16},
		},
		"scram": dict{"sam": dict{"role": "user", "kdf": "argon2id-13", "salt": "3bc3ca01dd1d501ca1c22e1c5d7d16fe", "iterations": 3, "memory": 512,
			"stored-key": stored, "server-key": server}},
		"cryptosign": dict{publicKey: dict{"role": "user", "authid": "dev", "pubkey": publicKey, "cache": true}},
	})
	for _, c := range []loginClient{pythonLogins("asyncio"), pythonLogins("twisted"), jsLogins(), wampyLogins()} {
		for _, decider := range []string{"static", "lua", "remote"} {
			t.Run(c.name+"/"+decider, func(t *testing.T) {
				provider, wrongTicket, unknown := "dynamic", refusedWith("com.example.invalid_ticket", "invalid ticket"), `["refused","com.example.no_such_user",…`
				if decider == "static" {
					provider, wrongTicket, unknown = "static", notProved, notProved
				}
				in := func(authid, method string) string {
					extra := "{}"
					if method == "scram" {
						extra = `{"scram_server_signature":"verified"}`
					}
					return joinedAs("realm1", authid, "user", method, provider, extra)
				}
				other, otherSeed := unknown, strings.Repeat("12", 32)
				logins := []foreignLogin{
					{Method: "anonymous", want: in("guest", "anonymous")},
					{Method: "ticket", Authid: "joe", Ticket: "t1ck3t", want: in("joe", "ticket")},
					{Method: "ticket", Authid: "joe", Ticket: "wrong", want: wrongTicket},
					{Method: "ticket", Authid: "eve", Ticket: "t1ck3t", want: unknown},
					{Method: "wampcra", Authid: "joe", Secret: "s3cret", want: in("joe", "wampcra")},
					{Method: "wampcra", Authid: "joe", Secret: "s3cret", Replay: true, want: notProved},
					{Method: "wampcra", Authid: "ann", Secret: "s3cret", want: in("ann", "wampcra")},
					{Method: "wampcra", Authid: "joe", Secret: "wrong", want: notProved},
					{Method: "wampcra", Authid: "ann", Secret: "wrong", want: notProved},
					{Method: "wampcra", Authid: "eve", Secret: "s3cret", want: unknown},
					{Method: "scram", Authid: "sam", Secret: "s3cret", want: in("sam", "scram")},
					{Method: "scram", Authid: "sam", Secret: "s3cret", Replay: true, want: notProved},
					{Method: "scram", Authid: "sam", Secret: "wrong", want: notProved},
					{Method: "scram", Authid: "eve", Secret: "s3cret", want: unknown},
					{Method: "cryptosign", Authid: "dev", Key: seed, want: in("dev", "cryptosign")},
					{Method: "cryptosign", Authid: "dev", Key: seed, Replay: true, want: notProved},
					{Method: "cryptosign", Key: seed, want: in("dev", "cryptosign")},
					{Method: "cryptosign", Authid: "dev", Key: otherSeed, want: other},
					{Method: "wampcra", Authid: "joe", Secret: "s3cret", Realm: "realm2", want: `["refused","wamp.error.no_such_realm",…`},
				}
				if decider == "lua" {
					logins = append(logins, foreignLogin{Method: "scram", Authid: "tom", Secret: "s3cret", want: in("tom", "scram")},
						foreignLogin{Method: "scram", Authid: "tom", Secret: "wrong", want: notProved})
				}
				for i := range logins {
					logins[i].URL = base + "/" + decider + "/ws"
					if logins[i].Realm == "" {
						logins[i].Realm = "realm1"
					}
				}
				c.logIn(t, logins)
			})
		}
	}
	for _, secret := range []string{"s3cret", "t1ck3t", seed, stored, server} {
		if strings.Contains(usher.log.String(), secret) {
			t.Errorf("the log contains the secret %q", secret)
		}
	}
}
