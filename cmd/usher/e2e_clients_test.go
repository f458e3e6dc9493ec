//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// foreignClient is a program that nobody here wrote, driven by a script of ours.
type foreignClient struct {
	name string
	set  func() toolset
	env  func(dir string) []string
	// args are the command, without URL and authid.
	args func(t *testing.T, dir string) []string
	// left is what the client's last line says after a polite end.
	left string
}

func autobahnPython(framework, serializer string) foreignClient {
	return foreignClient{
		name: "autobahn-" + framework + "-" + serializer,
		set:  pythonClients,
		env: func(dir string) []string {
			return []string{"PYTHONPATH=" + filepath.Join(dir, "site"), "PYTHONDONTWRITEBYTECODE=1"}
		},
		args: func(*testing.T, string) []string {
			return []string{"python3", filepath.Join("testdata", "clients", "autobahn_client.py"), framework, serializer}
		},
		left: `["leave",["wamp.close.normal",null]]`,
	}
}

func autobahnJS(serializer string) foreignClient {
	return foreignClient{
		name: "autobahn-js-" + serializer,
		set:  nodeClients,
		args: func(t *testing.T, dir string) []string {
			return append(node(t), nodeScript(t, "autobahn_client.js", dir), serializer)
		},
		left: `["leave",["wamp.close.normal",null]]`,
	}
}

// node is the command for a script that wants the native WebSocket, which Node 20
// hides behind a flag.
func node(t *testing.T) []string {
	t.Helper()
	if version, _ := runClient(t, nil, "node", "--print", "parseInt(process.versions.node)"); version[0] < "22" {
		return []string{"node", "--experimental-websocket"}
	}
	return []string{"node"}
}

func wampy(serializer string) foreignClient {
	return foreignClient{
		name: "wampy-" + serializer,
		set:  nodeClients,
		args: func(t *testing.T, dir string) []string {
			return []string{"node", nodeScript(t, "wampy_client.js", dir), serializer}
		},
		left: `["leave",["answered",null]]`,
	}
}

// run runs the client's script and returns what it printed, in compact JSON.
func (c foreignClient) run(t *testing.T, url, authid, ticket string) (lines []string, status int) {
	t.Helper()
	dir := need(t, c.set())
	env := []string{"TICKET=" + ticket}
	if c.env != nil {
		env = append(env, c.env(dir)...)
	}
	output, status := runClient(t, env, append(c.args(t, dir), url, authid)...)
	for _, line := range output {
		if strings.HasPrefix(line, "[") { // not what the library itself prints
			lines = append(lines, compact(line))
		}
	}
	return lines, status
}

func compact(line string) string {
	var v any
	if json.Unmarshal([]byte(line), &v) != nil {
		return line
	}
	b, err := json.Marshal(v)
	if err != nil {
		return line
	}
	return string(b)
}

// Whom the demo's authenticator knows, and what each client then sees.
func joined(authid string) []string {
	return []string{
		`["challenge",["ticket",{}]]`,
		`["join",["` + authid + `","frontend","ticket","dynamic"]]`,
		`["call com.example.add2",5]`,
		`["register com.example.mul2","wamp.error.not_authorized"]`,
		`["publish com.example.topic1","ok"]`,
		`["publish com.foobar.topic1","ok"]`,
		`["publish com.example.topic2","wamp.error.not_authorized"]`,
		`["publish com.foobar.topic2","wamp.error.not_authorized"]`,
	}
}

func refused(uri, message string) []string {
	return []string{`["challenge",["ticket",{}]]`, fmt.Sprintf(`["leave",[%q,%q]]`, uri, message)}
}

