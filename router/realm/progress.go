package realm

import (
	"sync"

	"usher/router/transport"
	"usher/router/wamp"
)

// yieldProgress passes a progressive result on. It is dropped where the caller did
// not ask for any, or has its answer already.
func (s *session) yieldProgress(b *transport.Batch, w *work, m *wamp.Yield) (violation string) {
	p, ok := s.invocations.get(m.Request)
	if !ok {
		return s.unknownInvocation("YIELD", m.Request)
	}
	if !p.wantsProgress {
		return ""
	}
	if m.Passthru != nil && !p.takesPassthru() {
		s.breakCall(b, w, m.Request, &p, newError(wamp.ErrFeatureNotSupported, textNoPassthru))
		return ""
	}
	switch err := s.passProgress(b, w, &p, m); {
	case err == nil:
	case isBusy(err) && p.waiter == nil:
		// Its end interrupts the callee.
		p.caller.closeSlow(wamp.TypeResult)
	case isBusy(err):
		s.breakCall(b, w, m.Request, &p, newError(wamp.ErrUnavailable, "caller does not take progressive results as fast as they come"))
	case cannotEncode(err):
		s.breakCall(b, w, m.Request, &p, notPassedOn(textResultNotPassed, err))
	}
	return ""
}

// passProgress hands a progressive result to the caller, if the call still waits:
// under the callee's lock, because whoever takes the call answers it for good, and
// nothing may follow that. What may take long is done before.
func (s *session) passProgress(b *transport.Batch, w *work, p *pending, m *wamp.Yield) (err error) {
	payload := m.Payload
	if p.waiter != nil {
		payload = payload.Clone()
	} else if payload, err = w.transcode(p.caller.conn.Format(), payload); err != nil {
		return err
	}
	i := &s.invocations
	i.mu.Lock()
	defer i.mu.Unlock()
	now, ok := i.pending[m.Request]
	if !ok {
		return nil
	}
	if p.waiter != nil {
		err = p.waiter.progress.push(payload)
	} else {
		w.result = wamp.Result{Request: p.request, Progress: true, Passthru: m.Passthru, Payload: payload}
		err = p.caller.conn.Send(b, &w.result)
	}
	if err != nil {
		return err
	}
	if !now.hasProgressed {
		now.hasProgressed = true
		i.pending[m.Request] = now
	}
	if now.timer != nil {
		s.node.timers.extend(now.timer)
	}
	return nil
}

// maxProgressBytes bounds what waits of progressive results for a caller inside
// the process.
const maxProgressBytes = 4 << 20

// progressQueue holds the progressive results of one call until its caller takes
// them.
type progressQueue struct {
	wake chan struct{} // holds one

	mu      sync.Mutex
	results []wamp.Payload
	bytes   int // of results, and of the one that the caller is busy with
}

func newProgressQueue() *progressQueue { return &progressQueue{wake: make(chan struct{}, 1)} }

// progressBytes is what a result counts while it waits.
func progressBytes(p wamp.Payload) int { return p.Size() + 64 }

// push appends a result, which is the queue's from then on.
func (q *progressQueue) push(p wamp.Payload) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.results) > 0 && q.bytes+progressBytes(p) > maxProgressBytes {
		return transport.ErrQueueFull
	}
	q.results = append(q.results, p)
	q.bytes += progressBytes(p)
	q.signal()
	return nil
}

// take calls f for the oldest result and reports whether there was one. wake tells
// of the next.
func (q *progressQueue) take(f func(wamp.Payload)) bool {
	q.mu.Lock()
	if len(q.results) == 0 {
		q.mu.Unlock()
		return false
	}
	p := q.results[0]
	q.results[0] = wamp.Payload{}
	q.results = q.results[1:]
	if len(q.results) > 0 {
		q.signal()
	}
	q.mu.Unlock()
	f(p)
	q.mu.Lock()
	q.bytes -= progressBytes(p)
	q.mu.Unlock()
	return true
}

func (q *progressQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
