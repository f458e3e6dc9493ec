package realm

import (
	"fmt"
	"testing"
)

// TestSuiteMetaSubscription is the subscription meta API for a topic and for
// patterns, from its first subscriber to its last.
func TestSuiteMetaSubscription(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		for _, p := range []struct{ options, match, uri, inside string }{
			{`{}`, "exact", "com.example.t", "com.example.t"},
			{`{"match":"prefix"}`, "prefix", "com.example.t", "com.example.t.x"},
			{`{"match":"wildcard"}`, "wildcard", "com..t", "com.example.t"},
		} {
			w := newWorld(t, scenario(), Limits{})
			watcher, one, other := w.joinOver(over, "anyone"), w.joinOver(over, "anyone"), w.joinOver(over, "anyone")
			creates := watcher.subscribe("wamp.subscription.on_create", `{}`)
			subscribes := watcher.subscribe("wamp.subscription.on_subscribe", `{}`)
			unsubscribes := watcher.subscribe("wamp.subscription.on_unsubscribe", `{}`)
			deletes := watcher.subscribe("wamp.subscription.on_delete", `{}`)
			watcher.call("wamp.subscription.list", ``, `RESULT,[{"exact":[],"prefix":[],"wildcard":[]}]]`)
			watcher.call("wamp.subscription.lookup", fmt.Sprintf(`,[%q,%s]`, p.uri, p.options), `RESULT,[null]]`)
			watcher.call("wamp.subscription.match", fmt.Sprintf(`,[%q]`, p.inside), `RESULT,[null]]`)

			id := one.subscribe(p.uri, p.options)
			details := fmt.Sprintf(`{"id":%d,"created":%s,"uri":%q,"match":%q}`, id, created, p.uri, p.match)
			member := func(c *client) string { return fmt.Sprintf(`[%d,%d]]`, c.session, id) }
			watcher.expect(fmt.Sprintf(`[36,%d,*,{},[%d,%s]]`, creates, one.session, details),
				fmt.Sprintf(`[36,%d,*,{},`, subscribes)+member(one))
			other.subscribe(p.uri, p.options)
			watcher.expect(fmt.Sprintf(`[36,%d,*,{},`, subscribes) + member(other))
			other.subscribe(p.uri, p.options) // changes nothing

			ids := map[string]string{"exact": "", "prefix": "", "wildcard": ""}
			ids[p.match] = fmt.Sprint(id)
			watcher.call("wamp.subscription.list", ``, fmt.Sprintf(`RESULT,[{"exact":[%s],"prefix":[%s],"wildcard":[%s]}]]`,
				ids["exact"], ids["prefix"], ids["wildcard"]))
			watcher.call("wamp.subscription.lookup", fmt.Sprintf(`,[%q,%s]`, p.uri, p.options), fmt.Sprintf(`RESULT,[%d]]`, id))
			watcher.call("wamp.subscription.lookup", `,["com.example.other"]`, `RESULT,[null]]`)
			watcher.call("wamp.subscription.match", fmt.Sprintf(`,[%q]`, p.inside), fmt.Sprintf(`RESULT,[[%d]]]`, id))
			watcher.call("wamp.subscription.get", fmt.Sprintf(`,[%d]`, id), `RESULT,[`+details+`]]`)
			watcher.call("wamp.subscription.list_subscribers", fmt.Sprintf(`,[%d]`, id),
				fmt.Sprintf(`RESULT,[[%d,%d]]]`, one.session, other.session))
			watcher.call("wamp.subscription.count_subscribers", fmt.Sprintf(`,[%d.0]`, id), `RESULT,[2]]`)

			one.send(fmt.Sprintf(`[34,%d,%d]`, one.next(), id))
			one.expect(`[35,*]`)
			watcher.expect(fmt.Sprintf(`[36,%d,*,{},`, unsubscribes) + member(one))
			watcher.call("wamp.subscription.list_subscribers", fmt.Sprintf(`,[%d]`, id), fmt.Sprintf(`RESULT,[[%d]]]`, other.session))
			other.leave()
			watcher.expect(fmt.Sprintf(`[36,%d,*,{},`, unsubscribes)+member(other), fmt.Sprintf(`[36,%d,*,{},`, deletes)+member(other))
			for _, procedure := range []string{"get", "list_subscribers", "count_subscribers"} {
				watcher.call("wamp.subscription."+procedure, fmt.Sprintf(`,[%d]`, id),
					fmt.Sprintf(`ERROR,"wamp.error.no_such_subscription",["no subscription %d exists in this realm"]]`, id))
			}
		}
	})
}

