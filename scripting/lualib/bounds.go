package lualib

import (
	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// MaxString is the length in bytes of the longest string that a library
// function makes. A longer one is an error that a script can catch.
const MaxString = 1 << 20

// slotBytes is what one more table slot is counted as.
const slotBytes = 16

// maxStack is the number of values that fit on the reference implementation's
// stack of one function.
const maxStack = 8000

// Without a budget (a virtual machine that runs outside a bounded call) each
// operation has a small bound of its own.
const (
	unbudgetedBytes = 8 * MaxString
	unbudgetedSteps = 1_000_000
)

// Alloc counts n bytes that the caller is about to allocate for the script, and
// raises an error that ends the call where its budget does not allow them.
func Alloc(L *lua.LState, n int) {
	b, ok := L.Context().(*lua51.Budget)
	if !ok {
		if n > unbudgetedBytes {
			Errorf(L, "not enough memory")
		}
		return
	}
	if err := b.Bytes(n); err != nil {
		Errorf(L, "%s", err.Error())
	}
}

// allocString is Alloc for one string, with the bound on its length.
func allocString(L *lua.LState, n int) {
	if n > MaxString || n < 0 {
		Errorf(L, "string length overflow")
	}
	Alloc(L, n)
}

// checkStopped raises an error if the call's budget has ended. Loops whose
// length a script chooses ask it now and then.
func checkStopped(L *lua.LState) {
	if ctx := L.Context(); ctx != nil {
		if err := stopReason(ctx); err != nil {
			Errorf(L, "%s", err.Error())
		}
	}
}

// pushString pushes a string whose bytes have been counted.
func pushString(L *lua.LState, s string) int {
	L.Push(lua.LString(s))
	return 1
}
