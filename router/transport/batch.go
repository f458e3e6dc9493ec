package transport

// Batch gathers the connections that one goroutine's work left something to
// write on, so that each is written once. The zero Batch is ready. It belongs to
// one goroutine, which must Flush it before it waits for anything.
type Batch struct {
	dirty []flusher
}

// flusher is a connection with something to write.
type flusher interface{ flush() }

// Flush writes what waits on the gathered connections, without blocking.
func (b *Batch) Flush() {
	for i, c := range b.dirty {
		c.flush()
		b.dirty[i] = nil
	}
	b.dirty = b.dirty[:0]
}
