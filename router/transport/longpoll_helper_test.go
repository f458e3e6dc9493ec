package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/router/codec"
	"usher/router/wamp"
)

// pollClient is the peer of a LongPoll without HTTP in between: a Conn that polls
// when it is read and delivers when it is sent on.
type pollClient struct {
	server *LongPoll

	rest []byte // of the last batch

	mu       sync.Mutex
	deadline time.Time
	closed   bool
	changed  chan struct{} // holds one
	done     chan struct{}
}

var _ Conn = (*pollClient)(nil)

// longPoll returns the two ends of a connection.
func longPoll(t testing.TB, tr *Transport, name string, o LongPollOptions) (*pollClient, *LongPoll) {
	t.Helper()
	server, err := tr.OpenLongPoll(name, o)
	if err != nil {
		t.Fatal(err)
	}
	client := &pollClient{server: server, changed: make(chan struct{}, 1), done: make(chan struct{})}
	t.Cleanup(func() { end(t, client, server) })
	return client, server
}

func (c *pollClient) Format() wamp.Format   { return c.server.Format() }
func (c *pollClient) Done() <-chan struct{} { return c.done }

func (c *pollClient) Send(_ *Batch, m wamp.Message) error {
	b, err := codec.Append(nil, c.Format(), m)
	if err != nil {
		return err
	}
	return c.deliver(b)
}

func (c *pollClient) SendShared(_ *Batch, m *Shared) error {
	b, err := m.in(c.Format())
	if err != nil {
		return err
	}
	return c.deliver(b)
}

// deliver sends one message.
func (c *pollClient) deliver(m []byte) error {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return ErrClosed
	}
	m = c.server.sub.frame(m)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := c.server.Deliver(ctx, int64(len(m)), bytes.NewReader(m))
	if errors.Is(err, ErrViolation) {
		return nil // what comes of it is to be seen at the other end
	}
	return err
}

// frame is a message as it stands in a body.
func (s subprotocol) frame(m []byte) []byte {
	switch {
	case !s.batched:
		return m
	case s.format == wamp.JSON:
		return append(bytes.Clone(m), codec.SeparatorJSON)
	}
	n := len(m)
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, m...)
}

// poll makes one receive request and returns its body; nil: nothing came.
func (c *pollClient) poll(ctx context.Context) ([]byte, error) {
	var all []byte
	_, err := c.server.Poll(ctx, patience, func(body net.Buffers, n int) error {
		all = bytes.Join(body, nil)
		if len(all) != n {
			return fmt.Errorf("%d bytes are announced as %d", len(all), n)
		}
		return nil
	})
	return all, err
}

func (c *pollClient) Read(*Batch) ([]byte, error) {
	for len(c.rest) == 0 {
		c.mu.Lock()
		deadline, closed := c.deadline, c.closed
		c.mu.Unlock()
		switch {
		case closed:
			return nil, ErrClosed
		case !deadline.IsZero() && time.Until(deadline) <= 0:
			return nil, os.ErrDeadlineExceeded
		}
		data, err := c.pollUntil(deadline)
		if err != nil {
			if strings.Contains(err.Error(), CloseNormal.String()) {
				err = io.EOF
			}
			return nil, err
		}
		if !c.server.sub.batched && data != nil {
			return data, nil
		}
		c.rest = data
	}
	message, rest, _, err := codec.SplitBatch(c.Format(), c.rest)
	c.rest = rest
	return message, err
}

// pollUntil polls until the deadline, which may change meanwhile.
func (c *pollClient) pollUntil(deadline time.Time) ([]byte, error) {
	ctx, cancel := context.WithCancel(context.Background())
	if !deadline.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, deadline)
	}
	defer cancel()
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-c.changed:
			cancel()
		case <-stop:
		}
	})
	defer watching.Wait()
	defer close(stop)
	return c.poll(ctx)
}

func (c *pollClient) SetReadDeadline(t time.Time) {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	poke(c.changed)
}

func (c *pollClient) Close(CloseReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	c.server.Leave()
	poke(c.changed)
	close(c.done)
}
