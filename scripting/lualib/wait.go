package lualib

import (
	"context"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// callBudget is a call's budget as a context for others than the interpreter:
// asking whether it is done counts no instruction.
type callBudget struct{ *lua51.Budget }

func (b callBudget) Done() <-chan struct{} { return b.Closed() }

// waitFor runs f, for which the script waits; meanwhile its virtual machine does
// not count as computing. ctx ends with the call. What of f goes on after that,
// or after f has returned, may keep ctx: it is of this wait only.
func waitFor(L *lua.LState, f func(ctx context.Context)) {
	checkStopped(L)
	ctx, cancel := waitContext(L)
	defer cancel()
	if m := machineOf(L); m != nil && m.options.Wait != nil {
		m.options.Wait(L, func() { f(ctx) })
	} else {
		f(ctx)
	}
	if b, ok := L.Context().(*lua51.Budget); ok {
		if deadline, _ := b.Deadline(); ctx.Err() != nil || !time.Now().Before(deadline) {
			<-b.Closed() // its timer is due in the same moment
		}
	}
	checkStopped(L)
}

func waitContext(L *lua.LState) (context.Context, context.CancelFunc) {
	b, ok := L.Context().(*lua51.Budget)
	if !ok {
		return context.WithTimeout(context.Background(), lua51.DefaultLimits().Wall)
	}
	// With a deadline of its own: the budget's is another one in the next call.
	deadline, _ := b.Deadline()
	return context.WithDeadline(callBudget{b}, deadline)
}

// mayReachOut raises an error where the script may not use what is outside of
// its virtual machine now.
func mayReachOut(L *lua.LState, what string) {
	if m := machineOf(L); m != nil && m.options.Outside != nil {
		m.options.Outside(L, what)
	}
}

// meter counts bytes against the call's budget, where there is one.
type meter struct{ budget *lua51.Budget }

func meterOf(L *lua.LState) meter {
	b, _ := L.Context().(*lua51.Budget)
	return meter{b}
}

// Bytes implements luaconv.Meter.
func (m meter) Bytes(n int) error {
	if m.budget == nil {
		return nil
	}
	return m.budget.Bytes(n)
}
