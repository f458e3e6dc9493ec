package realm

import (
	"usher/router/transport"
	"usher/router/wamp"
)

// reroutes reports whether an answer wamp.error.unavailable of the callee means
// that another one shall get the call (specification: "Call Re-Routing"). What a
// component alone offers answers for itself.
func (o *offer) reroutes() bool {
	return o.session.roles.Callee.Has(wamp.FeatureCallReroute) &&
		(o.session.local == nil || o.registration.invoke != invokeSingle)
}

// goesOn hands a call whose callee is unavailable to another one, or tells the
// caller that there is none. It reports false for a call that may have been worked
// on, or that its caller has canceled: that takes what the callee has answered.
func (p *pending) goesOn(b *transport.Batch, w *work) bool {
	if p.isKilled || p.hasProgressed {
		return false
	}
	if p.kept == nil || p.kept.details.Progress {
		p.fail(b, w, noAvailableCallee(p.offer.registration))
		return true
	}
	if p.local != nil {
		p.local.finish()
		p.local = nil
	}
	q := &p.kept.ask
	q.tried = append(q.tried, p.offer)
	if err := q.invoke(b, w, *p); err != nil {
		p.fail(b, w, q.refusal(err, p.caller.node))
	}
	return true
}

func noAvailableCallee(reg *registration) *ErrorReply {
	return newError(wamp.ErrNoAvailableCallee, "all callees of %q are unavailable", reg.uri)
}
