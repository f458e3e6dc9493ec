package scripting

import "time"

// Clock tells the time and wakes at it. Its methods may be called concurrently.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f, which does not block, on another goroutine after d.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is what AfterFunc of a Clock returns; *time.Timer is one.
type Timer interface {
	Stop() bool
	Reset(d time.Duration) bool
}

var (
	_ Clock = realClock{}
	_ Timer = (*time.Timer)(nil)
)

// realClock is the time of the machine.
type realClock struct{}

// Now implements Clock.
func (realClock) Now() time.Time { return time.Now() }

// AfterFunc implements Clock.
func (realClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
