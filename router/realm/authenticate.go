package realm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// authenticate leads the client through the endpoint's methods; nil means that it
// was refused and the connection has ended.
func (h *handshake) authenticate(r *auth.Request, hello *wamp.Hello) *auth.Accepted {
	offered := hello.Authmethods
	if !hello.HasAuthmethods {
		offered = []string{auth.MethodAnonymous}
	}
	if left := h.node.throttle.Refused(h.transport.Peer); left > 0 {
		h.node.refusedLogins.Add(1)
		h.abort(wamp.ErrAuthenticationDenied, fmt.Sprintf("too many wrong logins came from this address, try again in %d s", int(left.Seconds())+1), transport.CloseNormal)
		return nil
	}
	dialogue, outcome := auth.Begin(&h.endpoint.Auth, h.node.snapshot.Load(), r, offered)
	proven := false // something was checked that can be guessed
	for {
		switch {
		case outcome.Challenge != nil:
			answer := h.challenge(outcome.Challenge)
			if answer == nil {
				return nil
			}
			outcome, proven = dialogue.Answer(answer), true
		case outcome.Ask != nil:
			h.logAsked(outcome.Ask, r)
			// The authenticator may take its time: others must not wait for this reader.
			h.batch.Flush()
			outcome, proven = dialogue.Decide(h.node.ask(context.Background(), outcome.Ask, r)), true
		case outcome.Verify != nil:
			h.batch.Flush()
			outcome, proven = dialogue.Decide(h.node.VerifyToken(context.Background(), outcome.Verify, r)), true
		case outcome.Accept != nil:
			return outcome.Accept
		case outcome.Refuse != nil:
			if proven {
				h.slowDown(r, outcome.Refuse)
			}
			h.refuse(r, outcome.Refuse)
			return nil
		default:
			h.failRequest(r, outcome.Fail)
			return nil
		}
	}
}

// slowDown keeps a client waiting that was wrong too often. What the configuration
// lacks is no wrong login.
func (h *handshake) slowDown(r *auth.Request, refusal *auth.Refusal) {
	switch refusal.URI {
	case wamp.ErrNoSuchRealm, wamp.ErrNoSuchRole, wamp.ErrUnavailable:
		return
	}
	h.node.failedLogins.Add(1)
	delay := h.node.throttle.Failed(h.transport.Peer, r.Authid)
	if delay == 0 {
		return
	}
	h.node.slowedLogins.Add(1)
	h.batch.Flush()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-h.conn.Done():
	}
}

// challenge sends c and waits for the client's answer.
func (h *handshake) challenge(c *wamp.Challenge) *auth.Answer {
	// An error shows at the Read that follows.
	_ = h.conn.Send(&h.batch, c)
	var answer *auth.Answer
	h.receive("AUTHENTICATE", h.node.limits.AuthenticateTimeout, func(m wamp.Message) bool {
		message, ok := m.(*wamp.Authenticate)
		if ok {
			answer = &auth.Answer{Signature: strings.Clone(message.Signature), Extra: readExtra(message.Extra)}
		}
		return ok
	})
	return answer
}

// logAsked tells that an authenticator is asked. Of the headers those appear that
// are no secret; of the rest how much there is.
func (h *handshake) logAsked(d *auth.Dynamic, r *auth.Request) {
	if !h.node.informs() {
		return
	}
	t := h.transport
	fields := []any{
		slog.String("authenticator", d.URI),
		slog.String("realm", r.Realm),
		slog.String("authid", r.Authid),
		slog.String("authmethod", r.Authmethod),
		slog.Uint64("session", uint64(r.Session)),
		slog.String("peer", t.Peer),
		slog.String("protocol", t.Protocol),
		slog.Int("authextra_bytes", len(r.Authextra.Bytes)),
		slog.Int("query_bytes", len(t.Query)),
	}
	for _, name := range [...]string{"host", "user-agent", "origin", "sec-websocket-protocol", "sec-websocket-version"} {
		if value, ok := t.HeadersReceived[name]; ok {
			fields = append(fields, slog.String(strings.ReplaceAll(name, "-", "_"), value))
		}
	}
	h.node.log.Info("authentication asked", fields...)
}

// refuse tells the client an authenticator's or the configuration's no.
func (h *handshake) refuse(r *auth.Request, refusal *auth.Refusal) {
	problem := slog.Attr{} // which is left out
	if refusal.Lacking {   // it may be an authenticator that has returned it
		problem = slog.String("problem", h.withoutSecrets(r, refusal.Message))
	}
	h.node.log.Info("authentication refused",
		slog.String("uri", refusal.URI),
		problem,
		slog.String("realm", r.Realm),
		slog.String("authid", r.Authid),
		slog.String("authmethod", r.Authmethod),
		slog.Uint64("session", uint64(r.Session)),
		slog.String("peer", h.transport.Peer),
	)
	h.sendAbort(refusal.URI, refusal.Message, transport.CloseNormal)
}

// failRequest refuses a client because something went wrong. The client learns a
// reference only; what it was stands beside that in the log, without the ticket and the cookie.
func (h *handshake) failRequest(r *auth.Request, err error) {
	reference := rand.Text()[:8]
	h.node.log.Error("authentication failed",
		slog.String("reference", reference),
		slog.String("error", h.withoutSecrets(r, err.Error())),
		slog.String("realm", r.Realm),
		slog.String("authid", r.Authid),
		slog.String("authmethod", r.Authmethod),
		slog.Uint64("session", uint64(r.Session)),
		slog.String("peer", h.transport.Peer),
	)
	h.sendAbort(wamp.ErrAuthenticationFailed, "authentication failed (reference "+reference+")", transport.CloseNormal)
}

