package realm

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// The users of the suite: peter of WAMP-CRA (salted), sam of SCRAM, and carl of
// cryptosign, each with the same password or seed as in Crossbar.io's transcripts.
const (
	samNonce = "LQoK5r8tWCOr9vwMwtvitQ=="
	samSalt  = "O8PKAd0dUByhwi4cXX0W/g=="
)

var (
	carl       = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0x11}, 32))
	carlPublic = hex.EncodeToString(carl.Public().(ed25519.PublicKey))
)

func derived(t testing.TB, password, salt string, iterations, size int) []byte {
	t.Helper()
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, size)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func samCredentials(t testing.TB) auth.Credentials {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(samSalt)
	if err != nil {
		t.Fatal(err)
	}
	salted := derived(t, "sam-password", string(raw), 4096, 32)
	stored := sha256.Sum256(hmacOf(salted, "Client Key"))
	return auth.Credentials{KDF: "pbkdf2", Salt: samSalt, Iterations: 4096, StoredKey: stored[:], ServerKey: hmacOf(salted, "Server Key")}
}

func hmacOf(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// credentialsOf are what an authenticator returns for a method's user.
func credentialsOf(t testing.TB, method string) auth.Credentials {
	switch method {
	case "wampcra":
		return auth.Credentials{Secret: base64.StdEncoding.EncodeToString(derived(t, "secret2", "salt123", 100, 16)), Salt: "salt123", Iterations: 100, Keylen: 16}
	case "scram", "wamp-scram":
		return samCredentials(t)
	case "cryptosign":
		return auth.Credentials{AuthorizedKeys: []string{carlPublic}}
	}
	return auth.Credentials{}
}

// challenging is an endpoint with the users of the suite, or whose authenticator
// decides, in the realm that d names.
func challenging(t testing.TB, d *auth.Dynamic) *Endpoint {
	t.Helper()
	if d != nil {
		return &Endpoint{Auth: auth.Methods{
			Anonymous: &auth.Anonymous{Authenticator: d}, Ticket: &auth.Ticket{Authenticator: d}, WAMPCRA: &auth.WAMPCRA{Authenticator: d},
			SCRAM: &auth.SCRAM{Authenticator: d}, Cryptosign: &auth.Cryptosign{Authenticator: d},
		}}
	}
	user := func(authid, method string) map[string]auth.User {
		return map[string]auth.User{authid: {Role: "frontend", Credentials: credentialsOf(t, method)}}
	}
	return &Endpoint{Auth: auth.Methods{
		WAMPCRA: auth.NewWAMPCRA(user("peter", "wampcra")), SCRAM: auth.NewSCRAM(user("sam", "scram")),
		Cryptosign: auth.NewCryptosign(user("carl", "cryptosign")),
	}}
}

// said is CHALLENGE.Extra, or WELCOME's authextra.
func said(t testing.TB, v wamp.Value) map[string]any {
	t.Helper()
	var all map[string]any
	if v.Absent() {
		return all
	}
	encoded, err := codec.AppendValue(nil, wamp.JSON, v)
	if err == nil {
		err = json.Unmarshal(encoded, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// hello is the HELLO of a method's user.
func hello(method, realm string) string {
	authid := map[string]string{"wampcra": "peter", "scram": "sam", "wamp-scram": "sam", "cryptosign": "carl", "ticket": "joe"}[method]
	if realm != "" {
		realm = `"` + realm + `"`
	} else {
		realm = "null"
	}
	extra := ""
	switch method {
	case "scram", "wamp-scram":
		extra = `"authextra":{"nonce":"` + samNonce + `"},`
	case "cryptosign":
		extra = `"authextra":{"pubkey":"` + carlPublic + `"},`
	}
	return fmt.Sprintf(`[1,%s,{"authmethods":[%q],"authid":%q,%s%s}]`, realm, method, authid, extra, clientRoles)
}

// challenged expects the exact form of a method's CHALLENGE and returns its Extra.
func (c *client) challenged(method string) map[string]any {
	c.t.Helper()
	m := c.receive()
	challenge, ok := m.(*wamp.Challenge)
	want := map[string]string{
		"ticket":     `[4,"ticket",{}]`,
		"wampcra":    `[4,"wampcra",{"challenge":**,"salt":"salt123","iterations":100,"keylen":16}]`,
		"scram":      `[4,"scram",{"nonce":"*","salt":"` + samSalt + `","kdf":"pbkdf2","iterations":4096,"memory":0}]`,
		"wamp-scram": `[4,"wamp-scram",{"nonce":"*","salt":"` + samSalt + `","kdf":"pbkdf2","iterations":4096,"memory":null}]`,
		"cryptosign": `[4,"cryptosign",{"challenge":"*","channel_binding":null}]`,
	}[method]
	if !ok || !matches(text(m), want) {
		c.t.Fatalf("got  %s\nwant %s", text(m), want)
	}
	return said(c.t, challenge.Extra)
}

// answers is the right AUTHENTICATE to a challenge, and the proof that the router
// then owes.
func answers(t testing.TB, method string, extra map[string]any) (authenticate string, proof map[string]any) {
	t.Helper()
	switch method {
	case "ticket":
		return `[5,"secret!!!",{}]`, nil
	case "wampcra":
		key := base64.StdEncoding.EncodeToString(derived(t, "secret2", "salt123", 100, 16))
		return fmt.Sprintf(`[5,%q,{}]`, base64.StdEncoding.EncodeToString(hmacOf([]byte(key), extra["challenge"].(string)))), nil
	case "cryptosign":
		challenge, err := hex.DecodeString(extra["challenge"].(string))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`[5,"%x%x",{}]`, ed25519.Sign(carl, challenge), challenge), nil
	}
	nonce := extra["nonce"].(string)
	binding, more := "biws", fmt.Sprintf(`{"nonce":%q,"channel_binding":null,"cbind_data":null}`, nonce)
	verifier := "verifier"
	if method == "scram" {
		binding, more, verifier = "", `{}`, "scram_server_signature"
	}
	message := "n=sam,r=" + samNonce + ",r=" + nonce + ",s=" + samSalt + ",i=4096,c=" + binding + ",r=" + nonce
	c := samCredentials(t)
	raw, err := base64.StdEncoding.DecodeString(samSalt)
	if err != nil {
		t.Fatal(err)
	}
	signature := hmacOf(derived(t, "sam-password", string(raw), 4096, 32), "Client Key")
	for i, b := range hmacOf(c.StoredKey, message) {
		signature[i] ^= b
	}
	return fmt.Sprintf(`[5,%q,%s]`, base64.StdEncoding.EncodeToString(signature), more),
		map[string]any{verifier: base64.StdEncoding.EncodeToString(hmacOf(c.ServerKey, message))}
}

const notProved = `[3,{"message":"the authid is unknown, or its proof is wrong"},"wamp.error.authentication_denied"]`

// TestChallenges: each method's messages from HELLO to WELCOME or ABORT, and that
// the answer of one session is none in another.
func TestChallenges(t *testing.T) {
	e := challenging(t, nil)
	eachWay(t, func(t *testing.T, over way) {
		for method, authid := range map[string]string{"wampcra": "peter", "scram": "sam", "wamp-scram": "sam", "cryptosign": "carl"} {
			w := newWorld(t, scenario(), Limits{Throttle: auth.ThrottleLimits{SlowAfter: -1}})
			c := w.connectOver(over, e)
			c.send(hello(method, "realm1"))
			extra := c.challenged(method)
			answer, proof := answers(t, method, extra)
			c.send(answer)
			got := c.welcomed()
			if got.Realm != "realm1" || got.Authid != authid || got.Authrole != "frontend" || got.Authmethod != method || got.Authprovider != "static" {
				t.Errorf("%s: got %s", method, text(&got))
			}
			for name, value := range proof {
				if said(t, got.Authextra)[name] != value {
					t.Errorf("%s: the router's proof is %s, want %v", method, text(&got), proof)
				}
			}
			if method == "wampcra" {
				var challenge map[string]any
				if err := json.Unmarshal([]byte(extra["challenge"].(string)), &challenge); err != nil {
					t.Fatal(err)
				}
				if challenge["session"] != float64(got.Session) || challenge["authid"] != "peter" || challenge["authrole"] != "frontend" || challenge["authprovider"] != "static" {
					t.Errorf("the challenge is %v, session %d", challenge, got.Session)
				}
			}
			// A session has proved itself: what comes now is no login.
			c.send(answer)
			c.expect(`[3,{"message":"received AUTHENTICATE after the session was established**"},"wamp.error.protocol_violation"]`)
			c.expectClosed()
			for _, wrong := range []string{answer, `[5,"",{}]`, `[5,"wrong",{}]`, `[5,"` + strings.Repeat("00", 96) + `",{}]`} {
				c = w.connectOver(over, e)
				c.send(hello(method, "realm1"))
				c.challenged(method)
				c.send(wrong)
				c.expect(notProved)
				c.expectClosed()
			}
			// Who does not exist is asked the same.
			c = w.connectOver(over, e)
			c.send(strings.Replace(hello(method, "realm1"), `"`+authid+`"`, `"nobody"`, 1))
			m := c.receive()
			if challenge, ok := m.(*wamp.Challenge); !ok || challenge.Method != method || len(said(t, challenge.Extra)) != len(extra) {
				t.Errorf("%s: got %s for a user that does not exist", method, text(m))
			}
			c.send(answer)
			c.expect(notProved)
			c.expectClosed()
			if strings.Contains(w.log.String(), "secret2") || strings.Contains(w.log.String(), answer[4:40]) {
				t.Errorf("%s: a proof is in the log:\n%s", method, w.log)
			}
		}
	})
}

// TestRealmsAreAssigned by an authenticator of another realm, to clients of every
// method that ask for none; and roles alone are no proof.
func TestRealmsAreAssigned(t *testing.T) {
	p := scenario()
	p.Realms["assigned"] = &RealmPolicy{Name: "assigned", Roles: map[string]*auth.Role{"guest": {Name: "guest"}}}
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, p, Limits{})
		bare := false
		w.authenticateBy(func(_ context.Context, r *auth.Request) (*auth.Principal, error) {
			if r.Realm != "" {
				t.Errorf("asked about realm %q", r.Realm)
			}
			answer := &auth.Principal{Realm: "assigned", Role: "guest", Authid: "somebody"}
			if !bare {
				answer.Credentials = credentialsOf(t, r.Authmethod)
			}
			return answer, nil
		})
		for _, method := range []string{"anonymous", "ticket", "wampcra", "scram", "wamp-scram", "cryptosign"} {
			for _, bare = range []bool{false, true} {
				c := w.connect(f, challenging(t, &auth.Dynamic{URI: authenticatorURI, Realm: "realm1", Realms: []string{"assigned"}}))
				c.send(hello(method, ""))
				if bare && (method == "wampcra" || strings.HasSuffix(method, "scram")) {
					c.expect(reference)
					c.expectClosed()
					continue
				}
				if method != "anonymous" {
					answer, _ := answers(t, method, c.challenged(method))
					c.send(answer)
				}
				if got := c.welcomed(); got.Realm != "assigned" || got.Authid != "somebody" || got.Authrole != "guest" || got.Authmethod != method || got.Authprovider != "dynamic" {
					t.Errorf("%s: got %s", method, text(&got))
				}
			}
		}
		for _, method := range []string{"anonymous", "ticket", "wampcra", "scram", "wamp-scram", "cryptosign"} {
			c := w.connect(f, challenging(t, &auth.Dynamic{URI: authenticatorURI}))
			c.send(hello(method, ""))
			c.expect(`[3,{"message":"HELLO names no realm, and nobody here assigns one"},"wamp.error.no_such_realm"]`)
			c.expectClosed()
		}
	})
}

