package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

func TestRealmSettings(t *testing.T) {
	c := parse(t, "usher.yaml", edit(t,
		"  - name: realm1\n", `  - name: realm1
    call_timeout: 30s
    max_call_timeout: 5m
    event_history:
      bytes: 8MiB
      rules:
        - {uri: com.example.log., match: prefix, events: 500, age: 168h}
        - uri: com.example.news
        - {uri: com..state, match: wildcard}
        - uri: com.example.*
    retained: {events: 100, bytes: 1MiB}
    modify_details: true
`,
		"name: authenticator\n", "name: authenticator\n        trustlevel: 0\n",
		"name: frontend\n", "name: frontend\n        trustlevel: 7\n        allow_disclose_me: false\n"))
	want := RealmSettings{
		CallTimeout:    30 * time.Second,
		MaxCallTimeout: 5 * time.Minute,
		History: []HistoryRule{
			{URI: "com.example.log.", Match: wamp.Prefix, Events: 500, Age: 7 * 24 * time.Hour},
			{URI: "com.example.news"},
			{URI: "com..state", Match: wamp.Wildcard},
			{URI: "com.example.", Match: wamp.Prefix},
		},
		HistoryBytes:   8 << 20,
		RetainedEvents: 100,
		RetainedBytes:  1 << 20,
		ModifyDetails:  true,
	}
	if got := c.Realms[0].Settings; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	roles := c.Realms[0].Roles
	if got := roles[0]; got.Trustlevel != (wamp.Trustlevel{Given: true}) || got.DenyDiscloseMe {
		t.Errorf("authenticator %+v", got)
	}
	if got := roles[1]; got.Trustlevel != (wamp.Trustlevel{Level: 7, Given: true}) || !got.DenyDiscloseMe {
		t.Errorf("frontend %+v", got)
	}
	plain := parse(t, "usher.yaml", minimal).Realms[0]
	if !reflect.DeepEqual(plain.Settings, RealmSettings{}) || plain.Roles[1].Trustlevel.Given || plain.Roles[1].DenyDiscloseMe {
		t.Errorf("a realm without settings: %+v", plain)
	}
}

func TestRealmSettingErrors(t *testing.T) {
	realm := func(more string) string { return edit(t, "- name: realm1\n", "- name: realm1\n    "+more+"\n") }
	for _, test := range []struct {
		data string
		want []string
	}{
		{realm("call_timeot: 5s"), []string{`a:3:5: realms[0].call_timeot: unknown key; did you mean "call_timeout"?`}},
		{realm("call_timeout: 5"), []string{"a:3:19: realms[0].call_timeout: 5 has no unit: write 5ms or 5s"}},
		{realm("call_timeout: 5m\n    max_call_timeout: 30s"), []string{"a:3:19: realms[0].call_timeout: 5m is more than max_call_timeout allows, 30s"}},
		{realm("modify_details: maybe"), []string{"a:3:21: realms[0].modify_details: want a boolean, this is a string; write true or false"}},
		{realm("retained: {event: 5, bytes: 1}"), []string{
			`a:3:16: realms[0].retained.event: unknown key; did you mean "events"?`,
			"a:3:33: realms[0].retained.bytes: 1 is not from 64KiB to 1GiB",
		}},
		{realm("retained: {events: 0}"), []string{"a:3:24: realms[0].retained.events: 0 is not from 1 to 10000000"}},
		{realm("event_history: {bytes: 1MiB}"), []string{`a:3:20: realms[0].event_history: "rules" is missing`}},
		{realm("event_history: {rules: [{uri: a b}, {match: exact}]}"), []string{
			`a:3:35: realms[0].event_history.rules[0].uri: "a b" is not a URI for match "exact"`,
			`a:3:41: realms[0].event_history.rules[1]: "uri" is missing`,
		}},
		{realm("event_history: {rules: [{uri: a}, {uri: a, match: prefix}, {uri: a, match: exact, age: 9000h, limit: 5}]}"), []string{
			`a:3:64: realms[0].event_history.rules[2]: the rule for "a (exact)" is here twice; first at line 3`,
			"a:3:92: realms[0].event_history.rules[2].age: 9000h is not from 1ms to 8784h",
			"a:3:99: realms[0].event_history.rules[2].limit: unknown key; it is called events",
		}},
		{realm("event_history: {rules: [], age: 5s}"), []string{"a:3:32: realms[0].event_history.age: unknown key; age belongs into an entry of rules"}},
		{realm("store: {type: memory}"), []string{"a:3:5: realms[0].store: unknown key; write event_history: {rules: [{uri: …}]}"}},
		{realm("trustlevel: 3"), []string{"a:3:5: realms[0].trustlevel: unknown key; trustlevel belongs into an entry of roles"}},
		{edit(t, "name: frontend\n", "name: frontend\n        trustlevel: -1\n        allow_discloseme: true\n"), []string{
			"a:9:21: realms[0].roles[1].trustlevel: -1 is not from 0 to 1000000",
			`a:10:9: realms[0].roles[1].allow_discloseme: unknown key; did you mean "allow_disclose_me"?`,
		}},
	} {
		_, err := Parse("a", []byte(test.data))
		if err == nil {
			t.Errorf("%s\nwas accepted", test.data)
			continue
		}
		if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, test.want) {
			t.Errorf("%s\ngot\n\t%s\nwant\n\t%s", test.data, strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
		}
	}
}

