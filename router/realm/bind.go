package realm

import (
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

// Bindings are what a Local offers and listens to.
type Bindings struct {
	Registrations []Binding
	Subscriptions []SubscriptionBinding
}

// Binding is one registration. Authenticator is set for router.authenticator:
// the router then asks it directly, and calls by sessions are refused.
type Binding struct {
	URI           string
	Options       wamp.RegisterOptions
	Authenticator auth.Authenticator
}

// SubscriptionBinding is one subscription.
type SubscriptionBinding struct {
	URI     string
	Options wamp.SubscribeOptions
}

// Bind makes b all that the Local offers, in one transaction: what is equal to
// before (URI and options) keeps its id and is never missing, the rest is added
// and removed. commit, which may be nil, is called while the change takes
// effect, before any new registration is reachable; it must be quick and must
// not use the Local. On an error (an *ErrorReply: not authorized, taken by another
// session, …) nothing has changed and commit was not called.
func (l *Local) Bind(b Bindings, commit func()) error {
	s := l.session
	r := s.realm
	defer r.flushMeta(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := s.mayBind(b); e != nil {
		return e
	}
	// Those that stay are left where they are; those that go, go first: nothing
	// must reach the new generation that only the old one knew.
	keep := s.dropRegistrations(b.Registrations)
	keepSubscriptions := s.dropSubscriptions(b.Subscriptions)
	if commit != nil {
		commit()
	}
	for _, binding := range b.Registrations {
		if reg, isKept := s.newRegistrationOf(binding, keep); isKept {
			r.putRegistration(reg)
		} else {
			r.addRegistration(reg)
		}
	}
	for _, binding := range b.Subscriptions {
		if keepSubscriptions[binding] {
			continue
		}
		sub, exists := r.subscriptions.Get(binding.Options.Match, binding.URI)
		if !exists {
			sub = s.newSubscription(binding.URI, binding.Options)
		}
		r.addSubscriber(sub, s)
		keepSubscriptions[binding] = true // the same one again adds nothing
	}
	return nil
}

// Check says whether Bind would be accepted, without changing anything.
func (l *Local) Check(b Bindings) error {
	r := l.session.realm
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := l.session.mayBind(b); e != nil {
		return e
	}
	return nil
}

// place is what no two registrations of a realm may share.
type place struct {
	uri   string
	match wamp.Match
}

// mayBind says why b cannot be bound, or nil. The realm is locked.
func (s *session) mayBind(b Bindings) *ErrorReply {
	if !s.node.isMember(s) {
		return sessionLeft()
	}
	if limit := s.node.limits.Registrations; len(b.Registrations) > limit {
		return newError(wamp.ErrUnavailable, "%d registrations are more than the limit of %d", len(b.Registrations), limit)
	}
	if limit := s.node.limits.Subscriptions; len(b.Subscriptions) > limit {
		return newError(wamp.ErrUnavailable, "%d subscriptions are more than the limit of %d", len(b.Subscriptions), limit)
	}
	seen := make(map[place]bool, len(b.Registrations))
	for _, binding := range b.Registrations {
		if e := s.mayRegister(binding.URI, binding.Options); e != nil {
			return e
		}
		at := place{binding.URI, binding.Options.Match}
		holder, taken := s.realm.registrations.Get(at.match, at.uri)
		if seen[at] || taken && holder.callee != s {
			e := alreadyRegistered(at.uri, at.match)
			if taken && holder.callee != s {
				e.Text += " by authid \"" + holder.callee.authid + "\""
			}
			return e
		}
		seen[at] = true
	}
	for _, binding := range b.Subscriptions {
		if e := s.maySubscribe(binding.URI, binding.Options.Match); e != nil {
			return e
		}
	}
	return nil
}

// newRegistrationOf makes the registration of a binding, under the id that an
// equal one had.
func (s *session) newRegistrationOf(b Binding, keep map[place]*registration) (reg *registration, isKept bool) {
	reg = &registration{
		uri:            b.URI,
		match:          b.Options.Match,
		discloseCaller: b.Options.DiscloseCaller.Or(false),
		callee:         s,
		authenticator:  b.Authenticator,
	}
	if old := keep[place{b.URI, b.Options.Match}]; old != nil {
		reg.id, reg.created = old.id, old.created
		return reg, true
	}
	reg.id, reg.created = s.node.nextRegistration(), time.Now()
	return reg, false
}

// dropRegistrations removes the registrations that have no equal in bindings, and
// returns the others.
func (s *session) dropRegistrations(bindings []Binding) map[place]*registration {
	disclose := make(map[place]bool, len(bindings))
	for _, b := range bindings {
		disclose[place{b.URI, b.Options.Match}] = b.Options.DiscloseCaller.Or(false)
	}
	keep := make(map[place]*registration)
	for _, reg := range s.registrations {
		at := place{reg.uri, reg.match}
		switch d, wanted := disclose[at]; {
		case !wanted:
			s.realm.removeRegistration(reg)
		case d == reg.discloseCaller:
			keep[at] = reg
		default:
			delete(s.registrations, reg.id) // its successor takes its place in the index
			s.realm.noteUnregistered(s, reg, true)
		}
	}
	return keep
}

// dropSubscriptions is dropRegistrations for subscriptions.
func (s *session) dropSubscriptions(bindings []SubscriptionBinding) map[SubscriptionBinding]bool {
	wanted := make(map[SubscriptionBinding]bool, len(bindings))
	for _, b := range bindings {
		wanted[b] = true
	}
	keep := make(map[SubscriptionBinding]bool)
	for _, m := range s.subscriptions {
		sub := m.subscription
		b := SubscriptionBinding{URI: sub.uri, Options: wamp.SubscribeOptions{Match: sub.match}}
		if wanted[b] {
			keep[b] = true
		} else {
			s.realm.removeSubscriber(m, s)
		}
	}
	return keep
}

// isMember reports whether s has joined and not left.
func (n *Node) isMember(s *session) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sessions[s.id] == s
}
