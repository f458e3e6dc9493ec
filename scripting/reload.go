package scripting

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"usher/router/realm"
	"usher/router/wamp"
)

// goneAfter is how long a script must be missing before its component leaves
// force: some savers remove the file before they write it anew.
const goneAfter = 2 * time.Second

// conflict is a declaration that another component holds.
type conflict struct {
	where, text string
}

func (e *conflict) Error() string { return e.where + ": " + e.text }

// apply makes the components those of snap; h.mu is held. changed says that snap
// differs from the last one, so that what failed is tried again.
//
// It returns when it should be called again, because a file is missing; zero:
// need not be.
func (h *Host) apply(snap *snapshot, changed bool) time.Time {
	h.noteEnded()
	now := time.Now()
	var again time.Time
	found := snap.components()
	for name, c := range h.components {
		switch {
		case found[name] != nil:
			c.gone = time.Time{}
		case c.gone.IsZero():
			c.gone = now
			again = now.Add(goneAfter)
		case now.Sub(c.gone) >= goneAfter:
			h.remove(c)
		default:
			again = c.gone.Add(goneAfter)
		}
	}
	var todo []*component
	for name, f := range found {
		c := h.components[name]
		if c == nil {
			c = newComponent(name, f.name, h.services, h.options)
			h.components[name] = c
		}
		if c.outdated(snap, changed) {
			todo = append(todo, c)
		}
	}
	slices.SortFunc(todo, func(a, b *component) int { return cmp.Compare(a.name, b.name) })
	h.loadAll(todo, snap)
	h.snap = snap
	h.services.compiled.forget(snap)
	h.publish()
	return again
}

// noteEnded takes out of force what lost its session.
func (h *Host) noteEnded() {
	for _, c := range h.components {
		if c.handler == nil {
			continue
		}
		if reason := c.handler.ended.Load(); reason != nil {
			c.retire()
			c.session, c.handler, c.tried = nil, nil, nil
			c.log.Warn("session of a component closed", slog.String("reason", *reason))
		}
	}
}

// outdated reports whether the component should be loaded from snap.
func (c *component) outdated(snap *snapshot, changed bool) bool {
	if c.tried == nil {
		return true
	}
	needs := c.tried
	if c.failure != nil {
		if changed || c.refused {
			return true // what was in its way may be gone
		}
	} else if g := c.current.Load(); g != nil {
		needs = g.dependencies() // with what handlers have required since
	}
	for name, d := range needs {
		if snap.digestOf(name) != d {
			return true
		}
	}
	return false
}

// loadAll loads components. Those that want what another one holds are tried
// again once others have loaded: it may have moved from one file to the other.
func (h *Host) loadAll(todo []*component, snap *snapshot) {
	type failed struct {
		err error
		new bool // not the same failure of the same files again
	}
	failures := map[*component]failed{}
	for progress := true; progress && len(todo) > 0; {
		progress = false
		var again []*component
		for _, c := range todo {
			before := c.tried
			err := h.load(c, snap)
			if err == nil {
				progress = true
				delete(failures, c)
				continue
			}
			f, seen := failures[c]
			f.err = err
			if !seen {
				f.new = c.failure == nil || c.failure.Error() != err.Error() || !equalDigests(before, c.tried)
			}
			failures[c] = f
			var other *conflict
			if errors.As(err, &other) {
				again = append(again, c)
			}
		}
		todo = again
	}
	for c, f := range failures {
		c.failure = f.err
		if f.new {
			c.logFailed(f.err)
		}
	}
}

func equalDigests(a, b map[string]digest) bool {
	if len(a) != len(b) {
		return false
	}
	for name, d := range a {
		if b[name] != d {
			return false
		}
	}
	return true
}

// logFailed says that a load failed, and what is in force all the same.
func (c *component) logFailed(err error) {
	log := c.log.With(slog.Uint64("generation", c.number))
	if g := c.current.Load(); g != nil {
		logFailure(log.With(slog.Uint64("generation_in_force", g.number)), "script not loaded, its last good generation stays", err)
		return
	}
	logFailure(log, "script not loaded", err)
}

