package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// edit returns minimal with each old text of pairs replaced by the new one.
func edit(t *testing.T, pairs ...string) string {
	t.Helper()
	s := minimal
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			t.Fatalf("%q is not in the file", pairs[i])
		}
		s = strings.Replace(s, pairs[i], pairs[i+1], 1)
	}
	return s
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name, data string
		want       []string
	}{
		{"empty", "", []string{
			"empty:1:1: the file is empty",
		}},
		{"a", edit(t, "      - name: frontend\n", "      - name: frontend\n        authorizer: com..authorize\n"), []string{
			`a:9:21: realms[0].roles[1].authorizer: "com..authorize" is not a URI: no spaces, no "#", no empty part between dots`,
		}},
		{"a", edit(t, "      - name: frontend\n", "      - name: frontend\n        authorizer: com.example.authorize\n"), []string{
			`a:9:21: realms[0].roles[1].authorizer: no role of realm realm1 may register com.example.authorize: whatever no rule matches would be denied; give one role a permission with exactly this uri, match: exact and allow: {register: true}`,
		}},
		{"a", edit(t, "- uri: com.example.*", "- uri: com.example.\n            match: prefx"), []string{
			`a:11:20: realms[0].roles[1].permissions[0].match: "prefx" is not a match policy; did you mean "prefix"?`,
		}},
		{"a", edit(t, "- uri: com.example.*", "- uri: com.example.\n            match: regex"), []string{
			`a:11:20: realms[0].roles[1].permissions[0].match: "regex" is not a match policy; want exact, prefix or wildcard`,
		}},
		{"a", edit(t, "allow: {call: true}", "alow: {call: true}"), []string{
			`a:11:13: realms[0].roles[1].permissions[0].alow: unknown key; did you mean "allow"?`,
		}},
		{"a", edit(t, "allow: {call: true}", "allow: {call: yes, subscripe: true}"), []string{
			"a:11:27: realms[0].roles[1].permissions[0].allow.call: want a boolean, this is a string; write true or false",
			`a:11:32: realms[0].roles[1].permissions[0].allow.subscripe: unknown key; did you mean "subscribe"?`,
		}},
		{"a", edit(t, "allow: {call: true}", "allow: {call: true}\n            publish: true"), []string{
			"a:11:20: realms[0].roles[1].permissions[0].allow: allow and booleans beside uri say the same thing: keep allow",
		}},
		{"a", edit(t, "uri: com.example.*", "uri: com..x"), []string{
			`a:10:18: realms[0].roles[1].permissions[0].uri: "com..x" is not a URI for match "exact"; an empty part between dots needs match: wildcard`,
		}},
		{"a", edit(t, "uri: com.example.*", `uri: ""`), []string{
			`a:10:18: realms[0].roles[1].permissions[0].uri: "" is not a URI for match "exact"; for every URI write match: prefix`,
		}},
		{"a", edit(t, "uri: com.example.*", `uri: "a b"`), []string{
			`a:10:18: realms[0].roles[1].permissions[0].uri: "a b" is not a URI for match "exact"`,
		}},
		{"a", edit(t, "name: frontend", "name: authenticator"), []string{
			`a:8:15: realms[0].roles[1].name: the role "authenticator" is here twice; first at line 4`,
		}},
		{"a", edit(t, "name: frontend", "name: 7"), []string{
			"a:8:15: realms[0].roles[1].name: want a string, this is an integer; put it into quotes",
		}},
		{"a", edit(t, "name: frontend", "name:"), []string{
			"a:8:14: realms[0].roles[1].name: want a string, this is null",
		}},
		{"a", edit(t, "- uri: com.example.*", "- {uri: com.example.authenticate}\n          - {uri: com.example.authenticate, match: exact}\n          - uri: com.example.*"), []string{
			`a:11:13: realms[0].roles[1].permissions[1]: the rule for "com.example.authenticate (exact)" is here twice; first at line 10`,
		}},
		{"a", edit(t, "port: 8080", "port: 80800"), []string{
			"a:14:33: transports[0].endpoint.port: 80800 is not from 0 to 65535",
		}},
		{"a", edit(t, "port: 8080", "port: $PORT"), []string{
			"a:14:33: transports[0].endpoint.port: usher does not read the environment in its configuration: write the number",
		}},
		{"a", edit(t, "port: 8080, ", ""), []string{
			`a:14:15: transports[0].endpoint: "port" is missing`,
		}},
		{"a", edit(t, "type: tcp", "type: onion"), []string{
			`a:14:22: transports[0].endpoint.type: endpoints of type "onion" are not supported; use tcp or unix`,
		}},
		{"a", edit(t, "type: web\n", "type: rawsocket\n"), []string{
			`a:13:5: transports[0]: "auth" is missing: nobody could join; write e.g. auth: {ticket: {type: dynamic, authenticator: com.example.authenticate}}`,
			"a:15:5: transports[0].paths: unknown key; paths go with type: web; for both on one port write type: universal and web: {paths: …}",
		}},
		{"a", edit(t, "type: web\n", "type: mqtt\n"), []string{
			`a:13:11: transports[0].type: transports of type "mqtt" are not supported; use web, websocket, rawsocket or universal`,
		}},
		{"a", edit(t, "type: web\n", "type: wbe\n"), []string{
			`a:13:11: transports[0].type: "wbe" is not a transport's type; did you mean "web"?`,
		}},
		{"a", edit(t, "type: websocket", "type: webocket"), []string{
			`a:17:15: transports[0].paths.ws.type: "webocket" is not a path's type; did you mean "websocket"?`,
		}},
		{"a", edit(t, "      ws:\n", "      /ws: {type: page}\n      ws:\n"), []string{
			`a:18:9: transports[0].paths.ws: the path "/ws" is here twice; first at line 16`,
		}},
		{"a", edit(t, "      ws:\n", "      readyz:\n"), []string{
			"a:17:9: transports[0].paths.readyz: usher answers /readyz itself; choose another path",
		}},
		{"a", edit(t, "authenticator: com.example.authenticate", "authenticator: com.example.authentikate"), []string{
			"a:19:50: transports[0].paths.ws.auth.ticket.authenticator: no role of realm realm1 may register com.example.authentikate: every login would be refused; give one role a permission with exactly this uri, match: exact and allow: {register: true}",
		}},
		{"a", edit(t, "allow: {register: true}", "allow: {call: true}"), []string{
			"a:19:50: transports[0].paths.ws.auth.ticket.authenticator: no role of realm realm1 may register com.example.authenticate: every login would be refused; give one role a permission with exactly this uri, match: exact and allow: {register: true}",
		}},
		{"a", edit(t, "uri: com.example.authenticate\n", "uri: com.example.authenticate\n            match: prefix\n"), []string{
			"a:20:50: transports[0].paths.ws.auth.ticket.authenticator: no role of realm realm1 may register com.example.authenticate: every login would be refused; give one role a permission with exactly this uri, match: exact and allow: {register: true}",
		}},
		{"a", edit(t, "authenticator: com.example.authenticate", "authenticator: com.example.authenticate, realms: [realm2]"), []string{
			`a:19:85: transports[0].paths.ws.auth.ticket.realms[0]: there is no realm "realm2"; did you mean "realm1"?`,
		}},
		{"a", edit(t, "authenticator: com.example.authenticate", "authenticator: com.example.authenticate, realms: []"), []string{
			"a:19:84: transports[0].paths.ws.auth.ticket.realms: the list is empty: nobody could join; leave it out to allow all realms",
		}},
		{"a", edit(t, "authenticator: com.example.authenticate", "authenticator: com.example.authenticate, authenticator-realm: realm"), []string{
			`a:19:97: transports[0].paths.ws.auth.ticket.authenticator-realm: there is no realm "realm"; did you mean "realm1"?`,
		}},
		{"a", edit(t, "authenticator: com.example.authenticate", "authenticator: wamp.authenticate"), []string{
			`a:19:50: transports[0].paths.ws.auth.ticket.authenticator: "wamp.authenticate" can't be registered by anybody: URIs that begin with wamp. are the router's`,
		}},
		{"a", edit(t, "{type: dynamic, authenticator: com.example.authenticate}", "{type: dynamic}"), []string{
			`a:19:19: transports[0].paths.ws.auth.ticket: "authenticator" is missing`,
		}},
		{"a", edit(t, "{type: dynamic, authenticator: com.example.authenticate}", "{type: static, principals: {joe: {ticket: 123, role: fronted}}}"), []string{
			"a:19:61: transports[0].paths.ws.auth.ticket.principals.joe.ticket: want a string, this is an integer; put it into quotes",
		}},
		{"a", edit(t, "{type: dynamic, authenticator: com.example.authenticate}", "{type: static, principals: {joe: {ticket: '123', role: fronted}}}"), []string{
			`a:19:74: transports[0].paths.ws.auth.ticket.principals.joe.role: no realm has the role "fronted": nobody can join with it; did you mean "frontend"?`,
		}},
		{"a", edit(t, "{type: dynamic, authenticator: com.example.authenticate}", "{type: static, principals: {joe: {ticket: '', role: frontend}}}"), []string{
			"a:19:61: transports[0].paths.ws.auth.ticket.principals.joe.ticket: must not be empty",
		}},
		{"a", edit(t, "{type: dynamic, authenticator: com.example.authenticate}", "{type: static, principals: {'': {ticket: '123', role: frontend}}}"), []string{
			`a:19:51: transports[0].paths.ws.auth.ticket.principals[""]: a principal without a name can't log in`,
		}},
		{"a", edit(t, "ticket: {type", "tickets: {type"), []string{
			`a:19:20: transports[0].paths.ws.auth.tickets: the method "tickets" is not supported and not offered to clients; there are anonymous, ticket, wampcra, scram, cryptosign, tls and cookie; did you mean "ticket"?`,
		}},
		{"a", edit(t, "ticket: {type: dynamic, authenticator: com.example.authenticate}", "anonymous: {type: static, role: guest}"), []string{
			`a:19:43: transports[0].paths.ws.auth.anonymous.role: no realm has the role "guest": nobody can join with it`,
		}},
		{"a", edit(t, "        auth:\n          ticket: {type: dynamic, authenticator: com.example.authenticate}\n", ""), []string{
			`a:17:9: transports[0].paths.ws: "auth" is missing: nobody could join; write e.g. auth: {ticket: {type: dynamic, authenticator: com.example.authenticate}}`,
		}},
		{"a", edit(t, "        auth:\n          ticket: {type: dynamic, authenticator: com.example.authenticate}\n", "        auth: {}\n"), []string{
			"a:18:15: transports[0].paths.ws.auth: no method is left: nobody can join here",
		}},
		{"a", edit(t, "        auth:\n", "        serializers: [jsn]\n        auth:\n"), []string{
			`a:18:23: transports[0].paths.ws.serializers[0]: "jsn" is not a serializer; did you mean "json"?`,
		}},
		{"a", edit(t, "        auth:\n", "        serializers: [json, json, jsn]\n        auth:\n"), []string{
			`a:18:29: transports[0].paths.ws.serializers[1]: "json" is here twice`,
			`a:18:35: transports[0].paths.ws.serializers[2]: "jsn" is not a serializer; did you mean "json"?`,
		}},
		{"a", edit(t, "        auth:\n", "        serializers: []\n        auth:\n"), []string{
			"a:18:22: transports[0].paths.ws.serializers: no serializer is left: name json, msgpack or cbor",
		}},
		{"a", edit(t, "        auth:\n", "        allowed_origins: ['*']\n        auth:\n"), []string{
			"a:18:9: transports[0].paths.ws.allowed_origins: unknown key; write options: {allowed_origins: […]}",
		}},
		{"a", edit(t, "        auth:\n", "        options: {allowed_origins: [example.com, 'https://x/y'], max_message_size: 5}\n        auth:\n"), []string{
			`a:18:37: transports[0].paths.ws.options.allowed_origins[0]: "example.com" is not an origin such as https://example.com or https://*.example.com`,
			`a:18:50: transports[0].paths.ws.options.allowed_origins[1]: "https://x/y" is not an origin: it ends after host and port`,
			"a:18:66: transports[0].paths.ws.options.max_message_size: unknown key; write limits: {max_message_size: 1MiB} at the top",
		}},
		{"a", edit(t, "127.0.0.1}", "127.0.0.1, tls: {certificate: a.pem, key: b.pem, ca_certificates: []}}"), []string{
			"a:14:116: transports[0].endpoint.tls.ca_certificates: the list is empty: no client could have a certificate; leave it out to ask for none",
		}},
		{"a", edit(t, "127.0.0.1}", "127.0.0.1, tls: {certificate: a.pem, key: b.pem, client_certificates: optional}}"), []string{
			"a:14:120: transports[0].endpoint.tls.client_certificates: it goes with ca_certificates, the files of whoever issues them",
		}},
		{"a", edit(t, "127.0.0.1}", "127.0.0.1, tls: {certificate: a.pem, key: b.pem, ca_certificates: [c.pem], client_certificates: optinal}}"), []string{
			`a:14:146: transports[0].endpoint.tls.client_certificates: "optinal" is not a way to treat client certificates; did you mean "optional"?`,
		}},
		{"a", minimal + "components: {x/y: {realm: realm1, role: frontend}, b: {realm: realm2, role: frontend}, c: {realm: realm1, authrole: frontend}}", []string{
			`a:20:19: components["x/y"]: "x/y" can't be a component's name: write the script's file name without .lua`,
			`a:20:91: components.c: "role" is missing`,
			"a:20:107: components.c.authrole: unknown key; it is called role here",
		}},
		{"a", minimal + "components: {b: {realm: realm2, role: frontend}, c: {realm: realm1, role: fronted}}", []string{
			`a:20:25: components.b.realm: there is no realm "realm2"; did you mean "realm1"?`,
			`a:20:75: components.c.role: realm "realm1" has no role "fronted"; did you mean "frontend"?`,
		}},
		{"a", minimal + "scripts: {env: [A, A, 'B=', ''], limit: 3}", []string{
			`a:20:10: scripts: "directory" is missing`,
			`a:20:20: scripts.env[1]: "A" is here twice`,
			`a:20:23: scripts.env[2]: "B=" is not the name of an environment variable`,
			"a:20:29: scripts.env[3]: must not be empty",
			`a:20:34: scripts.limit: unknown key; did you mean "limits"?`,
		}},
		{"a", minimal + "scripts: {directory: x, limits: {handler_timeout: 5, memory: 1XB, queue_wait: 0s, vms: 0, instructions: many, call_depth: 1.5}}", []string{
			"a:20:51: scripts.limits.handler_timeout: 5 has no unit: write 5ms or 5s",
			`a:20:62: scripts.limits.memory: "1XB" is not a size: write 65536, 64KiB or 1MiB`,
			"a:20:79: scripts.limits.queue_wait: 0s is not from 1ms to 24h",
			"a:20:88: scripts.limits.vms: 0 is not from 1 to 4096",
			"a:20:105: scripts.limits.instructions: want an integer, this is a string",
			"a:20:123: scripts.limits.call_depth: want an integer, this is a number that is not an integer",
		}},
		{"a", minimal + "limits: {failed_logins: {slow_after: -1, max_delay: 3, refuse_fr: 5s}}", []string{
			"a:20:38: limits.failed_logins.slow_after: -1 is not from 0 to 1000000",
			"a:20:53: limits.failed_logins.max_delay: 3 has no unit: write 3ms or 3s",
			`a:20:56: limits.failed_logins.refuse_fr: unknown key; did you mean "refuse_for"?`,
		}},
		{"a", minimal + "limits: {max_message_size: 2GiB, hello_timeout: 5 seconds, write_timeout: [], pending_calls: 0}", []string{
			"a:20:28: limits.max_message_size: 2GiB is not from 1KiB to 1GiB",
			`a:20:49: limits.hello_timeout: "5 seconds" is not a duration: write 500ms, 5s or 1m30s`,
			"a:20:75: limits.write_timeout: want a duration such as 5s, this is a list",
			"a:20:94: limits.pending_calls: 0 is not from 1 to 10000000",
		}},
		{"a", minimal + "limits: {max_message_size: 1, queue_size: [1]}\nlimit: 1", []string{
			"a:20:28: limits.max_message_size: 1 is not from 1KiB to 1GiB",
			"a:20:43: limits.queue_size: want a size such as 1MiB, this is a list",
			`a:21:1: limit: unknown key; did you mean "limits"?`,
		}},
		{"a", minimal + "trusted_proxies: [localhost, 0.0.0.0/0, 10.0.0.0/33]\nallowed_hosts: ['http://x', 'x:80']", []string{
			`a:20:19: trusted_proxies[0]: "localhost" is neither an IP address nor a network such as 10.0.0.0/8`,
			"a:20:30: trusted_proxies[1]: 0.0.0.0/0 is everybody: then any client could claim any address; name your proxies",
			`a:20:41: trusted_proxies[2]: "10.0.0.0/33" is neither an IP address nor a network such as 10.0.0.0/8`,
			`a:21:17: allowed_hosts[0]: "http://x" is not a host name without scheme and port`,
			`a:21:29: allowed_hosts[1]: "x:80" is not a host name without scheme and port`,
		}},
		{"a", minimal + "scripts: &a [*a]\n", []string{
			"a:20:14: there is no anchor &a before this alias",
		}},
		{"a", minimal + "scripts: *nope\n", []string{
			"a:20:10: there is no anchor &nope before this alias",
		}},
		{"a", minimal + "scripts: !!str x\n", []string{
			"a:20:10: the tag !!str is not understood: write the plain value, quoted where it shall be a string",
		}},
		{"a", minimal + "<<: {a: b}\n", []string{
			"a:20:1: only a plain or quoted word can be a key here",
		}},
		{"a", minimal + "realms: []\n", []string{
			`a:20:1: the key "realms" is here twice; first at line 1`,
		}},
		{"a", minimal + "---\nx: y\n", []string{
			"a:21:2: a second document begins; a configuration is one document",
		}},
		{"a", "realms: []\ntransports: []\n", []string{
			"a:1:9: realms: there is no realm: nobody could join",
		}},
		{"a", "realms: {}\ntransports: 5\n", []string{
			"a:1:9: realms: want a list, this is a dict",
			"a:2:13: transports: want a list, this is an integer",
		}},
		{"a", "roles: []\npaths: {}\n", []string{
			`a:1:1: "realms" is missing`,
			`a:1:1: "transports" is missing`,
			"a:1:1: roles: unknown key; roles belong into an entry of realms",
			"a:2:1: paths: unknown key; paths belong into an entry of transports",
		}},
		{"a", "- a\n", []string{
			"a:1:1: want a dict, this is a list",
		}},
		{"a", "a: [1,\n", []string{
			"a:1:4: sequence end token ']' not found",
		}},
		{"a", "a:\n\t- b\n", []string{
			"a:2:1: found character '\t' that cannot start any token",
		}},
		{"a", "\xff\xfe", []string{
			"a:1:1: the file is not UTF-8 text: save it as UTF-8",
		}},
		{"a", "a: " + strings.Repeat("[", 40), []string{
			"a:1:36: nested more than 32 deep",
		}},
		{"a", strings.Repeat("- ", 40), []string{
			"a:1:65: nested more than 32 deep",
		}},
		{"a.json", "{\n \"realms\": [],\n \"realms\": []\n}", []string{
			`a.json:3:2: the key "realms" is here twice; first at line 2`,
		}},
		{"a.json", "{\n \"realms\": [1,]\n}", []string{
			"a.json:2:15: invalid character ']' looking for beginning of value",
		}},
		{"a.json", "{\n \"realms\": [1", []string{
			"a.json:2:14: the file ends too early",
		}},
		{"a.json", "{} // x", []string{
			"a.json:1:4: more follows after the end of the document",
		}},
		{"a.json", "{\"é\": 1.5, \"b\": nul}", []string{
			"a.json:1:17: invalid character '}' in literal null (expecting 'l')",
		}},
		{"a.json", strings.Repeat("[", 40), []string{
			"a.json:1:33: nested more than 32 deep",
		}},
		{"a.json", `{"realms": null, "transports": []}`, []string{
			"a.json:1:12: realms: want a list, this is null",
		}},
		{"a", strings.Repeat("x", maxFileSize+1), []string{
			"a:1:1: the file is larger than 1MiB",
		}},
	}
	for _, test := range tests {
		_, err := Parse(test.name, []byte(test.data))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.200s\nerror %v", test.data, err)
			continue
		}
		if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, test.want) {
			t.Errorf("%.1000s\ngot\n\t%s\nwant\n\t%s", test.data, strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
		}
	}
}

