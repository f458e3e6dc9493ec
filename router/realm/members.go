package realm

import (
	"sync"

	"usher/router/wamp"
)

// members are the sessions of one realm, so that who asks about them does not go
// through all of the node. Its lock may be taken while the node's is held.
type members struct {
	mu     sync.RWMutex
	byID   map[wamp.ID]*session
	byRole map[string]int // how many there are of each authrole
}

func (m *members) add(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID == nil {
		m.byID, m.byRole = make(map[wamp.ID]*session), make(map[string]int)
	}
	m.byID[s.id] = s
	m.byRole[s.authrole]++
}

func (m *members) remove(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if delete(m.byID, s.id); len(m.byID) == 0 {
		m.byID, m.byRole = nil, nil // and with them the room that many took
		return
	}
	if m.byRole[s.authrole]--; m.byRole[s.authrole] == 0 {
		delete(m.byRole, s.authrole)
	}
}

// get returns the session that has the id, or nil.
func (m *members) get(id wamp.ID) *session {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.byID[id]
}

func (m *members) count() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.byID)
}

// countOf counts the sessions of several roles, each named once.
func (m *members) countOf(roles map[string]bool) int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := 0
	for role := range roles {
		n += m.byRole[role]
	}
	return n
}

// all returns those that are wanted.
func (m *members) all(wanted func(*session) bool) []*session {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []*session
	for _, s := range m.byID {
		if wanted(s) {
			found = append(found, s)
		}
	}
	return found
}
