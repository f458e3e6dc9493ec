package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// usher runs a command line in the working directory dir.
func usher(t *testing.T, dir, stdin string, args ...string) (status int, out, errs string) {
	t.Helper()
	t.Chdir(dir)
	var o, e bytes.Buffer
	status = run(context.Background(), args, streams{in: strings.NewReader(stdin), out: &o, err: &e})
	return status, o.String(), e.String()
}

// files writes a tree of files and returns its folder.
func files(t *testing.T, tree map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range tree {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const staticConfig = `
realms: [{name: realm1, roles: [{name: frontend, permissions: []}]}]
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0}
    paths:
      ws: {type: websocket, auth: {ticket: {type: static, principals: {joe: {ticket: s3cret, role: frontend}}}}}
`

const databaseConfig = staticConfig + "scripts: {directory: scripts, sql: {users: {driver: postgres, dsn_env: USHER_TEST_NO_DSN}}}\n"

// noDSN is what every command says of it.
const noDSN = `^usher: usher.yaml: .*database users: the environment variable USHER_TEST_NO_DSN is not set\n`

const crossbarConfig = `{"version": 2, "workers": [{"type": "router",
	"realms": [{"name": "realm1", "roles": [{"name": "authenticator", "permissions": [
		{"uri": "com.example.authenticate", "match": "exact", "allow": {"register": true}}]}]}],
	"transports": [{"type": "web", "endpoint": {"type": "tcp", "port": 8080, "interface": "127.0.0.1"}, "paths": {
		"ws": {"type": "websocket", "auth": {"ticket": {"type": "dynamic", "authenticator": "com.example.authenticate"}}}}}],
	"components": [{"type": "class", "classname": "authenticator.AuthenticatorSession", "realm": "realm1", "role": "authenticator"}]}]}`

const joinsOddly = `router.join { realm = "realm1", authrole = "backend" }
local unused = 1
local f = router.regster
print(f)
`

const joinsAndBreaks = `router.join { realm = "realm1", authrole = "authenticator" }
router.authenticator("com.example.authenticate", function(request)
  return request.nothing.there
end)
`

func TestCommands(t *testing.T) {
	cases := map[string]struct {
		files  map[string]string
		stdin  string
		env    map[string]string
		args   []string
		status int
		out    []string // regular expressions that standard output matches
		errs   []string // likewise standard error
	}{
		"check: demo": {
			args: []string{"check"},
			out: []string{`built in`, `authenticate.lua: joins realm1 as authenticator, generation 1\n  authenticator com.example.authenticate  authenticate.lua:16`,
				`procedure     com.example.add2  backend.lua:5`, `denied        com.example.topic2  subscription backend.lua:10`},
		},
		"check: a script that does not compile": {
			files:  map[string]string{"scripts/a.lua": "\nlocal x = = 1\n"},
			args:   []string{"check"},
			status: exitFailed,
			out:    []string{`a.lua: FAILED\n  a.lua:2: `, `no script registers the authenticator com.example.authenticate`},
			errs:   []string{`1 of 1 scripts would not load`},
		},
		"check: an odd script": {
			files: map[string]string{"scripts/a.lua": joinsOddly},
			args:  []string{"check"},
			out:   []string{`warning: a.lua:2: unused local 'unused'\n`, `warning: a.lua:3: router has no regster: did you mean 'register'\?\n`},
		},
		"check: an odd script, strictly": {
			files:  map[string]string{"scripts/a.lua": joinsOddly},
			args:   []string{"check", "--strict"},
			status: exitFailed,
			errs:   []string{`2 warnings`},
		},
		"help: the whole library": {args: []string{"help", "lua"}, out: []string{`router  `, `Principal`, `describe\(name, fn\)`}},
		"help: a function":        {args: []string{"help", "lua", "kv.set"}, out: []string{`kv.set\(key, value, ttl\?\)\n  Stores a value`}},
		"help: nothing there":     {args: []string{"help", "lua", "kv.sett"}, status: exitUsage, errs: []string{`"kv.sett"`}},
		"check: a script without router.join": {
			files:  map[string]string{"scripts/a.lua": "local x = 1\n"},
			args:   []string{"check"},
			status: exitFailed,
			out:    []string{`a.lua: FAILED`, `router.join`},
		},
		"check: a refused name": {
			files:  map[string]string{"scripts/a.lua": "local f = loadstring('x')\n"},
			args:   []string{"check"},
			status: exitFailed,
			out:    []string{`a.lua:1: .*loadstring`},
		},
		"check: configuration with an unknown key": {
			files:  map[string]string{"usher.yaml": staticConfig + "script: x\n"},
			args:   []string{"check"},
			status: exitFailed,
			errs:   []string{`usher.yaml:8:1: script: .*did you mean "scripts"`},
		},
		"check: configuration without scripts": {
			files: map[string]string{"usher.yaml": staticConfig},
			args:  []string{"check"},
			out:   []string{`configuration: usher.yaml`, `scripts: none`},
		},
		"check: a Crossbar.io node file with scripts beside it": {
			files: map[string]string{"node/config.json": crossbarConfig, "node/scripts/authenticator.lua": joinsAndBreaks},
			args:  []string{"check", "--config", filepath.Join("node", "config.json")},
			out:   []string{`Python class "authenticator.AuthenticatorSession" does not run in usher: write scripts/authenticator.lua`, `authenticator.lua: joins realm1 as authenticator, generation 1\n  authenticator com.example.authenticate  authenticator.lua:2`},
		},
		"check: no such configuration": {
			args:   []string{"check", "--config", "nowhere.yaml"},
			status: exitFailed,
			errs:   []string{`nowhere.yaml: no such file.*; ` + "`usher init DIR` writes one"},
		},
		"check: no such scripts": {
			args:   []string{"check", "--scripts", "nowhere"},
			status: exitFailed,
			errs:   []string{`scripts directory: .*nowhere`},
		},
		"try: accepted": {
			stdin: "secret!!!\n",
			args:  []string{"try", "--authid", "joe"},
			out:   []string{`ticket=\*\*\* \(9 bytes\)`, `asked     com.example.authenticate`, `accepted  realm=realm1 authid=joe authrole=frontend`},
		},
		"try: the ticket in the environment": {
			env:  map[string]string{ticketVariable: "secret!!!"},
			args: []string{"try", "--authid", "joe"},
			out:  []string{`accepted`},
		},
		"try: wrong ticket": {
			args:   []string{"try", "--authid", "joe", "--ticket", "wrong", "--header", "X-Test=1"},
			status: exitFailed,
			out:    []string{`x-test: 1`, `refused   com.example.invalid_ticket: could not authenticate session - invalid ticket 'wrong' for principal joe`},
		},
		"try: unknown user": {
			args:   []string{"try", "--authid", "eve", "--ticket", "x"},
			status: exitFailed,
			out:    []string{`refused   com.example.no_such_user: could not authenticate session - no such principal eve`},
		},
		"try: no such realm": {
			args:   []string{"try", "--authid", "joe", "--ticket", "secret!!!", "--realm", "elsewhere"},
			status: exitFailed,
			out:    []string{`elsewhere`},
		},
		"try: the script fails": {
			files:  map[string]string{"scripts/authenticate.lua": joinsAndBreaks},
			args:   []string{"try", "--authid", "joe", "--ticket", "wrong"},
			status: exitFailed,
			out:    []string{`failed    wamp.error.authentication_failed: .*authenticate.lua:3: attempt to index field 'nothing' \(a nil value\)`},
		},
		"try: static tickets": {
			files: map[string]string{"usher.yaml": staticConfig},
			args:  []string{"try", "--authid", "joe", "--ticket", "s3cret"},
			out:   []string{`asked     configuration`, `accepted  realm=realm1 authid=joe authrole=frontend`},
		},
		"try: static tickets, wrong": {
			files:  map[string]string{"usher.yaml": staticConfig},
			args:   []string{"try", "--authid", "joe", "--ticket", "other"},
			status: exitFailed,
			out:    []string{`refused   wamp.error.authentication_denied`},
		},
		"try: a header without value": {
			args:   []string{"try", "--authid", "joe", "--ticket", "x", "--header", "nonsense"},
			status: exitFailed,
			errs:   []string{`--header "nonsense": write NAME=VALUE`},
		},
		"try: nobody":           {args: []string{"try"}, status: exitUsage, errs: []string{`--authid`}},
		"unknown command":       {args: []string{"sreve"}, status: exitUsage, errs: []string{`sreve`, `\nusher --help lists`}},
		"a configuration only":  {args: []string{"usher.yaml"}, status: exitUsage, errs: []string{`--config usher\.yaml`}},
		"check: an argument":    {args: []string{"check", "etc/config.json"}, status: exitUsage, errs: []string{`--config etc/config\.json`}},
		"call: an address":      {args: []string{"call", "ws://127.0.0.1:8080/ws", "com.example.add"}, status: exitUsage, errs: []string{`ws://127\.0\.0\.1:8080/ws is the address .* --url`}},
		"publish: an address":   {args: []string{"publish", "wss://example.com/ws", "com.example.topic"}, status: exitUsage, errs: []string{`--url`}},
		"subscribe: an address": {args: []string{"subscribe", "com.example.topic", "rs://127.0.0.1:8081"}, status: exitUsage, errs: []string{`rs://127\.0\.0\.1:8081 .* --url`}},
		"register: an address":  {args: []string{"register", "ws+unix:///run/usher.sock:/ws", "com.example.add"}, status: exitUsage, errs: []string{`--url`}},
		"unknown log level":     {args: []string{"serve", "--log-level", "loud"}, status: exitUsage, errs: []string{`--log-level`, `, usher serve --help its flags`}},
		"help":                  {args: []string{"--help"}, out: []string{`serve`, `check`, `try`, `init`, `version`}},
		"version":               {args: []string{"version"}, out: []string{`^usher \S+ \(go1\.`}},
		"serve: demo mode beyond loopback": {
			args:   []string{"serve", "--listen", "0.0.0.0:8080"},
			status: exitFailed,
			errs:   []string{`loopback only, not on "0.0.0.0"`, `usher init`},
		},
		"serve: a variable that is not set": {
			files:  map[string]string{"usher.yaml": databaseConfig, "scripts/.keep": ""},
			args:   []string{"serve"},
			status: exitFailed,
			errs:   []string{noDSN},
		},
		"check: a variable that is not set": {
			files:  map[string]string{"usher.yaml": databaseConfig, "scripts/.keep": ""},
			args:   []string{"check"},
			status: exitFailed,
			errs:   []string{noDSN},
		},
		"try: a variable that is not set": {
			files:  map[string]string{"usher.yaml": databaseConfig, "scripts/.keep": ""},
			args:   []string{"try", "--authid", "joe", "--ticket", "s3cret"},
			status: exitFailed,
			errs:   []string{noDSN},
		},
		"serve: a port that is none": {
			args:   []string{"serve", "--listen", "127.0.0.1:http"},
			status: exitFailed,
			errs:   []string{`--listen: "http" is not a port number`},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			status, out, errs := usher(t, files(t, c.files), c.stdin, c.args...)
			if status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			for _, want := range c.out {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("standard output does not match %q", want)
				}
			}
			for _, want := range c.errs {
				if !regexp.MustCompile(want).MatchString(errs) {
					t.Errorf("standard error does not match %q", want)
				}
			}
			if t.Failed() {
				t.Logf("standard output:\n%s\nstandard error:\n%s", out, errs)
			}
		})
	}
}