// crossbarRealm is a Crossbar.io node file whose realm has more keys.
func crossbarRealm(more string) string {
	return nodeFile(strings.Replace(oneRealm, `"name": "realm1",`, `"name": "realm1", `+more+`,`, 1),
		strings.Replace(webPath, "PATH", `, "auth": {"anonymous": {"type": "static", "role": "frontend"}}`, 1), "")
}

func TestCrossbarRealmSettings(t *testing.T) {
	const at = "n.json:2:"
	for _, test := range []struct {
		more     string
		want     RealmSettings
		warnings []string
	}{
		{`"options": {"enable_meta_api": true, "bridge_meta_api": false, "event_dispatching_chunk_size": 100, "uri_check": "loose"}`, RealmSettings{}, nil},
		{`"options": {"bridge_meta_api": true, "uri_check": "strict", "x": 1}`, RealmSettings{}, []string{
			at + "62: workers[0].realms[0].options.bridge_meta_api: usher has no management side to which the meta API could be bridged; this has no effect",
			at + `81: workers[0].realms[0].options.uri_check: usher checks URIs as "loose" does: no spaces, no "#", no empty parts; other letters than a-z, 0-9 and _ are accepted`,
			at + "91: workers[0].realms[0].options.x: usher does not know this; it has no effect",
		}},
		{`"store": {"type": "memory", "limit": 50, "event-history": [{"uri": "com.example.a"}, {"uri": "com.", "match": "prefix", "limit": 7}]}`,
			RealmSettings{History: []HistoryRule{{URI: "com.example.a", Events: 50}, {URI: "com.", Match: wamp.Prefix, Events: 7}}}, nil},
		{`"store": {"type": "cmdlite", "path": "../.db", "maxsize": 1048576, "readonly": false, "sync": true, "event-history": [{"uri": "a"}]}`,
			RealmSettings{History: []HistoryRule{{URI: "a"}}}, []string{
				at + `49: workers[0].realms[0].store.type: usher keeps events in memory: those of a store of type "cmdlite" are gone when it is started anew`,
			}},
		{`"store": {"type": "memory", "path": "x", "call-queue": [{"uri": "a"}], "event-history": [{"uri": "a", "age": 1}]}`,
			RealmSettings{History: []HistoryRule{{URI: "a"}}}, []string{
				at + "59: workers[0].realms[0].store.path: usher does not know this; it has no effect",
				at + "86: workers[0].realms[0].store.call-queue: usher does not queue calls: one that no callee has room for is answered with an error at once",
				at + "133: workers[0].realms[0].store.event-history[0].age: usher does not know this; it has no effect",
			}},
		{`"call_timeout": "5s", "inventory": null`, RealmSettings{}, []string{
			at + "31: workers[0].realms[0].call_timeout: usher does not know this; it has no effect",
			at + "53: workers[0].realms[0].inventory: usher does not know this; it has no effect",
		}},
	} {
		c := parse(t, "n.json", crossbarRealm(test.more))
		if got := c.Realms[0].Settings; !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", test.more, got, test.want)
		}
		golden(t, c.Warnings, test.warnings)
	}
	for _, test := range []struct{ more, want string }{
		{`"options": {"uri_check": "stict"}`, `"stict" is not a way to check URIs; did you mean "strict"?`},
		{`"store": {"event-history": []}`, `"type" is missing`},
		{`"store": {"type": "memory", "limit": 0}`, "0 is not from 1"},
		{`"store": {"type": "memory", "event-history": [{"uri": "a"}, {"uri": "a"}]}`, "is here twice"},
	} {
		if _, err := Parse("n.json", []byte(crossbarRealm(test.more))); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\nerror %v, want %s", test.more, err, test.want)
		}
	}
}

