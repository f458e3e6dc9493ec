package realm

import (
	"sync"

	"usher/router/wamp"
)

// registrationsByID are a realm's registrations by id. The zero value is ready.
type registrationsByID struct {
	mu  sync.RWMutex
	all map[wamp.ID]*registration
}

func (i *registrationsByID) put(reg *registration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.all == nil {
		i.all = make(map[wamp.ID]*registration)
	}
	i.all[reg.id] = reg
}

func (i *registrationsByID) remove(reg *registration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if delete(i.all, reg.id); len(i.all) == 0 {
		i.all = nil // and with it the room that many took
	}
}

// registrationByID returns the registration that has an id, or nil.
func (r *realm) registrationByID(id wamp.ID) *registration {
	r.byID.mu.RLock()
	defer r.byID.mu.RUnlock()
	return r.byID.all[id]
}

// sessions are the callees, in the order of registration.
func (reg *registration) sessions() []*session {
	callees := reg.callees()
	sessions := make([]*session, 0, len(callees))
	for _, o := range callees {
		sessions = append(sessions, o.session)
	}
	return sessions
}

// subscriptionByID returns the subscription that has an id, or nil.
func (r *realm) subscriptionByID(id wamp.ID) *subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.subscriptionsByID[id]
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
