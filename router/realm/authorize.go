package realm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// leavesOpen reports whether d is for the role's authorizer to complete: no rule
// says anything about the URI.
func (r *rules) leavesOpen(d *decision) bool {
	return r.role.Authorizer != "" && !d.isRuled && d.isValid
}

// consult tells what the session's role may do with a URI or pattern: what its
// rules say, or, where none does and the role has an authorizer, what that says. It
// may block, though no longer than an authenticator may take: no lock may be held,
// and b is flushed before. An authorizer that fails denies, and so do the rules of
// a session that is one itself, or an authenticator: nobody is judged by what it is
// asked for.
func (s *session) consult(ctx context.Context, b *transport.Batch, action auth.Action, uri string, m wamp.Match, o auth.QuestionOptions) (*decision, *ErrorReply) {
	epoch := s.node.authorizations.Load() // before what it is about: see there
	r := s.rules.Load()
	d := r.decidePattern(uri, m)
	if !r.leavesOpen(d) || d.isReserved && action != auth.Call && action != auth.Subscribe || d.isAuthenticator || s.grants.asked.Load() > 0 {
		return d, nil
	}
	key := grantKey{action, m, uri}
	verdict, known := s.grants.find(key, epoch)
	if !known {
		if b != nil {
			b.Flush()
		}
		if m != wamp.Exact {
			o.Match = m.String()
		}
		var err error
		if verdict, err = s.node.Authorize(ctx, r.role.Authorizer, s.question(action, uri, o)); err != nil {
			return nil, s.authorizationFailed(r.role.Authorizer, action, uri, err)
		}
		s.grants.keep(key, epoch, verdict)
	}
	if !verdict.Allow {
		return d, nil
	}
	granted := *d
	granted.allow |= action
	granted.discloseCaller = verdict.Disclose
	granted.disclosePublisher = verdict.Disclose
	granted.isGranted = true
	return &granted, nil
}

func (s *session) question(action auth.Action, uri string, o auth.QuestionOptions) *auth.Question {
	return &auth.Question{
		Session: s.id, Realm: s.realm.name, Authid: s.authid, Authrole: s.authrole,
		Authmethod: s.authmethod, Authprovider: s.authprovider, Peer: s.peer, Protocol: s.protocol,
		URI: uri, Action: action, Options: o,
	}
}

// authorizationFailed is the answer where an authorizer gave none. The client
// learns a reference only.
func (s *session) authorizationFailed(authorizer string, action auth.Action, uri string, err error) *ErrorReply {
	reference := rand.Text()[:8]
	s.node.log.Error("authorization failed", s.logFields(
		slog.String("reference", reference),
		slog.String("authorizer", authorizer),
		slog.String("action", action.String()),
		slog.String("uri", uri),
		slog.String("error", err.Error()),
	)...)
	return newError(wamp.ErrAuthorizationFailed, "authorization to %s %q failed (reference %s)", action, uri, reference)
}

// Authorize puts q to whoever is registered as the authorizer in its realm.
func (n *Node) Authorize(ctx context.Context, uri string, q *auth.Question) (auth.Verdict, error) {
	o, err := n.authenticator(q.Realm, uri)
	if err != nil {
		return auth.Verdict{}, err
	}
	if o.session.id == q.Session {
		return auth.Verdict{}, errors.New("the session is the authorizer itself")
	}
	ctx, cancel := context.WithTimeout(ctx, n.limits.AuthenticatorTimeout)
	defer cancel()
	var verdict auth.Verdict
	switch {
	case o.authorizer != nil:
		verdict, err = guarded(ctx, uri, func() (auth.Verdict, error) { return o.authorizer.Authorize(ctx, q) })
	case o.authenticator != nil:
		err = errors.New("what is registered there is an authenticator")
	default:
		verdict, err = authorizeRemote(ctx, o, q)
	}
	if ctx.Err() != nil {
		return auth.Verdict{}, fmt.Errorf("authorizer %q in realm %q did not answer in time: %w", uri, q.Realm, ctx.Err())
	}
	return verdict, err
}

// authorizeRemote asks by INVOCATION.
func authorizeRemote(ctx context.Context, o *offer, q *auth.Question) (auth.Verdict, error) {
	payload, err := auth.AuthorizeArgs(q)
	if err != nil {
		return auth.Verdict{}, err
	}
	answer, err := o.question(ctx, payload)
	if err != nil {
		return auth.Verdict{}, err
	}
	args, err := toJSON(answer.payload.Format, answer.payload.Args)
	if err != nil {
		return auth.Verdict{}, err
	}
	if answer.uri != "" {
		return auth.Verdict{}, fmt.Errorf("authorizer answered with %s: %.200s", answer.uri, args)
	}
	return auth.RemoteVerdict(args)
}

// guarded calls a decision inside the process, on a goroutine of its own: that
// goroutine ends when the decision is there, which ctx makes it be.
func guarded[T any](ctx context.Context, uri string, decide func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				answers <- answer{err: fmt.Errorf("%q panicked: %v", uri, v)}
			}
		}()
		value, err := decide()
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// maxGrants bounds what one session remembers of an authorizer's answers.
const maxGrants = 1024

// grants are the answers that one session's authorizer allowed to be remembered.
// The zero value is ready.
type grants struct {
	asked atomic.Int32 // how many reserved URIs the session itself has registered

	mu    sync.Mutex
	epoch uint64 // of Node.authorizations; what is older is void
	known map[grantKey]grant
}

type grantKey struct {
	action auth.Action
	match  wamp.Match
	uri    string
}

type grant struct {
	verdict auth.Verdict
	expires time.Time // zero: it does not
}

func (g *grants) find(key grantKey, epoch uint64) (auth.Verdict, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.epoch != epoch {
		return auth.Verdict{}, false
	}
	found, ok := g.known[key]
	if ok && !found.expires.IsZero() && !time.Now().Before(found.expires) {
		delete(g.known, key)
		return auth.Verdict{}, false
	}
	return found.verdict, ok
}

func (g *grants) keep(key grantKey, epoch uint64, v auth.Verdict) {
	if v.Cache <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.epoch != epoch || g.known == nil {
		g.known, g.epoch = make(map[grantKey]grant), epoch
	}
	if len(g.known) >= maxGrants {
		for old := range g.known { // any one
			delete(g.known, old)
			break
		}
	}
	entry := grant{verdict: v}
	if v.Cache != auth.CacheForever {
		entry.expires = time.Now().Add(v.Cache)
	}
	g.known[key] = entry
}

// authorizes notes that the session became a callee of reg, or is one no more: if
// that may be an authorizer, what was said before does not count any more.
func (s *session) authorizes(reg *registration, delta int32) {
	if reg.isReserved {
		s.grants.asked.Add(delta)
		s.node.authorizations.Add(1)
	}
}
