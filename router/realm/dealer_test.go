package realm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

// eachPair runs a test for each format of a caller or publisher with each of a
// callee or subscriber.
func eachPair(t *testing.T, test func(t *testing.T, from, to wamp.Format)) {
	for _, from := range formats {
		for _, to := range formats {
			t.Run(from.String()+" to "+to.String(), func(t *testing.T) { test(t, from, to) })
		}
	}
}

func TestCall(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		callee, caller := w.join(to, "anyone"), w.join(from, "anyone")
		callee.send(`[64,1,{},"com.example.add2"]`)
		callee.expect(`[65,1,1]`)
		caller.send(`[48,1,{},"com.example.add2",[23,7],{"verbose":true}]`)
		callee.expect(`[68,1,1,{},[23,7],{"verbose":true}]`)
		callee.send(`[70,1,{},[30],{"ok":true}]`)
		caller.expect(`[50,1,{},[30],{"ok":true}]`)

		caller.send(`[48,2,{},"com.example.add2"]`)
		callee.expect(`[68,2,1,{}]`)
		callee.send(`[70,2,{}]`)
		caller.expect(`[50,2,{}]`)

		caller.send(`[48,3,{},"com.example.add2",[]]`)
		callee.expect(`[68,3,1,{},[]]`)
		callee.send(`[8,68,3,{},"com.example.error.broken",["it broke",42],{"severity":3}]`)
		caller.expect(`[8,48,3,{},"com.example.error.broken",["it broke",42],{"severity":3}]`)

		callee.send(`[66,2,1]`)
		callee.expect(`[67,2]`)
		caller.send(`[48,4,{},"com.example.add2",[1,2]]`)
		caller.expect(`[8,48,4,{},"wamp.error.no_such_procedure",["no callee is registered for procedure \"com.example.add2\""]]`)
	})
}

// TestCallErrors are the answers of the dealer itself, with their texts.
func TestCallErrors(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		holder := w.join(f, "anyone")
		holder.register("com.example.taken", `{}`)
		c := w.join(f, "anyone")
		for i, test := range []struct{ message, kind, uri, text string }{
			{`[48,%d,{},"com.example.nobody"]`, "48", "wamp.error.no_such_procedure", `no callee is registered for procedure \"com.example.nobody\"`},
			{`[48,%d,{},"com..nobody"]`, "48", "wamp.error.invalid_uri", `procedure \"com..nobody\" is not a valid URI`},
			{`[48,%d,{},"com.example.no body"]`, "48", "wamp.error.invalid_uri", `procedure \"com.example.no body\" is not a valid URI`},
			{`[48,%d,{},""]`, "48", "wamp.error.invalid_uri", `procedure \"\" is not a valid URI`},
			{`[48,%d,{},"wamp.session.no_such"]`, "48", "wamp.error.no_such_procedure", `no callee is registered for procedure \"wamp.session.no_such\"`},
			{`[64,%d,{},"com.example.taken"]`, "64", "wamp.error.procedure_already_exists", `procedure \"com.example.taken\" is already registered with match \"exact\"`},
			{`[64,%d,{},"com.example.#"]`, "64", "wamp.error.invalid_uri", `procedure \"com.example.#\" is not a valid URI`},
			{`[64,%d,{},"com..example"]`, "64", "wamp.error.invalid_uri", `procedure \"com..example\" is not a valid URI`},
			{`[64,%d,{"match":"prefix"},"com..example"]`, "64", "wamp.error.invalid_uri", `procedure \"com..example\" is not a valid URI pattern for match \"prefix\"`},
			{`[64,%d,{},"wamp.example"]`, "64", "wamp.error.invalid_uri", `cannot register \"wamp.example\": URIs that begin with \"wamp.\" are the router's`},
			{`[64,%d,{"match":"prefix"},"wamp."]`, "64", "wamp.error.invalid_uri", `cannot register \"wamp.\": URIs that begin with \"wamp.\" are the router's`},
			{`[64,%d,{"invoke":"mystery"},"com.example.shared"]`, "64", "wamp.error.option_not_allowed", `option \"invoke\" is \"mystery\", but must be one of \"single\", \"first\", \"last\", \"roundrobin\" and \"random\"`},
			{`[66,%d,12345]`, "66", "wamp.error.no_such_registration", `session has no registration 12345`},
			{`[66,%d,1]`, "66", "wamp.error.no_such_registration", `session has no registration 1`},
		} {
			c.send(fmt.Sprintf(test.message, i+1))
			c.expect(fmt.Sprintf(`[8,%s,%d,{},"%s",["%s"]]`, test.kind, i+1, test.uri, test.text))
		}
	})
}

