package realm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

const authorizerURI = "com.example.authorize"

// authorized is a policy with a role that has rules for some URIs and an
// authorizer for the rest.
func authorized() *Policy {
	p := scenario()
	p.Authenticators[authorizerURI] = true
	roles := p.Realms["realm1"].Roles
	roles["guarded"] = &auth.Role{Name: "guarded", Authorizer: authorizerURI, Rules: []auth.Rule{
		{URI: "com.static.", Match: wamp.Prefix, Allow: all},
		{URI: "com.static.no"},
	}}
	roles["authorizer"] = &auth.Role{Name: "authorizer", Authorizer: authorizerURI, Rules: []auth.Rule{
		{URI: authorizerURI, Allow: auth.Register},
	}}
	return p
}

// authorizerFunc is an authorizer inside the process.
type authorizerFunc func(context.Context, *auth.Question) (auth.Verdict, error)

func (f authorizerFunc) Authorize(ctx context.Context, q *auth.Question) (auth.Verdict, error) {
	return f(ctx, q)
}

// authorizeBy makes f the realm's authorizer, as a component does.
func (w *world) authorizeBy(f authorizerFunc) *Local {
	w.t.Helper()
	l, err := w.Join(LocalOptions{Realm: "realm1", Authrole: "authorizer", Authid: "authorize"}, newRecorder())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := l.Bind(Bindings{Registrations: []Binding{{URI: authorizerURI, Authorizer: f}}}, nil); err != nil {
		w.t.Fatal(err)
	}
	return l
}

// TestSuiteAuthorizerRemote is Crossbar.io's exchange with an authorizer that is a
// client: what it is asked, and what its answers mean.
func TestSuiteAuthorizerRemote(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, authorized(), Limits{})
		a := w.joinOver(over, "authorizer")
		registration := a.register(authorizerURI, `{}`)
		c := w.joinOver(over, "guarded")
		n := 0
		for _, test := range []struct {
			request, asked, answer, want string
		}{
			{`[16,%d,{"acknowledge":true},"com.example.t"]`, `"com.example.t","publish",{"acknowledge":true}`, `[70,%d,{},[true]]`, `[17,%d,*]`},
			{`[16,%d,{"acknowledge":true},"com.example.t"]`, `"com.example.t","publish",{"acknowledge":true}`, `[70,%d,{},[{"allow":true,"disclose":true}]]`, `[17,%d,*]`},
			{`[32,%d,{},"com.example.t"]`, `"com.example.t","subscribe",{}`, `[70,%d,{},[false]]`,
				`[8,32,%d,{},"wamp.error.not_authorized",["session (session_id=*, authid=\"*\", authrole=\"guarded\") is not authorized to subscribe to topic \"com.example.t\" on realm \"realm1\""]]`},
			{`[32,%d,{"match":"prefix"},"com.example."]`, `"com.example.","subscribe",{"match":"prefix"}`, `[70,%d,{},[true]]`, `[33,%d,*]`},
			{`[64,%d,{"invoke":"roundrobin"},"com.example.p"]`, `"com.example.p","register",{"invoke":"roundrobin"}`, `[70,%d,{},[true]]`, `[65,%d,*]`},
			{`[48,%d,{"timeout":5000},"com.example.q"]`, `"com.example.q","call",{"timeout":5000}`, `[70,%d,{},[true]]`, `[8,48,%d,{},"wamp.error.no_such_procedure",["no callee is registered for procedure \"com.example.q\""]]`},
			{`[48,%d,{},"com.example.q"]`, `"com.example.q","call",{}`, `[8,68,%d,{},"com.example.oops"]`, `[8,48,%d,{},"wamp.error.authorization_failed",["authorization to call \"com.example.q\" failed (reference *)"]]`},
			{`[48,%d,{},"com.example.q"]`, `"com.example.q","call",{}`, `[70,%d,{},["yes"]]`, `[8,48,%d,{},"wamp.error.authorization_failed",**`},
			{`[48,%d,{},"com.example.q"]`, `"com.example.q","call",{}`, `[70,%d,{},[{"allow":1}]]`, `[8,48,%d,{},"wamp.error.authorization_failed",**`},
			{`[48,%d,{},"com.example.q"]`, `"com.example.q","call",{}`, `[70,%d,{},[{"allow":true,"realm":"x"}]]`, `[8,48,%d,{},"wamp.error.authorization_failed",**`},
			{`[48,%d,{},"com.example.q"]`, `"com.example.q","call",{}`, `[70,%d,{}]`, `[8,48,%d,{},"wamp.error.authorization_failed",**`},
			// What a rule says is not asked.
			{`[16,%d,{"acknowledge":true},"com.static.t"]`, ``, ``, `[17,%d,*]`},
			{`[16,%d,{"acknowledge":true},"com.static.no"]`, ``, ``, `[8,16,%d,{},"wamp.error.not_authorized",**`},
			// What the router reserves nobody may have.
			{`[64,%d,{},"wamp.x"]`, ``, ``, `[8,64,%d,{},"wamp.error.invalid_uri",**`},
			{`[48,%d,{},"com.example.authorize"]`, ``, ``, `[8,48,%d,{},"wamp.error.not_authorized",**`},
			{`[64,%d,{},"com.example.authorize"]`, ``, ``, `[8,64,%d,{},"wamp.error.not_authorized",**`},
		} {
			id := c.next()
			c.send(fmt.Sprintf(test.request, id))
			if test.asked != "" {
				n++
				a.expect(fmt.Sprintf(`[68,%d,%d,{},[{"session":%d,"realm":"realm1","authid":"*","authrole":"guarded","authmethod":"anonymous","authprovider":"static","transport":{"peer":"*","protocol":"*"}},%s]]`,
					n, registration, c.session, test.asked))
				a.send(fmt.Sprintf(test.answer, n))
			}
			c.expect(fmt.Sprintf(test.want, id))
		}
		a.expectNothing()
	})
}

