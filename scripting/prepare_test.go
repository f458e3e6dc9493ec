package scripting

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/realm"
)

func TestCheckSaysWhatEachScriptRegisters(t *testing.T) {
	w := &world{TB: t, dir: t.TempDir(), log: &logBuffer{}}
	w.write("a.lua", backend(`
router.register("com.example.f", print)
router.subscribe("com.example.t", print)
pcall(router.subscribe, "com.example.denied", print)
router.on_ready(function() print("on_ready ran") end)
print("top level")`))
	w.write("b.lua", "=")
	w.write("authenticate.lua", seedAuthenticator)
	silent := slog.New(slog.DiscardHandler)
	node := realm.NewNode(testPolicy(), realm.Limits{}, "test", silent)
	o := Options{Dir: w.dir, Log: slog.New(slog.NewTextHandler(w.log, nil))}
	all, err := Check(o, node)
	if err == nil || !strings.HasPrefix(err.Error(), "b.lua:1: unexpected symbol near '='") {
		t.Errorf("%v", err)
	}
	if len(all) != 3 || all[0].Name != "a" || all[1].Name != "authenticate" || all[2].Name != "b" {
		t.Fatalf("%+v", all)
	}
	a := all[0]
	if strings.Join(a.Registrations, " ") != "com.example.f" || strings.Join(a.Subscriptions, " ") != "com.example.t" ||
		strings.Join(a.Denied, " ") != "com.example.denied" || a.Realm != "realm1" || a.Authrole != "backend" {
		t.Errorf("%+v", a)
	}
	if strings.Join(all[1].Registrations, " ") != authenticate {
		t.Errorf("%+v", all[1])
	}
	if len(w.log.lines("top level")) != 1 || len(w.log.lines("on_ready ran")) != 0 {
		t.Errorf("the log:\n%s", w.log)
	}
	if n := node.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// policyWith is the test policy with the role authenticator under another name.
func policyWith(role string) *realm.Policy {
	p := testPolicy()
	roles := map[string]*auth.Role{}
	for name, r := range p.Realms["realm1"].Roles {
		if name == "authenticator" {
			name = role
		}
		roles[name] = &auth.Role{Name: name, Rules: r.Rules}
	}
	p.Realms["realm1"] = &realm.RealmPolicy{Name: "realm1", Roles: roles}
	return p
}

func TestConfigurationAndScriptsAreTakenUpTogetherOrNotAtAll(t *testing.T) {
	w := newWorld(t, map[string]string{"authenticate.lua": seedAuthenticator, "a.lua": answering(1)})
	o := *w.host.options
	session := w.status("a").Session

	// The scripts do not fit the policy: nothing changes.
	if _, err := w.host.Prepare(policyWith("doorman"), o); err == nil || !strings.Contains(err.Error(), "authenticate.lua:2: router.join: wamp.error.no_such_role") {
		t.Fatalf("%v", err)
	}
	if s := w.status("authenticate"); s.Err != nil || s.Generation != 1 {
		t.Errorf("%+v", s)
	}

	// With the components section they do.
	w.write("authenticate.lua", strings.Replace(seedAuthenticator, `"authenticator"`, `"doorman"`, 1))
	o.Components = map[string]Role{"authenticate": {"realm1", "doorman"}}
	p := policyWith("doorman")
	prepared, err := w.host.Prepare(p, o)
	if err != nil {
		t.Fatal(err)
	}
	w.node.Apply(p)
	prepared.Commit()
	if s := w.status("authenticate"); s.Err != nil || s.Authrole != "doorman" {
		t.Errorf("%+v\n%s", s, w.log)
	}
	if _, err := w.login("joe", "secret!!!"); err != nil {
		t.Error(err)
	}
	if s := w.status("a"); s.Session != session || s.Err != nil {
		t.Errorf("%+v", s)
	}
	// The directory is still watched.
	w.write("a.lua", answering(2))
	w.serves("[2]")
}

func TestARoleThatGoesTakesItsComponentAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"authenticate.lua": seedAuthenticator})
	w.node.Apply(policyWith("doorman"))
	eventually(t, "the component is out of force", func() bool { return w.status("authenticate").Generation == 0 })
	if err := w.status("authenticate").Err; err == nil || !strings.Contains(err.Error(), "no_such_role") {
		t.Errorf("%v", err)
	}
	if _, err := w.login("joe", "secret!!!"); err == nil {
		t.Error("a login was accepted")
	}
	w.node.Apply(testPolicy())
	eventually(t, "the component is back", func() bool { _, err := w.login("joe", "secret!!!"); return err == nil })
}

func TestCloseStopsWhatDoesNotEnd(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": backend(`
router.register("com.example.f", function() while true do end end)
router.register("com.example.g", function() end)`)}, func(o *Options) { o.Limits.Call.Instructions = 1 << 60 })
	c := w.client()
	done := make(chan error, 1)
	go func() { _, err := c.call("com.example.f", "[]"); done <- err }()
	c.mustCall("com.example.g", "[]")
	eventually(t, "the call runs", func() bool { return w.host.components["a"].current.Load().pool.busy() > 0 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.host.Close(ctx); err == nil {
		t.Error("nothing had to be stopped")
	}
	if err := <-done; err == nil {
		t.Error("the call was answered")
	}
	if _, err := c.call("com.example.g", "[]"); err == nil {
		t.Error("a closed host answers")
	}
}

func TestAClosedHostLoadsNothing(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": answering(1)})
	prepared, err := w.host.Prepare(testPolicy(), *w.host.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.host.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	prepared.Commit()
	if s := w.status("a"); s.Generation != 0 || s.Err != nil {
		t.Errorf("%+v", s)
	}
}

// busy returns how many VMs run.
func (p *pool) busy() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.computing
}