// A role that may do everything must not get what its author turned off.
func TestCrossbarRealmWithoutMeta(t *testing.T) {
	data := strings.Replace(crossbarRealm(`"options": {"enable_meta_api": false}`), `[{"uri": "*"`,
		`[{"uri": "wamp.session.list", "allow": {"call": true}}, {"uri": "wamp.session.", "match": "prefix", "allow": {"call": true}}, {"uri": "wamp..list", "match": "wildcard", "allow": {"call": true}}, {"uri": "*"`, 1)
	want := []auth.Rule{{URI: "", Match: wamp.Prefix, Allow: auth.Call}, {URI: "wamp.", Match: wamp.Prefix}}
	if got := parse(t, "n.json", data).Realms[0].Roles[0].Rules; !reflect.DeepEqual(got, want) {
		t.Errorf("rules %+v, want %+v", got, want)
	}
}

func TestDiffOfRealms(t *testing.T) {
	a := parse(t, "usher.yaml", minimal)
	for _, test := range []struct {
		data string
		want []string
	}{
		{edit(t, "- name: realm1\n", "- name: realm1\n    call_timeout: 5s\n    retained: {events: 7}\n    modify_details: true\n    event_history: {rules: [{uri: a}]}\n"), []string{
			`realms[0].call_timeout: of realm "realm1" was the default, is now 5s`,
			`realms[0].event_history.rules: of realm "realm1" changed`,
			`realms[0].retained.events: of realm "realm1" was the default, is now 7`,
			`realms[0].modify_details: of realm "realm1" was false, is now true`,
		}},
		{edit(t, "name: frontend\n", "name: frontend\n        trustlevel: 0\n        allow_disclose_me: false\n"), []string{
			`realms[0].roles[1].trustlevel: of role "frontend" of realm "realm1" was none, is now 0`,
			`realms[0].roles[1].allow_disclose_me: of role "frontend" of realm "realm1" was true, is now false`,
		}},
		{edit(t, "name: frontend\n", "name: backend\n"), []string{
			`realms[0].roles[1]: role "backend" of realm "realm1" is new`,
			`realms[0].roles: role "frontend" of realm "realm1" is gone`,
		}},
		{edit(t, "name: realm1\n", "name: realm2\n"), []string{
			`realms[0]: realm "realm2" is new`,
			`realms: realm "realm1" is gone`,
		}},
	} {
		var got []string
		for _, c := range Diff(a, parse(t, "usher.yaml", test.data)) {
			got = append(got, c.String())
			if c.Restart {
				t.Errorf("%s needs a restart", c)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
		}
	}
}

// TestFailedLogins: the 0 of the file is not the 0 that means the default.
func TestFailedLogins(t *testing.T) {
	for limits, want := range map[string]auth.ThrottleLimits{
		"":                            {},
		"limits: {failed_logins: {}}": {},
		"limits: {failed_logins: {slow_after: 0}}": {SlowAfter: -1},
		"limits: {failed_logins: {slow_after: 5, max_delay: 3s, refuse_after: 50, refuse_for: 5m, window: 2m, entries: 100}}": {
			SlowAfter: 5, MaxDelay: 3 * time.Second, RefuseAfter: 50, RefuseFor: 5 * time.Minute, Window: 2 * time.Minute, Entries: 100},
	} {
		if got := parse(t, "usher.yaml", minimal+limits).Limits.FailedLogins; got != want {
			t.Errorf("%q: %+v", limits, got)
		}
	}
}
