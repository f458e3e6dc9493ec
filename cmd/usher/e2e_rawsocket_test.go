//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"usher/scripts"
)

// demoOver is the demo's configuration with other transports, and its scripts.
func demoOver(t *testing.T, transports string) usherOptions {
	t.Helper()
	demo := string(demoYAML)
	head, tail := demo[:strings.Index(demo, "transports:")], demo[strings.Index(demo, "scripts:\n"):]
	o := usherOptions{config: head + transports + "\n" + tail, scripts: map[string]string{}}
	names, err := fs.Glob(scripts.Files, "*.lua")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := scripts.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		o.scripts[name] = string(text)
	}
	return o
}

const demoAuth = "auth: {ticket: {type: dynamic, authenticator: com.example.authenticate}}"

// socketDir is a directory for Unix sockets, whose names are short.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "usher")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestForeignClientsOverRawSocket runs the demo's client of Autobahn|Python by
// RawSocket, at a port that speaks WebSocket too and at a Unix socket.
func TestForeignClientsOverRawSocket(t *testing.T) {
	if testing.Short() {
		t.Skip("foreign clients are not run with -short")
	}
	path := filepath.Join(socketDir(t), "s")
	o := demoOver(t, `transports:
  - type: universal
    endpoint: {type: tcp, interface: 127.0.0.1, port: PORT}
    rawsocket: {`+demoAuth+`}
    websocket: {ws: {`+demoAuth+`}}
  - type: rawsocket
    endpoint: {type: unix, path: `+path+`}
    `+demoAuth)
	// Far shorter than a quiet client's pauses: it must not be asked what it does not
	// understand, nor be cut for not answering.
	o.config += "limits: {ping_interval: 500ms, ping_timeout: 500ms}\n"
	usher := startUsher(t, o)
	tcp := usher.log.waitFor(t, usher.exited, `rs://127\.0\.0\.1:\d+`)
	unix := usher.log.waitFor(t, usher.exited, `rs\+unix://[^" ]+`)
	if unix != "rs+unix://"+path {
		t.Errorf("the log names %q", unix)
	}
	for _, framework := range []string{"twisted", "asyncio"} {
		t.Run("quiet-"+framework, func(t *testing.T) {
			c := autobahnPython(framework, "json")
			env := c.env
			c.env = func(dir string) []string { return append(env(dir), "IDLE=3") }
			want := append(joined("joe"), c.left)
			if lines, status := c.run(t, tcp, "joe", "secret!!!"); !slices.Equal(lines, want) || status != 0 {
				t.Errorf("exit status %d\n got %s\nwant %s", status, strings.Join(lines, "\n     "), strings.Join(want, "\n     "))
			}
		})
		for _, serializer := range []string{"json", "msgpack", "cbor"} {
			c := autobahnPython(framework, serializer)
			for kind, url := range map[string]string{"tcp": tcp, "unix": unix, "websocket": usher.url} {
				if kind == "websocket" && serializer != "cbor" {
					continue // TestForeignClients has them all
				}
				t.Run(c.name+"-"+kind, func(t *testing.T) {
					for _, l := range []struct {
						ticket string
						lines  []string
						status int
					}{
						{"secret!!!", append(joined("joe"), c.left), 0},
						{"wrong", refused("com.example.invalid_ticket", "could not authenticate session - invalid ticket 'wrong' for principal joe"), 1},
					} {
						if lines, status := c.run(t, url, "joe", l.ticket); !slices.Equal(lines, l.lines) || status != l.status {
							t.Errorf("ticket %q: exit status %d, want %d\n got %s\nwant %s", l.ticket, status, l.status,
								strings.Join(lines, "\n     "), strings.Join(l.lines, "\n     "))
						}
					}
				})
			}
		}
	}
}
