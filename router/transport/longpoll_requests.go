package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"usher/router/codec"
)

// Poll is a peer's receive request. It waits until something is there to be
// fetched, and has write bring it to the peer: one message, or in a batched
// subprotocol a batch of all that waits, n bytes together, valid until write
// returns. It reports false where nothing came within wait, the peer has left
// meanwhile or ctx has ended.
//
// An error of write ends the connection: what it had is lost, and a session must
// not go on with a gap. The other errors are ErrPolling, and ErrClosed once
// everything was fetched or its time has passed.
func (c *LongPoll) Poll(ctx context.Context, wait time.Duration, write func(body net.Buffers, n int) error) (bool, error) {
	c.mu.Lock()
	switch {
	case c.state == stateClosed:
		defer c.mu.Unlock()
		return false, c.ended()
	case c.polling:
		c.mu.Unlock()
		return false, ErrPolling
	}
	c.polling = true
	c.begin()
	waits := true // c.polling is this call's
	defer func() {
		c.mu.Lock()
		if waits {
			c.polling = false
		}
		c.finish()
		c.mu.Unlock()
	}()
	c.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		c.mu.Lock()
		switch {
		case c.inErr == io.EOF:
			c.mu.Unlock()
			return false, nil
		case c.state == stateClosed:
			defer c.mu.Unlock()
			return false, c.ended()
		case !c.out.empty() && !c.writing && ctx.Err() == nil:
			// Who has read the answer may ask again before its writer is back here.
			c.polling, c.writing, waits = false, true, false
			a := c.out.take()
			c.mu.Unlock()
			return true, c.carry(a, write)
		}
		c.mu.Unlock()
		select {
		case <-c.ready:
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			return false, nil
		}
	}
}

// carry has an answer written.
func (c *LongPoll) carry(a answer, write func(net.Buffers, int) error) error {
	n := 0
	for _, b := range a.body {
		n += len(b)
	}
	err := write(a.body, n)
	if err == nil {
		c.t.counters.writes.Add(1)
		c.t.counters.messagesOut.Add(int64(a.messages))
		c.t.counters.bytesOut.Add(int64(n))
	} else {
		c.t.counters.dropped.Add(int64(a.bytes))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.counters.slow.Add(1)
		}
		err = fmt.Errorf("connection lost: %w", noEOF(err))
	}
	c.mu.Lock()
	c.writing = false
	c.out.delivered(a)
	switch {
	case err != nil:
		c.fail(err) // or the next Poll would take what is behind the gap
	case c.state == stateClosing && c.out.empty():
		c.told = true
		c.end()
	default:
		c.mu.Unlock()
		poke(c.ready)
	}
	return err
}

// Deliver is a peer's send request: body is one message, or in a batched
// subprotocol a batch; size is its length if that is known, else negative. Bodies
// are taken one at a time, and while the session has not taken the last ones the
// next waits, until ctx ends: then the error is ErrBusy.
//
// After Close what comes is read by nobody, and no error: the peer may not have
// seen yet that the session is over. ErrViolation: the body is none of this
// subprotocol; the session is told so by Read. ErrClosed: the connection has ended.
// Any other error is body's.
func (c *LongPoll) Deliver(ctx context.Context, size int64, body io.Reader) error {
	c.mu.Lock()
	c.begin()
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.finish()
		c.mu.Unlock()
	}()
	select {
	case c.sending <- struct{}{}:
		defer func() { <-c.sending }()
	case <-ctx.Done():
		return ErrBusy
	}
	if proceed, err := c.awaitRoom(ctx); !proceed {
		return err
	}
	b, err := c.readBody(size, body)
	if err == nil {
		err = c.checkBody(b.b)
	}
	if err != nil {
		c.t.buffers.put(b)
		if errors.Is(err, ErrViolation) {
			c.broken(err)
		}
		return err
	}
	c.t.counters.bytesIn.Add(int64(len(b.b)))
	c.mu.Lock()
	if c.state != stateOpen || c.inErr != nil {
		defer c.mu.Unlock()
		c.t.buffers.put(b)
		return c.late()
	}
	c.in = append(c.in, b)
	c.inBytes += cap(b.b)
	c.mu.Unlock()
	poke(c.arrived)
	return nil
}

// late is the error of a body that comes when nobody reads any more. The mutex is held.
func (c *LongPoll) late() error {
	if c.state == stateClosed && !c.told {
		return c.ended()
	}
	return nil
}

// awaitRoom waits until another body can be taken. The peer's sending is held.
func (c *LongPoll) awaitRoom(ctx context.Context) (proceed bool, err error) {
	for {
		c.mu.Lock()
		if c.state != stateOpen || c.inErr != nil {
			defer c.mu.Unlock()
			return false, c.late()
		}
		full := c.inBytes >= maxDelivered
		c.mu.Unlock()
		if !full {
			return true, nil
		}
		select {
		case <-c.room:
		case <-ctx.Done():
			return false, ErrBusy
		}
	}
}

// readBody reads a body that is not too large into a buffer.
func (c *LongPoll) readBody(size int64, body io.Reader) (*buffer, error) {
	most := c.t.options.MaxMessageSize
	tooLarge := func() error {
		return fmt.Errorf("%w: %w: more than %d bytes", ErrViolation, ErrBodyTooLarge, most)
	}
	if size > int64(most) {
		return nil, tooLarge()
	}
	// A large one is believed as it comes: to claim a size costs nothing.
	b := c.t.buffers.get(min(max(int(size)+1, smallBuffer), mediumBuffer))
	for {
		if len(b.b) == cap(b.b) {
			b = c.t.buffers.grow(b, cap(b.b))
		}
		n, err := body.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		switch {
		case len(b.b) > most:
			return b, tooLarge()
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, fmt.Errorf("body of the request: %w", err)
		}
	}
}

// checkBody checks the framing of a body.
func (c *LongPoll) checkBody(data []byte) error {
	if len(data) == 0 {
		return fmt.Errorf("%w: the body is empty", ErrViolation)
	}
	if !c.sub.batched {
		return nil
	}
	separator := byte(0)
	for len(data) > 0 {
		_, rest, sep, err := codec.SplitBatch(c.sub.format, data)
		if err != nil {
			return fmt.Errorf("%w: malformed batch: %w", ErrViolation, err)
		}
		data, separator = rest, sep
	}
	if separator != 0 { // the peer's own is what it understands
		c.mu.Lock()
		c.out.sep = separator
		c.mu.Unlock()
	}
	return nil
}

// broken notes what the peer did wrong, for Read to say behind what came before.
func (c *LongPoll) broken(err error) {
	c.mu.Lock()
	if c.inErr == nil {
		c.inErr = err
	}
	c.mu.Unlock()
	poke(c.arrived)
}

// Leave is a peer's request to close. Read says io.EOF behind what came before; a
// pending Poll ends. It is no error to leave twice, nor after the end.
func (c *LongPoll) Leave() {
	c.mu.Lock()
	c.lastSeen = time.Now()
	switch c.state {
	case stateOpen:
		if c.inErr == nil {
			c.inErr = io.EOF
		}
	case stateClosing:
		c.told = true
		c.end()
		return
	}
	c.mu.Unlock()
	poke(c.arrived)
	poke(c.ready)
}
