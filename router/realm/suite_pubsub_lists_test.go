package realm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

// settled is scenario with settings of realm1, and a role that is trusted and one
// that must not ask to be disclosed.
func settled(settings Settings) *Policy {
	p := scenario()
	r := p.Realms["realm1"]
	r.Settings = settings
	rules := []auth.Rule{{URI: "", Match: wamp.Prefix, Allow: all}}
	r.Roles["trusted"] = &auth.Role{Name: "trusted", Trustlevel: wamp.Trustlevel{Level: 3, Given: true}, Rules: rules}
	r.Roles["masked"] = &auth.Role{Name: "masked", DenyDiscloseMe: true, Rules: rules}
	r.Roles["other"] = &auth.Role{Name: "other", Rules: rules}
	r.Roles["deaf"] = &auth.Role{Name: "deaf", Rules: []auth.Rule{
		{URI: "", Match: wamp.Prefix, Allow: all},
		{URI: "com.secret.", Match: wamp.Prefix, Allow: all &^ auth.Subscribe},
	}}
	return p
}

// publish publishes with an acknowledgement and returns the publication's id.
func (c *client) publish(uri, options, payload string) wamp.ID {
	c.t.Helper()
	options = strings.Replace(`{"acknowledge":true,`+options[1:], ",}", "}", 1)
	c.send(fmt.Sprintf(`[16,%d,%s,%q%s]`, c.next(), options, uri, payload))
	m := c.receive()
	p, ok := m.(*wamp.Published)
	if !ok || p.Request != c.request {
		c.t.Fatalf("cannot publish to %q: %s", uri, text(m))
	}
	return p.Publication
}

// TestSuiteLists: a subscriber receives what all six lists agree on.
func TestSuiteLists(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(Settings{}), Limits{})
		one, two, publisher := w.joinOver(over, "anyone"), w.joinOver(over, "other"), w.joinOver(over, "anyone")
		authids := map[wamp.ID]string{}
		for _, s := range w.members() {
			authids[s.id] = s.authid
		}
		sub := one.subscribe("com.example.topic", `{}`)
		two.subscribe("com.example.topic", `{}`)
		fill := strings.NewReplacer(
			"$one", fmt.Sprint(one.session), "$two", fmt.Sprint(two.session),
			"$id1", fmt.Sprintf("%q", authids[one.session]), "$id2", fmt.Sprintf("%q", authids[two.session]))
		for _, test := range []struct {
			options  string
			one, two bool
		}{
			{`{}`, true, true},
			{`{"exclude":[$one]}`, false, true},
			{`{"exclude":[$one,$two]}`, false, false},
			{`{"exclude":[]}`, true, true},
			{`{"eligible":[$one]}`, true, false},
			{`{"eligible":[12345]}`, false, false},
			{`{"eligible":[]}`, false, false},
			{`{"exclude_authid":[$id1]}`, false, true},
			{`{"eligible_authid":[$id1,"nobody"]}`, true, false},
			{`{"eligible_authid":[]}`, false, false},
			{`{"exclude_authrole":["other"]}`, true, false},
			{`{"eligible_authrole":["other"]}`, false, true},
			{`{"eligible_authrole":[]}`, false, false},
			{`{"eligible":[$one,$two],"exclude":[$one]}`, false, true},
			{`{"eligible":[$one],"eligible_authrole":["other"]}`, false, false},
			{`{"eligible":[$one,$two],"eligible_authid":[$id1,$id2],"eligible_authrole":["anyone","other"],"exclude":[1],"exclude_authid":["x"],"exclude_authrole":["y"]}`, true, true},
			{`{"eligible":[$one,$two],"eligible_authid":[$id1,$id2],"eligible_authrole":["anyone","other"],"exclude":[1],"exclude_authid":["x"],"exclude_authrole":["anyone"]}`, false, true},
			{`{"x_other":[{"y":1}],"rkey":"sensor","unknown":null}`, true, true},
		} {
			id := publisher.publish("com.example.topic", fill.Replace(test.options), `,["x"],{"k":1}`)
			for c, hears := range map[*client]bool{one: test.one, two: test.two} {
				if hears {
					c.expect(fmt.Sprintf(`[36,%d,%d,{},["x"],{"k":1}]`, sub, id))
				} else {
					c.expectNothing()
				}
			}
		}
	})
}

