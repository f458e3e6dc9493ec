package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"usher/router"
	"usher/router/config"
	"usher/router/web"
	"usher/scripting"
)

// serveCommand is "usher serve", and "usher" alone.
type serveCommand struct {
	sourceFlags
	logFlags
	Listen string `placeholder:"HOST:PORT" help:"Where to listen, instead of the configuration's first transport; port 0 takes any free one."`
}

// Run serves until it is told to stop by a signal or by ctx.
func (c serveCommand) Run(ctx context.Context, s streams) error {
	log, err := c.logger(s.err)
	if err != nil {
		return err
	}
	src, err := c.load()
	if err != nil {
		return err
	}
	if err := src.listenOn(c.Listen); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv := &server{command: c, log: log, source: src}
	if err := srv.start(ctx); err != nil {
		return err
	}
	return srv.run(ctx, stop)
}

// forceAfter is for how long signals are ignored once the first has come.
const forceAfter = time.Second

// server is the router together with its scripting host and its configuration file.
type server struct {
	command serveCommand
	log     *slog.Logger
	router  *router.Router
	host    *scripting.Host // nil: no scripts

	mu           sync.Mutex
	source       *source // in force
	configFailed error   // why the configuration on disk is not the one in force
}

var _ web.Health = (*server)(nil)

// start opens the listeners and loads the scripts. Nothing is answered yet.
func (s *server) start(ctx context.Context) (err error) {
	for _, w := range s.source.config.Warnings {
		s.log.Warn("the configuration asks for something that works differently here", "problem", w.String())
	}
	s.router, err = router.New(s.source.config, router.Options{Agent: agent(), Health: s, Log: s.log})
	if err != nil && s.source.demo() {
		return fmt.Errorf("%w: in demo mode by --listen HOST:PORT", err)
	}
	if err != nil {
		return s.source.blame(err)
	}
	if !s.source.hasScripts() {
		return nil
	}
	if s.host, err = scripting.New(s.source.scripting(s.log), s.router.Node()); err != nil {
		err = s.source.blame(err)
	} else {
		err = s.host.Start(ctx)
	}
	if err != nil {
		return errors.Join(err, s.stop())
	}
	return nil
}

// run serves until ctx ends, then stops in order. The goroutines that it starts
// end before it returns.
func (s *server) run(ctx context.Context, forceable func()) error {
	var running sync.WaitGroup
	served := make(chan error, 1)
	running.Go(func() { served <- s.router.Serve() })
	hangup := make(chan os.Signal, 1)
	if s.source.file != "" {
		// Before anybody is told that the router is there: SIGHUP would end it.
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
	}
	s.sayReady()

	watching, endWatch := context.WithCancel(ctx)
	reload := make(chan struct{}, 1)
	if first := s.source; first.file != "" { // as it was read at start; a reload replaces it
		running.Go(func() { s.watchConfig(watching, reload, hangup) })
		running.Go(func() { watchFile(watching, first.file, first.seen, watchInterval, func() { notify(reload) }) })
	}

	var err error
	select {
	case <-ctx.Done():
		s.log.Info("stopping: calls in flight are answered, what is queued is written")
	case err = <-served:
	}
	// A later signal ends the process at once. Not one of the same moment: who
	// signals a whole group of processes may reach this one twice.
	defer time.AfterFunc(forceAfter, forceable).Stop()
	endWatch()
	err = errors.Join(err, s.stop())
	running.Wait()
	if err == nil {
		s.log.Info("stopped")
	}
	return err
}

// stop ends sessions and scripts within the deadline of the configuration. What
// had to be cut is logged: it is no failure of the command.
func (s *server) stop() error {
	s.mu.Lock()
	timeout := s.source.shutdownTimeout()
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if s.host != nil {
		s.host.Freeze()
	}
	err := s.router.Shutdown(ctx)
	if s.host != nil {
		err = errors.Join(err, s.host.Close(ctx))
	}
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("not everything was done within the deadline", "timeout", timeout, "error", err)
		return nil
	}
	return err
}

