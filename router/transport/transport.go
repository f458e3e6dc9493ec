package transport

import (
	"runtime"
	"sync/atomic"
)

// Transport is what the connections of one router share: options, buffers, the
// goroutines that flush large batches, the timer wheel that judges liveness, and
// counters. It is safe for concurrent use. It needs no closing: its goroutines
// and its timer exist only while connections give them work.
type Transport struct {
	options   Options
	buffers   buffers
	deflaters deflaters
	flushers  flushers
	wheel     wheel
	counters  counters
}

// New returns a Transport with the given options.
func New(o Options) *Transport {
	o = o.withDefaults()
	t := &Transport{options: o}
	t.flushers.max = runtime.GOMAXPROCS(0)
	t.deflaters.max = runtime.GOMAXPROCS(0)
	t.wheel.init(o.PingInterval, o.PingTimeout)
	return t
}

// Stats are totals over all connections of a Transport since its start.
type Stats struct {
	Connections     int64 // open now
	MessagesIn      int64
	MessagesOut     int64 // handed to the system
	BytesIn         int64 // as on the wire, after the handshake
	BytesOut        int64
	Writes          int64 // system calls or their like that carried BytesOut
	SlowDisconnects int64 // peers that did not read what they were sent
	DroppedBytes    int64 // queued, but the connection went first
}

// Stats returns the totals; the fields are read one after the other.
func (t *Transport) Stats() Stats {
	c := &t.counters
	return Stats{
		Connections: c.connections.Load(),
		MessagesIn:  c.messagesIn.Load(), MessagesOut: c.messagesOut.Load(),
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(), Writes: c.writes.Load(),
		SlowDisconnects: c.slow.Load(), DroppedBytes: c.dropped.Load(),
	}
}

// counters are added to once per batch, not per message.
type counters struct {
	connections           atomic.Int64
	messagesIn, bytesIn   atomic.Int64
	messagesOut, bytesOut atomic.Int64
	writes, slow, dropped atomic.Int64
}
