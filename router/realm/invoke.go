package realm

import (
	"errors"
	"slices"
	"time"

	"usher/router/transport"
	"usher/router/wamp"
)

// ask is a call on its way to a callee: what an INVOCATION takes from the CALL.
type ask struct {
	registration *registration
	procedure    string
	options      wamp.CallOptions
	payload      wamp.Payload
	discloses    bool // to every callee, that is
	trustlevel   wamp.Trustlevel
	timeout      time.Duration // 0: none
	tried        []*offer      // callees that have answered that they are unavailable
}

var (
	errTooMuchKept = errors.New("caller's calls keep as much as they may")
	errMayNotServe = errors.New("no callee's role may serve the procedure")
	errNoProgress  = errors.New("callee does not support progressive call invocations")
	errEnded       = errors.New("caller said that no more follows")
	errNoPassthru  = errors.New("callee does not support payload passthru mode")
)

// invoke hands the call to a callee of the registration, as its policy says. Of a
// shared one those are passed over that cannot take it. On an error nobody has it,
// and p is still to be answered.
func (q *ask) invoke(b *transport.Batch, w *work, p pending) error {
	why := errMayNotServe
	c := q.registration.candidates()
	if len(c.offers) == 0 {
		why = errUnregistered
	}
	for o := c.next(); o != nil; o = c.next() {
		if !o.mayServe(q.procedure) || slices.Contains(q.tried, o) {
			continue
		}
		err := q.lacks(o)
		if err == nil {
			if _, err = q.hand(b, w, p, o); err == nil {
				return nil
			}
		}
		if !canPassOver(err) {
			return err
		}
		if !isBusy(why) {
			why = err // that somebody is busy is what the caller is told rather
		}
	}
	return why
}

// canPassOver reports whether another callee may still get a call that one could
// not be handed. Whatever else went wrong would go wrong there as well.
func canPassOver(err error) bool {
	switch {
	case errors.Is(err, errTooManyCalls), errors.Is(err, errTooMuchKept), errors.Is(err, errCallerGone),
		errors.Is(err, errCallCanceled), cannotEncode(err):
		return false
	}
	return true
}

// lacks says what a callee would have to support to get the call, or nil.
func (q *ask) lacks(o *offer) error {
	callee := &o.session.roles.Callee
	switch {
	case q.options.Progress && !callee.Has(wamp.FeatureProgressiveCallInvocations|wamp.FeatureCallCanceling):
		return errNoProgress
	case q.options.Passthru != nil && !callee.Has(wamp.FeaturePayloadPassthruMode):
		return errNoPassthru
	}
	return nil
}

// hand gives the call to one callee, which has it under the id.
func (q *ask) hand(b *transport.Batch, w *work, p pending, o *offer) (id wamp.ID, err error) {
	p.offer = o
	callee := &o.session.roles.Callee
	p.wantsProgress = q.options.ReceiveProgress && callee.Has(wamp.FeatureProgressiveCallResults)
	w.invocation = wamp.Invocation{Registration: o.registration.id}
	d := &w.invocation.Details
	if (q.discloses || o.options.DiscloseCaller == wamp.True) && p.caller != nil {
		d.Caller, d.CallerAuthid, d.CallerAuthrole = p.caller.id, p.caller.authid, p.caller.authrole
	}
	if o.registration.match != wamp.Exact {
		d.Procedure = q.procedure
	}
	d.ReceiveProgress = p.wantsProgress
	d.Progress = q.options.Progress
	d.Passthru = q.options.Passthru
	if callee.Has(wamp.FeatureCallTrustlevels) {
		d.Trustlevel = q.trustlevel
	}
	timeout := q.timeout
	if timeout > 0 && o.options.ForwardTimeout && callee.Has(wamp.FeatureCallTimeout) {
		d.Timeout = uint64((timeout + time.Millisecond - 1) / time.Millisecond)
		timeout = 0
	}
	isKept, err := q.keep(&p, o, d)
	if err != nil {
		return 0, err
	}
	if o.session.local != nil {
		id, err = q.handLocal(w, &p, timeout)
	} else {
		id, err = q.handClient(b, w, &p, timeout)
	}
	if err != nil && isKept {
		p.caller.calls.unkeep(p.kept.size())
	}
	return id, err
}

