package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// everyDynamic is a script that decides about every method, in a realm of its own.
const everyDynamic = `router.join { realm = "internal", authrole = "authenticator" }
router.authenticator("com.example.authenticate", function(request)
  local p = { realm = "realm1", role = "user", authid = request.authid }
  if request.authid == "bare" then return "user" end
  if request.authid == "eve" then return nil, "com.example.no", "not eve" end
  if request.authmethod == "ticket" and request.ticket ~= "s3cret" then return nil, "com.example.no", "wrong" end
  if request.authmethod == "wampcra" then p.secret = "s3cret" end
  if request.authmethod == "scram" or request.authmethod == "wamp-scram" then
    for k, v in pairs(crypto.scram_keys { password = "s3cret", iterations = 1, memory = 8 }) do p[k] = v end
  end
  if request.authmethod == "cryptosign" then p.authid, p.authorized_keys = "dev", { "PUBLIC_KEY" } end
  if request.authmethod == "tls" then p.expires_at = request.transport.client_cert.not_after end
  if request.authmethod == "anonymous" then p.authid = "guest" end
  return p
end)
`

const dynamicConfig = `
realms:
  - {name: realm1, roles: [{name: user, permissions: []}]}
  - name: internal
    roles: [{name: authenticator, permissions: [{uri: com.example.authenticate, match: exact, allow: {register: true}}]}]
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0, tls: {certificate: server.pem, key: server.key, ca_certificates: [ca.pem]}}
    paths:
      ws:
        type: websocket
        auth:
          anonymous: &d {type: dynamic, authenticator: com.example.authenticate, authenticator-realm: internal, realms: [realm1]}
          ticket: *d
          wampcra: *d
          scram: *d
          cryptosign: *d
          tls: *d
scripts: {directory: scripts, allow_join: true}
`

// TestTryAsksAuthenticators for every method, of clients that name no realm too.
func TestTryAsksAuthenticators(t *testing.T) {
	dir := files(t, map[string]string{"usher.yaml": dynamicConfig, "scripts/every.lua": strings.ReplaceAll(everyDynamic, "PUBLIC_KEY", publicKey)})
	a := newAuthority(t, dir, "ca")
	a.issue("server")
	a.issue("client_0")
	writeKeys(t, dir)
	t.Setenv(ticketVariable, "s3cret")
	t.Setenv(secretVariable, "s3cret")
	noRole := func(what string) string {
		return `failed    wamp.error.authentication_failed: every.lua:2: the authenticator returned no ` + what + `: a role alone is no proof`
	}
	for _, test := range []struct{ args, want string }{
		{"--method anonymous", "accepted  realm=realm1 authid=guest authrole=user"},
		{"--authid joe", "accepted  realm=realm1 authid=joe authrole=user"},
		{"--authid joe --ticket wrong", "refused   com.example.no: wrong"},
		{"--authid bare", "accepted  realm=realm1 authid=bare authrole=user"},
		{"--authid joe --method wampcra", "accepted  realm=realm1 authid=joe authrole=user"},
		{"--authid joe --method wampcra --secret wrong", "refused   " + denied},
		{"--authid bare --method wampcra", noRole("secret")},
		{"--authid joe --method wamp-scram", "accepted  realm=realm1 authid=joe authrole=user"},
		{"--authid joe --method wamp-scram --secret wrong", "refused   " + denied},
		{"--authid bare --method scram", noRole("keys")},
		{"--key DIR/key.hex", "accepted  realm=realm1 authid=dev authrole=user"},
		{"--key DIR/other.hex", "refused   " + denied},
		{"--cert DIR/client_0.both", "accepted  realm=realm1 authid=client_0 authrole=user expires_at=20"},
		{"--authid eve --cert DIR/client_0.both --method tls", "refused   com.example.no: not eve"},
		{"--authid eve --method wampcra", "refused   com.example.no: not eve"},
		{"--authid eve --method scram", "refused   com.example.no: not eve"},
		{"--authid eve --key DIR/key.hex", "refused   com.example.no: not eve"},
	} {
		for _, realm := range []string{"--realm=", "--realm=realm1"} {
			args := strings.Fields(strings.ReplaceAll(test.args, "DIR", dir))
			if realm == "--realm=" && strings.Contains(test.want, "authid=bare") {
				continue // a role alone says no realm
			}
			status, out, errs := usher(t, dir, "", append([]string{"try", realm}, args...)...)
			if !strings.Contains(out, test.want) || (status == exitOK) != strings.HasPrefix(test.want, "accepted") || !strings.Contains(out, "asked     com.example.authenticate") {
				t.Errorf("%s %s: exit status %d, want %s\n%s%s", realm, test.args, status, test.want, out, errs)
			}
			if strings.Contains(out+errs, "s3cret") || strings.Contains(out+errs, seed) {
				t.Errorf("%s: a secret is shown:\n%s%s", test.args, out, errs)
			}
		}
	}
	if status, out, _ := usher(t, dir, "", "try", "--json", "--cert", filepath.Join(dir, "client_0.both")); status != exitOK ||
		!regexp.MustCompile(`"certificate": "([0-9A-F]{2}:){31}[0-9A-F]{2}"`).MatchString(out) || !strings.Contains(out, `"expires_at": "20`) {
		t.Errorf("exit status %d\n%s", status, out)
	}
}

// TestTryToken verifies a token with keys of a file.
func TestTryToken(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := files(t, map[string]string{
		"jwks.json": fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public)),
		"usher.yaml": strings.Replace(staticConfig, "{ticket: {type: static, principals: {joe: {ticket: s3cret, role: frontend}}}}",
			"{ticket: {type: jwt, issuer: me, audience: usher, jwks: jwks.json, role_claim: role}}", 1),
	})
	token := func(role string) string {
		part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		signed := part(`{"alg":"EdDSA","kid":"a"}`) + "." + part(`{"iss":"me","aud":"usher","sub":"joe","exp":4102444800,"role":"`+role+`"}`)
		return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(signed)))
	}
	right := token("frontend")
	for _, test := range []struct{ ticket, method, want string }{
		{right, "jwt", "accepted  realm=realm1 authid=joe authrole=frontend expires_at=2100-01-01"},
		{right, "ticket --authid joe", "accepted  realm=realm1 authid=joe authrole=frontend"},
		{token("nobody"), "jwt", "refused   wamp.error.no_such_role"},
		{right[:len(right)-10] + "AAAAAAAAAA", "jwt", "refused   wamp.error.authentication_denied: the token is not accepted"},
		{"nonsense", "jwt", "refused   wamp.error.authentication_denied: the token is not accepted"},
	} {
		status, out, errs := usher(t, dir, test.ticket, append([]string{"try", "--method"}, strings.Fields(test.method)...)...)
		if !strings.Contains(out, test.want) || !strings.Contains(out, "asked     keys of me") || (status == exitOK) != strings.HasPrefix(test.want, "accepted") {
			t.Errorf("%s: exit status %d, want %s\n%s%s", test.method, status, test.want, out, errs)
		}
		if strings.Contains(out+errs, test.ticket) {
			t.Errorf("the token is shown:\n%s%s", out, errs)
		}
	}
}
