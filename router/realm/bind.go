package realm

import (
	"slices"

	"usher/router/auth"
	"usher/router/wamp"
)

// Bindings are what a Local offers and listens to.
type Bindings struct {
	Registrations []Binding
	Subscriptions []SubscriptionBinding
}

// Binding is one registration. Authenticator is set for router.authenticator, and
// Authorizer for router.authorizer: the router then asks it directly, and calls by
// sessions are refused.
type Binding struct {
	URI           string
	Options       wamp.RegisterOptions
	Authenticator auth.Authenticator
	Authorizer    auth.Authorizer
}

// isAsked reports whether the router asks it directly.
func (b *Binding) isAsked() bool { return b.Authenticator != nil || b.Authorizer != nil }

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
		s.bindRegistration(binding, keep[place{binding.URI, binding.Options.Match}])
	}
	for _, binding := range b.Subscriptions {
		at := place{binding.URI, binding.Options.Match}
		if keepSubscriptions[at] {
			continue
		}
		sub, exists := r.subscriptions.Get(binding.Options.Match, binding.URI)
		if !exists {
			sub = r.newSubscription(binding.URI, binding.Options.Match)
		}
		s.gate.shut()
		if m := s.listen(sub, false); binding.Options.GetRetained {
			s.sendRetained(nil, sub, m, false)
		}
		s.gate.open()
		keepSubscriptions[at] = true // the same one again adds nothing
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
	if s.hasLeft() {
		return sessionLeft()
	}
	if limit := s.node.limits.Registrations; len(b.Registrations) > limit {
		return newError(wamp.ErrUnavailable, "%d registrations are more than the limit of %d", len(b.Registrations), limit)
	}
	if limit := s.node.limits.Subscriptions; len(b.Subscriptions) > limit {
		return newError(wamp.ErrUnavailable, "%d subscriptions are more than the limit of %d", len(b.Subscriptions), limit)
	}
	rules := s.rules.Load()
	seen := make(map[place]bool, len(b.Registrations))
	for _, binding := range b.Registrations {
		// What a component offers and listens to is judged by its role's rules alone.
		if e := s.mayRegister(rules.decidePattern(binding.URI, binding.Options.Match), binding.URI, binding.Options); e != nil {
			return e
		}
		at := place{binding.URI, binding.Options.Match}
		if seen[at] {
			return alreadyRegistered(at.uri, at.match)
		}
		if e := s.bindConflict(binding); e != nil {
			return e
		}
		seen[at] = true
	}
	for _, binding := range b.Subscriptions {
		if e := s.maySubscribe(rules.decidePattern(binding.URI, binding.Options.Match), binding.URI, binding.Options.Match); e != nil {
			return e
		}
	}
	return nil
}

// bindConflict says why a binding cannot stand beside what others have registered,
// or nil.
func (s *session) bindConflict(binding Binding) *ErrorReply {
	reg, taken := s.realm.registrations.Get(binding.Options.Match, binding.URI)
	if !taken {
		return nil
	}
	i := slices.IndexFunc(reg.callees(), func(o *offer) bool { return o.session != s })
	if i < 0 {
		return nil // its own, which it may change as it likes
	}
	e := reg.conflict(binding.Options, binding.isAsked())
	if e != nil {
		e.Text += " by authid \"" + reg.callees()[i].session.authid + "\""
	}
	return e
}

// bindRegistration puts a binding in force. old is what the session has in its
// place already, if anything: with the same options it stays what it is, and
// otherwise callers find it until they find the new one.
func (s *session) bindRegistration(binding Binding, old *offer) {
	r := s.realm
	o := &offer{session: s, options: normalized(binding.Options), authenticator: binding.Authenticator, authorizer: binding.Authorizer}
	isAuthenticator := binding.isAsked()
	if o.authorizer != nil || old != nil && old.authorizer != nil {
		defer s.node.authorizations.Add(1) // what another generation said does not count any more
	}
	switch {
	case old == nil:
		reg, exists := r.registrations.Get(o.options.Match, binding.URI)
		if !exists {
			reg = s.node.newRegistration(binding.URI, o.options, isAuthenticator)
		}
		o.registration = reg
		r.addOffer(o)
	case old.options == o.options && !isAuthenticator && !old.isAsked():
	case old.options == o.options && isAuthenticator && old.isAsked():
		o.registration = old.registration
		r.exchange(old, o)
	default:
		o.registration = old.registration
		if len(old.registration.callees()) > 1 {
			r.detach(old)
			r.addOffer(o)
			return
		}
		o.registration = s.node.newRegistration(binding.URI, o.options, isAuthenticator)
		isNew := r.attach(o)
		r.detach(old)
		r.noteRegistered(s, o.registration, isNew)
	}
}

// normalized is what makes options equal that mean the same. A component takes
// nothing away from others.
func normalized(o wamp.RegisterOptions) wamp.RegisterOptions {
	invoke, _ := parseInvoke(o.Invoke)
	o.Invoke = invoke.String()
	o.ForceReregister = false
	return o
}

// dropRegistrations removes the registrations that have no place in bindings, and
// returns the others.
func (s *session) dropRegistrations(bindings []Binding) map[place]*offer {
	wanted := make(map[place]bool, len(bindings))
	for _, b := range bindings {
		wanted[place{b.URI, b.Options.Match}] = true
	}
	keep := make(map[place]*offer)
	for _, o := range s.registrations {
		at := place{o.registration.uri, o.registration.match}
		if wanted[at] {
			keep[at] = o
		} else {
			s.realm.removeOffer(o)
		}
	}
	return keep
}

// dropSubscriptions is dropRegistrations for subscriptions.
func (s *session) dropSubscriptions(bindings []SubscriptionBinding) (keep map[place]bool) {
	wanted := make(map[place]bool, len(bindings))
	for _, b := range bindings {
		wanted[place{b.URI, b.Options.Match}] = true
	}
	keep = make(map[place]bool)
	for _, m := range s.subscriptions {
		if at := (place{m.subscription.uri, m.subscription.match}); wanted[at] {
			keep[at] = true
		} else {
			s.realm.removeSubscriber(m, s)
		}
	}
	return keep
}
