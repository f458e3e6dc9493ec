// Package postgrestest starts PostgreSQL servers for tests.
//
// It owns how that is done and where it can be. It must not know what is tested.
package postgrestest
