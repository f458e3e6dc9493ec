//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestClientCommandsAndSignals runs client commands as processes: on SIGINT they
// leave politely.
func TestClientCommandsAndSignals(t *testing.T) {
	router := startUsher(t, usherOptions{config: openConfig})
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	callee := join(t, router.url)
	callee.send(64, callee.request(), map[string]any{}, "com.example.never")
	callee.expect(65)
	for i, c := range []struct {
		args   []string
		ready  func(out *output)
		status int
		says   string
	}{
		{[]string{"subscribe", "com.example.topic"}, func(out *output) { out.waitFor(t, 0, "subscribed to") }, exitOK, ""},
		{[]string{"register", "com.example.slow"}, func(out *output) { out.waitFor(t, 0, "registered") }, exitOK, ""},
		{[]string{"call", "com.example.never"}, func(*output) { callee.expect(68) }, exitFailed, "call com.example.never: context canceled"},
	} {
		command := exec.Command(executable, append(c.args, "--url", router.url)...)
		command.Env = append(os.Environ(), asUsher+"=1")
		var out output
		command.Stdout, command.Stderr = &out, &out
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		exited := make(chan struct{})
		go func() { // ends with the process
			command.Wait()
			close(exited)
		}()
		t.Cleanup(func() {
			command.Process.Kill()
			<-exited
		})
		c.ready(&out)
		command.Process.Signal(syscall.SIGINT)
		select {
		case <-exited:
		case <-time.After(patience):
			t.Fatalf("%s goes on after SIGINT: %s", c.args[0], out.String())
		}
		if status := command.ProcessState.ExitCode(); status != c.status || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: exit status %d, want %d: %s", c.args[0], status, c.status, out.String())
		}
		router.log.waitFor(t, router.exited, fmt.Sprintf(`(?s)(left with wamp\.close\.normal.*){%d}`, i+1))
	}
}