// TestSuiteMetaSubscriptionMatch: all that match a topic are told, of any policy,
// and who listens to the meta API is not.
func TestSuiteMetaSubscriptionMatch(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		c := w.joinOver(over, "anyone")
		exact := c.subscribe("com.example.t", `{}`)
		prefix := c.subscribe("com.", `{"match":"prefix"}`)
		wildcard := c.subscribe("com..t", `{"match":"wildcard"}`)
		meta := c.subscribe("wamp.session.on_join", `{}`)
		c.subscribe("com.example.other", `{}`)
		c.call("wamp.subscription.match", `,["com.example.t"]`, fmt.Sprintf(`RESULT,[[%d,%d,%d]]]`, exact, prefix, wildcard))
		c.call("wamp.subscription.match", `,["com.other"]`, fmt.Sprintf(`RESULT,[[%d]]]`, prefix))
		c.call("wamp.subscription.match", `,["wamp.session.on_join"]`, `RESULT,[null]]`)
		c.call("wamp.subscription.lookup", `,["wamp.session.on_join"]`, `RESULT,[null]]`)
		c.call("wamp.subscription.get", fmt.Sprintf(`,[%d]`, meta), fmt.Sprintf(`ERROR,"wamp.error.no_such_subscription",["no subscription %d exists in this realm"]]`, meta))
	})
}

// TestSuiteSubscriptionRevocation: a subscriber's part is taken from it; it is told
// where it announced that it understands.
func TestSuiteSubscriptionRevocation(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		admin := w.joinOver(over, "anyone")
		unsubscribes := admin.subscribe("wamp.subscription.on_unsubscribe", `{}`)
		deletes := admin.subscribe("wamp.subscription.on_delete", `{}`)
		for _, roles := range []string{allFeatures, noRevocation} {
			for _, reason := range []string{``, `{"reason":"no longer authorized"}`} {
				subscriber := w.joinWith(over, "anyone", roles)
				id := subscriber.subscribe("com.example.t", `{}`)
				member := fmt.Sprintf(`[%d,%d]]`, subscriber.session, id)
				arguments := fmt.Sprintf(`,[%d,%d]`, id, subscriber.session)
				told := fmt.Sprintf(`[35,0,{"subscription":%d}]`, id)
				if reason != `` {
					arguments += `,` + reason
					told = fmt.Sprintf(`[35,0,{"subscription":%d,"reason":"no longer authorized"}]`, id)
				}
				request := admin.next()
				admin.send(fmt.Sprintf(`[48,%d,{},"wamp.subscription.remove_subscriber"%s]`, request, arguments))
				admin.expect(fmt.Sprintf(`[36,%d,*,{},`, unsubscribes)+member, fmt.Sprintf(`[36,%d,*,{},`, deletes)+member, expand(`RESULT,[]]`, request))
				admin.send(fmt.Sprintf(`[16,%d,{"acknowledge":true},"com.example.t"]`, admin.next()))
				admin.expect(`[17,*,*]`)
				if roles == allFeatures {
					subscriber.expect(told)
				}
				subscriber.expectNothing()
				admin.call("wamp.subscription.remove_subscriber", arguments,
					fmt.Sprintf(`ERROR,"wamp.error.no_such_subscription",["no subscription %d exists in this realm"]]`, id))
				subscriber.leave()
			}
		}
	})
}

// TestSuiteMetaSubscriptionArguments: what the procedures do not take.
func TestSuiteMetaSubscriptionArguments(t *testing.T) {
	cases := []struct{ procedure, arguments, answer string }{
		{"list", `,["x"]`, `"wamp.error.invalid_argument",["too many arguments: there may be 0 at most"]`},
		{"lookup", `,[{}]`, `"wamp.error.invalid_argument",["argument 1, topic, is a dict, but must be a string"]`},
		{"lookup", `,["a",[]]`, `"wamp.error.invalid_argument",["argument 2, options, is a list, but must be a dict"]`},
		{"match", `,[]`, `"wamp.error.invalid_argument",["argument 1, topic, is missing: it must be a string"]`},
		{"get", `,["1"]`, `"wamp.error.invalid_argument",["argument 1, subscription, is a string, but must be an id"]`},
		{"list_subscribers", `,[1.5]`, `"wamp.error.invalid_argument",["argument 1, subscription, is not an id: those are 1 to 2^53"]`},
		{"count_subscribers", `,[1,2]`, `"wamp.error.invalid_argument",["too many arguments: there may be 1 at most"]`},
		{"remove_subscriber", `,[]`, `"wamp.error.invalid_argument",["argument 1, subscription, is missing: it must be an id"]`},
		{"remove_subscriber", `,[1,2],{"reason":1}`, `"wamp.error.invalid_argument",["keyword argument reason is an integer, but must be a string"]`},
		{"remove_subscriber", `,[1,7]`, `"wamp.error.no_such_session",["no session 7 exists in this realm"]`},
	}
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		c := w.joinOver(over, "anyone")
		for _, test := range cases {
			c.call("wamp.subscription."+test.procedure, test.arguments, `ERROR,`+test.answer+`]`)
		}
		id := c.subscribe("com.example.t", `{}`)
		other := w.joinOver(over, "anyone")
		c.call("wamp.subscription.remove_subscriber", fmt.Sprintf(`,[%d,%d]`, id, other.session),
			fmt.Sprintf(`ERROR,"wamp.error.no_such_subscription",["session %d is no subscriber of subscription %d"]]`, other.session, id))
		id = c.subscribe("wamp.session.on_join", `{}`)
		c.call("wamp.subscription.remove_subscriber", fmt.Sprintf(`,[%d,%d]`, id, c.session),
			fmt.Sprintf(`ERROR,"wamp.error.no_such_subscription",["no subscription %d exists in this realm"]]`, id))
	})
}
