package realm

import (
	"fmt"
	"slices"

	"usher/router/transport"
	"usher/router/wamp"
)

// The procedures of the session meta API that end sessions. They end them before
// they answer: their GOODBYE is queued, and nobody finds them any more. Their
// connections close in the time that the transport allows, whether or not the
// client answers. A login that a cookie stands for is forgotten: the client has to
// prove again who it is. The caller itself is never among them, nor is a session inside
// the process: what the router consists of is changed by its configuration.

// maxFarewell bounds the message for those that are killed, in bytes: it is queued
// for each.
const maxFarewell = 4096

// metaKill is wamp.session.kill.
func metaKill(c *metaCall) *ErrorReply {
	id := c.args.id("session")
	f, e := c.farewell()
	if e != nil {
		return e
	}
	s := c.caller.realm.members.get(id)
	switch {
	case s == c.caller:
		return newError(wamp.ErrNoSuchSession, "session %d is the caller itself, which cannot be killed", id)
	case s == nil:
		return noSuchSession(id)
	case s.local != nil:
		return newError(wamp.ErrNotAuthorized, "session %d is a component of the router, which cannot be killed", id)
	case !c.kill(s, f):
		return noSuchSession(id) // it left just now
	}
	return nil
}

// metaKillByAuthid is wamp.session.kill_by_authid.
func metaKillByAuthid(c *metaCall) *ErrorReply {
	authid := c.args.text("authid")
	f, e := c.farewell()
	if e != nil {
		return e
	}
	writeIDs(c.result, c.killEach(f, func(s *session) bool { return s.authid == authid }))
	return nil
}

// metaKillByAuthrole is wamp.session.kill_by_authrole.
func metaKillByAuthrole(c *metaCall) *ErrorReply {
	role := c.args.text("authrole")
	f, e := c.farewell()
	if e != nil {
		return e
	}
	c.result.Uint(uint64(len(c.killEach(f, func(s *session) bool { return s.authrole == role }))))
	return nil
}

// metaKillAll is wamp.session.kill_all. As specified it causes no session meta
// events and testaments for clients: of those only the caller remains. Sessions
// inside the process remain as well, and are told.
func metaKillAll(c *metaCall) *ErrorReply {
	f, e := c.farewell()
	if e != nil {
		return e
	}
	f.isForAll = true
	c.result.Uint(uint64(len(c.killEach(f, func(*session) bool { return true }))))
	return nil
}

// lastWords are what a session that is killed is told.
type lastWords struct {
	reason, message string
	isForAll        bool // everybody is killed
}

// farewell reads the arguments that all have, which are the last.
func (c *metaCall) farewell() (lastWords, *ErrorReply) {
	reason, given := c.args.option("reason")
	message, _ := c.args.option("message")
	if e := c.args.end(); e != nil {
		return lastWords{}, e
	}
	if !given {
		reason = wamp.CloseKilled
	}
	if !wamp.ValidURI(reason) {
		return lastWords{}, newError(wamp.ErrInvalidURI, "reason %.100q is not a valid URI", reason)
	}
	if len(message) > maxFarewell {
		return lastWords{}, newError(wamp.ErrInvalidArgument, "message is longer than %d bytes", maxFarewell)
	}
	return lastWords{reason: reason, message: message}, nil
}

// killEach ends the sessions that are wanted, and returns those that it ended.
func (c *metaCall) killEach(f lastWords, wanted func(*session) bool) []*session {
	sessions := c.caller.realm.members.all(func(s *session) bool {
		return s != c.caller && s.local == nil && wanted(s)
	})
	if f.isForAll {
		// Nor does one hear of the end of another.
		for _, s := range sessions {
			s.endedBy.Store(c.caller)
			s.disarm()
		}
	}
	killed := sessions[:0]
	for _, s := range sessions {
		if c.kill(s, f) {
			killed = append(killed, s)
		}
	}
	return killed
}

// excluding returns the options of a publication that s is not to have.
func excluding(o wamp.PublishOptions, s *session) wamp.PublishOptions {
	var a wamp.Audience
	if o.Audience != nil {
		a = *o.Audience
	}
	a.Exclude = append(slices.Clip(a.Exclude), s.id)
	o.Audience = &a
	return o
}

// kill ends a client's session and reports whether it had not ended before. Its
// reader, which ends with the connection, finds nothing left to do.
func (c *metaCall) kill(s *session, f lastWords) bool {
	if !s.end(c.batch, fmt.Sprintf("killed by session %d with %.100s", c.caller.id, f.reason)) {
		return false
	}
	s.forgetLogin()
	s.send(c.batch, &wamp.Goodbye{Reason: f.reason, Message: f.message})
	s.conn.Close(transport.CloseNormal)
	return true
}
