package realm

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// TestSuiteTestament: published however the session ends, detached before
// destroyed ones, each kind in order, and before on_leave.
func TestSuiteTestament(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		for name, end := range map[string]func(w *world, mortal, killer *client){
			"GOODBYE": func(_ *world, mortal, _ *client) { mortal.leave() },
			"drop":    func(_ *world, mortal, _ *client) { mortal.drop() },
			"violation": func(_ *world, mortal, _ *client) {
				mortal.send(`[5,"x",{}]`)
				mortal.expect(`[3,**]`)
			},
			"kill": func(_ *world, mortal, killer *client) {
				killer.call("wamp.session.kill", fmt.Sprintf(`,[%d]`, mortal.session), `RESULT,[]]`)
			},
			"its role goes": func(w *world, _, _ *client) {
				p := settled(Settings{})
				delete(p.Realms["realm1"].Roles, "trusted")
				w.Apply(p)
			},
		} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, settled(Settings{}), Limits{})
				watcher, mortal, killer := w.joinOver(over, "anyone"), w.joinOver(over, "trusted"), w.joinOver(over, "anyone")
				sub := watcher.subscribe("com.example.", `{"match":"prefix"}`)
				leaves := watcher.subscribe("wamp.session.on_leave", `{}`)
				mortal.subscribe("com.example.", `{"match":"prefix"}`)
				for _, add := range []string{
					`,["com.example.one",["bye"],{"n":1}]`,
					`,["com.example.two",[],{},{"disclose_me":true,"acknowledge":true,"x_other":1}]`,
					`,["com.example.three",null,null],{"scope":"detached"}`,
					`,["com.example.four",[4],{}],{"scope":"destroyed","publish_options":{"exclude_authrole":["anyone"]}}`,
					`,["com.example.five",[5],{},null,"detached"]`,
					`,["com.example.six",["\u0000AQI="]],{"publish_options":{"ppt_scheme":"x_a"}}`,
				} {
					mortal.call("wamp.session.add_testament", add, `RESULT,[*]]`)
				}
				end(w, mortal, killer)
				who := fmt.Sprintf(`"publisher":%d,"publisher_authid":"*","publisher_authrole":"trusted",`, mortal.session)
				event := func(details, topic, payload string) string {
					return fmt.Sprintf(`[36,%d,*,{%s"topic":"com.example.%s","trustlevel":3%s]`, sub, details, topic, payload)
				}
				watcher.expect(
					event("", "three", `}`),
					event("", "five", `},[5],{}`),
					event("", "one", `},["bye"],{"n":1}`),
					event(who, "two", `},[],{}`),
					event("", "six", `,"ppt_scheme":"x_a"},["\u0000AQI="]`),
					fmt.Sprintf(`[36,%d,*,{},[%d,**]]`, leaves, mortal.session))
				watcher.expectNothing()
			})
		}
	})
}

