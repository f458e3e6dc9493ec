package client

import (
	"context"
	"fmt"
	"time"

	"usher/router/wamp"
)

// ResultHandler receives the progressive results of one call, in order and
// before its final answer. It is called by the goroutine that reads the
// connection: it must return soon and must not wait for an answer of the router.
// r is borrowed until it returns.
type ResultHandler func(r *wamp.Result)

// PendingCall is a call that was sent. Its methods may be called concurrently.
type PendingCall struct {
	client  *Client
	id      wamp.ID
	call    wamp.Call // without payload
	request *request
}

// Call calls a procedure. p is borrowed until Call returns; the result is the
// caller's. An ERROR is an *Error. See PendingCall.Wait for what ends it.
func (c *Client) Call(ctx context.Context, procedure string, o wamp.CallOptions, p wamp.Payload) (wamp.Payload, error) {
	call, err := c.StartCall(procedure, o, p, nil)
	if err != nil {
		return wamp.Payload{}, err
	}
	result, err := call.Wait(ctx)
	if err != nil {
		return wamp.Payload{}, err
	}
	return result.Payload, nil
}

// StartCall sends a call and does not wait: Wait returns its answer. p is
// borrowed until StartCall returns. Where progress is not nil, o.ReceiveProgress
// is set and progress receives what comes before the answer.
func (c *Client) StartCall(procedure string, o wamp.CallOptions, p wamp.Payload, progress ResultHandler) (*PendingCall, error) {
	if progress != nil {
		o.ReceiveProgress = true
	}
	call := &PendingCall{
		client:  c,
		call:    wamp.Call{Options: o, Procedure: procedure},
		request: &request{wants: wamp.TypeResult, progress: progress},
	}
	id, err := c.start(call.request, func(id wamp.ID) wamp.Message {
		return &wamp.Call{Request: id, Options: o, Procedure: procedure, Payload: p}
	})
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", procedure, err)
	}
	call.id = id
	return call, nil
}

// Send sends another part of a call that was started with CallOptions.Progress,
// which means that more follows: so does more here. After the last part, and
// after the answer, it fails with ErrAnswered or at the router.
func (p *PendingCall) Send(payload wamp.Payload, more bool) error {
	part := p.call
	part.Request, part.Payload, part.Options.Progress = p.id, payload, more
	return p.send("send more of the call", &part)
}

// Cancel asks the router to end the call, in one of the modes wamp.CancelSkip,
// wamp.CancelKill and wamp.CancelKillNoWait. Wait returns what it answers.
func (p *PendingCall) Cancel(mode string) error {
	return p.send("cancel the call", &wamp.Cancel{Request: p.id, Mode: mode})
}

// send sends m while the call has no answer.
func (p *PendingCall) send(what string, m wamp.Message) error {
	c := p.client
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.err
	if err == nil && c.pending[p.id] != p.request {
		err = ErrAnswered
	}
	if err == nil {
		err = c.conn.Send(nil, m)
	}
	if err != nil {
		return fmt.Errorf("%s of %s: %w", what, p.call.Procedure, err)
	}
	return nil
}

// Wait returns the final result, which is the caller's. An ERROR is an *Error. It
// is called once. Where ctx ends first the call is given up: a router that can
// cancel calls is asked to, without waiting for the callee, and the session goes
// on. Without a deadline of ctx the client's time-out bounds the wait, or the
// call's own where that is longer.
func (p *PendingCall) Wait(ctx context.Context) (*wamp.Result, error) {
	c := p.client
	own := milliseconds(p.call.Options.Timeout)
	ctx, cancel := bounded(ctx, max(c.timeout, own+c.timeout/4))
	defer cancel()
	select {
	case a := <-p.request.answer:
		if a.err != nil {
			return nil, fmt.Errorf("call %s: %w", p.call.Procedure, a.err)
		}
		return a.message.(*wamp.Result), nil
	case <-ctx.Done():
	}
	if c.welcome.Roles.Dealer.Has(wamp.FeatureCallCanceling) {
		// Where this fails the session is over, or the answer has come just now.
		_ = p.Cancel(wamp.CancelKillNoWait)
	}
	c.mu.Lock()
	delete(c.pending, p.id)
	c.mu.Unlock()
	return nil, fmt.Errorf("call %s: %w", p.call.Procedure, ctx.Err())
}

// milliseconds is a time-out as messages have it, of a year at most.
func milliseconds(n uint64) time.Duration {
	const year = 365 * 24 * time.Hour
	return time.Duration(min(n, uint64(year/time.Millisecond))) * time.Millisecond
}

// result hands a RESULT to its call.
func (c *Client) result(m *wamp.Result) {
	if !m.Progress {
		c.answer(m.Request, answer{message: &wamp.Result{Request: m.Request, Passthru: m.Passthru.Clone(), Payload: m.Payload.Clone()}})
		return
	}
	c.mu.Lock()
	r := c.pending[m.Request]
	c.mu.Unlock()
	if r != nil && r.progress != nil {
		r.progress(m)
	}
}
