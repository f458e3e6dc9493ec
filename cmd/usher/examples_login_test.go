package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/client"
	"usher/router/wamp"
)

func TestExampleTicketFile(t *testing.T) {
	e := writeExample(t, "ticket-file").serve(t)
	const denied = "com.example.invalid_ticket"
	e.logins(t,
		exampleLogin{"the ticket", byTicket("joe", "secret!!!"), "joe frontend"},
		exampleLogin{"another", byTicket("joe", "secret!"), denied},
		exampleLogin{"somebody who is not there", byTicket("mallory", "secret!!!"), denied},
	)
	// Saving the file is enough.
	e.replace(t, "scripts/data/tickets.lua", "joe =", "ann =")
	e.log.waitFor(t, 0, "generation=2")
	e.logins(t,
		exampleLogin{"who was there", byTicket("joe", "secret!!!"), denied},
		exampleLogin{"who is now", byTicket("ann", "secret!!!"), "ann frontend"},
	)
}

// passwords plays with an example whose users are in a database.
func (e *example) passwords(t *testing.T, by func(authid, password string) client.Options, denied string) {
	t.Helper()
	e.log.waitFor(t, 0, "users are ready")
	admin := e.join(t, by("admin", "open sesame"))
	set := func(c *client.Client, want string, args ...any) {
		t.Helper()
		if got := resultOf(t, c, "com.example.set_password", args...); got != want {
			t.Errorf("set_password(%v): %s, want %s", args, got, want)
		}
	}
	set(admin, "[]", "joe", "joe's first", "frontend")
	set(admin, "wamp.error.invalid_argument", "joe", "short", "frontend")
	set(admin, "com.example.not_yours", "joe", "long enough", "authenticator")
	joe := e.join(t, by("joe", "joe's first"))
	set(joe, "com.example.not_yours", "admin", "joe's own")
	set(joe, "com.example.not_yours", "joe", "joe's own", "admin")
	set(joe, "[]", "joe", "joe's second")
	e.logins(t,
		exampleLogin{"the new password", by("joe", "joe's second"), "joe frontend"},
		exampleLogin{"the old one", by("joe", "joe's first"), denied},
		exampleLogin{"no SQL", by("joe' --", "joe's second"), denied},
		exampleLogin{"somebody who is not there", by("mallory", "joe's second"), denied},
		exampleLogin{"the admin", by("admin", "open sesame"), "admin admin"},
	)
}

func TestExampleTicketSQL(t *testing.T) {
	t.Setenv("ADMIN_PASSWORD", "open sesame")
	e := writeExample(t, "ticket-sql")
	e.serve(t).passwords(t, byTicket, "com.example.invalid_ticket")
}

func TestExampleSCRAM(t *testing.T) {
	t.Setenv("ADMIN_PASSWORD", "open sesame")
	e := writeExample(t, "scram").serve(t)
	e.passwords(t, func(authid, password string) client.Options {
		return byProver(authid, client.SCRAM(auth.MethodSCRAM, authid, password))
	}, wamp.ErrAuthenticationDenied)
}

func TestExampleTicketHTTP(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Authid, Ticket string }
		err := json.NewDecoder(r.Body).Decode(&asked)
		switch {
		case err != nil || r.Header.Get("Authorization") != "Bearer t0ken":
			w.WriteHeader(http.StatusBadRequest)
		case asked.Authid == "root":
			fmt.Fprint(w, `{"role": "authenticator"}`)
		case asked.Authid != "joe" || asked.Ticket != "s3cret":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			fmt.Fprint(w, `{"role": "frontend", "expires_in": 3600}`)
		}
	}))
	defer service.Close()
	t.Setenv("AUTH_URL", strings.Replace(service.URL, "127.0.0.1", "localhost", 1))
	t.Setenv("AUTH_TOKEN", "t0ken")
	e := writeExample(t, "ticket-http").serve(t)
	e.logins(t,
		exampleLogin{"the ticket", byTicket("joe", "s3cret"), "joe frontend"},
		exampleLogin{"another", byTicket("joe", "secret"), "com.example.invalid_ticket"},
		exampleLogin{"a role that the service may not give", byTicket("root", "s3cret"), "com.example.unavailable"},
	)
	service.Close()
	e.logins(t, exampleLogin{"no service", byTicket("joe", "s3cret"), "com.example.unavailable"})
}

func TestExampleWAMPCRA(t *testing.T) {
	e := writeExample(t, "wampcra").serve(t)
	e.logins(t,
		exampleLogin{"the password", byProver("joe", client.WAMPCRA("secret!!!")), "joe frontend"},
		exampleLogin{"another", byProver("joe", client.WAMPCRA("secret")), wamp.ErrAuthenticationDenied},
		exampleLogin{"somebody who is not there", byProver("mallory", client.WAMPCRA("secret!!!")), wamp.ErrAuthenticationDenied},
	)
}

