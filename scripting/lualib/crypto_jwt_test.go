package lualib

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lua "github.com/yuin/gopher-lua"

	own "usher/router/jwt"
)

// issuer signs tokens with a key of each kind.
type issuer struct {
	testing.TB
	rsa    *rsa.PrivateKey
	ec     *ecdsa.PrivateKey
	ed     ed25519.PrivateKey
	secret []byte
}

func newIssuer(t testing.TB) *issuer {
	i := &issuer{TB: t, secret: []byte(strings.Repeat("k", 32))}
	var err error
	if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, i.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *issuer) pem(public any) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		i.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// token signs claims; header has more fields.
func (i *issuer) token(method jwt.SigningMethod, key any, header, claims map[string]any) string {
	t := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	for name, value := range header {
		t.Header[name] = value
	}
	s, err := t.SignedString(key)
	if err != nil {
		i.Fatal(err)
	}
	return s
}

func (i *issuer) jwks() string {
	b64 := base64.RawURLEncoding.EncodeToString
	point, err := i.ec.PublicKey.Bytes()
	if err != nil {
		i.Fatal(err)
	}
	set, err := json.Marshal(map[string]any{"keys": []map[string]any{
		{"kty": "RSA", "kid": "r", "use": "sig", "n": b64(i.rsa.N.Bytes()), "e": "AQAB"},
		{"kty": "EC", "kid": "e", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		{"kty": "OKP", "kid": "d", "crv": "Ed25519", "alg": "EdDSA", "x": b64(i.ed.Public().(ed25519.PublicKey))},
		{"kty": "RSA", "kid": "enc", "use": "enc", "n": b64(i.rsa.N.Bytes()), "e": "AQAB"},
		{"kty": "new", "kid": "n"},
		{"kty": "OKP", "kid": "x", "crv": "X25519", "x": "AA"},
	}})
	if err != nil {
		i.Fatal(err)
	}
	return string(set)
}

func TestJWT(t *testing.T) {
	i := newIssuer(t)
	now := time.Unix(1_000_000, 0)
	L := cryptoVM(t, Options{Now: func() time.Time { return now }})
	good := map[string]any{"sub": "joe", "iss": "https://issuer", "aud": []string{"usher", "other"}, "exp": 1_000_060, "nbf": 999_990, "iat": 999_990, "n": nil, "level": 3}
	with := func(change map[string]any) map[string]any {
		c := map[string]any{}
		for k, v := range good {
			c[k] = v
		}
		for k, v := range change {
			if c[k] = v; v == "absent" {
				delete(c, k)
			}
		}
		return c
	}
	rs, es, ed, hs := jwt.SigningMethodRS256, jwt.SigningMethodES256, jwt.SigningMethodEdDSA, jwt.SigningMethodHS256
	otherRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims(good)).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	goodRS := i.token(rs, i.rsa, nil, good)
	parts := strings.Split(goodRS, ".")
	L.SetGlobal("secret", lua.LString(i.secret))
	L.SetGlobal("rsa", lua.LString(i.pem(&i.rsa.PublicKey)))
	L.SetGlobal("ec", lua.LString(i.pem(&i.ec.PublicKey)))
	L.SetGlobal("ed", lua.LString(i.pem(i.ed.Public())))
	L.SetGlobal("jwks", lua.LString(i.jwks()))
	for _, c := range []struct{ name, token, options, want string }{
		{"RS256", goodRS, `{key = rsa, algorithm = "RS256"}`, ""},
		{"ES256", i.token(es, i.ec, nil, good), `{key = ec, algorithm = "ES256"}`, ""},
		{"EdDSA", i.token(ed, i.ed, nil, good), `{key = ed, algorithm = "EdDSA"}`, ""},
		{"HS256", i.token(hs, i.secret, nil, good), `{key = secret, algorithm = "HS256"}`, ""},
		{"all checked", goodRS, `{key = rsa, algorithm = "RS256", issuer = "https://issuer", audience = "usher", leeway = 5}`, ""},
		{"lists", goodRS, `{key = rsa, algorithm = "RS256", issuer = {"a", "https://issuer"}, audience = {"a", "other"}}`, ""},
		{"JWKS, RSA", i.token(rs, i.rsa, map[string]any{"kid": "r"}, good), `{jwks = jwks}`, ""},
		{"JWKS, EC", i.token(es, i.ec, map[string]any{"kid": "e"}, good), `{jwks = jwks}`, ""},
		{"JWKS, Ed25519", i.token(ed, i.ed, map[string]any{"kid": "d"}, good), `{jwks = jwks}`, ""},
		{"expired within the leeway", i.token(rs, i.rsa, nil, with(map[string]any{"exp": 999_995})), `{key = rsa, algorithm = "RS256", leeway = 10}`, ""},
		{"no expiry, allowed", i.token(rs, i.rsa, nil, with(map[string]any{"exp": "absent"})), `{key = rsa, algorithm = "RS256", without_expiry = true}`, ""},

		{"none", unsigned, `{key = rsa, algorithm = "RS256"}`, "signed with none, the key is for RS256"},
		{"the public key as a secret", i.token(hs, []byte(i.pem(&i.rsa.PublicKey)), nil, good), `{key = rsa, algorithm = "RS256"}`, "signed with HS256, the key is for RS256"},
		{"another algorithm of the key's kind", i.token(jwt.SigningMethodRS512, i.rsa, nil, good), `{key = rsa, algorithm = "RS256"}`, "signed with RS512"},
		{"another algorithm, JWKS", i.token(jwt.SigningMethodPS256, i.rsa, map[string]any{"kid": "r"}, good), `{jwks = jwks}`, "signed with PS256"},
		{"another key", i.token(rs, otherRSA, nil, good), `{key = rsa, algorithm = "RS256"}`, "signature is wrong"},
		{"another secret", i.token(hs, []byte("x"), nil, good), `{key = secret, algorithm = "HS256"}`, "signature is wrong"},
		{"another key, JWKS", i.token(rs, otherRSA, map[string]any{"kid": "r"}, good), `{jwks = jwks}`, "signature is wrong"},
		{"unknown kid", i.token(rs, i.rsa, map[string]any{"kid": "q"}, good), `{jwks = jwks}`, "a key that is not known"},
		{"key for encryption", i.token(rs, i.rsa, map[string]any{"kid": "enc"}, good), `{jwks = jwks}`, "a key that is not known"},
		{"no kid, several keys", goodRS, `{jwks = jwks}`, "does not say which key"},
		{"key in the header", i.token(rs, otherRSA, map[string]any{"jwk": map[string]any{"kty": "RSA"}}, good), `{key = rsa, algorithm = "RS256"}`, "signature is wrong"},
		{"crit", i.token(rs, i.rsa, map[string]any{"crit": []string{"x"}}, good), `{key = rsa, algorithm = "RS256"}`, "crit"},
		{"changed claims", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"root","exp":1000060}`)) + "." + parts[2], `{key = rsa, algorithm = "RS256"}`, "signature is wrong"},
		{"no signature", parts[0] + "." + parts[1] + ".", `{key = rsa, algorithm = "RS256"}`, "signature is wrong"},
		{"expired", i.token(rs, i.rsa, nil, with(map[string]any{"exp": 999_999})), `{key = rsa, algorithm = "RS256"}`, "has expired"},
		{"no expiry", i.token(rs, i.rsa, nil, with(map[string]any{"exp": "absent"})), `{key = rsa, algorithm = "RS256"}`, "has no exp"},
		{"expiry of another type", i.token(rs, i.rsa, nil, with(map[string]any{"exp": "never"})), `{key = rsa, algorithm = "RS256"}`, "claims"},
		{"not yet", i.token(rs, i.rsa, nil, with(map[string]any{"nbf": 1_000_020})), `{key = rsa, algorithm = "RS256", leeway = 10}`, "not valid yet"},
		{"issued later", i.token(rs, i.rsa, nil, with(map[string]any{"iat": 1_000_020})), `{key = rsa, algorithm = "RS256"}`, "issued in the future"},
		{"other issuer", goodRS, `{key = rsa, algorithm = "RS256", issuer = "https://issue"}`, "another issuer"},
		{"no issuer", i.token(rs, i.rsa, nil, with(map[string]any{"iss": "absent"})), `{key = rsa, algorithm = "RS256", issuer = "https://issuer"}`, "another issuer"},
		{"other audience", goodRS, `{key = rsa, algorithm = "RS256", audience = "me"}`, "another audience"},
		{"no audience", i.token(rs, i.rsa, nil, with(map[string]any{"aud": "absent"})), `{key = rsa, algorithm = "RS256", audience = "me"}`, "no aud"},
		{"nothing", "", `{key = rsa, algorithm = "RS256"}`, "not a token"},
		{"dots", "..", `{key = rsa, algorithm = "RS256"}`, "not a token"},
		{"large", strings.Repeat("a", own.MaxToken+1), `{key = rsa, algorithm = "RS256"}`, "more than 65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			L.SetGlobal("token", lua.LString(c.token))
			check := `assert(claims, header) is(claims.sub, "joe") is(claims.n, null) is(claims.level, 3) is(header.typ, "JWT")`
			if c.want != "" {
				check = fmt.Sprintf("nothing(%q, claims, header)", c.want)
			}
			run(t, L, "local claims, header = crypto.jwt_verify(token, "+c.options+") "+check)
		})
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	L.SetGlobal("weak", lua.LString(i.pem(&weak.PublicKey)))
	for _, c := range []struct{ options, want string }{
		{``, "table expected"},
		{`{}`, "key is missing"},
		{`{key = rsa}`, "algorithm is missing: it belongs to the key"},
		{`{key = rsa, algorithm = "none"}`, "algorithm must be one of"},
		{`{key = rsa, algorithm = "HS256"}`, "is PEM, which is no secret"},
		{`{key = "short", algorithm = "HS256"}`, "has 5 bytes: the secret of HS256 must have at least 32"},
		{`{key = rsa, algorithm = "ES256"}`, "is not one for ES256"},
		{`{key = ec, algorithm = "ES384"}`, "is not one for ES384"},
		{`{key = ed, algorithm = "RS256"}`, "is not one for RS256"},
		{`{key = weak, algorithm = "RS256"}`, "has 1024 bits"},
		{`{key = "x", algorithm = "RS256"}`, "is not PEM"},
		{`{jwks = jwks, algorithm = "RS256"}`, "jwks must stand alone"},
		{`{jwks = "x"}`, "is not a JWKS document"},
		{`{jwks = '{"keys": [{"kty": "oct", "k": "AAAA"}]}'}`, "has a secret"},
		{`{jwks = '{"keys": [{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}]}'}`, "not on the curve P-256"},
		{`{jwks = '{"keys": [{"kty": "RSA", "n": "AAAA", "e": "AQAB"}]}'}`, "bits"},
		{`{jwks = '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "*"}]}'}`, "not base64url"},
		{`{key = rsa, algorithm = "RS256", audiences = "x"}`, "unknown option"},
		{`{key = rsa, algorithm = "RS256", issuer = {}}`, "issuer must not be empty"},
		{`{key = rsa, algorithm = "RS256", audience = ""}`, "audience must not be empty"},
		{`{key = rsa, algorithm = "RS256", audience = {"a", ""}}`, "audience must not be empty"},
		{`{key = rsa, algorithm = "RS256", audience = {main = "a"}}`, "audience[1] must be a string, not a nil"},
		{`{key = rsa, algorithm = "RS256", issuer = 1}`, "issuer must be a string or a list of strings, not a number"},
		{`{key = rsa, algorithm = "RS256", leeway = -1}`, "leeway must be from 0 to 3600 seconds"},
	} {
		run(t, L, fmt.Sprintf("fails(%q, crypto.jwt_verify, 'a.b.c', %s)", c.want, c.options+strings.Repeat("nil", max(0, 1-len(c.options)))))
	}
}
