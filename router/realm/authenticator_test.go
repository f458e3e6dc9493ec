package realm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/transport"
	"usher/router/wamp"
)

// authenticatorFunc is an authenticator inside the process.
type authenticatorFunc func(context.Context, *auth.Request) (*auth.Principal, error)

func (f authenticatorFunc) Authenticate(ctx context.Context, r *auth.Request) (*auth.Principal, error) {
	return f(ctx, r)
}

// seedAuthenticator decides as the seed's does.
func seedAuthenticator(_ context.Context, r *auth.Request) (*auth.Principal, error) {
	tickets := map[string]string{"joe": "secret!!!", "client2": "123sekret"}
	ticket, known := tickets[r.Authid]
	if !known {
		return nil, &auth.Refusal{URI: "com.example.no_such_user",
			Message: "could not authenticate session - no such principal " + r.Authid}
	}
	if ticket != r.Ticket {
		return nil, &auth.Refusal{URI: "com.example.invalid_ticket",
			Message: fmt.Sprintf("could not authenticate session - invalid ticket '%s' for principal %s", r.Ticket, r.Authid)}
	}
	return &auth.Principal{Role: "frontend"}, nil
}

// authenticateBy makes f the realm's authenticator, as a component does.
func (w *world) authenticateBy(f authenticatorFunc) *Local {
	w.t.Helper()
	l, err := w.Join(LocalOptions{Realm: "realm1", Authrole: "authenticator", Authid: "authenticate"}, newRecorder())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := l.Bind(Bindings{Registrations: []Binding{{URI: authenticatorURI, Authenticator: f}}}, nil); err != nil {
		w.t.Fatal(err)
	}
	return l
}

// TestSeedsLogin: the outcomes of the seed, each with the exact ABORT.
func TestSeedsLogin(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		w.authenticateBy(seedAuthenticator)
		got := w.login(f, ticketed(), "joe", "secret!!!").welcomed()
		if got.Realm != "realm1" || got.Authid != "joe" || got.Authrole != "frontend" || got.Authmethod != "ticket" || got.Authprovider != "dynamic" {
			t.Errorf("got %s", text(&got))
		}
		c := w.login(f, ticketed(), "joe", "wrong")
		c.expect(`[3,{"message":"could not authenticate session - invalid ticket 'wrong' for principal joe"},"com.example.invalid_ticket"]`)
		c.expectClosed()
		c = w.login(f, ticketed(), "jane", "secret!!!")
		c.expect(`[3,{"message":"could not authenticate session - no such principal jane"},"com.example.no_such_user"]`)
		c.expectClosed()
	})
}

// TestSecondAuthenticate finds the connection closed, not a second chance.
func TestSecondAuthenticate(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	asked := 0
	w.authenticateBy(func(ctx context.Context, r *auth.Request) (*auth.Principal, error) {
		asked++
		return seedAuthenticator(ctx, r)
	})
	c := w.connect(wamp.JSON, ticketed())
	c.send(`[1,"realm1",{"authmethods":["ticket"],"authid":"joe",` + clientRoles + `}]`)
	c.expect(`[4,"ticket",{}]`)
	c.queue(`[5,"wrong",{}]`)
	_ = c.conn.Send(&c.batch, &wamp.Authenticate{Signature: "secret!!!"}) // it may be closed by now
	c.batch.Flush()
	c.expect(`[3,{"message":**},"com.example.invalid_ticket"]`)
	c.expectClosed()
	w.serving.Wait()
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestTicketWithoutAuthid: the authenticator is not even asked.
func TestTicketWithoutAuthid(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	w.authenticateBy(func(context.Context, *auth.Request) (*auth.Principal, error) {
		t.Error("asked")
		return nil, nil
	})
	c := w.connect(wamp.JSON, ticketed())
	c.send(`[1,"realm1",{"authmethods":["ticket"],` + clientRoles + `}]`)
	c.expect(`[3,{"message":"authentication method \"ticket\" needs an authid in HELLO.Details"},"wamp.error.authentication_denied"]`)
	c.expectClosed()
}

func TestStaticTickets(t *testing.T) {
	e := &Endpoint{Auth: auth.Methods{Ticket: &auth.Ticket{Principals: map[string]auth.StaticTicket{
		"joe": {Ticket: "secret!!!", Role: "frontend"},
	}}}}
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		if got := w.login(f, e, "joe", "secret!!!").welcomed(); got.Authprovider != "static" || got.Authrole != "frontend" || got.Authid != "joe" {
			t.Errorf("got %s", text(&got))
		}
		for _, wrong := range [][2]string{{"joe", "wrong"}, {"jane", "secret!!!"}, {"joe", ""}} {
			c := w.login(f, e, wrong[0], wrong[1])
			c.expect(`[3,{"message":"the authid is unknown, or its proof is wrong"},"wamp.error.authentication_denied"]`)
			c.expectClosed()
		}
	})
}

