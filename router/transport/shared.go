package transport

import (
	"usher/router/codec"
	"usher/router/wamp"
)

// Shared is one message for many receivers, encoded at most once per format, by
// the first Conn.SendShared that needs it. It belongs to one goroutine. What the
// message refers to must stay unchanged as long as the Shared is passed on;
// nothing of it is referred to afterwards.
type Shared struct {
	message wamp.Message
	encoded [wamp.Formats + 1][]byte
	err     [wamp.Formats + 1]error
}

// NewShared returns a Shared of m.
func NewShared(m wamp.Message) *Shared { return &Shared{message: m} }

// in returns the message in format f. Queues may refer to the bytes for as long
// as they like: they are never written again.
func (s *Shared) in(f wamp.Format) ([]byte, error) {
	if s.encoded[f] == nil && s.err[f] == nil {
		b := make([]byte, 0, payloadSize(s.message)+96)
		s.encoded[f], s.err[f] = codec.Append(b, f, s.message)
	}
	return s.encoded[f], s.err[f]
}
