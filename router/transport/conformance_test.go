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

// selection is some of the suite's cases, and how many those are.
type selection struct {
	deflate *Deflate // how the server compresses
	cases   []string
	count   int
}

// selections are what f runs: all cases without compression, those of large
// messages (9) left out with -short, and a part of those about compression (12
// and 13): each sends 1,000 messages, up to 128 KiB.
func (f fuzzingClient) selections() map[string]selection {
	plain := selection{cases: []string{"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"}, count: 247}
	if testing.Short() {
		return map[string]selection{"plain": plain}
	}
	plain.cases, plain.count = append(plain.cases, "9.*", "12.*", "13.*"), 517
	deflate := selection{deflate: &Deflate{Threshold: 1}}
	// What is sent, how the window is negotiated, and sizes from 16 bytes to 16 KiB,
	// the last in fragments of 256 bytes.
	sections, sizes := []int{1, 2, 3, 4, 5}, []int{1, 3, 5, 7, 12}
	if f.name == "kosoku" {
		sections, sizes = sections[:1], sizes[1:] // it fails at making the others
	}
	for _, size := range sizes {
		for _, section := range sections {
			deflate.cases = append(deflate.cases, fmt.Sprintf("12.%d.%d", section, size))
		}
		for terms := range 7 {
			deflate.cases = append(deflate.cases, fmt.Sprintf("13.%d.%d", terms+1, size))
		}
	}
	deflate.count = len(deflate.cases)
	return map[string]selection{"plain": plain, "deflate": deflate}
}

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
}

// accepted judges a verdict; compression is whether that is offered.
func (v verdict) accepted(compression bool) bool {
	if v.Behavior == verdictOK {
		return v.Close == verdictOK
	}
	if strings.HasPrefix(v.Case, "12.") || strings.HasPrefix(v.Case, "13.") {
		return v.Behavior == verdictUnimplemented && !compression
	}
	for _, a := range accepted {
		if strings.HasPrefix(v.Case, a.cases) && v.Behavior == a.behavior {
			return v.Close == verdictOK || v.Close == verdictInformational
		}
	}
	return false
}

// TestConformance runs Autobahn|Testsuite against an echo over this package's
// connections, with and without compression.
func TestConformance(t *testing.T) {
	for _, f := range fuzzingClients() {
		for name, which := range f.selections() {
			t.Run(f.name+"/"+name, func(t *testing.T) {
				if f.optional && testing.Short() {
					t.Skip("runs one case after the other")
				}
				interpreter := f.interpreter(t)
				dir, err := f.install(interpreter)
				if err != nil {
					t.Fatal(err)
				}
				verdicts := f.run(t, interpreter, dir, echoServer(t, which.deflate), which.cases)
				if len(verdicts) != which.count {
					t.Errorf("%d cases were run, want %d", len(verdicts), which.count)
				}
				count := map[string]int{}
				for _, v := range verdicts {
					count[v.Behavior]++
					if !v.accepted(which.deflate != nil) {
						t.Errorf("case %s: %s, closing %s with code %d", v.Case, v.Behavior, v.Close, v.Status)
					}
				}
				t.Logf("%d cases: %v", len(verdicts), count)
			})
		}
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
func echoServer(t *testing.T, d *Deflate) string {
	tr := New(Options{MaxMessageSize: 32 << 20, QueueBytes: 64 << 20})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := tr.upgrade(w, r, "", UpgradeOptions{Deflate: d})
		if err != nil {
			t.Error(err)
			return
		}
		echo(c)
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

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
		q := &c.out.queue
		q.opcode = kind
		start, reserved := q.begin(len(data))
		q.tail.b = append(q.tail.b, data...)
		q.finish(start, reserved)
		_ = c.sent(&b, nil)
	}
}

// readAny is Read of a message of any kind, and judges text: WAMP's is where it is
// decoded.
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
