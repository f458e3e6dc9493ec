package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"usher/router/config"
	"usher/scripting"
	"usher/scripting/lua51"
	"usher/scripting/lualib"
	"usher/scripts"
)

//go:embed demo.yaml
var demoYAML []byte

// The names of what is used where no flag names anything.
const (
	defaultConfig  = "usher.yaml"
	defaultScripts = "scripts"
)

// sourceFlags say where configuration and scripts come from.
type sourceFlags struct {
	Config  string `short:"c" placeholder:"FILE" help:"Configuration: usher.yaml, or a Crossbar.io node file. Default: ./usher.yaml if it is there, else demo mode."`
	Scripts string `placeholder:"DIR" help:"Directory of the Lua components, instead of the configuration's."`
}

// source is configuration and scripts as they were found.
type source struct {
	config *config.Config
	file   string    // of the configuration; empty in demo mode
	seen   fileState // of that file, just before it was read
	dir    string    // scripts directory; empty: none, or the shipped scripts
	fs     fs.FS     // the shipped scripts; nil: not used
}

// demo reports whether the built-in configuration is used.
func (s *source) demo() bool { return s.file == "" }

// hasScripts reports whether there is anything to run.
func (s *source) hasScripts() bool { return s.dir != "" || s.fs != nil }

// load reads and checks the configuration, and finds the scripts.
func (f sourceFlags) load() (*source, error) {
	s := &source{file: f.Config}
	if s.file == "" {
		switch _, err := os.Stat(defaultConfig); {
		case err == nil:
			s.file = defaultConfig
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("configuration: %w", err)
		}
	}
	if s.demo() {
		return s, s.loadDemo(f)
	}
	s.seen = lookAt(s.file)
	c, err := config.Load(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; `usher init DIR` writes one to start from", err)
	}
	if err != nil {
		return nil, err
	}
	s.config, s.dir = c, c.Scripts.Directory
	if beside := filepath.Join(filepath.Dir(s.file), defaultScripts); c.Crossbar && checkDirectory(beside) == nil {
		s.dir = beside
	}
	if f.Scripts != "" {
		s.dir = f.Scripts
	}
	return s, checkDirectory(s.dir)
}

// blame says where to mend what shows only when the configuration is used.
func (s *source) blame(err error) error {
	if s.demo() {
		return err
	}
	return fmt.Errorf("%s: %w", s.file, err)
}

// loadDemo takes the built-in configuration, with the scripts of the working
// directory if there are any, so that a change to them shows at once.
func (s *source) loadDemo(f sourceFlags) (err error) {
	if s.config, err = config.Parse("the built-in configuration", demoYAML); err != nil {
		return err
	}
	if f.Scripts != "" {
		s.dir = f.Scripts
		return checkDirectory(s.dir)
	}
	if info, err := os.Stat(defaultScripts); err == nil && info.IsDir() {
		s.dir = defaultScripts
		return nil
	}
	s.fs = scripts.Files
	return nil
}

func checkDirectory(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("scripts directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("scripts directory: %s is not a directory", dir)
	}
	return nil
}

// listenOn replaces the address of the first listener.
func (s *source) listenOn(address string) error {
	if address == "" {
		return nil
	}
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--listen: %w; write HOST:PORT, e.g. 127.0.0.1:8080", err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return fmt.Errorf("--listen: %q is not a port number", portText)
	}
	if s.demo() && !isLoopback(host) {
		return fmt.Errorf("--listen: demo mode has well-known accounts and listens on loopback only, not on %q; "+
			"`usher init DIR` writes a configuration with tickets of your own", host)
	}
	c := *s.config
	c.Transports = slices.Clone(c.Transports)
	c.Transports[0].Endpoint = config.Endpoint{Interface: host, Port: int(port), TLS: c.Transports[0].Endpoint.TLS}
	s.config = &c
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// scripting returns what the scripting host is to be given.
func (s *source) scripting(log *slog.Logger) scripting.Options {
	sc := s.config.Scripts
	o := scripting.Options{
		Dir:          s.dir,
		FS:           s.fs,
		Components:   map[string]scripting.Role{},
		ForbidJoin:   !sc.AllowJoin,
		RequiredURIs: slices.Sorted(maps.Keys(s.config.Authenticators())),
		Env:          sc.Env,
		KVFile:       sc.KV.File,
		SQL:          map[string]scripting.Database{},
		HTTP:         lualib.HTTPOptions{AllowPrivate: sc.HTTP.AllowPrivate, Allowed: sc.HTTP.Allow},
		Limits: scripting.Limits{
			Call: lua51.Limits{
				Instructions: int64(sc.Limits.Instructions),
				Bytes:        int64(sc.Limits.Memory),
				PatternSteps: int64(sc.Limits.PatternSteps),
				Wall:         sc.Limits.HandlerTimeout,
			},
			VMs:        sc.Limits.VMs,
			IdleVMs:    sc.Limits.IdleVMs,
			CallsPerVM: sc.Limits.VMCalls,
			QueueWait:  sc.Limits.QueueWait,
			Depth:      sc.Limits.CallDepth,
			HashMemory: sc.Limits.HashMemory,
			Store:      lualib.StoreLimits{Entries: sc.KV.Entries, Bytes: sc.KV.Bytes},
		},
		Log: log,
	}
	for name, db := range sc.SQL {
		o.SQL[name] = scripting.Database{
			Database: lualib.Database{Driver: db.Driver, DSN: db.DSN, File: db.File, ReadOnly: db.ReadOnly, Connections: db.Connections},
			DSNEnv:   db.DSNEnv,
		}
	}
	for name, c := range s.config.Components {
		o.Components[name] = scripting.Role{Realm: c.Realm, Authrole: c.Role}
	}
	return o
}

// describeScripts says where the scripts are, for people.
func (s *source) describeScripts() string {
	switch {
	case s.dir != "":
		if abs, err := filepath.Abs(s.dir); err == nil {
			return abs
		}
		return s.dir
	case s.fs != nil:
		return "built in"
	}
	return "none"
}

// shutdownTimeout is how long SIGTERM may take.
func (s *source) shutdownTimeout() time.Duration {
	if t := s.config.Limits.ShutdownTimeout; t != 0 {
		return t
	}
	return 10 * time.Second
}