// TestSuiteFlushTestaments: of one scope at a time; what is left is published.
func TestSuiteFlushTestaments(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(Settings{}), Limits{})
		watcher, c := w.joinOver(over, "anyone"), w.joinOver(over, "anyone")
		sub := watcher.subscribe("com.example.x", `{}`)
		add := func(n int, scope string) {
			c.call("wamp.session.add_testament", fmt.Sprintf(`,["com.example.x",[%d],{}],{"scope":%q}`, n, scope), `RESULT,[*]]`)
		}
		add(1, "destroyed")
		add(2, "destroyed")
		add(3, "detached")
		c.call("wamp.session.flush_testaments", ``, `RESULT,[2]]`)
		c.call("wamp.session.flush_testaments", ``, `RESULT,[0]]`)
		add(4, "destroyed")
		add(5, "detached")
		c.call("wamp.session.flush_testaments", `,[],{"scope":"detached"}`, `RESULT,[2]]`)
		add(6, "detached")
		c.call("wamp.session.flush_testaments", `,["destroyed"]`, `RESULT,[1]]`)
		for arguments, answer := range map[string]string{
			`,["com.example.x",[],{}],{"scope":"other"}`: `"wamp.error.testament_error",["scope is \"other\", but must be \"destroyed\" or \"detached\""]`,
			`,["com..x",[],{}]`:                          `"wamp.error.invalid_uri",["topic \"com..x\" is not a valid URI"]`,
			`,["wamp.x",[],{}]`:                          `"wamp.error.invalid_uri",["cannot publish \"wamp.x\": URIs that begin with \"wamp.\" are the router's"]`,
			`,[]`:                                        `"wamp.error.invalid_argument",["argument 1, topic, is missing: it must be a string"]`,
			`,["com.example.x",{}]`:                      `"wamp.error.invalid_argument",["argument 2, args, is a dict, but must be a list"]`,
			`,["com.example.x",[],{}],{"publish_options":{"eligible":"x"}}`:       `"wamp.error.invalid_argument",["testament cannot be published: **"]`,
			`,["com.example.x",[],{}],{"publish_options":[]}`:                     `"wamp.error.invalid_argument",["keyword argument publish_options is a list, but must be a dict"]`,
			`,["com.example.x",[],{},{},"destroyed",1]`:                           `"wamp.error.invalid_argument",["too many arguments: there may be 5 at most"]`,
			`,["com.example.x",[],{}],{"publish_options":{"exclude_me":"maybe"}}`: `"wamp.error.invalid_argument",["testament cannot be published: **"]`,
		} {
			c.call("wamp.session.add_testament", arguments, `ERROR,`+answer+`]`)
		}
		c.call("wamp.session.flush_testaments", `,["x"]`, `ERROR,"wamp.error.testament_error",**]`)
		c.leave()
		watcher.expect(fmt.Sprintf(`[36,%d,*,{},[6],{}]`, sub))
		watcher.expectNothing()
	})
}

// TestTestamentIsJudged by the rules of its end, not by those of its beginning.
func TestTestamentIsJudged(t *testing.T) {
	w := newWorld(t, settled(Settings{}), Limits{})
	watcher, c := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "other")
	sub := watcher.subscribe("com.example.", `{"match":"prefix"}`)
	c.call("wamp.session.add_testament", `,["com.example.denied",[],{}]`, `RESULT,[*]]`)
	c.call("wamp.session.add_testament", `,["com.example.allowed",[],{}]`, `RESULT,[*]]`)
	p := settled(Settings{})
	p.Realms["realm1"].Roles["other"].Rules = append(p.Realms["realm1"].Roles["other"].Rules[:1:1], auth.Rule{URI: "com.example.denied"})
	w.Apply(p)
	c.call("wamp.session.add_testament", `,["com.example.denied",[],{}]`, `ERROR,"wamp.error.not_authorized",**]`)
	c.drop()
	watcher.expect(fmt.Sprintf(`[36,%d,*,{"topic":"com.example.allowed"},[],{}]`, sub))
	watcher.expectNothing()
	if !strings.Contains(w.log.String(), "testament is not published") {
		t.Error("the log does not say so")
	}
}

// TestTestamentAndAuthorizer: who may publish only as an authorizer says is judged
// when the testament is made, as none can be asked when the session has gone.
func TestTestamentAndAuthorizer(t *testing.T) {
	w := newWorld(t, authorized(), Limits{})
	w.authorizeBy(func(_ context.Context, q *auth.Question) (auth.Verdict, error) {
		return auth.Verdict{Allow: q.Action == auth.Call || q.URI == "com.example.allowed" && q.Options.Retain}, nil
	})
	watcher, c := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "guarded")
	sub := watcher.subscribe("com.", `{"match":"prefix"}`)
	c.call("wamp.session.add_testament", `,["com.example.allowed",[1],{}],{"publish_options":{"retain":true}}`, `RESULT,[*]]`)
	c.call("wamp.session.add_testament", `,["com.static.yes",[2],{}]`, `RESULT,[*]]`)
	c.call("wamp.session.add_testament", `,["com.static.no",[3],{}]`, `ERROR,"wamp.error.not_authorized",**]`)
	c.call("wamp.session.add_testament", `,["com.example.denied",[4],{}]`, `ERROR,"wamp.error.not_authorized",**]`)
	c.drop()
	watcher.expect(
		fmt.Sprintf(`[36,%d,*,{"topic":"com.example.allowed"},[1],{}]`, sub),
		fmt.Sprintf(`[36,%d,*,{"topic":"com.static.yes"},[2],{}]`, sub))
	watcher.expectNothing()
	// A rule that has come since is the last word.
	late := w.join(wamp.JSON, "guarded")
	late.call("wamp.session.add_testament", `,["com.example.allowed",[5],{}],{"publish_options":{"retain":true}}`, `RESULT,[*]]`)
	late.call("wamp.session.add_testament", `,["com.static.yes",[6],{}]`, `RESULT,[*]]`)
	p := authorized()
	guarded := p.Realms["realm1"].Roles["guarded"]
	guarded.Rules = append(guarded.Rules, auth.Rule{URI: "com.example.allowed"})
	w.Apply(p)
	late.drop()
	watcher.expect(fmt.Sprintf(`[36,%d,*,{"topic":"com.static.yes"},[6],{}]`, sub))
	watcher.expectNothing()
}

