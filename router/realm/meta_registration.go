package realm

import (
	"slices"

	"usher/router/codec"
	"usher/router/wamp"
)

// The registration meta API (specification: "Registration Meta API"), and
// Crossbar.io's procedure that takes a callee's part from it.

// metaRegistrationList is wamp.registration.list.
func metaRegistrationList(c *metaCall) *ErrorReply {
	if e := c.args.end(); e != nil {
		return e
	}
	var l idLists
	c.caller.realm.registrations.All(func(m wamp.Match, _ string, reg *registration) bool {
		l.add(m, reg.id)
		return true
	})
	l.write(c.result)
	return nil
}

// idLists are ids by matching policy.
type idLists [3][]wamp.ID

func (l *idLists) add(m wamp.Match, id wamp.ID) { l[m] = append(l[m], id) }

// write writes them in the order in which they were given out.
func (l *idLists) write(w *codec.Writer) {
	w.BeginDict()
	for m, ids := range l {
		w.String([]byte(wamp.Match(m).String()))
		slices.Sort(ids)
		w.BeginList()
		for _, id := range ids {
			w.Uint(uint64(id))
		}
		w.End()
	}
	w.End()
}

// metaRegistrationLookup is wamp.registration.lookup.
func metaRegistrationLookup(c *metaCall) *ErrorReply {
	uri, m, e := c.place("procedure")
	if e != nil {
		return e
	}
	reg, ok := c.caller.realm.registrations.Get(m, uri)
	if !ok {
		c.result.Null()
		return nil
	}
	c.result.Uint(uint64(reg.id))
	return nil
}

// place reads the arguments of a look-up: a URI and the options with which it was
// registered or subscribed.
func (c *metaCall) place(name string) (uri string, m wamp.Match, e *ErrorReply) {
	uri = c.args.text(name)
	if c.args.more() {
		m = c.args.match("options")
	}
	return uri, m, c.args.end()
}

// metaRegistrationMatch is wamp.registration.match.
func metaRegistrationMatch(c *metaCall) *ErrorReply {
	uri := c.args.text("procedure")
	if e := c.args.end(); e != nil {
		return e
	}
	reg, _, ok := c.caller.realm.registrations.Best(uri)
	if !ok || wamp.Reserved(uri) {
		c.result.Null() // what only the router offers has no registration
		return nil
	}
	c.result.Uint(uint64(reg.id))
	return nil
}

// metaRegistrationGet is wamp.registration.get.
func metaRegistrationGet(c *metaCall) *ErrorReply {
	reg, e := c.registration()
	if e != nil {
		return e
	}
	reg.writeDetails(c.result)
	return nil
}

// metaRegistrationCallees is wamp.registration.list_callees.
func metaRegistrationCallees(c *metaCall) *ErrorReply {
	reg, e := c.registration()
	if e != nil {
		return e
	}
	writeIDs(c.result, reg.sessions())
	return nil
}

// metaRegistrationCount is wamp.registration.count_callees.
func metaRegistrationCount(c *metaCall) *ErrorReply {
	reg, e := c.registration()
	if e != nil {
		return e
	}
	c.result.Uint(uint64(len(reg.callees())))
	return nil
}

// registration reads the only argument of procedures about a registration.
func (c *metaCall) registration() (*registration, *ErrorReply) {
	id := c.args.id("registration")
	if e := c.args.end(); e != nil {
		return nil, e
	}
	if reg := c.caller.realm.registrationByID(id); reg != nil {
		return reg, nil
	}
	return nil, noSuchRegistration(id)
}

func noSuchRegistration(id wamp.ID) *ErrorReply {
	return newError(wamp.ErrNoSuchRegistration, "no registration %d exists in this realm", id)
}

// metaRemoveCallee is wamp.registration.remove_callee: a registration, a session
// and perhaps the reason. What a session inside the process offers stays.
func metaRemoveCallee(c *metaCall) *ErrorReply {
	id, callee, reason, e := c.part("registration", "callee")
	if e != nil {
		return e
	}
	switch hasRegistration, hasCallee := c.caller.realm.revokeCallee(c.batch, id, callee, reason); {
	case !hasRegistration:
		return noSuchRegistration(id)
	case !hasCallee:
		return newError(wamp.ErrNoSuchRegistration, "session %d is no callee of registration %d", callee, id)
	}
	c.caller.realm.flushMeta(c.batch)
	return nil
}

// part reads the arguments of procedures that take from a client its part in
// something.
func (c *metaCall) part(what, whose string) (id, session wamp.ID, reason string, e *ErrorReply) {
	id, session = c.args.id(what), c.args.id(whose)
	reason, _ = c.args.option("reason")
	if e := c.args.end(); e != nil {
		return 0, 0, "", e
	}
	if len(reason) > maxFarewell {
		return 0, 0, "", newError(wamp.ErrInvalidArgument, "reason is longer than %d bytes", maxFarewell)
	}
	switch s := c.caller.realm.members.get(session); {
	case s == nil:
		return 0, 0, "", noSuchSession(session)
	case s.local != nil:
		return 0, 0, "", newError(wamp.ErrNotAuthorized, "session %d is a component of the router, which keeps its %ss", session, what)
	}
	return id, session, reason, nil
}
