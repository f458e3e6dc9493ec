package realm

import (
	"sync"

	"usher/router/match"
	"usher/router/wamp"
)

// realm is one routing space: who offers and who listens to what. A realm that a
// policy drops lives on until its last session has left.
type realm struct {
	name    string
	node    *Node
	members members
	meta    metaEvents

	// mu serializes changes of the indexes, and guards the sessions' own maps of
	// registrations and subscriptions. Routing does not take it.
	mu            sync.Mutex
	registrations match.Index[*registration]
	subscriptions match.Index[*subscription]
}

func newRealm(name string, node *Node) *realm {
	r := &realm{name: name, node: node}
	r.meta.room.L = &r.meta.mu
	return r
}

func (r *realm) addRegistration(reg *registration) {
	r.putRegistration(reg)
	r.noteRegistered(reg.callee, reg, true)
}

// putRegistration is addRegistration for one that was there before.
func (r *realm) putRegistration(reg *registration) {
	s := reg.callee
	if s.registrations == nil {
		s.registrations = make(map[wamp.ID]*registration)
	}
	s.registrations[reg.id] = reg
	r.registrations.Put(reg.match, reg.uri, reg)
}

func (r *realm) removeRegistration(reg *registration) {
	delete(reg.callee.registrations, reg.id)
	r.registrations.Delete(reg.match, reg.uri)
	r.noteUnregistered(reg.callee, reg, true)
}

func (r *realm) addSubscriber(sub *subscription, s *session) {
	if s.subscriptions == nil {
		s.subscriptions = make(map[wamp.ID]*member)
	}
	isNew := sub.live == 0
	s.subscriptions[sub.id] = sub.add(s)
	if isNew {
		r.subscriptions.Put(sub.match, sub.uri, sub)
	}
	r.noteSubscribed(s, sub, isNew)
}

// removeSubscriber forgets a subscription with its last subscriber.
func (r *realm) removeSubscriber(m *member, s *session) {
	sub := m.subscription
	delete(s.subscriptions, sub.id)
	isGone := !sub.remove(m)
	if isGone {
		r.subscriptions.Delete(sub.match, sub.uri)
	}
	r.noteUnsubscribed(s, sub, isGone)
}

// removalStep is how much of a session that has ended goes under one hold of the
// lock: others get it in between, however much there is.
const removalStep = 64

// removeSome takes up to removalStep of what a session has that has ended, and
// reports whether that was all. What it was subscribed to is appended to left. It
// looks anew each time: in between others may take from the session as well.
func (r *realm) removeSome(s *session, left []*subscription) (_ []*subscription, isAll bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, reg := range s.registrations {
		if n++; n > removalStep {
			return left, false
		}
		r.removeRegistration(reg)
	}
	for _, m := range s.subscriptions {
		if n++; n > removalStep {
			return left, false
		}
		left = append(left, m.subscription)
		r.removeSubscriber(m, s)
	}
	s.registrations, s.subscriptions = nil, nil
	return left, true
}
