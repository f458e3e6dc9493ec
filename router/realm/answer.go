package realm

import (
	"errors"

	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// yield passes a result on. A YIELD whose call has no caller any more, or has an
// answer already, is dropped; one that answers no INVOCATION at all is a
// violation of the protocol, which the returned text says.
func (s *session) yield(b *transport.Batch, w *work, m *wamp.Yield) (violation string) {
	if m.Passthru != nil && !s.roles.Callee.Has(wamp.FeaturePayloadPassthruMode) {
		return "received YIELD with option ppt_scheme, but the callee has not announced payload passthru mode"
	}
	if m.Progress {
		return s.yieldProgress(b, w, m)
	}
	p, ok := s.invocations.take(m.Request)
	if !ok {
		return s.unknownInvocation("YIELD", m.Request)
	}
	p.resolve(b, w, m.Payload, m.Passthru)
	return ""
}

// invocationFailed is yield for a callee's ERROR.
func (s *session) invocationFailed(b *transport.Batch, w *work, m *wamp.Error) (violation string) {
	if m.Passthru != nil && !s.roles.Callee.Has(wamp.FeaturePayloadPassthruMode) {
		return "received ERROR with ppt_scheme, but the callee has not announced payload passthru mode"
	}
	p, ok := s.invocations.take(m.Request)
	if !ok {
		return s.unknownInvocation("ERROR", m.Request)
	}
	if !wamp.ValidURI(m.URI) {
		p.fail(b, w, newError(wamp.ErrInvalidURI, "callee answered with an error whose URI %.100q is not valid", m.URI))
		return ""
	}
	if m.URI == wamp.ErrUnavailable && p.offer.reroutes() && p.goesOn(b, w) {
		return ""
	}
	p.fail(b, w, &ErrorReply{URI: m.URI, Payload: m.Payload, passthru: m.Passthru})
	return ""
}

func (s *session) unknownInvocation(message string, id wamp.ID) string {
	if s.invocations.wasUsed(id) {
		return ""
	}
	return message + " answers an INVOCATION that was never sent"
}

// node is the one in which the call is.
func (p *pending) node() *Node {
	if p.caller != nil {
		return p.caller.node
	}
	if p.offer != nil {
		return p.offer.session.node
	}
	return nil // it never got anywhere, so that it holds nothing
}

// takesPassthru reports whether the caller understands a payload that is passed
// through.
func (p *pending) takesPassthru() bool {
	return p.waiter == nil && p.caller.roles.Caller.Has(wamp.FeaturePayloadPassthruMode)
}

// It is the caller's answer only: an ERROR for a YIELD, which the specification
// would have as well, ends the session of some clients.
const textNoPassthru = "caller does not support payload passthru mode, in which the callee has answered"

// succeed answers the call with a result.
func (p *pending) succeed(b *transport.Batch, w *work, result wamp.Payload) {
	p.resolve(b, w, result, nil)
}

// resolve is succeed for a result that may be passed through.
func (p *pending) resolve(b *transport.Batch, w *work, result wamp.Payload, passthru *wamp.Passthru) {
	p.finish(p.node())
	if passthru != nil && !p.takesPassthru() {
		p.fail(b, w, newError(wamp.ErrFeatureNotSupported, textNoPassthru))
		return
	}
	if p.waiter != nil {
		p.waiter.replies <- reply{payload: result.Clone()}
		return
	}
	w.result = wamp.Result{Request: p.request, Payload: result, Passthru: passthru}
	switch err := p.caller.conn.Send(b, &w.result); {
	case err == nil:
	case errors.Is(err, transport.ErrQueueFull):
		p.caller.closeSlow(wamp.TypeResult)
	case cannotEncode(err):
		p.fail(b, w, notPassedOn(textResultNotPassed, err))
	}
}

const textResultNotPassed = "result cannot be passed on to the caller"

// fail answers the call with an error.
func (p *pending) fail(b *transport.Batch, w *work, e *ErrorReply) {
	p.finish(p.node())
	w.failure = wamp.Error{RequestType: wamp.TypeCall, Request: p.request, URI: e.URI, Passthru: e.passthru, Payload: e.payload()}
	if e.passthru != nil && !p.takesPassthru() {
		w.failure.Passthru, w.failure.Payload = nil, codec.TextPayload(textNoPassthru)
	}
	if p.waiter != nil {
		p.waiter.replies <- reply{uri: e.URI, payload: w.failure.Payload.Clone()}
		return
	}
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
