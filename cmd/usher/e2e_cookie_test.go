//go:build unix

package main

import (
	"slices"
	"strings"
	"testing"
)

// cookieConfig lets pages of this machine in by cookie, over both transports.
const cookieConfig = `
realms:
  - name: realm1
    roles:
      - name: frontend
        permissions: [{uri: wamp.session.logout, allow: {call: true}}]
transports:
  - type: web
    endpoint: {type: tcp, port: PORT, interface: 127.0.0.1}
    paths:
      /: {type: page}
      ws:
        type: websocket
        cookie: {store: {type: memory}}
        auth: {cookie: {type: static}, ticket: {type: static, principals: {joe: {ticket: "secret!!!", role: frontend}}}}
        options: {allowed_origins: ["http://127.0.0.1:*", "http://localhost:*"]}
      lp: {type: longpoll, cookie: {store: {type: memory}}, auth: {cookie: {type: static}, ticket: {type: static, principals: {joe: {ticket: "secret!!!", role: frontend}}}},
        options: {allowed_origins: ["http://127.0.0.1:*"]}}
`

// TestCookiesInABrowser runs Autobahn|JS in headless Chromium, which keeps the
// cookie: who has logged in comes back without a ticket, from pages of the same site
// only, until it logs out.
func TestCookiesInABrowser(t *testing.T) {
	dir, env := needBrowser(t)
	usher := startUsher(t, usherOptions{config: cookieConfig})
	lines, status := runClient(t, append(env, "TICKET=secret!!!"), "node", nodeScript(t, "cookie_page.mjs", dir), usher.url, usher.page+"lp")
	const back = `["joined","joe","ticket","cookie",false,""]]`
	want := []string{
		`["first",["joined","joe","ticket","static",true,""]]`,
		`["again",` + back,
		`["reloaded",` + back,
		`["long-poll",` + back,
		`["another site",["closed","wamp.error.authentication_denied",true]]`,
		`["logs out",` + back,
		`["logged out",["closed","wamp.error.authentication_denied",true]]`,
	}
	if !slices.Equal(lines, want) || status != 0 {
		t.Errorf("exit status %d\n got %s\nwant %s", status, strings.Join(lines, "\n     "), strings.Join(want, "\n     "))
	}
	if strings.Contains(usher.log.String(), "cbtid=") {
		t.Error("the log has a cookie")
	}
}
