package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"usher/router/config"
	"usher/router/cookies"
	"usher/router/realm"
	"usher/router/tokens"
	"usher/router/transport"
	"usher/router/web"
)

// Options are what a Router needs beside its configuration. Log and Health are
// required.
type Options struct {
	Agent  string // WELCOME.Details.agent
	Health web.Health
	Log    *slog.Logger
}

// Router is a running router. Its methods may be called concurrently.
type Router struct {
	log     *slog.Logger
	node    *realm.Node
	web     *web.Server
	cookies *cookies.Set
	tokens  *tokens.Verifier

	mu     sync.Mutex
	config *config.Config // in force
}

// New opens the listeners of c, which answer once Serve is called: in between is
// the time to join components to Node. On an error nothing is open.
func New(c *config.Config, o Options) (*Router, error) {
	stores := cookies.NewSet(o.Log)
	if err := stores.Open(cookieSpecs(c)); err != nil {
		return nil, err
	}
	node := realm.NewNode(Policy(c), realmLimits(c.Limits), o.Agent, o.Log)
	node.SetLogins(stores)
	verifier := tokens.New(tokens.Options{Log: o.Log})
	node.SetTokens(verifier)
	server, err := web.Listen(c, web.Options{
		Sessions:  node,
		Stats:     node.Stats,
		Transport: transport.New(transportOptions(c.Limits)),
		Health:    o.Health,
		Log:       o.Log,
		Cookies:   func(c *config.Cookie) web.CookieStore { return stores.Store(cookieSpec(c)) },
	})
	if err != nil {
		return nil, errors.Join(err, stores.Keep(nil))
	}
	verifier.Use(c.Tokens())
	return &Router{log: o.Log, node: node, web: server, cookies: stores, tokens: verifier, config: c}, nil
}

// Node is where components join.
func (r *Router) Node() *realm.Node { return r.node }

// Addresses returns where clients can connect.
func (r *Router) Addresses() []web.Address { return r.web.Addresses() }

// Serve answers clients until Shutdown has begun, and returns nil then. It must
// be called once.
func (r *Router) Serve() error { return r.web.Serve() }

// Apply takes up another configuration: what clients may do, how they log in and
// what is served changes for all that comes from now on, and sessions whose realm
// or role went are closed. It returns what is different, with what needs a
// restart marked. On an error nothing has changed.
func (r *Router) Apply(c *config.Config) ([]config.Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.cookies.Open(cookieSpecs(c)); err != nil {
		return nil, err
	}
	r.tokens.Use(append(r.config.Tokens(), c.Tokens()...))
	if err := r.web.Reload(c); err != nil {
		r.tokens.Use(r.config.Tokens())
		return nil, errors.Join(err, r.cookies.Keep(cookieSpecs(r.config)))
	}
	r.tokens.Use(c.Tokens())
	r.node.Apply(Policy(c))
	if err := r.cookies.Keep(cookieSpecs(c)); err != nil {
		r.log.Error("a cookie store that is not used any more can't be written", slog.Any("error", err))
	}
	changes := config.Diff(r.config, c)
	r.config = c
	return changes, nil
}

// Shutdown ends the router in order: no new connections, calls in flight are
// answered, every session gets GOODBYE behind what is queued for it. It returns
// when all is written and closed or ctx has ended; the error says what was cut.
func (r *Router) Shutdown(ctx context.Context) error {
	// Both refuse newcomers at once and wait for what they have. The web side
	// only answers HTTP requests in flight by now.
	webDone := make(chan error, 1)
	go func() { webDone <- r.web.Shutdown(ctx) }() // ends within ctx
	err := r.node.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("shut down sessions: %w", err)
	}
	err = errors.Join(err, <-webDone, r.cookies.Keep(nil))
	r.tokens.Close()
	return err
}
