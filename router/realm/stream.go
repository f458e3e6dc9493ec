package realm

import (
	"errors"

	"usher/router/transport"
	"usher/router/wamp"
)

// continueCall handles a CALL whose id was used before (specification:
// "Progressive Call Invocations", "Verification of CALL Request IDs"). More of a
// call that has its answer is dropped: the caller could not know of it.
func (s *session) continueCall(b *transport.Batch, w *work, m *wamp.Call) *farewell {
	at, ok := s.calls.find(m.Request)
	switch {
	case !ok:
		return nil
	case !at.isStream:
		return violation("CALL %d is there already, and it was not announced that more of it follows", m.Request)
	}
	callee, id := at.callee, at.invocation
	p, ok := callee.invocations.get(id)
	if !ok {
		return nil
	}
	if p.kept.ask.procedure != m.Procedure {
		return violation("CALL %d continues a call of procedure %.100q with procedure %.100q", m.Request, p.kept.ask.procedure, m.Procedure)
	}
	switch err := callee.invokeMore(b, w, id, &p, m); {
	case errors.Is(err, errEnded):
		return violation("CALL %d goes on behind its last part", m.Request)
	case err == nil:
	case cannotEncode(err):
		callee.breakCall(b, w, id, &p, notPassedOn("arguments cannot be passed on to the callee", err))
	case isBusy(err):
		callee.breakCall(b, w, id, &p, newError(wamp.ErrUnavailable, "callee of %q has too much to do", p.offer.registration.uri))
	}
	return nil
}

// invokeMore hands more of a call to the callee that has it. But for progress, the
// details are those of the first INVOCATION. A client's is queued while its table
// is locked: nothing of a call follows its end or an INTERRUPT.
func (s *session) invokeMore(b *transport.Batch, w *work, id wamp.ID, p *pending, m *wamp.Call) (err error) {
	w.invocation = wamp.Invocation{Request: id, Registration: p.offer.registration.id, Details: p.kept.details, Payload: m.Payload}
	w.invocation.Details.Progress = m.Options.Progress
	if s.local != nil {
		return s.local.invokeMore(id, p, m)
	}
	if w.invocation.Payload, err = w.transcode(s.conn.Format(), m.Payload); err != nil {
		return err
	}
	i := &s.invocations
	i.mu.Lock()
	defer i.mu.Unlock()
	isWanted, err := i.more(id, m.Options.Progress)
	if !isWanted {
		return err
	}
	return s.conn.Send(b, &w.invocation)
}

// invokeMore is that of a session inside the process.
func (l *Local) invokeMore(id wamp.ID, p *pending, m *wamp.Call) error {
	i := &l.session.invocations
	i.mu.Lock()
	isWanted, err := i.more(id, m.Options.Progress)
	i.mu.Unlock()
	if !isWanted {
		return err
	}
	if h, ok := l.handler.(StreamHandler); !ok || !h.More(p.local, m.Payload, !m.Options.Progress) {
		return errCalleeBusy
	}
	return nil
}

// more notes that a further part of a call has come, and whether that was the
// last, and says whether the callee still wants it; the caller holds mu.
func (i *invocations) more(id wamp.ID, isOpen bool) (isWanted bool, err error) {
	p, ok := i.pending[id]
	switch {
	case !ok:
		return false, nil
	case !p.kept.isOpen:
		return false, errEnded
	}
	p.kept.isOpen = isOpen
	return !p.isKilled, nil
}
