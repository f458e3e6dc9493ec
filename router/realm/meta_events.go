package realm

import (
	"sync"
	"time"

	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// The topics of the meta API (specification: "Session Meta API", "Registration
// Meta API", "Subscription Meta API").
const (
	metaOnJoin  = "wamp.session.on_join"
	metaOnLeave = "wamp.session.on_leave"

	metaOnRegistrationCreate = "wamp.registration.on_create"
	metaOnRegister           = "wamp.registration.on_register"
	metaOnUnregister         = "wamp.registration.on_unregister"
	metaOnRegistrationDelete = "wamp.registration.on_delete"

	metaOnSubscriptionCreate = "wamp.subscription.on_create"
	metaOnSubscribe          = "wamp.subscription.on_subscribe"
	metaOnUnsubscribe        = "wamp.subscription.on_unsubscribe"
	metaOnSubscriptionDelete = "wamp.subscription.on_delete"
)

// metaEvents is the queue of a realm's meta events. They are noted in the order
// in which things happen, under the lock that makes them happen, and delivered
// in that order after it was given up: a subscriber of theirs may be the very
// session whose request is being handled.
type metaEvents struct {
	noting  sync.Mutex // guards pending
	pending []metaEvent
	sending sync.Mutex // one delivers at a time; noting may be taken inside
}

// metaEvent is one event of the router's own.
type metaEvent struct {
	topic   string
	payload wamp.Payload
}

// noteMeta notes an event for flushMeta, if anybody listens. write writes its
// arguments.
func (r *realm) noteMeta(topic string, write func(*codec.Writer)) {
	if !r.isHeard(topic) {
		return
	}
	e := metaEvent{topic: topic, payload: metaPayload(write)}
	r.meta.noting.Lock()
	defer r.meta.noting.Unlock()
	r.meta.pending = append(r.meta.pending, e)
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

// metaPayload makes a payload of the arguments that write writes.
func metaPayload(write func(*codec.Writer)) wamp.Payload {
	var w codec.Writer
	w.Reset(wamp.CBOR, nil)
	w.BeginList()
	write(&w)
	w.End()
	return wamp.Payload{Format: wamp.CBOR, Args: w.Buffer()}
}

// flushMeta delivers what was noted. No lock of the realm or of a session is held.
func (r *realm) flushMeta(b *transport.Batch) {
	m := &r.meta
	m.noting.Lock()
	isIdle := len(m.pending) == 0
	m.noting.Unlock()
	if isIdle {
		return
	}
	m.sending.Lock()
	defer m.sending.Unlock()
	m.noting.Lock()
	events := m.pending
	m.pending = nil
	m.noting.Unlock()
	w := r.node.works.get()
	defer r.node.works.put(w)
	for i := range events {
		p := &w.publication
		p.batch, p.topic = b, events[i].topic
		p.event = wamp.Event{Publication: newPublication(), Payload: events[i].payload}
		r.subscriptions.Each(p.topic, w.deliver)
		p.reset()
	}
}

// joined tells the realm that s is there.
func (s *session) joined(b *transport.Batch) {
	s.realm.noteMeta(metaOnJoin, func(w *codec.Writer) { s.writeDetails(w) })
	s.realm.flushMeta(b)
}

// left tells the realm that s is there no more.
func (s *session) left(b *transport.Batch) {
	s.realm.noteMeta(metaOnLeave, func(w *codec.Writer) {
		w.Uint(uint64(s.id))
		w.String([]byte(s.authid))
		w.String([]byte(s.authrole))
	})
	s.realm.flushMeta(b)
}

// writeDetails writes what the meta API tells of a session.
func (s *session) writeDetails(w *codec.Writer) {
	w.BeginDict()
	entryUint(w, "session", uint64(s.id))
	entry(w, "authid", s.authid)
	entry(w, "authrole", s.authrole)
	entry(w, "authmethod", s.authmethod)
	entry(w, "authprovider", s.authprovider)
	w.String([]byte("transport"))
	w.BeginDict()
	entry(w, "peer", s.peer)
	entry(w, "protocol", s.protocol)
	w.End()
	w.End()
}

// noteRegistered notes that s became a callee of reg, the first if isNew.
func (r *realm) noteRegistered(s *session, reg *registration, isNew bool) {
	if isNew {
		r.noteMeta(metaOnRegistrationCreate, func(w *codec.Writer) {
			w.Uint(uint64(s.id))
			reg.writeDetails(w)
		})
	}
	r.noteMember(metaOnRegister, s, reg.id)
}

// noteUnregistered notes that s is no callee of reg any more, and whether it was
// the last.
func (r *realm) noteUnregistered(s *session, reg *registration, isGone bool) {
	r.noteMember(metaOnUnregister, s, reg.id)
	if isGone {
		r.noteMember(metaOnRegistrationDelete, s, reg.id)
	}
}

// noteSubscribed notes that s subscribed to sub, the first if isNew. Who listens to
// the meta API itself is not told.
func (r *realm) noteSubscribed(s *session, sub *subscription, isNew bool) {
	if wamp.Reserved(sub.uri) {
		return
	}
	if isNew {
		r.noteMeta(metaOnSubscriptionCreate, func(w *codec.Writer) {
			w.Uint(uint64(s.id))
			sub.writeDetails(w)
		})
	}
	r.noteMember(metaOnSubscribe, s, sub.id)
}

// noteUnsubscribed notes that s is not subscribed to sub any more, and whether it
// was the last.
func (r *realm) noteUnsubscribed(s *session, sub *subscription, isGone bool) {
	if wamp.Reserved(sub.uri) {
		return
	}
	r.noteMember(metaOnUnsubscribe, s, sub.id)
	if isGone {
		r.noteMember(metaOnSubscriptionDelete, s, sub.id)
	}
}

func (r *realm) noteMember(topic string, s *session, id wamp.ID) {
	r.noteMeta(topic, func(w *codec.Writer) {
		w.Uint(uint64(s.id))
		w.Uint(uint64(id))
	})
}

func (u *subscription) writeDetails(w *codec.Writer) {
	w.BeginDict()
	writePlace(w, u.id, u.created, u.uri, u.match)
	w.End()
}

func (r *registration) writeDetails(w *codec.Writer) {
	w.BeginDict()
	writePlace(w, r.id, r.created, r.uri, r.match)
	entry(w, "invoke", wamp.InvokeSingle)
	w.End()
}

// writePlace writes what registrations and subscriptions have in common.
func writePlace(w *codec.Writer, id wamp.ID, created time.Time, uri string, m wamp.Match) {
	entryUint(w, "id", uint64(id))
	entry(w, "created", created.UTC().Format("2006-01-02T15:04:05.000Z"))
	entry(w, "uri", uri)
	entry(w, "match", m.String())
}

func entry(w *codec.Writer, key, value string) {
	w.String([]byte(key))
	w.String([]byte(value))
}

func entryUint(w *codec.Writer, key string, value uint64) {
	w.String([]byte(key))
	w.Uint(value)
}
