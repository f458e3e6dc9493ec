package transport

import (
	"bytes"

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
	smaller []deflated
}

// deflated is a Shared's message as compressed.
type deflated struct {
	format wamp.Format
	bits   int
	b      []byte // nil: it does not get smaller
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

// deflated returns what in returns compressed, or nil where that is not to be
// done. It is done once for each format and size of window that makes a
// difference, and by the publisher's goroutine: nobody waits for it but those who
// wait for the message.
func (s *Shared) deflated(t *Transport, f wamp.Format, d *deflation) []byte {
	encoded := s.encoded[f]
	if len(encoded) < d.threshold {
		return nil
	}
	bits := d.bits
	if len(encoded) <= 1<<bits {
		bits = maxWindowBits
	}
	for _, z := range s.smaller {
		if z.format == f && z.bits == bits {
			return z.b
		}
	}
	z := t.deflaters.get()
	b := bytes.Clone(z.deflate(encoded, bits))
	t.deflaters.put(z)
	s.smaller = append(s.smaller, deflated{f, bits, b})
	return b
}
