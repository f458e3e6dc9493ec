package scripting

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/realm"
	"usher/router/wamp"
)

const authenticate = "com.example.authenticate"

// testPolicy has one realm with roles for authenticators, for components that
// may do everything, and for clients.
func testPolicy() *realm.Policy {
	all := auth.Call | auth.Register | auth.Publish | auth.Subscribe
	roles := map[string]*auth.Role{}
	for _, r := range []*auth.Role{
		{Name: "authenticator", Rules: []auth.Rule{
			{URI: authenticate, Allow: auth.Register},
			{URI: "com.example.authenticate2", Allow: auth.Register},
			{URI: "com.example.", Match: wamp.Prefix, Allow: auth.Call | auth.Publish},
		}},
		{Name: "backend", Rules: []auth.Rule{
			{URI: "", Match: wamp.Prefix, Allow: all},
			{URI: "com.example.denied"},
		}},
		{Name: "frontend", Rules: []auth.Rule{{URI: "", Match: wamp.Prefix, Allow: all}}},
		{Name: "authorizer", Rules: []auth.Rule{{URI: authorize, Allow: auth.Register}}},
		{Name: "guarded", Authorizer: authorize},
	} {
		roles[r.Name] = r
	}
	return &realm.Policy{
		Realms: map[string]*realm.RealmPolicy{
			"realm1": {Name: "realm1", Roles: roles},
			"realm2": {Name: "realm2", Roles: roles},
		},
		Authenticators: map[string]bool{authenticate: true, "com.example.authenticate2": true, authorize: true},
	}
}

// logBuffer is a log that tests can read.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines returns the lines that contain all of parts.
func (b *logBuffer) lines(parts ...string) []string {
	var found []string
lines:
	for line := range strings.Lines(b.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		found = append(found, line)
	}
	return found
}

// world is a host with its node, directory and log.
type world struct {
	testing.TB
	host *Host
	node *realm.Node
	dir  string
	log  *logBuffer

	nodeLog logBuffer
}

// newWorld starts a host on a directory with the scripts given. change may adapt
// the options.
func newWorld(t testing.TB, scripts map[string]string, change ...func(*Options)) *world {
	t.Helper()
	w := &world{TB: t, dir: t.TempDir(), log: &logBuffer{}}
	for name, text := range scripts {
		w.write(name, text)
	}
	o := Options{Dir: w.dir, Log: slog.New(slog.NewTextHandler(w.log, nil))}
	for _, c := range change {
		c(&o)
	}
	w.node = realm.NewNode(testPolicy(), realm.Limits{}, "test", slog.New(slog.NewTextHandler(&w.nodeLog, nil)))
	host, err := New(o, w.node)
	if err != nil {
		t.Fatal(err)
	}
	w.host = host
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := host.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := host.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return w
}

// write saves a script as cat > does.
func (w *world) write(name, text string) {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

// reload loads what has changed; the error is that of any component.
func (w *world) reload() error {
	w.Helper()
	return w.host.Reload()
}

// status returns the status of a component.
func (w *world) status(name string) ComponentStatus {
	w.Helper()
	for _, s := range w.host.Status() {
		if s.Name == name {
			return s
		}
	}
	w.Fatalf("no component %s in %+v", name, w.host.Status())
	return ComponentStatus{}
}

// login asks the authenticator at com.example.authenticate.
func (w *world) login(authid, ticket string) (*auth.Principal, error) {
	return w.loginAs(authenticate, &auth.Request{
		Realm: "realm1", Authid: authid, Authmethod: auth.MethodTicket, Ticket: ticket, Session: 7,
		Transport: &auth.Transport{Type: "websocket", Protocol: "wamp.2.json", Peer: "tcp4:127.0.0.1:17185",
			HeadersReceived: map[string]string{"user-agent": "test", "host": "localhost"}},
	})
}

func (w *world) loginAs(uri string, r *auth.Request) (*auth.Principal, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return w.node.Authenticate(ctx, &auth.Dynamic{URI: uri, Realm: "realm1"}, r)
}

// nobody is the handler of a client that offers nothing.
type nobody struct{ events chan *realm.LocalEvent }

func (n nobody) Invoke(*realm.LocalInvocation) bool { return false }
func (n nobody) Closed(string)                      {}
func (n nobody) Event(e *realm.LocalEvent) {
	e.Payload = e.Payload.Clone()
	n.events <- e
}

// client joins a session of its own.
func (w *world) client() *client {
	w.Helper()
	events := make(chan *realm.LocalEvent, 1000)
	l, err := w.node.Join(realm.LocalOptions{Realm: "realm1", Authrole: "frontend", Authid: "client"}, nobody{events})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(l.Leave)
	return &client{w, l, events}
}

type client struct {
	*world
	local  *realm.Local
	events chan *realm.LocalEvent
}

// call calls with args in JSON and returns the result's args in JSON, or the error.
func (c *client) call(uri, args string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p := wamp.Payload{Format: wamp.JSON}
	if args != "" {
		p.Args = []byte(args)
	}
	result, err := c.local.Call(ctx, uri, wamp.CallOptions{}, p)
	if err != nil {
		return "", err
	}
	return c.json(result), nil
}

// json is a payload's args, and kwargs if there are any, in JSON.
func (c *client) json(p wamp.Payload) string {
	text := "[]"
	if p.Args != nil {
		data, err := codec.AppendValue(nil, wamp.JSON, wamp.Value{Format: p.Format, Bytes: p.Args})
		if err != nil {
			c.Error(err)
		}
		text = string(data)
	}
	if p.Kwargs != nil {
		data, err := codec.AppendValue(nil, wamp.JSON, wamp.Value{Format: p.Format, Bytes: p.Kwargs})
		if err != nil {
			c.Error(err)
		}
		text += " " + string(data)
	}
	return text
}

// mustCall fails the test if the call fails.
func (c *client) mustCall(uri, args string) string {
	c.Helper()
	result, err := c.call(uri, args)
	if err != nil {
		c.Fatalf("call %s(%s): %v", uri, args, err)
	}
	return result
}

// errorURI returns the URI of a WAMP error.
func errorURI(err error) string {
	var reply *realm.ErrorReply
	if errors.As(err, &reply) {
		return reply.URI
	}
	return ""
}

// eventually waits until f is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// subscribe makes the events on a topic all that the client gets.
func (c *client) subscribe(topic string) <-chan *realm.LocalEvent {
	c.Helper()
	if err := c.local.Bind(realm.Bindings{Subscriptions: []realm.SubscriptionBinding{{URI: topic}}}, nil); err != nil {
		c.Fatal(err)
	}
	return c.events
}
