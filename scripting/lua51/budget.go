package lua51

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Limits bound what one call into a VM may use. Every zero value means the
// default of DefaultLimits; there is no "unlimited".
type Limits struct {
	Instructions int64         // VM instructions
	Bytes        int64         // bytes made by library functions: strings, table slots
	PatternSteps int64         // steps of the pattern matcher
	Wall         time.Duration // wall-clock time, I/O included
}

// DefaultLimits returns the limits of a call for which nothing is configured.
func DefaultLimits() Limits {
	return Limits{Instructions: 50_000_000, Bytes: 64 << 20, PatternSteps: 1_000_000, Wall: 5 * time.Second}
}

// The reasons why a budget stops a script. Errors returned by Budget wrap one of them.
var (
	ErrInstructions = errors.New("instruction limit reached")
	ErrBytes        = errors.New("memory limit reached")
	ErrPatternSteps = errors.New("pattern too complex")
	ErrWall         = errors.New("time limit reached")
	ErrStopped      = errors.New("stopped")
)

// Budget is the context of one call into one VM: the interpreter asks Done
// before each instruction, so counting there bounds a script deterministically,
// whatever the machine's load. Once a limit is reached Done is closed and stays
// so: pcall cannot swallow it. The VM is to be thrown away then.
//
// Done, Bytes and Steps belong to the goroutine that runs the VM; Stop and Err
// may be called from any goroutine.
type Budget struct {
	limits       Limits
	instructions int64
	bytes        int64
	steps        int64
	deadline     time.Time
	closed       chan struct{}
	err          atomic.Pointer[error]
	used         atomic.Int64
	timer        *time.Timer
	stopParent   func() bool
	spent        bool // ended, or about to end by a timer that had fired
}

// instructionBytes is what Used takes an instruction for: some make tables and
// closures, which nothing counts.
const (
	instructionBytes = 16
	reportInterval   = 1024 // instructions between two updates of Used
)

var _ context.Context = (*Budget)(nil)

// NewBudget starts a budget that ends with parent, too. The caller must call
// Release when the call into the VM has returned.
func NewBudget(parent context.Context, limits Limits) *Budget {
	d := DefaultLimits()
	if limits.Instructions == 0 {
		limits.Instructions = d.Instructions
	}
	if limits.Bytes == 0 {
		limits.Bytes = d.Bytes
	}
	if limits.PatternSteps == 0 {
		limits.PatternSteps = d.PatternSteps
	}
	if limits.Wall == 0 {
		limits.Wall = d.Wall
	}
	b := &Budget{limits: limits, closed: make(chan struct{}), deadline: time.Now().Add(limits.Wall)}
	b.timer = time.AfterFunc(limits.Wall, func() { b.Stop(fmt.Errorf("%w (%v)", ErrWall, limits.Wall)) })
	b.follow(parent)
	return b
}

func (b *Budget) follow(parent context.Context) {
	b.stopParent = context.AfterFunc(parent, func() { b.Stop(fmt.Errorf("%w: %w", ErrStopped, context.Cause(parent))) })
}

// Release frees the timer. The budget stays readable.
func (b *Budget) Release() {
	timer, parent := b.timer.Stop(), b.stopParent()
	b.spent = !timer || !parent || b.Err() != nil
}

// Restart makes a released budget one for the next call, under the same limits
// and the end of parent: as NewBudget, without its allocations. It reports false,
// and does nothing, where the last call was stopped or about to be.
func (b *Budget) Restart(parent context.Context) bool {
	if b.spent {
		return false
	}
	b.instructions, b.bytes, b.steps = 0, 0, 0
	b.used.Store(0)
	b.deadline = time.Now().Add(b.limits.Wall)
	b.timer.Reset(b.limits.Wall)
	b.follow(parent)
	return true
}

// Used estimates how many bytes the call has made so far, a little late. It may
// be called from any goroutine.
func (b *Budget) Used() int64 { return b.used.Load() }

func (b *Budget) report() { b.used.Store(b.bytes + b.instructions*instructionBytes) }

// Stop ends the call for the given reason; the first reason stays.
func (b *Budget) Stop(reason error) {
	if b.err.CompareAndSwap(nil, &reason) {
		close(b.closed)
	}
}

// Done counts one instruction; see Budget.
func (b *Budget) Done() <-chan struct{} {
	b.instructions++
	if b.instructions%reportInterval == 0 {
		b.report()
	}
	if b.instructions > b.limits.Instructions {
		b.Stop(fmt.Errorf("%w (%d)", ErrInstructions, b.limits.Instructions))
	}
	return b.closed
}

// Closed is Done without counting, for library functions that wait.
func (b *Budget) Closed() <-chan struct{} { return b.closed }

// Err returns the reason why the call was stopped, or nil.
func (b *Budget) Err() error {
	if err := b.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Bytes counts n bytes that a library function is about to make. It returns an
// error, and stops the call, where the limit is passed: ask before allocating.
func (b *Budget) Bytes(n int) error {
	b.bytes += int64(n)
	b.report()
	if b.bytes > b.limits.Bytes || n < 0 {
		b.Stop(fmt.Errorf("%w (%d bytes)", ErrBytes, b.limits.Bytes))
	}
	return b.Err()
}

// Steps counts n steps of the pattern matcher, likewise.
func (b *Budget) Steps(n int) error {
	b.steps += int64(n)
	if b.steps > b.limits.PatternSteps {
		b.Stop(fmt.Errorf("%w (%d steps)", ErrPatternSteps, b.limits.PatternSteps))
	}
	return b.Err()
}

// Deadline returns when the wall time ends.
func (b *Budget) Deadline() (time.Time, bool) { return b.deadline, true }

// Value returns nil: a budget carries nothing else.
func (b *Budget) Value(any) any { return nil }
