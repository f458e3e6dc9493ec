package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"usher/router/client"
	"usher/router/wamp"
)

// example is one of the examples, as usher init writes it.
type example struct {
	dir string
	url string // once it is served
	log *output
}

// writeExample writes an example to a directory of the test's.
func writeExample(t *testing.T, name string) *example {
	t.Helper()
	e := &example{dir: t.TempDir()}
	if status, out, errs := usher(t, e.dir, "", "init", "--example", name, "."); status != exitOK {
		t.Fatalf("init: %d\n%s%s", status, out, errs)
	}
	return e
}

func (e *example) path(name string) string { return filepath.Join(e.dir, filepath.FromSlash(name)) }

// replace changes a file before the example is served.
func (e *example) replace(t *testing.T, name, old, text string) {
	t.Helper()
	content, err := os.ReadFile(e.path(name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), old) {
		t.Fatalf("%s has no %q", name, old)
	}
	save(t, e.path(name), strings.Replace(string(content), old, text, 1))
}

// listening finds where clients connect.
var listening = regexp.MustCompile(`addresses=.*?(wss?://[^ "]*)`)

// serve serves the example until the test ends.
func (e *example) serve(t *testing.T) *example {
	t.Helper()
	e.log = serve(t, "--config", e.path("usher.yaml"), "--listen", "127.0.0.1:0")
	found := listening.FindAllStringSubmatch(e.log.String(), -1)
	if found == nil {
		t.Fatalf("the log does not say where to connect:\n%s", e.log.String())
	}
	e.url = found[len(found)-1][1]
	return e
}

// exampleLogin is one attempt to log in to an example.
type exampleLogin struct {
	what    string
	options client.Options
	want    string // authid and role; or the URI of the refusal
}

func byTicket(authid, ticket string) client.Options {
	return client.Options{Realm: "realm1", Authid: authid, Ticket: func(context.Context) (string, error) { return ticket, nil }}
}

func byProver(authid string, p client.Prover) client.Options {
	return client.Options{Realm: "realm1", Authid: authid, Provers: []client.Prover{p}}
}

// try logs in, and returns what became of it as exampleLogin.want has it.
func (e *example) try(t *testing.T, o client.Options) (got string, w *client.Client) {
	t.Helper()
	c, err := client.Connect(t.Context(), e.url, o)
	var abort *client.AbortError
	switch {
	case errors.As(err, &abort):
		return abort.Reason, nil
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	welcome := c.Welcome()
	return welcome.Authid + " " + welcome.Authrole, c
}

func (e *example) logins(t *testing.T, logins ...exampleLogin) {
	t.Helper()
	for _, l := range logins {
		if got, _ := e.try(t, l.options); got != l.want {
			t.Errorf("%s: %s, want %s", l.what, got, l.want)
		}
	}
}

func (e *example) join(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	got, c := e.try(t, o)
	if c == nil {
		t.Fatalf("refused: %s", got)
	}
	return c
}

// resultOf calls a procedure, and returns the result's arguments as JSON, or the
// error's URI.
func resultOf(t *testing.T, c *client.Client, procedure string, args ...any) string {
	t.Helper()
	p, err := c.Payload(args, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Call(t.Context(), procedure, wamp.CallOptions{}, p)
	var failed *client.Error
	switch {
	case errors.As(err, &failed):
		return failed.URI
	case err != nil:
		t.Fatal(err)
	}
	return string(got.Args)
}

// TestExamplesAreInOrder: each is listed, has tests of its own that pass once it is
// written, and scripts whose comments quote its configuration.
func TestExamplesAreInOrder(t *testing.T) {
	names, err := exampleNames()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := usher(t, t.TempDir(), "", "init", "--list")
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			what, err := describeExample(name)
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`(?m)^` + name + ` +` + regexp.QuoteMeta(what) + `$`).MatchString(list) {
				t.Errorf("init --list does not say %q:\n%s", what, list)
			}
			if row := "| [" + name + "](scripts/examples/" + name + ") | " + what + " |"; !strings.Contains(string(readme), row) {
				t.Errorf("README.md does not say\n%s", row)
			}
			e := writeExample(t, name)
			if status, out, errs := usher(t, e.dir, "", "test"); status != exitOK {
				t.Errorf("test: %d\n%s%s", status, out, errs)
			}
			e.quotes(t)
		})
	}
}

// quotes checks what the comments of the scripts say is in the configuration, and
// that each says why it is safe.
func (e *example) quotes(t *testing.T) {
	t.Helper()
	config, err := os.ReadFile(e.path("usher.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	indent := regexp.MustCompile(`(?m)^ +`)
	there := indent.ReplaceAllString(string(config), "")
	components, err := filepath.Glob(e.path("scripts/*.lua"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range components {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.lua") {
			continue
		}
		name := filepath.Base(file)
		_, header, ok := strings.Cut(string(text), "-- In usher.yaml:\n")
		quoted, why, found := strings.Cut(header, "--\n-- Safe because ")
		if !ok || !found || len(why) < 50 {
			t.Errorf("%s does not begin with what is in usher.yaml, and why it is safe", name)
			continue
		}
		quoted = indent.ReplaceAllString(strings.ReplaceAll(quoted, "--", ""), "")
		for part := range strings.SplitSeq(quoted, "auth:\n") { // its path is left out
			if !strings.Contains(there, part) {
				t.Errorf("usher.yaml has no\n%s", part)
			}
		}
	}
}

// TestInitOfAnExample: what can't be written is told.
func TestInitOfAnExample(t *testing.T) {
	dir := t.TempDir()
	if status, _, errs := usher(t, dir, "", "init"); status != exitUsage || !strings.Contains(errs, "usher init DIR") {
		t.Errorf("without a directory: %d %s", status, errs)
	}
	if status, _, errs := usher(t, dir, "", "init", "--example", "jwtt", "."); status != exitUsage || !strings.Contains(errs, `no example "jwtt"`) {
		t.Errorf("without the example: %d %s", status, errs)
	}
	if status, out, errs := usher(t, dir, "", "init", "--example", "jwt", "."); status != exitOK || !strings.Contains(out, "JWT_ISSUER, JWT_AUDIENCE, JWKS_URL") {
		t.Errorf("%d %s%s", status, out, errs)
	}
	if status, out, errs := usher(t, t.TempDir(), "", "init", "--example", "wampcra", "."); status != exitOK || !strings.Contains(out, filepath.Join("scripts", "data", "users.lua")+"\nStart") {
		t.Errorf("nothing is said of an account that everybody knows: %d %s%s", status, out, errs)
	}
	if status, _, errs := usher(t, dir, "", "init", "--example", "jwt", "."); status != exitFailed || !strings.Contains(errs, "it exists already") {
		t.Errorf("once more: %d %s", status, errs)
	}
}

func (e *example) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(e.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