func TestExampleCryptosign(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{4}, ed25519.SeedSize))
	e := writeExample(t, "cryptosign")
	e.replace(t, "scripts/data/keys.lua", "return {\n", fmt.Sprintf("return {\n  [\"%x\"] = { authid = \"ann\", role = \"frontend\" },\n", key.Public()))
	e.serve(t).logins(t,
		exampleLogin{"the key", byProver("", client.Cryptosign(key, "")), "ann frontend"},
		exampleLogin{"the key with its name", byProver("ann", client.Cryptosign(key, "")), "ann frontend"},
		exampleLogin{"another key", byProver("ann", client.Cryptosign(other, "")), "com.example.unknown_key"},
		exampleLogin{"somebody else's name", byProver("joe", client.Cryptosign(key, "")), "com.example.wrong_user"},
	)
	// Who has not got the private key to what is listed.
	public := key.Public().(ed25519.PublicKey)
	stolen := append(bytes.Clone(other.Seed()), public...)
	e.logins(t, exampleLogin{"a public key alone", byProver("ann", client.Cryptosign(stolen, "")), wamp.ErrAuthenticationDenied})
}

// signedToken is a JSON Web Token, signed with a key.
func signedToken(t *testing.T, key ed25519.PrivateKey, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(map[string]string{"alg": "EdDSA", "kid": hex.EncodeToString(key.Public().(ed25519.PublicKey))}) + "." + part(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
}

func TestExampleJWT(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{4}, ed25519.SeedSize))
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		public := key.Public().(ed25519.PublicKey)
		fmt.Fprintf(w, `{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "%x", "x": %q}]}`, public, base64.RawURLEncoding.EncodeToString(public))
	}))
	defer issuer.Close()
	t.Setenv("JWT_ISSUER", issuer.URL)
	t.Setenv("JWT_AUDIENCE", "usher")
	t.Setenv("JWKS_URL", issuer.URL)
	e := writeExample(t, "jwt")
	e.replace(t, "usher.yaml", "JWKS_URL]", "JWKS_URL]\n  http: {allow: [127.0.0.1]}")
	e.serve(t).log.waitFor(t, 0, "the issuer's keys are there")
	claims := func(name string, value any) map[string]any {
		m := map[string]any{"iss": issuer.URL, "aud": "usher", "sub": "joe", "role": "user", "exp": time.Now().Add(time.Hour).Unix()}
		if m[name] = value; name == "" {
			delete(m, name)
		}
		return m
	}
	const denied = "com.example.invalid_token"
	e.logins(t,
		exampleLogin{"a token", byTicket("whoever", signedToken(t, key, claims("", nil))), "joe frontend"},
		exampleLogin{"a token by another key", byTicket("joe", signedToken(t, other, claims("", nil))), denied},
		exampleLogin{"a token for others", byTicket("joe", signedToken(t, key, claims("aud", "others"))), denied},
		exampleLogin{"a token that has expired", byTicket("joe", signedToken(t, key, claims("exp", time.Now().Add(-time.Minute).Unix()))), denied},
		exampleLogin{"a token without a role", byTicket("joe", signedToken(t, key, claims("role", "admin"))), "com.example.no_role"},
		exampleLogin{"no token", byTicket("joe", "joe"), denied},
	)
}

// code is that of an authenticator app for the half minute of now.
func code(t *testing.T, secret string, now time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha1.New, key)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(now.Unix()/30)))
	sum := h.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & (1<<31 - 1)
	return fmt.Sprintf("%06d", n%1_000_000)
}

func TestExampleTOTP(t *testing.T) {
	const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	t.Setenv("JOE_PASSWORD", "s3cret")
	t.Setenv("JOE_TOTP", secret)
	now := code(t, secret, time.Now())
	const denied = "com.example.invalid_ticket"
	writeExample(t, "totp").serve(t).logins(t,
		exampleLogin{"the code alone", byTicket("joe", now), denied},
		exampleLogin{"the password alone", byTicket("joe", "s3cret"), denied},
		exampleLogin{"a code of an hour ago", byTicket("joe", "s3cret"+code(t, secret, time.Now().Add(-time.Hour))), denied},
		exampleLogin{"both", byTicket("joe", "s3cret"+now), "joe frontend"},
		exampleLogin{"both again", byTicket("joe", "s3cret"+now), denied},
	)
}

