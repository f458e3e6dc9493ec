package router

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TestLoginByToken is the whole way of a token, from the configuration to the end
// of its session.
func TestLoginByToken(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jwks.json")
	jwks := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	if err := os.WriteFile(file, []byte(jwks), 0o600); err != nil {
		t.Fatal(err)
	}
	r, url := serve(t, `
realms:
  - {name: realm1, roles: [{name: user, permissions: []}]}
  - {name: realm2, roles: [{name: user, permissions: []}]}
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0}
    paths:
      ws:
        type: websocket
        auth: {ticket: {type: jwt, issuer: me, audience: usher, jwks: `+file+`, role_claim: role, realm_claim: realm, leeway: 1ms}}
limits: {close_timeout: 500ms}
`)
	token := func(life time.Duration, changes map[string]any) string {
		claims := jwt.MapClaims{"iss": "me", "aud": "usher", "sub": "joe", "role": "user", "realm": "realm1", "exp": time.Now().Add(life).Unix()}
		for k, v := range changes {
			claims[k] = v
		}
		signed := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
		signed.Header["kid"] = "a"
		text, err := signed.SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, test := range []struct {
		name, realm, method, token string
		want                       string
		parts                      []string
	}{
		{"ticket", "realm1", "ticket", token(time.Hour, nil), `[2,`, []string{`"authid":"joe"`, `"authrole":"user"`, `"authmethod":"ticket"`, `"authprovider":"static"`}},
		{"jwt", "realm1", "jwt", token(time.Hour, nil), `[2,`, []string{`"authid":"joe"`, `"authmethod":"jwt"`}},
		{"another realm", "realm2", "ticket", token(time.Hour, nil), `[3,`, []string{`"wamp.error.authentication_denied"`, "another realm"}},
		{"expired", "realm1", "ticket", token(-time.Hour, nil), `[3,`, []string{`"wamp.error.authentication_denied"`, "expired"}},
		{"a role that is not there", "realm1", "ticket", token(time.Hour, map[string]any{"role": "root"}), `[3,`, []string{`"wamp.error.no_such_role"`}},
		{"no token", "realm1", "ticket", "s3cret", `[3,`, []string{`"wamp.error.authentication_denied"`}},
	} {
		p := newBrowser(t).open(url, test.realm, "somebody", test.method)
		p.expect(`[4,"` + test.method + `"`)
		p.send([]any{5, test.token, map[string]any{}})
		p.expect(test.want, test.parts...)
	}
	// The session ends with its token.
	p := newBrowser(t).open(url, "realm1", "", "jwt")
	p.expect(`[4,`)
	p.send([]any{5, token(2*time.Second, nil), map[string]any{}})
	p.expect(`[2,`)
	p.expect(`[6,`, "expired")

	// A configuration without tokens, and one with them again.
	c := parse(t, cookieConf(filepath.Join(t.TempDir(), "cookies.dat")))
	if _, err := r.Apply(c); err != nil {
		t.Fatal(err)
	}
}
