package jwt

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
)

// The bounds on what is read of a token and its keys.
const (
	MaxToken   = 64 << 10
	MaxJWKS    = 512 << 10 // the caller's to check
	MaxKeys    = 100
	minRSABits = 2048
	minSecret  = 32 // bytes, RFC 7518 section 3.2
)

// ErrUnknownKey means that a token is signed with a key that is not among those
// it is checked with.
var ErrUnknownKey = errors.New("the token is signed with a key that is not known")

// Key is a key with the only algorithm that it is for.
type Key struct {
	ID, Algorithm string
	key           any
}

// Algorithms are those that a Key may be for.
func Algorithms() []string {
	return []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// ParseKey reads the secret of HS…, or a public key as PEM.
func ParseKey(text, algorithm string) (Key, error) {
	key, err := parseKey(text, algorithm)
	if err == nil {
		err = fits(key, algorithm)
	}
	if err != nil {
		return Key{}, err
	}
	return Key{Algorithm: algorithm, key: key}, nil
}

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

// ParseJWKS reads the keys for signatures of a JWKS document, RFC 7517. Keys of
// a kind that is not known are left out, as it demands; secrets are refused, for
// such a document is public.
func ParseJWKS(document []byte) ([]Key, error) {
	var set struct {
		Keys []struct {
			Kty, Kid, Use, Alg, Crv, N, E, X, Y string
		}
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, fmt.Errorf("is not a JWKS document: %v", err)
	}
	if len(set.Keys) > MaxKeys {
		return nil, fmt.Errorf("has more than %d keys", MaxKeys)
	}
	var keys []Key
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
		if !slices.Contains(Algorithms(), algorithm) {
			continue
		}
		if err := fits(key, algorithm); err != nil {
			return nil, fmt.Errorf("has a key [%d] that %v", i, err)
		}
		keys = append(keys, Key{k.Kid, algorithm, key})
	}
	return keys, nil
}

// Options say what of a token must be right beside its signature.
type Options struct {
	Issuers       []string // of which iss must be one; empty: any
	Audiences     []string // of which aud must have one; empty: any
	Algorithms    []string // that are accepted; empty: that of the key
	Leeway        time.Duration
	WithoutExpiry bool             // a token that never expires is good, too
	Now           func() time.Time // nil: time.Now
}

// Verify returns the JSON of a good token's header and claims. The error's text may
// be told to whoever brought the token. It wraps ErrUnknownKey where another key
// might help.
func Verify(token string, keys []Key, o Options) (header, claims []byte, err error) {
	if len(token) > MaxToken {
		return nil, nil, fmt.Errorf("the token has more than %d bytes", MaxToken)
	}
	if strings.ContainsAny(token, "\r\n") { // which base64 passes over: a token is written in one way only
		return nil, nil, errors.New(notToken)
	}
	options := []jwt.ParserOption{jwt.WithLeeway(o.Leeway), jwt.WithIssuedAt(), jwt.WithStrictDecoding()}
	if o.Now != nil {
		options = append(options, jwt.WithTimeFunc(o.Now))
	}
	if !o.WithoutExpiry {
		options = append(options, jwt.WithExpirationRequired())
	}
	if len(o.Audiences) > 0 {
		options = append(options, jwt.WithAudience(o.Audiences...))
	}
	if len(o.Algorithms) > 0 {
		options = append(options, jwt.WithValidMethods(o.Algorithms))
	}
	var got jwt.MapClaims
	var unfit error // why there is no key for it
	_, err = jwt.NewParser(options...).ParseWithClaims(token, &got, func(t *jwt.Token) (key any, err error) {
		key, unfit = keyFor(t, keys)
		return key, unfit
	})
	switch {
	case unfit != nil:
		return nil, nil, unfit
	case err != nil:
		return nil, nil, reason(err)
	}
	if len(o.Issuers) > 0 {
		issuer, err := got.GetIssuer()
		if err != nil || !slices.Contains(o.Issuers, issuer) {
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

const notToken = "this is not a token"

// keyFor finds the key that a token can be checked with.
func keyFor(t *jwt.Token, keys []Key) (any, error) {
	// What a token says must be understood or the token not be used.
	if _, ok := t.Header["crit"]; ok {
		return nil, errors.New("the token's header has crit")
	}
	k, err := named(t, keys)
	switch {
	case err != nil:
		return nil, err
	case t.Method.Alg() != k.Algorithm:
		return nil, fmt.Errorf("the token is signed with %s, the key is for %s", t.Method.Alg(), k.Algorithm)
	}
	return k.key, nil
}

// named finds the key that a token names.
func named(t *jwt.Token, keys []Key) (Key, error) {
	id, named := t.Header["kid"].(string)
	if len(keys) == 1 && (keys[0].ID == "" || !named) {
		return keys[0], nil
	}
	if !named {
		return Key{}, errors.New("the token does not say which key it is signed with")
	}
	for _, k := range keys {
		if k.ID == id {
			return k, nil
		}
	}
	return Key{}, ErrUnknownKey
}

// reason is a short text without anything of the token.
func reason(err error) error {
	for _, r := range []struct {
		is   error
		text string
	}{
		{jwt.ErrTokenMalformed, notToken},
		{jwt.ErrTokenUnverifiable, "the token is signed in a way that is not known here"},
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
	return err
}
