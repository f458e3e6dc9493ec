package realm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

func TestWelcome(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		c := w.connect(f, anonymous("anyone"))
		c.send(`[1,"realm1",{"authid":"admin","agent":"a test",` + clientRoles + `}]`)
		got := c.welcomed()
		if !got.Session.Valid() || got.Authid == "" || got.Authid == "admin" {
			t.Errorf("session %d, authid %q", got.Session, got.Authid)
		}
		got.Session, got.Authid = 0, ""
		want := wamp.Welcome{
			Realm: "realm1", Authrole: "anyone", Authmethod: "anonymous", Authprovider: "static", Agent: "usher-test",
			Roles: announced(),
		}
		if text(&got) != text(&want) {
			t.Errorf("got  %s\nwant %s", text(&got), text(&want))
		}
		c.leave()
	})
}

func TestGoodbyeIsAnswered(t *testing.T) {
	for reason, want := range map[string]string{
		"wamp.close.normal":          "wamp.close.normal",
		"wamp.close.goodbye_and_out": "wamp.close.goodbye_and_out",
		"wamp.close.close_realm":     "wamp.close.goodbye_and_out",
		"com.example.enough":         "wamp.close.goodbye_and_out",
	} {
		t.Run(reason, func(t *testing.T) {
			eachFormat(t, func(t *testing.T, f wamp.Format) {
				w := newWorld(t, scenario(), Limits{})
				c := w.join(f, "anyone")
				c.send(fmt.Sprintf(`[6,{},%q]`, reason))
				c.expect(fmt.Sprintf(`[6,{},%q]`, want))
				c.expectClosed()
			})
		})
	}
}

// TestAbortBeforeJoining: each way to spoil a HELLO has its ABORT, after which the
// connection is closed.
func TestAbortBeforeJoining(t *testing.T) {
	const violation = "wamp.error.protocol_violation"
	for _, test := range []struct {
		name, message, uri, text string
	}{
		{"no such realm", `[1,"no.such.realm",{` + clientRoles + `}]`,
			"wamp.error.no_such_realm", `no realm \"no.such.realm\" exists on this router`},
		{"no roles", `[1,"realm1",{"roles":{}}]`,
			violation, `HELLO.Details.roles announces none of caller, callee, publisher and subscriber`},
		{"a realm that is no URI", `[1,"not a realm",{` + clientRoles + `}]`,
			"wamp.error.invalid_uri", `realm \"not a realm\" is not a valid URI`},
		{"no method in common", `[1,"realm1",{"authmethods":["wampcra","scram"],` + clientRoles + `}]`,
			"wamp.error.no_matching_auth_method", `none of the authentication methods that the client offers (wampcra, scram) is available here`},
		{"no method at all", `[1,"realm1",{"authmethods":[],` + clientRoles + `}]`,
			"wamp.error.no_matching_auth_method", `none of the authentication methods that the client offers (none) is available here`},
		{"CALL first", `[48,1,{},"com.example.add2"]`,
			violation, `received CALL before the session was established, expected HELLO`},
		{"GOODBYE first", `[6,{},"wamp.close.normal"]`,
			violation, `received GOODBYE before the session was established, expected HELLO`},
		{"AUTHENTICATE first", `[5,"secret!!!",{}]`,
			violation, `received AUTHENTICATE before the session was established, expected HELLO`},
		{"WELCOME first", `[2,1,{"roles":{"broker":{}}}]`,
			violation, `received WELCOME before the session was established, expected HELLO`},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachFormat(t, func(t *testing.T, f wamp.Format) {
				w := newWorld(t, scenario(), Limits{})
				c := w.connect(f, anonymous("anyone"))
				c.send(test.message)
				c.expect(`[3,{"message":"` + test.text + `"},"` + test.uri + `"]`)
				c.expectClosed()
			})
		})
	}
}

// TestHelloWithoutARealm: the realm may be left out only where an authenticator
// assigns one.
func TestHelloWithoutARealm(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c := w.connect(wamp.JSON, anonymous("anyone"))
	if err := c.conn.Send(&c.batch, &wamp.Hello{Roles: wamp.Roles{Caller: wamp.RoleFeatures{Present: true}}}); err != nil {
		t.Fatal(err)
	}
	c.expect(`[3,{"message":"HELLO names no realm, and nobody here assigns one"},"wamp.error.no_such_realm"]`)
	c.expectClosed()
}

