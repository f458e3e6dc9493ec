package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"sync"
	"time"

	"usher/router/transport"
	"usher/router/wamp"
)

// Options say how to join. Realm is required where the router does not assign one.
type Options struct {
	Realm            string
	Authid, Authrole string
	// Provers are the ways to log in, in the order in which they are offered; each
	// is for one login. Empty: Ticket if it is set, anonymous if not.
	Provers []Prover
	// Authmethods are offered in this order. Empty: those of Provers.
	Authmethods []string
	// Ticket returns the ticket when the router asks for it.
	Ticket func(ctx context.Context) (string, error)
	// Authextra is HELLO.Details.authextra beside what Provers say; a dict, or absent.
	Authextra wamp.Value
	// Format is what Connect offers to the router. Zero: JSON.
	Format wamp.Format
	// Header is sent with Connect's upgrade request.
	Header http.Header
	// TLS is for the schemes wss and rss, also with +unix. Nil: the defaults.
	TLS *tls.Config
	// Timeout bounds each wait whose context has no deadline. Zero: 30 s.
	Timeout time.Duration
	// Revoked is called by the reader when the router takes away a registration or
	// subscription (*wamp.Unregistered, *wamp.Unsubscribed). Like an EventHandler it
	// must return soon. Nil: nobody is told.
	Revoked func(m wamp.Message)
	// Transport is what Connect's connection belongs to. Nil: one of its own, with
	// default options.
	Transport *transport.Transport
}

