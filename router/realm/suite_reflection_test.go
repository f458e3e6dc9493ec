package realm

import (
	"fmt"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

// TestSuiteReflection: what is defined can be read, by those whom it concerns, for
// as long as the session is there that defined it.
func TestSuiteReflection(t *testing.T) {
	const (
		add2  = `{"type":"procedure","title":"Adds","args":[{"type":"integer"},null,1.5]}`
		topic = `{"type":"topic"}`
		fault = `{"type":"error","title":"Broken"}`
	)
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		watcher, callee, restricted := w.joinOver(over, "anyone"), w.joinOver(over, "anyone"), w.joinOver(over, "frontend")
		defined := watcher.subscribe("wamp.reflect.on_define", `{}`)
		undefined := watcher.subscribe("wamp.reflect.on_undefine", `{}`)
		event := func(subscription wamp.ID, args string) string {
			return fmt.Sprintf(`[36,%d,*,{},[%s]]`, subscription, args)
		}

		callee.call("wamp.reflect.define", `,["com.example.add2",`+add2+`]`, `RESULT,[true]]`)
		watcher.expect(event(defined, `"com.example.add2",`+add2+`,true`))
		callee.call("wamp.reflect.define", `,["com.example.add2",`+add2+`]`, `RESULT,[null]]`)
		callee.call("wamp.reflect.define", `,["com.example.topic9",`+topic+`]`, `RESULT,[true]]`)
		callee.call("wamp.reflect.define", `,["com.example.topic9",{"type":"topic","title":"x"}]`, `RESULT,[false]]`)
		callee.call("wamp.reflect.define", `,["com.example.broken",`+fault+`]`, `RESULT,[true]]`)
		watcher.expect(event(defined, `"com.example.topic9",`+topic+`,true`),
			event(defined, `"com.example.topic9",{"type":"topic","title":"x"},false`),
			event(defined, `"com.example.broken",`+fault+`,true`))

		watcher.call("wamp.reflect.describe", `,["com.example.add2"]`, `RESULT,[`+add2+`]]`)
		watcher.call("wamp.reflect.describe", ``, `RESULT,[{"com.example.add2":`+add2+`,"com.example.broken":`+fault+`,"com.example.topic9":{"type":"topic","title":"x"}}]]`)
		watcher.call("wamp.reflect.describe", `,["com.example.none"]`, `RESULT,[null]]`)
		watcher.call("wamp.reflection.procedure.describe", `,["com.example.add2"]`, `RESULT,[`+add2+`]]`)
		watcher.call("wamp.reflection.topic.describe", `,["com.example.add2"]`, `RESULT,[null]]`)
		watcher.call("wamp.reflection.topic.describe", `,["com.example.topic9"]`, `RESULT,[{"type":"topic","title":"x"}]]`)
		watcher.call("wamp.reflection.error.describe", `,["com.example.broken"]`, `RESULT,[`+fault+`]]`)

		// What is registered and subscribed is listed too, patterns are not.
		callee.register("com.example.other", `{}`)
		callee.register("com.example.p", `{"match":"prefix"}`)
		callee.subscribe("com.example.t", `{}`)
		watcher.call("wamp.reflection.procedure.list", ``, `RESULT,[["com.example.add2","com.example.other"]]]`)
		watcher.call("wamp.reflection.topic.list", ``, `RESULT,[["com.example.t","com.example.topic9"]]]`)
		watcher.call("wamp.reflection.error.list", ``, `RESULT,[["com.example.broken"]]]`)

		// Whoever may not ask is refused; what one may not use is not shown.
		restricted.call("wamp.reflect.describe", ``, `ERROR,"wamp.error.not_authorized",[**]]`)

		callee.call("wamp.reflect.define", `,["com.example.topic9",null]`, `RESULT,["com.example.topic9"]]`)
		watcher.expect(event(undefined, `"com.example.topic9"`))
		callee.call("wamp.reflect.define", `,["com.example.topic9",null]`, `RESULT,[null]]`)
		watcher.call("wamp.reflect.define", `,["com.example.add2",null]`, `RESULT,[null]]`) // is another's
		// The last definition counts: that of a callee that has come back, while the
		// router has not noticed yet that it was gone.
		watcher.send(fmt.Sprintf(`[48,%d,{},"wamp.reflect.define",["com.example.broken",{"type":"error"}]]`, watcher.next()))
		watcher.expect(event(defined, `"com.example.broken",{"type":"error"},false`), expand(`RESULT,[false]]`, watcher.request))
		callee.leave()
		watcher.expect(event(undefined, `"com.example.add2"`))
		watcher.call("wamp.reflect.describe", ``, `RESULT,[{"com.example.broken":{"type":"error"}}]]`)
	})
}

