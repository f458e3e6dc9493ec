package transport

import (
	"encoding/binary"
	"fmt"

	"usher/router/codec"
	"usher/router/wamp"
)

// queue is what waits to be written to one peer: frames as they go on the wire,
// one behind the other in pooled buffers. It does not lock: its owner does.
type queue struct {
	buffers  *buffers
	sub      subprotocol
	prefixed bool // frames are RawSocket's; the next three are WebSocket's
	masked   bool // frames go to a server
	opcode   byte
	sep      byte // of json.batched
	largest  int  // message that the peer takes; 0: any

	limit    int       // of bytes
	bytes    int       // waiting, here or taken and not yet written
	messages int       // among them, since the last take
	sealed   []segment // whole buffers, before tail
	tail     *buffer   // frames are appended here; nil: none. In a batched subprotocol: one frame without its header
}

// segment is a stretch of bytes to write.
type segment struct {
	b      []byte
	buffer *buffer // what b lies in, to be given back; nil: bytes that others refer to as well
	joined bool    // the frame goes on in the next segment
}

const (
	// sealAt is the size from which on a buffer is left alone and the next begun. It
	// also bounds a batch in a batched subprotocol.
	sealAt = largeBuffer - 4<<10
	// copyBelow is the size below which copying a message that many receive costs
	// less than a write of its own.
	copyBelow = 8 << 10
)

// payloadSize is the size of what is large in m, if anything is.
func payloadSize(m wamp.Message) int {
	switch m := m.(type) {
	case *wamp.Event:
		return m.Payload.Size()
	case *wamp.Result:
		return m.Payload.Size()
	case *wamp.Invocation:
		return m.Payload.Size()
	case *wamp.Error:
		return m.Payload.Size()
	case *wamp.Publish:
		return m.Payload.Size()
	case *wamp.Call:
		return m.Payload.Size()
	case *wamp.Yield:
		return m.Payload.Size()
	case *wamp.Hello:
		return len(m.Authextra.Bytes)
	case *wamp.Welcome:
		return len(m.Authextra.Bytes)
	case *wamp.Challenge:
		return len(m.Extra.Bytes)
	}
	return 0
}

// urgent reports whether a message is queued whatever waits: one that ends a
// session, or the peer would not learn why, and INTERRUPT, which ends work. Of the
// latter there are few: each belongs to an INVOCATION that found room.
func urgent(m wamp.Message) bool {
	switch m.Type() {
	case wamp.TypeGoodbye, wamp.TypeAbort, wamp.TypeInterrupt:
		return true
	}
	return false
}

// isFinal reports whether nothing may come behind m (specification: "Session Closing").
func isFinal(m wamp.Message) bool {
	t := m.Type()
	return t == wamp.TypeGoodbye || t == wamp.TypeAbort
}

// append encodes m behind what waits.
func (q *queue) append(m wamp.Message) error {
	size := payloadSize(m) + 64
	if !urgent(m) && q.bytes+size-64 > q.limit {
		return ErrQueueFull
	}
	if q.largest > 0 && size-64 > q.largest {
		return q.tooLarge()
	}
	start, head := q.begin(size)
	b, err := codec.Append(q.tail.b, q.sub.format, m)
	if err != nil {
		q.cut(start)
		return err
	}
	q.tail.b = b
	n := len(b) - start
	if q.largest > 0 && n-head > q.largest {
		q.cut(start)
		return q.tooLarge()
	}
	if !urgent(m) && q.bytes+n > q.limit {
		q.cut(start)
		return ErrQueueFull
	}
	q.finish(start, head)
	return nil
}

// appendEncoded puts a message that is already encoded behind what waits. A large
// one is referred to: it must not change any more.
func (q *queue) appendEncoded(m []byte) error {
	if q.largest > 0 && len(m) > q.largest {
		return q.tooLarge()
	}
	if q.bytes+len(m)+maxHeader > q.limit {
		return ErrQueueFull
	}
	if len(m) < copyBelow || q.masked {
		start, head := q.begin(len(m))
		q.tail.b = append(q.tail.b, m...)
		q.finish(start, head)
		return nil
	}
	q.seal()
	h := q.buffers.get(maxHeader)
	n := len(m)
	var after []byte
	if q.sub.batched {
		if q.sub.format == wamp.JSON {
			n++
			after = []byte{q.sep}
		} else {
			n += 4
		}
	}
	h.b = h.b[:q.headerSize(n)]
	q.finishFrame(h.b, n)
	if q.sub.batched && q.sub.format != wamp.JSON {
		h.b = binary.BigEndian.AppendUint32(h.b, uint32(len(m)))
	}
	q.sealed = append(q.sealed, segment{b: h.b, buffer: h, joined: true}, segment{b: m, joined: after != nil})
	if after != nil {
		q.sealed = append(q.sealed, segment{b: after})
	}
	q.bytes += len(h.b) + len(m) + len(after)
	q.messages++
	return nil
}

