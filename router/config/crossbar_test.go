package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

// nodeFile is a Crossbar.io node file around the parts of its router worker.
func nodeFile(realms, transports, rest string) string {
	return `{"version": 2, "workers": [{"type": "router",
"realms": ` + realms + `,
"transports": ` + transports + rest + `
}]}`
}

const (
	oneRealm = `[{"name": "realm1", "roles": [{"name": "frontend", "permissions": [{"uri": "*", "allow": {"call": true}}]}]}]`
	webPath  = `[{"type": "web", "endpoint": {"type": "tcp", "port": 8080, "backlog": 1024}, "paths": {"ws": {"type": "websocket"PATH}}}]`
)

func TestCrossbarWarnings(t *testing.T) {
	anonymous := `, "auth": {"anonymous": {"type": "static", "role": "frontend"}}`
	path := func(more string) string {
		return nodeFile(oneRealm, strings.Replace(webPath, "PATH", anonymous+more, 1), "")
	}
	tests := []struct {
		data string
		want []string
	}{
		{path(``), nil},
		{path(`, "serializers": null, "options": {"compression": null}`), nil}, // which is absent there
		{strings.Replace(path(``), `"version": 2`, `"version": 1, "controller": {"id": "x"}, "$schema": "s"`, 1), []string{
			"n.json:1:13: version: usher knows version 2 of this format and reads the file as that",
			"n.json:1:30: controller: usher has no controller process; this has no effect",
			`n.json:1:43: ["$schema"]: usher does not know this; it has no effect`,
		}},
		{strings.Replace(path(``), `[{"type": "router"`, `[{"type": "guest", "executable": "x"}, {"type": "router"`, 1), []string{
			`n.json:1:37: workers[0].type: workers of type "guest" are not supported; this one does not run`,
		}},
		{path(`, "serializers": ["ubjson", "json"]`), []string{
			`n.json:3:209: workers[0].transports[0].paths.ws.serializers[0]: the serializer "ubjson" is not supported; it is not offered to clients`,
		}},
		{path(`, "options": {"auto_ping_interval": 0, "fail_by_drop": true}`), []string{
			"n.json:3:227: workers[0].transports[0].paths.ws.options.auto_ping_interval: 0 turns this off; usher always checks that clients live, at its default interval",
			"n.json:3:230: workers[0].transports[0].paths.ws.options.fail_by_drop: usher does not know this; it has no effect",
		}},
		{strings.Replace(path(``), `{"anonymous"`, `{"ldap": {"type": "static", "users": {}}, "anonymous"`, 1), []string{
			`n.json:3:147: workers[0].transports[0].paths.ws.auth.ldap: the method "ldap" is not supported and not offered to clients; there are anonymous, ticket, wampcra, scram, cryptosign, tls and cookie`,
		}},
		{strings.Replace(path(``), `{"anonymous"`, `{"cryptosign": {"type": "static", "trustroots": {"realm1": {"certificate": "x"}}}, "anonymous"`, 1), []string{
			`n.json:3:186: workers[0].transports[0].paths.ws.auth.cryptosign.trustroots: trust roots are not read from Crossbar.io's files: write them in usher.yaml, name the keys, or ask an authenticator; nobody joins by a certificate chain`,
		}},
		{strings.Replace(path(``), `[{"uri": "*", `, `[{"uri": "*", "allow": {"publish": true}}, {"uri": "*", `, 1), []string{
			`n.json:2:120: workers[0].realms[0].roles[0].permissions[1]: the rule for " (prefix)" is here twice; this one counts, not that of line 2`,
		}},
		{strings.Replace(path(``), `{"anonymous"`, `{"wampcra": {"type": "function", "create": "a.b"}, "anonymous"`, 1), []string{
			`n.json:3:159: workers[0].transports[0].paths.ws.auth.wampcra.type: functions in Python do not run in usher: write an authenticator in Lua, and here type: dynamic, authenticator: its URI; the method is not offered to clients`,
		}},
		{strings.Replace(path(``), `{"anonymous"`, `{"cryptosign": {"type": "static", "trustroots": {}, "principals": {}}, "tls": {"type": "static", "principals": {}}, "anonymous"`, 1), []string{
			`n.json:3:186: workers[0].transports[0].paths.ws.auth.cryptosign.trustroots: trust roots are not read from Crossbar.io's files: write them in usher.yaml, name the keys, or ask an authenticator; nobody joins by a certificate chain`,
			`n.json:3:216: workers[0].transports[0].paths.ws.auth.tls: no client has a certificate here: give the endpoint tls: {ca_certificates: […]}, the files of whoever issues them`,
		}},
		{strings.Replace(path(``), anonymous, ``, 1), []string{
			`n.json:3:108: workers[0].transports[0].paths.ws: without "auth" anybody joins as role "anonymous", where a realm has it`,
		}},
		{strings.Replace(path(``), `"role": "frontend"`, `"role": "public"`, 1), []string{
			`n.json:3:179: workers[0].transports[0].paths.ws.auth.anonymous.role: no realm has the role "public": nobody can join with it`,
		}},
		{strings.Replace(path(``), anonymous, `, "auth": {"ticket": {"type": "dynamic", "authenticator": "com.example.authenticate"}}`, 1), []string{
			`n.json:3:186: workers[0].transports[0].paths.ws.auth.ticket.authenticator: no role of realm realm1 may register com.example.authenticate: every login would be refused; give one role a permission with exactly this uri, match: exact and allow: {register: true}`,
		}},
		{strings.Replace(path(``), `"ws":`, `"/": {"type": "json", "value": {}}, "pkg": {"type": "static", "package": "x", "resource": "y"}, "ws":`, 1), []string{
			`n.json:3:116: workers[0].transports[0].paths["/"].type: paths of type "json" are not supported; nothing is served there`,
			`n.json:3:145: workers[0].transports[0].paths.pkg: files inside of a Python package are not supported; nothing is served there`,
		}},
		{nodeFile(oneRealm, strings.Replace(strings.Replace(webPath, "PATH", anonymous, 1), "[", `[{"type": "mqtt"}, `, 1), ""), []string{
			`n.json:3:25: workers[0].transports[0].type: transports of type "mqtt" are not supported; use web, websocket, rawsocket or universal`,
		}},
		{strings.Replace(path(``), `"permissions"`, `"authorizer": "com.example.authorize", "permissions"`, 1), []string{
			`n.json:2:76: workers[0].realms[0].roles[0].authorizer: no role of realm realm1 may register com.example.authorize: whatever no rule matches would be denied; give one role a permission with exactly this uri, match: exact and allow: {register: true}`,
		}},
		{nodeFile(oneRealm, strings.Replace(webPath, "PATH", anonymous, 1), `, "components": [{"type": "container", "realm": "realm1", "role": "frontend"}]`), []string{
			`n.json:3:212: workers[0].components[0]: the component of type "container" does not run in usher: write scripts/component.lua that begins with router.join { realm = "realm1", authrole = "frontend" }`,
		}},
	}
	for _, test := range tests {
		c, err := Parse("n.json", []byte(test.data))
		if err != nil {
			t.Errorf("%s\n%v", test.data, err)
			continue
		}
		golden(t, c.Warnings, test.want)
	}
}

