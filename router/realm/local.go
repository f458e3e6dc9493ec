package realm

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"usher/router/codec"
	"usher/router/wamp"
)

// LocalOptions say who a Local is.
type LocalOptions struct {
	Realm, Authrole string
	Authid          string // empty: a random one
}

// LocalHandler receives what is routed to a Local. Its methods are called on the
// goroutines of other sessions' readers: they must not block, must return
// quickly, and must Clone payloads that they keep. Invocations of one caller and
// events of one publisher arrive in order. What was on its way when Bind or
// Leave took effect may still arrive.
type LocalHandler interface {
	// Invoke hands over a call. False: refused for overload, the dealer answers
	// the caller with wamp.error.unavailable.
	Invoke(i *LocalInvocation) bool
	// Event hands over an event. It must take it or count and log its loss.
	Event(e *LocalEvent)
	// Closed is called once when the session ended other than by Leave.
	Closed(reason string)
}

// StreamHandler is a LocalHandler to which callers may send a call in parts. One
// that does not implement it gets whole calls only.
type StreamHandler interface {
	LocalHandler
	// More hands over a further part of an invocation, in order; isLast: no other
	// follows. It may come after the answer. Like Invoke it must not block. False:
	// refused for overload, which ends the call.
	More(i *LocalInvocation, p wamp.Payload, isLast bool) bool
}

// Local is a session inside the process: a component. Its methods may be called
// concurrently.
type Local struct {
	session  *session
	handler  LocalHandler
	lastCall atomic.Uint64
}

// Join admits a session inside the process, without authentication. It fails
// with an *ErrorReply where realm or role do not exist, or the router is stopping.
func (n *Node) Join(o LocalOptions, h LocalHandler) (*Local, error) {
	if o.Authid == "" {
		o.Authid = rand.Text()
	}
	s := &session{
		id: n.reserve(), node: n, authid: o.Authid, authrole: o.Authrole,
		authmethod: "trusted", authprovider: "internal", peer: "local", protocol: "local",
		roles: localRoles(h),
	}
	l := &Local{session: s, handler: h}
	s.local = l
	if e := n.enter(s, o.Realm, time.Time{}); e != nil {
		n.release(s.id)
		return nil, e
	}
	n.log.Info("session joined", s.logFields(slog.String("peer", "local"))...)
	s.realm.flushMeta(nil)
	return l, nil
}

// localRoles are those of a session inside the process, which can do everything
// but to read payloads in calls and results that are passed through.
func localRoles(h LocalHandler) wamp.Roles {
	all := wamp.RoleFeatures{Present: true, Features: ^wamp.Features(0)}
	roles := wamp.Roles{Caller: all, Callee: all, Publisher: all, Subscriber: all}
	roles.Callee.Features &^= wamp.FeaturePayloadPassthruMode
	if _, ok := h.(StreamHandler); !ok {
		roles.Callee.Features &^= wamp.FeatureProgressiveCallInvocations
	}
	return roles
}

// Session is the session id.
func (l *Local) Session() wamp.ID { return l.session.id }

// Leave ends the session: everything it registered and subscribed goes.
func (l *Local) Leave() { l.session.end(nil, "left") }

// Call calls a procedure under the Local's role. p is borrowed until Call
// returns; the result is the caller's. An error answer is an *ErrorReply; the
// end of ctx is ctx's error, and interrupts the callee.
func (l *Local) Call(ctx context.Context, procedure string, o wamp.CallOptions, p wamp.Payload) (wamp.Payload, error) {
	return l.CallProgress(ctx, procedure, o, p, nil)
}

// CallProgress is Call with progressive results: progress gets each of them, on
// the goroutine of the call and before it returns. What progress is given is its
// own. A nil one asks for none.
func (l *Local) CallProgress(ctx context.Context, procedure string, o wamp.CallOptions, p wamp.Payload, progress func(wamp.Payload)) (wamp.Payload, error) {
	s := l.session
	if s.hasLeft() {
		return wamp.Payload{}, sessionLeft()
	}
	answer := newWaiter()
	answer.caller = ctx
	o.Progress = false // there is no more of it than p
	var wake <-chan struct{}
	if o.ReceiveProgress = progress != nil; o.ReceiveProgress {
		answer.progress = newProgressQueue()
		wake = answer.progress.wake
	}
	request := wamp.ID(l.lastCall.Add(1))
	w := s.node.works.get()
	s.call(&w.batch, w, pending{caller: s, request: request, waiter: answer},
		&wamp.Call{Options: o, Procedure: procedure, Payload: p})
	w.batch.Flush()
	s.node.works.put(w)
	for {
		select {
		case <-wake:
			answer.progress.take(progress)
		case r := <-answer.replies:
			for progress != nil && answer.progress.take(progress) {
			}
			if r.uri != "" {
				return wamp.Payload{}, newErrorReply(r.uri, r.payload)
			}
			return r.payload, nil
		case <-ctx.Done():
			w := s.node.works.get()
			s.cancel(&w.batch, w, &wamp.Cancel{Request: request, Mode: wamp.CancelKillNoWait})
			w.batch.Flush()
			s.node.works.put(w)
			return wamp.Payload{}, ctx.Err()
		}
	}
}

