// Package cookies keeps what the router remembers of tracking cookies: which
// values it has made, and who is logged in under them, in memory or in a file.
//
// It must not know of HTTP: package web reads and sets cookies, package auth says
// what a login under one is worth.
package cookies