func TestManyProblemsAreBounded(t *testing.T) {
	_, err := Parse("a", []byte(strings.Replace(minimal, "realms:", "realms: ["+strings.Repeat("1,", maxProblems+7)+"]\nrest:", 1)))
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != maxProblems || e.More == 0 {
		t.Fatalf("error %v", err)
	}
	if !strings.HasSuffix(e.Error(), " more") {
		t.Errorf("text ends with %q", e.Error()[len(e.Error())-20:])
	}
}

func TestAliasesCannotGrowWithoutBound(t *testing.T) {
	s := "a0: &a0 [x]\n"
	for i := range 20 {
		old, cur := string(rune('a'+i)), string(rune('b'+i))
		s += cur + ": &" + cur + "0 [" + strings.TrimSuffix(strings.Repeat("*"+old+"0, ", 10), ", ") + "]\n"
	}
	_, err := Parse("a", []byte(s))
	if err == nil || !strings.Contains(err.Error(), "more than 100000 values") {
		t.Errorf("error %.300v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("usher.yaml", []byte(minimal))
	f.Add("usher.yaml", []byte("a: &x [1, *x]\n? b\n: |\n  c\n<<: {d: !!int 5}\n--- \n"))
	f.Add("usher.yaml", []byte(minimal+"          scram: {type: static, principals: {a: {kdf: pbkdf2, salt: AAAA, iterations: 1, stored-key: "+hexKey+", server-key: "+base64Key+", role: frontend}}}\n"+
		"          cryptosign: {type: static, principals: {a: {authorized_keys: ["+pubkey+"], role: frontend, realm: realm1}}}\n          wampcra: {type: static, users: {a: {secret: b, salt: c, role: frontend}}}\n"))
	f.Add("x.json", []byte(`{"realms": [{"name": "r", "roles": [1, null]}], "transports": {"a": [2.5e3, true]}}`))
	f.Add("x.json", []byte(`{"version": 2, "workers": [{"type": "router", "realms": [], "transports": [{}], "components": [{"type": "class"}]}]}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		c, err := Parse(name, data)
		if err == nil {
			if len(c.Realms) == 0 || len(c.Transports) == 0 {
				t.Error("accepted without realm or transport")
			}
			if d := Diff(c, c); len(d) != 0 {
				t.Errorf("differs from itself: %v", d)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) == 0 || len(e.Problems) > maxProblems {
			t.Fatalf("error %v", err)
		}
		for _, p := range e.Problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("problem without place or text: %+v", p)
			}
		}
	})
}
