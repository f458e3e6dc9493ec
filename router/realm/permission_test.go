package realm

import (
	"fmt"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

// TestScenarioPermissions is the table of the seed's roles, row by row, and what
// is in no row.
func TestScenarioPermissions(t *testing.T) {
	s := newSnapshot(scenario())
	for _, test := range []struct {
		role, uri string
		allow     auth.Action
	}{
		{"authenticator", authenticatorURI, auth.Register},
		{"authenticator", "com.example.authenticate2", 0},
		{"authenticator", "com.example", 0},
		{"backend", authenticatorURI, all}, // but see TestReservedURI
		{"backend", "com.example.add2", all},
		{"backend", "anything.at.all", all},
		{"backend", "com.example.topic2", 0},
		{"backend", "com.example.topic2.more", all},
		{"frontend", "com.example.add2", auth.Call},
		{"frontend", "com.example.add2.more", auth.Publish},
		{"frontend", "com.example.mul2", auth.Publish},
		{"frontend", "com.example.topic1", auth.Publish},
		{"frontend", "com.example.topic2", 0},
		{"frontend", "com.foobar.topic1", auth.Publish},
		{"frontend", "com.foobar.topic2", 0},
		{"frontend", "com.example", 0},
		{"frontend", "", 0},
	} {
		r := s.realms["realm1"][test.role]
		for range 2 { // the second time from the cache
			if got := r.decide(test.uri).allow; got != test.allow {
				t.Errorf("%s, %q: allowed %04b, want %04b", test.role, test.uri, got, test.allow)
			}
		}
	}
}

// TestMostSpecificRuleCounts: exact before the longest prefix before wildcard, and
// the winner alone.
func TestMostSpecificRuleCounts(t *testing.T) {
	r := newRules(&auth.Role{Rules: []auth.Rule{
		{URI: "com.a", Allow: auth.Call},
		{URI: "com.", Match: wamp.Prefix, Allow: auth.Publish, DisclosePublisher: true},
		{URI: "com.b.", Match: wamp.Prefix, Allow: auth.Subscribe},
		{URI: "com..x", Match: wamp.Wildcard, Allow: auth.Register},
		{URI: "org..x", Match: wamp.Wildcard, Allow: auth.Register, DiscloseCaller: true},
		{URI: "org.a.", Match: wamp.Wildcard, Allow: auth.Call},
	}}, new(Settings), nil)
	for _, test := range []struct {
		uri  string
		want decision
	}{
		{"com.a", decision{allow: auth.Call, isExact: true}},
		{"com.a.b", decision{allow: auth.Publish, disclosePublisher: true}},
		{"com.b.x", decision{allow: auth.Subscribe}},
		{"com.c.x", decision{allow: auth.Publish, disclosePublisher: true}},
		{"org.b.x", decision{allow: auth.Register, discloseCaller: true}},
		{"org.a.x", decision{allow: auth.Call}},
		{"org.a.x.y", decision{}},
		{"net", decision{}},
	} {
		got := *r.decide(test.uri)
		test.want.uri, test.want.isValid = test.uri, true
		test.want.isRuled = test.want.allow != 0
		if got != test.want {
			t.Errorf("%q: got %+v, want %+v", test.uri, got, test.want)
		}
	}
}

// TestPatternsAreJudgedAsAWhole: only a rule that covers all that the pattern
// matches allows it.
func TestPatternsAreJudgedAsAWhole(t *testing.T) {
	r := newRules(&auth.Role{Rules: []auth.Rule{
		{URI: "com.example.topic", Allow: auth.Subscribe},
		{URI: "com.open.", Match: wamp.Prefix, Allow: auth.Subscribe},
		{URI: "com.open.shut.", Match: wamp.Prefix},
		{URI: "org..events", Match: wamp.Wildcard, Allow: auth.Subscribe},
		{URI: "org.shut.", Match: wamp.Wildcard},
	}}, new(Settings), nil)
	for _, test := range []struct {
		uri   string
		match wamp.Match
		want  bool
	}{
		{"com.example.topic", wamp.Exact, true},
		{"com.example.topic", wamp.Prefix, false}, // would match com.example.topics
		{"com.example.topic", wamp.Wildcard, false},
		{"com.open.", wamp.Prefix, true},
		{"com.open.door", wamp.Prefix, true},
		{"com.open", wamp.Prefix, false},
		{"com.", wamp.Prefix, false},
		{"", wamp.Prefix, false},
		{"com.open.shut.", wamp.Prefix, false},
		{"com.open..x", wamp.Wildcard, true},
		{"com.open.shut.", wamp.Wildcard, false},
		{"com..x", wamp.Wildcard, false},
		{"org..events", wamp.Wildcard, true},
		{"org.a.events", wamp.Wildcard, true},
		{"org.a.", wamp.Wildcard, false},
		{"..events", wamp.Wildcard, false},
		{"org..events.more", wamp.Wildcard, false},
		{"org.shut.events", wamp.Wildcard, false}, // two rules cover it, the one that is literal earlier counts
		{"org..events", wamp.Prefix, false},
	} {
		if got := r.decidePattern(test.uri, test.match).allows(auth.Subscribe); got != test.want {
			t.Errorf("%q as %s: got %t, want %t", test.uri, test.match, got, test.want)
		}
	}
}

// TestEmptyPrefixRuleAllowsEveryPattern: it is how a configuration says "all".
func TestEmptyPrefixRuleAllowsEveryPattern(t *testing.T) {
	r := newRules(&auth.Role{Rules: []auth.Rule{{URI: "", Match: wamp.Prefix, Allow: all}}}, new(Settings), nil)
	for uri, m := range map[string]wamp.Match{"com.example": wamp.Exact, "": wamp.Prefix, "com.": wamp.Prefix, "..": wamp.Wildcard, "com..x": wamp.Wildcard} {
		if !r.decidePattern(uri, m).allows(auth.Register) {
			t.Errorf("%q as %s is denied", uri, m)
		}
	}
}

// TestPermissionCacheIsBounded: however many URIs are asked about, each answer is
// right and the cache has its size.
func TestPermissionCacheIsBounded(t *testing.T) {
	r := newRules(&auth.Role{Rules: []auth.Rule{
		{URI: "com.even", Match: wamp.Prefix, Allow: auth.Call},
	}}, new(Settings), nil)
	for range 2 {
		for i := range 20 * cacheSize {
			uri := fmt.Sprintf("com.odd%d", i)
			if i%2 == 0 {
				uri = fmt.Sprintf("com.even%d", i)
			}
			if got := r.decide(uri).allows(auth.Call); got != (i%2 == 0) {
				t.Fatalf("%q: got %t", uri, got)
			}
		}
	}
}

// TestDenials: each kind of request that a role may not make is denied in words
// that name who, what and where.
func TestDenials(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		c := w.connect(f, anonymous("frontend"))
		c.send(`[1,"realm1",{` + clientRoles + `}]`)
		welcome := c.welcomed()
		for i, test := range []struct{ message, kind, what string }{
			{`[64,%d,{},"com.example.mul2"]`, "64", `register procedure \"com.example.mul2\"`},
			{`[48,%d,{},"com.example.mul2"]`, "48", `call procedure \"com.example.mul2\"`},
			{`[16,%d,{"acknowledge":true},"com.example.topic2"]`, "16", `publish to topic \"com.example.topic2\"`},
			{`[16,%d,{"acknowledge":true},"com.foobar.topic2"]`, "16", `publish to topic \"com.foobar.topic2\"`},
			{`[32,%d,{},"com.example.topic1"]`, "32", `subscribe to topic \"com.example.topic1\"`},
			{`[32,%d,{"match":"prefix"},"com."]`, "32", `subscribe to topic \"com.\"`},
			{`[64,%d,{"match":"wildcard"},"com..x"]`, "64", `register procedure \"com..x\"`},
		} {
			c.send(fmt.Sprintf(test.message, i+1))
			c.expect(fmt.Sprintf(`[8,%s,%d,{},"wamp.error.not_authorized",["session (session_id=%d, authid=\"%s\", authrole=\"frontend\") is not authorized to %s on realm \"realm1\""]]`,
				test.kind, i+1, welcome.Session, welcome.Authid, test.what))
			c.request = wamp.ID(i + 1)
		}
		// Not acknowledged: nobody is told, and nobody hears it.
		listener := w.join(f, "anyone")
		listener.subscribe("com.", `{"match":"prefix"}`)
		c.send(fmt.Sprintf(`[16,%d,{},"com.example.topic2"]`, c.next()))
		c.expectNothing()
		listener.expectNothing()
	})
}