// TestForeignClients runs the demo's client in every library and serializer,
// through a login that succeeds and two that do not.
func TestForeignClients(t *testing.T) {
	if testing.Short() {
		t.Skip("foreign clients are not run with -short")
	}
	const myTicket = "from the environment"
	usher := startUsher(t, usherOptions{env: []string{"MYTICKET=" + myTicket}})
	var clients []foreignClient
	for _, framework := range []string{"twisted", "asyncio"} {
		for _, serializer := range []string{"json", "msgpack", "cbor", "json.batched", "msgpack.batched", "cbor.batched", "all"} {
			clients = append(clients, autobahnPython(framework, serializer))
		}
	}
	for _, serializer := range []string{"json", "msgpack", "cbor"} {
		clients = append(clients, autobahnJS(serializer), wampy(serializer))
	}
	logins := []struct {
		authid, ticket string
		lines          []string
		status         int
	}{
		{"joe", "secret!!!", joined("joe"), 0},
		{"client1", myTicket, joined("client1"), 0},
		{"joe", "wrong", refused("com.example.invalid_ticket", "could not authenticate session - invalid ticket 'wrong' for principal joe"), 1},
		{"nobody", "secret!!!", refused("com.example.no_such_user", "could not authenticate session - no such principal nobody"), 1},
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			for _, l := range logins {
				want := l.lines
				if l.status == 0 {
					want = append(slices.Clone(want), c.left)
				}
				lines, status := c.run(t, usher.url, l.authid, l.ticket)
				if !slices.Equal(lines, want) || status != l.status {
					t.Errorf("%s with ticket %q: exit status %d, want %d\n got %s\nwant %s",
						l.authid, l.ticket, status, l.status, strings.Join(lines, "\n     "), strings.Join(want, "\n     "))
				}
			}
		})
	}
	if !strings.Contains(usher.log.String(), "event received on com.example.topic1: hello") {
		t.Error("the log does not show that the backend received the events")
	}
	for line := range strings.Lines(usher.log.String()) {
		for _, secret := range []string{"secret!!!", myTicket} {
			// The line that suggests a login says the demo's ticket on purpose.
			if strings.Contains(line, secret) && !strings.Contains(line, "USHER_TICKET=") {
				t.Errorf("the log contains the ticket %q: %s", secret, line)
			}
		}
	}
}

// TestPageInABrowser runs the demo's page in headless Chromium.
func TestPageInABrowser(t *testing.T) {
	dir, env := needBrowser(t)
	usher := startUsher(t, usherOptions{})
	script := nodeScript(t, "page_client.mjs", dir)
	for _, c := range []struct {
		authid, ticket string
		want           [][2]string // step and outcome
		status         int
	}{
		{"joe", "secret!!!", pageJoined("joe"), 0},
		{"client2", "123sekret", pageJoined("client2"), 0},
		{"joe", "wrong", [][2]string{{"challenge", "ticket {}"}, {"join", "com.example.invalid_ticket"}}, 1},
		{"nobody", "x", [][2]string{{"challenge", "ticket {}"}, {"join", "com.example.no_such_user"}}, 1},
	} {
		t.Run(c.authid+"-"+strconv.Quote(c.ticket), func(t *testing.T) {
			lines, status := runClient(t, append(env, "TICKET="+c.ticket), "node", script, usher.page, c.authid)
			var got [][2]string
			for _, line := range lines {
				var step [3]string
				if err := json.Unmarshal([]byte(line), &step); err != nil {
					t.Errorf("%s: %v", line, err)
				}
				got = append(got, [2]string(step[:2]))
			}
			if !slices.Equal(got, c.want) || status != c.status {
				t.Errorf("exit status %d, want %d\n got %q\nwant %q", status, c.status, got, c.want)
			}
		})
	}
}

func pageJoined(authid string) [][2]string {
	return [][2]string{
		{"challenge", "ticket {}"},
		{"join", authid + " frontend ticket dynamic"},
		{"call com.example.add2", "5"},
		{"register com.example.mul2", "wamp.error.not_authorized"},
		{"publish com.example.topic1", "published"},
		{"publish com.foobar.topic1", "published"},
		{"publish com.example.topic2", "wamp.error.not_authorized"},
		{"publish com.foobar.topic2", "wamp.error.not_authorized"},
		{"leave", "wamp.close.normal"},
	}
}
