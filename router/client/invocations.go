package client

import (
	"context"
	"errors"
	"fmt"
	"io"

	"usher/router/codec"
	"usher/router/wamp"
)

// maxInvocations bounds how many invocations are handled at a time; those beyond
// are answered with wamp.error.unavailable.
const maxInvocations = 1024

// The bounds on what waits of a progressive call until its handler takes it by
// More; a call that passes them ends.
const (
	maxParts     = 1024
	maxPartBytes = 4 << 20
)

// InvocationHandler answers calls of one registration. It runs on a goroutine of
// its own and owns i. An *Error becomes the caller's error, any other error
// wamp.error.runtime_error with its text.
//
// ctx ends with the session, when the call's time-out is over, and when the router
// interrupts the call (context.Cause is then an *InterruptError). The error that a
// handler returns then becomes wamp.error.canceled or wamp.error.timeout, unless
// it is an *Error. Otherwise it ends once the answer was sent: what is sent after
// that, such as GOODBYE, is behind it.
type InvocationHandler func(ctx context.Context, i *wamp.Invocation) (wamp.Payload, error)

// errTooMuch ends a progressive call that is sent faster than it is handled.
var errTooMuch = errors.New("more of the call came than is kept")

// invocation is one that is being handled. Client.mu guards it.
type invocation struct {
	cancel context.CancelCauseFunc
	parts  []*wamp.Invocation // that More has not returned
	bytes  int                // of parts
	last   bool               // no part follows
	wake   chan struct{}      // holds one: there is something new
}

// Progress sends a progressive result of i, from within its handler and before
// that returns. It fails with ErrNoProgress where the caller takes none
// (i.Details.ReceiveProgress), and where ctx has ended. transport.ErrQueueFull
// says that the router takes results more slowly than they come, and that this
// one was not sent. p is borrowed until Progress returns.
func (c *Client) Progress(ctx context.Context, i *wamp.Invocation, p wamp.Payload) error {
	err := ErrNoProgress
	if i.Details.ReceiveProgress {
		if err = context.Cause(ctx); err == nil {
			err = c.conn.Send(nil, &wamp.Yield{Request: i.Request, Progress: true, Payload: p})
		}
	}
	if err != nil {
		return fmt.Errorf("progressive result: %w", err)
	}
	return nil
}

// More waits for the next part of a call that the caller sends in parts, from
// within its handler: i.Details.Progress says that one follows. After the last it
// returns io.EOF, and where ctx ends context.Cause(ctx). The part is the caller's.
func (c *Client) More(ctx context.Context, i *wamp.Invocation) (*wamp.Invocation, error) {
	c.mu.Lock()
	v := c.invocations[i.Request]
	c.mu.Unlock()
	if v == nil {
		return nil, ErrAnswered
	}
	for {
		c.mu.Lock()
		if len(v.parts) > 0 {
			part := v.parts[0]
			v.parts = v.parts[1:]
			v.bytes -= part.Payload.Size()
			c.mu.Unlock()
			return part, nil
		}
		last := v.last
		c.mu.Unlock()
		if last {
			return nil, io.EOF
		}
		select {
		case <-v.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// invoke starts the handler of an invocation, or hands it another part.
func (r *reader) invoke(ctx context.Context, m *wamp.Invocation) {
	c := r.client
	c.mu.Lock()
	if v := c.invocations[m.Request]; v != nil {
		v.add(m)
		c.mu.Unlock()
		return
	}
	// Request ids grow: this is more of a call that has its answer.
	late := m.Request <= c.newest
	c.newest = max(c.newest, m.Request)
	h := c.registrations[m.Registration]
	busy := len(c.invocations) >= maxInvocations
	var v *invocation
	if !late && h != nil && !busy {
		v = &invocation{last: !m.Details.Progress, wake: make(chan struct{}, 1)}
		ctx, v.cancel = context.WithCancelCause(ctx)
		c.invocations[m.Request] = v
	}
	c.mu.Unlock()
	switch {
	case late:
	case h == nil:
		r.refuse(m.Request, wamp.ErrNoSuchRegistration, "not registered by this client any more")
	case busy:
		r.refuse(m.Request, wamp.ErrUnavailable, "the callee has too many calls in hand")
	default:
		go c.serve(ctx, v, h, own(m))
	}
}

// own is a copy of m that may be kept.
func own(m *wamp.Invocation) *wamp.Invocation {
	i := *m
	i.Payload = m.Payload.Clone()
	i.Details.Passthru = m.Details.Passthru.Clone()
	return &i
}

// add takes one more part. Client.mu is held.
func (v *invocation) add(m *wamp.Invocation) {
	if v.last || len(v.parts) >= maxParts || v.bytes+m.Payload.Size() > maxPartBytes {
		v.cancel(errTooMuch)
		return
	}
	v.parts = append(v.parts, own(m))
	v.bytes += m.Payload.Size()
	v.last = !m.Details.Progress
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// interrupt ends the context of an invocation.
func (c *Client) interrupt(m *wamp.Interrupt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.invocations[m.Request]; v != nil {
		v.cancel(&InterruptError{Mode: m.Mode, Reason: m.Reason})
	}
}

// refuse answers an invocation with an error. Where it cannot be sent the
// connection is going away, and the caller is told by the router.
func (r *reader) refuse(request wamp.ID, uri, text string) {
	_ = r.client.conn.Send(&r.batch, &wamp.Error{RequestType: wamp.TypeInvocation, Request: request, URI: uri, Payload: codec.TextPayload(text)})
}

// serve runs a handler and sends what it returns.
func (c *Client) serve(ctx context.Context, v *invocation, h InvocationHandler, i *wamp.Invocation) {
	defer v.cancel(nil)
	if i.Details.Timeout > 0 {
		limited, stop := context.WithTimeout(ctx, milliseconds(i.Details.Timeout))
		defer stop()
		ctx = limited
	}
	p, err := h(ctx, i)
	c.mu.Lock()
	delete(c.invocations, i.Request)
	c.mu.Unlock()
	if err == nil {
		if err = c.conn.Send(nil, &wamp.Yield{Request: i.Request, Payload: p}); err == nil {
			return
		}
	}
	// Where this cannot be sent the connection is going away, and the router
	// answers the caller.
	_ = c.conn.Send(nil, failure(ctx, i.Request, err))
}

// failure is the ERROR for a handler that returned err.
func failure(ctx context.Context, request wamp.ID, err error) *wamp.Error {
	e := &wamp.Error{RequestType: wamp.TypeInvocation, Request: request, URI: wamp.ErrRuntime}
	var chosen *Error
	if errors.As(err, &chosen) {
		e.URI, e.Payload = chosen.URI, chosen.Payload
		return e
	}
	e.Payload = codec.TextPayload(err.Error())
	var interrupted *InterruptError
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &interrupted):
		e.URI = wamp.ErrCanceled
	case errors.Is(cause, context.DeadlineExceeded):
		e.URI = wamp.ErrTimeout
	case errors.Is(cause, errTooMuch):
		e.URI = wamp.ErrUnavailable
	}
	return e
}
