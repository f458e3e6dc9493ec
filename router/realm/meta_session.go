package realm

import (
	"usher/router/wamp"
)

// The session meta API (specification: "Session Meta API"): what it tells of.

// metaSessionCount is wamp.session.count.
func metaSessionCount(c *metaCall) *ErrorReply {
	roles, isFiltered := c.roles()
	if e := c.args.end(); e != nil {
		return e
	}
	m := &c.caller.realm.members
	n := 0
	if isFiltered {
		n = m.countOf(roles)
	} else {
		n = m.count()
	}
	c.result.Uint(uint64(n))
	return nil
}

// metaSessionList is wamp.session.list.
func metaSessionList(c *metaCall) *ErrorReply {
	roles, isFiltered := c.roles()
	if e := c.args.end(); e != nil {
		return e
	}
	writeIDs(c.result, c.caller.realm.members.all(func(s *session) bool {
		return !isFiltered || roles[s.authrole]
	}))
	return nil
}

// roles reads the optional argument filter_authroles.
func (c *metaCall) roles() (roles map[string]bool, given bool) {
	if !c.args.more() {
		return nil, false
	}
	list := c.args.texts("filter_authroles")
	roles = make(map[string]bool, len(list))
	for _, role := range list {
		roles[role] = true
	}
	return roles, true
}

// metaSessionGet is wamp.session.get.
func metaSessionGet(c *metaCall) *ErrorReply {
	id := c.args.id("session")
	if e := c.args.end(); e != nil {
		return e
	}
	s := c.caller.realm.members.get(id)
	if s == nil {
		return noSuchSession(id)
	}
	s.writeDetails(c.result)
	return nil
}

func noSuchSession(id wamp.ID) *ErrorReply {
	return newError(wamp.ErrNoSuchSession, "no session %d exists in this realm", id)
}
