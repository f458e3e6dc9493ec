//go:build unix

package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// advancedConfig lets anybody do anything, and has what the checks of the
// advanced profile need.
const advancedConfig = `
realms:
  - name: realm1
    event_history: {rules: [{uri: com.example.history, events: 3}]}
    roles:
      - name: anybody
        trustlevel: 2
        permissions:
          - {uri: "", match: prefix, allow: {call: true, register: true, publish: true, subscribe: true}}
          - {uri: com.example.disclosed, allow: {call: true, register: true, publish: true, subscribe: true}, disclose: {caller: true, publisher: true}}
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: PORT}
    paths:
      ws: {type: websocket, auth: {anonymous: {type: static, role: anybody}}}
scripts: scripts
`

// countScript counts in progressive results.
const countScript = `router.join { realm = "realm1", authrole = "anybody" }
router.register("com.example.script.count", function(args, kwargs, details)
  for i = 1, args[1] do details.progress({i - 1}) end
  return "done"
end)
`

// TestAdvancedProfileWithForeignClients runs the checks that each client's script
// has for what its library can do, in every serializer.
func TestAdvancedProfileWithForeignClients(t *testing.T) {
	if testing.Short() {
		t.Skip("foreign clients are not run with -short")
	}
	router := startUsher(t, usherOptions{config: advancedConfig, scripts: map[string]string{"count.lua": countScript}})
	for _, c := range []struct {
		client func(serializer string) foreignClient
		checks []string
	}{
		{autobahnPythonAdvanced, []string{
			"progressive_results", "progressive_script", "canceled_by_caller", "call_timeout", "shared_registration", "forced_registration", "pattern_registration",
			"pattern_subscription", "exclude_and_eligible", "retained_event", "testament",
			"session_meta", "session_kill", "registration_meta", "subscription_meta", "event_history", "disclosed",
		}},
		{autobahnJSAdvanced, []string{
			"progressive_results", "cancel_kill", "call_timeout", "shared_registration", "pattern_registration",
			"pattern_subscription", "exclude_and_eligible", "retained_event", "testament",
			"session_meta", "session_kill", "registration_meta", "subscription_meta", "event_history", "disclosed",
		}},
		{wampyAdvanced, []string{
			"progressive_results", "cancel_modes", "call_timeout", "shared_registration", "pattern_registration",
			"pattern_subscription", "exclude_and_eligible", "testament",
			"session_meta", "registration_meta", "subscription_meta", "event_history", "disclosed",
		}},
	} {
		for _, serializer := range []string{"json", "msgpack", "cbor"} {
			client := c.client(serializer)
			t.Run(client.name, func(t *testing.T) { client.passes(t, router.url, c.checks) })
		}
	}
}

// passes runs the client's script, which must report exactly the checks, each as
// well.
func (c foreignClient) passes(t *testing.T, url string, checks []string) {
	t.Helper()
	dir := need(t, c.set())
	var env []string
	if c.env != nil {
		env = c.env(dir)
	}
	output, status := runClient(t, env, append(c.args(t, dir), url)...)
	var names []string
	for _, line := range output {
		var check [2]string
		if json.Unmarshal([]byte(line), &check) != nil {
			continue // what the library itself prints
		}
		names = append(names, check[0])
		if check[1] != "ok" {
			t.Errorf("%s: %s", check[0], check[1])
		}
	}
	if !slices.Equal(names, checks) || status != 0 {
		t.Errorf("exit status %d; checks %v, want %v\n%s", status, names, checks, strings.Join(output, "\n"))
	}
}

func autobahnPythonAdvanced(serializer string) foreignClient {
	c := autobahnPython("asyncio", serializer)
	c.args = func(*testing.T, string) []string {
		return []string{"python3", filepath.Join("testdata", "clients", "autobahn_advanced.py"), serializer}
	}
	return c
}

func autobahnJSAdvanced(serializer string) foreignClient {
	c := autobahnJS(serializer)
	c.args = func(t *testing.T, dir string) []string {
		return append(node(t), nodeScript(t, "autobahn_advanced.js", dir), serializer)
	}
	return c
}

func wampyAdvanced(serializer string) foreignClient {
	c := wampy(serializer)
	c.args = func(t *testing.T, dir string) []string {
		return []string{"node", nodeScript(t, "wampy_advanced.js", dir), serializer}
	}
	return c
}
