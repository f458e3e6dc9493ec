package realm

import (
	"usher/router/transport"
	"usher/router/wamp"
)

// registrationByID returns the registration that has an id, or nil.
func (r *realm) registrationByID(id wamp.ID) (found *registration) {
	r.registrations.All(func(_ wamp.Match, _ string, reg *registration) bool {
		if reg.id == id {
			found = reg
		}
		return found == nil
	})
	return found
}

// sessions are the callees.
func (r *registration) sessions() []*session { return []*session{r.callee} }

// revokeCallee takes a session's part in a registration from it, and tells it if
// it can be told (specification: "Registration Revocation").
func (r *realm) revokeCallee(b *transport.Batch, registration, callee wamp.ID, reason string) (hasRegistration, hasCallee bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reg := r.registrationByID(registration)
	if reg == nil || reg.callee.id != callee {
		return reg != nil, false
	}
	s := reg.callee
	r.removeRegistration(reg)
	s.invocations.mu.Lock()
	reg.isGone = true
	s.invocations.mu.Unlock()
	if s.roles.Callee.Has(wamp.FeatureRegistrationRevocation) {
		s.send(b, &wamp.Unregistered{Registration: registration, Reason: reason})
	}
	return true, true
}

// subscriptionByID returns the subscription that has an id, or nil.
func (r *realm) subscriptionByID(id wamp.ID) (found *subscription) {
	r.subscriptions.All(func(_ wamp.Match, _ string, sub *subscription) bool {
		if sub.id == id {
			found = sub
		}
		return found == nil
	})
	return found
}

// sessions are the subscribers.
func (u *subscription) sessions() []*session {
	list := *u.list.Load()
	sessions := make([]*session, 0, len(list))
	for i := range list {
		if s := list[i].session.Load(); s != nil {
			sessions = append(sessions, s)
		}
	}
	return sessions
}
