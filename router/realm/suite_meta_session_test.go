package realm

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/wamp"
)

// call calls a procedure with arguments in JSON, such as `,[1],{"k":2}`, and
// expects an answer: `RESULT` stands for [50,REQUEST and `ERROR` for [8,48,REQUEST.
func (c *client) call(procedure, arguments, answer string) {
	c.t.Helper()
	id := c.next()
	c.send(fmt.Sprintf(`[48,%d,{},%q%s]`, id, procedure, arguments))
	c.expect(expand(answer, id))
}

func expand(answer string, id wamp.ID) string {
	answer = strings.Replace(answer, "RESULT", fmt.Sprintf("[50,%d,{}", id), 1)
	return strings.Replace(answer, "ERROR", fmt.Sprintf("[8,48,%d,{}", id), 1)
}

// TestSuiteMetaSession is the session meta API: who is there, who comes and goes.
func TestSuiteMetaSession(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		watcher := w.joinOver(over, "anyone")
		joins := watcher.subscribe("wamp.session.on_join", `{}`)
		leaves := watcher.subscribe("wamp.session.on_leave", `{}`)
		watcher.call("wamp.session.count", ``, `RESULT,[1]]`)

		other := w.joinOver(over, "backend")
		authid := w.realms["realm1"].members.get(other.session).authid
		details := fmt.Sprintf(`{"session":%d,"authid":%q,"authrole":"backend","authmethod":"anonymous","authprovider":"static",`+
			`"transport":{"peer":"tcp4:127.0.0.1:17185","protocol":"wamp.2.%s"}}`, other.session, authid, over.format)
		watcher.expect(fmt.Sprintf(`[36,%d,*,{},[%s]]`, joins, details))

		watcher.call("wamp.session.count", ``, `RESULT,[2]]`)
		watcher.call("wamp.session.count", `,[]`, `RESULT,[2]]`)
		watcher.call("wamp.session.count", `,[null]`, `RESULT,[2]]`)
		watcher.call("wamp.session.count", `,[["backend"]]`, `RESULT,[1]]`)
		watcher.call("wamp.session.count", `,[["backend","backend","anyone","nobody"]]`, `RESULT,[2]]`)
		watcher.call("wamp.session.count", `,[[]]`, `RESULT,[0]]`)
		watcher.call("wamp.session.count", `,[],{"unknown":[1,{"a":2}]}`, `RESULT,[2]]`)
		watcher.call("wamp.session.list", `,[["backend"]]`, fmt.Sprintf(`RESULT,[[%d]]]`, other.session))
		watcher.call("wamp.session.list", `,[["nobody"]]`, `RESULT,[[]]]`)
		watcher.call("wamp.session.get", fmt.Sprintf(`,[%d]`, other.session), fmt.Sprintf(`RESULT,[%s]]`, details))
		// Some clients have floats for large integers.
		watcher.call("wamp.session.get", fmt.Sprintf(`,[%d.0]`, other.session), fmt.Sprintf(`RESULT,[%s]]`, details))

		other.leave()
		watcher.expect(fmt.Sprintf(`[36,%d,*,{},[%d,%q,"backend"]]`, leaves, other.session, authid))
		watcher.call("wamp.session.count", ``, `RESULT,[1]]`)
		watcher.call("wamp.session.list", ``, fmt.Sprintf(`RESULT,[[%d]]]`, watcher.session))
		watcher.call("wamp.session.get", fmt.Sprintf(`,[%d]`, other.session),
			fmt.Sprintf(`ERROR,"wamp.error.no_such_session",["no session %d exists in this realm"]]`, other.session))
	})
}

