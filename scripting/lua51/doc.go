// Package lua51 is the language Lua 5.1, as the reference implementation runs
// it, on top of the plain gopher-lua virtual machine.
//
// gopher-lua's machine is close to the reference's, instruction by instruction;
// its compiler is not: it gets and/or, parallel assignment, break and some loops
// wrong, and its grammar is not bounded. So this package has a parser and code
// generator of its own, which emit the machine's instructions in the order in
// which the reference evaluates. What an instruction itself does differently
// (.., %, ^, #, unary minus, the bounds of a numeric for, the sign of zero) is a
// call of a helper function that compiled code holds as a constant, out of the
// reach of scripts.
//
// It owns the way from source text to a function prototype ([Compile]), the
// words of the language's errors ([Explain]), the text of numbers, the length of
// tables, and the [Budget] that bounds a call. It has no library functions and
// knows nothing about components, sessions or files.
//
// What the language leaves open, and is not the same here: the order of pairs
// and next over keys that are not a list, and # of a list with holes after other
// keys were added to it. What the processor decides: the sign of NaN.
package lua51
