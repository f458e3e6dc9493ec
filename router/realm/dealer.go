package realm

import (
	"errors"
	"strings"
	"time"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// registration is one procedure or pattern that a session offers. It is
// immutable but for its end: a change is a new registration in its place.
type registration struct {
	id             wamp.ID
	uri            string
	match          wamp.Match
	created        time.Time
	discloseCaller bool
	callee         *session
	authenticator  auth.Authenticator // of a Local, that the router asks directly
	isGone         bool               // it was taken back; guarded by the lock of the callee's invocations
}

// mayServe reports whether the callee's role may still serve a concrete
// procedure: a pattern is allowed as a whole, and its role's rules may be new.
func (r *registration) mayServe(procedure string) bool {
	return r.callee.rules.Load().decide(procedure).allows(auth.Register)
}

// register answers REGISTER.
func (s *session) register(b *transport.Batch, w *work, m *wamp.Register) {
	r := s.realm
	defer r.flushMeta(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := s.mayRegister(m.Procedure, m.Options); e != nil {
		s.fail(b, w, wamp.TypeRegister, m.Request, e)
		return
	}
	if _, taken := r.registrations.Get(m.Options.Match, m.Procedure); taken {
		s.fail(b, w, wamp.TypeRegister, m.Request, alreadyRegistered(m.Procedure, m.Options.Match))
		return
	}
	if limit := s.node.limits.Registrations; len(s.registrations) >= limit {
		s.fail(b, w, wamp.TypeRegister, m.Request, newError(wamp.ErrUnavailable,
			"session has %d registrations, which is the limit", limit))
		return
	}
	reg := &registration{
		id:             s.node.nextRegistration(),
		uri:            m.Procedure,
		match:          m.Options.Match,
		created:        time.Now(),
		discloseCaller: m.Options.DiscloseCaller.Or(false),
		callee:         s,
	}
	// Who sees REGISTERED may count on it, so that it is sent last; whoever finds
	// the registration before waits for this lock, so that no INVOCATION is ahead.
	s.invocations.mu.Lock()
	defer s.invocations.mu.Unlock()
	r.addRegistration(reg)
	s.send(b, &wamp.Registered{Request: m.Request, Registration: reg.id})
}

func alreadyRegistered(uri string, m wamp.Match) *ErrorReply {
	return newError(wamp.ErrProcedureAlreadyExists, "procedure %q is already registered with match %q", uri, m)
}

// mayRegister says why s may not register a procedure, or nil.
func (s *session) mayRegister(uri string, o wamp.RegisterOptions) *ErrorReply {
	d := s.rules.Load().decidePattern(uri, o.Match)
	isAuthenticator := s.node.snapshot.Load().policy.Authenticators[uri]
	switch {
	case !d.isValid:
		return invalidURI("procedure", uri, o.Match)
	case d.isReserved:
		return reservedURI("register", uri)
	case o.Invoke != "" && o.Invoke != "single":
		return newError(wamp.ErrOptionNotAllowed, `option "invoke" is %.32q, but only "single" is supported`, o.Invoke)
	case !d.allows(auth.Register):
		return s.notAuthorized("register procedure", uri)
	case isAuthenticator && !d.isExact:
		e := s.notAuthorized("register procedure", uri)
		e.Text += ": it is an authenticator's, which takes an exact permission rule"
		return e
	case o.Match == wamp.Wildcard && s.realm.registrations.Shapes(uri) >= s.node.limits.WildcardShapes:
		return s.tooManyShapes(uri)
	}
	return nil
}

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

// unregister answers UNREGISTER.
func (s *session) unregister(b *transport.Batch, w *work, m *wamp.Unregister) {
	r := s.realm
	r.mu.Lock()
	reg, ok := s.registrations[m.Registration]
	if ok {
		r.removeRegistration(reg)
		// A caller that found it in time must not reach the callee any more: some
		// clients end their session at an INVOCATION that comes after UNREGISTERED.
		s.invocations.mu.Lock()
		reg.isGone = true
		s.invocations.mu.Unlock()
	}
	r.mu.Unlock()
	if !ok {
		s.fail(b, w, wamp.TypeUnregister, m.Request,
			newError(wamp.ErrNoSuchRegistration, "session has no registration %d", m.Registration))
		return
	}
	s.send(b, &wamp.Unregistered{Request: m.Request})
	r.flushMeta(b)
}

// call routes a CALL. o says who gets the answer; it is answered exactly once,
// now or later. The invocation's id is 0 where it was answered already.
func (s *session) call(b *transport.Batch, w *work, o pending, m *wamp.Call) (callee *session, id wamp.ID) {
	reg, disclose, e := s.route(m)
	if e != nil {
		o.fail(b, w, e)
		return nil, 0
	}
	if reg == nil {
		s.callMeta(b, w, o, metaProcedureNamed(m.Procedure), m)
		return nil, 0
	}
	w.invocation = wamp.Invocation{Registration: reg.id, Payload: m.Payload}
	if disclose {
		w.invocation.Details = wamp.InvocationDetails{Caller: s.id, CallerAuthid: s.authid, CallerAuthrole: s.authrole}
	}
	if reg.match != wamp.Exact {
		w.invocation.Details.Procedure = m.Procedure
	}
	return reg.callee, reg.invoke(b, w, o)
}

// route finds the registration that s may call; nil: the procedure is one of the
// router's own.
func (s *session) route(m *wamp.Call) (reg *registration, disclose bool, e *ErrorReply) {
	d := s.rules.Load().decide(m.Procedure)
	switch {
	case s.node.stopping.Load():
		return nil, false, newError(wamp.ErrUnavailable, "router is stopping")
	case !d.isValid:
		return nil, false, invalidURI("procedure", m.Procedure, wamp.Exact)
	case !d.allows(auth.Call):
		return nil, false, s.notAuthorized("call procedure", m.Procedure)
	}
	if d.isReserved && metaProcedureNamed(m.Procedure) != nil {
		return nil, false, nil
	}
	reg, _, ok := s.realm.registrations.Best(m.Procedure)
	if d.isAuthenticator || ok && reg.authenticator != nil {
		e := s.notAuthorized("call procedure", m.Procedure)
		e.Text += ": it is an authenticator's, which only the router asks"
		return nil, false, e
	}
	if !ok || d.isReserved || !reg.mayServe(m.Procedure) {
		return nil, false, newError(wamp.ErrNoSuchProcedure, "no callee is registered for procedure %q", m.Procedure)
	}
	return reg, d.discloseCaller || reg.discloseCaller || m.Options.DiscloseMe == wamp.True, nil
}

// invoke hands w.invocation to the callee, or answers o with the reason why it
// cannot; the id is then 0.
func (r *registration) invoke(b *transport.Batch, w *work, o pending) wamp.ID {
	var id wamp.ID
	var err error
	if r.callee.local != nil {
		id, err = r.invokeLocal(w, o)
	} else {
		id, err = r.invokeClient(b, w, o)
	}
	if err == nil {
		return id
	}
	switch {
	case errors.Is(err, errTooManyCalls):
		o.fail(b, w, newError(wamp.ErrUnavailable, "session has %d calls without an answer, which is the limit", r.callee.node.limits.PendingCalls))
	case errors.Is(err, errCalleeBusy), errors.Is(err, transport.ErrQueueFull):
		o.fail(b, w, newError(wamp.ErrUnavailable, "callee of %q has too much to do", r.uri))
	case errors.Is(err, transport.ErrTooLarge):
		o.fail(b, w, newError(wamp.ErrPayloadSizeExceeded, "arguments cannot be passed on to the callee: %s", err))
	case cannotEncode(err):
		o.fail(b, w, newError(wamp.ErrInvalidArgument, "arguments cannot be passed on to the callee: %s", err))
	case errors.Is(err, errUnregistered):
		o.fail(b, w, newError(wamp.ErrNoSuchProcedure, "no callee is registered for procedure %q", r.uri))
	case errors.Is(err, errCallerGone):
		o.fail(b, w, sessionLeft())
	default:
		o.fail(b, w, newError(wamp.ErrCanceled, "callee session left"))
	}
	return 0
}

// invokeClient queues the INVOCATION while the callee's table is locked, so that
// the callee sees its ids in sequence; what may take long is done before.
func (r *registration) invokeClient(b *transport.Batch, w *work, o pending) (id wamp.ID, err error) {
	callee := r.callee
	if w.invocation.Payload, err = w.transcode(callee.conn.Format(), w.invocation.Payload); err != nil {
		return 0, err
	}
	i := &callee.invocations
	i.mu.Lock()
	defer i.mu.Unlock()
	if r.isGone {
		return 0, errUnregistered
	}
	if id, err = i.add(callee, o, &callee.node.limits); err != nil {
		return 0, err
	}
	w.invocation.Request = id
	if err = callee.conn.Send(b, &w.invocation); err != nil {
		i.undo(id)
		return 0, err
	}
	return id, nil
}

func (r *registration) invokeLocal(w *work, o pending) (id wamp.ID, err error) {
	callee := r.callee
	o.local = &LocalInvocation{
		URI:     r.uri,
		Match:   r.match,
		Details: w.invocation.Details,
		Payload: w.invocation.Payload,
		callee:  callee,
		format:  o.format(w.invocation.Payload),
	}
	if o.waiter != nil {
		o.local.Caller = o.waiter.caller
	}
	i := &callee.invocations
	i.mu.Lock()
	id, err = i.add(callee, o, &callee.node.limits)
	o.local.id = id
	i.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if !callee.local.handler.Invoke(o.local) {
		// Where the handler has answered nevertheless, that answer stands.
		if p, ok := i.take(id); ok {
			p.finish()
			return 0, errCalleeBusy
		}
	}
	return id, nil
}

// yield passes a result on. A YIELD whose call has no caller any more, or has an
// answer already, is dropped; one that answers no INVOCATION at all is a
// violation of the protocol, which the returned text says.
func (s *session) yield(b *transport.Batch, w *work, m *wamp.Yield) (violation string) {
	p, ok := s.invocations.take(m.Request)
	if !ok {
		return s.unknownInvocation("YIELD", m.Request)
	}
	p.succeed(b, w, m.Payload)
	return ""
}

// invocationFailed is yield for a callee's ERROR.
func (s *session) invocationFailed(b *transport.Batch, w *work, m *wamp.Error) (violation string) {
	p, ok := s.invocations.take(m.Request)
	if !ok {
		return s.unknownInvocation("ERROR", m.Request)
	}
	if !wamp.ValidURI(m.URI) {
		p.fail(b, w, newError(wamp.ErrInvalidURI, "callee answered with an error whose URI %.100q is not valid", m.URI))
		return ""
	}
	p.fail(b, w, &ErrorReply{URI: m.URI, Payload: m.Payload})
	return ""
}

func (s *session) unknownInvocation(message string, id wamp.ID) string {
	if s.invocations.wasUsed(id) {
		return ""
	}
	return message + " answers an INVOCATION that was never sent"
}

// succeed answers the call with a result.
func (p *pending) succeed(b *transport.Batch, w *work, result wamp.Payload) {
	p.finish()
	if p.waiter != nil {
		p.waiter.replies <- reply{payload: result.Clone()}
		return
	}
	w.result = wamp.Result{Request: p.request, Payload: result}
	switch err := p.caller.conn.Send(b, &w.result); {
	case err == nil:
	case errors.Is(err, transport.ErrQueueFull):
		p.caller.closeSlow(wamp.TypeResult)
	case errors.Is(err, transport.ErrTooLarge):
		p.fail(b, w, newError(wamp.ErrPayloadSizeExceeded, "result cannot be passed on to the caller: %s", err))
	case cannotEncode(err):
		p.fail(b, w, newError(wamp.ErrInvalidArgument, "result cannot be passed on to the caller: %s", err))
	}
}

// fail answers the call with an error.
func (p *pending) fail(b *transport.Batch, w *work, e *ErrorReply) {
	p.finish()
	if p.waiter != nil {
		p.waiter.replies <- reply{uri: e.URI, payload: e.payload().Clone()}
		return
	}
	w.failure = wamp.Error{RequestType: wamp.TypeCall, Request: p.request, URI: e.URI, Payload: e.payload()}
	switch err := p.caller.conn.Send(b, &w.failure); {
	case err == nil:
	case errors.Is(err, transport.ErrQueueFull):
		p.caller.closeSlow(wamp.TypeError)
	case cannotEncode(err):
		// The URI is what callers decide by: it goes through in any case.
		w.failure.Payload = codec.TextPayload("arguments of the error cannot be passed on to the caller: " + err.Error())
		p.caller.send(b, &w.failure)
	}
}

// cannotEncode reports whether a message has no form that its receiver takes,
// unlike one whose receiver is gone.
func cannotEncode(err error) bool {
	var e *codec.Error
	return errors.Is(err, codec.ErrTranscode) || errors.As(err, &e) || errors.Is(err, transport.ErrTooLarge)
}

// format is the format that whoever waits for the answer understands.
func (p *pending) format(asked wamp.Payload) wamp.Format {
	if p.waiter == nil {
		return p.caller.conn.Format()
	}
	if asked.Format != 0 {
		return asked.Format
	}
	return wamp.JSON
}
