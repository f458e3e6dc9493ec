package realm

import (
	"time"

	"usher/router/codec"
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
	s.extra.write(w)
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
	entry(w, "invoke", r.invoke.String())
	w.End()
}

// timestamp is how the meta API writes a time, which is in UTC.
const timestamp = "2006-01-02T15:04:05.000Z"

// writePlace writes what registrations and subscriptions have in common.
func writePlace(w *codec.Writer, id wamp.ID, created time.Time, uri string, m wamp.Match) {
	entryUint(w, "id", uint64(id))
	entry(w, "created", created.UTC().Format(timestamp))
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
