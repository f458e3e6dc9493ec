package transport

import (
	"encoding/binary"
	"net"

	"usher/router/codec"
	"usher/router/wamp"
)

// outbox is what waits for the receive requests of one long-poll peer: messages
// as they stand in a batch, one behind the other in pooled buffers, from which an
// unbatched subprotocol takes them one by one. It does not lock: its owner does.
type outbox struct {
	buffers *buffers
	sub     subprotocol
	sep     byte // of JSON

	limit    int     // of bytes
	most     int     // of messages; 0: bytes alone count
	bytes    int     // waiting, here or taken and not yet delivered
	messages int     // waiting here
	pieces   []piece // never empty ones
}

// piece is a stretch of an outbox.
type piece struct {
	b      []byte
	buffer *buffer // what b lies in; nil: b is one message without framing that others refer to as well
	sealed bool    // nothing more is appended
}

// answer is what one receive request carries away.
type answer struct {
	body     net.Buffers
	bytes    int // as the outbox counted them
	messages int
	used     []*buffer // to give back when it is written
}

func (o *outbox) empty() bool { return len(o.pieces) == 0 }

// full reports whether a message of n bytes would pass a bound.
func (o *outbox) full(n int) bool {
	return o.bytes+n > o.limit || o.most > 0 && o.messages >= o.most
}

// framing is how many bytes a message has beside its own in a batch.
func (o *outbox) framing() int {
	if o.sub.format == wamp.JSON {
		return 1
	}
	return 4
}

// append encodes m behind what waits.
func (o *outbox) append(m wamp.Message) error {
	size := payloadSize(m)
	if !urgent(m) && o.full(size) {
		return ErrQueueFull
	}
	t := o.tail(size + 64)
	start := len(t.b)
	b := t.b
	if o.sub.format != wamp.JSON {
		b = append(b, 0, 0, 0, 0)
	}
	head := len(b)
	b, err := codec.Append(b, o.sub.format, m)
	n := len(b) - head
	if err == nil && !urgent(m) && o.full(n+o.framing()) {
		err = ErrQueueFull
	}
	if err != nil {
		o.dropEmptyTail()
		return err
	}
	if o.sub.format == wamp.JSON {
		b = append(b, o.sep)
	} else {
		binary.BigEndian.PutUint32(b[start:], uint32(n))
	}
	o.appended(t, b)
	return nil
}

// appendEncoded puts a message that is already encoded behind what waits. A large
// one is referred to: it must not change any more.
func (o *outbox) appendEncoded(m []byte) error {
	n := len(m) + o.framing()
	if o.full(n) {
		return ErrQueueFull
	}
	if len(m) >= copyBelow {
		o.pieces = append(o.pieces, piece{b: m, sealed: true})
		o.bytes += n
		o.messages++
		return nil
	}
	t := o.tail(n)
	b := t.b
	if o.sub.format != wamp.JSON {
		b = binary.BigEndian.AppendUint32(b, uint32(len(m)))
	}
	b = append(b, m...)
	if o.sub.format == wamp.JSON {
		b = append(b, o.sep)
	}
	o.appended(t, b)
	return nil
}

// appended takes up that t's bytes are b now, which has one message more.
func (o *outbox) appended(t *piece, b []byte) {
	o.bytes += len(b) - len(t.b)
	o.messages++
	t.b, t.buffer.b = b, b
}

// tail returns a piece with room for about n bytes.
func (o *outbox) tail(n int) *piece {
	if i := len(o.pieces) - 1; i >= 0 {
		t := &o.pieces[i]
		if !t.sealed && len(t.b)+n <= sealAt {
			t.buffer = o.buffers.grow(t.buffer, n)
			t.b = t.buffer.b
			return t
		}
		t.sealed = true
	}
	buffer := o.buffers.get(n)
	o.pieces = append(o.pieces, piece{b: buffer.b, buffer: buffer})
	return &o.pieces[len(o.pieces)-1]
}

func (o *outbox) dropEmptyTail() {
	i := len(o.pieces) - 1
	if t := &o.pieces[i]; len(t.b) == 0 {
		o.buffers.put(t.buffer)
		*t = piece{}
		o.pieces = o.pieces[:i]
	}
}

// take returns what the next answer carries: everything that waits in a batched
// subprotocol, else one message. What it has stays counted until it is delivered.
func (o *outbox) take() answer {
	if !o.sub.batched {
		return o.takeOne()
	}
	a := answer{messages: o.messages}
	for _, p := range o.pieces {
		a.bytes += len(p.b)
		switch {
		case p.buffer != nil:
			a.body = append(a.body, p.b)
			a.used = append(a.used, p.buffer)
			continue
		case o.sub.format == wamp.JSON:
			a.body = append(a.body, p.b, []byte{o.sep})
		default:
			a.body = append(a.body, binary.BigEndian.AppendUint32(nil, uint32(len(p.b))), p.b)
		}
		a.bytes += o.framing()
	}
	o.pieces, o.messages = nil, 0
	return a
}

// takeOne returns the first message. Its piece is appended to no more, as that
// might move what the answer refers to.
func (o *outbox) takeOne() answer {
	p := &o.pieces[0]
	a := answer{messages: 1}
	message, rest := p.b, []byte(nil)
	if p.buffer != nil {
		// It is a batch of our own making.
		message, rest, _, _ = codec.SplitBatch(o.sub.format, p.b)
	}
	a.body = net.Buffers{message}
	a.bytes = len(message) + o.framing()
	o.messages--
	if len(rest) > 0 {
		p.b, p.sealed = rest, true
		return a
	}
	if p.buffer != nil {
		a.used = []*buffer{p.buffer}
	}
	*p = piece{}
	if o.pieces = o.pieces[1:]; len(o.pieces) == 0 {
		o.pieces = nil
	}
	return a
}

// delivered gives back what an answer was made of.
func (o *outbox) delivered(a answer) {
	o.bytes -= a.bytes
	for _, b := range a.used {
		o.buffers.put(b)
	}
}

// drop forgets what has not been taken and returns how many bytes that was.
func (o *outbox) drop() int {
	n := 0
	for _, p := range o.pieces {
		n += len(p.b)
		switch {
		case p.buffer == nil:
			n += o.framing()
		case len(p.b) == len(p.buffer.b):
			o.buffers.put(p.buffer)
		default: // an answer that is being written may lie in it
		}
	}
	o.pieces, o.messages = nil, 0
	o.bytes -= n
	return n
}
