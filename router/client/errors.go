package client

import (
	"errors"
	"fmt"

	"usher/router/codec"
	"usher/router/wamp"
)

// ErrClosed is what requests end with after Leave or Close.
var ErrClosed = errors.New("the session is closed")

// ConnectError says that there was no connection to a WAMP router at the URL.
type ConnectError struct {
	URL string
	Err error
}

func (e *ConnectError) Error() string { return fmt.Sprintf("cannot connect to %s: %v", e.URL, e.Err) }

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