func TestURIsAreBounded(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c := w.join(wamp.JSON, "anyone")
	c.send(`[48,1,{},"` + strings.Repeat("a", wamp.MaxURILength+1) + `"]`)
	got := text(c.receive())
	if !strings.Contains(got, "wamp.error.") || len(got) > 200 {
		t.Errorf("got %.300s", got)
	}
}

func TestPatternRegistrations(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		c := w.join(f, "anyone")
		ids := make(map[string]wamp.ID)
		for uri, options := range map[string]string{
			"a1.b2.c3.d4.e55":     `{}`,
			"a1.b2.c3":            `{"match":"prefix"}`,
			"a1.b2.c3.d4":         `{"match":"prefix"}`,
			"a1.b2..d4.e5":        `{"match":"wildcard"}`,
			"a1.b2.c44..e5":       `{"match":"wildcard"}`,
			"a1.b2..d4.e5..g7":    `{"match":"wildcard"}`,
			"a1.b2..d4..f6.g7":    `{"match":"wildcard"}`,
			"com.example.another": `{}`,
		} {
			ids[uri] = c.register(uri, options)
		}
		caller := w.join(f, "anyone")
		for procedure, want := range map[string]string{
			"a1.b2.c3.d4.e55":       "a1.b2.c3.d4.e55",
			"a1.b2.c3.d98.e74":      "a1.b2.c3",
			"a1.b2.c3.d4.e325":      "a1.b2.c3.d4",
			"a1.b2.c55.d4.e5":       "a1.b2..d4.e5",
			"a1.b2.c44.d4.e5":       "a1.b2.c44..e5",
			"a1.b2.c88.d4.e5.f6.g7": "a1.b2..d4.e5..g7",
		} {
			caller.send(fmt.Sprintf(`[48,%d,{},%q]`, caller.next(), procedure))
			invocation := c.receive().(*wamp.Invocation)
			if invocation.Registration != ids[want] {
				t.Errorf("%s went to registration %d, want %d (%s)", procedure, invocation.Registration, ids[want], want)
			}
			concrete := procedure
			if procedure == want {
				concrete = ""
			}
			if invocation.Details.Procedure != concrete {
				t.Errorf("%s: details name procedure %q, want %q", procedure, invocation.Details.Procedure, concrete)
			}
		}
		caller.send(fmt.Sprintf(`[48,%d,{},"a2.b2.c2.d2.e2"]`, caller.next()))
		caller.expect(`[8,48,*,{},"wamp.error.no_such_procedure",**`)
	})
}

// TestSameURIUnderThreePolicies: they are three registrations.
func TestSameURIUnderThreePolicies(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c := w.join(wamp.JSON, "anyone")
	seen := make(map[wamp.ID]bool)
	for _, options := range []string{`{}`, `{"match":"prefix"}`, `{"match":"wildcard"}`} {
		seen[c.register("com.example.same", options)] = true
	}
	if len(seen) != 3 {
		t.Errorf("registrations are %v", seen)
	}
}

func TestCallerDisclosure(t *testing.T) {
	p := scenario()
	p.Realms["realm1"].Roles["known"] = &auth.Role{Name: "known", Rules: []auth.Rule{
		{URI: "com.example.", Match: wamp.Prefix, Allow: all, DiscloseCaller: true, DisclosePublisher: true},
	}}
	for _, test := range []struct {
		name, role, callOptions, registerOptions string
		disclosed                                bool
	}{
		{"by default", "anyone", `{}`, `{}`, false},
		{"as the caller asks", "anyone", `{"disclose_me":true}`, `{}`, true},
		{"as the callee asks", "anyone", `{}`, `{"disclose_caller":true}`, true},
		{"as the role says", "known", `{}`, `{}`, true},
		{"as the role says, whatever the caller asks", "known", `{"disclose_me":false}`, `{}`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachFormat(t, func(t *testing.T, f wamp.Format) {
				w := newWorld(t, p, Limits{})
				callee := w.join(f, "anyone")
				callee.register("com.example.whoami", test.registerOptions)
				caller := w.connect(f, anonymous(test.role))
				caller.send(`[1,"realm1",{` + clientRoles + `}]`)
				welcome := caller.welcomed()
				caller.send(`[48,1,` + test.callOptions + `,"com.example.whoami"]`)
				want := wamp.Invocation{Request: 1, Registration: 1}
				if test.disclosed {
					want.Details = wamp.InvocationDetails{Caller: welcome.Session, CallerAuthid: welcome.Authid, CallerAuthrole: test.role}
				}
				if got := text(callee.receive()); got != text(&want) {
					t.Errorf("got  %s\nwant %s", got, text(&want))
				}
			})
		})
	}
}

