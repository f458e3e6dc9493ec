package main

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/router/client"
	"usher/router/wamp"
)

// heard receives events as TOPIC ARGUMENTS.
func heard(t *testing.T, c *client.Client, topic string, o wamp.SubscribeOptions) <-chan string {
	t.Helper()
	events := make(chan string, 100)
	_, err := c.Subscribe(t.Context(), topic, o, func(e *wamp.Event) {
		events <- strings.TrimSpace(e.Details.Topic + " " + string(e.Payload.Args))
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// next is the next event.
func next(t *testing.T, events <-chan string) string {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no event comes")
	}
	return ""
}

func TestExampleAuthorizer(t *testing.T) {
	e := writeExample(t, "authorizer")
	tickets := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+): \{ticket: "(\w{26})", role: user\}`).FindAllStringSubmatch(e.read(t, "usher.yaml"), -1) {
		tickets[m[1]] = m[2]
	}
	if tickets["joe"] == "" || tickets["joe"] == tickets["ann"] {
		t.Fatalf("the tickets are %v", tickets)
	}
	e.serve(t)
	joe, ann := e.join(t, byTicket("joe", tickets["joe"])), e.join(t, byTicket("ann", tickets["ann"]))

	refused := func(err error) bool {
		var failed *client.Error
		return errors.As(err, &failed) && failed.URI == wamp.ErrNotAuthorized
	}
	const inbox = "com.example.user.joe.inbox"
	events := heard(t, joe, inbox, wamp.SubscribeOptions{})
	heard(t, joe, "com.example.user.joe.", wamp.SubscribeOptions{Match: wamp.Prefix})
	for _, pattern := range []struct {
		uri   string
		match wamp.Match
	}{
		{"com.example.user.", wamp.Prefix}, {"com.example.user.jo", wamp.Prefix}, {"com.example.user..inbox", wamp.Wildcard},
		{"com.example.user.joe.", wamp.Wildcard}, {"com.example.user.joe.inbox", wamp.Exact}, {"com.example.user.joe.", wamp.Prefix},
	} {
		if _, err := ann.Subscribe(t.Context(), pattern.uri, wamp.SubscribeOptions{Match: pattern.match}, func(*wamp.Event) {}); !refused(err) {
			t.Errorf("ann subscribes to %s (%s): %v", pattern.uri, pattern.match, err)
		}
	}

	if err := tryPublish(t.Context(), ann, inbox, "uninvited"); !refused(err) {
		t.Errorf("ann publishes without an invitation: %v", err)
	}
	if got := resultOf(t, joe, "com.example.invite", "ann", true); got != "[]" {
		t.Errorf("invite: %s", got)
	}
	publish(t, ann, inbox, "invited")
	if got := next(t, events); !strings.HasSuffix(got, `["invited"]`) {
		t.Errorf("joe hears %s", got)
	}
	resultOf(t, joe, "com.example.invite", "ann", false)
	if err := tryPublish(t.Context(), ann, inbox, "turned away"); !refused(err) {
		t.Errorf("ann publishes after she was turned away: %v", err)
	}
	if got := resultOf(t, ann, "com.example.user.joe.procedure"); got != wamp.ErrNotAuthorized {
		t.Errorf("ann calls: %s", got)
	}
}

func TestExampleBackend(t *testing.T) {
	e := writeExample(t, "backend")
	e.replace(t, "scripts/backend.lua", "router.every(10,", "router.every(0.05,")
	e.serve(t)
	c := e.join(t, byProver("", client.Anonymous()))
	for _, call := range []struct {
		procedure string
		args      []any
		want      string
	}{
		{"com.example.divide", []any{6, 4}, "[1.5]"},
		{"com.example.divide", []any{6, 0}, "com.example.division_by_zero"},
		{"com.example.divide", []any{"6", 4}, "wamp.error.invalid_argument"},
		{"com.example.device.lamp.set", []any{"on"}, "[]"},
		{"com.example.device.lamp.get", nil, `["on"]`},
		{"com.example.device.fan.get", nil, "[null]"},
		{"com.example.device.l*mp.set", []any{"on"}, "wamp.error.invalid_argument"},
		{"com.example.internal.remind", []any{"tea"}, wamp.ErrNotAuthorized},
	} {
		if got := resultOf(t, c, call.procedure, call.args...); got != call.want {
			t.Errorf("%s(%v): %s, want %s", call.procedure, call.args, got, call.want)
		}
	}

	// Progressive results.
	p, err := c.Payload([]any{3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	pending, err := c.StartCall("com.example.countdown", wamp.CallOptions{ReceiveProgress: true}, p, func(r *wamp.Result) {
		parts = append(parts, string(r.Payload.Args))
	})
	if err != nil {
		t.Fatal(err)
	}
	result, err := pending.Wait(t.Context())
	if err != nil || string(result.Payload.Args) != `["liftoff"]` || !slices.Equal(parts, []string{"[3]", "[2]", "[1]"}) {
		t.Errorf("countdown: %v, then %s, %v", parts, result.Payload.Args, err)
	}

	// An event that was retained, those of the timer, and a call that is put off.
	if got := next(t, heard(t, c, "com.example.device.lamp.state", wamp.SubscribeOptions{GetRetained: true})); !strings.HasSuffix(got, `["on"]`) {
		t.Errorf("the lamp is %s", got)
	}
	online := heard(t, c, "com.example.online", wamp.SubscribeOptions{})
	for range 2 {
		if got := next(t, online); !strings.HasSuffix(got, "[2]") {
			t.Errorf("online: %s, want 2", got)
		}
	}
	reminders := heard(t, c, "com.example.reminder", wamp.SubscribeOptions{})
	resultOf(t, c, "com.example.remind", "tea", 0.01)
	if got := next(t, reminders); !strings.HasSuffix(got, `["tea"]`) {
		t.Errorf("the reminder is %s", got)
	}

	// Somebody comes.
	joined := heard(t, c, "com.example.joined", wamp.SubscribeOptions{})
	other := e.join(t, byProver("", client.Anonymous()))
	for want := `["` + other.Welcome().Authid + `"]`; ; {
		if got := next(t, joined); strings.HasSuffix(got, want) { // before it, c itself may have
			break
		}
	}

	// A procedure that the script shares.
	work := func(context.Context, *wamp.Invocation) (wamp.Payload, error) {
		return c.Payload([]any{"done by a client"}, nil)
	}
	if _, err := c.Register(t.Context(), "com.example.work", wamp.RegisterOptions{Invoke: wamp.InvokeRoundRobin}, work); err != nil {
		t.Fatal(err)
	}
	done := []string{resultOf(t, c, "com.example.work"), resultOf(t, c, "com.example.work")}
	if slices.Sort(done); !slices.Equal(done, []string{`["done by a client"]`, `["done by the router"]`}) {
		t.Errorf("the work is %v", done)
	}
}
