package tokens

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"usher/router/auth"
	"usher/router/wamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// issuer is one that signs tokens, with its web server.
type issuer struct {
	t      *testing.T
	server *httptest.Server
	rsa    *rsa.PrivateKey
	ec     *ecdsa.PrivateKey
	ed     ed25519.PrivateKey

	mu      sync.Mutex
	keys    []map[string]string
	fetches int
	answer  func(w http.ResponseWriter) // nil: the keys
	about   map[string]string
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t}
	var err error
	if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, i.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.fetches++
		if i.answer != nil {
			i.answer(w)
			return
		}
		_, _ = w.Write(i.jwks())
	})
	mux.HandleFunc(wellKnown, func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		_ = json.NewEncoder(w).Encode(i.about)
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/keys", http.StatusFound)
	})
	mux.HandleFunc("/hops/{n}", func(w http.ResponseWriter, r *http.Request) {
		to := "/keys"
		if n, _ := strconv.Atoi(r.PathValue("n")); n > 1 {
			to = fmt.Sprintf("/hops/%d", n-1)
		}
		http.Redirect(w, r, to, http.StatusFound)
	})
	i.server = httptest.NewTLSServer(mux)
	t.Cleanup(i.server.Close)
	i.about = map[string]string{"issuer": i.server.URL, "jwks_uri": i.server.URL + "/keys"}
	i.keys = []map[string]string{i.rsaKey("r1"), i.ecKey("e1"), i.edKey("d1")}
	return i
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (i *issuer) rsaKey(kid string) map[string]string {
	return map[string]string{"kty": "RSA", "kid": kid, "use": "sig", "n": b64(i.rsa.N.Bytes()), "e": "AQAB"}
}

