package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestWhatScriptsMayReach(t *testing.T) {
	c := parse(t, "usher.yaml", minimal+`scripts:
  directory: lua
  http: {allow: [auth.internal, "auth.internal:8443", 10.0.0.0/8, "::1", "[::1]:80", 127.0.0.1], allow_private: true}
  limits: {hash_memory: 128MiB}
`)
	want := Scripts{
		Directory: "lua", AllowJoin: true,
		HTTP:   ScriptHTTP{AllowPrivate: true, Allow: []string{"auth.internal", "auth.internal:8443", "10.0.0.0/8", "::1", "[::1]:80", "127.0.0.1"}},
		Limits: ScriptLimits{HashMemory: 128 << 20},
	}
	if !reflect.DeepEqual(c.Scripts, want) {
		t.Errorf("got\n%+v, want\n%+v", c.Scripts, want)
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
