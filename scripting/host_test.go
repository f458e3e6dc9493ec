package scripting

import (
	"strings"
	"testing"
)

const seedAuthenticator = `
router.join { realm = "realm1", authrole = "authenticator" }
local tickets = { joe = "secret!!!" }
router.authenticator("com.example.authenticate", function(request)
  print("asked: " .. request.authid .. " with " .. request.ticket)
  if not tickets[request.authid] then
    return nil, "com.example.no_such_user", "no such principal " .. request.authid
  end
  if not crypto.equal(request.ticket, tickets[request.authid]) then
    return nil, "com.example.invalid_ticket", "invalid ticket " .. request.ticket
  end
  return "frontend"
end)
router.on_ready(function() print("authenticator registered!") end)
`

const seedBackend = `
router.join { realm = "realm1", authrole = "backend" }
router.register("com.example.add2", function(args) return args[1] + args[2] end)
`

func TestAHostRunsTheSeedsComponents(t *testing.T) {
	w := newWorld(t, map[string]string{"authenticate.lua": seedAuthenticator, "backend.lua": seedBackend})
	p, err := w.login("joe", "secret!!!")
	if err != nil || p.Role != "frontend" || p.Authid != "joe" || p.Realm != "realm1" {
		t.Fatalf("joe: %+v, %v", p, err)
	}
	for _, test := range []struct{ authid, ticket, want string }{
		{"joe", "wrong", "com.example.invalid_ticket: invalid ticket wrong"},
		{"jim", "x", "com.example.no_such_user: no such principal jim"},
	} {
		if p, err := w.login(test.authid, test.ticket); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, %v", test.authid, p, err)
		}
	}
	if got := w.client().mustCall("com.example.add2", "[2,3]"); got != "[5]" {
		t.Errorf("2 + 3 is %s", got)
	}
	if log := w.log.String(); strings.Contains(log, "secret!!!") || strings.Contains(log, "wrong") {
		t.Errorf("a ticket is in the log:\n%s", log)
	}
	if len(w.log.lines("asked: joe with ***", "script=authenticate.lua", "generation=1")) != 2 {
		t.Errorf("what the script printed is not in the log:\n%s", w.log)
	}
	eventually(t, "on_ready ran", func() bool { return len(w.log.lines("authenticator registered!")) == 1 })
}