// TestSuiteMetaSessionArguments: what the procedures do not take.
func TestSuiteMetaSessionArguments(t *testing.T) {
	cases := []struct{ procedure, arguments, answer string }{
		{"wamp.session.count", `,["backend"]`, `"wamp.error.invalid_argument",["argument 1, filter_authroles, is a string, but must be a list of strings"]`},
		{"wamp.session.count", `,[["a",7]]`, `"wamp.error.invalid_argument",["argument 1, filter_authroles, contains an integer, but must be a list of strings"]`},
		{"wamp.session.list", `,[[],7]`, `"wamp.error.invalid_argument",["too many arguments: there may be 1 at most"]`},
		{"wamp.session.get", ``, `"wamp.error.invalid_argument",["argument 1, session, is missing: it must be an id"]`},
		{"wamp.session.get", `,["7"]`, `"wamp.error.invalid_argument",["argument 1, session, is a string, but must be an id"]`},
		{"wamp.session.get", `,[null]`, `"wamp.error.invalid_argument",["argument 1, session, is null, but must be an id"]`},
		{"wamp.session.get", `,[0]`, `"wamp.error.invalid_argument",["argument 1, session, is not an id: those are 1 to 2^53"]`},
		{"wamp.session.get", `,[1.5]`, `"wamp.error.invalid_argument",["argument 1, session, is not an id: those are 1 to 2^53"]`},
		{"wamp.session.get", `,[-7]`, `"wamp.error.invalid_argument",["argument 1, session, is a negative integer, but must be an id"]`},
		{"wamp.session.get", `,[9007199254740993]`, `"wamp.error.invalid_argument",["argument 1, session, is not an id: those are 1 to 2^53"]`},
		{"wamp.session.get", `,[7,8]`, `"wamp.error.invalid_argument",["too many arguments: there may be 1 at most"]`},
		{"wamp.session.kill", ``, `"wamp.error.invalid_argument",["argument 1, session, is missing: it must be an id"]`},
		{"wamp.session.kill", `,[7],{"reason":7}`, `"wamp.error.invalid_argument",["keyword argument reason is an integer, but must be a string"]`},
		{"wamp.session.kill", `,[7],{"message":[]}`, `"wamp.error.invalid_argument",["keyword argument message is a list, but must be a string"]`},
		{"wamp.session.kill", `,[7],{"reason":""}`, `"wamp.error.invalid_uri",["reason \"\" is not a valid URI"]`},
		{"wamp.session.kill", `,[7],{"reason":"not a uri"}`, `"wamp.error.invalid_uri",["reason \"not a uri\" is not a valid URI"]`},
		{"wamp.session.kill", `,[7]`, `"wamp.error.no_such_session",["no session 7 exists in this realm"]`},
		{"wamp.session.kill_by_authid", `,[7]`, `"wamp.error.invalid_argument",["argument 1, authid, is an integer, but must be a string"]`},
		{"wamp.session.kill_by_authid", `,["a"],{"reason":"a..b"}`, `"wamp.error.invalid_uri",["reason \"a..b\" is not a valid URI"]`},
		{"wamp.session.kill_by_authrole", ``, `"wamp.error.invalid_argument",["argument 1, authrole, is missing: it must be a string"]`},
		{"wamp.session.kill_by_authrole", `,["a"],{"reason":"a b"}`, `"wamp.error.invalid_uri",["reason \"a b\" is not a valid URI"]`},
		{"wamp.session.kill_all", `,[7]`, `"wamp.error.invalid_argument",["argument 1, reason, is an integer, but must be a string"]`},
		{"wamp.session.kill_all", `,[],{"reason":"#"}`, `"wamp.error.invalid_uri",["reason \"#\" is not a valid URI"]`},
		{"wamp.session.kill_all", `,[],{"message":"` + strings.Repeat("x", 4097) + `"}`, `"wamp.error.invalid_argument",["message is longer than 4096 bytes"]`},
		{"wamp.session.modify_details", `,[7,{}]`, `"wamp.error.no_such_procedure",["no callee is registered for procedure \"wamp.session.modify_details\""]`},
		{"wamp.session.unknown", ``, `"wamp.error.no_such_procedure",["no callee is registered for procedure \"wamp.session.unknown\""]`},
	}
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		c := w.joinOver(over, "anyone")
		other := w.joinOver(over, "anyone")
		for _, test := range cases {
			c.call(test.procedure, test.arguments, `ERROR,`+test.answer+`]`)
		}
		other.expectNothing() // nobody was killed
	})
}

