package realm

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// handshake is a connection's way from accept to WELCOME or ABORT. It lives on
// the connection's reader, which it may block while an authenticator is asked.
type handshake struct {
	node      *Node
	conn      transport.Conn
	endpoint  *Endpoint
	transport *auth.Transport

	batch transport.Batch
	id    wamp.ID // reserved; 0: none
}

// done gives back what the handshake held.
func (h *handshake) done() {
	h.node.admission.end(h.conn)
	if h.id != 0 {
		h.node.release(h.id)
	}
	h.batch.Flush()
}

// run returns the session that the client joined as, or nil.
func (h *handshake) run() *session {
	if e := h.node.admission.begin(h.conn, h.transport.Peer); e != nil {
		h.abort(e.URI, e.Text, transport.CloseNormal)
		return nil
	}
	hello := h.hello()
	if hello == nil {
		return nil
	}
	h.id = h.node.reserve()
	request := &auth.Request{
		Realm:     hello.Realm,
		Authid:    hello.Authid,
		Authrole:  hello.Authrole,
		Authextra: hello.Authextra,
		Extra:     readExtra(hello.Authextra),
		Session:   h.id,
		Transport: h.transport,
	}
	accepted := h.authenticate(request, hello)
	if accepted == nil {
		return nil
	}
	return h.welcome(hello, accepted)
}

// hello waits for the first message; nil means that the connection has ended.
func (h *handshake) hello() *wamp.Hello {
	var hello *wamp.Hello
	h.receive("HELLO", h.node.limits.HelloTimeout, func(m wamp.Message) bool {
		message, ok := m.(*wamp.Hello)
		if ok {
			copied := *message
			copied.Authextra = message.Authextra.Clone()
			copied.Authmethods = slices.Clone(message.Authmethods)
			hello = &copied
		}
		return ok
	})
	if hello == nil {
		return nil
	}
	roles := &hello.Roles
	switch {
	case !roles.Caller.Present && !roles.Callee.Present && !roles.Publisher.Present && !roles.Subscriber.Present:
		h.abort(wamp.ErrProtocolViolation, "HELLO.Details.roles announces none of caller, callee, publisher and subscriber", transport.CloseProtocol)
		return nil
	case hello.Realm != "" && !wamp.ValidURI(hello.Realm):
		h.abort(wamp.ErrInvalidURI, invalidURI("realm", hello.Realm, wamp.Exact).Text, transport.CloseNormal)
		return nil
	}
	return hello
}

// receive waits for one message, which take must want: anything else ends the
// connection.
func (h *handshake) receive(name string, timeout time.Duration, take func(wamp.Message) bool) {
	h.conn.SetReadDeadline(time.Now().Add(timeout))
	data, err := h.conn.Read(&h.batch)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		h.abort(wamp.ErrTimeout, fmt.Sprintf("no %s came within %s", name, timeout), transport.CloseTimeout)
		return
	}
	if errors.Is(err, transport.ErrViolation) {
		h.abort(wamp.ErrProtocolViolation, err.Error(), transport.CloseProtocol)
		return
	}
	if err != nil {
		h.gone(readError(err))
		return
	}
	w := h.node.works.get()
	defer h.node.works.put(w)
	m, err := w.decoder.Decode(h.conn.Format(), data)
	if err != nil {
		h.abort(wamp.ErrProtocolViolation, err.Error(), transport.CloseProtocol)
		return
	}
	if take(m) {
		return
	}
	if abort, ok := m.(*wamp.Abort); ok {
		h.gone(fmt.Sprintf("aborted by the client: %.100s", abort.Reason))
		return
	}
	h.abort(wamp.ErrProtocolViolation,
		fmt.Sprintf("received %s before the session was established, expected %s", m.Type(), name), transport.CloseProtocol)
}

// gone ends a connection whose client went away.
func (h *handshake) gone(why string) {
	h.node.log.Debug("client went away before it joined", slog.String("peer", h.transport.Peer), slog.String("reason", why))
	h.conn.Close(transport.CloseNormal)
}