// Publish publishes under the Local's role and returns the publication's id.
// It does not wait for subscribers. A denial is an *ErrorReply.
func (l *Local) Publish(topic string, o wamp.PublishOptions, p wamp.Payload) (wamp.ID, error) {
	s := l.session
	if s.hasLeft() {
		return 0, sessionLeft()
	}
	d, e := s.mayPublish(nil, topic, &o)
	defer s.publications.end(s.publications.begin())
	if e == nil {
		e = s.node.isClosing()
	}
	if e != nil {
		return 0, e
	}
	id := newPublication()
	o.Acknowledge = false // nobody waits for a PUBLISHED
	w := s.node.works.get()
	s.compose(&w.batch, w, d, id, &wamp.Publish{Options: o, Topic: topic, Payload: p}).fanOut(s.realm)
	w.batch.Flush()
	s.node.works.put(w)
	return id, nil
}

// deliver hands an event over. Its payload is the publisher's.
func (l *Local) deliver(sub *subscription, topic string, e *wamp.Event) {
	details := e.Details
	details.Passthru = details.Passthru.Clone()
	l.handler.Event(&LocalEvent{
		URI:         sub.uri,
		Match:       sub.match,
		Topic:       topic,
		Publication: e.Publication,
		Details:     details,
		Payload:     e.Payload,
	})
}

// LocalEvent is one event handed to a Local.
type LocalEvent struct {
	URI         string     // as subscribed
	Match       wamp.Match // likewise
	Topic       string     // as published
	Publication wamp.ID
	Details     wamp.EventDetails
	Payload     wamp.Payload // borrowed until Event returns
}

// LocalInvocation is one call handed to a Local: exactly one of Yield and Error
// takes effect, once; later ones are ignored. Its methods may be called
// concurrently, also before Invoke returns.
type LocalInvocation struct {
	URI     string     // as registered
	Match   wamp.Match // likewise
	Details wamp.InvocationDetails
	Payload wamp.Payload // borrowed until Invoke returns

	// Caller is the context of the Local.Call that waits for the answer, for its
	// values: how deep calls inside the process are nested. Nil where the caller
	// is no Local.
	Caller context.Context

	callee *session
	id     wamp.ID
	format wamp.Format

	mu       sync.Mutex
	finished bool
	onEnd    func()          // see OnEnd; may be nil
	ctx      context.Context // made when it is asked for
	cancel   context.CancelFunc
}

// Format is the format that the caller understands without transcoding.
func (i *LocalInvocation) Format() wamp.Format { return i.format }

// Context ends when nobody waits for the answer any more, or the caller asks for
// its end: then an answer is still waited for.
func (i *LocalInvocation) Context() context.Context {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ctx == nil {
		i.ctx, i.cancel = context.WithCancel(context.Background())
		if i.finished {
			i.cancel()
		}
	}
	return i.ctx
}

// OnEnd is Context for a callee that has no use for one: f is called once when
// it would end, at once if it has. A nil f takes the last one back: it does not run
// any more when OnEnd returns. f must be quick and must not use the invocation.
func (i *LocalInvocation) OnEnd(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.onEnd = f; f != nil && i.finished {
		i.onEnd = nil
		f()
	}
}

// Ended reports whether Context has ended, or would have.
func (i *LocalInvocation) Ended() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.finished
}

// finish ends the context.
func (i *LocalInvocation) finish() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.finished = true
	if i.onEnd != nil {
		i.onEnd()
		i.onEnd = nil
	}
	if i.cancel != nil {
		i.cancel()
	}
}

// YieldProgress sends a progressive result, if the caller asked for any (see
// Details.ReceiveProgress) and still waits; otherwise it does nothing and returns
// false. p is borrowed until YieldProgress returns.
func (i *LocalInvocation) YieldProgress(p wamp.Payload) bool {
	if !i.Details.ReceiveProgress {
		return false
	}
	w := i.callee.node.works.get()
	defer i.callee.node.works.put(w)
	i.callee.yieldProgress(nil, w, &wamp.Yield{Request: i.id, Progress: true, Payload: p})
	_, waits := i.callee.invocations.get(i.id)
	return waits
}

// Yield answers with a result. p is borrowed until Yield returns.
func (i *LocalInvocation) Yield(p wamp.Payload) {
	if call, ok := i.callee.invocations.take(i.id); ok {
		w := i.callee.node.works.get()
		defer i.callee.node.works.put(w)
		// Without a batch: answers that come close together are written together.
		call.succeed(nil, w, p)
	}
}

// Error answers with an error. p is borrowed until Error returns. A uri that is
// none is answered as wamp.error.runtime_error.
func (i *LocalInvocation) Error(uri string, p wamp.Payload) {
	if !wamp.ValidURI(uri) {
		uri = wamp.ErrRuntime
	}
	w := i.callee.node.works.get()
	defer i.callee.node.works.put(w)
	i.callee.invocationFailed(nil, w, &wamp.Error{Request: i.id, URI: uri, Payload: p})
}

// ErrorReply is a WAMP error as a Go error.
type ErrorReply struct {
	URI     string
	Text    string       // the first argument, if a string
	Payload wamp.Payload // owned; may be empty

	passthru *wamp.Passthru // of Payload; borrowed
}

func (e *ErrorReply) Error() string { return e.URI + ": " + e.Text }

// payload is Payload, or one that says Text.
func (e *ErrorReply) payload() wamp.Payload {
	if e.Payload.Size() == 0 && e.Text != "" {
		return codec.TextPayload(e.Text)
	}
	return e.Payload
}

// newErrorReply makes the Go error of an error that was received.
func newErrorReply(uri string, p wamp.Payload) *ErrorReply {
	e := &ErrorReply{URI: uri, Payload: p}
	var args []any
	if len(p.Args) > 0 && codec.Unmarshal(p.Format, p.Args, &args) == nil && len(args) > 0 {
		e.Text, _ = args[0].(string)
	}
	return e
}
