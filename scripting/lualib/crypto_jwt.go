package lualib

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lua "github.com/yuin/gopher-lua"

	"usher/scripting/luaconv"
)

// The bounds on what is read of a token and its keys.
const (
	maxToken   = 64 << 10
	maxJWKS    = 512 << 10
	maxKeys    = 100
	minRSABits = 2048
	minSecret  = 32 // bytes, RFC 7518 section 3.2
)

// jwtFunctions are crypto.jwt_verify(token, options): the claims and the header
// of a token that is good, or nil and why it is not. options:
//
//	key, algorithm    the key: PEM, or the secret of HS…; and what it is for
//	jwks              or a JWKS document: the key is that of the token's kid, and
//	                  what it is for is the key's alg, else follows from its type
//	issuer            that iss must be; one or a list
//	audience          that aud must have; one or a list, of which one is enough
//	leeway            seconds that clocks may differ; 0
//	without_expiry    true: a token that never expires is good, too
//
// A token can't choose its algorithm: another one than the key's is refused, and
// "none" is no algorithm.
func jwtFunctions(values *luaconv.Converter) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{"jwt_verify": func(L *lua.LState) int { return jwtVerify(L, values) }}
}

// jwtKey is a key with the only algorithm that it is for.
type jwtKey struct {
	id, algorithm string
	key           any
}