func (i *issuer) ecKey(kid string) map[string]string {
	point, err := i.ec.PublicKey.Bytes()
	if err != nil {
		i.t.Fatal(err)
	}
	return map[string]string{"kty": "EC", "kid": kid, "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

func (i *issuer) edKey(kid string) map[string]string {
	return map[string]string{"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": b64(i.ed.Public().(ed25519.PublicKey))}
}

func (i *issuer) jwks() []byte {
	b, err := json.Marshal(map[string]any{"keys": i.keys})
	if err != nil {
		i.t.Fatal(err)
	}
	return b
}

// set changes what the server says.
func (i *issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

func (i *issuer) fetched() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// claims are those of a good token, but for what changes say; nil: without it.
func (i *issuer) claims(changes map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{"iss": i.server.URL, "aud": "usher", "sub": "joe", "role": "frontend", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(c, changes)
	for k, v := range c {
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

func (i *issuer) sign(method jwt.SigningMethod, key any, kid string, claims jwt.MapClaims) string {
	i.t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	s, err := token.SignedString(key)
	if err != nil {
		i.t.Fatal(err)
	}
	return s
}

// good is a token with changes.
func (i *issuer) good(changes map[string]any) string {
	return i.sign(jwt.SigningMethodRS256, i.rsa, "r1", i.claims(changes))
}

// method is the configuration that fits.
func (i *issuer) method() *auth.JWT {
	return &auth.JWT{
		Issuer: i.server.URL, Audience: []string{"usher"}, JWKS: i.server.URL + "/keys", Algorithms: auth.JWTAlgorithms(),
		Leeway: 5 * time.Second, Refresh: time.Hour, AuthidClaim: "sub", RoleClaim: "role",
	}
}

// log is one that may be read while it is written.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// verifier is one that trusts the server, until the test ends.
func (i *issuer) verifier(interval time.Duration, all ...*auth.JWT) (*Verifier, *log) {
	l := &log{}
	v := New(Options{Client: i.server.Client(), MinInterval: interval, Log: slog.New(slog.NewTextHandler(l, nil))})
	i.t.Cleanup(v.Close)
	v.Use(all)
	return v, l
}

// verify is an answer in words.
func verify(t *testing.T, v *Verifier, j *auth.JWT, token string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := v.Verify(ctx, j, token)
	var refusal *auth.Refusal
	switch {
	case errors.As(err, &refusal):
		return strings.TrimPrefix(refusal.URI, "wamp.error.") + ": " + refusal.Message
	case err != nil:
		return "failed: " + err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", p.Authid, p.Role, p.Realm))
}

func TestVerify(t *testing.T) {
	i := newIssuer(t)
	j := i.method()
	v, _ := i.verifier(time.Hour, j)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := json.Marshal(i.rsaKey("r1"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, test := range []struct{ name, token, want string }{
		{"RS256", i.good(nil), "joe frontend"},
		{"PS256, a key that is for RS256", i.sign(jwt.SigningMethodPS256, i.rsa, "r1", i.claims(nil)), "denied"},
		{"ES256", i.sign(jwt.SigningMethodES256, i.ec, "e1", i.claims(nil)), "joe frontend"},
		{"EdDSA", i.sign(jwt.SigningMethodEdDSA, i.ed, "d1", i.claims(nil)), "joe frontend"},
		{"one audience of several", i.good(map[string]any{"aud": []string{"a", "usher"}}), "joe frontend"},
		{"a list of one role", i.good(map[string]any{"role": []string{"backend"}}), "joe backend"},
		{"no signature", i.sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "r1", i.claims(nil)), "denied"},
		{"a public key as the secret", i.sign(jwt.SigningMethodHS256, public, "r1", i.claims(nil)), "denied"},
		{"the modulus as the secret", i.sign(jwt.SigningMethodHS256, i.rsa.N.Bytes(), "r1", i.claims(nil)), "denied"},
		{"another key", i.sign(jwt.SigningMethodRS256, other, "r1", i.claims(nil)), "denied"},
		{"another key's name", i.sign(jwt.SigningMethodRS256, i.rsa, "e1", i.claims(nil)), "denied"},
		{"a key that is not known", i.sign(jwt.SigningMethodRS256, i.rsa, "r2", i.claims(nil)), "denied"},
		{"no key named", i.sign(jwt.SigningMethodRS256, i.rsa, "", i.claims(nil)), "denied"},
		{"expired", i.good(map[string]any{"exp": now.Add(-time.Minute).Unix()}), "denied"},
		{"expired, within the leeway", i.good(map[string]any{"exp": now.Add(-time.Second).Unix()}), "joe frontend"},
		{"never expires", i.good(map[string]any{"exp": nil}), "denied"},
		{"not valid yet", i.good(map[string]any{"nbf": now.Add(time.Minute).Unix()}), "denied"},
		{"issued later", i.good(map[string]any{"iat": now.Add(time.Minute).Unix()}), "denied"},
		{"another audience", i.good(map[string]any{"aud": "other"}), "denied"},
		{"no audience", i.good(map[string]any{"aud": nil}), "denied"},
		{"another issuer", i.good(map[string]any{"iss": "https://example.com"}), "denied"},
		{"no issuer", i.good(map[string]any{"iss": nil}), "denied"},
		{"no role", i.good(map[string]any{"role": nil}), "denied"},
		{"two roles", i.good(map[string]any{"role": []string{"a", "b"}}), "denied"},
		{"a role that is a number", i.good(map[string]any{"role": 7}), "denied"},
		{"nobody", i.good(map[string]any{"sub": nil}), "denied"},
		{"no token", "", "denied"},
		{"a ticket", "secret!!!", "denied"},
		{"too long", strings.Repeat("a", 1<<20), "denied"},
	} {
		got := verify(t, v, j, test.token)
		if test.want == "denied" && !strings.HasPrefix(got, "authentication_denied: ") || test.want != "denied" && got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	if n := i.fetched(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
	exp := now.Add(time.Hour).Unix()
	p, err := v.Verify(t.Context(), j, i.good(map[string]any{"exp": exp}))
	if err != nil || !p.ExpiresAt.Equal(time.Unix(exp, 0).Add(j.Leeway)) {
		t.Errorf("the session ends at %v, %v", p.ExpiresAt, err)
	}
	narrow := *j
	narrow.Algorithms = []string{"ES256"}
	if got := verify(t, v, &narrow, i.good(nil)); !strings.HasPrefix(got, "authentication_denied") {
		t.Errorf("an algorithm that is not accepted: %s", got)
	}
}

func TestClaims(t *testing.T) {
	i := newIssuer(t)
	base := i.method()
	v, _ := i.verifier(time.Hour, base)
	nested := map[string]any{"usher": map[string]any{"who": "ann", "in": map[string]any{"realm": "realm2"}}, "https://example.com/role": "backend"}
	for _, test := range []struct {
		name   string
		change func(j *auth.JWT)
		claims map[string]any
		want   string
	}{
		{"claims within others", func(j *auth.JWT) {
			j.AuthidClaim, j.RealmClaim, j.RoleClaim = "usher.who", "usher.in.realm", "https://example.com/role"
		}, nested, "ann backend realm2"},
		{"one role for all", func(j *auth.JWT) { j.RoleClaim, j.Role, j.Realm = "", "guest", "realm1" }, nil, "joe guest realm1"},
		{"a role for the rest", func(j *auth.JWT) { j.Role = "guest" }, map[string]any{"role": nil}, "joe guest"},
		{"but not for all", func(j *auth.JWT) { j.Role = "guest" }, nil, "joe frontend"},
		{"a token without the realm that it should name", func(j *auth.JWT) { j.RealmClaim = "realm" }, nil, "authentication_denied: the token is not accepted: it has no claim realm"},
		{"a way that leads nowhere", func(j *auth.JWT) { j.RoleClaim = "role.name" }, nil, "authentication_denied: the token is not accepted: it has no claim role.name"},
		{"without expiry", func(j *auth.JWT) { j.WithoutExpiry = true }, map[string]any{"exp": nil}, "joe frontend"},
	} {
		j := *base
		test.change(&j)
		if got := verify(t, v, &j, i.good(test.claims)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// The issuer takes other keys; tokens with the new ones are good at once, and those
// that name any key do not make the router ask each time.
func TestRotation(t *testing.T) {
	i := newIssuer(t)
	j := i.method()
	v, _ := i.verifier(time.Nanosecond, j)
	if got := verify(t, v, j, i.good(nil)); got != "joe frontend" {
		t.Fatal(got)
	}
	i.set(func() { i.keys = []map[string]string{i.rsaKey("r2"), i.ecKey("e1")} })
	rotated := i.sign(jwt.SigningMethodRS256, i.rsa, "r2", i.claims(nil))
	got := verify(t, v, j, rotated)
	if got != "joe frontend" { // the fetch that was under way may have begun before; the next has the new key
		got = verify(t, v, j, rotated)
	}
	if got != "joe frontend" {
		t.Errorf("the new key: %s", got)
	}
	before := i.fetched()
	if got := verify(t, v, j, i.good(nil)); !strings.HasPrefix(got, "authentication_denied") {
		t.Errorf("the old key: %s", got)
	}
	if n := i.fetched() - before; n > 2 { // one may be left of the verification before
		t.Errorf("the keys were fetched %d times for the old key", n)
	}
	// What can't be fetched or read takes nothing away.
	other, err := json.Marshal(map[string]any{"keys": []any{i.edKey("d2")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]func(w http.ResponseWriter){
		"an error":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		"no JSON":       func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) },
		"no keys":       func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"a secret":      func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)) },
		"far too much":  func(w http.ResponseWriter) { _, _ = fmt.Fprintf(w, "%s%*s", other, 600<<10, "") },
		"a short key":   func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`)) },
		"a broken line": func(w http.ResponseWriter) { w.Header().Set("Content-Length", "100"); _, _ = w.Write([]byte("{")) },
	} {
		i.set(func() { i.answer = answer })
		// The fetch that is under way may have begun before; the next has this answer.
		for before, deadline := i.fetched(), time.Now().Add(patience); i.fetched() < before+2 && time.Now().Before(deadline); {
			verify(t, v, j, i.sign(jwt.SigningMethodRS256, i.rsa, "r3", i.claims(nil)))
		}
		if got := verify(t, v, j, i.sign(jwt.SigningMethodRS256, i.rsa, "r3", i.claims(nil))); !strings.HasPrefix(got, "authentication_denied") {
			t.Errorf("%s: %s", name, got)
		}
		if got := verify(t, v, j, rotated); got != "joe frontend" {
			t.Errorf("after %s: %s", name, got)
		}
	}
}

func TestTokensDoNotMakeTheRouterFetch(t *testing.T) {
	i := newIssuer(t)
	j := i.method()
	v, _ := i.verifier(time.Hour, j)
	verify(t, v, j, i.good(nil))
	var running sync.WaitGroup
	for n := range 50 {
		running.Go(func() {
			verify(t, v, j, i.sign(jwt.SigningMethodRS256, i.rsa, fmt.Sprint("unknown", n), i.claims(nil)))
		})
	}
	running.Wait()
	if n := i.fetched(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// roundTripper is a server without a network.
type roundTripper func(r *http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWhenKeysAreFetched: soon after a failure, and once for all who ask meanwhile.
func TestWhenKeysAreFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jwks := `{"keys":[{"kty":"OKP","kid":"d1","crv":"Ed25519","x":"` + b64(make([]byte, ed25519.PublicKeySize)) + `"}]}`
		var mu sync.Mutex
		fetches := 0
		held := make(chan struct{}) // until which all but the first two are
		server := roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			fetches++
			n := fetches
			mu.Unlock()
			if n > 2 {
				select {
				case <-held:
				case <-r.Context().Done():
				}
			}
			answer := &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(jwks))}
			if n == 1 {
				answer.StatusCode = http.StatusServiceUnavailable
			}
			return answer, nil
		})
		fetched := func(after string, want int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if fetches != want {
				t.Fatalf("%s the keys have been fetched %d times, not %d", after, fetches, want)
			}
		}
		j := &auth.JWT{Issuer: "https://example.com", JWKS: "https://example.com/keys", Refresh: time.Hour}
		v := New(Options{Client: &http.Client{Transport: server}, Log: slog.New(slog.DiscardHandler)})
		v.Use([]*auth.JWT{j})
		defer v.Close()
		set := v.sets[sourceOf(j)]
		fetched("at first", 1)
		time.Sleep(v.options.MinInterval)
		fetched("after a failure", 2)
		time.Sleep(time.Hour)
		fetched("after an hour", 3)
		answers := make(chan bool, 2)
		for range cap(answers) {
			go func() { answers <- set.renewed(t.Context(), 1) }()
		}
		synctest.Wait()
		close(held)
		for range cap(answers) {
			if !<-answers {
				t.Error("who asked while keys were fetched did not get them")
			}
		}
		fetched("for who asked meanwhile", 3)
		if !set.renewed(t.Context(), 1) {
			t.Error("keys that are newer are not found")
		}
		if set.renewed(t.Context(), 2) {
			t.Error("keys are newer than themselves")
		}
		fetched("too soon", 3)
		if v.Use([]*auth.JWT{j}); v.sets[sourceOf(j)] != set {
			t.Error("keys that stay in use are fetched anew")
		}
	})
}

func TestKeysThatAreNotThere(t *testing.T) {
	i := newIssuer(t)
	i.answer = func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }
	j := i.method()
	v, log := i.verifier(time.Nanosecond, j)
	if got := verify(t, v, j, i.good(nil)); !strings.HasPrefix(got, "unavailable: ") {
		t.Errorf("without keys: %s", got)
	}
	i.set(func() { i.answer = nil })
	got := ""
	// A fetch may be under way that was answered before.
	for deadline := time.Now().Add(patience); got != "joe frontend" && time.Now().Before(deadline); {
		got = verify(t, v, j, i.good(nil))
	}
	if got != "joe frontend" {
		t.Errorf("once the keys are there: %s", got)
	}
	if !strings.Contains(log.String(), "answered with status 503") {
		t.Errorf("the log says %q", log)
	}
	v.Use(nil)
	if got := verify(t, v, j, i.good(nil)); !strings.HasPrefix(got, "failed: ") {
		t.Errorf("what is not configured any more: %s", got)
	}
	// A server that does not answer: the login ends with its own deadline.
	quiet := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-quiet:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(quiet)
	slow := i.method()
	slow.JWKS = server.URL
	v.Use([]*auth.JWT{slow})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var refusal *auth.Refusal
	if _, err := v.Verify(ctx, slow, i.good(nil)); !errors.As(err, &refusal) || refusal.URI != wamp.ErrUnavailable {
		t.Errorf("a server that does not answer: %v", err)
	}
}

func TestDiscovery(t *testing.T) {
	i := newIssuer(t)
	j := i.method()
	j.JWKS = ""
	v, _ := i.verifier(time.Nanosecond, j)
	if got := verify(t, v, j, i.good(nil)); got != "joe frontend" {
		t.Error(got)
	}
	v.Close()
	for name, about := range map[string]map[string]string{
		"another issuer": {"issuer": "https://example.com", "jwks_uri": i.server.URL + "/keys"},
		"a plain URL":    {"issuer": i.server.URL, "jwks_uri": strings.Replace(i.server.URL, "https", "http", 1) + "/keys"},
		"a file":         {"issuer": i.server.URL, "jwks_uri": "/etc/passwd"},
		"nothing":        {},
	} {
		i.set(func() { i.about = about })
		before := i.fetched()
		v, log := i.verifier(time.Hour, j)
		if got := verify(t, v, j, i.good(nil)); !strings.HasPrefix(got, "unavailable: ") || i.fetched() != before {
			t.Errorf("%s: %s", name, got)
		}
		if about["issuer"] == j.Issuer && !strings.Contains(log.String(), "is no https URL") {
			t.Errorf("%s: the log says %s", name, log)
		}
	}
	asked := ""
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		asked = r.URL.String()
		return nil, errors.New("nobody is there")
	})}
	slash := &keySet{source: source{issuer: "https://example.com/tenant/"}, options: &Options{Client: client}}
	if _, err := slash.discover(t.Context()); err == nil || asked != "https://example.com/tenant"+wellKnown {
		t.Errorf("an issuer that ends in a slash is asked by %s: %v", asked, err)
	}
	for hops, want := range map[int]string{maxRedirects: "joe frontend", maxRedirects + 1: "unavailable: "} {
		hopping := i.method()
		hopping.JWKS = fmt.Sprintf("%s/hops/%d", i.server.URL, hops)
		v, _ := i.verifier(time.Hour, hopping)
		if got := verify(t, v, hopping, i.good(nil)); !strings.HasPrefix(got, want) {
			t.Errorf("%d redirections: %s", hops, got)
		}
	}
	redirected := i.method()
	redirected.JWKS = i.server.URL + "/elsewhere"
	v, log := i.verifier(time.Hour, redirected)
	if got := verify(t, v, redirected, i.good(nil)); !strings.HasPrefix(got, "unavailable: ") || !strings.Contains(log.String(), "redirects from https to http") {
		t.Errorf("redirected: %s; the log says %s", got, log)
	}
}

func TestKeysInAFile(t *testing.T) {
	i := newIssuer(t)
	j := i.method()
	j.JWKS = filepath.Join(t.TempDir(), "jwks.json")
	write := func() {
		t.Helper()
		if err := os.WriteFile(j.JWKS, i.jwks(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	v, _ := i.verifier(time.Nanosecond, j)
	if got := verify(t, v, j, i.good(nil)); got != "joe frontend" {
		t.Error(got)
	}
	i.keys = []map[string]string{i.rsaKey("r2"), i.edKey("d2")}
	write()
	if got := verify(t, v, j, i.sign(jwt.SigningMethodEdDSA, i.ed, "d2", i.claims(nil))); got != "joe frontend" {
		t.Errorf("a file that has changed: %s", got)
	}
	missing := i.method()
	missing.JWKS = t.TempDir()
	v.Use([]*auth.JWT{missing})
	if got := verify(t, v, missing, i.good(nil)); !strings.HasPrefix(got, "unavailable: ") {
		t.Errorf("a directory: %s", got)
	}
}

// TestSecretsOfURLsAreNotLogged, whatever goes wrong.
func TestSecretsOfURLsAreNotLogged(t *testing.T) {
	i := newIssuer(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, base := range map[string]string{"a status": i.server.URL, "no answer": gone.URL, "a redirection": i.server.URL + "/elsewhere"} {
		j := i.method()
		j.JWKS = strings.Replace(base, "://", "://S3CR3T@", 1) + "?key=S3CR3T"
		v, log := i.verifier(time.Hour, j)
		if got := verify(t, v, j, i.good(nil)); !strings.HasPrefix(got, "unavailable: ") {
			t.Errorf("%s: %s", name, got)
		}
		if text := log.String(); strings.Contains(text, "S3CR3T") || !strings.Contains(text, base) {
			t.Errorf("%s: the log says %q", name, text)
		}
	}
}
