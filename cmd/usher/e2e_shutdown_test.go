//go:build unix

package main

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGTERM under load: every event that was acknowledged is written first, every
// session gets GOODBYE, calls in flight are answered, and the exit status is 0.
func TestTerminationUnderLoad(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	publisher := join(t, usher.url)
	var subscribers []*peer
	for range scaled(100) {
		s := join(t, usher.url)
		s.send(32, s.request(), map[string]any{}, "com.example.ticks")
		s.expect(33)
		subscribers = append(subscribers, s)
	}
	callee, caller := join(t, usher.url), join(t, usher.url)
	callee.send(64, callee.request(), map[string]any{}, "com.example.slow")
	callee.expect(65)
	caller.send(48, caller.request(), map[string]any{}, "com.example.slow")
	inFlight := callee.expect(68)

	// Publish until the router says GOODBYE.
	acknowledged := make(chan map[float64]bool)
	begun := make(chan struct{})
	go func() {
		ids := map[float64]bool{}
		defer func() { acknowledged <- ids }()
		text := strings.Repeat("x", 1024)
		for i := 0; ; i++ {
			if i == 200 {
				close(begun)
			}
			if publisher.trySend(16, i+1, map[string]any{"acknowledge": true}, "com.example.ticks", []any{text}) != nil {
				return
			}
			m, err := publisher.tryReceive()
			if err != nil {
				return
			}
			if m[0] == 6.0 {
				publisher.expectClose()
				return
			}
			if m[0] == 17.0 {
				ids[m[2].(float64)] = true
			}
		}
	}()
	<-begun
	usher.command.Process.Signal(syscall.SIGTERM)
	// The call in flight is answered by its callee.
	callee.send(70, inFlight[1], map[string]any{}, []any{"in time"})
	caller.expect(50, 1)

	ids := <-acknowledged
	if len(ids) < 200 {
		t.Fatalf("only %d events were acknowledged", len(ids))
	}
	for _, p := range append(subscribers, callee, caller) {
		messages := p.expectClose()
		if len(messages) == 0 || messages[len(messages)-1][0] != 6.0 || messages[len(messages)-1][2] != "wamp.close.system_shutdown" {
			t.Fatalf("a session ended without GOODBYE wamp.close.system_shutdown, after %d messages", len(messages))
		}
		if p == callee || p == caller {
			continue
		}
		lost := len(ids)
		for _, m := range messages {
			if m[0] == 36.0 && ids[m[2].(float64)] {
				lost--
			}
		}
		if lost != 0 {
			t.Errorf("%d of %d acknowledged events did not reach a subscriber", lost, len(ids))
		}
	}
	select {
	case <-usher.exited:
	case <-time.After(startTimeout):
		t.Fatal("usher did not exit")
	}
}