// TestAbortAfterJoining: each violation of the protocol has its ABORT, and takes
// what the session had with it.
func TestAbortAfterJoining(t *testing.T) {
	for _, test := range []struct{ name, message, text string }{
		{"a second HELLO", `[1,"realm1",{` + clientRoles + `}]`, `received HELLO after the session was established`},
		{"AUTHENTICATE", `[5,"x",{}]`, `received AUTHENTICATE after the session was established`},
		{"WELCOME", `[2,1,{"roles":{"broker":{}}}]`, `received WELCOME, which only a router sends`},
		{"CHALLENGE", `[4,"ticket",{}]`, `received CHALLENGE, which only a router sends`},
		{"PUBLISHED", `[17,1,1]`, `received PUBLISHED, which only a router sends`},
		{"SUBSCRIBED", `[33,1,1]`, `received SUBSCRIBED, which only a router sends`},
		{"UNSUBSCRIBED", `[35,1]`, `received UNSUBSCRIBED, which only a router sends`},
		{"EVENT", `[36,1,1,{}]`, `received EVENT, which only a router sends`},
		{"RESULT", `[50,1,{}]`, `received RESULT, which only a router sends`},
		{"REGISTERED", `[65,1,1]`, `received REGISTERED, which only a router sends`},
		{"UNREGISTERED", `[67,1]`, `received UNREGISTERED, which only a router sends`},
		{"INVOCATION", `[68,1,1,{}]`, `received INVOCATION, which only a router sends`},
		{"an ERROR for a CALL", `[8,48,1,{},"com.example.error"]`, `received ERROR for CALL, a client answers INVOCATION only`},
		{"an ERROR for nothing", `[8,68,1,{},"com.example.error"]`, `ERROR answers an INVOCATION that was never sent`},
		{"a YIELD for nothing", `[70,1,{}]`, `YIELD answers an INVOCATION that was never sent`},
		{"a request id that leaves a gap", `[48,4,{},"com.example.x"]`, `request id 4 of CALL is out of sequence, expected 3`},
		{"a request id that was used", `[32,2,{},"com.example.x"]`, `request id 2 of SUBSCRIBE is out of sequence, expected 3`},
		{"a gap in UNSUBSCRIBE", `[34,9,1]`, `request id 9 of UNSUBSCRIBE is out of sequence, expected 3`},
		{"a gap in PUBLISH", `[16,9,{},"com.example.x"]`, `request id 9 of PUBLISH is out of sequence, expected 3`},
		{"a gap in REGISTER", `[64,9,{},"com.example.x"]`, `request id 9 of REGISTER is out of sequence, expected 3`},
		{"a gap in UNREGISTER", `[66,9,1]`, `request id 9 of UNREGISTER is out of sequence, expected 3`},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachFormat(t, func(t *testing.T, f wamp.Format) {
				w := newWorld(t, scenario(), Limits{})
				c := w.join(f, "anyone")
				c.register("com.example.mine", `{}`)
				c.subscribe("com.example.topic", `{}`)
				c.send(test.message)
				c.expect(`[3,{"message":"` + test.text + `"},"wamp.error.protocol_violation"]`)
				c.expectClosed()
				w.serving.Wait()
				w.expectEmpty()
			})
		})
	}
}

// TestMalformedInput: what is no message ends the session with the codec's words.
func TestMalformedInput(t *testing.T) {
	for _, f := range formats {
		for _, data := range []string{"", "\xff", "{}", "[]", `[99,1]`, `["48",1,{},"a.b"]`, `[48,1,[],"a.b"]`, `[48,0,{},"a.b"]`, `[48,1.5,{},"a.b"]`, "\x90", "\x80", "\xa0", "\x91\x63", "\x81\x18\x63"} {
			for _, joined := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %q joined %t", f, data, joined), func(t *testing.T) {
					w := newWorld(t, scenario(), Limits{})
					var c *client
					if joined {
						c = w.join(f, "anyone")
					} else {
						c = w.connect(f, anonymous("anyone"))
					}
					c.sendRaw([]byte(data))
					got := text(c.receive())
					if !strings.HasPrefix(got, `[3,{"message":"`) || strings.Contains(got, `"message":""`) || !strings.HasSuffix(got, `"wamp.error.protocol_violation"]`) {
						t.Errorf("got %s", got)
					}
					c.expectClosed()
				})
			}
		}
	}
}

func TestClientMayAbort(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c := w.join(wamp.JSON, "anyone")
	c.send(`[3,{"message":"enough"},"com.example.enough"]`)
	c.expectClosed()

	c = w.connect(wamp.JSON, anonymous("anyone"))
	c.send(`[3,{"message":"enough"},"com.example.enough"]`)
	c.expectClosed()
}

func TestHelloDeadline(t *testing.T) {
	w := newWorld(t, scenario(), Limits{HelloTimeout: 20 * time.Millisecond})
	c := w.connect(wamp.JSON, anonymous("anyone"))
	c.expect(`[3,{"message":"no HELLO came within 20ms"},"wamp.error.timeout"]`)
	c.expectClosed()
}

func TestAuthenticateDeadline(t *testing.T) {
	w := newWorld(t, scenario(), Limits{AuthenticateTimeout: 20 * time.Millisecond})
	c := w.connect(wamp.JSON, ticketed())
	c.send(`[1,"realm1",{"authmethods":["ticket"],"authid":"joe",` + clientRoles + `}]`)
	c.expect(`[4,"ticket",{}]`, `[3,{"message":"no AUTHENTICATE came within 20ms"},"wamp.error.timeout"]`)
	c.expectClosed()
}

