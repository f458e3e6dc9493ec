// Package trustroot verifies the certificate chains of WAMP-Cryptosign
// (specification: "Trustroots and Certificates"): whether the owner of an Ethereum
// address, or somebody to whom it delegated, vouches for an Ed25519 key. Whom to
// trust, and as what, is its callers' decision.
//
// It does no I/O: it looks at no blockchain. Only standalone trust roots are known,
// and validFrom, the number of a block, is compared among the certificates of a
// chain but not with the present.
package trustroot
