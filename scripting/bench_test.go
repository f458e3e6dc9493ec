package scripting

import (
	"context"
	"fmt"
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

const quietAuthenticator = `
router.join { realm = "realm1", authrole = "authenticator" }
local principals = { joe = { ticket = "secret!!!", role = "frontend" } }
router.authenticator("com.example.authenticate", function(request)
  local principal = principals[request.authid]
  if not principal then
    return nil, "com.example.no_such_user", "no such principal " .. request.authid
  end
  if not crypto.equal(request.ticket, principal.ticket) then
    return nil, "com.example.invalid_ticket", "invalid ticket"
  end
  return principal.role
end)`

// BenchmarkAuthenticate is one login's question to a script.
func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(b, map[string]string{"authenticate.lua": quietAuthenticator})
	a := authenticator{w.host.components["authenticate"], authenticate}
	r := &auth.Request{
		Realm: "realm1", Authid: "joe", Authmethod: auth.MethodTicket, Ticket: "secret!!!", Session: 1 << 50,
		Transport: &auth.Transport{Type: "websocket", Protocol: "wamp.2.json", Peer: "tcp4:127.0.0.1:17185", Path: "/ws",
			HeadersReceived: map[string]string{"host": "localhost:8080", "user-agent": "AutobahnPython/26.10.2", "upgrade": "WebSocket",
				"connection": "Upgrade", "pragma": "no-cache", "cache-control": "no-cache", "sec-websocket-version": "13",
				"sec-websocket-key": "xWszwpILt1/lMXVdGmIkfw==", "sec-websocket-protocol": "wamp.2.json"}},
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := a.Authenticate(ctx, r); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkProcedure is one call of a Lua procedure, from a session in the process.
func BenchmarkProcedure(b *testing.B) {
	w := newWorld(b, map[string]string{"backend.lua": seedBackend})
	c := w.client()
	p := wamp.Payload{Format: wamp.MessagePack, Args: []byte{0x92, 2, 3}}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.local.Call(context.Background(), "com.example.add2", wamp.CallOptions{}, p); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkReload is one save of one of two scripts, from reading the directory to
// the new generation being in force; the debounce is not in it.
func BenchmarkReload(b *testing.B) {
	w := newWorld(b, map[string]string{"authenticate.lua": quietAuthenticator, "backend.lua": seedBackend})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.write("authenticate.lua", fmt.Sprintf("-- %d\n%s", i, quietAuthenticator))
		if err := w.reload(); err != nil {
			b.Fatal(err)
		}
	}
}