// reference is the ABORT of a login that failed for a reason of the router's own.
const reference = `[3,{"message":"authentication failed (reference *)"},"wamp.error.authentication_failed"]`

// TestAuthenticatorReturns: what an authenticator inside the process may return,
// and what comes of it.
func TestAuthenticatorReturns(t *testing.T) {
	for _, test := range []struct {
		name      string
		principal *auth.Principal
		err       error
		want      string // the ABORT; empty: WELCOME
		logged    string
	}{
		{"a role", &auth.Principal{Role: "frontend"}, nil, "", ""},
		{"nothing", nil, nil, reference, "neither a principal nor an error"},
		{"an empty role", &auth.Principal{}, nil, `[3,{"message":"realm \"realm1\" has no role \"\""},"wamp.error.no_such_role"]`, `has no role \"\"`},
		{"a role that the realm lacks", &auth.Principal{Role: "ghost"}, nil, `[3,{"message":"realm \"realm1\" has no role \"ghost\""},"wamp.error.no_such_role"]`, `problem="realm \"realm1\" has no role \"ghost\""`},
		{"a role that is the ticket", &auth.Principal{Role: "secret!!!"}, nil, `[3,{"message":"realm \"realm1\" has no role \"secret!!!\""},"wamp.error.no_such_role"]`, `has no role \"***\"`},
		{"a realm that there is not", &auth.Principal{Role: "frontend", Realm: "realm9"}, nil, `[3,{"message":"no realm \"realm9\" exists on this router"},"wamp.error.no_such_realm"]`, `no realm \"realm9\" exists`},
		{"an extra that is no dict", &auth.Principal{Role: "frontend", Extra: wamp.Value{Format: wamp.JSON, Bytes: []byte("1")}}, nil, reference, "an extra that is no dict"},
		{"a refusal", nil, &auth.Refusal{URI: "com.example.no", Message: "no"}, `[3,{"message":"no"},"com.example.no"]`, ""},
		{"a refusal of the router's kind", nil, &auth.Refusal{URI: wamp.ErrNoSuchRole, Message: "not for you"}, `[3,{"message":"not for you"},"wamp.error.no_such_role"]`, ""},
		{"a refusal that is wrapped", nil, fmt.Errorf("wrapped: %w", &auth.Refusal{URI: "com.example.no", Message: "no"}), `[3,{"message":"no"},"com.example.no"]`, ""},
		{"a refusal with a bad URI", nil, &auth.Refusal{URI: "no uri", Message: "no"}, reference, "which is no URI"},
		{"an error", nil, errors.New("authenticate.lua:7: broken for secret!!!"), reference, "authenticate.lua:7: broken for ***"},
		{"an error beside a principal", &auth.Principal{Role: "frontend"}, errors.New("broken"), reference, "broken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, scenario(), Limits{})
			w.authenticateBy(func(context.Context, *auth.Request) (*auth.Principal, error) { return test.principal, test.err })
			c := w.login(wamp.JSON, ticketed(), "joe", "secret!!!")
			if test.want == "" {
				c.welcomed()
				return
			}
			got := text(c.receive())
			if !matches(got, test.want) {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			c.expectClosed()
			log := w.log.String()
			if !strings.Contains(log, test.logged) || strings.Contains(log, "secret!!!") {
				t.Errorf("log is %s", log)
			}
			if test.logged == "" && strings.Contains(log, "problem=") { // what a refusal says is for the client
				t.Errorf("the log has the authenticator's message: %s", log)
			}
			if test.want == reference {
				_, after, _ := strings.Cut(got, "(reference ")
				if id, _, _ := strings.Cut(after, ")"); !strings.Contains(log, "reference="+id) {
					t.Errorf("reference %q is not in the log", id)
				}
			}
		})
	}
}