// TestSeedsClient is what the seed's client does once it has joined.
func TestSeedsClient(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		backend, c := w.join(f, "backend"), w.join(f, "frontend")
		for _, topic := range []string{"com.example.topic1", "com.foobar.topic1", "com.foobar.topic2"} {
			backend.subscribe(topic, `{}`)
		}
		backend.send(`[32,4,{},"com.example.topic2"]`)
		backend.expect(`[8,32,4,{},"wamp.error.not_authorized",**`)
		backend.request = 4
		backend.register("com.example.add2", `{}`)

		c.send(`[48,1,{},"com.example.add2",[2,3]]`)
		backend.expect(`[68,1,1,{},[2,3]]`)
		backend.send(`[70,1,{},[5]]`)
		c.expect(`[50,1,{},[5]]`)
		c.send(`[64,2,{},"com.example.mul2"]`)
		c.expect(`[8,64,2,{},"wamp.error.not_authorized",**`)
		c.send(`[16,3,{"acknowledge":true},"com.example.topic1",["hello"]]`)
		c.expect(`[17,3,*]`)
		c.send(`[16,4,{"acknowledge":true},"com.foobar.topic1",["hello"]]`)
		c.expect(`[17,4,*]`)
		c.send(`[16,5,{"acknowledge":true},"com.example.topic2",["hello"]]`)
		c.expect(`[8,16,5,{},"wamp.error.not_authorized",**`)
		c.send(`[16,6,{"acknowledge":true},"com.foobar.topic2",["hello"]]`)
		c.expect(`[8,16,6,{},"wamp.error.not_authorized",**`)
		backend.expect(`[36,1,*,{},["hello"]]`, `[36,2,*,{},["hello"]]`)
		c.leave()
	})
}