// TestAuthorizerCache: an answer is asked for once where it may be remembered, for
// this session, action and URI, until the authorizer changes.
func TestAuthorizerCache(t *testing.T) {
	w := newWorld(t, authorized(), Limits{})
	var asked atomic.Int32
	answer := func(v auth.Verdict) authorizerFunc {
		return func(context.Context, *auth.Question) (auth.Verdict, error) {
			asked.Add(1)
			return v, nil
		}
	}
	l := w.authorizeBy(answer(auth.Verdict{Allow: true, Cache: time.Hour}))
	c, other := w.join(wamp.JSON, "guarded"), w.join(wamp.JSON, "guarded")
	publish := func(c *client, topic, want string) {
		t.Helper()
		c.send(fmt.Sprintf(`[16,%d,{"acknowledge":true},%q]`, c.next(), topic))
		c.expect(fmt.Sprintf(want, c.request))
	}
	const published, denied = `[17,%d,*]`, `[8,16,%d,{},"wamp.error.not_authorized",**`
	expectAsked := func(want int32) {
		t.Helper()
		if got := asked.Load(); got != want {
			t.Fatalf("the authorizer was asked %d times, want %d", got, want)
		}
	}
	for range 3 {
		publish(c, "com.example.a", published)
	}
	expectAsked(1)
	publish(c, "com.example.b", published)
	publish(other, "com.example.a", published)
	expectAsked(3)
	c.subscribe("com.example.a", `{}`)
	expectAsked(4)
	// Another generation says no, and forbids to remember that.
	if err := l.Bind(Bindings{Registrations: []Binding{{URI: authorizerURI, Authorizer: answer(auth.Verdict{})}}}, nil); err != nil {
		t.Fatal(err)
	}
	publish(c, "com.example.a", denied)
	publish(c, "com.example.a", denied)
	expectAsked(6)
	// A denial may be remembered as well, until the configuration changes.
	if err := l.Bind(Bindings{Registrations: []Binding{{URI: authorizerURI, Authorizer: answer(auth.Verdict{Cache: auth.CacheForever})}}}, nil); err != nil {
		t.Fatal(err)
	}
	publish(c, "com.example.a", denied)
	publish(c, "com.example.a", denied)
	expectAsked(7)
	w.Apply(authorized())
	publish(c, "com.example.a", denied)
	expectAsked(8)
	// What is remembered is bounded.
	if err := l.Bind(Bindings{Registrations: []Binding{{URI: authorizerURI, Authorizer: answer(auth.Verdict{Allow: true, Cache: time.Hour})}}}, nil); err != nil {
		t.Fatal(err)
	}
	for i := range maxGrants + 100 {
		publish(c, fmt.Sprintf("com.example.t%d", i), published)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.sessions[c.session].grants.known); n > maxGrants {
		t.Errorf("%d answers are remembered, want at most %d", n, maxGrants)
	}
}

