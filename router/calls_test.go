package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"usher/router/client"
	"usher/router/codec"
	"usher/router/wamp"
)

// callsConfig has a WebSocket and a RawSocket listener.
var callsConfig = strings.Replace(testConfig, "limits:", `  - type: rawsocket
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0}
    auth: {anonymous: {type: static, role: user}}
limits:`, 1)

// TestStreamsAndCancellation: calls in parts with progressive results, and calls
// that are canceled, between formats over both kinds of sockets.
func TestStreamsAndCancellation(t *testing.T) {
	r, webSocket := serve(t, callsConfig)
	rawSocket := r.Addresses()[1].RawSocket
	for _, pair := range []struct {
		calleeURL, callerURL string
		callee, caller       wamp.Format
	}{
		{webSocket, webSocket, wamp.JSON, wamp.JSON},
		{webSocket, rawSocket, wamp.JSON, wamp.CBOR},
		{rawSocket, webSocket, wamp.MessagePack, wamp.JSON},
		{rawSocket, rawSocket, wamp.CBOR, wamp.MessagePack},
	} {
		t.Run(fmt.Sprintf("%s to %s", pair.callee, pair.caller), func(t *testing.T) {
			callee := connect(t, pair.calleeURL, client.Options{Format: pair.callee})
			caller := connect(t, pair.callerURL, client.Options{Format: pair.caller})
			t.Run("stream", func(t *testing.T) { echoesParts(t, callee, caller) })
			for _, mode := range []string{wamp.CancelSkip, wamp.CancelKill, wamp.CancelKillNoWait} {
				t.Run(mode, func(t *testing.T) { cancels(t, callee, caller, mode) })
			}
		})
	}
}

// echoesParts sends a call in parts, each of which comes back as progress.
func echoesParts(t *testing.T, callee, caller *client.Client) {
	registration, err := callee.Register(t.Context(), "com.example.echo", wamp.RegisterOptions{}, func(ctx context.Context, i *wamp.Invocation) (wamp.Payload, error) {
		for part, err := i, error(nil); ; part, err = callee.More(ctx, i) {
			switch {
			case err == io.EOF:
				return callee.Payload([]any{"done"}, nil)
			case err != nil:
				return wamp.Payload{}, err
			}
			if err := callee.Progress(ctx, i, part.Payload); err != nil {
				return wamp.Payload{}, err
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := callee.Unregister(t.Context(), registration); err != nil {
			t.Error(err)
		}
	}()
	const parts = 100
	payload := func(n int) wamp.Payload {
		p, err := caller.Payload([]any{n}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	var progress []any
	call, err := caller.StartCall("com.example.echo", wamp.CallOptions{Progress: true}, payload(0), func(r *wamp.Result) {
		progress = append(progress, first(t, r.Payload))
	})
	for n := 1; err == nil && n < parts; n++ {
		err = call.Send(payload(n), n < parts-1)
	}
	if err != nil {
		t.Fatal(err)
	}
	result, err := call.Wait(t.Context())
	if err != nil || first(t, result.Payload) != "done" {
		t.Errorf("result %+v, %v", result, err)
	}
	var want []any
	for n := range parts {
		want = append(want, int64(n))
	}
	if !reflect.DeepEqual(progress, want) {
		t.Errorf("progressive results %v", progress)
	}
}

// first is the first argument.
func first(t *testing.T, p wamp.Payload) any {
	t.Helper()
	var args []any
	if err := codec.Unmarshal(p.Format, p.Args, &args); err != nil || len(args) == 0 {
		t.Errorf("arguments %q: %v", p.Args, err)
		return nil
	}
	return args[0]
}

// cancels ends a call in a mode: the callee is interrupted where that says so.
func cancels(t *testing.T, callee, caller *client.Client, mode string) {
	begun, ended := make(chan struct{}), make(chan error, 1)
	release := make(chan struct{})
	registration, err := callee.Register(t.Context(), "com.example.slow", wamp.RegisterOptions{}, func(ctx context.Context, _ *wamp.Invocation) (wamp.Payload, error) {
		close(begun)
		select {
		case <-ctx.Done():
		case <-release:
		}
		ended <- context.Cause(ctx)
		return wamp.Payload{}, ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	call, err := caller.StartCall("com.example.slow", wamp.CallOptions{}, wamp.Payload{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := call.Cancel(mode); err != nil {
		t.Fatal(err)
	}
	var answer *client.Error
	if _, err := call.Wait(t.Context()); !errors.As(err, &answer) || answer.URI != wamp.ErrCanceled {
		t.Errorf("the caller got %v", err)
	}
	if mode == wamp.CancelSkip {
		close(release)
	}
	var interrupt *client.InterruptError
	if cause := <-ended; errors.As(cause, &interrupt) != (mode != wamp.CancelSkip) {
		t.Errorf("the callee's context ended with %v", cause)
	}
	if err := callee.Unregister(t.Context(), registration); err != nil {
		t.Error(err)
	}
}
