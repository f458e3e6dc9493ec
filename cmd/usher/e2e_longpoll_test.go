//go:build unix

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pollConfig has a WebSocket and a long-poll path, each with the same accounts.
const pollConfig = `
realms:
  - name: realm1
    roles:
      - name: anybody
        permissions:
          - {uri: "", match: prefix, allow: {call: true, register: true, publish: true, subscribe: true}}
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: PORT}
    paths:
      ws:
        type: websocket
        auth: {ticket: {type: static, principals: {joe: {ticket: "secret!!!", role: anybody}}}}
      lp:
        type: longpoll
        auth: {ticket: {type: static, principals: {joe: {ticket: "secret!!!", role: anybody}}}}
        options: {request_timeout: 100ms, session_timeout: 5s}
      pages:
        type: longpoll
        auth: {ticket: {type: static, principals: {joe: {ticket: "secret!!!", role: anybody}}}}
        options: {allowed_origins: ["http://127.0.0.1:*"]}
`

func autobahnLongPoll() foreignClient {
	return foreignClient{
		name: "autobahn-js-longpoll",
		set:  nodeClients,
		args: func(t *testing.T, dir string) []string {
			return []string{"node", nodeScript(t, "autobahn_longpoll_client.js", dir)}
		},
	}
}

// pollSteps are what a client sees that is admitted, up to its end.
func pollSteps() []string {
	return []string{
		`["challenge",["ticket",{}]]`,
		`["join",["joe","anybody","ticket","static"]]`,
		`["register com.example.add","ok"]`,
		`["call com.example.add","ok"]`,
		`["subscribe com.example.topic","ok"]`,
		`["20 publications and calls at a time",40]`,
		`["events in order",true]`,
		`["a large argument",[300001,"ü"]]`,
		`["call com.example.none","wamp.error.no_such_procedure"]`,
	}
}

// TestAutobahnOverLongPoll runs Autobahn|JS over HTTP requests: a session that
// leaves, one that is refused, and one that is there when the router stops.
func TestAutobahnOverLongPoll(t *testing.T) {
	if testing.Short() {
		t.Skip("foreign clients are not run with -short")
	}
	usher := startUsher(t, usherOptions{config: pollConfig})
	client := autobahnLongPoll()
	for _, test := range []struct {
		name, ticket string
		env          []string
		lines        []string
		status       int
	}{
		{"leaves", "secret!!!", nil, append(pollSteps(), `["leave",["wamp.close.normal",null]]`), 0},
		{"is refused", "wrong", nil, []string{`["challenge",["ticket",{}]]`, `["leave",["wamp.error.authentication_denied","the authid is unknown, or its proof is wrong"]]`}, 1},
		{"is there when the router stops", "secret!!!", []string{fmt.Sprintf("STOP=%d", usher.command.Process.Pid)},
			append(pollSteps(), `["leave",["wamp.close.system_shutdown","router is stopping"]]`), 1},
	} {
		client.env = func(string) []string { return test.env }
		lines, status := client.run(t, usher.page+"lp", "joe", test.ticket)
		// Of a router that stops it may hear twice: its own GOODBYE, which it sends
		// together with the request to close, may come too late.
		lines = lines[:min(len(lines), len(test.lines))]
		if !slices.Equal(lines, test.lines) || status != test.status {
			t.Errorf("%s: exit status %d, want %d\n got %s\nwant %s", test.name, status, test.status,
				strings.Join(lines, "\n     "), strings.Join(test.lines, "\n     "))
		}
	}
}

// TestLongPollOfAPageOfAnotherOrigin runs Autobahn|JS in headless Chromium, whose
// requests travel on several connections and ask for leave before they cross
// origins.
func TestLongPollOfAPageOfAnotherOrigin(t *testing.T) {
	dir, env := needBrowser(t)
	usher := startUsher(t, usherOptions{config: pollConfig})
	script := nodeScript(t, "longpoll_page.mjs", dir)
	for _, test := range []struct {
		path   string
		lines  []string
		status int
	}{
		{"pages", []string{
			`["join",["joe","anybody","longpoll"]]`,
			`["20 publications and calls at a time",40]`,
			`["events in order",true]`,
			`["leave",["closed","wamp.close.normal"]]`,
		}, 0},
		{"lp", []string{`["leave",["unreachable",null]]`}, 1},
	} {
		lines, status := runClient(t, append(env, "TICKET=secret!!!"), "node", script, usher.page+test.path, "joe")
		if !slices.Equal(lines, test.lines) || status != test.status {
			t.Errorf("%s: exit status %d, want %d\n got %s\nwant %s", test.path, status, test.status,
				strings.Join(lines, "\n     "), strings.Join(test.lines, "\n     "))
		}
	}
	usher.log.waitFor(t, usher.exited, `page of another origin refused.*"origin":"http://127\.0\.0\.1:\d+".*"key":"allowed_origins"`)
}
