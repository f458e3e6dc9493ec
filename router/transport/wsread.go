package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// wsViolation is what a peer did wrong.
type wsViolation struct {
	status uint16 // to close with
	why    string
}

func (e *wsViolation) Error() string { return e.why }

// wsClose is a close frame that came; without a code it is statusNone.
type wsClose struct{ code uint16 }

func (e *wsClose) Error() string { return fmt.Sprintf("peer closed with code %d", e.code) }

// wsHeader is what the header of a frame says (RFC 6455, section 5.2).
type wsHeader struct {
	final, deflated bool
	opcode          byte
	size            int // of the payload
	key             uint32
}

// readMessage reads the next message, its opcode and data that is valid until more
// is read. An error is that of the socket, a *wsViolation or a *wsClose, and the
// same from then on.
func (c *WebSocket) readMessage() (opcode byte, data []byte, err error) {
	if c.readErr == nil {
		opcode, data, c.readErr = c.message()
	}
	return opcode, data, c.readErr
}

func (c *WebSocket) message() (opcode byte, data []byte, err error) {
	h, err := c.dataHeader(false, 0)
	if err != nil {
		return 0, nil, err
	}
	if h.final {
		if data, err = c.payload(h.size); err == nil {
			c.unmask(data, h)
		}
	} else {
		data, err = c.fragments(h)
	}
	if err == nil && h.deflated {
		data, err = c.inflate(data)
	}
	return h.opcode, data, err
}

// fragments reads a message that is more than one frame; h is the first's.
func (c *WebSocket) fragments(h wsHeader) ([]byte, error) {
	b := c.t.buffers.get(min(h.size, mediumBuffer))
	for {
		start := len(b.b)
		var err error
		if b, err = c.collect(b, h.size); err == nil {
			c.unmask(b.b[start:], h)
			if h.final {
				c.in.message = b
				return b.b, nil
			}
			h, err = c.dataHeader(true, len(b.b))
		}
		if err != nil {
			c.t.buffers.put(b)
			return nil, err
		}
	}
}

// inflate returns a message decompressed. Its size is bounded as it was before.
func (c *WebSocket) inflate(data []byte) ([]byte, error) {
	b, err := c.t.inflate(data, c.t.options.MaxMessageSize)
	if errors.Is(err, errInflated) {
		return nil, c.tooLarge()
	}
	if err != nil {
		return nil, &wsViolation{statusInvalid, "message cannot be decompressed"}
	}
	c.t.buffers.put(c.in.message)
	c.in.message = b
	return b.b, nil
}

func (c *WebSocket) unmask(data []byte, h wsHeader) {
	if !c.in.client {
		mask(data, h.key)
	}
}

// dataHeader reads up to the payload of the next frame of a message, of which have
// bytes have come. Control frames before it are seen to.
func (c *WebSocket) dataHeader(within bool, have int) (wsHeader, error) {
	for {
		h, err := c.header(within)
		switch {
		case err != nil:
			return h, err
		case h.opcode >= opClose:
			if err := c.control(h); err != nil {
				return h, err
			}
		case h.size > c.t.options.MaxMessageSize-have:
			return h, c.tooLarge()
		default:
			return h, nil
		}
	}
}

func (c *WebSocket) tooLarge() error {
	return &wsViolation{statusTooLarge, fmt.Sprintf("message larger than %d bytes", c.t.options.MaxMessageSize)}
}

// header reads the header of a frame. within says that a message is begun.
func (c *WebSocket) header(within bool) (h wsHeader, err error) {
	b, err := c.few(2)
	if err != nil {
		return h, err
	}
	h.final, h.deflated, h.opcode = b[0]&0x80 != 0, b[0]&rsv1 != 0, b[0]&0x0f
	masked, size := b[1]&0x80 != 0, b[1]&0x7f
	if why := c.wrong(h, within, b[0]&0x30 != 0, masked, size); why != "" {
		return h, &wsViolation{statusProtocol, why}
	}
	length := 0
	switch size {
	case 126:
		length = 2
	case 127:
		length = 8
	}
	more := length
	if masked {
		more += 4
	}
	if b, err = c.few(more); err != nil {
		return h, err
	}
	switch length {
	case 0:
		h.size = int(size)
	case 2:
		h.size = int(binary.BigEndian.Uint16(b))
	case 8: // beyond any limit all are one
		h.size = int(min(binary.BigEndian.Uint64(b), maxLength))
	}
	if masked {
		h.key = binary.LittleEndian.Uint32(b[length:])
	}
	return h, nil
}

// maxLength is more than any limit on messages.
const maxLength = 1<<31 - 1

// wrong says what is wrong with a header's first two bytes, if anything.
func (c *WebSocket) wrong(h wsHeader, within, reserved, masked bool, size byte) string {
	data := h.opcode == opText || h.opcode == opBinary
	switch {
	case reserved, h.deflated && (c.deflate == nil || !data):
		return "a reserved bit is set"
	case h.opcode > opBinary && h.opcode < opClose, h.opcode > opPong:
		return fmt.Sprintf("opcode %d is unknown", h.opcode)
	case h.opcode >= opClose && !h.final:
		return "a control frame is fragmented"
	case h.opcode >= opClose && size > maxControl:
		return "a control frame is too long"
	case data && within:
		return "a message begins within another"
	case h.opcode == opContinuation && !within:
		return "a continuation of nothing"
	case masked == c.in.client:
		return "only a client's frames are masked"
	}
	return ""
}

// few reads n bytes, at most maxControl. They are valid until more is read.
func (c *WebSocket) few(n int) ([]byte, error) {
	in := &c.in
	if in.raw != nil && len(in.raw.b)-in.next >= n {
		b := in.raw.b[in.next : in.next+n]
		in.next += n
		return b, nil
	}
	b := c.head[:0]
	for len(b) < n {
		if err := c.available(); err != nil {
			return nil, err
		}
		rest := in.raw.b[in.next:]
		more := min(n-len(b), len(rest))
		b = append(b, rest[:more]...)
		in.next += more
	}
	return b, nil
}

// control reads the payload of a control frame and sees to it.
func (c *WebSocket) control(h wsHeader) error {
	b, err := c.few(h.size)
	if err != nil {
		return err
	}
	c.unmask(b, h)
	switch h.opcode {
	case opPing:
		c.pong(b)
	case opClose:
		return closed(b)
	}
	return nil
}

// closed judges the payload of a close frame.
func closed(b []byte) error {
	if len(b) == 0 {
		return &wsClose{statusNone}
	}
	if len(b) == 1 {
		return &wsViolation{statusProtocol, "half a close code"}
	}
	code := binary.BigEndian.Uint16(b)
	if !mayClose(code) {
		return &wsViolation{statusProtocol, fmt.Sprintf("close code %d", code)}
	}
	if !utf8.Valid(b[2:]) {
		return &wsViolation{statusProtocol, "reason to close is not UTF-8"}
	}
	return &wsClose{code}
}

// mayClose reports whether a code may be in a close frame: one that is registered
// for that, or one that libraries and applications choose (section 7.4.2).
func mayClose(code uint16) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}
