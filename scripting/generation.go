package scripting

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting/lualib"
)

// kind is what a declaration is.
type kind uint8

const (
	kindAuthenticator kind = iota
	kindProcedure
	kindSubscription
	kindAuthorizer
)

// verb is the function that declares a kind; noun is how messages call it.
func (k kind) verb() string {
	return [...]string{"router.authenticator", "router.register", "router.subscribe", "router.authorizer"}[k]
}

func (k kind) noun() string {
	return [...]string{"authenticator", "procedure", "subscription", "authorizer"}[k]
}

// declaration is one router.authenticator, authorizer, register or subscribe of the
// top level.
type declaration struct {
	kind    kind
	uri     string
	options options
	where   string            // file:line of the call
	denied  *realm.ErrorReply // by the role's permissions; nil: in force
}

// options are what a declaration asked for, in the form of the router. They can
// be compared: equal ones keep their registration or subscription.
type options struct {
	match wamp.Match

	// Of procedures.
	invoke          string
	concurrency     int
	discloseCaller  wamp.Bool
	forceReregister bool
	forwardTimeout  bool

	// Of subscriptions.
	getRetained bool
	concurrent  bool // events need not wait for each other
}

// place tells the declarations of one generation apart.
type place struct {
	subscription bool
	uri          string
	match        wamp.Match
}

func (d *declaration) place() place {
	return place{d.kind == kindSubscription, d.uri, d.options.match}
}

// Declaration is one thing that a script registers or subscribes to.
type Declaration struct {
	Kind   string // "authenticator", "authorizer", "procedure" or "subscription"
	URI    string
	Match  wamp.Match
	Where  string // file:line
	Denied error  // by the role's permissions; nil: in force
}

func (d *declaration) describe() Declaration {
	out := Declaration{Kind: d.kind.noun(), URI: d.uri, Match: d.options.match, Where: d.where}
	if d.denied != nil {
		out.Denied = d.denied
	}
	return out
}

func (d *declaration) String() string { return d.kind.noun() + " " + d.uri }

// generation is what one state of a component's files defines. What the leader
// declared does not change after load.
type generation struct {
	number  uint64
	name    string // of the component
	file    string
	options *Options
	*services
	component *component

	snap *snapshot
	main *lua.FunctionProto
	log  *slog.Logger

	role    Role
	session *realm.Local
	store   *lualib.Store
	single  bool // vms = 1
	vms     int  // 0: as configured

	declarations []declaration
	places       map[place]int
	timers       []*timer
	leader       *vm // until the pool has it
	pool         *pool
	await        func(L *lua.LState, f func()) // of a Bench; nil: see vm.wait

	mu    sync.Mutex
	needs map[string]digest // files that it was made of; zero: not there
}

// services are what the generations of a host share.
type services struct {
	watchdog *watchdog
	compiled *compiled
	stores   *stores
	ctx      context.Context // ends with the host
	tasks    *tasks          // handlers that run
	costly   *lualib.Costly
	clock    Clock
	outside  *outside
}

// stores are the kv of each realm. They stay until the process ends, and longer
// where there is a file.
type stores struct {
	limits lualib.StoreLimits
	now    func() time.Time

	mu      sync.Mutex
	byRealm map[string]*lualib.Store
	file    *lualib.StoreFile // nil: they are in memory only
}

func newStores(l lualib.StoreLimits, now func() time.Time) *stores {
	return &stores{limits: l, now: now, byRealm: map[string]*lualib.Store{}}
}

// open makes them those of a file, before any is asked for.
func (s *stores) open(path string, log *slog.Logger) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file, err = lualib.OpenStoreFile(path, s.limits, log)
	return err
}

// close writes to the file what is not there yet.
func (s *stores) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

func (s *stores) of(realm string) *lualib.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		return s.file.Store(realm)
	}
	store := s.byRealm[realm]
	if store == nil {
		store = lualib.NewStore(s.limits, s.now)
		s.byRealm[realm] = store
	}
	return store
}

// need notes that the generation depends on a file, and returns it.
func (g *generation) need(name string) *file {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.needs[name] = g.snap.digestOf(name)
	return g.snap.files[name]
}

// dependencies returns what need was asked for.
func (g *generation) dependencies() map[string]digest {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.needs)
}

// module returns the compiled module of a file.
func (g *generation) module(path string) (*lua.FunctionProto, error) {
	f := g.need(path)
	switch {
	case f == nil:
		return nil, fmt.Errorf("there is no module %s in the scripts directory", path)
	case isComponent(path):
		return nil, fmt.Errorf("%s is a component of its own: move what is shared to a sub-directory", path)
	}
	return g.compiled.compile(f)
}

// find returns the index of a declaration that is in force.
func (g *generation) find(at place) (int, bool) {
	i, ok := g.places[at]
	if !ok || g.declarations[i].denied != nil {
		return 0, false
	}
	return i, true
}

