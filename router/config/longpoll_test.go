package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
)

// withPoll is minimal with a long-poll path that has these further keys.
func withPoll(more string) string {
	return minimal + "      lp:\n        type: longpoll\n        auth: {ticket: {type: dynamic, authenticator: com.example.authenticate}}\n" + more
}

func TestLongPollPath(t *testing.T) {
	c := parse(t, "usher.yaml", withPoll(`        serializers: [json, msgpack]
        options:
          allowed_origins: ["https://*.Example.com"]
          request_timeout: 25s
          session_timeout: 1m
          queue_limit_bytes: 256KiB
          queue_limit_messages: 500
limits: {longpoll_transports: 77}
`))
	p := c.Transports[0].Paths[0]
	if p.Path != "/lp" || p.WebSocket != nil || p.LongPoll == nil || c.Limits.LongPolls != 77 {
		t.Fatalf("path %+v", p)
	}
	l := *p.LongPoll
	if l.Auth.Ticket == nil || l.Auth.Ticket.Authenticator == nil || l.Auth.Ticket.Authenticator.URI != "com.example.authenticate" {
		t.Errorf("auth %+v", l.Auth)
	}
	if !slices.Equal(l.Subprotocols, []string{"wamp.2.json.batched", "wamp.2.json", "wamp.2.msgpack.batched", "wamp.2.msgpack"}) ||
		!slices.Equal(l.AllowedOrigins, []string{"https://*.example.com"}) {
		t.Errorf("%+v", l)
	}
	if l.RequestTimeout != 25*time.Second || l.SessionTimeout != time.Minute || l.QueueBytes != 256<<10 || l.QueueMessages != 500 {
		t.Errorf("%+v", l)
	}
	defaults := parse(t, "usher.yaml", withPoll("")).Transports[0].Paths[0].LongPoll
	if len(defaults.Subprotocols) != 6 || defaults.RequestTimeout+defaults.SessionTimeout != 0 || defaults.QueueBytes+defaults.QueueMessages != 0 {
		t.Errorf("defaults %+v", defaults)
	}
}

// An authenticator that a long-poll path names is one as any other.
func TestAuthenticatorOfALongPollPath(t *testing.T) {
	text := strings.Replace(withPoll(""), "ticket: {type: dynamic, authenticator: com.example.authenticate}\n      lp", "anonymous: {type: static, role: frontend}\n      lp", 1)
	c := parse(t, "usher.yaml", text)
	if d := c.Dynamics(); len(d) != 1 || d[0].URI != "com.example.authenticate" || !c.Authenticators()["com.example.authenticate"] {
		t.Errorf("authenticators %v", d)
	}
}

func TestLongPollErrors(t *testing.T) {
	for _, test := range []struct {
		data string
		want []string
	}{
		{strings.Replace(withPoll(""), "authenticate}}\n", "nobody}}\n", 1), []string{
			"a:22:55: transports[0].paths.lp.auth.ticket.authenticator: no role of realm realm1 may register com.example.nobody: every login would be refused; give one role a permission with exactly this uri, match: exact and allow: {register: true}",
		}},
		{strings.Replace(withPoll(""), "type: longpoll", "type: longpol", 1), []string{
			`a:21:15: transports[0].paths.lp.type: "longpol" is not a path's type; did you mean "longpoll"?`,
		}},
		{withPoll("        allowed_origins: ['*']\n"), []string{
			"a:23:9: transports[0].paths.lp.allowed_origins: unknown key; write options: {allowed_origins: […]}",
		}},
		{withPoll("        options: {request_timeout: 10, session_timeout: 0s, queue_limit_bytes: 5, queue_limit_messages: 0, sesion_timeout: 1s, debug: true}\n"), []string{
			"a:23:36: transports[0].paths.lp.options.request_timeout: 10 has no unit: write 10ms or 10s",
			"a:23:57: transports[0].paths.lp.options.session_timeout: 0s is not from 1ms to 24h",
			"a:23:80: transports[0].paths.lp.options.queue_limit_bytes: 5 is not from 1KiB to 1GiB",
			"a:23:105: transports[0].paths.lp.options.queue_limit_messages: 0 is not from 1 to 1000000",
			`a:23:108: transports[0].paths.lp.options.sesion_timeout: unknown key; did you mean "session_timeout"?`,
			`a:23:128: transports[0].paths.lp.options.debug: unknown key`,
		}},
		{withPoll("        options: {debug_transport_id: abc, max_message_size: 1}\n"), []string{
			"a:23:39: transports[0].paths.lp.options.debug_transport_id: usher chooses the ids of transports itself",
			"a:23:44: transports[0].paths.lp.options.max_message_size: unknown key; write limits: {max_message_size: 1MiB} at the top",
		}},
		{withPoll("limits: {longpoll_transports: 0}\n"), []string{
			"a:23:31: limits.longpoll_transports: 0 is not from 1 to 1000000",
		}},
	} {
		_, err := Parse("a", []byte(test.data))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s\nerror %v", test.data, err)
			continue
		}
		if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, test.want) {
			t.Errorf("%s\ngot\n\t%s\nwant\n\t%s", test.data, strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
		}
	}
}

