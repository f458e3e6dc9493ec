package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
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

// respelled is a token whose last letter has other bits where no bits belong.
func respelled(token string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	return token[:last] + letters[strings.IndexByte(letters, token[last])^1:][:1]
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

// TestParseKey: a key is taken for the algorithm that it is for, and no other.
func TestParseKey(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	modulus := func(bits uint) *rsa.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}
	}
	secret := strings.Repeat("s", 32)
	for _, test := range []struct{ name, text, algorithm, want string }{
		{"a secret", secret, "HS256", ""},
		{"a short secret", secret[1:], "HS256", "has 31 bytes"},
		{"a public key as a secret", text(private.Public()), "HS256", "is PEM, which is no secret"},
		{"a secret as a public key", secret, "EdDSA", "is not PEM"},
		{"Ed25519", text(private.Public()), "EdDSA", ""},
		{"Ed25519 for ES256", text(private.Public()), "ES256", "is not one for ES256"},
		{"P-256", text(&p256.PublicKey), "ES256", ""},
		{"P-256 for ES384", text(&p256.PublicKey), "ES384", "is not one for ES384"},
		{"P-256 for EdDSA", text(&p256.PublicKey), "EdDSA", "is not one for EdDSA"},
		{"RSA", text(modulus(2048)), "RS256", ""},
		{"RSA for PS512", text(modulus(2048)), "PS512", ""},
		{"RSA for ES256", text(modulus(2048)), "ES256", "is not one for ES256"},
		{"weak RSA", text(modulus(2047)), "RS256", "RSA keys must have"},
		{"RSA that takes long", text(modulus(16385)), "RS256", "RSA keys must have"},
		{"a private key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "EdDSA", "not of a public key"},
	} {
		_, err := ParseKey(test.text, test.algorithm)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if fits([]byte(secret), "RS256") == nil {
		t.Error("a secret is one for RS256")
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
	// with is a token with another claim; nil: without it.
	with := func(claim string, value any) string {
		c := maps.Clone(good)
		if c[claim] = value; value == nil {
			delete(c, claim)
		}
		return sign(t, map[string]any{"kid": "a"}, c)
	}
	leeway := func(o *Options) { o.Leeway = 5 * time.Second }
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
		{"expired within the leeway", with("exp", now.Unix()-4), keys, leeway, ""},
		{"expired beyond the leeway", with("exp", now.Unix()-6), keys, leeway, "the token has expired"},
		{"never expires", with("exp", nil), keys, nil, "the token has no exp or no aud"},
		{"never expires, and need not", with("exp", nil), keys, func(o *Options) { o.WithoutExpiry = true }, ""},
		{"expired, and need not", with("exp", now.Unix()-6), keys, func(o *Options) { o.WithoutExpiry = true }, "the token has expired"},
		{"not yet", with("nbf", now.Unix()+6), keys, nil, "the token is not valid yet"},
		{"of the future", with("iat", now.Unix()+6), keys, nil, "the token is issued in the future"},
		{"one audience of several", with("aud", []string{"a", "usher"}), keys, nil, ""},
		{"another audience", with("aud", "other"), keys, nil, "the token is for another audience"},
		{"no audience", with("aud", nil), keys, nil, "the token has no exp or no aud"},
		{"too long", with("long", strings.Repeat("a", MaxToken)), keys, nil, "the token has more than 65536 bytes"},
		{"written in another way", respelled(sign(t, map[string]any{"kid": "a"}, good)), keys, nil, "this is not a token"},
		{"with an end of line in its signature", sign(t, map[string]any{"kid": "a"}, good) + "\n", keys, nil, "this is not a token"},
		{"with a carriage return in its header", "\r" + sign(t, map[string]any{"kid": "a"}, good), keys, nil, "this is not a token"},
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
	f.Add(signed[:len(signed)-8] + "\r" + signed[len(signed)-8:])
	f.Fuzz(func(t *testing.T, token string) {
		if _, claims, err := Verify(token, keys, Options{}); err == nil && token != signed {
			t.Errorf("%q is good: %s", token, claims)
		}
	})
}
