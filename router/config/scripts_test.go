package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestWhatScriptsMayReach(t *testing.T) {
	c := parse(t, "usher.yaml", minimal+`scripts:
  directory: lua
  http: {allow: [auth.internal, "auth.internal:8443", 10.0.0.0/8, "::1", "[::1]:80", 127.0.0.1], allow_private: true}
  sql:
    users: {driver: postgres, dsn: "postgres://joe:secret@db/users", connections: 3}
    more: {driver: postgres, dsn_env: MORE_DSN}
    local: {driver: sqlite, file: data/local.db, read_only: true}
  kv: {file: data/kv, entries: 1000, bytes: 1MiB}
  limits: {hash_memory: 128MiB}
`)
	want := Scripts{
		Directory: "lua", AllowJoin: true,
		HTTP: ScriptHTTP{AllowPrivate: true, Allow: []string{"auth.internal", "auth.internal:8443", "10.0.0.0/8", "::1", "[::1]:80", "127.0.0.1"}},
		KV:   ScriptKV{File: filepath.FromSlash("data/kv"), Entries: 1000, Bytes: 1 << 20},
		SQL: map[string]ScriptSQL{
			"users": {Driver: "postgres", DSN: "postgres://joe:secret@db/users", Connections: 3},
			"more":  {Driver: "postgres", DSNEnv: "MORE_DSN"},
			"local": {Driver: "sqlite", File: filepath.FromSlash("data/local.db"), ReadOnly: true},
		},
		Limits: ScriptLimits{HashMemory: 128 << 20},
	}
	if !reflect.DeepEqual(c.Scripts, want) {
		t.Errorf("got\n%+v, want\n%+v", c.Scripts, want)
	}
	if text := fmt.Sprintf("%v %+v", c.Scripts, c); strings.Contains(text, "secret") {
		t.Errorf("a secret is printed: %s", text)
	}
}

func TestMistakesInWhatScriptsMayReach(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"http: {allow: [https://a, a, a, 'a:x', 'a:0', '', 10.0.0.0/33], timeout: 5s, allow_privat: true}", []string{
			`scripts.http.allow[0]: "https://a" is neither a host, with or without a port, nor an address or a network such as 10.0.0.0/8`,
			`scripts.http.allow[2]: "a" is here twice`,
			`scripts.http.allow[3]: "a:x" is neither a host`,
			`scripts.http.allow[4]: "a:0" is neither a host`,
			`scripts.http.allow[5]: must not be empty`,
			`scripts.http.allow[6]: "10.0.0.0/33" is neither a host`,
			`scripts.http.timeout: unknown key; a request ends with its handler: limits.handler_timeout`,
			`scripts.http.allow_privat: unknown key; did you mean "allow_private"?`,
		}},
		{"sql: {a/b: {driver: mysql}, b: {driver: postgres}, c: {driver: sqlite, dsn: x}, d: {driver: postgres, dsn: x, dsn_env: Y, file: z}, e: {}, f: {driver: sqlite, path: x, file: '', connections: 0}}", []string{
			`scripts.sql["a/b"]: "a/b" can't be a database's name`,
			`scripts.sql["a/b"].driver: "mysql" is not a driver; want postgres or sqlite`,
			`scripts.sql.b: a postgres database has either dsn or dsn_env`,
			`scripts.sql.c: "file" is missing`,
			`scripts.sql.c.dsn: belongs to a postgres database: a sqlite one has file`,
			`scripts.sql.d: a postgres database has either dsn or dsn_env`,
			`scripts.sql.d.file: belongs to a sqlite database`,
			`scripts.sql.e: "driver" is missing`,
			`scripts.sql.f.path: unknown key; it is called file`,
			`scripts.sql.f.file: must not be empty`,
			`scripts.sql.f.connections: 0 is not from 1 to 1000`,
		}},
		{"kv: {path: x, entries: 0, bytes: 1}", []string{
			"scripts.kv.path: unknown key; it is called file",
			"scripts.kv.entries: 0 is not from 1 to 10000000",
			"scripts.kv.bytes: 1 is not from 64KiB to 1GiB",
		}},
		{"http: true", []string{"scripts.http: want a dict, this is a boolean"}},
		{"limits: {hash_memory: 1KiB}", []string{"scripts.limits.hash_memory: 1KiB is not from 1MiB to 1GiB"}},
	} {
		_, err := Parse("a", []byte(minimal+"scripts: {directory: lua, "+test.text+"}\n"))
		if err == nil {
			t.Errorf("%s: no error", test.text)
			continue
		}
		got := strings.Split(strings.TrimSpace(err.Error()), "\n")
		for i, line := range got {
			if i >= len(test.want) || !strings.Contains(line, test.want[i]) {
				t.Errorf("%s: got\n%s, want\n%s", test.text, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
				break
			}
		}
		if len(got) != len(test.want) {
			t.Errorf("%s: %d problems, want %d: %q", test.text, len(got), len(test.want), slices.Clip(got))
		}
	}
}

func TestChangesOfWhatScriptsMayReach(t *testing.T) {
	with := func(text string) *Config {
		return parse(t, "usher.yaml", minimal+"scripts: {directory: lua, "+text+"}\n")
	}
	a := with(`http: {allow: [a]}, sql: {db: {driver: postgres, dsn: "secret1"}}, kv: {file: a}`)
	b := with(`http: {allow: [b]}, sql: {db: {driver: postgres, dsn: "secret2"}}, kv: {file: b}, limits: {hash_memory: 1MiB}`)
	var got []string
	for _, c := range Diff(a, b) {
		got = append(got, c.String())
	}
	want := []string{
		"scripts.kv.file: was a, is now b; it takes effect when usher is started anew",
		"scripts.limits.hash_memory: was the default, is now 1048576; it takes effect when usher is started anew",
		"scripts.http: changed",
		"scripts.sql: changed",
		"scripts.limits: changed",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
