package transport

import (
	"errors"
	"time"

	"usher/router/wamp"
)

// Conn is one peer's connection.
//
// Read belongs to one goroutine, the session's reader. All other methods may be
// called from any goroutine and do not block.
type Conn interface {
	// Format is the format of every message on this connection.
	Format() wamp.Format

	// Read returns the next encoded message, valid until the next Read. Before it
	// waits for the peer it flushes b. Where the peer is gone or broke a rule of
	// the transport it returns an error, and the same one from then on; io.EOF is a
	// polite close.
	Read(b *Batch) ([]byte, error)

	// Send encodes m behind what already waits. It is written when b is flushed; a
	// nil b writes soon, from another goroutine. ErrQueueFull: m was not queued
	// because the bound on waiting bytes would be passed; what that means for the
	// peer is the caller's choice (Close with CloseSlow for an event). Any other
	// error: the connection is going away, or m cannot be encoded for this peer
	// (then it wraps the codec's error) or is larger than it takes (ErrTooLarge),
	// and nothing was queued. Nothing comes behind a GOODBYE or an ABORT.
	Send(b *Batch, m wamp.Message) error

	// SendShared is Send for a message that many receive.
	SendShared(b *Batch, m *Shared) error

	// Close lets what waits be written, then says why to the peer and closes, all
	// within the bounds of the options. Only the first reason counts. Read returns
	// an error soon after.
	Close(reason CloseReason)

	// SetReadDeadline makes a Read that would still wait at t fail with an error
	// that wraps os.ErrDeadlineExceeded; what the peer is told is then the caller's
	// choice (Send, then Close). The zero time means no deadline. It is for the
	// steps of a login: liveness afterwards is the transport's own work.
	SetReadDeadline(t time.Time)

	// Done is closed when the connection is closed and its resources are freed.
	Done() <-chan struct{}
}

// ErrQueueFull is returned by Send where the peer reads more slowly than it is sent to.
var ErrQueueFull = errors.New("out queue is full")

// ErrTooLarge is wrapped by what Send returns for a message that is larger than
// the peer has said it takes.
var ErrTooLarge = errors.New("message is too large for the peer")

// ErrViolation is wrapped by what Read returns where the peer broke a rule of the
// transport. What is sent then is still written before Close tells the peer.
var ErrViolation = errors.New("transport violation")

// ErrClosed is returned by Send and Read after Close.
var ErrClosed = errors.New("connection is closed")