// TestListsOfManyEntries: long lists are looked up, and judge as short ones do.
func TestListsOfManyEntries(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		ids, names := make([]wamp.ID, random.IntN(2*indexFrom)), make([]string, random.IntN(2*indexFrom))
		for i := range ids {
			ids[i] = wamp.ID(random.IntN(100) + 1)
		}
		for i := range names {
			names[i] = fmt.Sprint(random.IntN(100))
		}
		lists := &wamp.Audience{}
		switch random.IntN(6) {
		case 0:
			lists.Exclude = ids
		case 1:
			lists.Eligible = ids
		case 2:
			lists.ExcludeAuthid = names
		case 3:
			lists.EligibleAuthid = names
		case 4:
			lists.ExcludeAuthrole = names
		case 5:
			lists.EligibleAuthrole = names
		}
		a := newAudience(lists)
		for i := range 100 {
			s := &session{id: wamp.ID(i + 1), authid: fmt.Sprint(i), authrole: fmt.Sprint(99 - i)}
			if got, want := a.admits(s), admits(lists, s); got != want {
				t.Fatalf("%+v of %+v: %v, want %v", s.id, lists, got, want)
			}
		}
	}
}

// TestSuiteTrustlevel: those who announced it learn it, as their role has it;
// others get the same event without.
func TestSuiteTrustlevel(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(Settings{}), Limits{})
		plain := w.joinWith(over, "anyone", `{"subscriber":{}}`)
		aware := w.joinOver(over, "anyone")
		trusted, other := w.joinOver(over, "trusted"), w.joinOver(over, "anyone")
		plain.subscribe("com.example.topic", `{}`)
		sub := aware.subscribe("com.example.topic", `{}`)
		pattern := aware.subscribe("com.example.", `{"match":"prefix"}`)
		id := trusted.publish("com.example.topic", `{"disclose_me":true}`, ``)
		who := fmt.Sprintf(`"publisher":%d,"publisher_authid":"**","publisher_authrole":"trusted"`, trusted.session)
		plain.expect(fmt.Sprintf(`[36,%d,%d,{%s}]`, sub, id, who))
		aware.expect(
			fmt.Sprintf(`[36,%d,%d,{%s,"trustlevel":3}]`, sub, id, who),
			fmt.Sprintf(`[36,%d,%d,{%s,"topic":"com.example.topic","trustlevel":3}]`, pattern, id, who))
		id = other.publish("com.example.topic", `{}`, ``)
		plain.expect(fmt.Sprintf(`[36,%d,%d,{}]`, sub, id))
		aware.expect(fmt.Sprintf(`[36,%d,%d,{}]`, sub, id), fmt.Sprintf(`[36,%d,%d,{"topic":"com.example.topic"}]`, pattern, id))
	})
}

// TestSuiteDisclosureIsRefused: to a role that may not ask for it.
func TestSuiteDisclosureIsRefused(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(Settings{}), Limits{})
		c, publisher := w.joinOver(over, "anyone"), w.joinOver(over, "masked")
		sub := c.subscribe("com.example.topic", `{}`)
		publisher.send(`[16,1,{"acknowledge":true,"disclose_me":true},"com.example.topic"]`)
		publisher.expect(`[8,16,1,{},"wamp.error.option_disallowed.disclose_me",["role \"masked\" may not ask for disclose_me"]]`)
		publisher.send(`[16,2,{"disclose_me":true},"com.example.topic"]`)
		publisher.request = 2
		publisher.expectNothing()
		c.expectNothing()
		id := publisher.publish("com.example.topic", `{"disclose_me":false}`, ``)
		c.expect(fmt.Sprintf(`[36,%d,%d,{}]`, sub, id))
	})
}

// TestSuitePassthruEvent: what describes an opaque payload goes along with it, and
// only a publisher that announced it may send one.
func TestSuitePassthruEvent(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(Settings{}), Limits{})
		c, publisher := w.joinOver(over, "anyone"), w.joinOver(over, "anyone")
		sub := c.subscribe("com.example.topic", `{}`)
		const ppt = `"ppt_scheme":"x_keys","ppt_serializer":"cbor","ppt_cipher":"xsalsa20poly1305","ppt_keyid":"k1"`
		id := publisher.publish("com.example.topic", `{`+ppt+`}`, `,["\u0000AQID"]`)
		c.expect(fmt.Sprintf(`[36,%d,%d,{%s},["\u0000AQID"]]`, sub, id, ppt))
		plain := w.joinWith(over, "anyone", `{"publisher":{}}`)
		plain.send(`[16,1,{"ppt_scheme":"mqtt"},"com.example.topic",["x"]]`)
		plain.expect(`[3,{"message":"received PUBLISH with a ppt_scheme, but the publisher did not announce payload_passthru_mode"},"wamp.error.protocol_violation"]`)
		plain.expectClosed()
		c.expectNothing()
	})
}