// TestSuiteMetaSessionKill: who is killed, what they are told, and what is left.
func TestSuiteMetaSessionKill(t *testing.T) {
	const withReason = `{"reason":"com.example.kicked","message":"go away"}`
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		admin := w.joinOver(over, "anyone")
		leaves := admin.subscribe("wamp.session.on_leave", `{}`)
		authid := func(c *client) string { return w.realms["realm1"].members.get(c.session).authid }

		victim := w.joinOver(over, "backend")
		left := fmt.Sprintf(`[36,%d,*,{},[%d,%q,"backend"]]`, leaves, victim.session, authid(victim))
		id := admin.next()
		admin.send(fmt.Sprintf(`[48,%d,{},"wamp.session.kill",[%d],%s]`, id, victim.session, withReason))
		admin.expect(left, expand(`RESULT,[]]`, id))
		victim.expect(`[6,{"message":"go away"},"com.example.kicked"]`)
		victim.expectClosed()
		admin.call("wamp.session.count", ``, `RESULT,[1]]`)
		admin.call("wamp.session.kill", fmt.Sprintf(`,[%d]`, victim.session),
			fmt.Sprintf(`ERROR,"wamp.error.no_such_session",["no session %d exists in this realm"]]`, victim.session))
		admin.call("wamp.session.kill", fmt.Sprintf(`,[%d]`, admin.session),
			fmt.Sprintf(`ERROR,"wamp.error.no_such_session",["session %d is the caller itself, which cannot be killed"]]`, admin.session))

		// Without a reason there is a default, and no message.
		victim = w.joinOver(over, "backend")
		left = fmt.Sprintf(`[36,%d,*,{},[%d,%q,"backend"]]`, leaves, victim.session, authid(victim))
		id = admin.next()
		admin.send(fmt.Sprintf(`[48,%d,{},"wamp.session.kill_by_authid",[%q]]`, id, authid(victim)))
		admin.expect(left, expand(fmt.Sprintf(`RESULT,[[%d]]]`, victim.session), id))
		victim.expect(`[6,{},"wamp.close.killed"]`)
		victim.expectClosed()
		admin.call("wamp.session.kill_by_authid", `,["nobody"]`, `RESULT,[[]]]`)
		admin.call("wamp.session.kill_by_authid", fmt.Sprintf(`,[%q]`, authid(admin)), `RESULT,[[]]]`)

		victim, other := w.joinOver(over, "backend"), w.joinOver(over, "anyone")
		left = fmt.Sprintf(`[36,%d,*,{},[%d,%q,"backend"]]`, leaves, victim.session, authid(victim))
		id = admin.next()
		admin.send(fmt.Sprintf(`[48,%d,{},"wamp.session.kill_by_authrole",["backend"],%s]`, id, withReason))
		admin.expect(left, expand(`RESULT,[1]]`, id))
		victim.expect(`[6,{"message":"go away"},"com.example.kicked"]`)
		victim.expectClosed()

		// The end of everybody is told to nobody: only the caller is left.
		other.subscribe("wamp.session.on_leave", `{}`)
		admin.subscribe("com.example.will", `{}`)
		victim = w.joinOver(over, "backend")
		victim.call("wamp.session.add_testament", `,["com.example.will",[],{}]`, `RESULT,[*]]`)
		admin.call("wamp.session.kill_all", `,[],`+withReason, `RESULT,[2]]`)
		for _, c := range []*client{victim, other} {
			c.expect(`[6,{"message":"go away"},"com.example.kicked"]`)
			c.expectClosed()
		}
		admin.expectNothing()
		admin.call("wamp.session.list", ``, fmt.Sprintf(`RESULT,[[%d]]]`, admin.session))
		admin.call("wamp.session.kill_all", ``, `RESULT,[0]]`)
		admin.call("wamp.session.kill_by_authrole", `,["anyone"]`, `RESULT,[0]]`)
	})
}

