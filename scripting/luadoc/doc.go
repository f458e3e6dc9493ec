// Package luadoc describes what scripts can use: the files in library are the one
// source of it. They are annotations as the Lua language server reads them, which
// complete and check scripts in an editor; this package reads them, too, for the
// terminal and for the README.
//
// It owns the text of the reference and its forms. It must not know the bindings
// themselves: tests beside those compare them with the reference.
package luadoc
