package lualib

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// Options are the ways out of one virtual machine. With the zero value nothing
// is printed, the environment is empty and the clock is the real one.
type Options struct {
	// Print takes one line that a script printed, without its newline. It runs
	// on the goroutine of the virtual machine. Nil: discarded.
	Print func(line string)

	// Getenv answers os.getenv; false is nil to the script. The allow-list is
	// the hook's own. Nil: no variable is visible.
	Getenv func(name string) (string, bool)

	// Now is the time for everything that the script can ask it. Nil: time.Now.
	Now func() time.Time

	// Outside is told what a script is about to do outside of its virtual
	// machine, such as "http.get", and raises an error where it may not do so
	// now. Nil: it may.
	Outside func(L *lua.LState, what string)

	// Wait runs f, during which the virtual machine only waits for something
	// outside; L is the thread that does. Nil: f is run.
	Wait func(L *lua.LState, f func())
}

// ErrBroken is wrapped by what Broken returns.
var ErrBroken = errors.New("virtual machine is broken")

// registryKey holds the *machine in the interpreter's registry, which scripts
// can not reach.
const registryKey = "usher.lualib"

// machine is what the library keeps for one virtual machine. It belongs to the
// goroutine that runs it.
type machine struct {
	options Options
	start   time.Time
	random  *rand.Rand
	calls   callState
}

// Open creates the globals of one virtual machine, which must be fresh and
// without gopher-lua's own libraries (lua.Options.SkipOpenLibs).
func Open(L *lua.LState, o Options) {
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &machine{options: o, start: o.Now(), random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
	registry := L.Get(lua.RegistryIndex).(*lua.LTable)
	registry.RawSetString(registryKey, &lua.LUserData{Value: m, Metatable: lua.LNil})

	globals := L.Get(lua.GlobalsIndex).(*lua.LTable)
	m.openBase(L, globals)
	m.openString(L, globals)
	m.openTable(L, globals)
	m.openMath(L, globals)
	m.openOS(L, globals)
}

// Broken returns a non-nil error, which wraps ErrBroken, once a Go panic was
// caught inside the virtual machine of L. It must not be used again then, and
// what the running call returns must not be believed.
func Broken(L *lua.LState) error {
	if m := machineOf(L); m != nil {
		return m.calls.broken
	}
	return nil
}

// machineOf returns nil for a virtual machine without this library.
func machineOf(L *lua.LState) *machine {
	registry := L.Get(lua.RegistryIndex).(*lua.LTable)
	if ud, ok := registry.RawGetString(registryKey).(*lua.LUserData); ok {
		if m, ok := ud.Value.(*machine); ok {
			return m
		}
	}
	return nil
}

// now is the time for the script.
func now(L *lua.LState) time.Time {
	if m := machineOf(L); m != nil {
		return m.options.Now()
	}
	return time.Now()
}

// newModule registers functions in a table of their own.
func newModule(L *lua.LState, functions map[string]lua.LGFunction) *lua.LTable {
	t := L.CreateTable(0, len(functions))
	register(L, t, functions)
	return t
}

func register(L *lua.LState, t *lua.LTable, functions map[string]lua.LGFunction) {
	for name, fn := range functions {
		t.RawSetString(name, L.NewFunction(fn))
	}
}

// stopReason returns why ctx has ended, without counting an instruction.
func stopReason(ctx context.Context) error {
	if b, ok := ctx.(*lua51.Budget); ok {
		return b.Err()
	}
	return ctx.Err()
}
