package jwt

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The key pair of the tests, and its JWKS document.
var (
	private = ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", ed25519.SeedSize)))
	public  = base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	jwks    = fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":%q}]}`, public)
)

func sign(t testing.TB, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	for k, v := range header {
		token.Header[k] = v
	}
	s, err := token.SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseJWKS(t *testing.T) {
	key := func(fields string) string { return `{"keys":[{` + fields + `}]}` }
	for _, test := range []struct{ name, document, want string }{
		{"a key", jwks, "1 keys"},
		{"a key for encryption", key(`"kty":"OKP","crv":"Ed25519","use":"enc","x":"` + public + `"`), "0 keys"},
		{"a kind that is not known", key(`"kty":"LMS","x":"AAAA"`), "0 keys"},
		{"an algorithm that is not known", key(`"kty":"OKP","crv":"Ed25519","alg":"XX1","x":"` + public + `"`), "0 keys"},
		{"an algorithm of another kind", key(`"kty":"OKP","crv":"Ed25519","alg":"RS256","x":"` + public + `"`), "is not one for RS256"},
		{"an algorithm with a secret", key(`"kty":"OKP","crv":"Ed25519","alg":"HS256","x":"` + public + `"`), "is not one for HS256"},
		{"a secret", key(`"kty":"oct","k":"AAAA"`), "has a secret"},
		{"a short key", key(`"kty":"OKP","crv":"Ed25519","x":"AAAA"`), "is not an Ed25519 key"},
		{"a weak key", key(`"kty":"RSA","n":"AQAB","e":"AQAB"`), "RSA keys must have"},
		{"an exponent of one", key(`"kty":"RSA","n":"` + strings.Repeat("_", 342) + `","e":"AQ"`), "is not an RSA key"},
		{"a point that is not on its curve", key(`"kty":"EC","crv":"P-256","x":"` + public + `","y":"` + public + `"`), "is not on the curve"},
		{"no base64url", key(`"kty":"RSA","n":"+/","e":"AQAB"`), "is not base64url"},
		{"too many", `{"keys":[` + strings.Repeat(`{},`, MaxKeys) + `{}]}`, "has more than 100 keys"},
		{"no JSON", `<html>`, "is not a JWKS document"},
		{"none", `{}`, "0 keys"},
	} {
		keys, err := ParseJWKS([]byte(test.document))
		got := fmt.Sprintf("%d keys", len(keys))
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestVerify(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	good := jwt.MapClaims{"iss": "me", "aud": "usher", "exp": now.Unix() + 60}
	keys, err := ParseJWKS([]byte(jwks))
	if err != nil {
		t.Fatal(err)
	}
	// A key that fits, but is for another algorithm.
	other := []Key{{Algorithm: "RS256", key: keys[0].key}}
	two := append(keys, Key{ID: "b", Algorithm: "EdDSA", key: keys[0].key})
	o := Options{Issuers: []string{"me"}, Audiences: []string{"usher"}, Now: func() time.Time { return now }}
	for _, test := range []struct {
		name   string
		token  string
		keys   []Key
		change func(o *Options)
		want   string // the error; empty: none
	}{
		{"good", sign(t, map[string]any{"kid": "a"}, good), keys, nil, ""},
		{"without a kid, and there is one key", sign(t, nil, good), keys, nil, ""},
		{"without a kid, and there are two", sign(t, nil, good), two, nil, "the token does not say which key it is signed with"},
		{"another kid", sign(t, map[string]any{"kid": "c"}, good), keys, nil, ErrUnknownKey.Error()},
		{"a kid that is no text", sign(t, map[string]any{"kid": 7}, good), two, nil, "the token does not say which key it is signed with"},
		{"a key for another algorithm", sign(t, nil, good), other, nil, "the token is signed with EdDSA, the key is for RS256"},
		{"an algorithm that is not known", "eyJhbGciOiJYWDEifQ.e30.AAAA", keys, nil, "the token is signed in a way that is not known here"},
		{"no algorithm at all", "eyJhbGciOiJub25lIn0.e30.", keys, nil, "the token is signed with none, the key is for EdDSA"},
		{"no keys", sign(t, map[string]any{"kid": "a"}, good), nil, nil, ErrUnknownKey.Error()},
		{"a critical header", sign(t, map[string]any{"kid": "a", "crit": []string{"b64"}}, good), keys, nil, "the token's header has crit"},
		{"another algorithm than is accepted", sign(t, map[string]any{"kid": "a"}, good), keys, func(o *Options) { o.Algorithms = []string{"RS256"} }, "the token's signature is wrong"},
		{"another issuer", sign(t, map[string]any{"kid": "a"}, good), keys, func(o *Options) { o.Issuers = []string{"you"} }, "the token has another issuer"},
		{"later", sign(t, map[string]any{"kid": "a"}, good), keys, func(o *Options) { o.Now = func() time.Time { return now.Add(time.Hour) } }, "the token has expired"},
		{"a letter changed", strings.Replace(sign(t, map[string]any{"kid": "a"}, good), ".", ".e", 1), keys, nil, "this is not a token"},
	} {
		o := o
		if test.change != nil {
			test.change(&o)
		}
		header, claims, err := Verify(test.token, test.keys, o)
		switch {
		case test.want == "" && (err != nil || !strings.Contains(string(claims), `"iss":"me"`) || !strings.Contains(string(header), "EdDSA")):
			t.Errorf("%s: %v, %s %s", test.name, err, header, claims)
		case test.want != "" && (err == nil || err.Error() != test.want || claims != nil):
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if unknown := errors.Is(err, ErrUnknownKey); unknown != (test.want == ErrUnknownKey.Error()) {
			t.Errorf("%s: another key might help: %t", test.name, unknown)
		}
	}
}

func FuzzParseJWKS(f *testing.F) {
	f.Add([]byte(jwks))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-521","x":"AA","y":"AA"},{"kty":"RSA","n":"AA","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, err := ParseJWKS(document)
		if len(keys) > MaxKeys || err != nil && keys != nil {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			if strings.HasPrefix(k.Algorithm, "HS") || k.key == nil {
				t.Errorf("a key for %s", k.Algorithm)
			}
		}
	})
}

// FuzzVerify: no token is good but those that were signed.
func FuzzVerify(f *testing.F) {
	keys, err := ParseJWKS([]byte(jwks))
	if err != nil {
		f.Fatal(err)
	}
	signed := sign(f, map[string]any{"kid": "a"}, jwt.MapClaims{"sub": "joe", "exp": 4_000_000_000})
	f.Add(signed)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(strings.Replace(signed, ".", "..", 1))
	f.Fuzz(func(t *testing.T, token string) {
		if _, claims, err := Verify(token, keys, Options{}); err == nil && token != signed {
			t.Errorf("%q is good: %s", token, claims)
		}
	})
}
