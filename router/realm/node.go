package realm

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// Node is the realms of one router. Its methods may be called concurrently.
//
// An authenticator's URI (Policy.Authenticators) may be registered only by a
// session whose role has an exact rule that allows it, is looked up by exact
// match for logins, and can be called by the router only.
type Node struct {
	limits Limits
	agent  string
	log    *slog.Logger
	works  workPool

	noRules *rules // of a session that must not do anything any more

	snapshot atomic.Pointer[snapshot] // replaced under mu
	stopping atomic.Bool              // set under mu: no new sessions and calls
	closing  atomic.Bool              // set after stopping: no new publications
	silent   atomic.Bool              // set after closing: no testaments
	leaving  inFlight                 // sessions that publish their testaments

	admission admission

	timers timers

	mu       sync.Mutex
	realms   map[string]*realm
	sessions map[wamp.ID]*session // nil: the id is reserved for one that is joining

	lastRegistration atomic.Uint64
	lastSubscription atomic.Uint64
	slow             atomic.Uint64
	dropped          atomic.Uint64

	// authorizations counts the changes that make void what authorizers have said. A
	// change is counted once it is in force: what was said in between is void as well.
	authorizations atomic.Uint64

	logins Logins             // nil: none are remembered
	tokens auth.TokenVerifier // nil: there are none

	throttle      *auth.Throttle
	failedLogins  atomic.Uint64
	slowedLogins  atomic.Uint64
	refusedLogins atomic.Uint64
}

// NewNode returns a Node that serves p. agent is WELCOME.Details.agent.
func NewNode(p *Policy, limits Limits, agent string, log *slog.Logger) *Node {
	n := &Node{
		limits:   limits.withDefaults(),
		agent:    agent,
		log:      log,
		noRules:  newRules(&auth.Role{}, new(Settings), nil),
		realms:   make(map[string]*realm),
		sessions: make(map[wamp.ID]*session),
	}
	n.throttle = auth.NewThrottle(n.limits.Throttle, nil)
	n.admission.init(&n.limits)
	n.Apply(p)
	return n
}

// Registration and subscription ids start small and are unique in the node:
// some clients cannot send large integers back as they got them.
func (n *Node) nextRegistration() wamp.ID { return wamp.ID(n.lastRegistration.Add(1)) }
func (n *Node) nextSubscription() wamp.ID { return wamp.ID(n.lastSubscription.Add(1)) }

// Stats are figures about a Node at one moment.
type Stats struct {
	Sessions      int    // that have joined, with those inside the process
	Joining       int    // connections whose login is under way
	Registrations int    // of all realms
	Subscriptions int    // topics and patterns that anybody listens to, of all realms
	PendingCalls  int    // calls without an answer
	SlowClients   uint64 // closed because they did not read what they were sent
	DroppedEvents uint64 // that a subscriber did not get for that or for its format
	FailedLogins  uint64 // whose proof was wrong, or that an authenticator refused
	SlowedLogins  uint64 // of these, those that were answered later because there were many
	RefusedLogins uint64 // not looked at, because too many of their address had failed
}

