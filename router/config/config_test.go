package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

// minimal is a file that is accepted; tests replace its parts.
const minimal = `realms:
  - name: realm1
    roles:
      - name: authenticator
        permissions:
          - uri: com.example.authenticate
            allow: {register: true}
      - name: frontend
        permissions:
          - uri: com.example.*
            allow: {call: true}
transports:
  - type: web
    endpoint: {type: tcp, port: 8080, interface: 127.0.0.1}
    paths:
      ws:
        type: websocket
        auth:
          ticket: {type: dynamic, authenticator: com.example.authenticate}
`

func parse(t *testing.T, name, data string) *Config {
	t.Helper()
	c, err := Parse(name, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestUsherFile(t *testing.T) {
	c := parse(t, "etc/usher.yaml", `
realms:
  - name: realm1
    roles:
      - name: authenticator
        permissions:
          - uri: com.example.authenticate
            match: exact
            allow: {register: true}
      - name: backend
        permissions:
          - {uri: "", match: prefix, allow: {call: true, register: true, publish: true, subscribe: true}, disclose: {caller: true, publisher: true}, cache: true}
          - {uri: com.example..create, match: wildcard, call: true, publish: false}
          - {uri: "*", allow: {}, match: wildcard}
  - name: realm2
    roles: [{name: guest}]
transports:
  - type: web
    endpoint: {type: tcp, port: 8080, interface: "::1", tls: {certificate: cert.pem, key: /keys/key.pem}}
    paths:
      "/": {type: static, directory: ./web}
      demo: {type: page}
      ws:
        type: websocket
        serializers: [json, cbor]
        auth:
          anonymous: {type: static, role: guest}
          ticket: {type: dynamic, authenticator: com.example.authenticate, authenticator-realm: realm1, realms: [realm1, realm2]}
        options: {allowed_origins: ["https://*.Example.com:8443", "*"]}
  - type: websocket
    endpoint: {type: tcp, port: 0}
    url: ws://localhost:8081/wamp
    auth: {ticket: {type: static, principals: {joe: {ticket: "secret!!!", role: backend}}}}
scripts: {directory: scripts, env: [MYTICKET], allow_join: false, limits: {handler_timeout: 2s, memory: 8MiB, vms: 3}}
components: {authenticate: {realm: realm1, role: authenticator}}
trusted_proxies: [10.0.0.0/8, "::1", 192.168.1.7/24]
allowed_hosts: [Usher.Local]
limits: {max_message_size: 64KiB, queue_size: 1MB, ping_interval: 1m30s, pending_calls: 7}
`)
	want := &Config{
		File: "etc/usher.yaml",
		Realms: []Realm{
			{Name: "realm1", Roles: []*auth.Role{
				{Name: "authenticator", Rules: []auth.Rule{{URI: "com.example.authenticate", Allow: auth.Register}}},
				{Name: "backend", Rules: []auth.Rule{
					{Match: wamp.Prefix, Allow: auth.Call | auth.Register | auth.Publish | auth.Subscribe, DiscloseCaller: true, DisclosePublisher: true, Cache: true},
					{URI: "com.example..create", Match: wamp.Wildcard, Allow: auth.Call},
					{URI: "*", Match: wamp.Wildcard},
				}},
			}},
			{Name: "realm2", Roles: []*auth.Role{{Name: "guest"}}},
		},
		Transports: []Transport{
			{
				Endpoint: Endpoint{Interface: "::1", Port: 8080, TLS: &TLS{Certificate: filepath.FromSlash("etc/cert.pem"), Key: filepath.FromSlash("/keys/key.pem")}},
				Paths: []Path{
					{Path: "/", Static: &Static{filepath.FromSlash("etc/web")}},
					{Path: "/demo", Page: true},
					{Path: "/ws", WebSocket: &WebSocket{
						Subprotocols: []string{"wamp.2.json.batched", "wamp.2.json", "wamp.2.cbor.batched", "wamp.2.cbor"},
						Auth: auth.Methods{
							Anonymous: &auth.Anonymous{Role: "guest"},
							Ticket:    &auth.Ticket{Authenticator: &auth.Dynamic{URI: "com.example.authenticate", Realm: "realm1", Realms: []string{"realm1", "realm2"}}},
						},
						AllowedOrigins: []string{"https://*.example.com:8443", "*"},
					}},
				},
			},
			{
				Endpoint: Endpoint{},
				Paths: []Path{{Path: "/wamp", WebSocket: &WebSocket{
					Subprotocols: []string{"wamp.2.cbor.batched", "wamp.2.cbor", "wamp.2.msgpack.batched", "wamp.2.msgpack", "wamp.2.json.batched", "wamp.2.json"},
					Auth:         auth.Methods{Ticket: &auth.Ticket{Principals: map[string]auth.StaticTicket{"joe": {Ticket: "secret!!!", Role: "backend"}}}},
				}}},
			},
		},
		Scripts: Scripts{Directory: filepath.FromSlash("etc/scripts"), Env: []string{"MYTICKET"},
			Limits: ScriptLimits{HandlerTimeout: 2 * time.Second, Memory: 8 << 20, VMs: 3}},
		Components:     map[string]Component{"authenticate": {"realm1", "authenticator"}},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("192.168.1.0/24")},
		AllowedHosts:   []string{"usher.local"},
		Limits:         Limits{MaxMessageSize: 64 << 10, QueueSize: 1000 * 1000, PingInterval: 90 * time.Second, PendingCalls: 7},
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, `the "*" in "*" is an ordinary letter`) {
		t.Errorf("warnings: %v", c.Warnings)
	}
	c.Warnings, c.files = nil, nil
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if a := c.Transports[0].Endpoint.Address(); a != "[::1]:8080" {
		t.Errorf("address %s", a)
	}
	if a := c.Authenticators(); !reflect.DeepEqual(a, map[string]bool{"com.example.authenticate": true}) {
		t.Errorf("authenticators %v", a)
	}
	if r := c.Roles(); len(r) != 2 || r["realm1"]["backend"] != c.Realms[0].Roles[1] {
		t.Errorf("roles %v", r)
	}
}

func TestShortForms(t *testing.T) {
	c := parse(t, "usher.yaml", minimal+"scripts: ./lua\n")
	if c.Scripts.Directory != "lua" || !c.Scripts.AllowJoin {
		t.Errorf("scripts %+v", c.Scripts)
	}
	want := []auth.Rule{{URI: "com.example.", Match: wamp.Prefix, Allow: auth.Call}}
	if got := c.Realms[0].Roles[1].Rules; !reflect.DeepEqual(got, want) {
		t.Errorf("rules %+v", got)
	}
	all := parse(t, "usher.yaml", strings.Replace(minimal, "com.example.*", `"*"`, 1))
	if got := all.Realms[0].Roles[1].Rules[0]; got.URI != "" || got.Match != wamp.Prefix {
		t.Errorf("rule %+v", got)
	}
}

func TestAnchorsAreShared(t *testing.T) {
	c := parse(t, "usher.yaml", strings.Replace(minimal, "transports:", `  - name: realm2
    roles:
      - name: frontend
        permissions: &all
          - {uri: "", match: prefix, allow: {call: true}}
      - name: other
        permissions: *all
transports:`, 1))
	if got := c.Realms[1].Roles[1].Rules; len(got) != 1 || got[0].Allow != auth.Call {
		t.Errorf("rules %+v", got)
	}
}

func TestSeedConfigurationStartsAsItIs(t *testing.T) {
	name := filepath.Join("testdata", "crossbar", "config.json")
	c, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Realms) != 1 || len(c.Realms[0].Roles) != 3 {
		t.Fatalf("realms %+v", c.Realms)
	}
	want := []auth.Rule{
		{URI: "com.example.add2", Allow: auth.Call, Cache: true},
		{URI: "com.example.", Match: wamp.Prefix, Allow: auth.Publish, Cache: true},
		{URI: "com.example.topic2", Cache: true},
		{URI: "com.foobar.topic1", Allow: auth.Publish, Cache: true},
	}
	if got := c.Realms[0].Roles[2]; got.Name != "frontend" || !reflect.DeepEqual(got.Rules, want) {
		t.Errorf("frontend %+v", got)
	}
	transport := Transport{
		Endpoint: Endpoint{Port: 8080},
		Paths: []Path{
			{Path: "/", Static: &Static{"testdata"}},
			{Path: "/ws", WebSocket: &WebSocket{
				Subprotocols: []string{"wamp.2.json.batched", "wamp.2.json"},
				Auth:         auth.Methods{Ticket: &auth.Ticket{Authenticator: &auth.Dynamic{URI: "com.example.authenticate"}}},
			}},
		},
	}
	if !reflect.DeepEqual(c.Transports, []Transport{transport}) {
		t.Errorf("transports %+v", c.Transports)
	}
	golden(t, c.Warnings, []string{
		name + `:108:17: workers[0].components[0]: the Python class "authenticator.AuthenticatorSession" does not run in usher: write scripts/authenticator.lua that begins with router.join { realm = "realm1", authrole = "authenticator" }`,
		name + `:114:17: workers[0].components[1]: the Python class "backend.BackendSession" does not run in usher: write scripts/backend.lua that begins with router.join { realm = "realm1", authrole = "backend" }`,
	})
}

