package realm

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// Serve runs the session of one connection until it has ended: it is the reader
// of c, which it closes. t describes the connection to authenticators and is not
// kept after WELCOME; nil means that nothing is known.
func (n *Node) Serve(c transport.Conn, e *Endpoint, t *auth.Transport) {
	n.admission.serve(1)
	defer n.admission.serve(-1)
	if t == nil {
		t = new(auth.Transport)
	}
	s := n.admitAside(c, e, t)
	if s != nil {
		s.run()
	}
	<-c.Done()
	if s != nil {
		// Nobody is at work on the last message: this gives its buffer back. A login
		// that was given up may have left an authenticator with its message.
		_, _ = c.Read(nil)
	}
}

// admitAside runs the handshake on a goroutine that ends with it, and so gives
// back the stack that a login takes: an idle session keeps a small one.
func (n *Node) admitAside(c transport.Conn, e *Endpoint, t *auth.Transport) *session {
	admitted := make(chan *session, 1)
	go func() { admitted <- n.admit(c, e, t) }()
	return <-admitted
}

// admit is the handshake, guarded: a fault in it ends this connection only.
func (n *Node) admit(c transport.Conn, e *Endpoint, t *auth.Transport) (s *session) {
	h := &handshake{node: n, conn: c, endpoint: e, transport: t}
	defer func() {
		if v := recover(); v != nil {
			n.reportPanic(v, slog.String("peer", t.Peer))
			c.Close(transport.CloseInternal)
			s = nil
		}
		h.done()
	}()
	return h.run()
}

func (n *Node) reportPanic(v any, more ...any) {
	n.log.Error("internal fault, closing the connection",
		append(more, slog.Any("panic", v), slog.String("stack", string(debug.Stack())))...)
}

// run reads the session's messages until it ends, one way or another.
func (s *session) run() {
	why := "internal fault"
	defer func() {
		if v := recover(); v != nil {
			s.node.reportPanic(v, s.logFields()...)
			s.conn.Close(transport.CloseInternal)
		}
		s.end(&s.batch, why)
		s.batch.Flush()
	}()
	for {
		data, err := s.conn.Read(&s.batch)
		var bye *farewell
		switch {
		case errors.Is(err, transport.ErrViolation):
			bye = violation("%s", err)
		case err != nil:
			why = readError(err)
			s.conn.Close(transport.CloseNormal)
			return
		default:
			bye = s.receive(data)
		}
		if bye != nil {
			why = bye.why
			s.end(&s.batch, why)
			if bye.message != nil {
				s.send(&s.batch, bye.message)
			}
			s.conn.Close(bye.reason)
			return
		}
	}
}

// readError is the reason of a session's end for the log.
func readError(err error) string {
	if errors.Is(err, io.EOF) {
		return "connection closed by the client"
	}
	return err.Error()
}

// farewell is how a session ends on the reader's side.
type farewell struct {
	why     string       // for the log
	message wamp.Message // the last one to the client, if any
	reason  transport.CloseReason
}

func violation(format string, args ...any) *farewell {
	text := fmt.Sprintf(format, args...)
	return &farewell{
		why:     "protocol violation: " + text,
		message: &wamp.Abort{Reason: wamp.ErrProtocolViolation, Message: text},
		reason:  transport.CloseProtocol,
	}
}

// receive handles one message; the session goes on where it returns nil.
func (s *session) receive(data []byte) *farewell {
	w := s.node.works.get()
	defer s.node.works.put(w)
	m, err := w.decoder.Decode(s.conn.Format(), data)
	if err != nil {
		return violation("%s", err)
	}
	return s.handle(w, m)
}

func (s *session) handle(w *work, m wamp.Message) *farewell {
	b := &s.batch
	switch m := m.(type) {
	case *wamp.Call:
		return s.takeCall(b, w, m)
	case *wamp.Cancel:
		s.cancel(b, w, m)
	case *wamp.Yield:
		if text := s.yield(b, w, m); text != "" {
			return violation("%s", text)
		}
	case *wamp.Publish:
		if bye := s.checkNext(m.Request, m); bye != nil {
			return bye
		}
		if p := m.Options.Passthru; p != nil && p.Scheme != "" && !s.roles.Publisher.Has(wamp.FeaturePayloadPassthruMode) {
			return violation("received PUBLISH with a ppt_scheme, but the publisher did not announce payload_passthru_mode")
		}
		s.publish(b, w, m)
	case *wamp.Error:
		if m.RequestType != wamp.TypeInvocation {
			return violation("received ERROR for %s, a client answers INVOCATION only", m.RequestType)
		}
		if text := s.invocationFailed(b, w, m); text != "" {
			return violation("%s", text)
		}
	case *wamp.Subscribe:
		if bye := s.checkNext(m.Request, m); bye != nil {
			return bye
		}
		s.subscribe(b, w, m)
	case *wamp.Unsubscribe:
		if bye := s.checkNext(m.Request, m); bye != nil {
			return bye
		}
		s.unsubscribe(b, w, m)
	case *wamp.Register:
		if bye := s.checkNext(m.Request, m); bye != nil {
			return bye
		}
		s.register(b, w, m)
	case *wamp.Unregister:
		if bye := s.checkNext(m.Request, m); bye != nil {
			return bye
		}
		s.unregister(b, w, m)
	case *wamp.Goodbye:
		return goodbye(m)
	case *wamp.Abort:
		return &farewell{why: fmt.Sprintf("aborted by the client: %.100s", m.Reason), reason: transport.CloseNormal}
	case *wamp.Hello, *wamp.Authenticate:
		return violation("received %s after the session was established", m.Type())
	default:
		return violation("received %s, which only a router sends", m.Type())
	}
	return nil
}

// checkNext checks the id of a request: session scope means 1, 2, 3 and so on
// over all kinds of requests (specification: "IDs").
func (s *session) checkNext(request wamp.ID, m wamp.Message) *farewell {
	next := s.lastRequest%wamp.MaxID + 1
	if request != next {
		return violation("request id %d of %s is out of sequence, expected %d", request, m.Type(), next)
	}
	s.lastRequest = next
	return nil
}

// goodbye answers a client's GOODBYE. Autobahn's clients take a session for
// properly left only if their wamp.close.normal comes back; the specification's
// reply is for all others.
func goodbye(m *wamp.Goodbye) *farewell {
	reply := &wamp.Goodbye{Reason: wamp.CloseGoodbyeAndOut}
	if m.Reason == wamp.CloseNormal {
		reply.Reason = wamp.CloseNormal
	}
	return &farewell{why: fmt.Sprintf("left with %.100s", m.Reason), message: reply, reason: transport.CloseNormal}
}