// In a Crossbar.io node file times are seconds, and a path has no auth of its own.
func TestCrossbarLongPoll(t *testing.T) {
	node := func(path string) string {
		return nodeFile(oneRealm, `[{"type": "web", "endpoint": {"type": "tcp", "port": 8080}, "paths": {"lp": {"type": "longpoll"`+path+`}}}]`, "")
	}
	c := parse(t, "n.json", node(`, "options": {"request_timeout": 5, "session_timeout": 45, "queue_limit_bytes": 131072, "queue_limit_messages": 100, "debug": true}, "id": "x"`))
	golden(t, c.Warnings, []string{`n.json:3:91: workers[0].transports[0].paths.lp: without "auth" anybody joins as role "anonymous", where a realm has it`})
	l := c.Transports[0].Paths[0].LongPoll
	if l.RequestTimeout != 5*time.Second || l.SessionTimeout != 45*time.Second || l.QueueBytes != 128<<10 || l.QueueMessages != 100 || *l.Auth.Anonymous != (auth.Anonymous{Role: "anonymous"}) {
		t.Errorf("%+v", l)
	}
	c = parse(t, "n.json", node(`, "auth": {"anonymous": {"type": "static", "role": "frontend"}}, "options": {"request_timeout": 0, "session_timeout": 0, "queue_limit_bytes": 0, "queue_limit_messages": 0, "debug_transport_id": "kjmd3sBLOUnb3Fyr"}`))
	golden(t, c.Warnings, []string{
		"n.json:3:206: workers[0].transports[0].paths.lp.options.request_timeout: 0 turns this off; usher always has a limit and keeps its default",
		"n.json:3:228: workers[0].transports[0].paths.lp.options.session_timeout: 0 turns this off; usher always has a limit and keeps its default",
		"n.json:3:252: workers[0].transports[0].paths.lp.options.queue_limit_bytes: 0 turns this off; usher always has a limit and keeps its default",
		"n.json:3:279: workers[0].transports[0].paths.lp.options.queue_limit_messages: 0 turns this off; the limit of bytes counts alone",
		"n.json:3:304: workers[0].transports[0].paths.lp.options.debug_transport_id: usher chooses the ids of transports itself",
	})
	if l := c.Transports[0].Paths[0].LongPoll; l.RequestTimeout != 0 || l.QueueBytes != 0 {
		t.Errorf("%+v", l)
	}
}

func TestDiffOfLongPollPaths(t *testing.T) {
	a := parse(t, "usher.yaml", withPoll(""))
	b := parse(t, "usher.yaml", withPoll("        options: {session_timeout: 5s}\nlimits: {longpoll_transports: 5}\n"))
	var got []string
	for _, c := range Diff(a, b) {
		got = append(got, c.String())
	}
	want := []string{
		"limits.longpoll_transports: was the default, is now 5; it takes effect when usher is started anew",
		"transports[0].paths: changed",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
