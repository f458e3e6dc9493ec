// Package jwt checks JSON Web Tokens and reads the keys for that. It decides
// nothing but whether a token is what its issuer has signed: the algorithm is that
// of the key, never what the token says, and "none" is no algorithm.
//
// It does no I/O.
package jwt
