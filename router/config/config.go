package config

import (
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

// Config is a validated configuration. It and everything it refers to is
// immutable; it may be shared between goroutines.
type Config struct {
	File       string // as given to Load or Parse
	Crossbar   bool   // it is a Crossbar.io node file, which cannot name a scripts directory
	Realms     []Realm
	Transports []Transport // at least one, with different endpoints
	Scripts    Scripts
	Components map[string]Component // by the component's name; may be nil

	TrustedProxies []netip.Prefix // whose word on a client's address is taken
	TrustUnix      bool           // likewise of whoever connects to a Unix socket
	AllowedHosts   []string       // further Host names that a loopback listener answers to; lower-case, without port

	Limits Limits

	// Warnings are what was accepted but does not work as written.
	Warnings []Problem

	files []fileCheck
}

// Realm is a realm with its roles, which have different names.
type Realm struct {
	Name     string
	Roles    []*auth.Role
	Settings RealmSettings
}

// RealmSettings are what a realm does beyond routing. Zero values mean the
// defaults of package realm.
type RealmSettings struct {
	CallTimeout    time.Duration // of calls that ask for none; 0: they have none
	MaxCallTimeout time.Duration // that a call may ask for; 0: any
	History        []HistoryRule // with different (URI, Match)
	HistoryBytes   int           // of the whole history
	RetainedEvents int
	RetainedBytes  int
	ModifyDetails  bool // wamp.session.modify_details is there
}

// HistoryRule keeps the events of a topic, or of a pattern, for later.
type HistoryRule struct {
	URI    string
	Match  wamp.Match
	Events int           // at most so many
	Age    time.Duration // at most; 0: any
}

// Transport is one listener and what it serves.
type Transport struct {
	Endpoint  Endpoint
	Paths     []Path     // with different Paths
	RawSocket *RawSocket // nil: not spoken
	// Universal: HTTP is spoken beside RawSocket. Without a RawSocket it always is.
	Universal bool
	// MaxConnections bounds the connections that are open. Zero: nothing does.
	MaxConnections int
}

// HTTP reports whether t speaks it.
func (t *Transport) HTTP() bool { return t.RawSocket == nil || t.Universal }

// kind is the type in a configuration, "web" for "websocket" too.
func (t *Transport) kind() string {
	switch {
	case t.RawSocket == nil:
		return "web"
	case t.Universal:
		return "universal"
	}
	return "rawsocket"
}

// Methods returns how clients can log in, for each way in.
func (t *Transport) Methods() []*auth.Methods {
	var all []*auth.Methods
	if t.RawSocket != nil {
		all = append(all, &t.RawSocket.Auth)
	}
	for i := range t.Paths {
		if m := t.Paths[i].methods(); m != nil {
			all = append(all, m)
		}
	}
	return all
}

// Endpoint is where a Transport listens: at a TCP port, or at a Unix socket.
type Endpoint struct {
	Interface string      // IP address or host name; empty: all interfaces
	Port      int         // 0: any free one
	Path      string      // of a Unix socket, relative to the working directory as the configuration file's name is; empty: TCP
	Mode      fs.FileMode // of a Unix socket; 0: as the system makes it
	TLS       *TLS        // nil: plain
	Ordinal   int         // how many before it have the same address, which only those at port 0 can
}

// Network returns "unix" or "tcp".
func (e Endpoint) Network() string {
	if e.Path != "" {
		return "unix"
	}
	return "tcp"
}

// Address returns the address in the form that package net takes for Network.
func (e Endpoint) Address() string {
	if e.Path != "" {
		return e.Path
	}
	return net.JoinHostPort(e.Interface, strconv.Itoa(e.Port))
}

// TLS names the files of a listener's certificate, relative to the working
// directory as the configuration file's name is.
type TLS struct {
	Certificate string   // PEM, the leaf first
	Key         string   // PEM
	Chain       []string // PEM; further certificates behind those of Certificate
	// ClientCAs are who vouches for clients: each must have a certificate that
	// verifies. Empty: clients are asked for none.
	ClientCAs []string // PEM
	// ClientOptional: a client may have none, but not one that does not verify.
	ClientOptional bool
}

// RawSocket is what clients meet who connect by RawSocket.
type RawSocket struct {
	Formats        []wamp.Format // that are spoken, at least one
	MaxMessageSize int           // bytes of an incoming message; 0: as Limits say
	AutoPing       bool          // pings are sent to clients that have not shown that they know them, too
	Auth           auth.Methods
}

// Path is what a Transport serves under one URL path. Exactly one of WebSocket,
// LongPoll, Static, Page and Metrics is set.
type Path struct {
	Path      string     // clean, begins with "/"
	WebSocket *WebSocket // at exactly Path
	LongPoll  *LongPoll  // at open, and at receive, send and close of each transport, below Path
	Static    *Static    // at Path and below
	Page      bool       // usher's own page, at Path and below
	Metrics   bool       // figures about the router, at exactly Path
}

// WebSocket is a path where WAMP clients connect.
type WebSocket struct {
	Subprotocols   []string // that are offered, e.g. "wamp.2.json"
	Auth           auth.Methods
	Cookie         *Cookie  // nil: clients get none
	AllowedOrigins []string // further origins whose pages may connect; "*" in one stands for any text
	Deflate        *Deflate // nil: messages are not compressed
}

// LongPoll is a path where WAMP clients connect by HTTP requests. Zero times and
// sizes mean the defaults of the packages web and transport.
type LongPoll struct {
	Subprotocols   []string // that are offered, e.g. "wamp.2.json"
	Auth           auth.Methods
	Cookie         *Cookie       // as of a WebSocket
	AllowedOrigins []string      // as of a WebSocket
	RequestTimeout time.Duration // how long a receive request waits for messages
	SessionTimeout time.Duration // how long a client may neither poll nor send
	QueueBytes     int           // that may wait for one client
	QueueMessages  int           // that may wait for one client; 0: bytes alone count
}

// Static is a directory of files.
type Static struct {
	Directory string // relative to the working directory as the configuration file's name is
}

// Scripts says which Lua components run and what bounds them.
type Scripts struct {
	Directory string   // relative to the working directory as the configuration file's name is; empty: none
	Env       []string // names of environment variables that scripts may read
	AllowJoin bool     // a script may choose its realm and role itself
	HTTP      ScriptHTTP
	KV        ScriptKV
	SQL       map[string]ScriptSQL // databases, by the name that sql.open is given; may be nil
	Limits    ScriptLimits
}

// ScriptKV says how much scripts may keep in kv, and where. Zero values mean the
// scripting host's defaults.
type ScriptKV struct {
	File    string // relative to the working directory as the configuration file's name is; empty: memory only
	Entries int    // of each realm
	Bytes   int    // of each realm
}

// ScriptSQL is a database that scripts may use.
type ScriptSQL struct {
	Driver      string // postgres or sqlite
	DSN         string // of postgres; a secret; empty: it is in the environment
	DSNEnv      string // the name of the variable
	File        string // of sqlite; relative to the working directory as the configuration file's name is
	ReadOnly    bool   // of sqlite
	Connections int    // at most; 0: the default
}

// String describes the database without its secret.
func (s ScriptSQL) String() string { return s.Driver + " database" }

// ScriptHTTP says what scripts may reach by HTTP.
type ScriptHTTP struct {
	AllowPrivate bool     // every address, the router's own networks included
	Allow        []string // hosts, with or without port, addresses and networks beside those of the Internet
}

// ScriptLimits bound what scripts may use. Zero values mean the scripting
// host's defaults.
type ScriptLimits struct {
	HandlerTimeout time.Duration // wall time of one handler, waiting included
	Instructions   int           // of one handler
	Memory         int           // bytes that one handler may make
	PatternSteps   int           // of the pattern matcher, in one handler
	VMs            int           // of one component
	IdleVMs        int           // of one component that are kept
	VMCalls        int           // that one VM serves before it is replaced
	QueueWait      time.Duration // for a VM
	CallDepth      int           // of router.call within router.call
	HashMemory     int           // bytes that one hash of a password may take
}

// Component is where a script's session joins, whatever the script itself says.
type Component struct {
	Realm, Role string
}

// Limits bound connections and sessions. Zero values mean the defaults of the
// packages transport and realm.
type Limits struct {
	MaxMessageSize       int // bytes of one incoming message
	QueueSize            int // bytes that may wait to be written to one client
	WriteTimeout         time.Duration
	PingInterval         time.Duration
	PingTimeout          time.Duration
	CloseTimeout         time.Duration
	HelloTimeout         time.Duration
	AuthenticateTimeout  time.Duration
	AuthenticatorTimeout time.Duration
	ShutdownTimeout      time.Duration
	PendingCalls         int // of one caller
	PendingInvocations   int // of one callee
	Registrations        int // of one session
	Subscriptions        int // of one session
	Handshakes           int // clients that are joining
	HandshakesPerAddress int
	FailedLogins         auth.ThrottleLimits
	LongPolls            int // long-poll transports that are open
}

// Roles returns the roles of each realm by name, the raw material of a policy.
// The maps are the caller's.
func (c *Config) Roles() map[string]map[string]*auth.Role {
	realms := make(map[string]map[string]*auth.Role, len(c.Realms))
	for _, r := range c.Realms {
		roles := make(map[string]*auth.Role, len(r.Roles))
		for _, role := range r.Roles {
			roles[role.Name] = role
		}
		realms[r.Name] = roles
	}
	return realms
}

// Methods returns how clients can log in, for each way in.
func (c *Config) Methods() []*auth.Methods {
	var all []*auth.Methods
	for i := range c.Transports {
		all = append(all, c.Transports[i].Methods()...)
	}
	return all
}

// Dynamics returns what the configuration names as authenticators, each once,
// in the order of the file.
func (c *Config) Dynamics() []*auth.Dynamic {
	var all []*auth.Dynamic
	for _, m := range c.Methods() {
		for _, d := range m.Dynamics() {
			if !slices.ContainsFunc(all, func(o *auth.Dynamic) bool {
				return o.URI == d.URI && o.Realm == d.Realm && slices.Equal(o.Realms, d.Realms)
			}) {
				all = append(all, d)
			}
		}
	}
	return all
}

// Tokens returns which tokens are accepted anywhere.
func (c *Config) Tokens() []*auth.JWT {
	var all []*auth.JWT
	for _, m := range c.Methods() {
		if m.Ticket != nil && m.Ticket.JWT != nil {
			all = append(all, m.Ticket.JWT)
		}
	}
	return all
}

// methods are those by which clients log in at p; nil: they can't.
func (p *Path) methods() *auth.Methods {
	switch {
	case p.WebSocket != nil:
		return &p.WebSocket.Auth
	case p.LongPoll != nil:
		return &p.LongPoll.Auth
	}
	return nil
}

// Authenticators returns the URIs that the configuration names as authenticators
// and authorizers: only the router may call them. The map is the caller's.
func (c *Config) Authenticators() map[string]bool {
	uris := map[string]bool{}
	for _, d := range c.Dynamics() {
		uris[d.URI] = true
	}
	for _, r := range c.Realms {
		for _, role := range r.Roles {
			if role.Authorizer != "" {
				uris[role.Authorizer] = true
			}
		}
	}
	return uris
}

// realmsOf returns the names of the realms where an authenticator may be asked.
func (c *Config) realmsOf(d *auth.Dynamic) []string {
	if d.Realm != "" {
		return []string{d.Realm}
	}
	if len(d.Realms) > 0 {
		return d.Realms
	}
	return slices.Sorted(maps.Keys(c.Roles()))
}

// hasRole reports whether any of the realms has the role.
func (c *Config) hasRole(role string) bool {
	for _, r := range c.Realms {
		if r.role(role) != nil {
			return true
		}
	}
	return false
}

func (c *Config) realm(name string) *Realm {
	for i := range c.Realms {
		if c.Realms[i].Name == name {
			return &c.Realms[i]
		}
	}
	return nil
}

func (r *Realm) role(name string) *auth.Role {
	for _, role := range r.Roles {
		if role.Name == name {
			return role
		}
	}
	return nil
}
