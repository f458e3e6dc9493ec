package transport

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"
)

// Deflate says how the messages of a WebSocket may be compressed, with
// permessage-deflate (RFC 7692). The zero value is ready. Each message is
// compressed by itself, in either direction ("no context takeover"): connections
// keep no memory for it, and what many receive is compressed once.
type Deflate struct {
	// MaxWindowBits bounds the window of what is sent to 2^MaxWindowBits bytes, 8 to
	// 15; a peer that asks for less is given less. Zero: 15.
	MaxWindowBits int
	// RequestMaxWindowBits is the same for what clients send, where they can keep
	// to it. Zero: they are not asked to.
	RequestMaxWindowBits int
	// Threshold is the size from which on a message is compressed, in bytes. In a
	// batched subprotocol that is the size of what is sent as one, or of a message
	// that many receive. Zero: 1 KiB.
	Threshold int
}

const (
	maxWindowBits    = 15
	defaultThreshold = 1 << 10
)

// deflation is what a connection's peers have agreed on.
type deflation struct {
	bits      int // window of what is sent
	threshold int
}

// deflaters are the compressors and decompressors of a Transport. A compressor
// has nearly 1 MiB: there are no more idle ones than may run at once.
type deflaters struct {
	mu   sync.Mutex
	idle []*deflater
	max  int

	inflaters sync.Pool
}

// deflater compresses one message at a time.
type deflater struct {
	w   *flate.Writer
	out []byte
}

func (d *deflater) Write(p []byte) (int, error) {
	d.out = append(d.out, p...)
	return len(p), nil
}

// get returns a deflater that is the caller's until put.
func (p *deflaters) get() *deflater {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		d := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return d
	}
	return new(deflater)
}

func (p *deflaters) put(d *deflater) {
	if cap(d.out) > 2*maxTake {
		d.out = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < p.max {
		p.idle = append(p.idle, d)
	}
}

// syncMarker ends what a flush of a compressor gives. It is left out behind a
// message (RFC 7692, section 7.2.1).
const syncMarker = "\x00\x00\xff\xff"

// deflate returns data compressed within a window of 2^bits bytes, valid until
// the next call, or nil where that is not smaller.
//
// The compressor knows one window alone. A smaller one is kept to by forgetting
// what came before as often as the window is full.
func (d *deflater) deflate(data []byte, bits int) []byte {
	d.out = d.out[:0]
	for rest := data; len(rest) > 0; {
		piece := rest
		if bits < maxWindowBits {
			piece = rest[:min(len(rest), 1<<bits)]
		}
		rest = rest[len(piece):]
		if d.w == nil {
			// Faster than sending what a better level saves. It is a valid one.
			d.w, _ = flate.NewWriter(d, flate.BestSpeed)
		} else {
			d.w.Reset(d)
		}
		// Writing to memory does not fail.
		_, _ = d.w.Write(piece)
		_ = d.w.Flush()
	}
	out := bytes.TrimSuffix(d.out, []byte(syncMarker))
	if len(out) >= len(data) {
		return nil
	}
	return out
}

// appendStored appends data as it is, in the form of what is compressed: before
// or behind that, with a syncMarker between.
func appendStored(dst, data []byte) []byte {
	n := uint16(len(data))
	dst = append(dst, 0, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
	return append(dst, data...)
}

// inflater decompresses one message at a time.
type inflater struct {
	r   io.ReadCloser // also a flate.Resetter
	src inflaterSource
}

// inflaterSource is a message followed by what was left out behind it and by an
// empty last block.
type inflaterSource struct {
	data []byte
	tail string
}

const inflaterTail = syncMarker + "\x01\x00\x00\xff\xff"

func (s *inflaterSource) ReadByte() (byte, error) {
	if len(s.data) > 0 {
		b := s.data[0]
		s.data = s.data[1:]
		return b, nil
	}
	if len(s.tail) > 0 {
		b := s.tail[0]
		s.tail = s.tail[1:]
		return b, nil
	}
	return 0, io.EOF
}

func (s *inflaterSource) Read(p []byte) (int, error) {
	if len(s.data) > 0 {
		n := copy(p, s.data)
		s.data = s.data[n:]
		return n, nil
	}
	if len(s.tail) > 0 {
		n := copy(p, s.tail)
		s.tail = s.tail[n:]
		return n, nil
	}
	return 0, io.EOF
}

// errInflated means that a message is larger than allowed once decompressed.
var errInflated = errors.New("decompressed message is too large")

// inflate returns data decompressed: at most limit bytes, and memory as they come.
func (t *Transport) inflate(data []byte, limit int) (*buffer, error) {
	z, ok := t.deflaters.inflaters.Get().(*inflater)
	if !ok {
		z = new(inflater)
		z.r = flate.NewReader(&z.src)
	}
	defer t.deflaters.inflaters.Put(z)
	z.src = inflaterSource{data, inflaterTail}
	defer func() { z.src = inflaterSource{} }()
	if err := z.r.(flate.Resetter).Reset(&z.src, nil); err != nil {
		return nil, err
	}
	b := t.buffers.get(min(2*len(data), limit))
	for {
		if len(b.b) == cap(b.b) {
			b = t.buffers.grow(b, cap(b.b))
		}
		room := b.b[len(b.b):min(cap(b.b), limit+1)]
		n, err := z.r.Read(room)
		b.b = b.b[:len(b.b)+n]
		switch {
		case len(b.b) > limit:
			err = errInflated
		case err == io.EOF:
			return b, nil
		}
		if err != nil {
			t.buffers.put(b)
			return nil, err
		}
	}
}
