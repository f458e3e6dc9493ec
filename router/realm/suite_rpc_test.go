package realm

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"usher/router/wamp"
)

// roles without one of the features that allFeatures has.
func rolesWithout(features ...string) string {
	roles := allFeatures
	for _, f := range features {
		role, name, _ := strings.Cut(f, ".")
		at := strings.Index(roles, `"`+role+`":`)
		end := at + strings.Index(roles[at:], "}}")
		roles = roles[:at] + strings.Replace(roles[at:end], `"`+name+`":true`, `"x_`+name+`":true`, 1) + roles[end:]
	}
	return roles
}

// scene is one case of the suite: a conversation of several clients with the
// router.
type scene struct {
	name   string
	roles  map[string]string // what clients announce; others have everything
	as     map[string]string // their authroles; others are anyone
	script string
}

// play runs scenes over all transports and formats, each in a world of its own.
func play(t *testing.T, p *Policy, scenes []scene) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, over way) {
				w := newWorld(t, p, Limits{})
				s.play(t, w, over)
			})
		})
	}
}

// play runs the script, of which each line says who, and what:
//
//	caller > [48,1,{},"com.example.p"]   sends a message; the client joins with its first line
//	caller < [50,1,{}]                   is sent one like the pattern
//	caller nothing                       is sent nothing
//	caller leaves, drops, is closed      ends, or is ended
//	- idle                               no call waits any more
//
// $caller is a session's id, $caller.authid its authid.
func (s *scene) play(t *testing.T, w *world, over way) {
	clients := make(map[string]*client)
	for n, line := range strings.Split(strings.TrimSpace(s.script), "\n") {
		who, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		if who == "" {
			continue
		}
		at := fmt.Sprintf("line %d, %s", n+1, strings.TrimSpace(line))
		c := clients[who]
		if c == nil && who != "-" {
			authrole, roles := s.as[who], s.roles[who]
			if authrole == "" {
				authrole = "anyone"
			}
			if roles == "" {
				roles = allFeatures
			}
			c = w.joinWith(over, authrole, roles)
			clients[who] = c
		}
		what = strings.TrimSpace(what)
		for name, other := range clients {
			if strings.Contains(what, "$"+name+".authid") {
				what = strings.ReplaceAll(what, "$"+name+".authid", w.realms["realm1"].members.get(other.session).authid)
			}
			what = strings.ReplaceAll(what, "$"+name, fmt.Sprint(other.session))
		}
		switch verb, message, _ := strings.Cut(what, " "); verb {
		case "joins":
		case ">":
			c.request = max(c.request, requestOf(t, message))
			c.send(message)
		case "<":
			m, err := c.read()
			if err != nil {
				t.Fatalf("%s: %v", at, err)
			}
			if got := text(m); !matches(got, message) {
				t.Fatalf("%s\ngot  %s\nwant %s", at, got, message)
			}
		case "nothing":
			c.expectNothing()
		case "leaves":
			c.leave()
		case "drops":
			c.drop()
		case "is":
			c.expectClosed()
		case "idle":
			eventually(t, "no call waits", func() bool { return w.Stats().PendingCalls == 0 })
		default:
			t.Fatalf("%s: nobody knows what that means", at)
		}
	}
}

// requestOf is the id of a request that counts, or 0.
func requestOf(t *testing.T, message string) wamp.ID {
	t.Helper()
	var m []json.RawMessage
	if err := json.Unmarshal([]byte(message), &m); err != nil {
		t.Fatalf("%s: %v", message, err)
	}
	switch string(m[0]) {
	case "16", "32", "34", "48", "64", "66":
		var id wamp.ID
		if err := json.Unmarshal(m[1], &id); err != nil {
			t.Fatalf("%s: %v", message, err)
		}
		return id
	}
	return 0
}
