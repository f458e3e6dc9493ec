package transport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"usher/router/codec"
	"usher/router/wamp"
)

// LongPollOptions are what one long-poll connection has of its own, beside the
// options of its Transport: MaxMessageSize, QueueBytes, WriteTimeout and
// CloseTimeout.
type LongPollOptions struct {
	// SessionTimeout is how long the peer may neither poll nor send before it is
	// taken to be gone. Zero: 30 s.
	SessionTimeout time.Duration
	// QueueBytes and QueueMessages bound what waits for the peer's polls. Zero: the
	// Transport's QueueBytes; any number of messages.
	QueueBytes, QueueMessages int
}

// The errors of Poll and Deliver that a caller tells apart, beside ErrClosed and
// ErrViolation.
var (
	// ErrPolling: another Poll of this connection is under way.
	ErrPolling = errors.New("another receive request is pending")
	// ErrBodyTooLarge is wrapped, beside ErrViolation, where a body passes MaxMessageSize.
	ErrBodyTooLarge = errors.New("message too large")
	// ErrBusy: the session has not taken what was delivered before.
	ErrBusy = errors.New("earlier messages are still being handled")
)

// LongPoll is a Conn whose peer sends and fetches by requests of its own: Deliver
// brings what it sends, Poll takes what is for it.
//
// It has no goroutine. Its timer judges liveness, and after Close it bounds the
// time in which the peer may still fetch what waits.
type LongPoll struct {
	t       *Transport
	sub     subprotocol
	silence time.Duration // until the peer is gone
	done    chan struct{}
	sending chan struct{} // holds a token while a body is read
	room    chan struct{} // holds one when a body was taken
	arrived chan struct{} // holds one when Read has something to look at
	ready   chan struct{} // holds one when Poll has something to look at

	// Read's own.
	body      *buffer // that the last message lies in
	rest      []byte  // behind the last message, of a batch
	unflushed int     // bytes handled since the last flush
	order     reorder

	mu       sync.Mutex // guards what follows
	state    state
	reason   error     // once state is not open: what Read says
	told     bool      // once closed: the peer was told all, or left by itself
	closeBy  time.Time // once closing
	deadline time.Time // of Read
	in       []*buffer // delivered and not read
	inBytes  int       // capacity of in
	inErr    error     // behind in: a violation, or io.EOF where the peer left
	out      outbox
	final    bool // the last message was sent: see isFinal
	queued   bool // in somebody's Batch, or left to the flushers
	polling  bool // a Poll waits
	writing  bool // an answer is being written
	requests int  // under way
	lastSeen time.Time
	timer    *time.Timer
}

var _ Conn = (*LongPoll)(nil)

// maxDelivered is the capacity of delivered bodies from which on the next is read
// only when the session has taken one.
const maxDelivered = 64 << 10

// OpenLongPoll returns a connection that speaks the subprotocol of this name, one
// of Subprotocols.
func (t *Transport) OpenLongPoll(name string, o LongPollOptions) (*LongPoll, error) {
	sub := parseSubprotocol(name)
	if sub.format == 0 {
		return nil, fmt.Errorf("%w: %.50q", ErrSubprotocol, name)
	}
	if o.SessionTimeout == 0 {
		o.SessionTimeout = 30 * time.Second
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = t.options.QueueBytes
	}
	c := &LongPoll{
		t: t, sub: sub, silence: o.SessionTimeout,
		done:    make(chan struct{}),
		sending: make(chan struct{}, 1), room: make(chan struct{}, 1),
		arrived: make(chan struct{}, 1), ready: make(chan struct{}, 1),
		out: outbox{
			buffers: &t.buffers, sub: sub, sep: codec.SeparatorJSON,
			limit: o.QueueBytes, most: o.QueueMessages,
		},
		lastSeen: time.Now(),
	}
	t.counters.connections.Add(1)
	c.mu.Lock()
	c.timer = time.AfterFunc(c.silence, c.look)
	c.mu.Unlock()
	return c, nil
}

// Format implements Conn.
func (c *LongPoll) Format() wamp.Format { return c.sub.format }

// Subprotocol returns the name of the subprotocol in use.
func (c *LongPoll) Subprotocol() string { return c.sub.String() }

// Done implements Conn.
func (c *LongPoll) Done() <-chan struct{} { return c.done }

// poke leaves a token in a channel that holds one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Send implements Conn.
func (c *LongPoll) Send(b *Batch, m wamp.Message) error {
	c.mu.Lock()
	if c.state != stateOpen || c.final {
		c.mu.Unlock()
		return ErrClosed
	}
	err := c.out.append(m)
	c.final = err == nil && isFinal(m)
	return c.sent(b, err)
}

// SendShared implements Conn.
func (c *LongPoll) SendShared(b *Batch, m *Shared) error {
	encoded, err := m.in(c.sub.format)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.state != stateOpen || c.final {
		c.mu.Unlock()
		return ErrClosed
	}
	return c.sent(b, c.out.appendEncoded(encoded))
}

// sent unlocks c and sees to it that it is flushed.
func (c *LongPoll) sent(b *Batch, err error) error {
	flush := err == nil && !c.queued
	if flush {
		c.queued = true
	}
	c.mu.Unlock()
	if flush {
		b.add(c)
	}
	return err
}

// flush implements flusher: it wakes the pending Poll.
func (c *LongPoll) flush() {
	c.mu.Lock()
	c.queued = false
	c.mu.Unlock()
	poke(c.ready)
}

func (c *LongPoll) helpers() *flushers { return &c.t.flushers }

// SetReadDeadline implements Conn.
func (c *LongPoll) SetReadDeadline(t time.Time) {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	poke(c.arrived)
}