// TestSessionsExpire when their principal does, by whichever method it came.
func TestSessionsExpire(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		w.authenticateBy(func(_ context.Context, r *auth.Request) (*auth.Principal, error) {
			return &auth.Principal{Role: "frontend", Authid: "joe", ExpiresAt: time.Now().Add(time.Second), Credentials: credentialsOf(t, r.Authmethod)}, nil
		})
		var joined []*client
		for _, method := range []string{"anonymous", "ticket", "wampcra", "wamp-scram", "cryptosign"} {
			c := w.connect(f, challenging(t, &auth.Dynamic{URI: authenticatorURI}))
			c.send(hello(method, "realm1"))
			if method != "anonymous" {
				answer, _ := answers(t, method, c.challenged(method))
				c.send(answer)
			}
			c.welcomed()
			joined = append(joined, c)
		}
		for _, c := range joined {
			c.expect(`[6,{"message":"the session's authentication has expired"},"wamp.close.killed"]`)
			c.expectClosed()
		}
	})
}

// TestKilledAsItJoins: whoever ends a session in the moment in which it joins finds
// when it expires.
func TestKilledAsItJoins(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	w.authenticateBy(func(context.Context, *auth.Request) (*auth.Principal, error) {
		return &auth.Principal{Role: "frontend", Authid: "joe", ExpiresAt: time.Now().Add(time.Hour)}, nil
	})
	l := w.local("anyone", deaf{})
	var killing sync.WaitGroup
	var stop atomic.Bool
	killing.Go(func() {
		for !stop.Load() {
			if _, err := callLocal(l, "wamp.session.kill_by_authid", `["joe"]`); err != nil {
				t.Error(err)
			}
		}
	})
	defer killing.Wait()
	defer stop.Store(true)
	for range 50 {
		c := w.login(wamp.JSON, ticketed(), "joe", "any")
		c.welcomed()
		c.expect(`[6,{},"wamp.close.killed"]`)
		c.expectClosed()
	}
}

// TestTransportsAreForgotten once a client has joined: what describes a connection,
// its TLS included, is for the login.
func TestTransportsAreForgotten(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	router, own := transport.Pair(wamp.JSON, transport.Options{})
	described := make(chan weak.Pointer[auth.Transport], 1)
	w.serving.Go(func() {
		tr := &auth.Transport{Type: "websocket", Peer: "tcp4:127.0.0.1:1", TLS: &tls.ConnectionState{}}
		described <- weak.Make(tr)
		w.Serve(router, challenging(t, nil), tr)
	})
	t.Cleanup(func() { own.Close(transport.CloseNormal) })
	c := &client{t: t, conn: own}
	c.send(hello("cryptosign", "realm1"))
	answer, _ := answers(t, "cryptosign", c.challenged("cryptosign"))
	c.send(answer)
	c.welcomed()
	pointer := <-described
	eventually(t, "the transport is forgotten", func() bool {
		runtime.GC()
		return pointer.Value() == nil
	})
}
