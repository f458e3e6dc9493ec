package realm

import (
	"fmt"
	"testing"

	"usher/router/wamp"
)

// created is a point in time as the meta API writes it, in a pattern.
const created = `*`

// TestSuiteMetaRegistration is the registration meta API for a procedure and for
// patterns, from its first callee to its last.
func TestSuiteMetaRegistration(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		for _, p := range []struct{ options, match, uri, inside string }{
			{`{}`, "exact", "com.example.p", "com.example.p"},
			{`{"match":"prefix"}`, "prefix", "com.example.p", "com.example.procedure"},
			{`{"match":"wildcard"}`, "wildcard", "com..p", "com.example.p"},
		} {
			w := newWorld(t, scenario(), Limits{})
			watcher, callee := w.joinOver(over, "anyone"), w.joinOver(over, "anyone")
			creates := watcher.subscribe("wamp.registration.on_create", `{}`)
			registers := watcher.subscribe("wamp.registration.on_register", `{}`)
			unregisters := watcher.subscribe("wamp.registration.on_unregister", `{}`)
			deletes := watcher.subscribe("wamp.registration.on_delete", `{}`)
			watcher.call("wamp.registration.list", ``, `RESULT,[{"exact":[],"prefix":[],"wildcard":[]}]]`)
			watcher.call("wamp.registration.lookup", fmt.Sprintf(`,[%q,%s]`, p.uri, p.options), `RESULT,[null]]`)
			watcher.call("wamp.registration.match", fmt.Sprintf(`,[%q]`, p.inside), `RESULT,[null]]`)

			id := callee.register(p.uri, p.options)
			details := fmt.Sprintf(`{"id":%d,"created":%s,"uri":%q,"match":%q,"invoke":"single"}`, id, created, p.uri, p.match)
			member := fmt.Sprintf(`[%d,%d]]`, callee.session, id)
			watcher.expect(fmt.Sprintf(`[36,%d,*,{},[%d,%s]]`, creates, callee.session, details),
				fmt.Sprintf(`[36,%d,*,{},`, registers)+member)

			ids := map[string]string{"exact": "", "prefix": "", "wildcard": ""}
			ids[p.match] = fmt.Sprint(id)
			watcher.call("wamp.registration.list", ``, fmt.Sprintf(`RESULT,[{"exact":[%s],"prefix":[%s],"wildcard":[%s]}]]`,
				ids["exact"], ids["prefix"], ids["wildcard"]))
			watcher.call("wamp.registration.lookup", fmt.Sprintf(`,[%q,%s]`, p.uri, p.options), fmt.Sprintf(`RESULT,[%d]]`, id))
			watcher.call("wamp.registration.lookup", fmt.Sprintf(`,["com.example.other",%s]`, p.options), `RESULT,[null]]`)
			watcher.call("wamp.registration.match", fmt.Sprintf(`,[%q]`, p.inside), fmt.Sprintf(`RESULT,[%d]]`, id))
			watcher.call("wamp.registration.match", `,["wamp.session.count"]`, `RESULT,[null]]`)
			watcher.call("wamp.registration.get", fmt.Sprintf(`,[%d]`, id), `RESULT,[`+details+`]]`)
			watcher.call("wamp.registration.get", fmt.Sprintf(`,[%d.0]`, id), `RESULT,[`+details+`]]`)
			watcher.call("wamp.registration.list_callees", fmt.Sprintf(`,[%d]`, id), fmt.Sprintf(`RESULT,[[%d]]]`, callee.session))
			watcher.call("wamp.registration.count_callees", fmt.Sprintf(`,[%d]`, id), `RESULT,[1]]`)

			callee.send(fmt.Sprintf(`[66,%d,%d]`, callee.next(), id))
			callee.expect(`[67,*]`)
			watcher.expect(fmt.Sprintf(`[36,%d,*,{},`, unregisters)+member, fmt.Sprintf(`[36,%d,*,{},`, deletes)+member)
			for _, procedure := range []string{"get", "list_callees", "count_callees"} {
				watcher.call("wamp.registration."+procedure, fmt.Sprintf(`,[%d]`, id),
					fmt.Sprintf(`ERROR,"wamp.error.no_such_registration",["no registration %d exists in this realm"]]`, id))
			}
			// Who leaves takes it along.
			id = callee.register(p.uri, p.options)
			member = fmt.Sprintf(`[%d,%d]]`, callee.session, id)
			watcher.expect(fmt.Sprintf(`[36,%d,*,{},[%d,{"id":%d,**}]]`, creates, callee.session, id), fmt.Sprintf(`[36,%d,*,{},`, registers)+member)
			callee.leave()
			watcher.expect(fmt.Sprintf(`[36,%d,*,{},`, unregisters)+member, fmt.Sprintf(`[36,%d,*,{},`, deletes)+member)
		}
	})
}

