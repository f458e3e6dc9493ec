package realm

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"sync"
	"time"

	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// pollConn is the client's side of a long-poll connection, without HTTP between.
type pollConn struct {
	router  *transport.LongPoll
	batched bool

	rest     []byte // of the last answer
	deadline time.Time
	once     sync.Once
	done     chan struct{}
}

var _ transport.Conn = (*pollConn)(nil)

// openLongPoll connects.
func openLongPoll(w *world, serve func(transport.Conn), sub string, batched bool) transport.Conn {
	w.t.Helper()
	c, err := transport.New(transport.Options{}).OpenLongPoll(sub, transport.LongPollOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.serving.Go(func() { serve(c) })
	return &pollConn{router: c, batched: batched, done: make(chan struct{})}
}

func (c *pollConn) Format() wamp.Format         { return c.router.Format() }
func (c *pollConn) Done() <-chan struct{}       { return c.done }
func (c *pollConn) SetReadDeadline(t time.Time) { c.deadline = t }

func (c *pollConn) Close(transport.CloseReason) {
	c.once.Do(func() {
		c.router.Leave()
		close(c.done)
	})
}

// Send makes a send request.
func (c *pollConn) Send(_ *transport.Batch, m wamp.Message) error {
	var body []byte
	if c.batched && c.Format() != wamp.JSON {
		body = make([]byte, 4)
	}
	head := len(body)
	body, err := codec.Append(body, c.Format(), m)
	if err != nil {
		return err
	}
	switch {
	case head > 0:
		binary.BigEndian.PutUint32(body, uint32(len(body)-head))
	case c.batched:
		body = append(body, codec.SeparatorJSON)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.router.Deliver(ctx, int64(len(body)), bytes.NewReader(body))
}

func (c *pollConn) SendShared(*transport.Batch, *transport.Shared) error {
	return transport.ErrClosed // a client never does
}

// Read makes a receive request where nothing is left of the last.
func (c *pollConn) Read(*transport.Batch) ([]byte, error) {
	if len(c.rest) == 0 {
		found, err := c.router.Poll(context.Background(), time.Until(c.deadline), func(body net.Buffers, _ int) error {
			c.rest = bytes.Join(body, nil)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, os.ErrDeadlineExceeded
		}
	}
	message := c.rest
	if !c.batched {
		c.rest = nil
		return message, nil
	}
	message, rest, _, err := codec.SplitBatch(c.Format(), c.rest)
	c.rest = rest
	return message, err
}
