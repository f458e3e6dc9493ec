package scripting

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// The reasons for which a procedure is stopped while it runs, beside its limits.
var (
	errUnwanted = fmt.Errorf("%w: the call was canceled, or nobody waits for it any more", lua51.ErrStopped)
	errTooLong  = errors.New("the call's time-out is over")
)

// whileWanted runs f, a part of what do runs, and stops the script when nobody
// wants the answer of i any more.
func (v *vm) whileWanted(i *realm.LocalInvocation, f func() error) error {
	i.OnEnd(v.unwanted)
	defer i.OnEnd(nil)
	return f()
}

// handlerContext is what a procedure runs under: where the router leaves the
// call's time-out to the callee, that ends it, too. cancel must be called.
func (v *vm) handlerContext(d *wamp.InvocationDetails) (ctx context.Context, cancel context.CancelFunc) {
	if d.Timeout == 0 {
		return v.gen.ctx, func() {}
	}
	return context.WithTimeoutCause(v.gen.ctx, time.Duration(min(d.Timeout, maxTimeout))*time.Millisecond, errTooLong)
}

// progressFunction is details.progress(args, kwargs): it sends a progressive
// result and returns whether the caller still waits for more.
func (v *vm) progressFunction(w *work) *lua.LFunction {
	calls := v.calls // of the VM: tells this invocation from later ones
	return v.L.NewFunction(func(L *lua.LState) int {
		if v.calls != calls {
			lualib.Errorf(L, "details.progress: the call has its answer already")
		}
		p, err := v.values.AppendPayload(v.budget, w.invocation.Format(), optTable(L, 1), optTable(L, 2))
		if err != nil {
			lualib.Errorf(L, "details.progress: %v", err)
		}
		L.Push(lua.LBool(w.invocation.YieldProgress(p)))
		return 1
	})
}

// moreFunction is details.more(): it waits for the next part of a call that comes
// in parts, and returns its args and kwargs, or nil after the last.
func (v *vm) moreFunction(w *work) *lua.LFunction {
	calls := v.calls
	return v.L.NewFunction(func(L *lua.LState) int {
		if v.calls != calls {
			lualib.Errorf(L, "details.more: the call has its answer already")
		}
		p, ok := v.nextPart(w.stream)
		if !ok {
			return 0 // the last is known, or the script is being stopped
		}
		args, kwargs, err := v.values.Payload(v.budget, p)
		if err != nil {
			lualib.Errorf(L, "details.more: %v", err)
		}
		L.Push(args)
		L.Push(kwargs)
		return 2
	})
}

// nextPart waits for a part; meanwhile the VM does not count as computing.
func (v *vm) nextPart(s *stream) (wamp.Payload, bool) {
	if p, ok, wait := s.take(); !wait {
		return p, ok
	}
	v.gen.pool.pause()
	defer v.gen.pool.resume()
	for {
		select {
		case <-s.wake:
			if p, ok, wait := s.take(); !wait {
				return p, ok
			}
		case <-v.budget.Closed():
			return wamp.Payload{}, false
		}
	}
}

// The bounds on the parts of one call that its procedure has not taken yet.
const (
	maxParts     = 1024
	maxPartBytes = 4 << 20
)

// stream holds the further parts of a call. Its methods may be called
// concurrently, take by one goroutine at a time.
type stream struct {
	wake chan struct{} // holds one: something has changed

	mu    sync.Mutex
	parts []wamp.Payload // owned
	bytes int
	last  bool // no part follows
}

func newStream() *stream { return &stream{wake: make(chan struct{}, 1)} }

// push adds a part; false: there are too many.
func (s *stream) push(p wamp.Payload, last bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) >= maxParts || s.bytes+p.Size() > maxPartBytes {
		return false
	}
	s.parts = append(s.parts, p.Clone())
	s.bytes += p.Size()
	s.last = last
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns the first part; ok is false after the last, and wait where another
// is to come.
func (s *stream) take() (p wamp.Payload, ok, wait bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) == 0 {
		return wamp.Payload{}, false, !s.last
	}
	p = s.parts[0]
	s.parts = s.parts[1:]
	s.bytes -= p.Size()
	return p, true, false
}

// streams are those of one component by their invocation, until that is answered.
type streams struct {
	mu  sync.Mutex
	all map[*realm.LocalInvocation]*stream
}

func (s *streams) open(i *realm.LocalInvocation) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*realm.LocalInvocation]*stream{}
	}
	s.all[i] = newStream()
	return s.all[i]
}

// find returns the stream of i; nil: there is none any more.
func (s *streams) find(i *realm.LocalInvocation) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[i]
}

func (s *streams) close(i *realm.LocalInvocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, i)
}

// callWithProgress is callOut with progressive results, each handed to fn, which
// may raise: then the call is canceled.
func (v *vm) callWithProgress(L *lua.LState, uri string, o wamp.CallOptions, p wamp.Payload, fn *lua.LFunction) (wamp.Payload, error) {
	ctx, cancel := context.WithCancel(&callContext{v.budget, v.depth + 1})
	type answer struct {
		result wamp.Payload
		err    error
	}
	progress, answered := make(chan wamp.Payload), make(chan answer, 1)
	ended := make(chan struct{})
	go func() { // ends with the call, or ctx
		defer close(ended)
		result, err := v.gen.session.CallProgress(ctx, uri, o, p, func(p wamp.Payload) {
			select {
			case progress <- p:
			case <-ctx.Done():
			}
		})
		answered <- answer{result, err}
	}()
	defer func() { // also where fn raises
		cancel()
		<-ended
	}()
	for {
		part, end := wamp.Payload{}, answer{}
		isEnd := false
		v.gen.pool.pause()
		select {
		case part = <-progress:
		case end = <-answered:
			isEnd = true
		}
		v.gen.pool.resume()
		if isEnd {
			return end.result, end.err
		}
		args, kwargs, err := v.values.Payload(v.budget, part)
		if err != nil {
			lualib.Errorf(L, "router.call: a progressive result of %s: %v", uri, err)
		}
		L.Push(fn)
		L.Push(args)
		L.Push(kwargs)
		L.Call(2, 0)
	}
}
