package transport

import "time"

// Options bound what one connection may hold and how long each wait may take.
type Options struct {
	// MaxMessageSize bounds an incoming message, in bytes; in a batched subprotocol
	// the whole batch, and in a compressed one also what it becomes. A larger one is
	// refused before it is buffered. Zero: 1 MiB.
	MaxMessageSize int
	// QueueBytes bounds what waits to be written to a peer, in bytes as on the
	// wire; what is compressed while it is written counts as it is in memory. Zero:
	// 4 MiB.
	QueueBytes int
	// WriteTimeout is how long the peer may take to read one batch of at most
	// 256 KiB, or one larger message; then it is disconnected. Zero: 10 s.
	WriteTimeout time.Duration
	// PingInterval is how long a peer may be silent before it is sent a ping.
	// Zero: 30 s. Negative: liveness is not judged.
	PingInterval time.Duration
	// PingTimeout is how long after the ping the peer may stay silent before it is
	// disconnected. Zero: 15 s.
	PingTimeout time.Duration
	// CloseTimeout bounds all of Close: to write what waits and to see the peer
	// close its side. Zero: 5 s.
	CloseTimeout time.Duration
}

// withDefaults returns o with its zero fields filled in.
func (o Options) withDefaults() Options {
	if o.MaxMessageSize == 0 {
		o.MaxMessageSize = 1 << 20
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 4 << 20
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 10 * time.Second
	}
	if o.PingInterval == 0 {
		o.PingInterval = 30 * time.Second
	}
	if o.PingTimeout == 0 {
		o.PingTimeout = 15 * time.Second
	}
	if o.CloseTimeout == 0 {
		o.CloseTimeout = 5 * time.Second
	}
	return o
}