// TestAuthenticatorGetsTheRequest: all that is known about the client.
func TestAuthenticatorGetsTheRequest(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	requests := make(chan *auth.Request, 1)
	w.authenticateBy(func(_ context.Context, r *auth.Request) (*auth.Principal, error) {
		requests <- r
		return &auth.Principal{Role: "frontend", Authid: "joe.example", Extra: wamp.Value{Format: wamp.JSON, Bytes: []byte(`{"tenant":42}`)}}, nil
	})
	c := w.connect(wamp.MessagePack, ticketed())
	c.send(`[1,"realm1",{"authmethods":["ticket"],"authid":"joe","authrole":"boss","authextra":{"version":"1.0"},` + clientRoles + `}]`)
	c.expect(`[4,"ticket",{}]`)
	c.send(`[5,"secret!!!",{}]`)
	welcome := c.welcomed()
	r := <-requests
	if r.Realm != "realm1" || r.Authid != "joe" || r.Authrole != "boss" || r.Authmethod != "ticket" || r.Ticket != "secret!!!" ||
		r.Session != welcome.Session || r.Authextra.Format != wamp.MessagePack || r.Transport.Peer != "tcp4:127.0.0.1:17185" {
		t.Errorf("request is %+v", r)
	}
	if welcome.Authid != "joe.example" || !strings.Contains(text(&welcome), `"tenant":42`) {
		t.Errorf("got %s", text(&welcome))
	}
}

func TestNoAuthenticator(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c := w.login(wamp.JSON, ticketed(), "joe", "secret!!!")
	c.expect(reference)
	c.expectClosed()
	if !strings.Contains(w.log.String(), `no authenticator is registered as \"com.example.authenticate\" in realm \"realm1\"`) {
		t.Errorf("log is %s", w.log.String())
	}
}

// TestAuthenticatorWithoutARule: the log says whose right it is that has gone.
func TestAuthenticatorWithoutARule(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	w.authenticateBy(seedAuthenticator)
	p := scenario()
	p.Realms["realm1"].Roles["authenticator"].Rules = []auth.Rule{{URI: "com.", Match: wamp.Prefix, Allow: auth.Register}}
	w.Apply(p)
	c := w.login(wamp.JSON, ticketed(), "joe", "secret!!!")
	c.expect(reference)
	c.expectClosed()
	if !strings.Contains(w.log.String(), `role \"authenticator\", which registered authenticator \"com.example.authenticate\" in realm \"realm1\", has no exact rule that allows it`) {
		t.Errorf("log is %s", w.log.String())
	}
}

// TestPatternIsNoAuthenticator: for logins only an exact registration counts.
func TestPatternIsNoAuthenticator(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c := w.join(wamp.JSON, "backend")
	c.register("com.example.", `{"match":"prefix"}`)
	w.login(wamp.JSON, ticketed(), "joe", "secret!!!").expect(reference)
	c.expectNothing()
}

// TestNoWayAroundToAnAuthenticator: no call goes to what only the router asks, nor one
// that its own callee may not serve.
func TestNoWayAroundToAnAuthenticator(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	b := Binding{URI: "com.example.", Options: wamp.RegisterOptions{Match: wamp.Prefix},
		Authenticator: authenticatorFunc(func(context.Context, *auth.Request) (*auth.Principal, error) { return nil, nil })}
	if err := w.local("anyone", h).Bind(Bindings{Registrations: []Binding{b}}, nil); err != nil {
		t.Fatal(err)
	}
	w.join(wamp.JSON, "backend").register("com.example.work", `{}`)
	next := scenario()
	backend := next.Realms["realm1"].Roles["backend"]
	backend.Rules = append(backend.Rules, auth.Rule{URI: "com.example.work"})
	w.Apply(next)
	caller := w.join(wamp.JSON, "anyone")
	caller.send(`[48,1,{},"com.example.work"]`)
	caller.expect(`[8,48,1,{},"wamp.error.no_such_procedure",**`)
	caller.send(`[48,2,{},"com.example.other"]`)
	caller.expect(`[8,48,2,{},"wamp.error.not_authorized",["** it is an authenticator's, which only the router asks"]]`)
}

