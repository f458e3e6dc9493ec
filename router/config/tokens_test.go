package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
)

func TestTokens(t *testing.T) {
	plain := auth.JWT{
		Issuer: "https://id.example.com", Audience: []string{"usher"}, Algorithms: auth.JWTAlgorithms(),
		Leeway: 30 * time.Second, Refresh: 15 * time.Minute, AuthidClaim: "sub", Role: "frontend",
	}
	with := func(change func(j *auth.JWT)) auth.JWT {
		j := plain
		change(&j)
		return j
	}
	for _, test := range []struct {
		keys string
		want auth.JWT
	}{
		{"issuer: https://id.example.com, audience: usher, role: frontend", plain},
		{"issuer: https://id.example.com, audience: [a, b], role_claim: realm_access.role, role: frontend, jwks: https://id.example.com/keys", with(func(j *auth.JWT) {
			j.Audience, j.RoleClaim, j.JWKS = []string{"a", "b"}, "realm_access.role", "https://id.example.com/keys"
		})},
		{"issuer: me, audience: usher, role_claim: role, realm_claim: tenant, realm: realm2, jwks: keys/jwks.json, algorithms: [ES256, EdDSA], authid_claim: email, leeway: 1s, refresh: 1h, without_expiry: true",
			auth.JWT{Issuer: "me", Audience: []string{"usher"}, JWKS: "conf/keys/jwks.json", Algorithms: []string{"ES256", "EdDSA"}, Leeway: time.Second, Refresh: time.Hour,
				WithoutExpiry: true, AuthidClaim: "email", RoleClaim: "role", RealmClaim: "tenant", Realm: "realm2"}},
		{"issuer: https://id.example.com, audience: usher, role: frontend, jwks: http://127.0.0.1:8000/keys", with(func(j *auth.JWT) { j.JWKS = "http://127.0.0.1:8000/keys" })},
	} {
		c := parse(t, "conf/usher.yaml", withAuth(t, "ticket: {type: jwt, "+test.keys+"}"))
		m := c.Transports[0].Paths[0].WebSocket.Auth.Ticket
		if m == nil || m.JWT == nil || m.Principals != nil || m.Authenticator != nil || !reflect.DeepEqual(*m.JWT, test.want) {
			t.Fatalf("%s\ngot  %+v\nwant %+v", test.keys, m.JWT, test.want)
		}
		if all := c.Tokens(); len(all) != 1 || all[0] != m.JWT {
			t.Errorf("all tokens are %v", all)
		}
	}
	for _, test := range []struct{ section, want string }{
		{"ticket: {type: jwt, audience: usher, role: frontend}", `"issuer" is missing`},
		{"ticket: {type: jwt, issuer: https://a.example, role: frontend}", `"audience" is missing`},
		{"ticket: {type: jwt, issuer: https://a.example, audience: [], role: frontend}", "the list is empty: no token would be accepted"},
		{"ticket: {type: jwt, issuer: https://a.example, audience: usher}", "a token has no role"},
		{"ticket: {type: jwt, issuer: https://a.example, audience: usher, role: fronted}", `no realm has the role "fronted"`},
		{"ticket: {type: jwt, issuer: https://a.example, audience: usher, role: frontend, realm: realm2}", "frontend"},
		{"ticket: {type: jwt, issuer: https://a.example, audience: usher, role_claim: role, realm: realm9}", `there is no realm "realm9"`},
		{"ticket: {type: jwt, issuer: me, audience: usher, role: frontend}", "is no https URL, so the issuer can't be asked"},
		{"ticket: {type: jwt, issuer: me, audience: usher, role: frontend, jwks: http://a.example/keys}", "whoever is in between"},
		{"ticket: {type: jwt, issuer: me, audience: usher, role: frontend, jwks: 'https:///keys'}", "is no https URL"},
		{"ticket: {type: jwt, issuer: me, audience: usher, role: frontend, jwks: https://a.example/keys, algorithms: [HS256]}", "is signed with a secret"},
		{"ticket: {type: jwt, issuer: me, audience: usher, role: frontend, jwks: https://a.example/keys, algorithms: [none]}", "is no algorithm of tokens"},
		{"ticket: {type: jwt, issuer: me, audience: usher, role: frontend, jwks: https://a.example/keys, algorithms: []}", "the list is empty"},
		{"ticket: {type: jwt, issuer: me, audience: usher, role: frontend, jwks: https://a.example/keys, refresh: 5s}", "is less than 1m"},
		{"ticket: {type: jwt, issuer: me, audience: usher, role: frontend, jwks: https://a.example/keys, leeway: 2h}", "is not from 1ms to 1h"},
		{"ticket: {type: jwt, issuer: me, audience: usher, role: frontend, jwk: x}", `did you mean "jwks"?`},
		{"jwt: {type: static}", "tokens are the tickets of clients: write ticket: {type: jwt"},
		{"wampcra: {type: jwt}", "is not a type of wampcra authentication"},
	} {
		_, err := Parse("usher.yaml", []byte(withAuth(t, test.section)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\ngot  %v\nwant %s", test.section, err, test.want)
		}
	}
}