// TestSuiteMetaSharedRegistration: callees come to and go from a registration that
// they share; one that takes the place of another is a new one.
func TestSuiteMetaSharedRegistration(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		watcher, one, other := w.joinOver(over, "anyone"), w.joinOver(over, "anyone"), w.joinOver(over, "anyone")
		creates := watcher.subscribe("wamp.registration.on_create", `{}`)
		registers := watcher.subscribe("wamp.registration.on_register", `{}`)
		unregisters := watcher.subscribe("wamp.registration.on_unregister", `{}`)
		deletes := watcher.subscribe("wamp.registration.on_delete", `{}`)
		member := func(subscription wamp.ID, c *client, id wamp.ID) string {
			return fmt.Sprintf(`[36,%d,*,{},[%d,%d]]`, subscription, c.session, id)
		}
		made := func(c *client, id wamp.ID, invoke string) string {
			return fmt.Sprintf(`[36,%d,*,{},[%d,{"id":%d,"created":%s,"uri":"com.example.p","match":"exact","invoke":%q}]]`, creates, c.session, id, created, invoke)
		}

		id := one.register("com.example.p", `{"invoke":"roundrobin"}`)
		watcher.expect(made(one, id, "roundrobin"), member(registers, one, id))
		if again := other.register("com.example.p", `{"invoke":"roundrobin"}`); again != id {
			t.Fatalf("the second callee got registration %d, want %d", again, id)
		}
		watcher.expect(member(registers, other, id))
		watcher.call("wamp.registration.list_callees", fmt.Sprintf(`,[%d]`, id), fmt.Sprintf(`RESULT,[[%d,%d]]]`, one.session, other.session))
		watcher.call("wamp.registration.count_callees", fmt.Sprintf(`,[%d]`, id), `RESULT,[2]]`)

		request := watcher.next()
		watcher.send(fmt.Sprintf(`[48,%d,{},"wamp.registration.remove_callee",[%d,%d]]`, request, id, one.session))
		watcher.expect(member(unregisters, one, id), expand(`RESULT,[]]`, request))
		one.expect(fmt.Sprintf(`[67,0,{"registration":%d}]`, id))
		watcher.call("wamp.registration.list_callees", fmt.Sprintf(`,[%d]`, id), fmt.Sprintf(`RESULT,[[%d]]]`, other.session))

		successor := one.register("com.example.p", `{"force_reregister":true}`)
		watcher.expect(member(unregisters, other, id), member(deletes, other, id), made(one, successor, "single"), member(registers, one, successor))
		watcher.call("wamp.registration.lookup", `,["com.example.p"]`, fmt.Sprintf(`RESULT,[%d]]`, successor))
		one.leave()
		watcher.expect(member(unregisters, one, successor), member(deletes, one, successor))
	})
}

// TestSuiteRegistrationRevocationAnswer: a call that the callee had taken before
// its part was taken from it is answered.
func TestSuiteRegistrationRevocationAnswer(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		caller, callee := w.joinOver(over, "anyone"), w.joinOver(over, "anyone")
		id := callee.register("com.example.p", `{}`)
		caller.send(`[48,1,{},"com.example.p"]`)
		caller.request = 1
		callee.expect(fmt.Sprintf(`[68,1,%d,{}]`, id))
		caller.call("wamp.registration.remove_callee", fmt.Sprintf(`,[%d,%d]`, id, callee.session), `RESULT,[]]`)
		callee.expect(fmt.Sprintf(`[67,0,{"registration":%d}]`, id))
		callee.send(`[70,1,{},["done"]]`)
		caller.expect(`[50,1,{},["done"]]`)
	})
}

// noRevocation is what a client announces that cannot be told of a revocation.
const noRevocation = `{"caller":{},"callee":{},"publisher":{},"subscriber":{}}`

// TestSuiteRegistrationRevocation: a callee's part is taken from it; it is told
// where it announced that it understands.
func TestSuiteRegistrationRevocation(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		admin := w.joinOver(over, "anyone")
		unregisters := admin.subscribe("wamp.registration.on_unregister", `{}`)
		deletes := admin.subscribe("wamp.registration.on_delete", `{}`)
		for _, roles := range []string{allFeatures, noRevocation} {
			for _, reason := range []string{``, `{"reason":"moved"}`} {
				callee := w.joinWith(over, "anyone", roles)
				id := callee.register("com.example.p", `{}`)
				member := fmt.Sprintf(`[%d,%d]]`, callee.session, id)
				arguments := fmt.Sprintf(`,[%d,%d]`, id, callee.session)
				told := fmt.Sprintf(`[67,0,{"registration":%d}]`, id)
				if reason != `` {
					arguments += `,` + reason
					told = fmt.Sprintf(`[67,0,{"registration":%d,"reason":"moved"}]`, id)
				}
				request := admin.next()
				admin.send(fmt.Sprintf(`[48,%d,{},"wamp.registration.remove_callee"%s]`, request, arguments))
				admin.expect(fmt.Sprintf(`[36,%d,*,{},`, unregisters)+member, fmt.Sprintf(`[36,%d,*,{},`, deletes)+member, expand(`RESULT,[]]`, request))
				if roles == allFeatures {
					callee.expect(told)
				}
				callee.expectNothing()
				admin.call("com.example.p", ``, `ERROR,"wamp.error.no_such_procedure",["no callee is registered for procedure \"com.example.p\""]]`)
				admin.call("wamp.registration.remove_callee", arguments,
					fmt.Sprintf(`ERROR,"wamp.error.no_such_registration",["no registration %d exists in this realm"]]`, id))
				callee.send(fmt.Sprintf(`[66,%d,%d]`, callee.next(), id))
				callee.expect(fmt.Sprintf(`[8,66,%d,{},"wamp.error.no_such_registration",["session has no registration %d"]]`, callee.request, id))
				callee.leave()
			}
		}
	})
}