// Read implements Conn.
func (c *LongPoll) Read(b *Batch) ([]byte, error) {
	for {
		c.mu.Lock()
		if c.state != stateOpen {
			reason := c.reason
			c.mu.Unlock()
			c.release()
			flushAll(b)
			return nil, reason
		}
		held := c.order.due(false)
		if held == nil && len(c.rest) == 0 {
			c.next()
		}
		err, deadline := c.inErr, c.deadline
		c.mu.Unlock()
		if held != nil {
			return c.passOn(b, held), nil
		}
		if len(c.rest) > 0 {
			if message := c.split(); !c.order.hold(c.sub.format, message, c.t.options.MaxMessageSize) {
				return c.passOn(b, message), nil
			}
			continue
		}
		c.unflushed = 0
		flushAll(b)
		if c.order.held != nil {
			giveUp := c.order.since.Add(c.t.options.WriteTimeout)
			if err != nil || time.Until(giveUp) <= 0 {
				return c.passOn(b, c.order.due(true)), nil
			}
			if deadline.IsZero() || giveUp.Before(deadline) {
				c.await(giveUp)
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		if !c.await(deadline) {
			return nil, fmt.Errorf("read: %w", os.ErrDeadlineExceeded)
		}
	}
}

// passOn counts a message that Read returns, and flushes b where there is always
// more to read.
func (c *LongPoll) passOn(b *Batch, message []byte) []byte {
	if c.unflushed >= maxUnflushed {
		c.unflushed = 0
		flushAll(b)
	}
	c.unflushed += len(message)
	c.t.counters.messagesIn.Add(1)
	return message
}

func flushAll(b *Batch) {
	if b != nil {
		b.Flush()
	}
}

// next makes the first body that waits the one to read from. The mutex is held.
func (c *LongPoll) next() {
	c.release()
	if len(c.in) == 0 {
		return
	}
	c.body, c.rest = c.in[0], c.in[0].b
	c.inBytes -= cap(c.body.b)
	c.in[0] = nil
	if c.in = c.in[1:]; len(c.in) == 0 {
		c.in = nil
	}
	poke(c.room)
}

// split returns the next message of the body; Deliver has checked its framing.
func (c *LongPoll) split() []byte {
	message := c.rest
	if c.sub.batched {
		message, c.rest, _, _ = codec.SplitBatch(c.sub.format, c.rest)
	} else {
		c.rest = nil
	}
	return message
}

// release gives back what the last Read returned.
func (c *LongPoll) release() {
	c.t.buffers.put(c.body)
	c.body, c.rest = nil, nil
}

// await waits for something that Read has to look at; false: the deadline has passed.
func (c *LongPoll) await(deadline time.Time) bool {
	if deadline.IsZero() {
		<-c.arrived
		return true
	}
	d := time.Until(deadline)
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.arrived:
	case <-timer.C: // the next look at the deadline tells
	}
	return true
}

// Close implements Conn. What waits can be fetched until CloseTimeout has passed;
// the connection ends sooner once all is fetched.
func (c *LongPoll) Close(reason CloseReason) {
	c.mu.Lock()
	if c.state != stateOpen {
		c.mu.Unlock()
		return
	}
	c.state = stateClosing
	c.reason = fmt.Errorf("%w: %s", ErrClosed, reason)
	c.closeBy = time.Now().Add(c.t.options.CloseTimeout)
	if reason == CloseSlow {
		c.t.counters.slow.Add(1)
		c.t.counters.dropped.Add(int64(c.out.drop()))
	}
	if c.inErr == io.EOF || c.out.empty() && c.out.bytes == 0 {
		c.told = true // or has left
		c.end()
		return
	}
	c.timer.Reset(c.t.options.CloseTimeout)
	c.mu.Unlock()
	poke(c.arrived)
	poke(c.ready)
}

// fail ends the connection at once. The mutex is held on entry and given up.
func (c *LongPoll) fail(err error) {
	if c.state == stateClosed {
		c.mu.Unlock()
		return
	}
	if c.reason == nil {
		c.reason = err
	}
	c.end()
}

// end makes c closed. The mutex is held on entry and given up.
func (c *LongPoll) end() {
	c.state = stateClosed
	c.timer.Stop()
	c.t.counters.dropped.Add(int64(c.out.drop()))
	for _, b := range c.in {
		c.t.buffers.put(b)
	}
	c.in, c.inBytes = nil, 0
	c.mu.Unlock()
	c.t.counters.connections.Add(-1)
	close(c.done)
	poke(c.arrived)
	poke(c.ready)
	poke(c.room)
}

// look is what the timer does.
func (c *LongPoll) look() {
	c.mu.Lock()
	var left time.Duration
	switch {
	case c.state == stateClosed:
		c.mu.Unlock()
		return
	case c.state == stateClosing:
		left = time.Until(c.closeBy)
	case c.requests > 0:
		left = c.silence
	default:
		left = c.silence - time.Since(c.lastSeen)
	}
	if left > 0 {
		c.timer.Reset(left)
		c.mu.Unlock()
		return
	}
	c.fail(fmt.Errorf("no sign of life for %v", c.silence))
}

// ended is the error of a request that came too late. The mutex is held.
func (c *LongPoll) ended() error {
	if errors.Is(c.reason, ErrClosed) {
		return c.reason
	}
	return fmt.Errorf("%w: %w", ErrClosed, c.reason)
}

// begin and finish surround a request: a peer with one under way lives.
func (c *LongPoll) begin() {
	c.requests++
	c.lastSeen = time.Now()
}

func (c *LongPoll) finish() {
	c.requests--
	c.lastSeen = time.Now()
}
