package luatest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting"
	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// testRole is the role of tests: it may do everything but what is the router's own.
const testRole = "usher_test"

// world is what one test runs in. It belongs to the goroutine of its virtual
// machine, but for what says otherwise.
type world struct {
	suite    *suite
	file     *testFile
	settings settings
	clock    *clock
	log      *logBook
	policy   *realm.Policy
	node     *realm.Node
	host     *scripting.Host
	bench    *scripting.Bench
	realm    string // of the test's own session
	sessions map[identity]*session

	questions chan question
	over      chan struct{} // closed with the world

	root       *group
	current    *group // whose body runs
	cases      []*testCase
	collecting bool // the file's top level runs
	loaded     bool
	own        settings // answers of this test, before those of its groups
	running    *testCase
	env        map[string]string // under mu
	requests   []lua.LValue
	skipped    string // why the running test gave up; empty: it did not

	pcall, tostring, textFind *lua.LFunction

	mu       sync.Mutex
	failures []*Failure          // may be added to from anywhere
	events   []*realm.LocalEvent // that came to the test's sessions, in order
}

// question is something that a component asks of the test: it is answered on the
// goroutine of the test.
type question interface{ answer(w *world, L *lua.LState) }

// newWorld makes the world of a test, or with no settings the one in which the
// file is read for its tests.
func newWorld(ctx context.Context, f *testFile, s *settings) (*world, error) {
	w := &world{
		suite: f.suite, file: f,
		clock:     &clock{now: time.Now().Truncate(time.Second)},
		log:       &logBook{},
		sessions:  map[identity]*session{},
		questions: make(chan question),
		over:      make(chan struct{}),
		env:       map[string]string{},
	}
	w.root = &group{}
	w.current = w.root
	if s != nil {
		w.settings = *s
		maps.Copy(w.env, s.env)
		if s.time != 0 {
			w.clock.set(atSeconds(s.time))
		}
	} else {
		w.settings.components = []string{}
	}
	if err := w.build(ctx, s != nil); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) build(ctx context.Context, full bool) error {
	log := slog.New(w.log)
	files := &someFiles{FS: w.file.root, only: w.componentNames()}
	o := w.suite.options.Scripting
	o.Dir, o.FS, o.Log, o.Clock = "", files, log, w.clock
	o.LookupEnv = w.getenv
	o.Env = nil
	o.ShowEnv = true
	o.KVFile = ""
	o.SQL, o.FakeSQL = nil, w.sqlFake
	o.HTTP = lualib.HTTPOptions{Transport: httpFake{w}}
	if full {
		o.Coverage = w.suite.coverage
	}
	w.policy = w.suite.policy(w.settings.roles, nil)
	if full && len(w.settings.roles) > 0 {
		w.policy = w.suite.policy(w.settings.roles, authenticators(o, w.policy))
	}
	w.node = realm.NewNode(w.policy, realm.Limits{}, "usher test", slog.New(slog.DiscardHandler))
	var err error
	if w.host, err = scripting.New(o, w.node); err != nil {
		return err
	}
	w.realm = w.suite.firstRealm(w.policy)
	own, err := w.sessionOf(identity{w.realm, testRole, "test"})
	if err != nil {
		return err
	}
	w.collecting = true
	w.bench, err = w.host.NewBench(ctx, scripting.BenchOptions{
		File: w.file.shown, Source: w.file.source,
		Session: own.local, Realm: w.realm,
		Limits: lua51.Limits{Wall: w.suite.options.Timeout, Instructions: 1_000_000_000, Bytes: 512 << 20},
		Open:   w.open,
		Wait:   func(L *lua.LState, f func()) { w.await(L, func(context.Context) { f() }) },
	})
	w.collecting = false
	return err
}

// componentNames are those that are loaded.
func (w *world) componentNames() []string {
	if w.settings.components != nil {
		return w.settings.components
	}
	name := strings.TrimSuffix(path.Base(w.file.name), "_test.lua")
	if _, err := fs.Stat(w.file.root, name+".lua"); err == nil && path.Dir(w.file.name) == "." {
		return []string{name}
	}
	return []string{}
}

// authenticators finds which procedures the components offer as authenticators and
// authorizers, by realm and role: only an exact rule lets a role have them.
func authenticators(o scripting.Options, p *realm.Policy) map[roleSetting][]string {
	quiet := slog.New(slog.DiscardHandler)
	o.Log, o.Coverage = quiet, nil
	found := map[roleSetting][]string{}
	components, _ := scripting.Check(o, realm.NewNode(p, realm.Limits{}, "", quiet)) // what is wrong shows when they load
	for _, c := range components {
		for _, d := range c.Declarations {
			if d.Kind == "authenticator" || d.Kind == "authorizer" {
				at := roleSetting{c.Realm, c.Authrole}
				found[at] = append(found[at], d.URI)
			}
		}
	}
	return found
}

// close ends the world.
func (w *world) close() {
	close(w.over)
	if w.host != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.host.Close(ctx); err != nil {
			w.fail(&Failure{What: "scripts did not stop", Got: err.Error()})
		}
	}
	if w.bench != nil {
		w.bench.Close()
	}
	for _, s := range w.sessions {
		s.local.Leave()
	}
}

// fail notes a failure. It may be called from anywhere.
func (w *world) fail(f *Failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = append(w.failures, f)
}