// TestNothingOldIsRemembered: an answer that was asked for while the authorizer
// changed, by a reload of the script or of the configuration, does not outlive that.
func TestNothingOldIsRemembered(t *testing.T) {
	const noURI = "com.example.authorize.no"
	policy := func(uri string) *Policy {
		p := authorized()
		p.Authenticators[noURI] = true
		roles := p.Realms["realm1"].Roles
		roles["guarded"].Authorizer = uri
		roles["authorizer"].Rules = append(roles["authorizer"].Rules, auth.Rule{URI: noURI, Allow: auth.Register})
		return p
	}
	saying := func(allow bool) authorizerFunc {
		return func(context.Context, *auth.Question) (auth.Verdict, error) {
			return auth.Verdict{Allow: allow, Cache: auth.CacheForever}, nil
		}
	}
	w := newWorld(t, policy(authorizerURI), Limits{})
	l := w.authorizeBy(saying(true))
	bindTo := func(allow bool) {
		t.Helper()
		if err := l.Bind(Bindings{Registrations: []Binding{
			{URI: noURI, Authorizer: saying(false)}, {URI: authorizerURI, Authorizer: saying(allow)},
		}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	bindTo(true)
	for range 200 { // so that a change of all sessions takes its time
		w.member(wamp.JSON, "guarded")
	}
	s, _ := w.member(wamp.JSON, "guarded")
	isAllowed := func() bool {
		d, e := s.consult(context.Background(), nil, auth.Publish, "com.example.t", wamp.Exact, auth.QuestionOptions{})
		if e != nil {
			t.Error(e)
			return false
		}
		return d.allows(auth.Publish)
	}
	var asking sync.WaitGroup
	var stop atomic.Bool
	var asked atomic.Int64
	asking.Go(func() {
		for !stop.Load() {
			isAllowed()
			asked.Add(1)
		}
	})
	defer asking.Wait()
	defer stop.Store(true)
	rounds := 2000
	if testing.Short() {
		rounds = 500
	}
	for _, change := range []struct {
		name string
		to   func(allow bool)
	}{
		{"configuration", func(allow bool) { w.Apply(policy(map[bool]string{true: authorizerURI, false: noURI}[allow])) }},
		{"script", bindTo},
	} {
		for i := range rounds {
			want := i%2 == 1
			change.to(want)
			for n := asked.Load(); asked.Load() < n+2; {
				runtime.Gosched() // what was asked meanwhile is answered by then
			}
			if isAllowed() != want {
				t.Fatalf("%s, change %d: got %t, which was said before it", change.name, i, !want)
			}
		}
	}
}

// TestAuthorizedDelivery: whom the authorizer let subscribe gets the events that no
// rule speaks of, and those that a rule allows; a rule that denies still denies.
func TestAuthorizedDelivery(t *testing.T) {
	w := newWorld(t, authorized(), Limits{})
	w.authorizeBy(func(_ context.Context, q *auth.Question) (auth.Verdict, error) {
		return auth.Verdict{Allow: true, Disclose: q.Action == auth.Publish}, nil
	})
	c, p := w.join(wamp.JSON, "guarded"), w.join(wamp.JSON, "guarded")
	id := c.subscribe("com.", `{"match":"prefix"}`)
	backend := w.join(wamp.JSON, "backend")
	for _, topic := range []string{"com.other", "com.static.no", "com.static.yes"} {
		backend.send(fmt.Sprintf(`[16,%d,{"acknowledge":true},%q]`, backend.next(), topic))
		backend.expect(`[17,*,*]`)
	}
	c.expect(fmt.Sprintf(`[36,%d,*,{"topic":"com.other"}]`, id), fmt.Sprintf(`[36,%d,*,{"topic":"com.static.yes"}]`, id))
	// The authorizer may have the publisher disclosed.
	p.send(`[16,1,{"acknowledge":true},"com.other"]`)
	p.expect(`[17,1,*]`)
	c.expect(fmt.Sprintf(`[36,%d,*,{"publisher":%d,"publisher_authid":"*","publisher_authrole":"guarded","topic":"com.other"}]`, id, p.session))
	// A procedure that it let register can be called, by whom it lets call.
	registration := c.register("com.other.p", `{}`)
	p.send(`[48,2,{},"com.other.p"]`)
	c.expect(fmt.Sprintf(`[68,1,%d,{}]`, registration))
	c.send(`[70,1,{}]`)
	p.expect(`[50,2,{}]`)
}

// TestOnlyTheGrantedAreLeftOpen: what a rule allowed ends with the rule, though the
// role has an authorizer: that one said nothing of it.
func TestOnlyTheGrantedAreLeftOpen(t *testing.T) {
	ruled := authorized()
	guarded := ruled.Realms["realm1"].Roles["guarded"]
	guarded.Rules = append(guarded.Rules, auth.Rule{URI: "com.open.", Match: wamp.Prefix, Allow: all})
	w := newWorld(t, ruled, Limits{})
	w.authorizeBy(func(context.Context, *auth.Question) (auth.Verdict, error) { return auth.Verdict{Allow: true}, nil })
	before, other := w.join(wamp.JSON, "guarded"), w.join(wamp.JSON, "anyone")
	before.subscribe("com.open.", `{"match":"prefix"}`)
	before.register("com.open.", `{"match":"prefix"}`)
	w.Apply(authorized())
	after := w.join(wamp.JSON, "guarded")
	id := after.subscribe("com.open.", `{"match":"prefix"}`)
	other.send(`[16,1,{"acknowledge":true},"com.open.t"]`)
	other.expect(`[17,1,*]`)
	after.expect(fmt.Sprintf(`[36,%d,*,{"topic":"com.open.t"}]`, id))
	other.send(`[48,2,{},"com.open.p"]`)
	other.expect(`[8,48,2,{},"wamp.error.no_such_procedure",**`)
	before.expectNothing()
}

// TestAuthorizerFails: whatever goes wrong denies, in time, and says nothing of the
// cause; the authorizer's own session is judged by its rules alone.
func TestAuthorizerFails(t *testing.T) {
	w := newWorld(t, authorized(), Limits{AuthenticatorTimeout: 50 * time.Millisecond})
	c := w.join(wamp.JSON, "guarded")
	failed := func(cause string) {
		t.Helper()
		c.send(fmt.Sprintf(`[48,%d,{},"com.example.q"]`, c.next()))
		c.expect(fmt.Sprintf(`[8,48,%d,{},"wamp.error.authorization_failed",["authorization to call \"com.example.q\" failed (reference *)"]]`, c.request))
		eventually(t, "the cause is in the log: "+cause, func() bool { return strings.Contains(w.log.String(), cause) })
	}
	failed("no authenticator is registered")
	l := w.authorizeBy(func(context.Context, *auth.Question) (auth.Verdict, error) {
		return auth.Verdict{Allow: true}, errors.New("the database is gone")
	})
	failed("the database is gone")
	rebind := func(f authorizerFunc) {
		t.Helper()
		if err := l.Bind(Bindings{Registrations: []Binding{{URI: authorizerURI, Authorizer: f}}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	rebind(func(context.Context, *auth.Question) (auth.Verdict, error) { panic("broken") })
	failed("panicked: broken")
	rebind(func(ctx context.Context, _ *auth.Question) (auth.Verdict, error) {
		<-ctx.Done()
		return auth.Verdict{Allow: true}, nil
	})
	failed("did not answer in time")
	if _, err := l.Publish("com.example.t", wamp.PublishOptions{}, wamp.Payload{}); err == nil {
		t.Error("the authorizer's own session may do what no rule allows")
	}
	l.Leave()
	// One that is a client and asks itself.
	a := w.join(wamp.JSON, "authorizer")
	a.register(authorizerURI, `{}`)
	a.send(`[48,2,{},"com.example.q"]`)
	a.expect(`[8,48,2,{},"wamp.error.not_authorized",**`)
	// It dies while it is asked.
	c.send(fmt.Sprintf(`[48,%d,{},"com.example.q"]`, c.next()))
	a.expect(`[68,1,*,{},**`)
	a.drop()
	c.expect(fmt.Sprintf(`[8,48,%d,{},"wamp.error.authorization_failed",**`, c.request))
}
