package realm

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// invokePolicy says which callee of a registration gets a call (specification:
// "Shared Registration").
type invokePolicy uint8

const (
	invokeSingle invokePolicy = iota
	invokeFirst
	invokeLast
	invokeRoundRobin
	invokeRandom
)

var invokePolicies = [...]string{wamp.InvokeSingle, wamp.InvokeFirst, wamp.InvokeLast, wamp.InvokeRoundRobin, wamp.InvokeRandom}

func (p invokePolicy) String() string { return invokePolicies[p] }

// parseInvoke reads REGISTER.Options.invoke.
func parseInvoke(name string) (p invokePolicy, ok bool) {
	if name == "" {
		return invokeSingle, true
	}
	i := slices.Index(invokePolicies[:], name)
	return invokePolicy(max(i, 0)), i >= 0
}

// registration is a procedure or pattern that callers find, with the callees that
// share it. It is in the realm's index as long as it has any.
type registration struct {
	id      wamp.ID
	uri     string
	match   wamp.Match
	invoke  invokePolicy
	created time.Time
	// isAuthenticator: its callees are Locals that the router asks directly.
	isAuthenticator bool
	isReserved      bool // its URI was an authenticator's or authorizer's when it was made

	list atomic.Pointer[[]*offer] // see callees; replaced under the realm's lock
	turn atomic.Uint64            // of round robin
}

// offer is one callee's part in a registration. It is immutable but for the last
// two fields, which the lock of the session's invocations guards.
type offer struct {
	registration  *registration
	session       *session
	options       wamp.RegisterOptions
	authenticator auth.Authenticator // of a Local, that the router asks directly
	authorizer    auth.Authorizer    // likewise
	isGranted     bool               // no rule allowed it, but the realm's authorizer

	isGone  bool // it was taken back: no INVOCATION goes there any more
	running int  // calls without an answer that it was handed
}

// isAsked reports whether the router asks the callee directly.
func (o *offer) isAsked() bool { return o.authenticator != nil || o.authorizer != nil }

// callees are those of the moment, in the order of registration. The slice is not
// changed any more.
func (reg *registration) callees() []*offer {
	if l := reg.list.Load(); l != nil {
		return *l
	}
	return nil
}

func (reg *registration) setCallees(l []*offer) { reg.list.Store(&l) }

// mayServe reports whether the callee's role may still serve a concrete
// procedure: a pattern is allowed as a whole, and its role's rules may be new.
func (o *offer) mayServe(procedure string) bool {
	return o.session.rules.Load().permits(auth.Register, procedure, o.isGranted)
}

// candidates goes through the callees of a registration as its policy says: the
// one that is to get a call, then those that get it where others cannot take it.
type candidates struct {
	registration *registration
	offers       []*offer
	at           int // of the next one; random: of the last one, from 1 on
	left         int
	isCopy       bool
}

func (reg *registration) candidates() candidates {
	c := candidates{registration: reg, offers: reg.callees()}
	c.left = len(c.offers)
	return c
}

// next returns the next candidate, or nil. In a round robin it has had its turn.
func (c *candidates) next() *offer {
	if c.left == 0 {
		return nil
	}
	switch c.registration.invoke {
	case invokeLast:
		c.left--
		return c.offers[c.left]
	case invokeRoundRobin:
		turn := c.registration.turn.Add(1) - 1
		if c.left == len(c.offers) {
			c.at = int(turn % uint64(len(c.offers)))
		} else {
			c.at = (c.at + 1) % len(c.offers)
		}
		c.left--
		return c.offers[c.at]
	case invokeRandom:
		return c.draw()
	}
	c.left--
	c.at++
	return c.offers[c.at-1]
}

// draw returns any of those that were not drawn yet.
func (c *candidates) draw() *offer {
	if c.at > 0 {
		if !c.isCopy {
			c.offers, c.isCopy = slices.Clone(c.offers), true
		}
		c.offers[c.at-1] = c.offers[c.left]
	}
	i := rand.IntN(c.left)
	c.left--
	c.at = i + 1
	return c.offers[i]
}

