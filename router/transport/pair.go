package transport

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"usher/router/codec"
	"usher/router/wamp"
)

// Pair returns the two ends of a connection inside the process, bounded as one
// over a network: what is sent on one end waits, in bytes, until the other reads
// it. A Batch holds nothing back. Options other than QueueBytes and MaxMessageSize do
// not matter.
func Pair(f wamp.Format, o Options) (a, b Conn) {
	o = o.withDefaults()
	one, two := newPipe(), newPipe()
	x := &pairEnd{format: f, options: o, in: one, out: two, done: make(chan struct{})}
	y := &pairEnd{format: f, options: o, in: two, out: one, done: make(chan struct{})}
	return x, y
}

// pipe is one direction.
type pipe struct {
	mu       sync.Mutex
	messages [][]byte
	bytes    int
	final    bool          // the last message was sent: see isFinal
	reason   error         // once closed
	closed   chan struct{} // with reason
	wake     chan struct{} // holds one
}

func newPipe() *pipe { return &pipe{wake: make(chan struct{}, 1), closed: make(chan struct{})} }

func (p *pipe) close(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason == nil {
		p.reason = reason
		close(p.closed)
	}
}

// pairEnd is one end.
type pairEnd struct {
	format  wamp.Format
	options Options
	in, out *pipe
	done    chan struct{}
	once    sync.Once

	mu       sync.Mutex
	deadline time.Time
	changed  chan struct{} // of the Read that waits: the deadline is another
}

var _ Conn = (*pairEnd)(nil)

func (e *pairEnd) Format() wamp.Format   { return e.format }
func (e *pairEnd) Done() <-chan struct{} { return e.done }

func (e *pairEnd) Send(_ *Batch, m wamp.Message) error {
	b, err := codec.Append(nil, e.format, m)
	if err != nil {
		return err
	}
	return e.send(b, urgent(m), isFinal(m))
}

func (e *pairEnd) SendShared(_ *Batch, m *Shared) error {
	b, err := m.in(e.format)
	if err != nil {
		return err
	}
	return e.send(b, false, false)
}

func (e *pairEnd) send(b []byte, isUrgent, final bool) error {
	p := e.out
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != nil || p.final {
		return ErrClosed
	}
	if !isUrgent && p.bytes+len(b) > e.options.QueueBytes {
		return ErrQueueFull
	}
	p.messages = append(p.messages, b)
	p.bytes += len(b)
	p.final = final
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// Read implements Conn. What was sent before the other end closed comes first.
func (e *pairEnd) Read(b *Batch) ([]byte, error) {
	if b != nil {
		b.Flush()
	}
	for {
		e.mu.Lock()
		deadline := e.deadline
		e.changed = make(chan struct{})
		changed := e.changed
		e.mu.Unlock()

		p := e.in
		p.mu.Lock()
		if len(p.messages) > 0 {
			m := p.messages[0]
			p.messages[0] = nil
			p.messages = p.messages[1:]
			p.bytes -= len(m)
			p.mu.Unlock()
			if len(m) > e.options.MaxMessageSize {
				e.Close(CloseTooLarge)
				return nil, fmt.Errorf("message larger than %d bytes", e.options.MaxMessageSize)
			}
			return m, nil
		}
		reason := p.reason
		p.mu.Unlock()
		if reason != nil {
			return nil, reason
		}
		var late <-chan time.Time
		if !deadline.IsZero() {
			d := time.Until(deadline)
			if d <= 0 {
				return nil, fmt.Errorf("read: %w", os.ErrDeadlineExceeded)
			}
			timer := time.NewTimer(d)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-p.wake:
		case <-p.closed:
		case <-changed:
		case <-late:
		}
	}
}

// Close implements Conn: the other end reads io.EOF behind what was sent.
func (e *pairEnd) Close(reason CloseReason) {
	e.once.Do(func() {
		end := io.EOF
		if reason != CloseNormal {
			end = fmt.Errorf("%w: %s", ErrClosed, reason)
		}
		e.out.close(end)
		e.in.close(fmt.Errorf("%w: %s", ErrClosed, reason))
		close(e.done)
	})
}

func (e *pairEnd) SetReadDeadline(t time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deadline = t
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}
