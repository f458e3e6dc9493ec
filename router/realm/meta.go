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
	result  *codec.Writer // the arguments of RESULT; a list that is open already
}

// metaProcedure writes a result, or returns the reason why there is none.
type metaProcedure func(c *metaCall) *ErrorReply

// metaProcedureNamed returns the procedure that the router offers under a URI, or
// nil. Permissions are judged before it is called.
func metaProcedureNamed(uri string) metaProcedure {
	switch uri {
	case "wamp.session.count":
		return metaSessionCount
	}
	return nil
}

// callMeta answers a call of one of the router's own procedures.
func (s *session) callMeta(b *transport.Batch, w *work, o pending, p metaProcedure, m *wamp.Call) {
	var result codec.Writer
	format := o.format(m.Payload)
	result.Reset(format, nil)
	result.BeginList()
	if e := p(&metaCall{caller: s, batch: b, work: w, payload: m.Payload, result: &result}); e != nil {
		o.fail(b, w, e)
		return
	}
	result.End()
	o.succeed(b, w, wamp.Payload{Format: format, Args: result.Buffer()})
}

// metaSessionCount is wamp.session.count.
func metaSessionCount(c *metaCall) *ErrorReply {
	n := 0
	for _, s := range c.caller.node.members() {
		if s.realm == c.caller.realm {
			n++
		}
	}
	c.result.Uint(uint64(n))
	return nil
}