// registers reports whether the generation offers a procedure or authenticator
// under exactly this URI.
func (g *generation) registers(uri string) bool {
	_, ok := g.find(place{false, uri, wamp.Exact})
	return ok
}

// bindings are the declarations in the form of the router.
func (g *generation) bindings(c *component) realm.Bindings {
	var b realm.Bindings
	for i := range g.declarations {
		d := &g.declarations[i]
		if d.denied != nil {
			continue
		}
		if d.kind == kindSubscription {
			b.Subscriptions = append(b.Subscriptions, d.subscription())
		} else {
			b.Registrations = append(b.Registrations, d.registration(c))
		}
	}
	return b
}

func (d *declaration) subscription() realm.SubscriptionBinding {
	return realm.SubscriptionBinding{URI: d.uri, Options: wamp.SubscribeOptions{
		Match:       d.options.match,
		GetRetained: d.options.getRetained,
	}}
}

func (d *declaration) registration(c *component) realm.Binding {
	b := realm.Binding{URI: d.uri, Options: wamp.RegisterOptions{
		Match:           d.options.match,
		Invoke:          d.options.invoke,
		Concurrency:     d.options.concurrency,
		DiscloseCaller:  d.options.discloseCaller,
		ForceReregister: d.options.forceReregister,
		ForwardTimeout:  d.options.forwardTimeout,
	}}
	switch d.kind { // equal for all generations, so that the registration stays
	case kindAuthenticator:
		b.Authenticator = authenticator{component: c, uri: d.uri}
	case kindAuthorizer:
		b.Authorizer = authorizer{component: c, uri: d.uri}
	}
	return b
}

// begin makes the pool, of which the leader is the first VM.
func (g *generation) begin() {
	l := g.options.Limits
	limits := poolLimits{
		vms: l.VMs, idle: l.IdleVMs, calls: l.CallsPerVM, computing: l.Computing,
		single: g.single,
	}
	if g.vms > 0 {
		limits.vms = min(g.vms, l.VMs)
	}
	g.pool = &pool{limits: limits, create: func() (*vm, error) { return newVM(g.ctx, g, nil) }}
	g.pool.adopt()
}

// start puts the leader to use, once the generation is in force: it runs what
// router.on_ready was given and joins the pool.
func (g *generation) start() {
	leader := g.leader
	g.leader = nil
	if len(leader.onReady) == 0 {
		g.pool.release(leader)
		return
	}
	g.tasks.Go(func() {
		defer g.pool.release(leader)
		for _, fn := range leader.onReady {
			err := leader.do(g.ctx, "router.on_ready", func() error {
				_, err := leader.call(fn)
				return err
			})
			if err != nil {
				logFailure(g.log, "router.on_ready failed", err)
			}
			if leader.broken {
				return
			}
		}
		leader.onReady = nil
	})
}

// discard gives back a generation that did not come into force.
func (g *generation) discard() {
	if g.leader != nil {
		g.leader.close()
		g.leader = nil
	}
}

// load is the way from a file to a generation: the leader runs the script's top
// level, which joins and declares.
type load struct {
	component *component
	node      *realm.Node
	session   *realm.Local // of the component so far, if any
	role      Role         // of session
	handler   realm.LocalHandler

	joined  bool // session was made by this load
	refused bool // the router did not let it join
}

// generation runs the script. On an error nothing is left of it, but what it
// depends on is known.
func (l *load) generation(g *generation) error {
	f := g.need(g.file)
	if f == nil {
		return fmt.Errorf("%s does not exist any more", g.file)
	}
	main, err := g.compiled.compile(f)
	if err != nil {
		return err
	}
	g.main = main
	g.places = map[place]int{}
	if section, ok := g.options.Components[g.name]; ok {
		if err := l.join(g, section); err != nil {
			return fmt.Errorf("%s: join as the configuration says: %w", g.file, err)
		}
	}
	leader, err := newVM(g.ctx, g, l)
	if err == nil && g.session == nil {
		leader.close()
		err = fmt.Errorf("%s:1: the script does not join a realm: it needs router.join { realm = …, authrole = … }", g.file)
	}
	if err != nil {
		l.undo(g)
		return err
	}
	g.leader = leader
	return nil
}

// join gives the generation its session: the component's, while its role stays.
func (l *load) join(g *generation, r Role) error {
	if l.session != nil && l.role == r {
		g.session = l.session
	} else {
		session, err := l.node.Join(realm.LocalOptions{Realm: r.Realm, Authrole: r.Authrole, Authid: g.name}, l.handler)
		if err != nil {
			l.refused = true
			return err
		}
		g.session, l.joined = session, true
	}
	g.role = r
	g.store = g.stores.of(r.Realm)
	return nil
}

// undo takes back a join of this load.
func (l *load) undo(g *generation) {
	if l.joined {
		g.session.Leave()
		g.session, l.joined = nil, false
	}
}

var _ auth.Authenticator = authenticator{}
