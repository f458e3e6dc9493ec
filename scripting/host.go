package scripting

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"usher/router/realm"
	"usher/scripting/lualib"
)

// Host runs the components of one scripts directory. Its methods may be called
// concurrently.
type Host struct {
	node     *realm.Node
	services *services
	cancel   context.CancelFunc // of services.ctx
	kicked   chan struct{}      // holds one: the loop has something to do
	offline  bool               // nothing runs but top levels
	status   atomic.Pointer[[]ComponentStatus]
	dirErr   atomic.Pointer[error] // why the directory could not be read; nil: it was

	mu         sync.Mutex // one reload at a time; held while scripts load
	options    *Options   // immutable
	components map[string]*component
	snap       *snapshot // that the components were last loaded from
	loop       *loop     // nil: not started
	closed     bool
}

// ComponentStatus describes one component at one moment.
type ComponentStatus struct {
	Name, File string
	Generation uint64    // in force; 0: none
	Loaded     time.Time // when it came into force
	Realm      string
	Authrole   string
	Session    uint64

	Registrations []string // URIs, sorted; of authenticators, too
	Subscriptions []string
	Denied        []string      // declared, but denied by the role's permissions
	Declarations  []Declaration // all of these, in the order of the script

	// Err says why the last attempt to load the script failed, beginning with
	// file:line where that is known. Nil: it is as on disk.
	Err error
}

// New returns a host for components on node. Nothing runs before Start.
func New(o Options, node *realm.Node) (*Host, error) {
	if o.Dir == "" && o.FS == nil {
		return nil, errors.New("scripting: neither a scripts directory nor a file system is given")
	}
	boundArrays()
	o = o.withDefaults()
	out, err := newOutside(&o)
	if err != nil {
		return nil, fmt.Errorf("scripting: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &Host{
		node:       node,
		cancel:     cancel,
		kicked:     make(chan struct{}, 1),
		options:    &o,
		components: map[string]*component{},
		services: &services{
			watchdog: newWatchdog(o.Limits.HeapGrowth),
			compiled: newCompiled(o.Coverage),
			stores:   newStores(o.Limits.Store, o.Clock.Now),
			tasks:    &tasks{},
			clock:    o.Clock,
			costly:   lualib.NewCostly(o.Limits.HashMemory),
			outside:  out,
			ctx:      ctx,
		},
	}
	h.publish()
	return h, nil
}

// Start loads all components and begins to watch the directory. A script that is
// broken does not keep the others from starting: see Status. The error is that
// of a directory or a file of kv that cannot be read at all.
func (h *Host) Start(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	snap, err := h.options.scan(nil)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if h.options.KVFile != "" {
		if err := h.services.stores.open(h.options.KVFile, h.options.Log); err != nil {
			return err
		}
	}
	h.apply(snap, true)
	h.loop = h.startLoop(h.options, snap)
	return nil
}

// Reload reads the directory now and loads what has changed, as the watcher does
// by itself. The error joins those of all components that are not as on disk.
func (h *Host) Reload() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	snap, err := h.options.scan(nil)
	if err != nil {
		return err
	}
	h.apply(snap, true)
	return h.failures()
}

// failures joins the components' errors.
func (h *Host) failures() error {
	var errs []error
	for _, s := range *h.status.Load() {
		if s.Err != nil {
			errs = append(errs, s.Err)
		}
	}
	return errors.Join(errs...)
}

// Status describes all components, sorted by name. It does not wait for a reload
// that is going on.
func (h *Host) Status() []ComponentStatus { return slices.Clone(*h.status.Load()) }

// DirErr says why the scripts directory could not be read the last time; nil: it
// was. The components stay as they were.
func (h *Host) DirErr() error {
	if err := h.dirErr.Load(); err != nil {
		return *err
	}
	return nil
}

// Freeze ends the watching of the directory: what is loaded serves on, and
// nothing is loaded any more but by Reload and Prepared.Commit. It comes first
// when the router stops, or components whose sessions that ends would be loaded
// again.
func (h *Host) Freeze() {
	h.mu.Lock()
	watching := h.loop
	h.loop = nil
	h.mu.Unlock()
	if watching != nil {
		watching.stop() // it may be waiting for h.mu
	}
}

// Close ends all components: their sessions leave, handlers that run may finish
// until ctx ends and are stopped then. The error is ctx's if it came to that.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	h.mu.Unlock()
	h.Freeze()

	h.mu.Lock()
	defer h.mu.Unlock()
	h.services.tasks.close()
	for _, c := range h.components {
		c.delayed.end()
	}
	for _, c := range h.components {
		if c.session != nil {
			c.session.Leave()
		}
	}
	var err error
	if !h.services.tasks.wait(ctx) {
		err = fmt.Errorf("scripts stopped before they were done: %w", ctx.Err())
	}
	h.cancel()
	h.services.tasks.wait(context.Background()) // what runs ends at its next instruction
	for _, c := range h.components {
		c.retire()
	}
	err = errors.Join(err, h.services.stores.close())
	h.services.costly.Close()
	h.services.outside.close()
	h.services.watchdog.close()
	h.publish()
	return err
}

