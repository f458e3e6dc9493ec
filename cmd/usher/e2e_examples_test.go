//go:build unix

package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"usher/router/auth"
)

// authExample is one of Crossbar.io's examples of authentication, done with usher:
// its configuration in Crossbar.io's words, a script in place of what it has in
// Python, and what its kind of clients come to. Files are of testdata/auth/examples.
type authExample struct {
	name    string
	config  string // without ".json"
	script  string // without ".lua"; empty: none
	python  bool   // Autobahn|Python alone can play it
	logins  []foreignLogin
	logSays []string // what the router's log has beside
}

const (
	totpSecret = "CACKN3GRF3KQZMEKCACKN3GRF3KQZMEK"
	noRealm    = "-" // for foreignLogin.Realm: none is asked for
)

// authExamples. File names in logins are of the directory of certificates.
var authExamples = []authExample{
	{name: "ticket static", config: "ticket_static", logins: []foreignLogin{
		{Method: "ticket", Authid: "joe", Ticket: "secret!!!", want: joinedAs("realm1", "joe", "frontend", "ticket", "static", "{}")},
		{Method: "ticket", Authid: "client2", Ticket: "123sekret", want: joinedAs("realm1", "client2", "frontend", "ticket", "static", "{}")},
		{Method: "ticket", Authid: "joe", Ticket: "123sekret", want: notProved},
		{Method: "ticket", Authid: "nobody", Ticket: "secret!!!", want: notProved},
	}},
	{name: "ticket dynamic", config: "ticket_dynamic", script: "ticket_dynamic", logins: ticketLogins},
	{name: "ticket function", config: "ticket_dynamic", script: "ticket_function", logins: ticketLogins},
	{name: "ticket totp", config: "ticket_dynamic", script: "ticket_totp", python: true, logins: []foreignLogin{
		{Method: "ticket", Authid: "tobias1", TOTP: totpSecret, want: joinedAs("realm1", "tobias1", "frontend", "ticket", "dynamic", "{}")},
		{Method: "ticket", Authid: "tobias1", Ticket: "0", want: refusedWith("com.example.invalid_ticket", "could not authenticate session - invalid ticket for principal tobias1")},
		{Method: "ticket", Authid: "nobody", TOTP: totpSecret, want: refusedWith("com.example.no_such_user", "could not authenticate session - no such principal nobody")},
	}},
	{name: "wampcra static", config: "wampcra_static", logins: []foreignLogin{
		{Method: "wampcra", Authid: "joe", Secret: "secret2", want: joinedAs("realm1", "joe", "frontend", "wampcra", "static", "{}")},
		{Method: "wampcra", Authid: "peter", Secret: "s3cret", want: joinedAs("realm1", "peter", "frontend", "wampcra", "static", "{}")},
		{Method: "wampcra", Authid: "peter", Secret: "secret2", want: notProved},
	}},
	{name: "wampcra dynamic", config: "wampcra_dynamic", script: "wampcra_dynamic", logins: append(craLogins,
		foreignLogin{Method: "wampcra", Authid: "bare", Secret: "secret2", want: `["refused","wamp.error.authentication_failed","authentication failed (reference …`}),
		logSays: []string{"wampcra_dynamic.lua:11: the authenticator returned no secret: a role alone is no proof for wampcra"}},
	{name: "wampcra function", config: "wampcra_dynamic", script: "wampcra_function", logins: craLogins},
	{name: "scram static", config: "scram_static", python: true, logins: []foreignLogin{
		{Method: "scram", Authid: "foobar@example.com", Secret: "s3cret", want: joinedAs("realm1", "foobar@example.com", "frontend", "scram", "static", `{"scram_server_signature":"verified"}`)},
		{Method: "scram", Authid: "foobar@example.com", Secret: "wrong", want: notProved},
		{Method: "scram", Authid: "nobody@example.com", Secret: "s3cret", want: notProved},
	}},
	{name: "scram dynamic", config: "scram_dynamic", script: "scram_dynamic", python: true, logins: []foreignLogin{
		{Method: "scram", Authid: "foobar@example.com", Secret: "s3cret", want: joinedAs("realm1", "foobar@example.com", "frontend", "scram", "dynamic", `{"scram_server_signature":"verified"}`)},
		{Method: "scram", Authid: "foobar@example.com", Secret: "wrong", want: notProved},
		{Method: "scram", Authid: "nobody", Secret: "s3cret", want: refusedWith("com.example.no_such_user", "could not authenticate session - no such user nobody")},
		{Method: "scram", Authid: "bare", Secret: "s3cret", want: `["refused","wamp.error.authentication_failed","authentication failed (reference …`},
	}, logSays: []string{"scram_dynamic.lua:12: the authenticator returned no keys: a role alone is no proof for SCRAM"}},
	{name: "cryptosign static", config: "cryptosign_static", logins: []foreignLogin{
		{Method: "cryptosign", Realm: "devices", Authid: "client01@example.com", Key: seed, want: joinedAs("devices", "client01@example.com", "device", "cryptosign", "static", "{}")},
		{Method: "cryptosign", Realm: "devices", Key: seed, want: joinedAs("devices", "client01@example.com", "device", "cryptosign", "static", "{}")},
		{Method: "cryptosign", Realm: noRealm, Key: secondSeed, want: joinedAs("devices", "client02@example.com", "device", "cryptosign", "static", "{}")},
		{Method: "cryptosign", Realm: "devices", Authid: "client02@example.com", Key: seed, want: notProved},
		{Method: "cryptosign", Realm: "devices", Key: strings.Repeat("99", 32), want: notProved},
	}},
	{name: "cryptosign dynamic", config: "cryptosign_dynamic", script: "cryptosign_dynamic", logins: []foreignLogin{
		{Method: "cryptosign", Realm: "devices", Key: seed, want: joinedAs("devices", "client01@example.com", "device", "cryptosign", "dynamic", `{"foo":23}`)},
		{Method: "cryptosign", Realm: noRealm, Authid: "anything", Key: seed, want: joinedAs("devices", "client01@example.com", "device", "cryptosign", "dynamic", `{"foo":23}`)},
		{Method: "cryptosign", Realm: "devices", Key: secondSeed, want: `["refused","com.example.no_such_user","no principal with matching public key 0x…`},
	}},
	{name: "cryptosign function", config: "cryptosign_dynamic", script: "cryptosign_function", logins: []foreignLogin{
		{Method: "cryptosign", Realm: "devices", Authid: "client01@example.com", Key: seed, want: joinedAs("devices", "client01@example.com", "device", "cryptosign", "dynamic", "{}")},
		{Method: "cryptosign", Realm: "devices", Authid: "client01@example.com", Key: secondSeed, want: notProved},
	}},
	// Autobahn|Python has tls-unique alone, which TLS 1.3 does not have.
	{name: "cryptosign tls", config: "cryptosign_tls", python: true, logins: []foreignLogin{
		{Method: "cryptosign", Realm: "devices", Key: seed, CA: "ca.pem", want: joinedAs("devices", "client01@example.com", "device", "cryptosign", "static", "{}")},
		{Method: "cryptosign", Realm: "devices", Key: seed, CA: "ca.pem", TLS: "1.2", Binding: "tls-unique", want: joinedAs("devices", "client01@example.com", "device", "cryptosign", "static", "{}")},
		{Method: "cryptosign", Realm: "devices", Key: seed, CA: "ca.pem", TLS: "1.2", Binding: "tls-unique", Replay: true, want: notProved},
		{Method: "cryptosign", Realm: "devices", Key: seed, CA: "ca.pem", Binding: "tls-unique", want: refusedWith("wamp.error.authentication_denied", `channel binding "tls-unique" is not available on this connection`)},
	}},
	{name: "anonymous static", config: "anonymous_static", logins: []foreignLogin{
		{Method: "anonymous", want: `["joined","realm1",…`},
		{Method: "ticket", Authid: "joe", Ticket: "x", want: `["refused","wamp.error.no_matching_auth_method",…`},
	}},
	{name: "anonymous static with an authid", config: "anonymous_authid", logins: []foreignLogin{
		{Method: "anonymous", Authid: "admin", want: joinedAs("realm1", "foobar23", "frontend", "anonymous", "static", "{}")},
	}},
	{name: "anonymous dynamic", config: "anonymous_dynamic", script: "anonymous_dynamic", python: true, logins: []foreignLogin{
		{Method: "anonymous", want: joinedAs("realm1", "somebody", "frontend", "anonymous", "dynamic", `{"drei":[4,5,6],"eins":"zwo"}`)},
	}},
	// Peter's WAMP-CRA is remembered under the cookie, which nobody else has.
	{name: "cookie", config: "cookie", python: true, logins: []foreignLogin{
		{Method: "wampcra", Methods: cookieFirst, Jar: "peter", Authid: "peter", Secret: "s3cret", want: joinedAs("realm1", "peter", "frontend", "wampcra", "static", "{}")},
		{Method: "wampcra", Methods: cookieFirst, Jar: "peter", Authid: "peter", Secret: "wrong", want: joinedAs("realm1", "peter", "frontend", "wampcra", "cookie", "{}")},
		{Method: "cookie", Jar: "peter", want: joinedAs("realm1", "peter", "frontend", "wampcra", "cookie", "{}")},
		{Method: "wampcra", Methods: cookieFirst, Jar: "joe", Authid: "joe", Secret: "wrong", want: notProved},
		{Method: "cookie", Jar: "joe", want: refusedWith("wamp.error.authentication_denied", "nobody is logged in under this client's cookie")},
		{Method: "cookie", want: refusedWith("wamp.error.authentication_denied", "nobody is logged in under this client's cookie")},
	}},
	{name: "tls static", config: "tls_static", python: true, logins: []foreignLogin{
		{Method: "tls", CA: "ca.pem", Cert: "client_0.both", want: joinedAs("realm1", "client_0", "frontend", "tls", "static", "{}")},
		{Method: "tls", CA: "ca.pem", Cert: "client_1.both", want: notProved},
		// In TLS 1.3 the client learns of it when it has connected.
		{Method: "tls", CA: "ca.pem", Cert: "stranger.both", TLS: "1.2", want: `["failed","SSLError"]`},
		{Method: "tls", CA: "ca.pem", TLS: "1.2", want: `["failed","SSLError"]`},
	}},
	{name: "tls dynamic", config: "tls_dynamic", script: "tls_dynamic", python: true, logins: []foreignLogin{
		{Method: "tls", CA: "ca.pem", Cert: "client_0.both", want: joinedAs("realm1", "client_0 of ca", "frontend", "tls", "dynamic", "{}")},
		{Method: "tls", CA: "ca.pem", Cert: "client_1.both", want: refusedWith("com.example.invalid_cert", "certificate of client_1 denied")},
	}},
	{name: "advanced", config: "advanced", script: "advanced", python: true, logins: []foreignLogin{
		{Method: "ticket", Realm: noRealm, Authid: "user1", Ticket: "123secret", want: joinedAs("realm-user1", "user1", "user", "ticket", "dynamic", `{"my-custom-welcome-data":[1,2,3]}`)},
		{Method: "ticket", Realm: noRealm, Authid: "user2", Ticket: "456secret", want: joinedAs("realm-user2", "user2", "user", "ticket", "dynamic", `{"my-custom-welcome-data":[1,2,3]}`)},
		{Method: "ticket", Realm: "realm-user2", Authid: "user1", Ticket: "123secret", want: refusedWith("com.example.invalid_realm", "user user1 should join realm-user1, not realm-user2")},
		{Method: "ticket", Realm: noRealm, Authid: "user1", Ticket: "456secret", want: refusedWith("com.example.invalid_ticket", "could not authenticate session - invalid ticket for principal user1")},
		{Method: "ticket", Realm: noRealm, Authid: "user3", Ticket: "456secret", want: refusedWith("com.example.no_such_user", "could not authenticate session - no such principal user3")},
	}},
}