// TestReservedURI: an authenticator's URI takes an exact rule to be registered,
// and is called by the router only.
func TestReservedURI(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	for _, role := range []string{"backend", "anyone"} {
		c := w.join(wamp.JSON, role)
		for i, options := range []string{`{}`, `{"match":"prefix"}`, `{"match":"wildcard"}`} {
			c.send(fmt.Sprintf(`[64,%d,%s,%q]`, i+1, options, authenticatorURI))
			c.expect(fmt.Sprintf(`[8,64,%d,{},"wamp.error.not_authorized",["session (**) is not authorized to register procedure \"com.example.authenticate\" on realm \"realm1\": it is an authenticator's, which takes an exact permission rule"]]`, i+1))
		}
		c.request = 3
		c.send(`[48,4,{},"com.example.authenticate",["realm1","joe",{}]]`)
		c.expect(`[8,48,4,{},"wamp.error.not_authorized",["session (**) is not authorized to call procedure \"com.example.authenticate\" on realm \"realm1\": it is an authenticator's, which only the router asks"]]`)
	}
	w.join(wamp.JSON, "authenticator").register(authenticatorURI, `{}`)
}

// TestNoPatternTakesTheRouters: a pattern that matches the router's own URIs is
// handed no call of one, nor may it begin with theirs.
func TestNoPatternTakesTheRouters(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee, caller := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	callee.register("", `{"match":"prefix"}`)
	callee.register("..", `{"match":"wildcard"}`)
	callee.send(`[64,3,{"match":"prefix"},"wamp.session."]`)
	callee.expect(`[8,64,3,{},"wamp.error.invalid_uri",**`)
	caller.send(`[48,1,{},"wamp.session.other"]`)
	caller.expect(`[8,48,1,{},"wamp.error.no_such_procedure",**`)
	caller.send(`[48,2,{},"wamp.session.count"]`)
	caller.expect(`[50,2,{},[2]]`)
}