// TestHangingAuthenticator: a login is refused in bounded time, and nobody else waits.
func TestHangingAuthenticator(t *testing.T) {
	w := newWorld(t, scenario(), Limits{AuthenticatorTimeout: 200 * time.Millisecond})
	w.authenticateBy(func(ctx context.Context, r *auth.Request) (*auth.Principal, error) {
		if r.Authid == "joe" {
			<-ctx.Done()
			return &auth.Principal{Role: "frontend"}, nil // too late to count
		}
		return seedAuthenticator(ctx, r)
	})
	hanging := w.login(wamp.JSON, ticketed(), "joe", "secret!!!")
	w.login(wamp.JSON, ticketed(), "client2", "123sekret").welcomed()
	hanging.expect(reference)
	hanging.expectClosed()
	if !strings.Contains(w.log.String(), "did not answer in time") {
		t.Errorf("log is %s", w.log.String())
	}
}

func TestPanickingAuthenticator(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	w.authenticateBy(func(context.Context, *auth.Request) (*auth.Principal, error) { panic("as the test wants it") })
	c := w.login(wamp.JSON, ticketed(), "joe", "secret!!!")
	c.expect(reference)
	c.expectClosed()
}

// remoteAuthenticator joins and registers as the seed's authenticator.py does.
func (w *world) remoteAuthenticator(f wamp.Format) *client {
	w.t.Helper()
	c := w.join(f, "authenticator")
	c.register(authenticatorURI, `{}`)
	return c
}

func TestRemoteAuthenticator(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		authenticator := w.remoteAuthenticator(to)
		c := w.connect(from, ticketed())
		c.send(`[1,"realm1",{"authmethods":["ticket"],"authid":"joe","authextra":{"version":"1.0"},` + clientRoles + `}]`)
		c.expect(`[4,"ticket",{}]`)
		c.send(`[5,"secret!!!",{}]`)
		got := text(authenticator.receive())
		for _, want := range []string{
			`[68,1,1,{},["realm1","joe",{`, `"ticket":"secret!!!"`, `"authmethod":"ticket"`, `"session":`, `"authextra":{"version":"1.0"}`,
			`"transport":{`, `"peer":"tcp4:127.0.0.1:17185"`, `"protocol":"wamp.2.` + from.String() + `"`, `"http_headers_received":{}`,
			`"http_headers_sent":{}`, `"cbtid":null`, `"type":"websocket"`, `"client_cert":null`, `"websocket_protocol":"wamp.2.`,
		} {
			if !strings.Contains(got, want) {
				t.Errorf("the question lacks %s: %s", want, got)
			}
		}
		authenticator.send(`[70,1,{},[{"role":"backend","authid":"joe.example","extra":{"tenant":42}}]]`)
		welcome := c.welcomed()
		if welcome.Authid != "joe.example" || welcome.Authrole != "backend" || welcome.Authprovider != "dynamic" || !strings.Contains(text(&welcome), `"tenant":42`) {
			t.Errorf("got %s", text(&welcome))
		}
		if !strings.Contains(got, fmt.Sprintf(`"session":%d`, welcome.Session)) {
			t.Errorf("session %d is not the one that was announced: %s", welcome.Session, got)
		}
	})
}