// TestSuiteMetaRegistrationArguments: what the procedures do not take.
func TestSuiteMetaRegistrationArguments(t *testing.T) {
	cases := []struct{ procedure, arguments, answer string }{
		{"list", `,[7]`, `"wamp.error.invalid_argument",["too many arguments: there may be 0 at most"]`},
		{"lookup", ``, `"wamp.error.invalid_argument",["argument 1, procedure, is missing: it must be a string"]`},
		{"lookup", `,[7]`, `"wamp.error.invalid_argument",["argument 1, procedure, is an integer, but must be a string"]`},
		{"lookup", `,["a.b","exact"]`, `"wamp.error.invalid_argument",["argument 2, options, is a string, but must be a dict"]`},
		{"lookup", `,["a.b",{"match":"regex"}]`, `"wamp.error.invalid_argument",["argument 2, options: \"match\" must be \"exact\", \"prefix\" or \"wildcard\""]`},
		{"lookup", `,["a.b",{"match":7}]`, `"wamp.error.invalid_argument",["argument 2, options: \"match\" must be \"exact\", \"prefix\" or \"wildcard\""]`},
		{"lookup", `,["a.b",{},7]`, `"wamp.error.invalid_argument",["too many arguments: there may be 2 at most"]`},
		{"match", ``, `"wamp.error.invalid_argument",["argument 1, procedure, is missing: it must be a string"]`},
		{"match", `,["a",{}]`, `"wamp.error.invalid_argument",["too many arguments: there may be 1 at most"]`},
		{"get", `,[true]`, `"wamp.error.invalid_argument",["argument 1, registration, is a boolean, but must be an id"]`},
		{"get", `,[9007199254740992]`, `"wamp.error.no_such_registration",["no registration 9007199254740992 exists in this realm"]`},
		{"list_callees", ``, `"wamp.error.invalid_argument",["argument 1, registration, is missing: it must be an id"]`},
		{"count_callees", `,[[1]]`, `"wamp.error.invalid_argument",["argument 1, registration, is a list, but must be an id"]`},
		{"remove_callee", `,[1]`, `"wamp.error.invalid_argument",["argument 2, callee, is missing: it must be an id"]`},
		{"remove_callee", `,[1,2,3]`, `"wamp.error.invalid_argument",["argument 3, reason, is an integer, but must be a string"]`},
		{"remove_callee", `,[1,7]`, `"wamp.error.no_such_session",["no session 7 exists in this realm"]`},
	}
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		c := w.joinOver(over, "anyone")
		for _, test := range cases {
			c.call("wamp.registration."+test.procedure, test.arguments, `ERROR,`+test.answer+`]`)
		}
		c.call("wamp.registration.lookup", `,["a.b",{"match":"prefix","x_other":[{}],"invoke":"first"},null],{"unknown":1}`,
			`ERROR,"wamp.error.invalid_argument",["too many arguments: there may be 2 at most"]]`)
		c.call("wamp.registration.lookup", `,["a.b",{"x_other":[{"a":[]}],"match":"prefix","invoke":"first"}],{"unknown":1}`, `RESULT,[null]]`)
		c.call("wamp.registration.lookup", `,["a.b",null]`, `RESULT,[null]]`)
		c.call("wamp.registration.lookup", `,["not a uri"]`, `RESULT,[null]]`)
		id := c.register("com.example.p", `{}`)
		c.call("wamp.registration.remove_callee", fmt.Sprintf(`,[%d,%d]`, wamp.MaxID, c.session),
			fmt.Sprintf(`ERROR,"wamp.error.no_such_registration",["no registration %d exists in this realm"]]`, wamp.MaxID))
		other := w.joinOver(over, "anyone")
		c.call("wamp.registration.remove_callee", fmt.Sprintf(`,[%d,%d]`, id, other.session),
			fmt.Sprintf(`ERROR,"wamp.error.no_such_registration",["session %d is no callee of registration %d"]]`, other.session, id))
	})
}