// register answers REGISTER.
func (s *session) register(b *transport.Batch, w *work, m *wamp.Register) {
	r := s.realm
	d, e := s.consult(context.Background(), b, auth.Register, m.Procedure, m.Options.Match, auth.QuestionOptions{Invoke: m.Options.Invoke})
	if e != nil {
		s.fail(b, w, wamp.TypeRegister, m.Request, e)
		return
	}
	defer r.flushMeta(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	reg, superseded, e := s.prepare(d, m)
	if e != nil {
		s.fail(b, w, wamp.TypeRegister, m.Request, e)
		return
	}
	o := &offer{registration: reg, session: s, options: m.Options, isGranted: d.isGranted}
	// Who sees REGISTERED may count on it, so that it is sent last; whoever finds
	// the registration before waits for this lock, so that no INVOCATION is ahead.
	s.invocations.mu.Lock()
	isNew := r.attach(o)
	s.send(b, &wamp.Registered{Request: m.Request, Registration: reg.id})
	s.invocations.mu.Unlock()
	for _, old := range superseded {
		r.detach(old)
		old.revoked(b, "replaced")
	}
	r.noteRegistered(s, reg, isNew)
}

// prepare returns the registration that m joins, a new one or one that is there,
// and the callees of another in whose place it comes. The realm is locked.
func (s *session) prepare(d *decision, m *wamp.Register) (reg *registration, superseded []*offer, e *ErrorReply) {
	m.Options.Concurrency = max(m.Options.Concurrency, 0)
	if s.hasLeft() { // since d was decided: nothing takes back what it registers now
		return nil, nil, sessionLeft()
	}
	if e := s.mayRegister(d, m.Procedure, m.Options); e != nil {
		return nil, nil, e
	}
	existing, exists := s.realm.registrations.Get(m.Options.Match, m.Procedure)
	if exists && m.Options.ForceReregister && !existing.hasLocal() {
		exists, superseded = false, existing.callees()
	}
	if exists {
		if e := existing.conflict(m.Options, false); e != nil {
			return nil, nil, e
		}
		if s.registrations[existing.id] != nil {
			// Some clients end their session where REGISTERED has an id that they have.
			return nil, nil, newError(wamp.ErrProcedureAlreadyExists, "procedure %q is already registered by this session", m.Procedure)
		}
	}
	if limit := s.node.limits.Registrations; len(s.registrations) >= limit {
		return nil, nil, newError(wamp.ErrUnavailable, "session has %d registrations, which is the limit", limit)
	}
	if exists {
		return existing, nil, nil
	}
	return s.node.newRegistration(m.Procedure, m.Options, false), superseded, nil
}

// newRegistration makes one that has no callees yet. Its policy is valid.
func (n *Node) newRegistration(uri string, o wamp.RegisterOptions, isAuthenticator bool) *registration {
	invoke, _ := parseInvoke(o.Invoke)
	return &registration{
		id: n.nextRegistration(), uri: uri, match: o.Match, invoke: invoke, created: time.Now(),
		isAuthenticator: isAuthenticator,
		isReserved:      o.Match == wamp.Exact && n.snapshot.Load().policy.Authenticators[uri],
	}
}

// hasLocal reports whether a component has part in it. What it offers is the
// configuration's: no client takes it away.
func (reg *registration) hasLocal() bool {
	return slices.ContainsFunc(reg.callees(), func(o *offer) bool { return o.session.local != nil })
}

// conflict says why a further callee cannot share the registration, or nil.
func (reg *registration) conflict(o wamp.RegisterOptions, isAuthenticator bool) *ErrorReply {
	invoke, _ := parseInvoke(o.Invoke)
	switch {
	case reg.invoke == invokeSingle, reg.isAuthenticator != isAuthenticator:
		return alreadyRegistered(reg.uri, reg.match)
	case reg.invoke != invoke:
		return newError(wamp.ErrInvocationPolicyConflict,
			"register for already registered procedure '%s' with conflicting invocation policy (has %s and %s was requested)",
			reg.uri, reg.invoke, invoke)
	}
	return nil
}

func alreadyRegistered(uri string, m wamp.Match) *ErrorReply {
	return newError(wamp.ErrProcedureAlreadyExists, "procedure %q is already registered with match %q", uri, m)
}

// mayRegister says why s may not register a procedure, or nil. d is what was
// decided about it.
func (s *session) mayRegister(d *decision, uri string, o wamp.RegisterOptions) *ErrorReply {
	isAuthenticator := s.node.snapshot.Load().policy.Authenticators[uri]
	_, isPolicy := parseInvoke(o.Invoke)
	switch {
	case !d.isValid:
		return invalidURI("procedure", uri, o.Match)
	case d.isReserved:
		return reservedURI("register", uri)
	case !isPolicy:
		return newError(wamp.ErrOptionNotAllowed,
			`option "invoke" is %.32q, but must be one of "single", "first", "last", "roundrobin" and "random"`, o.Invoke)
	case !d.allows(auth.Register):
		return s.notAuthorized("register procedure", uri)
	case isAuthenticator && !d.isExact:
		e := s.notAuthorized("register procedure", uri)
		e.Text += ": it is an authenticator's, which takes an exact permission rule"
		return e
	case o.Match == wamp.Wildcard && s.realm.registrations.Shapes(uri) >= s.node.limits.WildcardShapes:
		return s.tooManyShapes(uri)
	}
	return nil
}

// unregister answers UNREGISTER.
func (s *session) unregister(b *transport.Batch, w *work, m *wamp.Unregister) {
	r := s.realm
	r.mu.Lock()
	o, ok := s.registrations[m.Registration]
	if ok {
		r.removeOffer(o)
	}
	r.mu.Unlock()
	if !ok {
		s.fail(b, w, wamp.TypeUnregister, m.Request,
			newError(wamp.ErrNoSuchRegistration, "session has no registration %d", m.Registration))
		return
	}
	s.send(b, &wamp.Unregistered{Request: m.Request})
	r.flushMeta(b)
}

// revokeCallee takes a session's part in a registration from it, and tells it if
// it can be told. It returns false where there is no such registration, or the
// session has no part in it.
func (r *realm) revokeCallee(b *transport.Batch, registration, callee wamp.ID, reason string) (hasRegistration, hasCallee bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reg := r.registrationByID(registration)
	if reg == nil {
		return false, false
	}
	for _, o := range reg.callees() {
		if o.session.id == callee {
			r.removeOffer(o)
			o.revoked(b, reason)
			return true, true
		}
	}
	return true, false
}

// revoked tells the callee that the router took its part back, if it understands
// that (specification: "Registration Revocation").
func (o *offer) revoked(b *transport.Batch, reason string) {
	if s := o.session; s.conn != nil && s.roles.Callee.Has(wamp.FeatureRegistrationRevocation) {
		s.send(b, &wamp.Unregistered{Registration: o.registration.id, Reason: reason})
	}
}