// TestRemoteAuthenticatorAnswers: what a remote one may answer, and what comes of it.
func TestRemoteAuthenticatorAnswers(t *testing.T) {
	for _, test := range []struct{ name, answer, want string }{
		{"a role", `[70,1,{},["frontend"]]`, ""},
		{"a principal", `[70,1,{},[{"role":"frontend","realm":"realm1"}]]`, ""},
		{"a refusal", `[8,68,1,{},"com.example.invalid_ticket",["invalid ticket for joe"]]`, `[3,{"message":"invalid ticket for joe"},"com.example.invalid_ticket"]`},
		{"a refusal with more", `[8,68,1,{},"com.example.no",["no",1],{"a":2}]`, `[3,{"message":"no"},"com.example.no"]`},
		{"an exception", `[8,68,1,{},"wamp.error.runtime_error",["KeyError"]]`, reference},
		{"a role that the realm lacks", `[70,1,{},["ghost"]]`, `[3,{"message":"realm \"realm1\" has no role \"ghost\""},"wamp.error.no_such_role"]`},
		{"a number", `[70,1,{},[42]]`, reference},
		{"true", `[70,1,{},[true]]`, reference},
		{"null", `[70,1,{},[null]]`, reference},
		{"nothing", `[70,1,{}]`, reference},
		{"two results", `[70,1,{},["frontend","backend"]]`, reference},
		{"an unknown field", `[70,1,{},[{"role":"frontend","admin":true}]]`, reference},
		{"a role in a list", `[70,1,{},[{"role":["frontend"]}]]`, reference},
		{"only kwargs", `[70,1,{},[],{"role":"frontend"}]`, reference},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachFormat(t, func(t *testing.T, f wamp.Format) {
				w := newWorld(t, scenario(), Limits{})
				authenticator := w.remoteAuthenticator(f)
				c := w.login(wamp.JSON, ticketed(), "joe", "secret!!!")
				authenticator.receive()
				authenticator.send(test.answer)
				if test.want == "" {
					c.welcomed()
					return
				}
				c.expect(test.want)
				c.expectClosed()
				if strings.Contains(w.log.String(), "secret!!!") {
					t.Error("the ticket is in the log")
				}
			})
		})
	}
}

// TestRemoteAuthenticatorEnds: one that dies, or says nothing, refuses in bounded
// time; its late answer counts for nothing.
func TestRemoteAuthenticatorEnds(t *testing.T) {
	t.Run("dies", func(t *testing.T) {
		w := newWorld(t, scenario(), Limits{})
		authenticator := w.remoteAuthenticator(wamp.JSON)
		c := w.login(wamp.JSON, ticketed(), "joe", "secret!!!")
		authenticator.receive()
		authenticator.drop()
		c.expect(reference)
		c.expectClosed()
	})
	t.Run("hangs", func(t *testing.T) {
		w := newWorld(t, scenario(), Limits{AuthenticatorTimeout: 50 * time.Millisecond})
		authenticator := w.remoteAuthenticator(wamp.JSON)
		c := w.login(wamp.JSON, ticketed(), "joe", "secret!!!")
		authenticator.receive()
		c.expect(reference)
		c.expectClosed()
		authenticator.send(`[70,1,{},["frontend"]]`)
		authenticator.expectNothing()
	})
}

// TestComponentAnswersAsAProcedure: one that only registers the URI is asked as a
// remote authenticator is.
func TestComponentAnswersAsAProcedure(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newRecorder()
	bind(t, w.local("authenticator", h), []string{authenticatorURI}, nil)
	c := w.login(wamp.CBOR, ticketed(), "joe", "secret!!!")
	i := <-h.invocations
	if i.Payload.Format != wamp.JSON || !strings.HasPrefix(string(i.Payload.Args), `["realm1","joe",{"ticket":"secret!!!"`) {
		t.Errorf("asked %s", i.Payload.Args)
	}
	i.Yield(jsonArgs(`["frontend"]`))
	c.welcomed()
}

// TestAuthenticatorElsewhere: with a realm of its own, and a realm that it assigns.
func TestAuthenticatorElsewhere(t *testing.T) {
	p := scenario()
	p.Realms["users"] = &RealmPolicy{Name: "users", Roles: map[string]*auth.Role{"member": {Name: "member"}}}
	p.Realms["closed"] = &RealmPolicy{Name: "closed", Roles: map[string]*auth.Role{"member": {Name: "member"}}}
	e := &Endpoint{Auth: auth.Methods{Ticket: &auth.Ticket{Authenticator: &auth.Dynamic{
		URI: authenticatorURI, Realm: "realm1", Realms: []string{"users"},
	}}}}
	w := newWorld(t, p, Limits{})
	w.authenticateBy(func(_ context.Context, r *auth.Request) (*auth.Principal, error) {
		return &auth.Principal{Role: "member", Realm: r.Ticket}, nil
	})
	for realm, want := range map[string]string{
		"users":  "",
		"closed": `[3,{"message":"realm \"closed\" is not open to this way of authentication"},"wamp.error.no_such_realm"]`,
		"":       `[3,{"message":"HELLO names no realm, and nobody here assigns one"},"wamp.error.no_such_realm"]`,
	} {
		c := w.connect(wamp.JSON, e)
		c.post(&wamp.Hello{Authid: "joe", Authmethods: []string{"ticket"}, HasAuthmethods: true, Roles: wamp.Roles{Caller: wamp.RoleFeatures{Present: true}}})
		c.batch.Flush()
		c.expect(`[4,"ticket",{}]`)
		c.send(fmt.Sprintf(`[5,%q,{}]`, realm))
		if want != "" {
			c.expect(want)
			c.expectClosed()
		} else if got := c.welcomed(); got.Realm != realm {
			t.Errorf("joined %q, want %q", got.Realm, realm)
		}
	}
}