// withoutSecrets is text without what the client presented.
func (h *handshake) withoutSecrets(r *auth.Request, text string) string {
	for _, secret := range [...]string{r.Ticket, h.transport.Cbtid} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}

// Authenticate asks the authenticator d about r as a login would, for tools that
// try one out. It returns auth's checked principal.
func (n *Node) Authenticate(ctx context.Context, d *auth.Dynamic, r *auth.Request) (*auth.Principal, error) {
	p, err := n.ask(ctx, d, r)
	return auth.Decide(n.snapshot.Load(), d, r, p, err)
}

// ask puts r to whoever is registered as the authenticator, and waits as long as
// the limit allows.
func (n *Node) ask(ctx context.Context, d *auth.Dynamic, r *auth.Request) (*auth.Principal, error) {
	realmName := d.Realm
	if realmName == "" {
		realmName = r.Realm
	}
	o, err := n.authenticator(realmName, d.URI)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, n.limits.AuthenticatorTimeout)
	defer cancel()
	ask := askRemote
	switch {
	case o.authenticator != nil:
		ask = askDirect
	case o.authorizer != nil:
		return nil, fmt.Errorf("what is registered as authenticator %q in realm %q is an authorizer", d.URI, realmName)
	}
	p, err := ask(ctx, o, r)
	if ctx.Err() != nil {
		// Whatever came so late, it does not count.
		return nil, fmt.Errorf("authenticator %q in realm %q did not answer in time: %w", d.URI, realmName, ctx.Err())
	}
	return p, err
}

// VerifyToken has the token checked that r presents, as a login would, for tools
// that try one out.
func (n *Node) VerifyToken(ctx context.Context, j *auth.JWT, r *auth.Request) (*auth.Principal, error) {
	if n.tokens == nil {
		return nil, errors.New("nobody can verify tokens")
	}
	ctx, cancel := context.WithTimeout(ctx, n.limits.AuthenticatorTimeout)
	defer cancel()
	return n.tokens.Verify(ctx, j, r.Ticket)
}

// authenticator finds who is registered under exactly this URI and may be; of
// several it is whose turn it is.
func (n *Node) authenticator(realmName, uri string) (*offer, error) {
	n.mu.Lock()
	r := n.realms[realmName]
	n.mu.Unlock()
	if r == nil {
		return nil, fmt.Errorf("authenticator %q: its realm %q does not exist", uri, realmName)
	}
	unruled := "" // role of the last that may not be one
	if reg, ok := r.registrations.Get(wamp.Exact, uri); ok {
		c := reg.candidates()
		for o := c.next(); o != nil; o = c.next() {
			if d := o.session.rules.Load().decide(uri); d.isExact && d.allows(auth.Register) {
				return o, nil
			}
			unruled = o.session.authrole
		}
	}
	if unruled == "" {
		return nil, fmt.Errorf("no authenticator is registered as %q in realm %q", uri, realmName)
	}
	return nil, fmt.Errorf("role %q, which registered authenticator %q in realm %q, has no exact rule that allows it",
		unruled, uri, realmName)
}

// askDirect asks an authenticator inside the process.
func askDirect(ctx context.Context, o *offer, r *auth.Request) (*auth.Principal, error) {
	return guarded(ctx, o.registration.uri, func() (*auth.Principal, error) { return o.authenticator.Authenticate(ctx, r) })
}

// askRemote asks by INVOCATION, with the arguments that authenticators of
// Crossbar.io expect.
func askRemote(ctx context.Context, o *offer, r *auth.Request) (*auth.Principal, error) {
	question, err := remoteQuestion(r)
	if err != nil {
		return nil, err
	}
	answer, err := o.question(ctx, question)
	if err != nil {
		return nil, err
	}
	return remoteAnswer(answer)
}

// question calls the procedure of an offer in the router's own name.
func (o *offer) question(ctx context.Context, payload wamp.Payload) (reply, error) {
	n := o.session.node
	w := n.works.get()
	answer := newWaiter()
	q := ask{registration: o.registration, procedure: o.registration.uri, payload: payload}
	p := pending{waiter: answer}
	id, err := q.hand(&w.batch, w, p, o)
	if err != nil {
		p.fail(&w.batch, w, q.refusal(err, n))
	}
	w.batch.Flush()
	n.works.put(w)
	select {
	case got := <-answer.replies:
		return got, nil
	case <-ctx.Done():
		w := n.works.get()
		o.session.abandon(nil, w, id, nil, 0)
		n.works.put(w)
		return reply{}, ctx.Err()
	}
}

func remoteQuestion(r *auth.Request) (wamp.Payload, error) {
	var authextra []byte
	if !r.Authextra.Absent() {
		var err error
		if authextra, err = codec.AppendValue(nil, wamp.JSON, r.Authextra); err != nil {
			return wamp.Payload{}, fmt.Errorf("pass authextra on to a remote authenticator: %w", err)
		}
	}
	return auth.RemoteArgs(r, authextra)
}

func remoteAnswer(a reply) (*auth.Principal, error) {
	args, err := toJSON(a.payload.Format, a.payload.Args)
	if err != nil {
		return nil, err
	}
	if a.uri != "" {
		return nil, auth.RemoteError(a.uri, args)
	}
	kwargs, err := toJSON(a.payload.Format, a.payload.Kwargs)
	if err != nil {
		return nil, err
	}
	return auth.RemotePrincipal(args, kwargs)
}

func toJSON(f wamp.Format, encoded []byte) ([]byte, error) {
	if len(encoded) == 0 {
		return nil, nil
	}
	b, err := codec.AppendValue(nil, wamp.JSON, wamp.Value{Format: f, Bytes: encoded})
	if err != nil {
		return nil, fmt.Errorf("read the answer of a remote authenticator: %w", err)
	}
	return b, nil
}