// TestApply: sessions whose role or realm went are closed with that reason, the
// others are judged by the new rules at once, down to what they had subscribed
// and registered before.
func TestApply(t *testing.T) {
	p := scenario()
	p.Realms["realm2"] = &RealmPolicy{Name: "realm2", Roles: p.Realms["realm1"].Roles}
	w := newWorld(t, p, Limits{})
	gone, stays, other := w.join(wamp.JSON, "frontend"), w.join(wamp.CBOR, "anyone"), w.join(wamp.JSON, "backend")
	elsewhere := w.connect(wamp.JSON, anonymous("anyone"))
	elsewhere.send(`[1,"realm2",{` + clientRoles + `}]`)
	elsewhere.welcomed()
	subscription := stays.subscribe("com.example.topic", `{}`)
	stays.subscribe("com.example.hidden", `{}`)
	stays.register("com.example.procedure", `{}`)

	next := scenario()
	delete(next.Realms["realm1"].Roles, "frontend")
	next.Realms["realm1"].Roles["anyone"] = &auth.Role{Name: "anyone", Rules: []auth.Rule{
		{URI: "com.example.topic", Allow: auth.Subscribe},
	}}
	w.Apply(next)

	gone.expect(`[6,{"message":"role \"frontend\" of realm \"realm1\" does not exist any more"},"wamp.close.close_realm"]`)
	gone.expectClosed()
	elsewhere.expect(`[6,{"message":"realm \"realm2\" does not exist any more"},"wamp.close.close_realm"]`)
	elsewhere.expectClosed()

	other.send(`[48,1,{},"com.example.procedure"]`)
	other.expect(`[8,48,1,{},"wamp.error.no_such_procedure",**`)
	other.send(`[16,2,{"acknowledge":true},"com.example.hidden"]`)
	other.expect(`[17,2,*]`)
	other.send(`[16,3,{"acknowledge":true},"com.example.topic"]`)
	other.expect(`[17,3,*]`)
	stays.expect(fmt.Sprintf(`[36,%d,*,{}]`, subscription))
	stays.send(fmt.Sprintf(`[48,%d,{},"com.example.procedure"]`, stays.next()))
	stays.expect(`[8,48,*,{},"wamp.error.not_authorized",**`)
	stays.expectNothing()

	c := w.connect(wamp.JSON, anonymous("anyone"))
	c.send(`[1,"realm2",{` + clientRoles + `}]`)
	c.expect(`[3,{"message":"no realm \"realm2\" exists on this router"},"wamp.error.no_such_realm"]`)
}

// TestApplyAfterTheEnd: a session that has to leave gets no rights back by a policy
// that comes before it is gone.
func TestApplyAfterTheEnd(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	leaving, conn := w.member(wamp.JSON, "anyone")
	leaving.disarm()
	w.Apply(scenario())
	leaving.take(t, `[32,1,{},"com.example.topic"]`)
	if got := string(conn.buffer); !matches(got, `[8,32,1,{},"wamp.error.canceled",["session has left"]]`) {
		t.Errorf("got %s", got)
	}
}

// TestApplyClosesLocals: components whose role went are told.
func TestApplyClosesLocals(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	if _, err := w.Join(LocalOptions{Realm: "realm1", Authrole: "backend"}, h); err != nil {
		t.Fatal(err)
	}
	next := scenario()
	delete(next.Realms["realm1"].Roles, "backend")
	w.Apply(next)
	if reason := <-h.closed; !strings.Contains(reason, `role "backend"`) {
		t.Errorf("closed with %q", reason)
	}
	if n := w.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
