package transport

import (
	"encoding/binary"

	"usher/router/wamp"
)

// What one peer is sent waits as it is and is compressed when it is written, by
// the owner of the write side, who holds no lock: a callee's or a broker's tables
// are locked while a message is queued, and others wait for those. The bound on
// the queue counts what waits in memory, which is what is not compressed yet.
// What many receive is compressed before it is queued: see Shared.

// maxInline is how many bytes are compressed by a goroutine that flushes many
// connections: more is left to the connection's own.
const maxInline = 32 << 10

// deflateAtOnce compresses what is pending, unless it is much: false.
func (c *stream) deflateAtOnce() bool {
	if c.deflate == nil {
		return true
	}
	n := 0
	for i := range c.out.pending {
		if !c.out.inPieces(i) {
			n += len(c.out.pending[i].b)
		}
	}
	if n > maxInline {
		return false
	}
	c.deflatePending()
	return true
}

// inPieces reports whether a segment of pending is part of a frame that lies in
// several, which is one that many receive.
func (o *outbound) inPieces(i int) bool {
	return o.pending[i].joined || i > 0 && o.pending[i-1].joined
}

// deflatePending compresses what is pending, once, and puts it together again.
func (c *stream) deflatePending() {
	o := &c.out
	if c.deflate == nil || o.deflated {
		return
	}
	o.deflated = true
	work := len(o.pending) > 1
	for _, s := range o.pending {
		work = work || c.worthwhile(s.b)
	}
	if !work {
		return
	}
	z := c.t.deflaters.get()
	defer c.t.deflaters.put(z)
	all := o.spare[:0]
	var b *buffer // what all ends with, if frames may be put behind it
	for i, s := range o.pending {
		if o.inPieces(i) || len(s.b) >= copyBelow && !c.worthwhile(s.b) {
			all, b = append(all, s), nil
			continue
		}
		if b == nil || cap(b.b)-len(b.b) < len(s.b) {
			b = c.t.buffers.get(max(len(s.b), min(o.left, largeBuffer)))
			all = append(all, segment{buffer: b})
		}
		b.b = c.deflateFrames(z, b.b, s.b)
		all[len(all)-1].b = b.b
		c.t.buffers.put(s.buffer)
	}
	clear(o.pending)
	o.pending, o.spare = all, o.pending[:0]
}

// worthwhile reports whether any of the frames in b is to be compressed.
func (c *stream) worthwhile(b []byte) bool {
	for len(b) > 0 {
		header, size := frameSize(b)
		if c.compressible(b[0], size) {
			return true
		}
		b = b[header+size:]
	}
	return false
}

func (c *stream) compressible(first byte, size int) bool {
	return size >= c.deflate.threshold && first&rsv1 == 0 && first&0x0f < opClose
}

// deflateFrames appends the frames in src to dst, compressed where that makes
// them smaller. It may change src.
func (c *stream) deflateFrames(z *deflater, dst, src []byte) []byte {
	for len(src) > 0 {
		header, size := frameSize(src)
		whole, payload := src[:header+size], src[header:header+size]
		src = src[header+size:]
		if !c.compressible(whole[0], size) {
			dst = append(dst, whole...)
			continue
		}
		if c.in.client { // which undoes the mask
			mask(payload, binary.LittleEndian.Uint32(whole[header-4:]))
		}
		out := z.deflate(payload, c.deflate.bits)
		if out == nil {
			finishFrame(whole, whole[0]&0x0f, c.in.client, size)
			dst = append(dst, whole...)
			continue
		}
		start := len(dst)
		dst = append(dst, whole[:headerSize(len(out), c.in.client)]...)
		dst = append(dst, out...)
		finishFrame(dst[start:], rsv1|whole[0]&0x0f, c.in.client, len(out))
	}
	return dst
}

// frameSize returns the sizes of the header and of the payload of a frame that
// finishFrame wrote.
func frameSize(b []byte) (header, size int) {
	header, size = 2, int(b[1]&0x7f)
	switch size {
	case 126:
		header, size = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		header, size = 10, int(binary.BigEndian.Uint64(b[2:]))
	}
	if b[1]&0x80 != 0 {
		header += 4
	}
	return header, size
}

// appendDeflated puts a message behind what waits that many receive, encoded to
// size bytes and compressed to m, which must not change any more. In a batched
// subprotocol it is a batch of its own: what belongs around the message there is
// put around its compressed form, as blocks that are not compressed.
func (q *queue) appendDeflated(m []byte, size int) error {
	if q.bytes+len(m)+maxHeader+2*maxAround > q.limit {
		return ErrQueueFull
	}
	var before, after []byte
	var space [2 * maxAround]byte
	switch {
	case !q.sub.batched:
	case q.sub.format == wamp.JSON:
		after = append(space[:0], syncMarker...)
		after = appendStored(after, []byte{q.sep})
		after = append(after, 0) // the flush behind it, without its syncMarker
	default:
		before = appendStored(space[:0], binary.BigEndian.AppendUint32(space[maxAround:maxAround], uint32(size)))
	}
	n := len(before) + len(m) + len(after)
	if small := len(m) < copyBelow || q.masked; small && !q.sub.batched {
		start, reserved := q.begin(n)
		q.tail.b = append(q.tail.b, m...)
		q.finish(start, reserved)
		q.tail.b[start] |= rsv1
		return nil
	} else if small {
		b := q.buffers.get(maxHeader + n)
		b.b = b.b[:headerSize(n, q.masked)]
		b.b = append(append(append(b.b, before...), m...), after...)
		finishFrame(b.b, rsv1|q.opcode, q.masked, n)
		q.place(segment{b: b.b, buffer: b})
		return nil
	}
	h := q.buffers.get(maxHeader + len(before))
	h.b = h.b[:headerSize(n, false)]
	putHeader(h.b, rsv1|q.opcode, n)
	h.b = append(h.b, before...)
	q.place(segment{b: h.b, buffer: h, joined: true}, segment{b: m, joined: after != nil})
	if after != nil {
		b := q.buffers.get(len(after))
		b.b = append(b.b, after...)
		q.sealed = append(q.sealed, segment{b: b.b, buffer: b})
		q.bytes += len(after)
	}
	return nil
}

// maxAround is more than what is put before or behind a compressed message.
const maxAround = 16

// place puts one whole frame behind what waits.
func (q *queue) place(frame ...segment) {
	q.seal()
	q.sealed = append(q.sealed, frame...)
	for _, s := range frame {
		q.bytes += len(s.b)
	}
	q.messages++
}
