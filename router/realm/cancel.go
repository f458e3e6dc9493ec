package realm

import (
	"cmp"

	"usher/router/transport"
	"usher/router/wamp"
)

// cancel handles CANCEL. One for a call that has an answer already, or that never
// was, has no effect. Without a mode it is killnowait.
func (s *session) cancel(b *transport.Batch, w *work, m *wamp.Cancel) {
	at, ok := s.calls.cancel(m.Request)
	if !ok {
		return
	}
	e := &ErrorReply{URI: wamp.ErrCanceled}
	mode := cmp.Or(m.Mode, wamp.CancelKillNoWait)
	switch mode {
	case wamp.CancelSkip, wamp.CancelKill, wamp.CancelKillNoWait:
	default:
		// It is to end, that much is clear. An ERROR for a CANCEL is nothing that
		// clients know.
		mode = wamp.CancelKillNoWait
		e = newError(wamp.ErrInvalidArgument, `call is canceled, but mode %.32q is none of "skip", "kill" and "killnowait"`, m.Mode)
	}
	at.callee.cancelInvocation(b, w, at.invocation, s, m.Request, mode, e)
}

// cancelInvocation ends a call in one of the modes of CANCEL, which is skip for a
// callee that did not announce call canceling. e is the caller's answer where the
// callee's is not waited for. Where the id is not this call's (any more) there is
// nothing to do: it is on its way to another callee, and will not be handed over.
func (s *session) cancelInvocation(b *transport.Batch, w *work, id wamp.ID, caller *session, request wamp.ID, mode string, e *ErrorReply) {
	i := &s.invocations
	i.mu.Lock()
	p, ok := i.pending[id]
	if !ok || p.caller != caller || p.request != request {
		i.mu.Unlock()
		return
	}
	if mode == wamp.CancelKill && s.roles.Callee.Has(wamp.FeatureCallCanceling) {
		wasKilled := p.isKilled
		p.isKilled = true
		i.pending[id] = p
		i.mu.Unlock()
		if !wasKilled {
			s.interrupt(b, w, id, &p, mode)
		}
		return
	}
	i.remove(id)
	i.mu.Unlock()
	p.fail(b, w, e)
	if mode != wamp.CancelSkip && !p.isKilled {
		s.sendInterrupt(b, w, id, mode, "")
	}
}

// interrupt tells a callee to end an invocation and to answer it.
func (s *session) interrupt(b *transport.Batch, w *work, id wamp.ID, p *pending, mode string) {
	if p.local != nil {
		p.local.finish()
		return
	}
	s.sendInterrupt(b, w, id, mode, "")
}

// sendInterrupt tells a client to end an invocation, if it announced that it can.
// A callee inside the process has learned it from its context.
func (s *session) sendInterrupt(b *transport.Batch, w *work, id wamp.ID, mode, reason string) {
	if s.conn == nil || !s.roles.Callee.Has(wamp.FeatureCallCanceling) {
		return
	}
	w.interrupt = wamp.Interrupt{Request: id, Mode: mode, Reason: reason}
	s.send(b, &w.interrupt)
}

// breakCall ends a call that cannot go on, though neither end is to blame for
// having left: its caller gets e, its callee an INTERRUPT.
func (s *session) breakCall(b *transport.Batch, w *work, id wamp.ID, p *pending, e *ErrorReply) {
	s.cancelInvocation(b, w, id, p.caller, p.request, wamp.CancelKillNoWait, e)
}