// TestSuiteReflectionPermissions: a role sees what it may use or offer, and
// defines what it may offer.
func TestSuiteReflectionPermissions(t *testing.T) {
	policy := scenario()
	roles := policy.Realms["realm1"].Roles
	api := roles["anyone"].Rules[0]
	api.URI = "wamp."
	roles["frontend"].Rules = append(roles["frontend"].Rules, api, auth.Rule{URI: authenticatorURI, Allow: auth.Call})
	roles["authenticator"].Rules = append(roles["authenticator"].Rules, api)
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, policy, Limits{})
		backend, frontend := w.joinOver(over, "backend"), w.joinOver(over, "frontend")
		for _, d := range []struct{ uri, what string }{
			{"com.example.add2", "procedure"}, {"com.example.secret", "procedure"}, {"com.other.topic", "topic"},
			{"com.foobar.topic1", "topic"}, {"com.example.error", "error"},
		} {
			backend.call("wamp.reflect.define", fmt.Sprintf(`,[%q,{"type":%q}]`, d.uri, d.what), `RESULT,[true]]`)
		}
		frontend.call("wamp.reflection.procedure.list", ``, `RESULT,[["com.example.add2"]]]`)
		frontend.call("wamp.reflection.topic.list", ``, `RESULT,[["com.foobar.topic1"]]]`)
		frontend.call("wamp.reflection.error.list", ``, `RESULT,[["com.example.error"]]]`)
		frontend.call("wamp.reflection.procedure.describe", `,["com.example.secret"]`, `RESULT,[null]]`)
		frontend.call("wamp.reflect.describe", `,["com.other.topic"]`, `RESULT,[null]]`)
		frontend.call("wamp.reflect.describe", ``, `RESULT,[{"com.example.add2":{"type":"procedure"},"com.example.error":{"type":"error"},"com.foobar.topic1":{"type":"topic"}}]]`)
		const refused = `ERROR,"wamp.error.not_authorized",["session (session_id=*, authid=*, authrole=\"%s\") is not authorized to define \"%s\" on realm \"realm1\""]]`
		frontend.call("wamp.reflect.define", `,["com.example.add2",{"type":"procedure"}]`, fmt.Sprintf(refused, "frontend", "com.example.add2"))
		frontend.call("wamp.reflect.define", `,["com.example.mine",{"type":"topic"}]`, `RESULT,[true]]`)
		frontend.call("wamp.reflect.define", `,["com.other.topic",{"type":"topic"}]`, fmt.Sprintf(refused, "frontend", "com.other.topic"))
		frontend.call("wamp.reflect.define", `,["com.other.error",{"type":"error"}]`, fmt.Sprintf(refused, "frontend", "com.other.error"))
		// An authenticator's URI takes an exact rule, as for registering it.
		backend.call("wamp.reflect.define", fmt.Sprintf(`,[%q,{"type":"procedure"}]`, authenticatorURI), fmt.Sprintf(refused, "backend", authenticatorURI))
		// Nor does a rule for calls, which it does not take, show it.
		w.joinOver(over, "authenticator").call("wamp.reflect.define", fmt.Sprintf(`,[%q,{"type":"procedure"}]`, authenticatorURI), `RESULT,[true]]`)
		frontend.call("wamp.reflect.describe", fmt.Sprintf(`,[%q]`, authenticatorURI), `RESULT,[null]]`)
	})
}

// TestSuiteReflectionArguments: what the procedures do not take.
func TestSuiteReflectionArguments(t *testing.T) {
	large := strings.Repeat("x", 600_000)
	cases := []struct{ procedure, arguments, answer string }{
		{"wamp.reflect.define", ``, `"wamp.error.invalid_argument",["argument 1, uri, is missing: it must be a string"]`},
		{"wamp.reflect.define", `,["a.b"]`, `"wamp.error.invalid_argument",["argument 2, definition, is missing: it must be a dict"]`},
		{"wamp.reflect.define", `,["a.b","x"]`, `"wamp.error.invalid_argument",["argument 2, definition, is a string, but must be a dict"]`},
		{"wamp.reflect.define", `,["a.b",{}]`, `"wamp.error.invalid_argument",["definition: \"type\" must be \"topic\", \"procedure\" or \"error\""]`},
		{"wamp.reflect.define", `,["a.b",{"type":"thing"}]`, `"wamp.error.invalid_argument",["definition: \"type\" must be \"topic\", \"procedure\" or \"error\""]`},
		{"wamp.reflect.define", `,["a..b",{"type":"topic"}]`, `"wamp.error.invalid_uri",["uri \"a..b\" is not a valid URI"]`},
		{"wamp.reflect.define", `,["wamp.x",{"type":"topic"}]`, `"wamp.error.invalid_uri",["cannot define \"wamp.x\": URIs that begin with \"wamp.\" are the router's"]`},
		{"wamp.reflect.describe", `,[7]`, `"wamp.error.invalid_argument",["argument 1, uri, is an integer, but must be a string"]`},
		{"wamp.reflection.topic.list", `,[7]`, `"wamp.error.invalid_argument",["too many arguments: there may be 0 at most"]`},
		{"wamp.reflection.topic.describe", ``, `"wamp.error.invalid_argument",["argument 1, uri, is missing: it must be a string"]`},
	}
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		c := w.joinOver(over, "anyone")
		for _, test := range cases {
			c.call(test.procedure, test.arguments, `ERROR,`+test.answer+`]`)
		}
		c.call("wamp.reflect.define", `,["a.large",{"type":"topic","x":"`+large+`"}]`, `RESULT,[true]]`)
		c.call("wamp.reflect.define", `,["a.larger",{"type":"topic","x":"`+large+`"}]`,
			`ERROR,"wamp.error.unavailable",["there are too many definitions, or they are too large"]]`)
		c.call("wamp.reflect.define", `,["a.large",{"type":"topic"}]`, `RESULT,[false]]`)
		c.call("wamp.reflect.define", `,["a.larger",{"type":"topic","x":"`+large+`"}]`, `RESULT,[true]]`)
	})
}
