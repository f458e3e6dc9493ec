package realm

import (
	"log/slog"
	"sync"
	"time"

	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// metaEvents is the queue of a realm's meta events. They are noted in the order in
// which things happen, under the lock that makes them happen, and delivered in
// that order after it was given up: a subscriber of theirs may be the very session
// whose request is being handled.
//
// One goroutine delivers at a time; who comes meanwhile leaves it what he noted,
// and so may himself be called from a delivery (a Local's handler). Only where
// much waits, a client's reader waits for it to become less.
type metaEvents struct {
	mu        sync.Mutex
	pending   []metaEvent
	size      int // of pending, in bytes
	isSending bool
	room      chan struct{} // closed once there may be room again; nil: nobody waits
	writer    codec.Writer  // of payloads
}

// metaEvent is one event of the router's own.
type metaEvent struct {
	topic   string
	payload wamp.Payload
	except  *session // who does not get it; nil: everybody gets it
}

// Bounds on the queue: what waits when clients' readers wait, in bytes, how long
// each waits, and how often one of them takes what has come up meanwhile before it
// leaves the rest to another goroutine.
const (
	maxMetaBytes     = 1 << 20
	maxMetaWait      = time.Second
	maxMetaRounds    = 4
	metaEventBytes   = 96 // what one takes beside its payload
	metaPayloadBytes = 32 // what a payload takes as a rule
)

// noteMeta notes an event for flushMeta, if anybody listens. write writes its
// arguments.
func (r *realm) noteMeta(topic string, write func(*codec.Writer)) {
	r.noteMetaExcept(nil, topic, write)
}

// noteMetaExcept is noteMeta for an event that one session does not get.
func (r *realm) noteMetaExcept(s *session, topic string, write func(*codec.Writer)) {
	if !r.isHeard(topic) {
		return
	}
	m := &r.meta
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writer.Reset(wamp.CBOR, make([]byte, 0, metaPayloadBytes))
	m.writer.BeginList()
	write(&m.writer)
	m.writer.End()
	args := m.writer.Buffer()
	m.pending = append(m.pending, metaEvent{topic: topic, except: s, payload: wamp.Payload{Format: wamp.CBOR, Args: args}})
	m.size += len(args) + metaEventBytes
}

// isHeard reports whether anybody is subscribed to a topic.
func (r *realm) isHeard(topic string) bool {
	heard := false
	r.subscriptions.Each(topic, func(*subscription) bool {
		heard = true
		return false
	})
	return heard
}

// flushMeta delivers what was noted, or leaves it to whoever is delivering now. No
// lock of the realm or of a session is held. Without a batch it does not wait.
func (r *realm) flushMeta(b *transport.Batch) {
	m := &r.meta
	m.mu.Lock()
	if m.isSending {
		wait := b != nil && m.size > maxMetaBytes
		m.mu.Unlock()
		if wait {
			b.Flush()
			m.awaitRoom()
		}
		return
	}
	m.isSending = len(m.pending) > 0
	isMine := m.isSending
	m.mu.Unlock()
	if isMine && !r.drainMeta(b, maxMetaRounds) {
		go r.drainMetaAside()
	}
}

// awaitRoom waits while more than the bound waits and somebody delivers it: those
// who deliver only queue, so that this does not take long. Where a handler does not
// return it gives up, and the reader's client goes on slowly.
func (m *metaEvents) awaitRoom() {
	timeout := time.NewTimer(maxMetaWait)
	defer timeout.Stop()
	for {
		m.mu.Lock()
		if !m.isSending || m.size <= maxMetaBytes {
			m.mu.Unlock()
			return
		}
		if m.room == nil {
			m.room = make(chan struct{})
		}
		room := m.room
		m.mu.Unlock()
		select {
		case <-room:
		case <-timeout.C:
			return
		}
	}
}

// signal wakes up those who wait for room. The lock is held.
func (m *metaEvents) signal() {
	if m.room != nil {
		close(m.room)
		m.room = nil
	}
}

// drainMetaAside delivers until nothing waits, for a reader that has its client to
// attend to.
func (r *realm) drainMetaAside() {
	defer func() {
		if v := recover(); v != nil {
			r.node.reportPanic(v, slog.String("realm", r.name))
		}
	}()
	var b transport.Batch
	for !r.drainMeta(&b, maxMetaRounds) {
		b.Flush()
	}
	b.Flush()
}

// drainMeta delivers what waits, and that so many times, and reports whether
// nothing waits any more. Until then, nobody else delivers.
func (r *realm) drainMeta(b *transport.Batch, rounds int) (isEmpty bool) {
	m := &r.meta
	isDone := false
	defer func() {
		if !isDone { // a fault: what waits is left to the next one
			m.mu.Lock()
			m.isSending = false
			m.signal()
			m.mu.Unlock()
		}
	}()
	w := r.node.works.get()
	defer r.node.works.put(w)
	for range rounds {
		m.mu.Lock()
		events := m.pending
		m.pending, m.size = nil, 0
		m.isSending = len(events) > 0
		m.signal()
		m.mu.Unlock()
		if len(events) == 0 {
			isDone = true
			return true
		}
		for i := range events {
			r.sendMeta(b, w, &events[i])
		}
	}
	isDone = true
	return false
}

func (r *realm) sendMeta(b *transport.Batch, w *work, e *metaEvent) {
	p := &w.publication
	p.batch, p.topic = b, e.topic
	p.publisher, p.excludeMe = e.except, true
	p.event = wamp.Event{Publication: newPublication(), Payload: e.payload}
	p.record(r)
	p.fanOut(r)
}

// noteJoined notes that s is there.
func (s *session) noteJoined() {
	s.realm.noteMeta(metaOnJoin, func(w *codec.Writer) { s.writeDetails(w) })
}

// noteLeft notes that s is there no more.
func (s *session) noteLeft() {
	s.realm.noteMetaExcept(s.endedBy.Load(), metaOnLeave, func(w *codec.Writer) {
		w.Uint(uint64(s.id))
		w.String([]byte(s.authid))
		w.String([]byte(s.authrole))
	})
}
