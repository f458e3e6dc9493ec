package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// output is a stream that a test looks at while it is written to.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// waitFor waits until text was written behind the first skip bytes.
func (o *output) waitFor(t *testing.T, skip int, text string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(o.String()[skip:], text) {
			return
		}
	}
	t.Fatalf("the log does not say %q:\n%s", text, o.String()[skip:])
}

// serving runs "usher serve" with the given configuration and scripts until the
// test ends, and returns its log and the path of the configuration.
func serving(t *testing.T, config string, scripts map[string]string) (log *output, path string) {
	t.Helper()
	tree := map[string]string{"usher.yaml": config, "scripts/.keep": ""}
	for name, text := range scripts {
		tree["scripts/"+name] = text
	}
	dir := files(t, tree)
	path = filepath.Join(dir, "usher.yaml")
	return serve(t, "--config", path), path
}

// serve runs "usher serve" until the test ends, and returns its log.
func serve(t *testing.T, flags ...string) *output {
	t.Helper()
	log := &output{}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int)
	go func() { // ends with ctx
		args := append([]string{"serve", "--log-format", "text"}, flags...)
		ended <- run(ctx, args, streams{in: strings.NewReader(""), out: log, err: log})
	}()
	t.Cleanup(func() {
		stop()
		if status := <-ended; status != exitOK {
			t.Errorf("exit status %d", status)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	log.waitFor(t, 0, "accepting logins")
	return log
}

const reloadConfig = `
realms:
  - name: realm1
    roles:
      - {name: frontend, permissions: []}
      - {name: backend, permissions: [{uri: com.example.*, allow: {register: true}}]}
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0}
    paths:
      ws: {type: websocket, auth: {anonymous: {type: static, role: frontend}}}
scripts: scripts
`

const backendScript = `router.join { realm = "realm1", authrole = "backend" }
router.register("com.example.now", function() return 1 end)
`

func save(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSavedConfigurationIsTakenUp(t *testing.T) {
	log, path := serving(t, reloadConfig, map[string]string{"backend.lua": backendScript, "../other/backend.lua": "= 1\n"})
	steps := []struct{ what, config, want string }{
		{"a new role", strings.Replace(reloadConfig, "roles:\n", "roles:\n      - {name: guest, permissions: []}\n", 1), "configuration changed path=realms"},
		{"a mistake", strings.Replace(reloadConfig, "role: frontend", "role: fronted", 1), `did you mean`},
		{"the old one again", reloadConfig, "configuration changed path=realms"},
		{"a role that a script needs is gone", strings.Replace(reloadConfig, "name: backend", "name: other", 1), "the scripts do not fit it"},
		{"the old one once more", reloadConfig, "nothing has changed"},
		{"a limit", reloadConfig + "limits: {hello_timeout: 1s}\n", "needs a restart path=limits.hello_timeout"},
		{"another directory, whose scripts are not read before", strings.Replace(reloadConfig, "scripts: scripts", "scripts: other", 1), "needs a restart path=scripts.directory"},
	}
	for _, s := range steps {
		skip := len(log.String())
		save(t, path, s.config)
		t.Log(s.what)
		log.waitFor(t, skip, s.want)
	}
	if got := strings.Count(log.String(), "session of a component closed"); got != 0 {
		t.Errorf("%d sessions of components were closed on the way", got)
	}
}

// readiness is what /readyz answers.
func readiness(t *testing.T, log *output) string {
	t.Helper()
	_, rest, _ := strings.Cut(log.String(), "http://")
	address, _, _ := strings.Cut(rest, "/")
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(conn, "GET /readyz HTTP/1.0\r\nHost: %s\r\n\r\n", address)
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// A script that was never in force makes the router unready; a directory that is
// gone only tells that it is: what is in force stays.
func TestHealthTellsOfScripts(t *testing.T) {
	log, path := serving(t, reloadConfig, map[string]string{"backend.lua": "= 1\n"})
	if got := readiness(t, log); !strings.Contains(got, " 503 ") || !strings.Contains(got, "backend.lua:1") {
		t.Errorf("at first: %s", got)
	}
	directory := filepath.Join(filepath.Dir(path), "scripts")
	save(t, filepath.Join(directory, "backend.lua"), backendScript)
	log.waitFor(t, 0, "script loaded")
	if err := os.Rename(directory, directory+".away"); err != nil {
		t.Fatal(err)
	}
	log.waitFor(t, 0, "cannot be read")
	if got := readiness(t, log); !strings.Contains(got, " 200 ") || !strings.Contains(got, `"degraded"`) {
		t.Errorf("without the directory: %s", got)
	}
	if err := os.Rename(directory+".away", directory); err != nil {
		t.Fatal(err)
	}
	log.waitFor(t, 0, "can be read again")
	if got := readiness(t, log); !strings.Contains(got, `"ok"`) {
		t.Errorf("then: %s", got)
	}
}

func TestHealthTellsOfBothFiles(t *testing.T) {
	log, path := serving(t, reloadConfig, map[string]string{"backend.lua": backendScript})
	ready := func() string { return readiness(t, log) }
	if got := ready(); !strings.Contains(got, " 200 ") || !strings.Contains(got, `"ok"`) {
		t.Errorf("at first: %s", got)
	}
	script := filepath.Join(filepath.Dir(path), "scripts", "backend.lua")
	save(t, script, backendScript+"= 1\n")
	log.waitFor(t, 0, "script not loaded")
	save(t, path, "nonsense: 1\n")
	log.waitFor(t, 0, "configuration not taken up")
	got := ready()
	for _, want := range []string{" 200 ", `"degraded"`, "backend.lua:3", "usher.yaml:1"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	save(t, script, backendScript)
	skip := len(log.String())
	save(t, path, reloadConfig)
	log.waitFor(t, skip, "configuration read again")
	for end := time.Now().Add(20 * time.Second); !strings.Contains(ready(), `"ok"`); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not mended: %s", ready())
		}
	}
}

func TestServeTellsWhyItCannotListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, where := range []struct {
		files map[string]string
		want  string // around the address
	}{
		{nil, `^usher: transports\[0\].endpoint: cannot listen on ADDRESS: .*in use.*choose another port: in demo mode by --listen HOST:PORT\n$`},
		{map[string]string{"usher.yaml": staticConfig}, `^usher: usher.yaml: transports\[0\].endpoint: cannot listen on ADDRESS: .*choose another port\n$`},
	} {
		status, _, errs := usher(t, files(t, where.files), "", "serve", "--listen", l.Addr().String())
		if want := strings.Replace(where.want, "ADDRESS", l.Addr().String(), 1); status != exitFailed || !regexp.MustCompile(want).MatchString(errs) {
			t.Errorf("exit status %d: %s", status, errs)
		}
	}
}
