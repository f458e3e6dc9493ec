package scripting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
	"usher/scripting/luaconv"
	"usher/scripting/lualib"
)

// The sizes of a VM's stacks, in values and calls.
const (
	registrySize     = 256
	registryMaxSize  = 64 << 10
	registryGrowStep = 256
	callStackSize    = 200
)

// maxArrayIndex bounds what one assignment such as t[1e7] = 1 allocates: above
// it, keys are kept in a map.
const maxArrayIndex = 1 << 16

// boundArrays sets the interpreter's global bound, before the first VM is made.
var boundArrays = sync.OnceFunc(func() { lua.MaxArrayIndex = maxArrayIndex })

// vm is one virtual machine. It belongs to whoever got it from its generation's
// pool, one goroutine at a time; only its budget may be stopped by others.
type vm struct {
	L      *lua.LState
	gen    *generation
	values *luaconv.Converter
	log    *slog.Logger // names component, file and generation

	load     *load // while the leader's top level runs
	sealed   bool  // the top level has run
	handlers []*lua.LFunction
	onReady  []*lua.LFunction
	ticks    []*lua.LFunction // of generation.timers
	modules  map[string]lua.LValue
	loading  []string // modules whose top level is running

	errorMeta, callErrorMeta *lua.LTable
	raised                   *lua.LTable // error value raised by the router's functions,
	raisedAt                 string      // and where

	budget   *lua51.Budget
	unwanted func()    // stops the call that runs: nobody waits for its answer
	depth    int       // of the procedure that runs
	secrets  [2]string // what must not appear in the log
	calls    int
	broken   bool // not to be used again
}

// newVM makes a VM and runs the generation's script on it. With a load it is
// the leader.
func newVM(ctx context.Context, g *generation, l *load) (*vm, error) {
	return makeVM(ctx, g, l, func(*vm) {})
}

// makeVM is newVM with something added before the script runs.
func makeVM(ctx context.Context, g *generation, l *load, add func(*vm)) (*vm, error) {
	v := &vm{
		gen:  g,
		load: l,
		log:  g.log,
		L: lua.NewState(lua.Options{
			SkipOpenLibs:     true,
			RegistrySize:     registrySize,
			RegistryMaxSize:  registryMaxSize,
			RegistryGrowStep: registryGrowStep,
			CallStackSize:    callStackSize,
		}),
		modules:  map[string]lua.LValue{},
		handlers: make([]*lua.LFunction, len(g.declarations)),
	}
	v.unwanted = func() { v.budget.Stop(errUnwanted) }
	v.values = luaconv.New(v.L)
	v.openLibrary()
	v.openRouter()
	add(v)

	err := v.do(ctx, "the top level", func() error {
		_, err := v.call(v.L.NewFunctionFromProto(g.main))
		return err
	})
	if err == nil {
		err = v.complete()
	}
	if err != nil {
		v.close()
		return nil, err
	}
	v.load = nil
	if !g.single {
		v.sealGlobals()
	}
	v.sealed = true
	return v, nil
}

// close gives back what the interpreter holds.
func (v *vm) close() { v.L.Close() }

// do runs f as one call into the VM: under a budget that ends with ctx, and with
// everything caught that may go wrong. What f did counts only if the error,
// which is a *Failure, is nil.
func (v *vm) do(ctx context.Context, handler string, f func() error) error {
	if v.budget == nil || !v.budget.Restart(ctx) {
		v.budget = lua51.NewBudget(ctx, v.gen.options.Limits.Call)
	}
	v.L.SetContext(v.budget)
	v.calls++
	v.gen.watchdog.enter(v, v.budget)
	err := v.guard(f)
	v.gen.watchdog.leave(v)
	v.budget.Release()
	v.raised = nil

	// First of all: a script that was stopped may have returned something all
	// the same.
	stop := v.budget.Err()
	if deadline, _ := v.budget.Deadline(); stop == nil && time.Now().After(deadline) {
		stop = lua51.ErrWall
	}
	if stop == nil {
		stop = lualib.Broken(v.L)
	}
	if stop != nil {
		v.broken = true
		return v.fail(handler, err, stop)
	}
	if err != nil {
		err = v.fail(handler, err, nil)
	}
	if !v.broken {
		v.L.SetTop(0)
	}
	return err
}

// guard turns a panic of anything below into an error.
func (v *vm) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			v.broken = true
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}

// call calls a function of the script and returns all its results, which are
// valid until the next call.
func (v *vm) call(fn *lua.LFunction, args ...lua.LValue) ([]lua.LValue, error) {
	v.L.SetTop(0)
	if err := lua51.Call(v.L, fn, lua.MultRet, args...); err != nil {
		var api *lua.ApiError
		if errors.As(err, &api) && api.Type == lua.ApiErrorPanic {
			v.broken = true
		}
		return nil, err
	}
	results := make([]lua.LValue, v.L.GetTop())
	for i := range results {
		results[i] = v.L.Get(i + 1)
	}
	return results, nil
}

// print writes a line that the script printed to the log.
func (v *vm) print(line string) {
	v.log.Info(lualib.CutText(v.redact(line), lualib.MaxLogText))
}

// redact takes the secrets of the running call out of a text.
func (v *vm) redact(text string) string {
	for _, secret := range v.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}

// store is the realm's kv, if the script may use it now.
func (v *vm) store(L *lua.LState, write bool) *lualib.Store {
	if write && !v.sealed {
		v.topLevelError(L, "kv writes")
	}
	if v.gen.store == nil {
		lualib.Errorf(L, "kv belongs to a realm: router.join first")
	}
	return v.gen.store
}

// topLevelError raises the error of a function with effects outside of the VM:
// loading a script must not have any, so that a failed reload and a check change
// nothing.
func (v *vm) topLevelError(L *lua.LState, what string) {
	lualib.Errorf(L, "%s at the top level of a script: use router.on_ready", what)
}

// sealGlobals makes assignments to globals errors from now on: each VM has its
// own, so what one call left there the next would see or not by chance.
func (v *vm) sealGlobals() {
	globals := v.L.Get(lua.GlobalsIndex).(*lua.LTable)
	hidden := v.L.NewTable()
	for key, value := globals.Next(lua.LNil); key != lua.LNil; key, value = globals.Next(key) {
		hidden.RawSet(key, value)
	}
	for key, _ := hidden.Next(lua.LNil); key != lua.LNil; key, _ = hidden.Next(key) {
		globals.RawSet(key, lua.LNil)
	}
	meta := v.L.NewTable()
	meta.RawSetString("__index", hidden)
	meta.RawSetString("__metatable", lua.LFalse)
	meta.RawSetString("__newindex", v.L.NewFunction(func(L *lua.LState) int {
		lualib.Errorf(L, "assignment to global '%s': globals are per VM: use kv, or a local", L.Get(2).String())
		return 0
	}))
	globals.Metatable = meta

	rawset, ok := hidden.RawGetString("rawset").(*lua.LFunction)
	if !ok || !rawset.IsG {
		return
	}
	hidden.RawSetString("rawset", v.L.NewFunction(func(L *lua.LState) int {
		if L.Get(1) == lua.LValue(globals) {
			lualib.Errorf(L, "assignment to a global: globals are per VM: use kv, or a local")
		}
		return rawset.GFunction(L)
	}))
}