func (o Options) withDefaults() Options {
	if o.Format == 0 {
		o.Format = wamp.JSON
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Transport == nil {
		o.Transport = transport.New(transport.Options{})
	}
	if len(o.Provers) == 0 {
		o.Provers = []Prover{Anonymous()}
		if o.Ticket != nil {
			o.Provers = []Prover{Ticket(o.Ticket)}
		}
	}
	if len(o.Authmethods) == 0 {
		for _, p := range o.Provers {
			o.Authmethods = append(o.Authmethods, p.Method())
		}
	}
	return o
}

// Client is a joined session. Its methods may be called concurrently.
//
// One goroutine, started by Join, reads the connection and calls the event
// handlers; it ends when the connection does. Each invocation is handled on a
// goroutine of its own, which ends with its handler.
type Client struct {
	conn    transport.Conn
	welcome wamp.Welcome
	timeout time.Duration
	revoked func(m wamp.Message) // may be nil
	done    chan struct{}        // closed by the reader when it ends

	mu            sync.Mutex // guards what follows, and the order of requests on the wire
	lastRequest   wamp.ID
	pending       map[wamp.ID]*request
	subscriptions map[wamp.ID]EventHandler
	registrations map[wamp.ID]InvocationHandler
	invocations   map[wamp.ID]*invocation // being handled
	newest        wamp.ID                 // request id of the newest invocation
	err           error                   // why the session ended; nil before
}

// request is one that waits for its answer.
type request struct {
	wants    wamp.MessageType
	answer   chan answer   // holds one
	progress ResultHandler // of a call; may be nil
	// accepted is called by the reader, under mu, before it reads on: no event can
	// come before its handler.
	accepted func(id wamp.ID)
}

type answer struct {
	message wamp.Message // owned
	err     error
}

// Connect connects to url, as transport.Dial takes it, and joins. Errors are a
// *ConnectError, an *AbortError or wrap ctx's error.
func Connect(ctx context.Context, url string, o Options) (*Client, error) {
	o = o.withDefaults()
	ctx, cancel := bounded(ctx, o.Timeout)
	defer cancel()
	conn, err := o.Transport.Dial(ctx, url, transport.DialOptions{Subprotocols: []string{"wamp.2." + o.Format.String()}, Header: o.Header, TLS: o.TLS})
	if err != nil {
		return nil, &ConnectError{Err: err}
	}
	return Join(ctx, conn, o)
}

// Join joins over a connection, which it owns from then on, and closes where it
// fails. Errors are as Connect's.
func Join(ctx context.Context, conn transport.Conn, o Options) (*Client, error) {
	o = o.withDefaults()
	ctx, cancel := bounded(ctx, o.Timeout)
	defer cancel()
	c := &Client{
		conn: conn, timeout: o.Timeout, revoked: o.Revoked, done: make(chan struct{}),
		pending:       make(map[wamp.ID]*request),
		subscriptions: make(map[wamp.ID]EventHandler),
		registrations: make(map[wamp.ID]InvocationHandler),
		invocations:   make(map[wamp.ID]*invocation),
	}
	// A cancelled ctx ends a Read that waits.
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	r := &reader{client: c}
	err := r.join(ctx, o)
	stopped := stop()
	if err == nil && !stopped {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close(transport.CloseNormal)
		if cause := ctx.Err(); cause != nil {
			err = fmt.Errorf("join realm %q: %w", o.Realm, cause)
		}
		return nil, err
	}
	go r.run()
	return c, nil
}

// bounded gives ctx a deadline if it has none.
func bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// Welcome returns what the router said about the session.
func (c *Client) Welcome() wamp.Welcome { return c.welcome }

// Format is the format of the connection, in which payloads need no transcoding.
func (c *Client) Format() wamp.Format { return c.conn.Format() }

// Done is closed when the session has ended; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the session ended: ErrClosed after Leave or Close, an *AbortError,
// a *GoodbyeError, or how the connection was lost. It is nil before.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Leave says GOODBYE, waits for the router's answer, and closes. It returns the
// reason that the router answered with.
func (c *Client) Leave(ctx context.Context) (reason string, err error) {
	ctx, cancel := bounded(ctx, c.timeout)
	defer cancel()
	r := &request{wants: wamp.TypeGoodbye}
	c.mu.Lock()
	err = c.send(goodbyeRequest, r, &wamp.Goodbye{Reason: wamp.CloseNormal})
	c.mu.Unlock()
	var m wamp.Message
	if err == nil {
		m, err = c.await(ctx, goodbyeRequest, r)
	}
	c.Close()
	if err != nil {
		return "", fmt.Errorf("leave: %w", err)
	}
	return m.(*wamp.Goodbye).Reason, nil
}

// Close ends the session without ceremony and waits for the reader's end.
func (c *Client) Close() {
	c.end(ErrClosed)
	c.conn.Close(transport.CloseNormal)
	<-c.done
}

// goodbyeRequest is what GOODBYE waits under: it has no request id.
const goodbyeRequest wamp.ID = 0

// request sends what build makes of a new request id and waits for the answer.
func (c *Client) request(ctx context.Context, r *request, build func(id wamp.ID) wamp.Message) (wamp.Message, error) {
	id, err := c.start(r, build)
	if err != nil {
		return nil, err
	}
	return c.await(ctx, id, r)
}

// start is request without the wait.
func (c *Client) start(r *request, build func(id wamp.ID) wamp.Message) (wamp.ID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.lastRequest + 1
	if err := c.send(id, r, build(id)); err != nil {
		return 0, err
	}
	c.lastRequest = id
	return id, nil
}

// send sends m and notes that r waits for its answer. mu is held, so that request
// ids stand on the wire in their order.
func (c *Client) send(id wamp.ID, r *request, m wamp.Message) error {
	if c.err != nil {
		return c.err
	}
	r.answer = make(chan answer, 1)
	c.pending[id] = r
	err := c.conn.Send(nil, m)
	if err != nil {
		delete(c.pending, id)
	}
	return err
}

func (c *Client) await(ctx context.Context, id wamp.ID, r *request) (wamp.Message, error) {
	ctx, cancel := bounded(ctx, c.timeout)
	defer cancel()
	select {
	case a := <-r.answer:
		return a.message, a.err
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.pending, id)
		c.mu.Unlock()
		return nil, ctx.Err()
	}
}

// end makes err the session's end, if it has none yet, and answers who waits.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	for id, r := range c.pending {
		delete(c.pending, id)
		r.answer <- answer{err: c.err}
	}
}
