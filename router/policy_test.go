package router

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"usher/router/client"
	"usher/router/codec"
	"usher/router/realm"
	"usher/router/wamp"
)

func TestPolicyHasTheSettingsOfRealmsAndRoles(t *testing.T) {
	p := Policy(parse(t, strings.NewReplacer("  - name: realm1\n", `  - name: realm2
    roles: [{name: user, trustlevel: 3, allow_disclose_me: false}]
    call_timeout: 5s
    max_call_timeout: 10s
    event_history: {bytes: 1MiB, rules: [{uri: com.example., match: prefix, events: 9, age: 1h}]}
    retained: {events: 5, bytes: 2MiB}
    modify_details: true
  - name: realm1
`).Replace(testConfig)))
	want := realm.Settings{
		CallTimeout:    5 * time.Second,
		MaxCallTimeout: 10 * time.Second,
		History:        []realm.HistoryRule{{URI: "com.example.", Match: wamp.Prefix, Events: 9, Age: time.Hour}},
		HistoryBytes:   1 << 20,
		RetainedEvents: 5,
		RetainedBytes:  2 << 20,
		ModifyDetails:  true,
	}
	if got := p.Realms["realm2"].Settings; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if role := p.Realms["realm2"].Roles["user"]; role.Trustlevel != (wamp.Trustlevel{Level: 3, Given: true}) || !role.DenyDiscloseMe {
		t.Errorf("role %+v", role)
	}
	if got := p.Realms["realm1"]; !reflect.DeepEqual(got.Settings, realm.Settings{}) || len(got.Roles) != 2 {
		t.Errorf("realm1 %+v", got)
	}
}

const settingsConfig = `
realms:
  - name: realm1
    SETTINGS
    roles:
      - name: user
        ROLE
        permissions: [{uri: "", match: prefix, allow: {call: true, register: true, publish: true, subscribe: true}}]
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0}
    paths: {ws: {type: websocket, auth: {anonymous: {type: static, role: user}}}}
`

// What a realm and its roles are set to takes effect for sessions that are up.
func TestSettingsTakeEffectAtOnce(t *testing.T) {
	config := func(settings, role string) string {
		return strings.NewReplacer("SETTINGS", settings, "ROLE", role).Replace(settingsConfig)
	}
	r, url := serve(t, config("", ""))
	apply := func(settings, role string) {
		t.Helper()
		if _, err := r.Apply(parse(t, config(settings, role))); err != nil {
			t.Fatal(err)
		}
	}
	callee, caller := connect(t, url, client.Options{}), connect(t, url, client.Options{})
	for procedure, h := range map[string]client.InvocationHandler{
		"com.example.slow": func(ctx context.Context, _ *wamp.Invocation) (wamp.Payload, error) {
			<-ctx.Done()
			return wamp.Payload{}, ctx.Err()
		},
		"com.example.level": func(_ context.Context, i *wamp.Invocation) (wamp.Payload, error) {
			return callee.Payload([]any{i.Details.Trustlevel.Given, i.Details.Trustlevel.Level}, nil)
		},
	} {
		if _, err := callee.Register(t.Context(), procedure, wamp.RegisterOptions{}, h); err != nil {
			t.Fatal(err)
		}
	}
	call := func(procedure string, o wamp.CallOptions, args ...any) (string, string) {
		t.Helper()
		p, err := caller.Payload(args, nil)
		if err != nil {
			t.Fatal(err)
		}
		result, err := caller.Call(t.Context(), procedure, o, p)
		var e *client.Error
		if errors.As(err, &e) {
			return "", e.URI
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(result.Args), ""
	}
	expect := func(what, result, uri, wantResult, wantURI string) {
		t.Helper()
		if result != wantResult || uri != wantURI {
			t.Errorf("%s: %s %s, want %s %s", what, result, uri, wantResult, wantURI)
		}
	}

	result, uri := call("com.example.level", wamp.CallOptions{DiscloseMe: wamp.True})
	expect("at first", result, uri, "[false,0]", "")
	apply("call_timeout: 10ms", "trustlevel: 4")
	result, uri = call("com.example.level", wamp.CallOptions{})
	expect("with a trust level", result, uri, "[true,4]", "")
	_, uri = call("com.example.slow", wamp.CallOptions{})
	expect("with a time-out of the realm", "", uri, "", wamp.ErrTimeout)
	apply("max_call_timeout: 10ms", "allow_disclose_me: false")
	_, uri = call("com.example.slow", wamp.CallOptions{Timeout: 3_600_000})
	expect("with a longest time-out", "", uri, "", wamp.ErrTimeout)
	_, uri = call("com.example.level", wamp.CallOptions{DiscloseMe: wamp.True})
	expect("where disclosure is refused", "", uri, "", wamp.ErrOptionDisallowedDisclose)

	subscription, err := caller.Subscribe(t.Context(), "com.example.kept", wamp.SubscribeOptions{}, func(*wamp.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	events := func() (n int, uri string) {
		t.Helper()
		p, err := caller.Payload([]any{uint64(subscription)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		result, err := caller.Call(t.Context(), "wamp.subscription.get_events", wamp.CallOptions{}, p)
		var e *client.Error
		if errors.As(err, &e) {
			return 0, e.URI
		}
		var args []any
		if err == nil && result.Args != nil {
			err = codec.Unmarshal(result.Format, result.Args, &args)
		}
		if err != nil {
			t.Fatal(err)
		}
		return len(args), ""
	}
	if _, uri := events(); uri == "" {
		t.Error("events are kept before a rule says so")
	}
	apply("event_history: {rules: [{uri: com.example.kept, events: 2}]}", "")
	for range 3 {
		if _, err := callee.Publish(t.Context(), "com.example.kept", wamp.PublishOptions{Acknowledge: true}, wamp.Payload{}); err != nil {
			t.Fatal(err)
		}
	}
	if n, uri := events(); n != 2 || uri != "" {
		t.Errorf("%d events are kept (%s), want 2", n, uri)
	}
	_, uri = call("wamp.session.modify_details", wamp.CallOptions{}, uint64(caller.Welcome().Session), map[string]any{})
	expect("modify_details", "", uri, "", wamp.ErrNoSuchProcedure)
	apply("modify_details: true", "")
	if _, uri := call("wamp.session.modify_details", wamp.CallOptions{}, uint64(caller.Welcome().Session), map[string]any{"authextra": map[string]any{}}); uri == wamp.ErrNoSuchProcedure {
		t.Errorf("modify_details is still not there: %s", uri)
	}
}