// abort refuses the client and ends the connection.
func (h *handshake) abort(uri, text string, reason transport.CloseReason) {
	h.node.log.Info("client refused", slog.String("uri", uri), slog.String("peer", h.transport.Peer))
	h.sendAbort(uri, text, reason)
}

func (h *handshake) sendAbort(uri, text string, reason transport.CloseReason) {
	// An error means that the connection is going away already.
	_ = h.conn.Send(&h.batch, &wamp.Abort{Reason: uri, Message: text})
	h.conn.Close(reason)
}

// welcome admits the client. WELCOME is queued before anybody can find the
// session, so that nothing is ahead of it.
func (h *handshake) welcome(hello *wamp.Hello, a *auth.Accepted) *session {
	n := h.node
	s := &session{
		id: h.id, node: n, authid: a.Authid, authrole: a.Role, conn: h.conn,
		authmethod: a.Method, authprovider: a.Provider,
		peer: h.transport.Peer, protocol: h.transport.Protocol,
		roles: hello.Roles,
	}
	if h.transport.Tracking != nil {
		s.cookies, s.cbtid = h.transport.Tracking.Store, h.transport.Cbtid
	}
	h.conn.SetReadDeadline(time.Time{})
	err := h.conn.Send(&h.batch, &wamp.Welcome{
		Session:      s.id,
		Realm:        a.Realm,
		Authid:       a.Authid,
		Authrole:     a.Role,
		Authmethod:   a.Method,
		Authprovider: a.Provider,
		Authextra:    welcomeExtra(a),
		Agent:        n.agent,
		Roles:        announced(),
	})
	if errors.Is(err, transport.ErrTooLarge) {
		h.abort(wamp.ErrUnavailable, "WELCOME is too long: "+err.Error(), transport.CloseTooLarge)
		return nil
	}
	if err != nil {
		h.gone("cannot send WELCOME: " + err.Error())
		return nil
	}
	// Before somebody can find the session and revoke this.
	h.endpoint.Auth.Remember(h.transport, a, time.Now())
	if e := n.enter(s, a.Realm, a.ExpiresAt); e != nil {
		s.forgetLogin()
		// The policy changed in this very moment.
		_ = h.conn.Send(&h.batch, &wamp.Goodbye{Reason: e.URI, Message: e.Text})
		h.conn.Close(transport.CloseNormal)
		return nil
	}
	h.id = 0 // it is the session's from now on
	s.realm.flushMeta(&h.batch)
	if n.informs() {
		n.log.Info("session joined", s.logFields(
			slog.String("authmethod", a.Method),
			slog.String("authprovider", a.Provider),
			slog.String("peer", h.transport.Peer),
			slog.String("protocol", h.transport.Protocol),
		)...)
	}
	return s
}

// announced are the features that work, and no others.
func announced() wamp.Roles {
	return wamp.Roles{
		Broker: wamp.RoleFeatures{Present: true, Reflection: true, Features: wamp.FeaturePublisherIdentification |
			wamp.FeaturePublisherExclusion | wamp.FeaturePatternBasedSubscription |
			wamp.FeatureSubscriberBlackwhiteListing | wamp.FeaturePublicationTrustlevels |
			wamp.FeatureEventRetention | wamp.FeatureEventHistory | wamp.FeaturePayloadPassthruMode |
			wamp.FeatureSessionMetaAPI | wamp.FeatureSubscriptionMetaAPI | wamp.FeatureSubscriptionRevocation},
		Dealer: wamp.RoleFeatures{Present: true, Reflection: true, Features: wamp.FeatureCallerIdentification |
			wamp.FeatureCallCanceling | wamp.FeatureCallTimeout | wamp.FeatureCallTrustlevels |
			wamp.FeaturePatternBasedRegistration | wamp.FeatureSharedRegistration |
			wamp.FeatureRegistrationRevocation | wamp.FeatureCallReroute |
			wamp.FeatureProgressiveCallResults | wamp.FeatureProgressiveCallInvocations |
			wamp.FeaturePayloadPassthruMode | wamp.FeatureSessionMetaAPI | wamp.FeatureTestamentMetaAPI | wamp.FeatureRegistrationMetaAPI},
	}
}
