package realm

import (
	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// metaCall is a call of a procedure that the router itself offers. It is answered
// on the caller's goroutine.
type metaCall struct {
	caller  *session
	batch   *transport.Batch
	work    *work
	payload wamp.Payload  // the arguments; borrowed
	args    arguments     // the same, for reading them one by one
	result  *codec.Writer // the arguments of RESULT; a list that is open already
	kwargs  *codec.Writer // the keyword arguments, if any; see keywords
	format  wamp.Format   // of both
}

// keywords returns where a dict of keyword arguments of RESULT goes.
func (c *metaCall) keywords() *codec.Writer {
	c.kwargs = new(codec.Writer)
	c.kwargs.Reset(c.format, nil)
	return c.kwargs
}

// metaProcedure writes a result, or returns the reason why there is none.
type metaProcedure func(c *metaCall) *ErrorReply

// metaProcedureNamed returns the procedure that the router offers under a URI, or
// nil. Permissions are judged before it is called, by its URI and the caller's
// role, like those of any procedure: as in Crossbar.io a rule for the prefix ""
// covers them, those that end sessions included; a narrower rule takes them away.
func metaProcedureNamed(uri string) metaProcedure {
	switch uri {
	case "wamp.session.count":
		return metaSessionCount
	case "wamp.session.list":
		return metaSessionList
	case "wamp.session.get":
		return metaSessionGet
	case "wamp.session.kill":
		return metaKill
	case "wamp.session.kill_by_authid":
		return metaKillByAuthid
	case "wamp.session.kill_by_authrole":
		return metaKillByAuthrole
	case "wamp.session.kill_all":
		return metaKillAll
	case "wamp.session.logout":
		return metaLogout
	case "wamp.session.forget_logins":
		return metaForgetLogins
	case metaModifyDetails:
		return metaSessionModifyDetails
	case "wamp.registration.list":
		return metaRegistrationList
	case "wamp.registration.lookup":
		return metaRegistrationLookup
	case "wamp.registration.match":
		return metaRegistrationMatch
	case "wamp.registration.get":
		return metaRegistrationGet
	case "wamp.registration.list_callees":
		return metaRegistrationCallees
	case "wamp.registration.count_callees":
		return metaRegistrationCount
	case "wamp.registration.remove_callee":
		return metaRemoveCallee
	case "wamp.subscription.list":
		return metaSubscriptionList
	case "wamp.subscription.lookup":
		return metaSubscriptionLookup
	case "wamp.subscription.match":
		return metaSubscriptionMatch
	case "wamp.subscription.get":
		return metaSubscriptionGet
	case "wamp.subscription.list_subscribers":
		return metaSubscriptionSubscribers
	case "wamp.subscription.count_subscribers":
		return metaSubscriptionCount
	case "wamp.subscription.remove_subscriber":
		return metaRemoveSubscriber
	case "wamp.subscription.get_events":
		return metaSubscriptionEvents
	case "wamp.session.add_testament":
		return metaAddTestament
	case "wamp.session.flush_testaments":
		return metaFlushTestaments
	}
	return reflectionProcedure(uri)
}

// callMeta answers a call of one of the router's own procedures.
func (s *session) callMeta(b *transport.Batch, w *work, o pending, p metaProcedure, m *wamp.Call) {
	var result codec.Writer
	format := o.format(m.Payload)
	result.Reset(format, nil)
	result.BeginList()
	c := &metaCall{caller: s, batch: b, work: w, payload: m.Payload, result: &result, format: format}
	c.args.begin(m.Payload)
	if e := p(c); e != nil {
		o.fail(b, w, e)
		return
	}
	result.End()
	answer := wamp.Payload{Format: format, Args: result.Buffer()}
	if c.kwargs != nil {
		answer.Kwargs = c.kwargs.Buffer()
	}
	o.succeed(b, w, answer)
}

// writeIDs writes a list of the ids of sessions.
func writeIDs(w *codec.Writer, sessions []*session) {
	w.BeginList()
	for _, s := range sessions {
		w.Uint(uint64(s.id))
	}
	w.End()
}
