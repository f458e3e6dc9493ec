package realm

import (
	"sync"

	"usher/router/match"
	"usher/router/wamp"
)

// realm is one routing space: who offers and who listens to what. A realm that a
// policy drops lives on until its last session has left.
type realm struct {
	name string

	// mu serializes changes of the indexes, and guards the sessions' own maps of
	// registrations and subscriptions. Routing does not take it.
	mu            sync.Mutex
	registrations match.Index[*registration]
	subscriptions match.Index[*subscription]
}

func (r *realm) addRegistration(reg *registration) {
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
}

// removeSubscriber forgets a subscription with its last subscriber.
func (r *realm) removeSubscriber(m *member, s *session) {
	sub := m.subscription
	delete(s.subscriptions, sub.id)
	if !sub.remove(m) {
		r.subscriptions.Delete(sub.match, sub.uri)
	}
}

// removeAll takes everything of a session that has ended, and returns what it was
// subscribed to.
func (r *realm) removeAll(s *session) map[wamp.ID]*member {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, reg := range s.registrations {
		r.removeRegistration(reg)
	}
	subscriptions := s.subscriptions
	s.registrations, s.subscriptions = nil, nil
	for _, m := range subscriptions {
		r.removeSubscriber(m, s)
	}
	return subscriptions
}