func TestTryAsJSON(t *testing.T) {
	status, out, _ := usher(t, t.TempDir(), "", "try", "--authid", "joe", "--ticket", "secret!!!", "--json")
	var got trial
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if status != exitOK || got.Decision != "accepted" || got.Role != "frontend" || got.JoinsRealm != "realm1" || got.JoinsAuthid != "joe" {
		t.Errorf("exit status %d, got %+v", status, got)
	}
	if strings.Contains(out, "secret!!!") {
		t.Error("the ticket is printed")
	}
}

func TestInitWritesWhatRuns(t *testing.T) {
	dir := t.TempDir()
	status, said, errs := usher(t, dir, "", "init", "here")
	if status != exitOK {
		t.Fatal(errs)
	}
	script := filepath.Join(dir, "here", "scripts", "authenticate.lua")
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	tickets := regexp.MustCompile(`ticket = "([A-Z2-7]{26})"`).FindAllStringSubmatch(string(text), -1)
	if len(tickets) != 2 || tickets[0][1] == tickets[1][1] {
		t.Fatalf("want two different random tickets, got %v", tickets)
	}
	config := filepath.Join("here", "usher.yaml")
	if status, out, errs := usher(t, dir, "", "check", "--config", config); status != exitOK {
		t.Errorf("check: %d\n%s%s", status, out, errs)
	}
	if status, out, errs := usher(t, dir, "", "check", "--strict", "--config", config); status != exitOK || strings.Contains(out, "warning") || strings.Contains(out, "no script registers") {
		t.Errorf("check --strict: %d\n%s%s", status, out, errs)
	}
	if status, out, errs := usher(t, dir, "", "test", filepath.Join("here", "scripts")); status != exitOK || !strings.Contains(out, "5 passed in 2 files") {
		t.Errorf("test: %d\n%s%s", status, out, errs)
	}
	annotation := filepath.Join("here", ".usher", "usher.lua")
	if err := os.WriteFile(annotation, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, errs := usher(t, dir, "", "init", "--annotations", "here"); status != exitOK || !strings.Contains(out, "kept "+filepath.Join("here", ".luarc.json")) {
		t.Errorf("init --annotations: %d\n%s%s", status, out, errs)
	}
	if now, err := os.ReadFile(annotation); err != nil || !strings.Contains(string(now), "---@meta") {
		t.Errorf("the annotations are %q, %v", now, err)
	}
	// The commands that it has printed work as they are, but for the ticket.
	t.Setenv(ticketVariable, tickets[0][1])
	printed := regexp.MustCompile(`(?m)^  (?:USHER_TICKET=TICKET )?`+regexp.QuoteMeta(self())+` ((?:try|test|serve) .*)$`).FindAllStringSubmatch(said, -1)
	if len(printed) != 3 {
		t.Fatalf("want three commands, got %q", said)
	}
	for _, command := range printed[:2] {
		if status, out, errs := usher(t, dir, "", strings.Fields(command[1])...); status != exitOK {
			t.Errorf("%s: %d\n%s%s", command[1], status, out, errs)
		}
	}
	if status, _, errs := usher(t, dir, "", "init", "here"); status != exitFailed || !strings.Contains(errs, "exists already") {
		t.Errorf("second init: %d %s", status, errs)
	}
	if again, err := os.ReadFile(script); err != nil || string(again) != string(text) {
		t.Error("the second init changed a file")
	}
}
