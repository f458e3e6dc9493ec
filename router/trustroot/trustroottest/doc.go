// Package trustroottest issues certificates for tests: what package trustroot
// verifies.
package trustroottest