// TestTestamentsAreBounded in number and in bytes.
func TestTestamentsAreBounded(t *testing.T) {
	w := newWorld(t, settled(Settings{}), Limits{})
	c := w.join(wamp.JSON, "anyone")
	for range maxTestaments {
		c.call("wamp.session.add_testament", `,["com.example.x",[],{}]`, `RESULT,[*]]`)
	}
	c.call("wamp.session.add_testament", `,["com.example.x",[],{}]`, `ERROR,"wamp.error.unavailable",["session has 100 testaments, which is the limit"]]`)
	c.call("wamp.session.flush_testaments", ``, `RESULT,[100]]`)
	large := `,["com.example.x",["` + strings.Repeat("x", 150<<10) + `"],{}]`
	c.call("wamp.session.add_testament", large, `RESULT,[*]]`)
	c.call("wamp.session.add_testament", large, `ERROR,"wamp.error.unavailable",["session's testaments would be larger than 262144 bytes, which is the limit"]]`)
	c.call("wamp.session.flush_testaments", ``, `RESULT,[1]]`)
	c.call("wamp.session.add_testament", large, `RESULT,[*]]`)
}

// TestTestamentsOfAStop: when the router stops, everybody hears everybody's
// testament before the GOODBYE; those of components too.
func TestTestamentsOfAStop(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, settled(Settings{}), Limits{})
		one, two := w.join(f, "anyone"), w.join(f, "anyone")
		l := w.local("backend", newRecorder())
		if _, err := l.Call(t.Context(), "wamp.session.add_testament", wamp.CallOptions{}, jsonArgs(`["com.example.x",["local"],{}]`)); err != nil {
			t.Fatal(err)
		}
		for i, c := range []*client{one, two} {
			c.subscribe("com.example.x", `{}`)
			c.call("wamp.session.add_testament", fmt.Sprintf(`,["com.example.x",[%d],{}],{"publish_options":{"exclude_me":false}}`, i), `RESULT,[*]]`)
		}
		stopped := w.stop(time.Minute)
		for _, c := range []*client{one, two} {
			heard := map[string]bool{}
			for {
				m := c.receive()
				e, ok := m.(*wamp.Event)
				if !ok {
					if got := text(m); !matches(got, `[6,{"message":"router is stopping"},"wamp.close.system_shutdown"]`) {
						t.Errorf("got %s", got)
					}
					break
				}
				heard[text(&wamp.Result{Request: 1, Payload: e.Payload})] = true
			}
			// Its own is published while it is there, and not for it to hear.
			for _, payload := range []string{`"local"`, `0`, `1`} {
				own := payload == `0` && c == one || payload == `1` && c == two
				if heard[`[50,1,{},[`+payload+`],{}]`] == own {
					t.Errorf("%s was heard: %t", payload, !own)
				}
			}
			c.conn.Close(transport.CloseNormal)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// TestTestamentOfALocal that leaves. Afterwards it takes no more.
func TestTestamentOfALocal(t *testing.T) {
	w := newWorld(t, settled(Settings{}), Limits{})
	c := w.join(wamp.JSON, "anyone")
	sub := c.subscribe("com.example.x", `{}`)
	l := w.local("backend", newRecorder())
	if _, err := l.Call(t.Context(), "wamp.session.add_testament", wamp.CallOptions{}, jsonArgs(`["com.example.x",["bye"],{}]`)); err != nil {
		t.Fatal(err)
	}
	l.Leave()
	c.expect(fmt.Sprintf(`[36,%d,*,{},["bye"],{}]`, sub))
	if e := l.session.testaments.add("", testament{}); e == nil {
		t.Error("a session that has left takes a testament")
	}
}
