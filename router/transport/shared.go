package transport

import "usher/router/wamp"

// Shared is one message for many receivers, encoded at most once per format.
// It belongs to one goroutine, and must not be used once that has returned from
// what it borrowed the message's payload for.
type Shared struct {
	message wamp.Message
	encoded [wamp.Formats + 1][]byte
	err     [wamp.Formats + 1]error
}

// NewShared returns a Shared of m.
func NewShared(m wamp.Message) *Shared { return &Shared{message: m} }