// notify wakes a receiver that may not be waiting yet.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watchConfig takes the configuration up anew whenever it was saved or a SIGHUP
// asks for it, until ctx ends.
func (s *server) watchConfig(ctx context.Context, saved <-chan struct{}, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-saved:
		case <-hangup:
		}
		s.reload()
	}
}

// reload validates configuration and scripts on disk as one and takes up both,
// or neither.
func (s *server) reload() {
	changes, err := s.tryReload()
	s.mu.Lock()
	s.configFailed = err
	s.mu.Unlock()
	if err != nil {
		s.log.Error("configuration not taken up, the one before stays in force", "error", err.Error())
		return
	}
	if len(changes) == 0 {
		s.log.Info("configuration read again, nothing has changed")
	}
	for _, c := range changes {
		if c.Restart {
			s.log.Warn("this change of the configuration needs a restart", "path", c.Path, "change", c.Message)
			continue
		}
		s.log.Info("configuration changed", "path", c.Path)
	}
}

func (s *server) tryReload() ([]config.Change, error) {
	flags := s.command.sourceFlags
	flags.Config = s.source.file
	next, err := flags.load()
	if err != nil {
		return nil, err
	}
	if err := next.listenOn(s.command.Listen); err != nil {
		return nil, err
	}
	// Where the scripts are is settled at start.
	next.dir, next.fs = s.source.dir, s.source.fs
	// Where nothing has changed the scripts go on as they are.
	var prepared *scripting.Prepared
	if s.host != nil && len(config.Diff(s.source.config, next.config)) > 0 {
		if prepared, err = s.host.Prepare(router.Policy(next.config), next.scripting(s.log)); err != nil {
			return nil, fmt.Errorf("the scripts do not fit it: %w", err)
		}
	}
	changes, err := s.router.Apply(next.config)
	if err != nil {
		return nil, err
	}
	if prepared != nil {
		prepared.Commit()
	}
	for _, w := range next.config.Warnings {
		s.log.Warn("the configuration asks for something that works differently here", "problem", w.String())
	}
	s.mu.Lock()
	s.source = next
	s.mu.Unlock()
	return changes, nil
}

// Health says what of the configuration and the scripts is not as on disk.
func (s *server) Health() web.Status {
	var status web.Status
	s.mu.Lock()
	if s.configFailed != nil {
		status.Degraded = append(status.Degraded, "configuration: "+s.configFailed.Error())
	}
	s.mu.Unlock()
	if s.host == nil {
		return status
	}
	for _, c := range s.host.Status() {
		switch {
		case c.Err == nil:
		case c.Generation == 0:
			status.Unready = append(status.Unready, c.Err.Error())
		default:
			status.Degraded = append(status.Degraded, c.Err.Error())
		}
	}
	if err := s.host.DirErr(); err != nil {
		status.Degraded = append(status.Degraded, err.Error())
	}
	return status
}

// sayReady tells where to connect, and in demo mode what to try.
func (s *server) sayReady() {
	var components []string
	if s.host != nil {
		for _, c := range s.host.Status() {
			if c.Generation > 0 {
				components = append(components, c.Name)
			}
		}
	}
	var addresses []string
	for _, a := range s.router.Addresses() {
		addresses = append(addresses, a.All()...)
	}
	s.log.Info("accepting logins", "addresses", strings.Join(addresses, " "),
		"components", strings.Join(components, " "), "scripts", s.source.describeScripts())
	if s.source.demo() {
		page := s.router.Addresses()[0].HTTP
		s.log.Warn("demo mode: the accounts joe, client1 and client2 have well-known tickets; `usher init DIR` writes a configuration of your own")
		s.log.Info("open "+page+" in a browser, or try: USHER_TICKET='secret!!!' "+self()+" try --authid joe", "page", page)
	}
}