var ticketLogins = []foreignLogin{
	{Method: "ticket", Authid: "joe", Ticket: "secret!!!", want: joinedAs("realm1", "joe", "frontend", "ticket", "dynamic", "{}")},
	{Method: "ticket", Authid: "client2", Ticket: "123sekret", want: joinedAs("realm1", "client2", "frontend", "ticket", "dynamic", "{}")},
	{Method: "ticket", Authid: "joe", Ticket: "123sekret", want: refusedWith("com.example.invalid_ticket", "could not authenticate session - invalid ticket for principal joe")},
	{Method: "ticket", Authid: "nobody", Ticket: "secret!!!", want: refusedWith("com.example.no_such_user", "could not authenticate session - no such principal nobody")},
}

var craLogins = []foreignLogin{
	{Method: "wampcra", Authid: "joe", Secret: "secret2", want: joinedAs("realm1", "joe", "frontend", "wampcra", "dynamic", "{}")},
	{Method: "wampcra", Authid: "hans", Secret: "123456", want: joinedAs("realm1", "ID09125", "frontend", "wampcra", "dynamic", "{}")},
	{Method: "wampcra", Authid: "peter", Secret: "s3cret", want: joinedAs("realm1", "peter", "frontend", "wampcra", "dynamic", "{}")},
	{Method: "wampcra", Authid: "peter", Secret: "secret2", want: notProved},
	{Method: "wampcra", Authid: "nobody", Secret: "secret2", want: refusedWith("com.example.no_such_user", "could not authenticate session - no such user nobody")},
}

