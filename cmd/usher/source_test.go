package main

import (
	"log/slog"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"usher/scripting"
	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

const everyScriptOption = `
realms: [{name: realm1, roles: [{name: frontend, permissions: []}, {name: authenticator, permissions: [{uri: com.example.authenticate, match: exact, allow: {register: true}}]}]}]
transports:
  - type: web
    endpoint: {type: tcp, port: 8080}
    paths: {ws: {type: websocket, auth: {ticket: {type: dynamic, authenticator: com.example.authenticate}}}}
components: {doorman: {realm: realm1, role: authenticator}}
limits: {shutdown_timeout: 7s}
scripts:
  directory: scripts
  env: [MYTICKET]
  allow_join: false
  http: {allow_private: true, allow: [db.example.com]}
  kv: {file: kv.db, entries: 12, bytes: 65KiB}
  sql:
    users: {driver: postgres, dsn_env: USERS, connections: 3}
    log: {driver: sqlite, file: log.db, read_only: true}
  limits: {handler_timeout: 1s, instructions: 2000, memory: 65KiB, pattern_steps: 3000, vms: 4, idle_vms: 5, vm_calls: 6, queue_wait: 7s, call_depth: 8, hash_memory: 9MiB}
`

// Whatever the configuration says of scripts comes to those who see to it.
func TestScriptsGetTheirOptions(t *testing.T) {
	t.Chdir(files(t, map[string]string{defaultConfig: everyScriptOption, "scripts/.keep": ""}))
	src, err := sourceFlags{}.load()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	want := scripting.Options{
		Dir:          "scripts",
		Components:   map[string]scripting.Role{"doorman": {Realm: "realm1", Authrole: "authenticator"}},
		ForbidJoin:   true,
		RequiredURIs: []string{"com.example.authenticate"},
		Env:          []string{"MYTICKET"},
		KVFile:       "kv.db",
		SQL: map[string]scripting.Database{
			"users": {Database: lualib.Database{Driver: "postgres", Connections: 3}, DSNEnv: "USERS"},
			"log":   {Database: lualib.Database{Driver: "sqlite", File: "log.db", ReadOnly: true}},
		},
		HTTP: lualib.HTTPOptions{AllowPrivate: true, Allowed: []string{"db.example.com"}},
		Limits: scripting.Limits{
			Call: lua51.Limits{Instructions: 2000, Bytes: 65 << 10, PatternSteps: 3000, Wall: time.Second},
			VMs:  4, IdleVMs: 5, CallsPerVM: 6, QueueWait: 7 * time.Second, Depth: 8, HashMemory: 9 << 20,
			Store: lualib.StoreLimits{Entries: 12, Bytes: 65 << 10},
		},
		Log: log,
	}
	if got := src.scripting(log); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := src.shutdownTimeout(); got != 7*time.Second {
		t.Errorf("shutting down may take %v", got)
	}
}

// A login that is tried out leaves no trace in what a running router keeps.
func TestTryLeavesTheStoreAlone(t *testing.T) {
	t.Setenv("USERS", "postgres://127.0.0.1/users") // nobody asks it
	dir := files(t, map[string]string{
		defaultConfig: everyScriptOption,
		"scripts/doorman.lua": `router.authenticator("com.example.authenticate", function(request)
  kv.set("last", request.authid)
  return "frontend"
end)
`,
	})
	if status, out, errs := usher(t, dir, "", "try", "--authid", "joe", "--ticket", "x"); status != exitOK {
		t.Errorf("exit status %d: %s%s", status, out, errs)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "kv.db*")); len(found) > 0 || err != nil {
		t.Errorf("there is %s, %v", found, err)
	}
}
