// Package lua51 is the language Lua 5.1, as the reference implementation runs
// it, on top of the plain gopher-lua virtual machine.
//
// It owns the way from source text to a function prototype, the numbers' text
// form, and the [Budget] that bounds a call. It has no library functions and
// knows nothing about components, sessions or files.
package lua51