// TestSuiteMetaSessionPermissions: the procedures and topics are judged like any
// others, and nobody but the router offers them.
func TestSuiteMetaSessionPermissions(t *testing.T) {
	policy := scenario()
	policy.Realms["realm1"].Roles["harmless"] = &auth.Role{Name: "harmless", Rules: []auth.Rule{
		{URI: "", Match: wamp.Prefix, Allow: all},
		{URI: "wamp.session.kill", Match: wamp.Prefix},
	}}
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, policy, Limits{})
		c, restricted := w.joinOver(over, "anyone"), w.joinOver(over, "frontend")
		restricted.call("wamp.session.count", ``, `ERROR,"wamp.error.not_authorized",["session (session_id=*, authid=*, authrole=\"frontend\") `+
			`is not authorized to call procedure \"wamp.session.count\" on realm \"realm1\""]]`)
		restricted.send(`[32,2,{},"wamp.session.on_join"]`)
		restricted.expect(`[8,32,2,{},"wamp.error.not_authorized",[**]]`)
		// One that may call everything but this may not kill.
		harmless := w.joinOver(over, "harmless")
		harmless.call("wamp.session.count", ``, `RESULT,[3]]`)
		for _, procedure := range []string{"kill", "kill_by_authid", "kill_by_authrole", "kill_all"} {
			harmless.call("wamp.session."+procedure, ``, `ERROR,"wamp.error.not_authorized",[**]]`)
		}
		c.send(`[64,1,{},"wamp.session.count"]`)
		c.expect(`[8,64,1,{},"wamp.error.invalid_uri",["cannot register \"wamp.session.count\": URIs that begin with \"wamp.\" are the router's"]]`)
		c.send(`[16,2,{"acknowledge":true},"wamp.session.on_join",[{}]]`)
		c.expect(`[8,16,2,{},"wamp.error.invalid_uri",["cannot publish \"wamp.session.on_join\": URIs that begin with \"wamp.\" are the router's"]]`)
	})
}

// TestSuiteMetaSessionPatterns: a pattern subscription hears of all topics that its
// role may subscribe to, each judged by itself.
func TestSuiteMetaSessionPatterns(t *testing.T) {
	policy := scenario()
	backend := policy.Realms["realm1"].Roles["backend"]
	backend.Rules = append(backend.Rules, auth.Rule{URI: "wamp.session.on_join", Allow: auth.Call})
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, policy, Limits{})
		watcher, restricted := w.joinOver(over, "anyone"), w.joinOver(over, "backend")
		all := watcher.subscribe("wamp.", `{"match":"prefix"}`)
		some := restricted.subscribe("wamp.session.", `{"match":"wildcard"}`)
		other := w.joinOver(over, "anyone")
		watcher.expect(fmt.Sprintf(`[36,%d,*,{"topic":"wamp.session.on_join"},[{"session":%d,**}]]`, all, other.session))
		other.leave()
		watcher.expect(fmt.Sprintf(`[36,%d,*,{"topic":"wamp.session.on_leave"},[%d,*,"anyone"]]`, all, other.session))
		restricted.expect(fmt.Sprintf(`[36,%d,*,{"topic":"wamp.session.on_leave"},[%d,*,"anyone"]]`, some, other.session))
		restricted.expectNothing()
	})
}

// TestSuiteMetaAnnounced: WELCOME names what of the meta API there is.
func TestSuiteMetaAnnounced(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, scenario(), Limits{})
		c := w.connectOver(over, anonymous("anyone"))
		c.send(`[1,"realm1",{"roles":` + allFeatures + `}]`)
		roles := c.welcomed().Roles
		if !roles.Broker.Reflection || !roles.Dealer.Reflection {
			t.Errorf("reflection is not announced: %+v", roles)
		}
		const broker = wamp.FeatureSessionMetaAPI | wamp.FeatureSubscriptionMetaAPI | wamp.FeatureSubscriptionRevocation
		const dealer = wamp.FeatureSessionMetaAPI | wamp.FeatureRegistrationMetaAPI | wamp.FeatureRegistrationRevocation
		if !roles.Broker.Has(broker) || !roles.Dealer.Has(dealer) {
			t.Errorf("announced are %+v", roles)
		}
	})
}