// Settle waits until no handler runs and none is waiting to, or ctx ends, which is
// its error. What is routed meanwhile counts, too.
func (h *Host) Settle(ctx context.Context) error {
	if !h.services.tasks.wait(ctx) {
		return fmt.Errorf("scripts are still busy: %w", ctx.Err())
	}
	return nil
}

// kick makes the loop look at the components.
func (h *Host) kick() {
	select {
	case h.kicked <- struct{}{}:
	default:
	}
}

// publish makes the status visible; h.mu is held.
func (h *Host) publish() {
	all := make([]ComponentStatus, 0, len(h.components))
	for _, c := range h.components {
		all = append(all, c.status())
	}
	slices.SortFunc(all, func(a, b ComponentStatus) int { return cmp.Compare(a.Name, b.Name) })
	h.status.Store(&all)
}

func (c *component) status() ComponentStatus {
	s := ComponentStatus{Name: c.name, File: c.file, Err: c.failure}
	g := c.current.Load()
	if g == nil {
		return s
	}
	s.Generation, s.Loaded = g.number, c.loaded
	s.Realm, s.Authrole, s.Session = c.role.Realm, c.role.Authrole, uint64(c.session.Session())
	for i := range g.declarations {
		d := &g.declarations[i]
		s.Declarations = append(s.Declarations, d.describe())
		switch {
		case d.denied != nil:
			s.Denied = append(s.Denied, d.uri)
		case d.kind == kindSubscription:
			s.Subscriptions = append(s.Subscriptions, d.uri)
		default:
			s.Registrations = append(s.Registrations, d.uri)
		}
	}
	slices.Sort(s.Registrations)
	slices.Sort(s.Subscriptions)
	slices.Sort(s.Denied)
	return s
}

// retire takes the component's generation out of force.
func (c *component) retire() {
	if g := c.current.Swap(nil); g != nil {
		g.stopTimers()
		g.pool.retire()
	}
}

// Check loads the scripts of o on node, which may be one that has nothing but a
// policy, and says what each registers. It runs top levels only and leaves
// nothing behind. The error joins what is wrong with each script.
func Check(o Options, node *realm.Node) ([]ComponentStatus, error) {
	h, err := New(o, node)
	if err != nil {
		return nil, err
	}
	h.offline = true
	defer h.Close(context.Background())
	err = h.Reload()
	return h.Status(), err
}

// Prepared is a configuration that was found good together with the scripts.
type Prepared struct {
	host    *Host
	options *Options
	snap    *snapshot
	outside *outside
}

// Prepare checks the scripts of o against a policy that is not in force yet, as
// Check does. Commit makes them current.
func (h *Host) Prepare(p *realm.Policy, o Options) (*Prepared, error) {
	if o.Dir == "" && o.FS == nil {
		return nil, errors.New("scripting: neither a scripts directory nor a file system is given")
	}
	o = o.withDefaults()
	snap, err := o.scan(nil)
	if err != nil {
		return nil, err
	}
	silent := o
	silent.Log = slog.New(slog.DiscardHandler)
	node := realm.NewNode(p, realm.Limits{}, "", silent.Log)
	trial, err := New(silent, node)
	if err != nil {
		return nil, err
	}
	trial.offline = true
	defer trial.Close(context.Background())
	trial.mu.Lock()
	trial.apply(snap, true)
	err = trial.failures()
	trial.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out, err := newOutside(&o)
	if err != nil {
		return nil, err
	}
	return &Prepared{host: h, options: &o, snap: snap, outside: out}, nil
}

// Commit loads all components under the options that were prepared. Call it after
// realm.Node.Apply of the same policy. What fails now, because a client holds a
// procedure of a script, shows in Status. KVFile, Limits.Store,
// Limits.HeapGrowth and Limits.HashMemory stay as they were at New.
func (p *Prepared) Commit() {
	h := p.host
	h.mu.Lock()
	watched := h.loop != nil
	h.mu.Unlock()
	h.Freeze()

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.options = p.options
	h.services.outside.become(p.outside)
	for _, c := range h.components {
		c.tried = nil // options count, too
	}
	found := p.snap.components()
	for name, c := range h.components {
		if found[name] == nil {
			h.remove(c)
		}
	}
	h.apply(p.snap, true)
	if watched {
		h.loop = h.startLoop(h.options, p.snap)
	}
}
