package lua51

import (
	"maps"
	"slices"
)

// unavailable lists the globals of the reference implementation that scripts do
// not have, with a way to do without.
var unavailable = map[string]string{
	"collectgarbage": "memory is freed by itself; leave the call out",
	"coroutine":      "use a closure that keeps its state in a local",
	"debug":          "use error(message) and read the traceback in the log",
	"dofile":         `use require "name" for a file in a sub-directory of the scripts`,
	"gcinfo":         "memory is freed by itself; leave the call out",
	"getfenv":        "keep the values in a table of your own",
	"io":             "use print or log to write, kv to keep values",
	"load":           "write the code as a function",
	"loadfile":       `use require "name" for a file in a sub-directory of the scripts`,
	"loadstring":     "write the code as a function",
	"module":         "end the file with return and a table of its functions",
	"newproxy":       "use a table with a metatable",
	"package":        `use require "name"; loaded modules are kept by themselves`,
	"setfenv":        "keep the values in a table of your own",
}

// unavailableFields lists what is missing in the libraries that scripts do have.
var unavailableFields = map[string]string{
	"os.execute":   "scripts cannot start programs",
	"os.exit":      "use error(message) to end the call",
	"os.remove":    "scripts cannot reach files; use kv to keep values",
	"os.rename":    "scripts cannot reach files; use kv to keep values",
	"os.setlocale": "the locale is always C; leave the call out",
	"os.tmpname":   "scripts cannot reach files; use kv to keep values",
	"string.dump":  "functions cannot be turned into text",
}

// Unavailable returns the names of the reference implementation's library whose
// use Compile refuses, in order, each with a way to write it: the whole list of
// refusals. A name that a script defines for itself, as a local or as a global
// that it assigns in the same file, is not refused.
func Unavailable() (names []string, instead map[string]string) {
	instead = maps.Clone(unavailable)
	maps.Copy(instead, unavailableFields)
	return slices.Sorted(maps.Keys(instead)), instead
}

// use notes the use of a global.
func (u *unit) use(file, name string, line int) {
	if instead, ok := unavailable[name]; ok {
		u.refuse(file, name, name, instead, line)
	}
}

// useField notes the use of a field of a global.
func (u *unit) useField(file, library, name string, line int) {
	if instead, ok := unavailableFields[library+"."+name]; ok {
		u.refuse(file, library, library+"."+name, instead, line)
	}
}

func (u *unit) refuse(file, global, name, instead string, line int) {
	u.refused = append(u.refused, &Refusal{
		File: file, Line: line, Message: name + " is not available to scripts", Instead: instead, global: global,
	})
}