// TestCalleeDies: each of its callers gets an answer, however the callee ends.
func TestCalleeDies(t *testing.T) {
	const pending = 1000
	for name, end := range map[string]func(*client){
		"dropped":   (*client).drop,
		"goodbye":   func(c *client) { c.send(`[6,{},"wamp.close.normal"]`) },
		"violation": func(c *client) { c.send(`[5,"x",{}]`) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, scenario(), Limits{})
			callee := w.join(wamp.MessagePack, "anyone")
			callee.register("com.example.slow", `{}`)
			callers := []*client{w.join(wamp.JSON, "anyone"), w.join(wamp.CBOR, "anyone")}
			for range pending / len(callers) {
				for _, c := range callers {
					c.queue(fmt.Sprintf(`[48,%d,{},"com.example.slow",[1]]`, c.next()))
				}
			}
			for _, c := range callers {
				c.batch.Flush()
			}
			eventually(t, "all calls are pending", func() bool { return w.Stats().PendingCalls == pending })
			end(callee)
			for _, c := range callers {
				answered := make(map[wamp.ID]bool)
				for range pending / len(callers) {
					m, ok := c.receive().(*wamp.Error)
					if !ok || m.URI != wamp.ErrCanceled || answered[m.Request] {
						t.Fatalf("got %s", text(m))
					}
					answered[m.Request] = true
				}
				c.expectNothing()
			}
		})
	}
}

func TestCalleeLeavesText(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee, caller := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	callee.register("com.example.slow", `{}`)
	caller.send(`[48,1,{},"com.example.slow"]`)
	callee.expect(`[68,1,1,{}]`)
	callee.leave()
	caller.expect(`[8,48,1,{},"wamp.error.canceled",["callee session left"]]`)
}

// TestCallerDies: its callee's late answer is dropped, and the callee goes on.
func TestCallerDies(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee, caller := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	callee.register("com.example.slow", `{}`)
	for range 3 {
		caller.send(fmt.Sprintf(`[48,%d,{},"com.example.slow"]`, caller.next()))
	}
	callee.expect(`[68,1,1,{}]`, `[68,2,1,{}]`, `[68,3,1,{}]`)
	caller.drop()
	eventually(t, "nothing is pending", func() bool { return w.Stats().PendingCalls == 0 })
	callee.send(`[70,1,{},["late"]]`)
	callee.send(`[8,68,2,{},"com.example.late"]`)
	callee.expectNothing()
}

// TestSecondAnswerIsDropped: the first one counts.
func TestSecondAnswerIsDropped(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee, caller := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	callee.register("com.example.twice", `{}`)
	caller.send(`[48,1,{},"com.example.twice"]`)
	callee.expect(`[68,1,1,{}]`)
	callee.send(`[70,1,{},["first"]]`)
	callee.send(`[70,1,{},["second"]]`)
	callee.send(`[8,68,1,{},"com.example.third"]`)
	callee.expectNothing()
	caller.expect(`[50,1,{},["first"]]`)
	caller.request = 1
	caller.expectNothing()
}

func TestErrorWithABadURI(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	callee, caller := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	callee.register("com.example.bad", `{}`)
	caller.send(`[48,1,{},"com.example.bad"]`)
	callee.expect(`[68,1,1,{}]`)
	callee.send(`[8,68,1,{},"not a uri"]`)
	caller.expect(`[8,48,1,{},"wamp.error.invalid_uri",["callee answered with an error whose URI \"not a uri\" is not valid"]]`)
}

// TestCallOneself: a session may be both ends.
func TestCallOneself(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c := w.join(wamp.CBOR, "anyone")
	c.register("com.example.echo", `{}`)
	c.send(`[48,2,{},"com.example.echo",["x"]]`)
	c.expect(`[68,1,1,{},["x"]]`)
	c.send(`[70,1,{},["x"]]`)
	c.expect(`[50,2,{},["x"]]`)
}

// TestUnencodableArguments: what a format cannot say is an error for who sent it,
// and the ids of the callee's invocations have no gap.
func TestUnencodableArguments(t *testing.T) {
	nonStringKey := wamp.Payload{Format: wamp.CBOR, Args: []byte("\x81\xa1\x01\x02")} // [{1: 2}]
	w := newWorld(t, scenario(), Limits{})
	callee, caller := w.join(wamp.JSON, "anyone"), w.join(wamp.CBOR, "anyone")
	callee.register("com.example.json", `{}`)
	caller.post(&wamp.Call{Request: 1, Procedure: "com.example.json", Payload: nonStringKey})
	caller.expect(`[8,48,1,{},"wamp.error.invalid_argument",["arguments cannot be passed on to the callee: **"]]`)
	caller.send(`[48,2,{},"com.example.json"]`)
	callee.expect(`[68,1,1,{}]`)
	callee.send(`[70,1,{}]`)
	caller.expect(`[50,2,{}]`)

	caller.send(`[64,3,{},"com.example.cbor"]`)
	caller.expect(`[65,3,2]`)
	for i, answer := range []wamp.Message{
		&wamp.Yield{Payload: nonStringKey},
		&wamp.Error{RequestType: wamp.TypeInvocation, URI: "com.example.error", Payload: nonStringKey},
	} {
		callee.send(fmt.Sprintf(`[48,%d,{},"com.example.cbor"]`, i+2))
		request := caller.receive().(*wamp.Invocation).Request
		switch m := answer.(type) {
		case *wamp.Yield:
			m.Request = request
		case *wamp.Error:
			m.Request = request
		}
		caller.post(answer)
		caller.batch.Flush()
	}
	callee.expect(
		`[8,48,2,{},"wamp.error.invalid_argument",["result cannot be passed on to the caller: **"]]`,
		`[8,48,3,{},"com.example.error",["arguments of the error cannot be passed on to the caller: **"]]`)
}

