package transport

// Batch gathers the connections that one goroutine's work left something to
// write on, so that each is written once. The zero Batch is ready. It belongs to
// one goroutine, which must Flush it before it waits for anything.
type Batch struct {
	dirty []flusher
}

// flusher is a connection with something to write.
type flusher interface {
	// flush writes what waits, without blocking.
	flush()
	// helpers are the goroutines that do it elsewhere.
	helpers() *flushers
}

// add has c flushed with the batch, or soon by its helpers where there is no batch.
func (b *Batch) add(c flusher) {
	if b == nil {
		c.helpers().add([]flusher{c})
		return
	}
	b.dirty = append(b.dirty, c)
}

// inlineFlushes is how many connections a batch writes itself. More are left to
// other goroutines, so that a publisher with many subscribers is read again soon.
const inlineFlushes = 64

// keptDirty is how many connections a batch has room for while it is empty: each
// session has one, and few publish to more.
const keptDirty = 2048

// Flush writes what waits on the gathered connections, without blocking: the
// first of them itself, in the order in which they were first sent to; where they
// are many, the rest from other goroutines, soon.
func (b *Batch) Flush() {
	if len(b.dirty) == 0 {
		return
	}
	n := min(len(b.dirty), inlineFlushes)
	for _, c := range b.dirty[:n] {
		c.flush()
	}
	if rest := b.dirty[n:]; len(rest) > 0 {
		rest[0].helpers().add(rest)
	}
	if cap(b.dirty) > keptDirty {
		b.dirty = nil
		return
	}
	clear(b.dirty)
	b.dirty = b.dirty[:0]
}
