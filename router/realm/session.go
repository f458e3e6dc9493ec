package realm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// session is a member of a realm: a client, or a Local.
type session struct {
	id       wamp.ID
	node     *Node
	realm    *realm
	authid   string
	authrole string
	conn     transport.Conn // nil: a Local
	local    *Local         // nil: a client

	authmethod, authprovider string
	peer, protocol           string           // of the connection, as authenticators see it
	roles                    wamp.Roles       // that the client announced; a Local has all features
	cookies                  auth.CookieStore // of its connection; nil: it has no cookie
	cbtid                    string           // the cookie's value

	rules  atomic.Pointer[rules] // of its role; Apply replaces them
	isSlow atomic.Bool           // it was closed for not reading, and that was logged

	expiry  *time.Timer             // ends the session when its authentication expires; nil: never; set before anybody can find it
	endedBy atomic.Pointer[session] // who ended all sessions of the realm, and this one
	extra   extraDetails

	grants      grants
	invocations invocations
	calls       calls
	gate        gate

	publications inFlight // its own, for Shutdown to wait for

	lastRules  atomic.Pointer[rules] // those it had before its rights were taken; see disarm
	testaments testaments

	// The realm's mutex guards what the session has there.
	registrations map[wamp.ID]*offer
	subscriptions map[wamp.ID]*member

	// The reader's own.
	batch       transport.Batch
	lastRequest wamp.ID
}

// send queues m for a client. Where it cannot be queued the connection ends: an
// answer is never left out silently.
func (s *session) send(b *transport.Batch, m wamp.Message) {
	switch err := s.conn.Send(b, m); {
	case errors.Is(err, transport.ErrQueueFull):
		s.closeSlow(m.Type())
	case errors.Is(err, transport.ErrTooLarge):
		s.conn.Close(transport.CloseTooLarge)
		s.node.log.Warn("client does not take a message of the size of its answer, closing its connection",
			s.logFields(slog.String("message", m.Type().String()), slog.Any("error", err))...)
	}
}

// closeSlow ends the connection of a client that does not read what it is sent.
func (s *session) closeSlow(m wamp.MessageType) {
	s.conn.Close(transport.CloseSlow)
	if s.isSlow.CompareAndSwap(false, true) {
		s.node.slow.Add(1)
		s.node.log.Warn("client is too slow, closing its connection",
			s.logFields(slog.String("message", m.String()))...)
	}
}

// fail answers a request with an error.
func (s *session) fail(b *transport.Batch, w *work, t wamp.MessageType, request wamp.ID, e *ErrorReply) {
	w.failure = wamp.Error{RequestType: t, Request: request, URI: e.URI, Payload: e.payload()}
	s.send(b, &w.failure)
}

// informs reports whether what happens to sessions is logged: where it is not, a
// fleet that joins need not build lines that nobody reads.
func (n *Node) informs() bool { return n.log.Enabled(context.Background(), slog.LevelInfo) }

// logFields says who s is.
func (s *session) logFields(more ...any) []any {
	return append([]any{
		slog.String("realm", s.realm.name),
		slog.Uint64("session", uint64(s.id)),
		slog.String("authid", s.authid),
		slog.String("authrole", s.authrole),
	}, more...)
}

// notAuthorized is the answer to a session that may not do something. what says
// it: "call procedure", "publish to topic" and so on.
func (s *session) notAuthorized(what, uri string) *ErrorReply {
	return newError(wamp.ErrNotAuthorized,
		"session (session_id=%d, authid=%q, authrole=%q) is not authorized to %s %q on realm %q",
		s.id, s.authid, s.authrole, what, uri, s.realm.name)
}

// end removes the session and all that it has, and answers or abandons its
// calls. Its id is free afterwards. Only the first of several calls has an effect.
func (s *session) end(b *transport.Batch, why string) bool {
	if !s.node.forget(s) {
		return false
	}
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.disarm()
	s.removeAll(b)
	s.realm.reflection.forget(s)
	s.testify(b)
	s.noteLeft()
	s.realm.flushMeta(b)
	w := s.node.works.get()
	defer s.node.works.put(w)
	for _, p := range s.invocations.close() {
		p.fail(b, w, newError(wamp.ErrCanceled, "callee session left"))
	}
	s.closeCalls(b, w)
	if s.node.informs() {
		s.node.log.Info("session left", s.logFields(slog.String("reason", why))...)
	}
	return true
}

// disarm takes all rights from a session that has to leave. Its testaments are
// judged by those that it had.
func (s *session) disarm() {
	if r := s.rules.Swap(s.node.noRules); r != s.node.noRules {
		s.lastRules.Store(r)
	}
}

// removeAll takes what the session has in its realm, which its rules let nobody
// reach any more, a part at a time. What is told of it is written in between, so
// that it does not pile up.
func (s *session) removeAll(b *transport.Batch) {
	var left []*subscription
	for isAll := false; !isAll; {
		left, isAll = s.realm.removeSome(s, left[:0])
		s.realm.flushMeta(b)
		if s.conn != nil {
			for _, sub := range left {
				sub.inFlight.wait() // no EVENT is behind a GOODBYE
			}
		}
		if !isAll {
			if b != nil {
				b.Flush()
			}
			runtime.Gosched() // or this goroutine had the lock again before those who wait wake up
		}
	}
}

// hasLeft reports whether the session has ended, or is about to.
func (s *session) hasLeft() bool { return s.rules.Load() == s.node.noRules }

func sessionLeft() *ErrorReply { return newError(wamp.ErrCanceled, "session has left") }

// newError makes an answer whose only argument is a text.
func newError(uri, format string, args ...any) *ErrorReply {
	return &ErrorReply{URI: uri, Text: fmt.Sprintf(format, args...)}
}