func TestExampleCertificate(t *testing.T) {
	e := writeExample(t, "certificate").serve(t)
	joe, err := tls.LoadX509KeyPair(e.path("certificates/joe.pem"), e.path("certificates/joe.key"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(e.path("certificates/ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	trust := &tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{joe}}
	trust.RootCAs.AppendCertsFromPEM(ca)
	as := func(authid string) client.Options {
		o := byProver(authid, client.Certificate())
		o.TLS = trust
		return o
	}
	e.logins(t,
		exampleLogin{"the certificate", as(""), "joe operator"},
		exampleLogin{"the certificate, whatever name is asked for", as("ann"), "joe operator"},
	)
	stranger := as("")
	stranger.TLS = &tls.Config{RootCAs: trust.RootCAs}
	if _, err := client.Connect(t.Context(), e.url, stranger); err == nil {
		t.Error("joined without a certificate")
	}
	certificate, err := x509.ParseCertificate(joe.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	e.replace(t, "scripts/data/revoked.lua", "return {\n", fmt.Sprintf("return {\n  [%q] = \"lost\",\n", auth.SHA256(certificate)))
	e.log.waitFor(t, 0, "generation=2")
	e.logins(t, exampleLogin{"a certificate that was revoked", as(""), "com.example.revoked"})
}

func TestExampleRateLimit(t *testing.T) {
	t.Setenv("JOE_TICKET", "s3cret")
	e := writeExample(t, "rate-limit").serve(t)
	joe := e.join(t, byTicket("joe", "s3cret"))
	for n, want := range []string{`["all is well"]`, `["all is well"]`, `["all is well"]`, "com.example.too_many_calls"} {
		if got := resultOf(t, joe, "com.example.report"); got != want {
			t.Errorf("report %d: %s, want %s", n+1, got, want)
		}
	}
	for range 5 {
		e.logins(t, exampleLogin{"a guess", byTicket("joe", "guess"), "com.example.invalid_ticket"})
	}
	e.logins(t, exampleLogin{"the ticket after five guesses", byTicket("joe", "s3cret"), "com.example.too_many_logins"})
}

func TestExampleRoleByHeader(t *testing.T) {
	t.Setenv("PROXY_SECRET", "s3cret")
	e := writeExample(t, "role-by-header").serve(t)
	with := func(secret, user, groups string) client.Options {
		o := byProver("", client.Anonymous())
		o.Header = http.Header{"X-Proxy-Secret": {secret}, "X-Remote-User": {user}, "X-Remote-Groups": {groups}}
		return o
	}
	e.logins(t,
		exampleLogin{"by the proxy", with("s3cret", "joe", "staff"), "joe reader"},
		exampleLogin{"by the proxy with two groups", with("s3cret", "ann", "staff, editors"), "ann editor"},
		exampleLogin{"by the proxy without a group", with("s3cret", "bob", "guests"), "com.example.no_role"},
		exampleLogin{"past the proxy", with("guess", "joe", "editors"), "com.example.not_by_proxy"},
		exampleLogin{"without headers", byProver("", client.Anonymous()), "com.example.not_by_proxy"},
	)
}

func TestExampleTenants(t *testing.T) {
	t.Setenv("ACME_JOE", "acme's")
	t.Setenv("GLOBEX_JOE", "globex's")
	e := writeExample(t, "tenants").serve(t)
	as := func(authid, ticket, realm string) client.Options {
		o := byTicket(authid, ticket)
		o.Realm = realm
		return o
	}
	e.logins(t,
		exampleLogin{"no realm", as("joe@acme", "acme's", ""), "joe@acme member"},
		exampleLogin{"the own realm", as("joe@globex", "globex's", "globex"), "joe@globex member"},
		exampleLogin{"somebody else's realm", as("joe@acme", "acme's", "globex"), "com.example.wrong_realm"},
		exampleLogin{"the authenticator's realm", as("joe@acme", "acme's", "login"), "com.example.wrong_realm"},
		exampleLogin{"somebody else's ticket", as("joe@acme", "globex's", ""), "com.example.invalid_ticket"},
	)
	heard := make(chan string, 10)
	for _, o := range []client.Options{as("joe@acme", "acme's", ""), as("joe@globex", "globex's", "")} {
		c := e.join(t, o)
		if _, err := c.Subscribe(t.Context(), "com.example.news", wamp.SubscribeOptions{}, func(*wamp.Event) { heard <- o.Authid }); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range []client.Options{as("joe@globex", "globex's", ""), as("joe@acme", "acme's", "")} {
		publish(t, e.join(t, o), "com.example.news", 1)
		select {
		case who := <-heard:
			if who != o.Authid {
				t.Errorf("%s heard what %s said", who, o.Authid)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("nobody hears anything")
		}
	}
}

// publish publishes one argument, and waits for the router's word.
func publish(t *testing.T, c *client.Client, topic string, arg any) {
	t.Helper()
	if err := tryPublish(t.Context(), c, topic, arg); err != nil {
		t.Fatal(err)
	}
}

func tryPublish(ctx context.Context, c *client.Client, topic string, arg any) error {
	p, err := c.Payload([]any{arg}, nil)
	if err == nil {
		_, err = c.Publish(ctx, topic, wamp.PublishOptions{Acknowledge: true}, p)
	}
	return err
}
