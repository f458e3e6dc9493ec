package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"usher/router/wamp"
)

// RawSocket is a Conn over a RawSocket, of either side.
type RawSocket struct {
	stream
	largest int    // message that is taken
	head    []byte // what was read of a prefix; its capacity is prefixSize
	judged  bool   // its liveness is
}

var _ Conn = (*RawSocket)(nil)

// maxPing bounds the payload of a ping: it is kept until it has been echoed.
const maxPing = 64 << 10

// startRawSocket makes a Conn of nc after the handshake. takes is the largest
// message that the peer takes, largest the one that is taken from it.
//
// A peer is asked for a sign of life once it has shown that it knows pings, or
// from the start with ping: Autobahn|Python takes one for the length of a message
// of 16 MiB, waits for that, and would be cut after the first quiet minute. For
// others the system's own keep-alive has to do, which sees a machine that is gone.
func (t *Transport) startRawSocket(nc net.Conn, client bool, f wamp.Format, largest, takes int, ping bool) *RawSocket {
	c := &RawSocket{largest: largest, head: make([]byte, 0, prefixSize)}
	c.init(t, nc, client)
	t.keepAlive(nc)
	c.start(subprotocol{format: f}, queue{prefixed: true, largest: takes}, c)
	if ping {
		c.judge()
	}
	return c
}

// judge begins to watch the peer's liveness.
func (c *RawSocket) judge() {
	if c.judged {
		return
	}
	c.judged = true
	c.in.lastRead.Store(c.t.wheel.now())
	c.t.wheel.add(&c.stream)
	c.mu.Lock()
	closed := c.state == stateClosed
	c.mu.Unlock()
	if closed { // meanwhile, so that nobody else would
		c.t.wheel.remove(&c.stream)
	}
}

// keepAlive has the system look whether nc's peer is there, as often as pings
// would.
func (t *Transport) keepAlive(nc net.Conn) {
	if socket, ok := below(nc).(*net.TCPConn); ok && t.wheel.interval > 0 {
		const probes = 3
		// Its failure leaves the system's own settings.
		_ = socket.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: t.wheel.interval, Interval: max(t.wheel.timeout/probes, time.Second), Count: probes,
		})
	}
}

// read implements framing.
func (c *RawSocket) read() ([]byte, error) {
	for {
		kind, n, err := c.prefix()
		if err != nil {
			return nil, err
		}
		if kind == rawMessage {
			if n > c.largest {
				return nil, c.broken(statusTooLarge, fmt.Sprintf("message of %d bytes is larger than %d", n, c.largest))
			}
			return c.payload(n)
		}
		if kind != rawPing && kind != rawPong {
			return nil, c.broken(statusProtocol, fmt.Sprintf("frame of unknown type %d", kind))
		}
		if n > maxPing {
			return nil, c.broken(statusTooLarge, fmt.Sprintf("ping or pong of %d bytes is larger than %d", n, maxPing))
		}
		data, err := c.payload(n)
		if err != nil {
			return nil, err
		}
		c.judge()
		if kind == rawPing && !c.pong(data) {
			return nil, c.lost()
		}
		c.t.buffers.put(c.in.message)
		c.in.message = nil
	}
}

// pong echoes a ping, before what waits. Each is answered, so that they count in
// the bound on the queue; false: it is passed.
func (c *RawSocket) pong(data []byte) bool {
	c.mu.Lock()
	if c.state != stateOpen {
		c.mu.Unlock()
		return true
	}
	q := &c.out.queue
	if q.bytes+len(c.out.pong)+prefixSize+len(data) > q.limit {
		c.mu.Unlock()
		c.Close(CloseSlow)
		return false
	}
	if cap(c.out.pong) > mediumBuffer && len(c.out.pong) == 0 {
		c.out.pong = nil
	}
	c.out.pong = append(appendPrefix(c.out.pong, rawPong, len(data)), data...)
	c.out.pongDue = true
	_ = c.sent(c.in.batch, nil)
	return true
}

// prefix reads the prefix of the next frame.
func (c *RawSocket) prefix() (kind byte, n int, err error) {
	in := &c.in
	c.head = c.head[:0]
	for len(c.head) < prefixSize {
		if err := c.available(); err != nil {
			return 0, 0, c.failure()
		}
		rest := in.raw.b[in.next:]
		more := min(prefixSize-len(c.head), len(rest))
		c.head = append(c.head, rest[:more]...)
		in.next += more
	}
	kind, n, ok := parsePrefix(c.head)
	c.head = c.head[:0]
	if !ok {
		return 0, 0, c.broken(statusProtocol, "reserved bits of a frame are set")
	}
	return kind, n, nil
}

// failure implements framing. The end of the stream between two frames is how
// either side closes.
func (c *RawSocket) failure() error {
	if errors.Is(c.in.failed, io.EOF) && len(c.head) == 0 && c.closedReason() == nil {
		c.in.err = io.EOF
		return io.EOF
	}
	return c.lost()
}

// part implements framing.
func (c *RawSocket) part() {
	c.countRead()
	c.t.buffers.put(c.in.raw)
	c.in.raw, c.in.next = nil, 0
	c.drain(true)
}