// TestNoDeadlineOnceJoined: the deadlines are a login's, not a session's.
func TestNoDeadlineOnceJoined(t *testing.T) {
	w := newWorld(t, scenario(), Limits{HelloTimeout: 20 * time.Millisecond, AuthenticateTimeout: 20 * time.Millisecond})
	c := w.join(wamp.JSON, "anyone")
	time.Sleep(60 * time.Millisecond)
	c.expectNothing()
}

func TestAnythingElseThanAuthenticate(t *testing.T) {
	for message, name := range map[string]string{
		`[1,"realm1",{` + clientRoles + `}]`: "HELLO",
		`[48,1,{},"com.example.add2"]`:       "CALL",
		`[6,{},"wamp.close.normal"]`:         "GOODBYE",
	} {
		w := newWorld(t, scenario(), Limits{})
		c := w.connect(wamp.JSON, ticketed())
		c.send(`[1,"realm1",{"authmethods":["ticket"],"authid":"joe",` + clientRoles + `}]`)
		c.expect(`[4,"ticket",{}]`)
		c.send(message)
		c.expect(`[3,{"message":"received ` + name + ` before the session was established, expected AUTHENTICATE"},"wamp.error.protocol_violation"]`)
		c.expectClosed()
	}
}

// TestHandshakesAreBounded: who is too much is told so; who has joined, or gives
// up, makes room.
func TestHandshakesAreBounded(t *testing.T) {
	w := newWorld(t, scenario(), Limits{Handshakes: 3, HandshakesPerAddress: 2})
	e := anonymous("anyone")
	first := w.connectFrom(wamp.JSON, e, "tcp4:10.0.0.1:1")
	w.connectFrom(wamp.JSON, e, "tcp4:10.0.0.1:2")
	eventually(t, "two are joining", func() bool { return w.Stats().Joining == 2 })
	c := w.connectFrom(wamp.JSON, e, "tcp4:10.0.0.1:3")
	c.expect(`[3,{"message":"too many clients are joining from this address, try again later"},"wamp.error.unavailable"]`)
	c.expectClosed()
	other := w.connectFrom(wamp.JSON, e, "tcp6:[::1]:4")
	eventually(t, "three are joining", func() bool { return w.Stats().Joining == 3 })
	c = w.connectFrom(wamp.JSON, e, "tcp4:10.0.0.2:5")
	c.expect(`[3,{"message":"too many clients are joining, try again later"},"wamp.error.unavailable"]`)
	c.expectClosed()

	other.send(`[1,"realm1",{` + clientRoles + `}]`)
	other.welcomed()
	first.drop()
	eventually(t, "one is joining", func() bool { return w.Stats().Joining == 1 })
	c = w.connectFrom(wamp.JSON, e, "tcp4:10.0.0.1:6")
	c.send(`[1,"realm1",{` + clientRoles + `}]`)
	c.welcomed()
}

func TestAddressOf(t *testing.T) {
	for peer, want := range map[string]string{
		"tcp4:127.0.0.1:17185": "tcp4:127.0.0.1",
		"tcp6:[::1]:17185":     "tcp6:[::1]",
		"unix:/run/usher.sock": "unix:/run/usher.sock",
		"":                     "",
	} {
		if got := addressOf(peer); got != want {
			t.Errorf("%q: got %q, want %q", peer, got, want)
		}
	}
}

// TestDroppedConnectionLeavesNothing: without a GOODBYE all goes just the same.
func TestDroppedConnectionLeavesNothing(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c := w.join(wamp.CBOR, "anyone")
	for i := range 10 {
		c.register(fmt.Sprintf("com.example.procedure%d", i), `{"match":"prefix"}`)
		c.subscribe(fmt.Sprintf("com.example.topic%d", i), `{"match":"wildcard"}`)
	}
	c.drop()
	w.serving.Wait()
	w.expectEmpty()
}

// faulty is a connection whose Send panics.
type faulty struct{ transport.Conn }

func (faulty) Send(*transport.Batch, wamp.Message) error { panic("as the test wants it") }

// TestFaultEndsOneConnectionOnly: a fault of the router's own is reported and
// costs the connection that met it, nobody else.
func TestFaultEndsOneConnectionOnly(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	other := w.join(wamp.JSON, "anyone")
	router, own := transport.Pair(wamp.JSON, transport.Options{})
	w.serving.Go(func() { w.Serve(faulty{router}, anonymous("anyone"), &auth.Transport{}) })
	c := &client{t: t, conn: own}
	t.Cleanup(func() { own.Close(transport.CloseNormal) })
	c.send(`[1,"realm1",{` + clientRoles + `}]`)
	c.expectClosed()
	other.expectNothing()
	if !strings.Contains(w.log.String(), "internal fault") {
		t.Error("the fault is not in the log")
	}
}