// TestSuiteMetaSessionModifyDetails: what is not the router's own may be added,
// replaced and removed, and shows in wamp.session.get.
func TestSuiteMetaSessionModifyDetails(t *testing.T) {
	policy := scenario()
	policy.Realms["realm1"].Settings.ModifyDetails = true
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, policy, Limits{})
		c, other := w.joinOver(over, "anyone"), w.joinOver(over, "backend")
		modify := func(details, answer string) {
			t.Helper()
			c.call("wamp.session.modify_details", fmt.Sprintf(`,[%d,%s]`, other.session, details), answer)
		}
		get := func(more string) {
			t.Helper()
			c.call("wamp.session.get", fmt.Sprintf(`,[%d]`, other.session),
				fmt.Sprintf(`RESULT,[{"session":%d,"authid":*,"authrole":"backend","authmethod":"anonymous","authprovider":"static","transport":{"peer":*,"protocol":*}%s}]]`, other.session, more))
		}
		modify(`{"place":{"room":7,"tags":["a",null,true,1.5]}}`, `RESULT,[]]`)
		get(`,"place":{"room":7,"tags":["a",null,true,1.5]}`)
		modify(`{"place":"here"}`, `RESULT,[]]`)
		get(`,"place":"here"`)
		modify(`{"place":null,"nothing":null}`, `RESULT,[]]`)
		get(``)
		for _, key := range []string{"session", "realm", "authid", "authrole", "authmethod", "authprovider", "transport"} {
			modify(fmt.Sprintf(`{"place":"here",%q:"x"}`, key),
				fmt.Sprintf(`ERROR,"wamp.error.invalid_argument",["detail \"%s\" cannot be changed"]]`, key))
		}
		get(``) // nothing of it took effect
		modify(`{"x":"`+strings.Repeat("x", 16<<10)+`"}`, `ERROR,"wamp.error.unavailable",["a session may have 64 more details of 16384 bytes together"]]`)
		modify(`[]`, `ERROR,"wamp.error.invalid_argument",["argument 2, details, is a list, but must be a dict"]]`)
		c.call("wamp.session.modify_details", `,[7,{}]`, `ERROR,"wamp.error.no_such_session",["no session 7 exists in this realm"]]`)
	})
}

// TestMetaKeepsWhatAllCanRead: a value that has no form in some format is refused when
// it is to be kept, and nobody is sent half of it.
func TestMetaKeepsWhatAllCanRead(t *testing.T) {
	policy := scenario()
	policy.Realms["realm1"].Settings.ModifyDetails = true
	w := newWorld(t, policy, Limits{})
	c, reader := w.join(wamp.CBOR, "anyone"), w.join(wamp.JSON, "anyone")
	for procedure, args := range map[string][]any{
		"wamp.session.modify_details": {c.session, map[string]any{"x": []any{math.NaN()}}},
		"wamp.reflect.define":         {"com.example.x", map[string]any{"type": "topic", "x": []any{math.Inf(1)}}},
	} {
		encoded, err := codec.Marshal(wamp.CBOR, args)
		if err != nil {
			t.Fatal(err)
		}
		c.post(&wamp.Call{Request: c.next(), Procedure: procedure, Payload: wamp.Payload{Format: wamp.CBOR, Args: encoded}})
		c.batch.Flush()
		c.expect(fmt.Sprintf(`[8,48,%d,{},"wamp.error.invalid_argument",[**]]`, c.request))
	}
	reader.call("wamp.session.get", fmt.Sprintf(`,[%d]`, c.session), `RESULT,[{"session":*,**,"transport":{*,*}}]]`)
	reader.call("wamp.reflect.describe", ``, `RESULT,[{}]]`)
}
