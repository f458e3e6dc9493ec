//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asUsher makes the test binary be usher: the tests then run the real command
// line in a process of its own, with signals and exit statuses.
const asUsher = "USHER_TEST_RUN_AS_USHER"

func TestMain(m *testing.M) {
	if os.Getenv(asUsher) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A usherProcess is a router in a process of its own.
type usherProcess struct {
	command *exec.Cmd
	url     string // of the WebSocket endpoint
	page    string // URL of /
	log     *logBuffer
	exited  chan struct{} // closed when it has exited
}

// usherOptions say how to start a usherProcess. The zero value is demo mode in
// an empty directory.
type usherOptions struct {
	config  string            // text of usher.yaml; in it PORT stands for the port
	scripts map[string]string // name -> text, written to the scripts directory
	env     []string
}

// startTimeout bounds the start of a router on a busy machine.
const startTimeout = 30 * time.Second

// startUsher starts a router and waits until it says that it listens. The test
// ends it and fails if it does not exit cleanly.
func startUsher(t *testing.T, o usherOptions) *usherProcess {
	t.Helper()
	dir := t.TempDir()
	args := []string{"serve", "--log-format", "json"}
	if len(o.scripts) > 0 {
		if err := os.Mkdir(filepath.Join(dir, "scripts"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range o.scripts {
			writeScript(t, filepath.Join(dir, "scripts", name), text)
		}
	}
	if o.config == "" {
		args = append(args, "--listen", "127.0.0.1:0")
	} else {
		path := filepath.Join(dir, "usher.yaml")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(o.config, "PORT", fmt.Sprint(freePort(t)))), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &usherProcess{log: new(logBuffer), exited: make(chan struct{})}
	p.command = exec.Command(executable, args...)
	p.command.Dir = dir
	p.command.Env = append(append(os.Environ(), asUsher+"=1"), o.env...)
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process
		p.command.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
			if status := p.command.ProcessState.ExitCode(); status != 0 {
				t.Errorf("usher exited with %d", status)
			}
		case <-time.After(startTimeout):
			p.command.Process.Kill()
			t.Errorf("usher did not exit after SIGTERM")
		}
		if t.Failed() {
			t.Logf("usher's log:\n%s", p.log.tail())
		}
	})
	p.url = p.log.waitFor(t, p.exited, `wss?://[^/"\s]+/([a-z]+/)?ws\b`)
	p.page = "http" + strings.TrimSuffix(strings.TrimPrefix(p.url, "ws"), "ws")
	return p
}

// scriptPath is the path of a script of the router.
func (p *usherProcess) scriptPath(name string) string {
	return filepath.Join(p.command.Dir, "scripts", name)
}

// freePort returns a port that was free a moment ago. It is none of those that the
// system gives to outgoing connections, one of which may come before the router.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(10_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// writeScript saves a file as careful editors do: beside it, then renamed.
func writeScript(t *testing.T, path, text string) {
	t.Helper()
	half := path + ".new"
	if err := errors.Join(os.WriteFile(half, []byte(text), 0o600), os.Rename(half, path)); err != nil {
		t.Fatal(err)
	}
}

// logBuffer gathers a process's output.
type logBuffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

// tail is the last part of the log, for the report of a failure.
func (b *logBuffer) tail() string {
	const most = 16 << 10
	s := b.String()
	return s[max(0, len(s)-most):]
}

// waitFor returns the first match of a regular expression in the log.
func (b *logBuffer) waitFor(t *testing.T, exited <-chan struct{}, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(5 * time.Millisecond) {
		if found := re.FindString(b.String()); found != "" {
			return found
		}
		select {
		case <-exited:
			t.Fatalf("usher exited before its log said %s:\n%s", pattern, b.tail())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("usher's log does not say %s:\n%s", pattern, b.tail())
		}
	}
}

// runClient runs a foreign client to its end and returns its lines of output and
// its exit status.
func runClient(t *testing.T, env []string, args ...string) (lines []string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	if ctx.Err() != nil {
		t.Errorf("%s: %v", strings.Join(args, " "), ctx.Err())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s: standard error:\n%s", strings.Join(args, " "), stderr.String())
		}
	})
	return strings.Split(strings.TrimSpace(stdout.String()), "\n"), c.ProcessState.ExitCode()
}
