package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"usher/router/auth"
	"usher/router/client"
	"usher/router/codec"
	"usher/router/wamp"
)

// The bounds on what a client command waits for where no flag says so.
const (
	connectTimeout = 15 * time.Second // to connect and to log in
	answerTimeout  = 30 * time.Second // for any one answer
	leaveTimeout   = 3 * time.Second  // for the answer to GOODBYE
	ticketTimeout  = time.Minute      // for a ticket or secret on standard input
)

// sessionFlags say where a client command connects, and as whom.
type sessionFlags struct {
	URL   string `name:"url" short:"u" env:"USHER_URL" default:"ws://127.0.0.1:8080/ws" help:"The router: ws://, wss://, rs:// (RawSocket), rss:// or ws+unix://, rs+unix:// with a socket's file name."`
	Realm string `default:"realm1" help:"Realm to join."`
	loginFlags
	Format string `enum:"json,msgpack,cbor" default:"json" help:"How messages are encoded on the way (json, msgpack, cbor)." placeholder:"FORMAT"`
	CA     string `name:"ca" placeholder:"FILE" help:"PEM certificates to trust for wss:// and rss:// instead of the system's."`
}

// routerAddress is how the address of a router begins.
var routerAddress = regexp.MustCompile(`^(ws|rs)s?(\+unix)?://`)

// notAddresses refuses an address of a router in the place of a URI.
func notAddresses(uris ...string) error {
	if i := slices.IndexFunc(uris, routerAddress.MatchString); i >= 0 {
		return fmt.Errorf("%s is the address of a router: it belongs to --url", uris[i])
	}
	return nil
}

// commandSession is one client command's session.
type commandSession struct {
	*client.Client
	out     *lines
	revoked chan string // what the router took away
}

// do joins, runs work, and leaves politely, also where a signal has ended ctx.
func (f sessionFlags) do(ctx context.Context, s streams, work func(ctx context.Context, c *commandSession) error) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := f.join(ctx, s)
	if err != nil {
		return err
	}
	defer c.Close()
	err = answered(work(ctx, c))
	// ctx may be over; what was sent is with the router once it answers GOODBYE.
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if _, leaveErr := c.Leave(leaving); err == nil {
		err = leaveErr
	}
	return err
}

func (f sessionFlags) join(ctx context.Context, s streams) (*commandSession, error) {
	o := client.Options{Realm: f.Realm, Authid: f.Authid, Timeout: answerTimeout}
	for _, format := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		if format.String() == f.Format {
			o.Format = format
		}
	}
	var err error
	if o.TLS, err = f.tls(); err != nil {
		return nil, err
	}
	method, err := f.method(auth.MethodAnonymous)
	if err != nil {
		return nil, err
	}
	prover, _, err := f.prover(ctx, method, s.in)
	if err != nil {
		return nil, err
	}
	o.Provers = []client.Prover{prover}
	c := &commandSession{out: &lines{w: s.out}, revoked: make(chan string, 1)}
	o.Revoked = c.tellRevoked
	joining, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if c.Client, err = client.Connect(joining, f.URL, o); err != nil {
		return nil, connectError(ctx, err)
	}
	return c, nil
}

// tls is what the flags say about TLS; nil: nothing.
func (f sessionFlags) tls() (*tls.Config, error) {
	if f.CA == "" && f.Cert == "" && f.ChannelBinding == "" {
		return nil, nil
	}
	c := new(tls.Config)
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca: %s holds no certificate in PEM form", f.CA)
		}
	}
	if f.Cert != "" {
		own, err := f.certificate()
		if err != nil {
			return nil, err
		}
		// Whatever the router says whom it trusts: it was asked for on the command line.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	if f.ChannelBinding == "tls-unique" {
		c.MaxVersion = tls.VersionTLS12 // later ones do not have it
	}
	return c, nil
}

// connectError gives an error of Connect its exit status.
func connectError(ctx context.Context, err error) error {
	var connect *client.ConnectError
	var dialed *net.OpError
	var abort *client.AbortError
	switch {
	case ctx.Err() != nil: // stopped by a signal
		return err
	case errors.As(err, &dialed) && dialed.Op == "dial":
		return &statusError{exitConnect, fmt.Errorf("%w; is a router there? --url or USHER_URL says where to look", err)}
	case errors.As(err, &connect):
		return &statusError{exitConnect, err}
	case errors.As(err, &abort):
		return &statusError{exitLogin, fmt.Errorf("login refused: %s", strings.TrimPrefix(abort.Error(), "aborted by the router: "))}
	case errors.Is(err, context.DeadlineExceeded):
		return &statusError{exitTimeout, err}
	case errors.Is(err, client.ErrAuthmethod):
		return &statusError{exitLogin, err}
	}
	return &statusError{exitConnect, err}
}