// load loads the components, unless they are there.
func (w *world) load(L *lua.LState) {
	if w.collecting {
		lualib.Errorf(L, "this works inside of it(…) only: the components are loaded for each test anew")
	}
	if w.loaded {
		return
	}
	w.loaded = true
	var err error
	w.await(L, func(ctx context.Context) {
		if err = w.host.Reload(); err == nil {
			err = w.quiet(ctx) // router.on_ready
		}
	})
	if err == nil {
		for _, name := range w.componentNames() {
			if !slices.ContainsFunc(w.host.Status(), func(s scripting.ComponentStatus) bool { return s.Name == name }) {
				err = errors.Join(err, fmt.Errorf("there is no component %s (%s.lua)", name, name))
			}
		}
	}
	if err != nil {
		lualib.Errorf(L, "the components do not load: %v", err)
	}
}

// await runs f elsewhere and answers what components ask meanwhile. ctx ends with
// the test.
func (w *world) await(L *lua.LState, f func(ctx context.Context)) {
	budget := w.bench.Budget()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() { // ends soon after ctx
		defer close(done)
		f(ctx)
	}()
	for {
		select {
		case q := <-w.questions:
			q.answer(w, L)
		case <-done:
			return
		case <-budget.Closed():
			cancel()
			<-done
			return
		}
	}
}

// ask hands q to the test. It may be called from anywhere.
func (w *world) ask(ctx context.Context, q question) error {
	select {
	case w.questions <- q:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.over:
		return errors.New("the test is over")
	}
}

// settle waits until the components have done all that they had to do.
func (w *world) settle(L *lua.LState) {
	var err error
	w.await(L, func(ctx context.Context) { err = w.quiet(ctx) })
	if err != nil {
		lualib.Errorf(L, "%v", err)
	}
}

// quiet waits until no component has anything to do, timers that are due included.
func (w *world) quiet(ctx context.Context) error {
	for {
		if err := w.host.Settle(ctx); err != nil {
			return err
		}
		if !w.clock.fire(w.clock.Now()) {
			return nil
		}
	}
}

// protected calls fn; raised is nil where it returned.
func (w *world) protected(L *lua.LState, fn *lua.LFunction, args ...lua.LValue) (results []lua.LValue, raised lua.LValue) {
	base := L.GetTop()
	L.Push(w.pcall)
	L.Push(fn)
	for _, a := range args {
		L.Push(a)
	}
	L.Call(len(args)+1, lua.MultRet)
	for i := base + 2; i <= L.GetTop(); i++ {
		results = append(results, L.Get(i))
	}
	ok := L.Get(base+1) == lua.LTrue
	L.SetTop(base)
	switch {
	case ok:
		return results, nil
	case len(results) == 0:
		return nil, lua.LString("an error")
	case results[0] == lua.LNil:
		return nil, lua.LString("nil")
	}
	return nil, results[0]
}

// text is tostring(v).
func (w *world) text(L *lua.LState, v lua.LValue) string {
	if s, ok := v.(lua.LString); ok {
		return string(s)
	}
	results, raised := w.protected(L, w.tostring, v)
	if raised != nil || len(results) == 0 {
		return show(v)
	}
	return results[0].String()
}

// find is string.find(text, pattern) ~= nil.
func (w *world) find(L *lua.LState, text, pattern string) bool {
	L.Push(w.textFind)
	L.Push(lua.LString(text))
	L.Push(lua.LString(pattern))
	L.Call(2, 1)
	found := L.Get(-1) != lua.LNil
	L.Pop(1)
	return found
}

// getenv answers os.getenv of the components. It may be called from anywhere.
func (w *world) getenv(name string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	value, ok := w.env[name]
	return value, ok
}

// someFiles is a scripts directory of which only some components are seen.
type someFiles struct {
	fs.FS
	only []string
}

var _ fs.ReadDirFS = (*someFiles)(nil)

// ReadDir implements fs.ReadDirFS.
func (s *someFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	if name != "." {
		return entries, err
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		component, isScript := strings.CutSuffix(e.Name(), ".lua")
		return isScript && !slices.Contains(s.only, component)
	}), err
}

// policy is the configuration's, with the roles that tests add and their own.
func (s *suite) policy(roles []roleSetting, exact map[roleSetting][]string) *realm.Policy {
	p := &realm.Policy{Realms: map[string]*realm.RealmPolicy{}, Authenticators: map[string]bool{}}
	if base := s.options.Policy; base != nil {
		maps.Copy(p.Authenticators, base.Authenticators)
		for name, r := range base.Realms {
			p.Realms[name] = &realm.RealmPolicy{Name: name, Roles: maps.Clone(r.Roles), Settings: r.Settings}
		}
	}
	for _, r := range roles {
		if p.Realms[r.realm] == nil {
			p.Realms[r.realm] = &realm.RealmPolicy{Name: r.realm, Roles: map[string]*auth.Role{}}
		}
		p.Realms[r.realm].Roles[r.role] = mayAll(r.role, exact[r])
	}
	if len(p.Realms) == 0 {
		p.Realms["realm1"] = &realm.RealmPolicy{Name: "realm1", Roles: map[string]*auth.Role{}}
	}
	for _, r := range p.Realms {
		r.Roles[testRole] = mayAll(testRole, nil)
	}
	return p
}

func mayAll(name string, exact []string) *auth.Role {
	all := auth.Call | auth.Register | auth.Publish | auth.Subscribe
	r := &auth.Role{Name: name, Rules: []auth.Rule{{Match: wamp.Prefix, Allow: all}}}
	slices.Sort(exact)
	for _, uri := range slices.Compact(exact) {
		r.Rules = append(r.Rules, auth.Rule{URI: uri, Match: wamp.Exact, Allow: all})
	}
	return r
}

// firstRealm is the one that tests join where they say nothing.
func (s *suite) firstRealm(p *realm.Policy) string {
	if p.Realms[s.options.Realm] != nil {
		return s.options.Realm
	}
	return slices.Min(slices.Collect(maps.Keys(p.Realms)))
}
