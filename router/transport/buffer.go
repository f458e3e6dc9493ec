package transport

import "sync"

// buffers are pools of byte slices in three capacities. An idle connection holds
// none.
type buffers struct {
	small, medium, large sync.Pool
}

// The capacities of pooled buffers.
const (
	smallBuffer  = 2 << 10
	mediumBuffer = 16 << 10
	largeBuffer  = 64 << 10
)

// buffer is a slice that may come from a pool. A pointer to it travels, so that
// pooling it does not allocate.
type buffer struct{ b []byte }

// get returns an empty buffer of at least n bytes capacity.
func (p *buffers) get(n int) *buffer {
	pool, size := &p.small, smallBuffer
	switch {
	case n > largeBuffer:
		return &buffer{make([]byte, 0, n)}
	case n > mediumBuffer:
		pool, size = &p.large, largeBuffer
	case n > smallBuffer:
		pool, size = &p.medium, mediumBuffer
	}
	if b, ok := pool.Get().(*buffer); ok {
		return b
	}
	return &buffer{make([]byte, 0, size)}
}

// put takes a buffer back that nobody refers to any more; nil is allowed.
func (p *buffers) put(b *buffer) {
	if b == nil {
		return
	}
	b.b = b.b[:0]
	switch cap(b.b) {
	case smallBuffer:
		p.small.Put(b)
	case mediumBuffer:
		p.medium.Put(b)
	case largeBuffer:
		p.large.Put(b)
	}
}

// grow returns a buffer with b's bytes and room for n more, and takes b back if
// it is another.
func (p *buffers) grow(b *buffer, n int) *buffer {
	if cap(b.b)-len(b.b) >= n {
		return b
	}
	need := len(b.b) + n
	if need > largeBuffer {
		need = max(need, 2*cap(b.b))
	}
	bigger := p.get(need)
	bigger.b = append(bigger.b, b.b...)
	p.put(b)
	return bigger
}