// Of two rules for the same the later counts, whichever allows more.
func TestCrossbarRuleThatIsThereTwice(t *testing.T) {
	c := parse(t, "n.json", strings.Replace(crossbarRealm(`"id": "x"`), `[{"uri": "*", `, `[{"uri": "*", "allow": {"publish": true}}, {"uri": "a"}, {"uri": "*", `, 1))
	want := []auth.Rule{{URI: "a"}, {Match: wamp.Prefix, Allow: auth.Call}}
	if got := c.Realms[0].Roles[0].Rules; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// What was written to keep somebody out must not be skipped.
func TestCrossbarErrors(t *testing.T) {
	for _, test := range []struct{ data, want string }{
		{`{"version": 2, "workers": [{"type": "router", "realms": [], "transports": []}, {"type": "router"}]}`, "there is a router worker already"},
		{`{"version": 2, "workers": []}`, "there is no worker of type router"},
		{nodeFile(oneRealm, `[{"type": "mqtt"}]`, ""), "there is no transport that usher can serve"},
		{nodeFile(oneRealm, strings.Replace(strings.Replace(webPath, "PATH", "", 1), `"port"`, `"tls": {"key": "k", "certificate": "c", "ca_certificates": []}, "port"`, 1), ""), "no client could have a certificate"},
		{nodeFile(oneRealm, strings.Replace(webPath, "PATH", `, "auth": {"ticket": {"type": "static", "principals": {"joe": {"ticket": "$MYTICKET", "role": "frontend"}}}}`, 1), ""), "write the secret"},
		{nodeFile(oneRealm, strings.Replace(webPath, "PATH", `, "auth": {"wampcra": {"type": "static", "users": {"joe": {"secret": "$MYTICKET", "role": "frontend"}}}}`, 1), ""), "write the secret"},
		{nodeFile(oneRealm, strings.Replace(webPath, "PATH", "", 1), `, "components": [{"type": "class", "classname": "a.B", "realm": "realm1", "role": "backend"}]`), `realm "realm1" has no role "backend"`},
	} {
		if _, err := Parse("n.json", []byte(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\nerror %v, want %s", test.data, err, test.want)
		}
	}
}

func TestCrossbarOptionsOfTheStrictestPathCount(t *testing.T) {
	c := parse(t, "n.json", nodeFile(oneRealm, `[{"type": "websocket", "endpoint": {"type": "tcp", "port": 8081}, "url": "ws://localhost:8081/a",
"options": {"max_message_size": 4096, "auto_ping_interval": 10000, "allowed_origins": ["http://a.example"]}},
{"type": "websocket", "endpoint": {"type": "tcp", "port": 8082},
"options": {"max_message_size": 1048576, "auto_ping_interval": 5000, "auto_ping_timeout": 7000}}]`, ""))
	if want := (Limits{MaxMessageSize: 4096, PingInterval: 5 * time.Second, PingTimeout: 7 * time.Second}); c.Limits != want {
		t.Errorf("limits %+v", c.Limits)
	}
	w := c.Transports[0].Paths[0]
	if w.Path != "/a" || len(w.WebSocket.AllowedOrigins) != 1 || *w.WebSocket.Auth.Anonymous != (auth.Anonymous{Role: "anonymous"}) {
		t.Errorf("path %+v", w)
	}
	if c.Transports[1].Paths[0].Path != "/" {
		t.Errorf("path %+v", c.Transports[1].Paths[0])
	}
}

func TestDiff(t *testing.T) {
	a := parse(t, "usher.yaml", minimal)
	for _, test := range []struct {
		data string
		want []string
	}{
		{minimal, nil},
		{edit(t, "port: 8080", "port: 8081"), []string{
			"transports[0].endpoint: 127.0.0.1:8081 is new; it takes effect when usher is started anew",
			"transports[0].endpoint: 127.0.0.1:8080 is gone; it takes effect when usher is started anew",
		}},
		{edit(t, "127.0.0.1", "127.0.0.1, tls: {certificate: a, key: b}"), []string{
			"transports[0].endpoint: 127.0.0.1:8080 (TLS) is new; it takes effect when usher is started anew",
			"transports[0].endpoint: 127.0.0.1:8080 is gone; it takes effect when usher is started anew",
		}},
		{edit(t, "allow: {call: true}", "allow: {call: false}", "ws:", "wamp:") + "limits: {ping_interval: 5s, shutdown_timeout: 3s}\nscripts: {directory: lua, limits: {vms: 3}}\n", []string{
			"limits.ping_interval: was the default, is now 5s; it takes effect when usher is started anew",
			"scripts.directory: was the default, is now lua; it takes effect when usher is started anew",
			`realms[0].roles[1].permissions: of role "frontend" of realm "realm1" changed`,
			"scripts.limits: changed",
			"limits.shutdown_timeout: changed",
			"transports[0].paths: changed",
		}},
	} {
		var got []string
		for _, c := range Diff(a, parse(t, "usher.yaml", test.data)) {
			got = append(got, c.String())
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
		}
	}
}