// Stats counts. It takes time in proportion to the number of sessions.
func (n *Node) Stats() Stats {
	st := Stats{
		SlowClients: n.slow.Load(), DroppedEvents: n.dropped.Load(), Joining: n.admission.count(),
		FailedLogins: n.failedLogins.Load(), SlowedLogins: n.slowedLogins.Load(), RefusedLogins: n.refusedLogins.Load(),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.realms {
		st.Registrations += r.registrations.Len()
		st.Subscriptions += r.subscriptions.Len() - int(r.unheard.Load())
	}
	for _, s := range n.sessions {
		if s != nil {
			st.Sessions++
			st.PendingCalls += s.invocations.count()
		}
	}
	return st
}

// Apply replaces the policy. Sessions whose realm or role went are closed with
// that reason; all others stay and are judged by the new rules.
func (n *Node) Apply(p *Policy) {
	type leaver struct {
		session *session
		reason  string
	}
	var leavers []leaver
	next := newSnapshot(p)
	n.mu.Lock()
	n.snapshot.Store(next)
	for name := range next.realms {
		if n.realms[name] == nil {
			n.realms[name] = &realm{name: name, node: n}
		}
	}
	for name := range n.realms {
		if !next.HasRealm(name) {
			delete(n.realms, name)
		}
	}
	for _, s := range n.sessions {
		if s == nil {
			continue
		}
		had := s.rules.Load()
		if had == n.noRules {
			continue // it has to leave already, and gets nothing back
		}
		if r := next.realms[s.realm.name][s.authrole]; r != nil && n.realms[s.realm.name] == s.realm {
			s.rules.CompareAndSwap(had, r) // unless it was disarmed this moment
			continue
		}
		// Until it has left it may do nothing any more.
		s.disarm()
		reason := fmt.Sprintf("role %q of realm %q does not exist any more", s.authrole, s.realm.name)
		if !next.HasRealm(s.realm.name) {
			reason = fmt.Sprintf("realm %q does not exist any more", s.realm.name)
		}
		leavers = append(leavers, leaver{s, reason})
	}
	n.authorizations.Add(1)
	realms := slices.Collect(maps.Values(n.realms))
	n.mu.Unlock()
	for _, r := range realms {
		r.configure()
	}
	for _, l := range leavers {
		l.session.dismiss(wamp.CloseRealm, l.reason, transport.CloseNormal)
	}
}

// dismiss ends a session from outside of its reader.
func (s *session) dismiss(uri, text string, reason transport.CloseReason) {
	if s.local != nil {
		if s.end(nil, text) {
			s.local.handler.Closed(text)
		}
		return
	}
	s.send(nil, &wamp.Goodbye{Reason: uri, Message: text})
	s.conn.Close(reason) // and so ends its reader, which cleans up
}

// enter makes s a member of its realm under the rules of the moment, until expires
// where that is not zero; the caller then delivers the meta event of it. It fails
// where these do not know its realm or role any more, or the router is stopping.
func (n *Node) enter(s *session, realmName string, expires time.Time) *ErrorReply {
	n.mu.Lock()
	defer n.mu.Unlock()
	current := n.snapshot.Load()
	switch {
	case n.stopping.Load():
		return newError(wamp.CloseSystemShutdown, "router is stopping")
	case !current.HasRealm(realmName):
		return newError(wamp.ErrNoSuchRealm, "no realm %q exists on this router", realmName)
	case !current.HasRole(realmName, s.authrole):
		return newError(wamp.ErrNoSuchRole, "realm %q has no role %q", realmName, s.authrole)
	}
	s.realm = n.realms[realmName]
	s.rules.Store(current.realms[realmName][s.authrole])
	s.expireAt(expires) // before anybody can find the session and end it
	n.sessions[s.id] = s
	s.realm.members.add(s)
	s.noteJoined()
	return nil
}

// reserve draws a session id that nobody has.
func (n *Node) reserve() wamp.ID {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		id := wamp.RandomID()
		if _, taken := n.sessions[id]; !taken {
			n.sessions[id] = nil
			return id
		}
	}
}

// release frees an id whose session never came to be.
func (n *Node) release(id wamp.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sessions[id] == nil {
		delete(n.sessions, id)
	}
}

// forget reports whether s was a member until now.
func (n *Node) forget(s *session) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sessions[s.id] != s {
		return false
	}
	delete(n.sessions, s.id)
	s.realm.members.remove(s)
	return true
}

func (n *Node) members() []*session {
	n.mu.Lock()
	defer n.mu.Unlock()
	members := make([]*session, 0, len(n.sessions))
	for _, s := range n.sessions {
		if s != nil {
			members = append(members, s)
		}
	}
	return members
}

// shutdownPoll is how often Shutdown looks whether what it waits for is done.
const shutdownPoll = 5 * time.Millisecond

// Shutdown lets calls in flight be answered, refuses new sessions and calls,
// sends GOODBYE wamp.close.system_shutdown to every session behind what is
// queued for it, and returns when all connections are done or ctx ends. Of the
// time until ctx's deadline a quarter is kept for the second half.
func (n *Node) Shutdown(ctx context.Context) error {
	n.mu.Lock()
	n.stopping.Store(true)
	n.mu.Unlock()
	const text = "router is stopping"
	n.admission.dismiss(text)

	answering, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		answering, cancel = context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/4))
	}
	defer cancel()
	if !poll(answering, func() bool { return n.Stats().PendingCalls == 0 }) {
		n.log.Warn("calls are cut off because the router is stopping", slog.Int("calls", n.Stats().PendingCalls))
	}

	w := n.works.get()
	members := n.members()
	for _, s := range members {
		for _, p := range s.invocations.close() {
			p.fail(nil, w, newError(wamp.ErrCanceled, text))
		}
	}
	n.works.put(w)
	// What is acknowledged reaches everybody before their GOODBYE.
	n.closing.Store(true)
	for _, s := range members {
		s.publications.wait()
	}
	// So do testaments: each session hears those of all others.
	var batch transport.Batch
	for _, s := range members {
		if ctx.Err() == nil {
			s.bequeath(&batch)
			batch.Flush()
		}
	}
	n.silent.Store(true)
	n.leaving.wait()
	for _, s := range members {
		s.dismiss(wamp.CloseSystemShutdown, text, transport.CloseShutdown)
	}
	if !poll(ctx, func() bool { return n.admission.connections() == 0 }) {
		left := n.admission.connections()
		n.log.Warn("connections are cut off because the router is stopping", slog.Int("connections", left))
		return fmt.Errorf("stop the router: %d connections were not closed in time: %w", left, ctx.Err())
	}
	return nil
}

// poll waits until done or the end of ctx, and reports which.
func poll(ctx context.Context, done func() bool) bool {
	tick := time.NewTicker(shutdownPoll)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return done()
		case <-tick.C:
		}
	}
	return true
}