// answered gives an error of a session its exit status.
func answered(err error) error {
	var answer *client.Error
	switch {
	case errors.As(err, &answer) && answer.URI == wamp.ErrTimeout, errors.Is(err, context.DeadlineExceeded):
		return &statusError{exitTimeout, err}
	case answer != nil:
		return &statusError{exitAnswer, err}
	}
	return err
}

// tellRevoked notes what the router took away: the first is enough to end.
func (c *commandSession) tellRevoked(m wamp.Message) {
	what, reason := "subscription", ""
	switch m := m.(type) {
	case *wamp.Unsubscribed:
		reason = m.Reason
	case *wamp.Unregistered:
		what, reason = "registration", m.Reason
	}
	text := "the router has revoked the " + what
	if reason != "" {
		text += ": " + reason
	}
	select {
	case c.revoked <- text:
	default:
	}
}

// stay waits until enough is closed, the time is over, a signal has come or the
// session has ended.
func (c *commandSession) stay(ctx context.Context, limit time.Duration, enough <-chan struct{}) error {
	var over <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-enough:
		return c.out.failure()
	case <-ctx.Done():
		return nil
	case <-over:
		return fmt.Errorf("after %s: %w", limit, context.DeadlineExceeded)
	case text := <-c.revoked:
		return errors.New(text)
	case <-c.Done():
		return c.Err()
	}
}

// lines writes JSON, a value a line. Its methods may be called concurrently.
type lines struct {
	mu  sync.Mutex
	w   io.Writer
	err error // the first
}

func (l *lines) print(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.err == nil {
		_, err = l.w.Write(b.Bytes())
	}
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("write to standard output: %w", err)
	}
	return l.err
}

func (l *lines) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// content is a payload as a part of a line.
type content struct {
	PPTScheme string          `json:"ppt_scheme,omitempty"`
	Args      json.RawMessage `json:"args,omitempty"`
	Kwargs    json.RawMessage `json:"kwargs,omitempty"`
}

// contentOf turns a payload into JSON. What only its receiver can open is the one
// argument, binary data.
func contentOf(p wamp.Payload, ppt *wamp.Passthru) (c content, err error) {
	if ppt != nil {
		c.PPTScheme = ppt.Scheme
	}
	if p.Args != nil {
		c.Args, err = codec.AppendValue(nil, wamp.JSON, wamp.Value{Format: p.Format, Bytes: p.Args})
	}
	if err == nil && ppt.IsOpaque() {
		c.Args = json.RawMessage("[" + string(c.Args) + "]")
	}
	if err == nil && p.Kwargs != nil {
		c.Kwargs, err = codec.AppendValue(nil, wamp.JSON, wamp.Value{Format: p.Format, Bytes: p.Kwargs})
	}
	if err != nil {
		return c, fmt.Errorf("show the payload as JSON: %w", err)
	}
	return c, nil
}

// payloadFlags are the arguments of a message.
type payloadFlags struct {
	Args   []string `arg:"" optional:"" name:"arg" help:"Arguments, each a JSON value: 5, '\"text\"', '{\"a\": [true, null]}'. Write -- before a negative number."`
	Kwargs string   `short:"k" placeholder:"JSON" help:"Keyword arguments, a JSON object."`
}

// payload checks and joins the arguments. They stay the JSON that was written.
func (f payloadFlags) payload() (wamp.Payload, error) {
	p := wamp.Payload{Format: wamp.JSON}
	if len(f.Args) > 0 || f.Kwargs != "" {
		p.Args = []byte{'['}
		for i, arg := range f.Args {
			if !json.Valid([]byte(arg)) {
				return p, fmt.Errorf("argument %d: %s is not JSON; a text is written '%q'", i+1, arg, arg)
			}
			if i > 0 {
				p.Args = append(p.Args, ',')
			}
			p.Args = append(p.Args, arg...)
		}
		p.Args = append(p.Args, ']')
	}
	if f.Kwargs != "" {
		if kwargs := strings.TrimSpace(f.Kwargs); !json.Valid([]byte(kwargs)) || kwargs[0] != '{' {
			return p, fmt.Errorf("--kwargs: %s is not a JSON object", f.Kwargs)
		}
		p.Kwargs = []byte(f.Kwargs)
	}
	return p, nil
}

// optional is a flag that may be absent: true, false or unset.
func optional(b *bool) wamp.Bool {
	switch {
	case b == nil:
		return wamp.Unset
	case *b:
		return wamp.True
	}
	return wamp.False
}