func algorithms() []string {
	return []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

func jwtVerify(L *lua.LState, values *luaconv.Converter) int {
	const verb = "crypto.jwt_verify"
	token := checkText(L, 1)
	CheckTable(L, 2)
	o := checkNamed(L, verb, 2)
	keys := jwtKeys(o)
	issuers, audiences := o.texts("issuer"), o.texts("audience")
	leeway := o.seconds("leeway", 0, time.Hour, 0)
	forever := o.flag("without_expiry")
	o.done()
	if values == nil {
		Errorf(L, "%s: not available here", verb)
	}
	if len(token) > maxToken {
		return pushNothing(L, fmt.Sprintf("the token has more than %d bytes", maxToken))
	}
	Alloc(L, 4*len(token))
	now := time.Now
	if m := machineOf(L); m != nil {
		now = m.options.Now
	}
	header, claims, err := verifyToken(token, keys, issuers, audiences, leeway, forever, now)
	if err != nil {
		return pushNothing(L, err.Error())
	}
	for _, part := range [][]byte{claims, header} {
		v, err := values.ValueJSON(meterOf(L), part)
		if err != nil {
			L.SetTop(0)
			return pushNothing(L, "the token's JSON: "+err.Error())
		}
		L.Push(v)
	}
	return 2
}

// jwtKeys reads the options that say which keys there are.
func jwtKeys(o *named) []jwtKey {
	key, algorithm, set := o.text("key", ""), o.oneOf("algorithm", "", algorithms()...), o.text("jwks", "")
	switch {
	case set != "" && (key != "" || algorithm != ""):
		o.fail("jwks", "must stand alone: its keys say what they are for")
	case set != "":
		if len(set) > maxJWKS {
			o.fail("jwks", "has more than %d bytes", maxJWKS)
		}
		Alloc(o.L, 2*len(set))
		keys, err := parseJWKS([]byte(set))
		if err != nil {
			o.fail("jwks", "%v", err)
		}
		return keys
	case key == "":
		o.fail("key", "is missing: there must be key and algorithm, or jwks")
	case algorithm == "":
		o.fail("algorithm", "is missing: it belongs to the key, and a token must not choose it")
	}
	parsed, err := parseKey(key, algorithm)
	if err == nil {
		err = fits(parsed, algorithm)
	}
	if err != nil {
		o.fail("key", "%v", err)
	}
	return []jwtKey{{algorithm: algorithm, key: parsed}}
}

// parseKey reads the secret of HS…, or a public key as PEM.
func parseKey(text, algorithm string) (any, error) {
	if strings.HasPrefix(algorithm, "HS") {
		if strings.Contains(text, "-----BEGIN ") {
			return nil, errors.New("is PEM, which is no secret: anybody could sign with a public key")
		}
		return []byte(text), nil
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("is not PEM: it begins with -----BEGIN PUBLIC KEY----- or -----BEGIN CERTIFICATE-----")
	}
	switch block.Type {
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.PublicKey, nil
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	}
	return nil, fmt.Errorf("is PEM of a %.50q, not of a public key or certificate", block.Type)
}

// fits checks that a key can be used with an algorithm, and is strong enough.
func fits(key any, algorithm string) error {
	switch k := key.(type) {
	case []byte:
		if !strings.HasPrefix(algorithm, "HS") {
			break
		}
		if len(k) < minSecret {
			return fmt.Errorf("has %d bytes: the secret of %s must have at least %d", len(k), algorithm, minSecret)
		}
		return nil
	case *rsa.PublicKey:
		if !strings.HasPrefix(algorithm, "RS") && !strings.HasPrefix(algorithm, "PS") {
			break
		}
		if k.N.BitLen() < minRSABits || k.N.BitLen() > 16384 {
			return fmt.Errorf("has %d bits: RSA keys must have from %d to 16384", k.N.BitLen(), minRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		if curves()[k.Curve.Params().Name] == algorithm {
			return nil
		}
	case ed25519.PublicKey:
		if algorithm == "EdDSA" {
			return nil
		}
	}
	return fmt.Errorf("is not one for %s", algorithm)
}

// curves give the algorithm of a curve.
func curves() map[string]string {
	return map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
}

// parseJWKS reads the keys for signatures of a JWKS document, RFC 7517. Keys of
// a kind that is not known are left out, as it demands; secrets are refused, for
// such a document is public.
func parseJWKS(document []byte) ([]jwtKey, error) {
	var set struct {
		Keys []struct {
			Kty, Kid, Use, Alg, Crv, N, E, X, Y string
		}
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, fmt.Errorf("is not a JWKS document: %v", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("has more than %d keys", maxKeys)
	}
	var keys []jwtKey
	for i, k := range set.Keys {
		if k.Use != "" && k.Use != "sig" {
			continue
		}
		var key any
		algorithm := k.Alg
		n, nerr := base64.RawURLEncoding.DecodeString(k.N)
		e, eerr := base64.RawURLEncoding.DecodeString(k.E)
		x, xerr := base64.RawURLEncoding.DecodeString(k.X)
		y, yerr := base64.RawURLEncoding.DecodeString(k.Y)
		if err := errors.Join(nerr, eerr, xerr, yerr); err != nil {
			return nil, fmt.Errorf("has a key [%d] that is not base64url", i)
		}
		def := ""
		switch {
		case k.Kty == "oct":
			return nil, fmt.Errorf("has a secret, key [%d]: give it as key with its algorithm", i)
		case k.Kty == "RSA":
			exponent := new(big.Int).SetBytes(e)
			if len(n) == 0 || !exponent.IsInt64() || exponent.Int64() < 3 || exponent.Int64() >= 1<<31 {
				return nil, fmt.Errorf("has a key [%d] that is not an RSA key", i)
			}
			key, def = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, "RS256"
		case k.Kty == "EC" && curves()[k.Crv] != "":
			curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Crv]
			size := (curve.Params().BitSize + 7) / 8
			point := append([]byte{4}, append(slices.Clone(x), y...)...)
			public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
			if err != nil || len(x) != size || len(y) != size {
				return nil, fmt.Errorf("has a key [%d] that is not on the curve %s", i, k.Crv)
			}
			key, def = public, curves()[k.Crv]
		case k.Kty == "OKP" && k.Crv == "Ed25519":
			if len(x) != ed25519.PublicKeySize {
				return nil, fmt.Errorf("has a key [%d] that is not an Ed25519 key", i)
			}
			key, def = ed25519.PublicKey(x), "EdDSA"
		default:
			continue
		}
		if algorithm == "" {
			algorithm = def
		}
		if !slices.Contains(algorithms(), algorithm) {
			continue
		}
		if err := fits(key, algorithm); err != nil {
			return nil, fmt.Errorf("has a key [%d] that %v", i, err)
		}
		keys = append(keys, jwtKey{k.Kid, algorithm, key})
	}
	return keys, nil
}

// verifyToken returns the JSON of a good token's header and claims.
func verifyToken(token string, keys []jwtKey, issuers, audiences []string, leeway time.Duration, forever bool, now func() time.Time) (header, claims []byte, err error) {
	options := []jwt.ParserOption{jwt.WithLeeway(leeway), jwt.WithTimeFunc(now), jwt.WithIssuedAt(), jwt.WithStrictDecoding()}
	if !forever {
		options = append(options, jwt.WithExpirationRequired())
	}
	if len(audiences) > 0 {
		options = append(options, jwt.WithAudience(audiences...))
	}
	var got jwt.MapClaims
	_, err = jwt.NewParser(options...).ParseWithClaims(token, &got, func(t *jwt.Token) (any, error) {
		// What a token says must be understood or the token not be used.
		if _, ok := t.Header["crit"]; ok {
			return nil, errors.New("the token's header has crit")
		}
		key, err := keyFor(t, keys)
		if err != nil {
			return nil, err
		}
		if t.Method.Alg() != key.algorithm {
			return nil, fmt.Errorf("the token is signed with %s, the key is for %s", CutText(t.Method.Alg(), 20), key.algorithm)
		}
		return key.key, nil
	})
	if err != nil {
		return nil, nil, jwtReason(err)
	}
	if len(issuers) > 0 {
		issuer, err := got.GetIssuer()
		if err != nil || !slices.Contains(issuers, issuer) {
			return nil, nil, errors.New("the token has another issuer")
		}
	}
	parts := strings.Split(token, ".")
	if header, err = base64.RawURLEncoding.DecodeString(parts[0]); err != nil {
		return nil, nil, err
	}
	if claims, err = base64.RawURLEncoding.DecodeString(parts[1]); err != nil {
		return nil, nil, err
	}
	return header, claims, nil
}

// keyFor finds the key that a token names.
func keyFor(t *jwt.Token, keys []jwtKey) (jwtKey, error) {
	id, named := t.Header["kid"].(string)
	if len(keys) == 1 && (keys[0].id == "" || !named) {
		return keys[0], nil
	}
	if !named {
		return jwtKey{}, errors.New("the token does not say which key it is signed with")
	}
	for _, k := range keys {
		if k.id == id {
			return k, nil
		}
	}
	return jwtKey{}, errors.New("the token is signed with a key that is not known")
}

// jwtReason is a text for the script, short and without anything of the token.
func jwtReason(err error) error {
	for _, r := range []struct {
		is   error
		text string
	}{
		{jwt.ErrTokenMalformed, "this is not a token"},
		{jwt.ErrTokenSignatureInvalid, "the token's signature is wrong"},
		{jwt.ErrTokenExpired, "the token has expired"},
		{jwt.ErrTokenNotValidYet, "the token is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "the token is issued in the future"},
		{jwt.ErrTokenRequiredClaimMissing, "the token has no exp or no aud"},
		{jwt.ErrTokenInvalidAudience, "the token is for another audience"},
		{jwt.ErrTokenInvalidClaims, "the token's claims are wrong"},
	} {
		if errors.Is(err, r.is) {
			return errors.New(r.text)
		}
	}
	if inner := errors.Unwrap(err); inner != nil && errors.Is(err, jwt.ErrTokenUnverifiable) {
		return fmt.Errorf("the token can't be checked: %w", inner)
	}
	return err
}
