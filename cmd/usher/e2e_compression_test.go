//go:build unix

package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compressing is a router that compresses, for whoever connects.
const compressing = `
realms:
  - name: realm1
    roles:
      - name: anonymous
        permissions:
          - {uri: com.example., match: prefix, allow: {call: true, register: true, publish: true, subscribe: true}}
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: PORT}
    paths:
      /: {type: page}
      ws:
        type: websocket
        options: {compression: {deflate: {threshold: 64}}}
        auth: {anonymous: {type: static, role: anonymous}}
`

// TestCompressionWithForeignClients runs clients that offer permessage-deflate:
// large messages come and go as they are.
func TestCompressionWithForeignClients(t *testing.T) {
	if testing.Short() {
		t.Skip("foreign clients are not run with -short")
	}
	usher := startUsher(t, usherOptions{config: compressing})
	t.Run("autobahn", func(t *testing.T) {
		dir := need(t, pythonClients())
		env := []string{"PYTHONPATH=" + filepath.Join(dir, "site"), "PYTHONDONTWRITEBYTECODE=1"}
		want := []string{`["extensions",["permessage-deflate"]]`, `["events",true]`, `["results",true]`, `["leave","wamp.close.normal"]`}
		for _, framework := range []string{"asyncio", "twisted"} {
			for _, serializer := range []string{"json", "msgpack", "cbor", "json.batched", "msgpack.batched", "cbor.batched"} {
				t.Run(framework+"/"+serializer, func(t *testing.T) {
					lines, status := steps(t, env, "python3", filepath.Join("testdata", "clients", "compression_client.py"), framework, serializer, usher.url)
					if !slices.Equal(lines, want) || status != 0 {
						t.Errorf("exit status %d, want 0; steps\n%s\nwant\n%s", status, strings.Join(lines, "\n"), strings.Join(want, "\n"))
					}
				})
			}
		}
	})
	t.Run("browser", func(t *testing.T) {
		dir, env := needBrowser(t)
		lines, status := steps(t, env, "node", nodeScript(t, "compression_page.mjs", dir), usher.page, usher.url)
		if len(lines) != 3 || !strings.HasPrefix(lines[0], `["extensions","permessage-deflate`) || lines[1] != `["events",true]` || lines[2] != `["leave","wamp.close.normal"]` || status != 0 {
			t.Errorf("exit status %d, want 0; steps\n%s", status, strings.Join(lines, "\n"))
		}
	})
	t.Run("ws", func(t *testing.T) {
		dir := need(t, nodeClients())
		for _, bits := range []string{"0", "9"} { // 0: any
			t.Run(bits, func(t *testing.T) {
				want := []string{`["extensions","permessage-deflate"]`, `["events",true]`, `["leave","wamp.close.normal"]`}
				lines, status := steps(t, nil, "node", nodeScript(t, "compression_client.js", dir), usher.url, bits)
				if !slices.Equal(lines, want) || status != 0 {
					t.Errorf("exit status %d, want 0; steps\n%s\nwant\n%s", status, strings.Join(lines, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	})
}

// steps runs a client's script and returns what it printed, in compact JSON.
func steps(t *testing.T, env []string, args ...string) (lines []string, status int) {
	t.Helper()
	output, status := runClient(t, env, args...)
	for _, line := range output {
		lines = append(lines, compact(line))
	}
	return lines, status
}