// keep makes p keep what it needs of the CALL later, if it needs anything and
// does not have it already. All that a caller's calls keep is bounded.
func (q *ask) keep(p *pending, o *offer, d *wamp.InvocationDetails) (isKept bool, err error) {
	if p.caller == nil || p.kept != nil {
		return false, nil
	}
	limit := p.caller.node.limits.KeptPayload
	switch {
	case q.options.Progress:
		k := &kept{details: *d, isOpen: true, ask: ask{registration: q.registration, procedure: q.procedure}}
		k.details.Passthru = d.Passthru.Clone()
		if !p.caller.calls.keep(k.size(), limit) {
			return false, errTooMuchKept
		}
		p.kept = k
		return true, nil
	case !o.reroutes(), len(o.registration.callees()) < 2:
		return false, nil
	}
	if !p.caller.calls.keep(q.payload.Size()+passthruSize(q.options.Passthru), limit) {
		return false, nil // the call stays with the callee that it gets
	}
	p.kept = &kept{ask: *q}
	p.kept.ask.payload = q.payload.Clone()
	p.kept.ask.options.Passthru = q.options.Passthru.Clone()
	return true, nil
}

// handClient queues the INVOCATION while the callee's table is locked, so that
// the callee sees its ids in sequence; what may take long is done before.
func (q *ask) handClient(b *transport.Batch, w *work, p *pending, timeout time.Duration) (id wamp.ID, err error) {
	callee := p.offer.session
	if w.invocation.Payload, err = w.transcode(callee.conn.Format(), q.payload); err != nil {
		return 0, err
	}
	i := &callee.invocations
	i.mu.Lock()
	defer i.mu.Unlock()
	hadPlace := p.place != 0
	if id, err = i.add(p, &callee.node.limits); err != nil {
		return 0, err
	}
	w.invocation.Request = id
	if err = callee.conn.Send(b, &w.invocation); err != nil {
		i.undo(id, p)
		if !hadPlace {
			p.caller.releasePlace(p)
		}
		return 0, err
	}
	i.time(id, p, timeout)
	return id, nil
}

// releasePlace takes back that a call was entered among those of its caller, where
// it has one.
func (s *session) releasePlace(p *pending) {
	if s != nil {
		s.calls.remove(p.place, 0)
	}
}

// time starts the time of a call that was just added, or lets it go on where it
// runs already; the caller holds mu.
func (i *invocations) time(id wamp.ID, p *pending, timeout time.Duration) {
	callee := p.offer.session
	switch {
	case p.timer != nil:
		callee.node.timers.move(p.timer, callee, id)
	case timeout > 0:
		p.timer = callee.node.timers.set(callee, id, timeout)
		i.pending[id] = *p
	}
}

func (q *ask) handLocal(w *work, p *pending, timeout time.Duration) (id wamp.ID, err error) {
	o := p.offer
	callee := o.session
	l := &LocalInvocation{
		URI:     o.registration.uri,
		Match:   o.registration.match,
		Details: w.invocation.Details,
		Payload: q.payload,
		callee:  callee,
		format:  p.format(q.payload),
	}
	if p.waiter != nil {
		l.Caller = p.waiter.caller
	}
	p.local = l
	hadPlace, hadTimer := p.place != 0, p.timer != nil
	i := &callee.invocations
	i.mu.Lock()
	if id, err = i.add(p, &callee.node.limits); err == nil {
		l.id = id
		i.time(id, p, timeout)
	}
	i.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if callee.local.handler.Invoke(l) {
		return id, nil
	}
	taken, ok := i.take(id)
	if !ok {
		return id, nil // the handler has answered nevertheless: that stands
	}
	l.finish()
	if !hadTimer && taken.timer != nil {
		callee.node.timers.stop(taken.timer)
	}
	if !hadPlace {
		p.caller.releasePlace(p)
	}
	return 0, errCalleeBusy
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
