package realm

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"usher/router/match"
	"usher/router/wamp"
)

// realm is one routing space: who offers and who listens to what. A realm that a
// policy drops lives on until its last session has left.
type realm struct {
	name    string
	node    *Node
	members members
	byID    registrationsByID
	meta    metaEvents

	reflection reflection

	// mu serializes changes of the indexes, and guards the sessions' own maps of
	// registrations and subscriptions. Routing does not take it.
	mu                sync.Mutex
	registrations     match.Index[*registration]
	subscriptions     match.Index[*subscription]
	subscriptionsByID map[wamp.ID]*subscription // all subscriptions
	recorded          map[*subscription]bool    // those that have a history
	histories         match.Index[*history]     // theirs, read like the others
	unheard           atomic.Int64              // subscriptions without a subscriber

	archive  archive
	retained retention
}

// addOffer makes a session a callee of a registration, which comes into being with
// its first.
func (r *realm) addOffer(o *offer) {
	r.noteRegistered(o.session, o.registration, r.attach(o))
}

// attach is addOffer without a word to anybody; it reports whether the
// registration is new. What callers found in its place they find no longer.
func (r *realm) attach(o *offer) (isNew bool) {
	reg, s := o.registration, o.session
	if s.registrations == nil {
		s.registrations = make(map[wamp.ID]*offer)
	}
	s.registrations[reg.id] = o
	isNew = len(reg.callees()) == 0
	reg.setCallees(append(slices.Clip(reg.callees()), o))
	if isNew {
		r.byID.put(reg)
		r.registrations.Put(reg.match, reg.uri, reg)
	}
	s.authorizes(reg, 1)
	return isNew
}

// exchange puts an offer in the place of one that is equal to callers.
func (r *realm) exchange(old, o *offer) {
	reg := o.registration
	l := slices.Clone(reg.callees())
	l[slices.Index(l, old)] = o
	reg.setCallees(l)
	o.session.registrations[reg.id] = o
}

// removeOffer ends a session's part in a registration, which ends with its last.
func (r *realm) removeOffer(o *offer) {
	if reg := o.registration; r.detach(o) {
		r.registrations.Delete(reg.match, reg.uri)
	}
}

// detach is removeOffer without a change of what callers find; it reports whether
// no callee is left. A caller that found the registration in time does not reach
// the callee any more: some clients end their session at an INVOCATION that comes
// after UNREGISTERED.
func (r *realm) detach(o *offer) (isLast bool) {
	reg, s := o.registration, o.session
	delete(s.registrations, reg.id)
	s.invocations.mu.Lock()
	o.isGone = true
	s.invocations.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(reg.callees()), func(other *offer) bool { return other == o })
	reg.setCallees(left)
	s.authorizes(reg, -1)
	if isLast = len(left) == 0; isLast {
		r.byID.remove(reg)
	}
	r.noteUnregistered(s, reg, isLast)
	return isLast
}

func (r *realm) newSubscription(uri string, m wamp.Match) *subscription {
	sub := &subscription{id: r.node.nextSubscription(), uri: uri, match: m, created: time.Now()}
	sub.list.Store(new([]slot))
	return sub
}

// addSubscription makes a subscription known that has no subscriber yet.
func (r *realm) addSubscription(sub *subscription) {
	if r.subscriptionsByID == nil {
		r.subscriptionsByID = make(map[wamp.ID]*subscription)
	}
	r.subscriptionsByID[sub.id] = sub
	r.unheard.Add(1)
	r.subscriptions.Put(sub.match, sub.uri, sub)
}

// removeSubscription is the reverse of addSubscription.
func (r *realm) removeSubscription(sub *subscription) {
	r.subscriptions.Delete(sub.match, sub.uri)
	r.unheard.Add(-1)
	delete(r.subscriptionsByID, sub.id)
}

// addSubscriber makes s a subscriber of sub, which is known or new.
func (r *realm) addSubscriber(sub *subscription, s *session, isGranted bool) *member {
	if s.subscriptions == nil {
		s.subscriptions = make(map[wamp.ID]*member)
	}
	isFirst := sub.live == 0
	m := sub.add(s, isGranted)
	s.subscriptions[sub.id] = m
	if isFirst {
		if r.subscriptionsByID[sub.id] == nil {
			r.addSubscription(sub)
		}
		r.unheard.Add(-1)
	}
	r.noteSubscribed(s, sub, isFirst)
	return m
}

// removeSubscriber forgets a subscription with its last subscriber, unless it has
// a history.
func (r *realm) removeSubscriber(m *member, s *session) {
	sub := m.subscription
	delete(s.subscriptions, sub.id)
	isLast := !sub.remove(m)
	if isLast {
		r.unheard.Add(1)
		if sub.history.Load() == nil {
			r.removeSubscription(sub)
		}
	}
	r.noteUnsubscribed(s, sub, isLast)
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
	for _, o := range s.registrations {
		if n++; n > removalStep {
			return left, false
		}
		r.removeOffer(o)
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