// tooLarge is the error for a message that the peer does not take.
func (q *queue) tooLarge() error {
	return fmt.Errorf("%w: it takes %d bytes at most", ErrTooLarge, q.largest)
}

// headerSize returns the size of the header of a frame with n bytes of payload.
func (q *queue) headerSize(n int) int {
	if q.prefixed {
		return prefixSize
	}
	return headerSize(n, q.masked)
}

// finishFrame completes the frame in b with n bytes of payload.
func (q *queue) finishFrame(b []byte, n int) {
	if q.prefixed {
		putPrefix(b, rawMessage, n)
		return
	}
	finishFrame(b, q.opcode, q.masked, n)
}

// appendPing appends a ping.
func (q *queue) appendPing(dst []byte) []byte {
	if q.prefixed {
		return appendPrefix(dst, rawPing, 0)
	}
	return appendControl(dst, opPing, q.masked, nil)
}

// begin makes room for a message of about n bytes and reserves what goes before
// it. It returns the length of tail before and the bytes reserved.
func (q *queue) begin(n int) (start, reserved int) {
	need := n + maxHeader + 4
	switch {
	case q.tail == nil:
		q.tail = q.buffers.get(need)
	case len(q.tail.b) >= sealAt || len(q.tail.b)+need > largeBuffer:
		q.seal()
		q.tail = q.buffers.get(need)
	default:
		q.tail = q.buffers.grow(q.tail, need)
	}
	start = len(q.tail.b)
	if !q.sub.batched {
		reserved = q.headerSize(n)
	} else {
		if start == 0 {
			reserved = maxHeader
		}
		if q.sub.format != wamp.JSON {
			reserved += 4
		}
	}
	q.tail.b = q.tail.b[:start+reserved]
	return start, reserved
}

// cut takes back what was appended since begin.
func (q *queue) cut(start int) {
	q.tail.b = q.tail.b[:start]
	if start == 0 {
		q.buffers.put(q.tail)
		q.tail = nil
	}
}

// finish completes the message that was appended after begin.
func (q *queue) finish(start, reserved int) {
	n := len(q.tail.b) - start - reserved
	q.messages++
	if q.sub.batched {
		if q.sub.format == wamp.JSON {
			q.tail.b = append(q.tail.b, q.sep)
		} else {
			binary.BigEndian.PutUint32(q.tail.b[start+reserved-4:], uint32(n))
		}
		q.bytes += len(q.tail.b) - start
		return
	}
	if need := q.headerSize(n); need != reserved {
		if need > reserved {
			q.tail.b = append(q.tail.b, make([]byte, need-reserved)...)
		}
		b := q.tail.b[start:]
		copy(b[need:], b[reserved:reserved+n])
		q.tail.b = q.tail.b[:start+need+n]
	}
	q.finishFrame(q.tail.b[start:], n)
	q.bytes += len(q.tail.b) - start
}

// seal ends the tail. In a batched subprotocol that completes its frame.
func (q *queue) seal() {
	if q.tail == nil {
		return
	}
	b := q.tail.b
	if q.sub.batched {
		// The room for the header is that of the longest: the frame begins further right.
		n := len(b) - maxHeader
		unused := maxHeader - headerSize(n, q.masked)
		b = b[unused:]
		q.bytes -= unused
		finishFrame(b, q.opcode, q.masked, n)
	}
	q.sealed = append(q.sealed, segment{b: b, buffer: q.tail})
	q.tail = nil
}

// empty reports whether nothing waits to be taken.
func (q *queue) empty() bool { return q.tail == nil && len(q.sealed) == 0 }

// take moves whole frames of about max bytes from the queue to dst.
func (q *queue) take(dst []segment, max int) []segment {
	q.seal()
	n, taken := 0, 0
	for n < len(q.sealed) && (taken < max || q.sealed[n-1].joined) {
		taken += len(q.sealed[n].b)
		n++
	}
	dst = append(dst, q.sealed[:n]...)
	rest := copy(q.sealed, q.sealed[n:])
	clear(q.sealed[rest:])
	q.sealed = q.sealed[:rest]
	return dst
}

// drop forgets what has not been taken and returns how many bytes that was.
func (q *queue) drop() int {
	q.seal()
	n := 0
	for _, s := range q.sealed {
		n += len(s.b)
		q.buffers.put(s.buffer)
	}
	q.sealed, q.bytes, q.messages = nil, q.bytes-n, 0
	return n
}
