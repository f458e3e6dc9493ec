// Package tokens verifies the JSON Web Tokens of configured issuers, whose keys it
// fetches and keeps. It is auth.TokenVerifier to the router.
//
// Package auth does no I/O and package jwt fetches nothing; here is what both leave
// out. It must not decide what a principal may do: package auth checks it.
package tokens
