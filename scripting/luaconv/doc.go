// Package luaconv turns encoded payloads into Lua values and back, without Go
// values in between.
//
// It owns what corresponds to what: a list is a table that is marked as one, {}
// is a dict, null is a value of its own, an integer within 2^53 is a number and
// a larger one a string of digits, bytes are values made by router.binary. What
// cannot be said without a guess is an error that names the place, such as
// "result[1].name: …". It must not know VMs, sessions or where values go, and it
// keeps no state but the marks of one VM.
package luaconv
