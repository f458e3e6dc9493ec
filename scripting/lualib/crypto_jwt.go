package lualib

import (
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/jwt"
	"usher/scripting/luaconv"
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
	Alloc(L, 4*len(token))
	header, claims, err := jwt.Verify(token, keys, jwt.Options{
		Issuers: issuers, Audiences: audiences, Leeway: leeway, WithoutExpiry: forever,
		Now: func() time.Time { return now(L) },
	})
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
func jwtKeys(o *named) []jwt.Key {
	key, algorithm, set := o.text("key", ""), o.oneOf("algorithm", "", jwt.Algorithms()...), o.text("jwks", "")
	switch {
	case set != "" && (key != "" || algorithm != ""):
		o.fail("jwks", "must stand alone: its keys say what they are for")
	case set != "":
		if len(set) > jwt.MaxJWKS {
			o.fail("jwks", "has more than %d bytes", jwt.MaxJWKS)
		}
		Alloc(o.L, 2*len(set))
		keys, err := jwt.ParseJWKS([]byte(set))
		if err != nil {
			o.fail("jwks", "%v", err)
		}
		return keys
	case key == "":
		o.fail("key", "is missing: there must be key and algorithm, or jwks")
	case algorithm == "":
		o.fail("algorithm", "is missing: it belongs to the key, and a token must not choose it")
	}
	parsed, err := jwt.ParseKey(key, algorithm)
	if err != nil {
		o.fail("key", "%v", err)
	}
	return []jwt.Key{parsed}
}
