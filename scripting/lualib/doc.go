// Package lualib is the library that scripts see: the functions of Lua 5.1, as
// the reference implementation defines them, on top of the plain gopher-lua
// virtual machine.
//
// It owns the base functions and the modules string, table, math and os (a few
// functions of it), the pattern matcher and protected calls, which [Open] puts
// into one virtual machine; and usher's own modules; one file each. What could
// reach outside the machine (files, chunks from text, other environments,
// goroutines) does not exist; printing, the environment and the clock are hooks
// of [Options].
//
// Library code is where a single instruction could otherwise take unbounded
// time or memory. So each function here asks the [lua51.Budget] of the running
// call before it allocates, and while it works. A script can not catch the end
// of its budget.
//
// What a script can see to differ from the reference implementation: a string of
// more than [MaxString] bytes is an error; the border of a table with holes that
// came by assignment may be another one (that of a constructor's is the same);
// os.clock is the age of the machine; random numbers are others, unless seeded
// they differ from run to run; the fifteenth digit of a sine may differ; there
// is one metatable of strings to look at and another, out of reach, to use.
//
// The exported Check, Opt and error functions give other modules the argument
// handling and the error texts of the reference implementation.
package lualib
