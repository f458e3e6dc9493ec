//go:build unix

package transport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// fuzzingClient is a program that runs the cases of Autobahn|Testsuite against a
// WebSocket server.
type fuzzingClient struct {
	name         string
	interpreters []string // the first that runs is taken
	packages     []string // of PyPI
	optional     bool     // skipped with -short, and without its interpreter even where CI is set
}

// fuzzingClients are the suite itself, which needs a Python that systems no longer
// come with, and one that runs the suite's own case files in Python 3, several at
// a time.
func fuzzingClients() []fuzzingClient {
	return []fuzzingClient{
		{name: "wstest", interpreters: python2(), packages: []string{"autobahntestsuite==25.10.1"}, optional: true},
		{name: "kosoku", interpreters: []string{"python3"}, packages: []string{"kosoku==0.1.0"}},
	}
}

func python2() []string {
	list := []string{"python2.7", "python2"}
	if home, err := os.UserHomeDir(); err == nil {
		found, _ := filepath.Glob(filepath.Join(home, ".pyenv", "versions", "2.7.*", "bin", "python2.7"))
		list = append(list, found...)
	}
	return list
}

// sections are the suite's cases: 12 and 13 are compression, 9 is large messages.
func sections() []string {
	list := []string{"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"}
	if !testing.Short() {
		list = append(list, "9.*", "12.*", "13.*")
	}
	return list
}

// The number of cases in sections, with and without -short.
const (
	allCases   = 517
	shortCases = 247
)

// verdict is how one case went.
type verdict struct {
	Case     string
	Behavior string
	Close    string
	Status   int // the close code that was received
}

const (
	verdictOK            = "OK"
	verdictNonStrict     = "NON-STRICT"
	verdictInformational = "INFORMATIONAL"
	verdictUnimplemented = "UNIMPLEMENTED"
)

// accepted are the verdicts other than OK, and why each is as it should be.
var accepted = []struct{ cases, behavior, why string }{
	{"6.4.", verdictNonStrict, "a text is judged once it is complete, not at the fragment that breaks it"},
	{"7.1.6", verdictInformational, "whether a message that is followed by a close frame is still echoed is left open"},
	{"7.13.", verdictInformational, "close codes that no specification defines are refused"},
	{"12.", verdictUnimplemented, "compression is not offered"},
	{"13.", verdictUnimplemented, "compression is not offered"},
}

func (v verdict) accepted() bool {
	if v.Behavior == verdictOK {
		return v.Close == verdictOK
	}
	for _, a := range accepted {
		if strings.HasPrefix(v.Case, a.cases) && v.Behavior == a.behavior {
			return v.Close == verdictOK || v.Close == verdictInformational
		}
	}
	return false
}

// TestConformance runs Autobahn|Testsuite against an echo over this package's
// connections.
func TestConformance(t *testing.T) {
	want := allCases
	if testing.Short() {
		want = shortCases
	}
	for _, f := range fuzzingClients() {
		t.Run(f.name, func(t *testing.T) {
			if f.optional && testing.Short() {
				t.Skip("runs one case after the other")
			}
			interpreter := f.interpreter(t)
			dir, err := f.install(interpreter)
			if err != nil {
				t.Fatal(err)
			}
			verdicts := f.run(t, interpreter, dir, echoServer(t), sections())
			if len(verdicts) != want {
				t.Errorf("%d cases were run, want %d", len(verdicts), want)
			}
			count := map[string]int{}
			for _, v := range verdicts {
				count[v.Behavior]++
				if !v.accepted() {
					t.Errorf("case %s: %s, closing %s with code %d", v.Case, v.Behavior, v.Close, v.Status)
				}
			}
			t.Logf("%d cases: %v", len(verdicts), count)
		})
	}
}

// interpreter returns the Python that runs the client. Without it the test is
// skipped, or fails where CI is set.
func (f fuzzingClient) interpreter(t *testing.T) string {
	t.Helper()
	for _, name := range f.interpreters {
		if exec.Command(name, "-m", "pip", "--version").Run() == nil {
			return name
		}
	}
	if os.Getenv("CI") == "true" && !f.optional {
		t.Fatalf("none of %v has pip, and CI=true: install one", f.interpreters)
	}
	t.Skipf("none of %v has pip", f.interpreters)
	return ""
}

// run runs cases against the server at url.
func (f fuzzingClient) run(t *testing.T, interpreter, dir, url string, cases []string) []verdict {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	args := append([]string{filepath.Join("testdata", "conformance", f.name+".py"), dir, url, t.TempDir()}, cases...)
	cmd := exec.CommandContext(ctx, interpreter, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var verdicts []verdict
	if err == nil {
		err = json.Unmarshal(out, &verdicts)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%.2000s\n%s", f.name, errors.Join(err, ctx.Err()), out, stderr.Bytes()[max(0, stderr.Len()-4000):])
	}
	slices.SortFunc(verdicts, func(a, b verdict) int { return strings.Compare(a.Case, b.Case) })
	return verdicts
}

// install returns the directory of the user's cache that the client is installed
// in, under a name made of its version and the interpreter's.
func (f fuzzingClient) install(interpreter string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no directory to install %s to: %w; set XDG_CACHE_HOME or HOME", f.name, err)
	}
	version, err := exec.Command(interpreter, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", interpreter, err)
	}
	sum := sha256.Sum256(fmt.Appendf(version, "%q", f.packages))
	dir := filepath.Join(cache, "usher", "tests", fmt.Sprintf("%s-%x", f.name, sum[:6]))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil { // others install within their time
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	half := dir + ".part"
	if err := os.RemoveAll(half); err != nil {
		return "", err
	}
	defer os.RemoveAll(half)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	args := append([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--target", half}, f.packages...)
	if out, err := exec.CommandContext(ctx, interpreter, args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s could not be installed (is the package registry reachable?): %s %s: %w\n%s",
			f.name, interpreter, strings.Join(args, " "), errors.Join(err, ctx.Err()), out)
	}
	return dir, os.Rename(half, dir)
}

// echoServer sends each WebSocket message back, text as text and binary as
// binary, over connections that differ from WAMP's in nothing but that. It
// returns its URL.
func echoServer(t *testing.T) string {
	tr := New(Options{MaxMessageSize: 32 << 20, QueueBytes: 64 << 20})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := tr.upgrade(w, r, "")
		if err != nil {
			t.Error(err)
			return
		}
		echo(c)
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// statusInvalid is the close code for text that is not UTF-8. WAMP's texts are
// checked where they are decoded.
const statusInvalid = 1007

// echo serves one connection to its end.
func echo(c *WebSocket) {
	var b Batch
	for {
		kind, data, err := c.readAny(&b)
		if err != nil {
			c.Close(CloseNormal)
			<-c.Done()
			return
		}
		c.mu.Lock()
		c.out.queue.opcode = kind
		_ = c.sent(&b, c.out.queue.appendEncoded(bytes.Clone(data)))
	}
}

// readAny is Read of a message of any kind, and judges text.
func (c *WebSocket) readAny(b *Batch) (kind byte, data []byte, err error) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	defer b.Flush()
	c.t.buffers.put(c.in.message)
	c.in.message = nil
	c.in.batch = b
	defer func() { c.in.batch = nil }()
	if kind, data, err = c.readMessage(); err != nil {
		return 0, nil, c.readFailed(err)
	}
	if kind == opText && !utf8.Valid(data) {
		return 0, nil, c.broken(statusInvalid, "text is not UTF-8")
	}
	return kind, data, nil
}
