package client

import (
	"errors"

	"usher/router/codec"
	"usher/router/wamp"
)

// ErrClosed is what requests end with after Leave or Close.
var ErrClosed = errors.New("the session is closed")

// ErrAuthmethod is wrapped by what Connect and Join return where the router asks
// for what the client was not given.
var ErrAuthmethod = errors.New("no authentication method in common")

// ErrAnswered is what a PendingCall returns that has its answer, or was given up.
var ErrAnswered = errors.New("the call has ended")

// ErrNoProgress is what Progress returns where the caller takes no progressive
// results.
var ErrNoProgress = errors.New("the caller did not ask for progressive results")

// InterruptError is why an invocation's context has ended where the router sent
// INTERRUPT: the caller canceled the call or left, or the call took too long. An
// InvocationHandler gets it from context.Cause.
type InterruptError struct {
	Mode   string // of the cancellation; may be empty
	Reason string // URI; may be empty
}

func (e *InterruptError) Error() string { return withText("", "interrupted", e.Reason) }

// ConnectError says that there was no connection to a WAMP router.
type ConnectError struct {
	Err error // names the URL
}

func (e *ConnectError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// AbortError is a router's ABORT: the login was refused, or the session broken.
type AbortError struct {
	Reason  string // URI
	Message string // for people; may be empty
}

func (e *AbortError) Error() string { return withText("aborted by the router", e.Reason, e.Message) }

// GoodbyeError is a GOODBYE that the router began.
type GoodbyeError struct {
	Reason  string // URI
	Message string // for people; may be empty
}

func (e *GoodbyeError) Error() string {
	return withText("session closed by the router", e.Reason, e.Message)
}

// Error is an ERROR that answered a request. An InvocationHandler returns one to
// choose the caller's error.
type Error struct {
	URI     string
	Payload wamp.Payload // owned; may be empty
}

func (e *Error) Error() string { return withText("", e.URI, e.Text()) }

// Text is the first argument where that is a string, as it is by convention.
func (e *Error) Text() string {
	var args []any
	if e.Payload.Args == nil || codec.Unmarshal(e.Payload.Format, e.Payload.Args, &args) != nil || len(args) == 0 {
		return ""
	}
	text, _ := args[0].(string)
	return text
}

// withText joins what there is by colons.
func withText(what, uri, text string) string {
	if what != "" {
		uri = what + ": " + uri
	}
	if text != "" {
		uri += ": " + text
	}
	return uri
}
