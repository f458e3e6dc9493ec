package scripting

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"

	lua "github.com/yuin/gopher-lua"

	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting/lua51"
	"usher/scripting/luaconv"
)

// Bench is a virtual machine beside the components of a host, with their library
// and modules and under limits of its own, for what tries the components out. It
// belongs to one goroutine.
type Bench struct {
	vm   *vm
	open func(*Bench)
}

// BenchOptions say what a Bench runs.
type BenchOptions struct {
	File   string // that stands in messages
	Source []byte
	Limits lua51.Limits // of each Do
	// Session is whom it calls and publishes as, and Realm whose kv it sees.
	Session *realm.Local
	Realm   string
	// Open adds globals before Source runs.
	Open func(*Bench)
	// Wait runs f, for which the virtual machine waits, and may use L meanwhile.
	Wait func(L *lua.LState, f func())
}

// NewBench makes a Bench and runs its source. It loads no component.
func (h *Host) NewBench(ctx context.Context, o BenchOptions) (*Bench, error) {
	h.mu.Lock()
	options := *h.options
	h.mu.Unlock()
	options.Limits.Call = o.Limits
	snap, err := options.scan(nil)
	if err != nil {
		return nil, err
	}
	main, err := lua51.Compile(o.File, o.Source)
	if err != nil {
		return nil, err
	}
	g := &generation{
		name: o.File, file: o.File, options: &options, services: h.services, snap: snap, main: main,
		log:     options.Log.With(slog.String("script", o.File)),
		role:    Role{Realm: o.Realm},
		session: o.Session,
		store:   h.services.stores.of(o.Realm),
		single:  true,
		await:   o.Wait,
		needs:   map[string]digest{},
		places:  map[place]int{},
	}
	g.begin()
	b := &Bench{open: o.Open}
	if _, err := newBenchVM(ctx, g, b); err != nil {
		return nil, err
	}
	return b, nil
}

// newBenchVM is newVM for a Bench, which is complete before its source runs.
func newBenchVM(ctx context.Context, g *generation, b *Bench) (*vm, error) {
	return makeVM(ctx, g, nil, func(v *vm) {
		b.vm = v
		b.open(b)
	})
}

// State is the interpreter's state. It is to be used by functions that Open has
// made, while they run.
func (b *Bench) State() *lua.LState { return b.vm.L }

// Values converts values of its virtual machine.
func (b *Bench) Values() *luaconv.Converter { return b.vm.values }

// Budget is that of the call which runs.
func (b *Bench) Budget() *lua51.Budget { return b.vm.budget }

// Do calls fn; what names it in the error, which is a *Failure.
func (b *Bench) Do(ctx context.Context, what string, fn *lua.LFunction, args ...lua.LValue) error {
	return b.vm.do(ctx, what, func() error {
		_, err := b.vm.call(fn, args...)
		return err
	})
}

// Broken reports whether the virtual machine was stopped and can run no more.
func (b *Bench) Broken() bool { return b.vm.broken }

// Close gives back what the interpreter holds.
func (b *Bench) Close() { b.vm.close() }

// RaiseError raises err as router.call does.
func (b *Bench) RaiseError(L *lua.LState, verb string, err error) { b.vm.raiseError(L, verb, err) }

// Reason is the URI of a value that router.error, or a failed call, made; empty:
// it is another one.
func (b *Bench) Reason(v lua.LValue) string {
	if t, ok := v.(*lua.LTable); ok {
		if e := b.vm.wampError(t); e != nil {
			return e.uri
		}
	}
	return ""
}

// Serve answers i with what call, which runs Lua on L while Do does, returns or
// raises as a procedure would. ok is false for an error that is none of WAMP.
func (b *Bench) Serve(L *lua.LState, i *realm.LocalInvocation, p wamp.Payload, call func(args, kwargs, details lua.LValue) (results []lua.LValue, raised lua.LValue)) (ok bool) {
	v := b.vm
	args, kwargs, err := v.values.Payload(v.budget, p)
	if err != nil {
		i.Error(wamp.ErrInvalidArgument, textPayload(err.Error()))
		return true
	}
	results, raised := call(args, kwargs, v.callDetails(&work{invocation: i}))
	if raised == nil {
		answer, err := v.answer(i.Format(), results)
		if err != nil {
			i.Error(wamp.ErrRuntime, textPayload(err.Error()))
			return false
		}
		i.Yield(answer)
		return true
	}
	reply, err := v.raisedCall(i.Format(), &lua.ApiError{Object: raised})
	if err != nil {
		i.Error(wamp.ErrRuntime, textPayload("the procedure failed; reference "+rand.Text()[:8]))
		return false
	}
	i.Error(reply.uri, reply.payload)
	return true
}

// EventDetails makes the table that event handlers get.
func (b *Bench) EventDetails(e *realm.LocalEvent) *lua.LTable {
	return b.vm.eventDetails(e.Topic, e.Publication, &e.Details)
}

// ErrorText is the text of a Go error as the log has it.
func ErrorText(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Message
	}
	return err.Error()
}
