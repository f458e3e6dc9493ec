package realm

import (
	"fmt"
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

// TestSuiteTopicPatterns: an event comes once for each subscription that matches, with
// the topic where that is a pattern; prefixes are strings, wildcards components.
func TestSuiteTopicPatterns(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		c, publisher := w.joinOver(over, "anyone"), w.joinOver(over, "anyone")
		exact := c.subscribe("com.example.log.error", `{"match":"exact"}`)
		prefix := c.subscribe("com.example.log", `{"match":"prefix"}`)
		longer := c.subscribe("com.example.log.e", `{"match":"prefix"}`)
		wildcard := c.subscribe("com..log.error", `{"match":"wildcard","nkey":"node23","x_other":{"y":[1]}}`)
		ids := map[wamp.ID]bool{exact: true, prefix: true, longer: true, wildcard: true}
		if len(ids) != 4 {
			t.Errorf("subscriptions %v, want 4 of them", ids)
		}
		for _, test := range []struct {
			topic string
			subs  []wamp.ID
		}{
			{"com.example.log.error", []wamp.ID{exact, prefix, longer, wildcard}},
			{"com.example.logistics", []wamp.ID{prefix}},
			{"com.example.log", []wamp.ID{prefix}},
			{"com.example.lo", nil},
			{"com.other.log.error", []wamp.ID{wildcard}},
			{"com.other.log.error.more", nil},
			{"com.log.error", nil},
		} {
			id := publisher.publish(test.topic, `{"rkey":"sensor1"}`, `,[1],{"k":2}`)
			for _, sub := range test.subs {
				details := fmt.Sprintf(`{"topic":%q}`, test.topic)
				if sub == exact {
					details = `{}`
				}
				c.expect(fmt.Sprintf(`[36,%d,%d,%s,[1],{"k":2}]`, sub, id, details))
			}
			c.expectNothing()
		}
		// Each subscription ends for itself.
		c.send(fmt.Sprintf(`[34,%d,%d]`, c.next(), prefix))
		c.expect(fmt.Sprintf(`[35,%d]`, c.request))
		id := publisher.publish("com.example.log.error", `{}`, ``)
		for _, sub := range []wamp.ID{exact, longer, wildcard} {
			c.expect(fmt.Sprintf(`[36,%d,%d,{**}]`, sub, id))
		}
		c.expectNothing()
	})
}

// TestSuiteExclusionAndIdentification: who published hears of it, and is named, as
// it asks and as its role has it.
func TestSuiteExclusionAndIdentification(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		p := settled(Settings{})
		p.Realms["realm1"].Roles["known"] = &auth.Role{Name: "known", DenyDiscloseMe: true, Rules: []auth.Rule{
			{URI: "", Match: wamp.Prefix, Allow: all, DisclosePublisher: true},
		}}
		w := newWorld(t, p, Limits{})
		c, one, known := w.joinOver(over, "anyone"), w.joinOver(over, "anyone"), w.joinOver(over, "known")
		authids := map[wamp.ID]string{}
		for _, s := range w.members() {
			authids[s.id] = s.authid
		}
		sub := c.subscribe("com.example.topic", `{}`)
		one.subscribe("com.example.topic", `{}`)
		known.subscribe("com.example.topic", `{}`)
		for _, test := range []struct {
			publisher         *client
			role, options     string
			hears, identified bool
		}{
			{one, "anyone", `{}`, false, false},
			{one, "anyone", `{"exclude_me":true,"disclose_me":false}`, false, false},
			{one, "anyone", `{"exclude_me":false}`, true, false},
			{one, "anyone", `{"exclude_me":false,"disclose_me":true}`, true, true},
			{one, "anyone", `{"exclude_me":null,"disclose_me":null}`, false, false},
			{known, "known", `{"disclose_me":false}`, false, true},
			{known, "known", `{"exclude_me":false}`, true, true},
		} {
			details := `{}`
			if test.identified {
				details = fmt.Sprintf(`{"publisher":%d,"publisher_authid":%q,"publisher_authrole":%q}`,
					test.publisher.session, authids[test.publisher.session], test.role)
			}
			id := test.publisher.publish("com.example.topic", test.options, ``)
			event := fmt.Sprintf(`[36,%d,%d,%s]`, sub, id, details)
			for _, each := range []*client{c, one, known} {
				if each != test.publisher || test.hears {
					each.expect(event)
				}
				each.expectNothing()
			}
		}
	})
}
