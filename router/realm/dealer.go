package realm

import (
	"context"
	"errors"
	"slices"
	"strings"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

func invalidURI(what, uri string, m wamp.Match) *ErrorReply {
	if len(uri) > wamp.MaxURILength {
		return newError(wamp.ErrInvalidURI, "%s is longer than %d bytes", what, wamp.MaxURILength)
	}
	if m == wamp.Wildcard && strings.Count(uri, ".") >= wamp.MaxWildcardComponents {
		return newError(wamp.ErrInvalidURI, "%s has more than the %d components that a wildcard pattern may have", what, wamp.MaxWildcardComponents)
	}
	if m != wamp.Exact {
		return newError(wamp.ErrInvalidURI, "%s %q is not a valid URI pattern for match %q", what, uri, m)
	}
	return newError(wamp.ErrInvalidURI, "%s %q is not a valid URI", what, uri)
}

// tooManyShapes is the answer to a wildcard pattern that would make each look-up
// of URIs of its length dearer than all may bear.
func (s *session) tooManyShapes(uri string) *ErrorReply {
	return newError(wamp.ErrUnavailable, "wildcards stand in %d different ways in patterns of %d components, which is the limit",
		s.node.limits.WildcardShapes, strings.Count(uri, ".")+1)
}

func reservedURI(verb, uri string) *ErrorReply {
	return newError(wamp.ErrInvalidURI, "cannot %s %q: URIs that begin with \"wamp.\" are the router's", verb, uri)
}

func noSuchProcedure(uri string) *ErrorReply {
	return newError(wamp.ErrNoSuchProcedure, "no callee is registered for procedure %q", uri)
}

// takeCall handles a client's CALL: a new one, or more of one that it sent before.
func (s *session) takeCall(b *transport.Batch, w *work, m *wamp.Call) *farewell {
	caller := &s.roles.Caller
	if m.Request <= s.lastRequest && caller.Has(wamp.FeatureProgressiveCallInvocations) {
		return s.continueCall(b, w, m)
	}
	if bye := s.checkNext(m.Request, m); bye != nil {
		return bye
	}
	switch {
	case m.Options.Progress && !caller.Has(wamp.FeatureProgressiveCallInvocations):
		return violation("received CALL with option progress, but the caller has not announced progressive call invocations")
	case m.Options.Passthru != nil && !caller.Has(wamp.FeaturePayloadPassthruMode):
		return violation("received CALL with option ppt_scheme, but the caller has not announced payload passthru mode")
	}
	s.call(b, w, pending{caller: s, request: m.Request}, m)
	return nil
}

// call routes a CALL. p says who gets the answer; it is answered exactly once,
// now or later.
func (s *session) call(b *transport.Batch, w *work, p pending, m *wamp.Call) {
	q := ask{procedure: m.Procedure, options: m.Options, payload: m.Payload}
	ctx := context.Background()
	if p.waiter != nil && p.waiter.caller != nil {
		ctx = p.waiter.caller
	}
	if e := s.route(ctx, b, &q, m); e != nil {
		p.fail(b, w, e)
		return
	}
	if q.registration == nil {
		s.callMeta(b, w, p, metaProcedureNamed(m.Procedure), m)
		return
	}
	err := q.invoke(b, w, p)
	if err == nil {
		return
	}
	if errors.Is(err, errUnregistered) || errors.Is(err, errMayNotServe) {
		err = s.invokeAnother(b, w, p, &q, err)
	}
	if err != nil {
		p.fail(b, w, q.refusal(err, s.node))
	}
}

// route says whether s may call, and finds what the call goes to: q.registration,
// or, where that is nil, a procedure of the router's own.
func (s *session) route(ctx context.Context, b *transport.Batch, q *ask, m *wamp.Call) *ErrorReply {
	rules := s.rules.Load()
	d, e := s.consult(ctx, b, auth.Call, m.Procedure, wamp.Exact, auth.QuestionOptions{
		DiscloseMe: m.Options.DiscloseMe == wamp.True, ReceiveProgress: m.Options.ReceiveProgress, Timeout: m.Options.Timeout,
	})
	switch {
	case e != nil:
		return e
	case s.node.stopping.Load():
		return newError(wamp.ErrUnavailable, "router is stopping")
	case !d.isValid:
		return invalidURI("procedure", m.Procedure, wamp.Exact)
	case !d.allows(auth.Call):
		return s.notAuthorized("call procedure", m.Procedure)
	case m.Options.DiscloseMe == wamp.True && rules.role.DenyDiscloseMe:
		return newError(wamp.ErrOptionDisallowedDisclose, "authrole %q may not disclose itself", s.authrole)
	}
	if d.isReserved && metaProcedureNamed(m.Procedure) != nil {
		if m.Options.Progress || m.Options.Passthru != nil {
			return newError(wamp.ErrFeatureNotSupported, "procedure %q takes plain calls only", m.Procedure)
		}
		return nil
	}
	reg, _, ok := s.realm.registrations.Best(m.Procedure)
	if d.isAuthenticator || ok && reg.isAuthenticator {
		e := s.notAuthorized("call procedure", m.Procedure)
		e.Text += ": it is an authenticator's, which only the router asks"
		return e
	}
	if !ok || d.isReserved {
		return noSuchProcedure(m.Procedure)
	}
	q.registration = reg
	q.discloses = d.discloseCaller || m.Options.DiscloseMe == wamp.True
	q.trustlevel = rules.role.Trustlevel
	q.timeout = rules.settings.timeout(m.Options.Timeout)
	return nil
}

// invokeAnother looks once more for a registration to which q can go: the best one
// changed in this moment, or its callees may not serve the procedure, which is
// then the next best one's. why is what the first attempt failed with.
func (s *session) invokeAnother(b *transport.Batch, w *work, p pending, q *ask, why error) error {
	for range maxLooks {
		for _, reg := range s.realm.matching(q.procedure) {
			if reg.isAuthenticator {
				return errMayNotServe
			}
			q.registration = reg
			err := q.invoke(b, w, p)
			if !errors.Is(err, errUnregistered) && !errors.Is(err, errMayNotServe) {
				return err
			}
			why = err
		}
		if !errors.Is(why, errUnregistered) {
			break
		}
	}
	return why
}

// maxLooks is how often a call looks for a registration that sessions take over
// from each other all the time.
const maxLooks = 4

// matching returns the registrations that match a procedure, the best one first.
func (r *realm) matching(procedure string) []*registration {
	var all []*registration
	first, prefixes := 0, 0
	r.registrations.Each(procedure, func(reg *registration) bool {
		switch reg.match {
		case wamp.Exact:
			first++
		case wamp.Prefix:
			prefixes++
		}
		all = append(all, reg)
		return true
	})
	slices.Reverse(all[first : first+prefixes]) // the longest first
	return all
}

// refusal is what the caller is told that q could not be handed to anybody.
func (q *ask) refusal(err error, n *Node) *ErrorReply {
	switch {
	case errors.Is(err, errTooManyCalls):
		return newError(wamp.ErrUnavailable, "session has %d calls without an answer, which is the limit", n.limits.PendingCalls)
	case errors.Is(err, errTooMuchKept):
		return newError(wamp.ErrUnavailable, "options of the session's calls take more than %d bytes, which is the limit", n.limits.KeptPayload)
	case errors.Is(err, errCallerGone):
		return sessionLeft()
	case errors.Is(err, errCallCanceled):
		return newError(wamp.ErrCanceled, "")
	case cannotEncode(err):
		return notPassedOn("arguments cannot be passed on to the callee", err)
	case len(q.tried) > 0:
		return noAvailableCallee(q.registration)
	case isBusy(err):
		return newError(wamp.ErrUnavailable, "callee of %q has too much to do", q.registration.uri)
	case errors.Is(err, errNoProgress):
		return newError(wamp.ErrFeatureNotSupported, "callee of %q does not support progressive call invocations with call canceling", q.registration.uri)
	case errors.Is(err, errNoPassthru):
		return newError(wamp.ErrFeatureNotSupported, "callee of %q does not support payload passthru mode", q.registration.uri)
	case errors.Is(err, errUnregistered), errors.Is(err, errMayNotServe):
		return noSuchProcedure(q.procedure)
	}
	return newError(wamp.ErrCanceled, "callee session left")
}

// isBusy reports whether a callee cannot take a call now, but might at another time.
func isBusy(err error) bool {
	return errors.Is(err, errCalleeBusy) || errors.Is(err, transport.ErrQueueFull)
}

// cannotEncode reports whether a message has no form that its receiver takes,
// unlike one whose receiver is gone.
func cannotEncode(err error) bool {
	var e *codec.Error
	return errors.Is(err, codec.ErrTranscode) || errors.As(err, &e) || errors.Is(err, transport.ErrTooLarge)
}

// notPassedOn is the answer where a message has no form that its receiver takes.
func notPassedOn(what string, err error) *ErrorReply {
	if errors.Is(err, transport.ErrTooLarge) {
		return newError(wamp.ErrPayloadSizeExceeded, "%s: %s", what, err)
	}
	return newError(wamp.ErrInvalidArgument, "%s: %s", what, err)
}