// load makes one generation of c and puts it into force.
func (h *Host) load(c *component, snap *snapshot) error {
	begun := time.Now()
	c.number++
	c.log = h.options.Log.With(slog.String("component", c.name), slog.String("script", c.file))
	g := &generation{
		number:    c.number,
		name:      c.name,
		file:      c.file,
		options:   h.options,
		services:  h.services,
		component: c,
		snap:      snap,
		log:       c.log.With(slog.Uint64("generation", c.number)),
		needs:     map[string]digest{},
	}
	handler := &sessionHandler{component: c, kick: h.kick}
	l := &load{component: c, node: h.node, session: c.session, role: c.role, handler: handler}
	err := l.generation(g)
	if err == nil {
		c.wants = g.uris()
		if err = h.bind(c, g, l.joined); err != nil {
			g.discard()
			l.undo(g)
		}
	}
	c.tried = g.dependencies()
	var reply *realm.ErrorReply
	c.refused = l.refused || errors.As(err, &reply)
	if err != nil {
		return err
	}
	if l.joined {
		c.handler = handler
	}
	c.session, c.role, c.failure, c.loaded = g.session, g.role, nil, time.Now()
	if h.offline {
		return nil
	}
	g.log.Info("script loaded",
		slog.String("realm", g.role.Realm), slog.String("authrole", g.role.Authrole),
		slog.Int("declarations", len(g.places)),
		slog.Float64("milliseconds", float64(time.Since(begun).Microseconds())/1000))
	return nil
}

// uris returns the procedures that the generation declares.
func (g *generation) uris() map[string]bool {
	uris := map[string]bool{}
	for i := range g.declarations {
		if d := &g.declarations[i]; d.kind != kindSubscription && d.denied == nil {
			uris[d.uri] = true
		}
	}
	return uris
}

// bind puts g into force in place of what c had.
func (h *Host) bind(c *component, g *generation, joined bool) error {
	if err := h.mayReplace(c, g); err != nil {
		return err
	}
	g.begin()
	old := c.current.Load()
	bindings := g.bindings(c)
	if joined && c.session != nil {
		// The old session's registrations are in the new one's way.
		if err := c.session.Bind(realm.Bindings{}, nil); err != nil {
			return fmt.Errorf("%s: %w", g.file, err)
		}
	}
	if err := g.session.Bind(bindings, func() { c.current.Store(g) }); err != nil {
		if joined && c.session != nil && old != nil {
			err = errors.Join(err, c.session.Bind(old.bindings(c), nil))
		}
		return g.locate(c, err)
	}
	if joined && c.session != nil {
		c.session.Leave()
	}
	if old != nil {
		old.stopTimers()
		old.pool.retire()
	}
	if h.offline {
		g.leader.onReady = nil
	} else {
		g.startTimers(old)
	}
	g.start()
	return nil
}

// mayReplace says what is in g's way among the scripts themselves.
func (h *Host) mayReplace(c *component, g *generation) error {
	old := c.current.Load()
	for _, uri := range h.options.RequiredURIs {
		if old != nil && old.registers(uri) && !g.registers(uri) && !h.othersWant(c, uri) {
			return fmt.Errorf("%s:1: the script does not register %s any more, which the configuration names", g.file, uri)
		}
	}
	for _, name := range h.names() {
		other := h.components[name]
		held := other.current.Load()
		if other == c || held == nil || held.role.Realm != g.role.Realm {
			continue
		}
		for i := range g.declarations {
			d := &g.declarations[i]
			j, taken := held.find(d.place())
			if d.kind == kindSubscription || d.denied != nil || !taken {
				continue
			}
			return &conflict{d.where, fmt.Sprintf("%s is held by component %s (%s): component %s cannot have it, too",
				d.String(), other.name, held.declarations[j].where, c.name)}
		}
	}
	return nil
}

// othersWant reports whether another script declares a URI, and would have it if
// c let it go.
func (h *Host) othersWant(c *component, uri string) bool {
	for _, other := range h.components {
		if other != c && other.wants[uri] {
			return true
		}
	}
	return false
}

func (h *Host) names() []string {
	names := make([]string, 0, len(h.components))
	for name := range h.components {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// locate finds the declaration because of which the router refused them all.
func (g *generation) locate(c *component, err error) error {
	for i := range g.declarations {
		d := &g.declarations[i]
		if d.denied != nil {
			continue
		}
		var one realm.Bindings
		if d.kind == kindSubscription {
			one.Subscriptions = []realm.SubscriptionBinding{d.subscription()}
		} else {
			one.Registrations = []realm.Binding{d.registration(c)}
		}
		var reply *realm.ErrorReply
		if single := g.session.Check(one); errors.As(single, &reply) {
			if reply.URI == wamp.ErrProcedureAlreadyExists {
				return fmt.Errorf("%s: %s is held by another session: %w", d.where, d.String(), reply)
			}
			return fmt.Errorf("%s: %w", d.where, reply)
		}
	}
	return fmt.Errorf("%s: %w", g.file, err)
}

// remove ends a component whose file has gone.
func (h *Host) remove(c *component) {
	generation := uint64(0)
	if g := c.current.Load(); g != nil {
		generation = g.number
	}
	if c.session != nil {
		c.session.Leave()
	}
	c.retire()
	c.delayed.end()
	delete(h.components, c.name)
	c.log.Info("script removed", slog.Uint64("generation", generation))
}