// TestLogOfLogins: who asked and how it ended, never what was presented.
func TestLogOfLogins(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	w.authenticateBy(seedAuthenticator)
	router, own := transport.Pair(wamp.JSON, transport.Options{})
	w.serving.Go(func() {
		w.Serve(router, ticketed(), &auth.Transport{
			Peer: "tcp4:127.0.0.1:17185", Protocol: "wamp.2.json", Query: "token=querysecret", Cbtid: "cookiesecret",
			HeadersReceived: map[string]string{"host": "localhost:8080", "user-agent": "a test", "cookie": "cookiesecret", "authorization": "headersecret"},
		})
	})
	c := &client{t: t, conn: own}
	c.send(`[1,"realm1",{"authmethods":["ticket"],"authid":"joe","authextra":{"pin":"extrasecret"},` + clientRoles + `}]`)
	c.expect(`[4,"ticket",{}]`)
	c.send(`[5,"ticketsecret",{}]`)
	c.expect(`[3,{"message":**},"com.example.invalid_ticket"]`)
	c.expectClosed()
	log := w.log.String()
	for _, want := range []string{`"authentication asked"`, `"authentication refused"`, "authid=joe", "uri=com.example.invalid_ticket", "host=localhost:8080", `user_agent="a test"`, "authextra_bytes=", "query_bytes=17"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
	if strings.Contains(strings.ReplaceAll(log, `"a test"`, ""), "secret") {
		t.Errorf("a secret is in the log: %s", log)
	}
}

// TestAuthenticate: the way that tools ask.
func TestAuthenticate(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	w.authenticateBy(seedAuthenticator)
	d := &auth.Dynamic{URI: authenticatorURI}
	p, err := w.Authenticate(context.Background(), d, &auth.Request{Realm: "realm1", Authid: "joe", Ticket: "secret!!!"})
	if err != nil || p.Role != "frontend" || p.Realm != "realm1" || p.Authid != "joe" {
		t.Errorf("got %+v, %v", p, err)
	}
	_, err = w.Authenticate(context.Background(), d, &auth.Request{Realm: "realm1", Authid: "joe", Ticket: "wrong"})
	var refusal *auth.Refusal
	if !errors.As(err, &refusal) || refusal.URI != "com.example.invalid_ticket" {
		t.Errorf("got %v", err)
	}
	_, err = w.Authenticate(context.Background(), d, &auth.Request{Realm: "realm9", Authid: "joe"})
	if err == nil || errors.As(err, &refusal) && refusal.URI != wamp.ErrNoSuchRealm {
		t.Errorf("got %v", err)
	}
}

// TestManyLoginsAtOnce: each gets its own answer.
func TestManyLoginsAtOnce(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	all := make(chan struct{})
	w.authenticateBy(func(ctx context.Context, r *auth.Request) (*auth.Principal, error) {
		<-all
		return seedAuthenticator(ctx, r)
	})
	var clients []*client
	for i := range 60 {
		ticket := "secret!!!"
		if i%3 == 0 {
			ticket = fmt.Sprint(i)
		}
		clients = append(clients, w.login(formats[i%len(formats)], ticketed(), "joe", ticket))
	}
	close(all)
	for i, c := range clients {
		if i%3 == 0 {
			c.expect(fmt.Sprintf(`[3,{"message":"could not authenticate session - invalid ticket '%d' for principal joe"},"com.example.invalid_ticket"]`, i))
		} else {
			c.welcomed()
		}
	}
}