func golden(t *testing.T, got []Problem, want []string) {
	t.Helper()
	lines := make([]string, len(got))
	for i, p := range got {
		lines[i] = p.String()
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(lines, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "usher.yaml")
	if _, err := Load(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	data := strings.Replace(minimal, "    paths:\n", "    paths:\n      /: {type: static, directory: web}\n", 1) + "scripts: lua\n"
	if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "web"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(name)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v", err)
	}
	golden(t, e.Problems, []string{
		name + `:16:36: transports[0].paths["/"].directory: ` + filepath.Join(dir, "web") + ` is a file, want a directory`,
		name + `:21:10: scripts: there is no directory ` + filepath.Join(dir, "lua") + ` (a relative path starts at this file's folder)`,
	})
	for _, d := range []string{"lua", "web"} {
		_ = os.Remove(filepath.Join(dir, d))
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(name); err != nil {
		t.Error(err)
	}
}

// TestAuthorizersAreReserved: nobody but the router may call them.
func TestAuthorizersAreReserved(t *testing.T) {
	c := parse(t, "usher.yaml", edit(t, "            allow: {register: true}\n", "            allow: {register: true}\n          - uri: com.example.authorize\n            allow: {register: true}\n",
		"      - name: frontend\n", "      - name: frontend\n        authorizer: com.example.authorize\n"))
	want := map[string]bool{"com.example.authenticate": true, "com.example.authorize": true}
	if got := c.Authenticators(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDirectoryInThePlaceOfAFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := parse(t, filepath.Join(dir, "usher.yaml"), edit(t, "127.0.0.1}", "127.0.0.1, tls: {certificate: a.pem, key: .}}")+"scripts: a.pem\n")
	err := c.CheckFiles(os.Stat)
	for _, want := range []string{"key: " + dir + " is a directory, want a file", "scripts: " + filepath.Join(dir, "a.pem") + " is a file, want a directory"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