func TestCallLimits(t *testing.T) {
	w := newWorld(t, scenario(), Limits{PendingCalls: 2, PendingInvocations: 3, Registrations: 2})
	callee := w.join(wamp.JSON, "anyone")
	callee.register("com.example.slow", `{}`)
	callee.register("com.example.other", `{}`)
	callee.send(`[64,3,{},"com.example.third"]`)
	callee.expect(`[8,64,3,{},"wamp.error.unavailable",["session has 2 registrations, which is the limit"]]`)

	a, b := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	a.send(`[48,1,{},"com.example.slow"]`)
	a.send(`[48,2,{},"com.example.slow"]`)
	a.send(`[48,3,{},"com.example.slow"]`)
	a.expect(`[8,48,3,{},"wamp.error.unavailable",["session has 2 calls without an answer, which is the limit"]]`)
	b.send(`[48,1,{},"com.example.slow"]`)
	b.send(`[48,2,{},"com.example.slow"]`)
	b.expect(`[8,48,2,{},"wamp.error.unavailable",["callee of \"com.example.slow\" has too much to do"]]`)
	callee.expect(`[68,1,1,{}]`, `[68,2,1,{}]`, `[68,3,1,{}]`)

	callee.send(`[70,1,{}]`)
	a.expect(`[50,1,{}]`)
	a.send(`[48,4,{},"com.example.other"]`)
	callee.expect(`[68,4,2,{}]`)
}

// TestPlaces: the caller's table gives each place to one call at a time and does
// not keep the memory of a burst.
func TestPlaces(t *testing.T) {
	var c calls
	callee := new(session)
	seen := make(map[int32]bool)
	for i := range 1000 {
		place, err := c.add(call{callee: callee, invocation: wamp.ID(i + 1), request: wamp.ID(i + 1)}, 1000)
		if err != nil || seen[place] {
			t.Fatalf("call %d: place %d, %v", i, place, err)
		}
		seen[place] = true
	}
	if _, err := c.add(call{callee: callee, invocation: 1001}, 1000); err != errTooManyCalls {
		t.Errorf("call over the limit: %v", err)
	}
	for i := range 1000 {
		if at, ok := c.find(wamp.ID(i + 1)); !ok || at.invocation != wamp.ID(i+1) {
			t.Fatalf("call %d is not found: %+v", i, at)
		}
	}
	c.remove(17, 0)
	if _, ok := c.find(17); ok {
		t.Error("a call that has its answer is found")
	}
	if place, err := c.add(call{callee: callee, invocation: 1002, request: 1002}, 1000); err != nil || place != 17 {
		t.Errorf("got place %d, %v, want the free one", place, err)
	}
	if at, ok := c.cancel(1002); !ok || at.invocation != 1002 || c.move(17, at) != errCallCanceled {
		t.Errorf("call 1002 is not canceled: %+v", at)
	}
	for place := range seen {
		c.remove(place, 0)
	}
	if c.used != 0 || len(c.places) != 0 {
		t.Errorf("%d calls, %d places", c.used, len(c.places))
	}
	c.close()
	if _, err := c.add(call{callee: callee, invocation: 1}, 1000); err != errCallerGone {
		t.Errorf("call of a session that has left: %v", err)
	}
}

// TestMatchingOrder: where the best registration cannot take a call, the next best
// one's turn comes.
func TestMatchingOrder(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c := w.join(wamp.JSON, "anyone")
	var want []wamp.ID
	for _, pattern := range []struct{ uri, options string }{
		{"com.example.a.b", `{}`},
		{"com.example.a.", `{"match":"prefix"}`},
		{"com.example.", `{"match":"prefix"}`},
		{"com.", `{"match":"prefix"}`},
		{"com.example.a.", `{"match":"wildcard"}`},
		{"com..a.b", `{"match":"wildcard"}`},
	} {
		want = append(want, c.register(pattern.uri, pattern.options))
	}
	c.register("com.example.c", `{}`)
	var got []wamp.ID
	for _, reg := range w.realms["realm1"].matching("com.example.a.b") {
		got = append(got, reg.id)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