var cookieFirst = []string{"cookie", "wampcra"}

var secondSeed = strings.Repeat("22", 32)

// TestAuthenticationExamples runs them with the clients that they are for.
func TestAuthenticationExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("foreign clients are not run with -short")
	}
	certs := t.TempDir()
	authority := newAuthority(t, certs, "ca")
	authority.issue("server")
	first := authority.issue("client_0")
	authority.issue("client_1")
	newAuthority(t, certs, "elsewhere").issue("stranger")
	raw, err := hex.DecodeString(secondSeed)
	if err != nil {
		t.Fatal(err)
	}
	second := hex.EncodeToString(ed25519.NewKeyFromSeed(raw).Public().(ed25519.PublicKey))
	file := func(name string) string {
		return authFile(t, "examples/"+name, "CERTS", certs, "COOKIES", filepath.Join(certs, "cookies.dat"), "SHA1_OF_CLIENT_0", auth.SHA1(first), "SECOND_KEY", second, "TOTP_SECRET", totpSecret)
	}
	for _, e := range authExamples {
		t.Run(e.name, func(t *testing.T) {
			o := usherOptions{config: file(e.config + ".json")}
			if e.script != "" {
				o.scripts = map[string]string{e.script + ".lua": file(e.script + ".lua")}
			}
			usher := startUsher(t, o)
			clients := []loginClient{pythonLogins("asyncio")}
			if !e.python {
				clients = append(clients, jsLogins(), wampyLogins())
			}
			for _, c := range clients {
				var logins []foreignLogin
				for _, l := range e.logins {
					switch {
					case l.Realm == noRealm && c.name != "autobahn-asyncio":
						continue // these clients must ask for one
					case l.Realm == noRealm:
						l.Realm = ""
					case l.Realm == "":
						l.Realm = "realm1"
					}
					l.URL = usher.url
					if l.CA != "" {
						l.CA = filepath.Join(certs, l.CA)
					}
					if l.Cert != "" {
						l.Cert = filepath.Join(certs, l.Cert)
					}
					logins = append(logins, l)
				}
				c.logIn(t, logins)
			}
			for _, text := range e.logSays {
				if !strings.Contains(usher.log.String(), text) {
					t.Errorf("the log does not say %q", text)
				}
			}
		})
	}
}
