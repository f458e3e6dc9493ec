package realm

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds each wait of a test; nothing here takes that long.
const patience = 10 * time.Second

// formats are all that a client may speak.
var formats = []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR}

// eachFormat runs a test once per format.
func eachFormat(t *testing.T, test func(t *testing.T, f wamp.Format)) {
	for _, f := range formats {
		t.Run(f.String(), func(t *testing.T) { test(t, f) })
	}
}

const all = auth.Call | auth.Register | auth.Publish | auth.Subscribe

// authenticatorURI is the seed's.
const authenticatorURI = "com.example.authenticate"

// scenario is the seed's policy, with a role that may do anything beside it.
func scenario() *Policy {
	return &Policy{
		Authenticators: map[string]bool{authenticatorURI: true},
		Realms: map[string]*RealmPolicy{"realm1": {Name: "realm1", Roles: map[string]*auth.Role{
			"authenticator": {Name: "authenticator", Rules: []auth.Rule{
				{URI: authenticatorURI, Allow: auth.Register},
			}},
			"backend": {Name: "backend", Rules: []auth.Rule{
				{URI: "", Match: wamp.Prefix, Allow: all},
				{URI: "com.example.topic2"},
			}},
			"frontend": {Name: "frontend", Rules: []auth.Rule{
				{URI: "com.example.add2", Allow: auth.Call},
				{URI: "com.example.", Match: wamp.Prefix, Allow: auth.Publish},
				{URI: "com.example.topic2"},
				{URI: "com.foobar.topic1", Allow: auth.Publish},
			}},
			"anyone": {Name: "anyone", Rules: []auth.Rule{
				{URI: "", Match: wamp.Prefix, Allow: all},
			}},
		}}},
	}
}

// anonymous is an endpoint that lets anybody in under a role.
func anonymous(role string) *Endpoint {
	return &Endpoint{Auth: auth.Methods{Anonymous: &auth.Anonymous{Role: role}}}
}

// ticketed is the seed's endpoint.
func ticketed() *Endpoint {
	return &Endpoint{Auth: auth.Methods{Ticket: &auth.Ticket{Authenticator: &auth.Dynamic{URI: authenticatorURI}}}}
}

// world is a Node under test and what it logs.
type world struct {
	*Node
	t       testing.TB
	log     *logged
	serving sync.WaitGroup
}

// logged is a log that a test may read while others write.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newWorld starts a Node. At the end of the test nothing may be left in it.
func newWorld(t testing.TB, p *Policy, limits Limits) *world {
	t.Helper()
	log := new(logged)
	w := &world{t: t, log: log}
	w.Node = NewNode(p, limits, "usher-test", slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() {
		w.serving.Wait()
		w.expectEmpty()
	})
	return w
}

// expectEmpty fails where an ended session left something behind.
func (w *world) expectEmpty() {
	w.t.Helper()
	for _, s := range w.members() {
		if s.local != nil {
			s.local.Leave()
		}
	}
	st := w.Stats()
	st.SlowClients, st.DroppedEvents = 0, 0
	st.FailedLogins, st.SlowedLogins, st.RefusedLogins = 0, 0, 0
	if st != (Stats{}) {
		w.t.Errorf("ended sessions left something behind: %+v", st)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sessions) != 0 {
		w.t.Errorf("%d session ids are still taken", len(w.sessions))
	}
	if n := len(w.admission.byAddress); n != 0 {
		w.t.Errorf("%d addresses are still counted", n)
	}
	for _, r := range w.realms {
		r.expectEmpty(w.t)
	}
}

// expectEmpty fails where a realm without sessions still has what was theirs.
func (r *realm) expectEmpty(t testing.TB) {
	t.Helper()
	if n := r.members.count(); n != 0 || r.members.byRole != nil {
		t.Errorf("realm %q still has %d members, by role %v", r.name, n, r.members.byRole)
	}
	if x := &r.reflection; len(x.definitions) != 0 || len(x.sessions) != 0 || x.size != 0 {
		t.Errorf("realm %q still has %d definitions of %d sessions and %d bytes", r.name, len(x.definitions), len(x.sessions), x.size)
	}
	if n := len(r.byID.all); n != 0 {
		t.Errorf("realm %q still has %d registrations by id", r.name, n)
	}
	r.meta.mu.Lock()
	defer r.meta.mu.Unlock()
	if len(r.meta.pending) != 0 || r.meta.size != 0 || r.meta.isSending {
		t.Errorf("realm %q still has %d meta events to deliver", r.name, len(r.meta.pending))
	}
}

// client is the other end of a connection to a world.
type client struct {
	t       testing.TB
	conn    transport.Conn
	batch   transport.Batch
	decoder codec.Decoder
	session wamp.ID
	request wamp.ID
	raw     chan []byte // see sendRaw
}

// injector is a connection that can be made to read what is no message.
type injector struct {
	transport.Conn
	raw chan []byte
}

func (i injector) Read(b *transport.Batch) ([]byte, error) {
	data, err := i.Conn.Read(b)
	select {
	case data = <-i.raw:
	default:
	}
	return data, err
}

// sendRaw sends data, whatever it is.
func (c *client) sendRaw(data []byte) {
	c.t.Helper()
	c.raw <- data
	c.send(`[6,{},"com.example.instead"]`)
}

// connect opens a connection without saying anything.
func (w *world) connect(f wamp.Format, e *Endpoint) *client {
	w.t.Helper()
	return w.connectFrom(f, e, "tcp4:127.0.0.1:17185")
}

func (w *world) connectFrom(f wamp.Format, e *Endpoint, peer string) *client {
	w.t.Helper()
	router, own := transport.Pair(f, transport.Options{})
	c := &client{t: w.t, conn: own, raw: make(chan []byte, 1)}
	w.serving.Go(func() {
		w.Serve(injector{router, c.raw}, e, &auth.Transport{Type: "websocket", Protocol: "wamp.2." + f.String(), Peer: peer})
	})
	w.t.Cleanup(func() { own.Close(transport.CloseNormal) })
	return c
}

const clientRoles = `"roles":{"caller":{},"callee":{},"publisher":{},"subscriber":{}}`

// join connects and joins realm1 anonymously under a role.
func (w *world) join(f wamp.Format, role string) *client {
	w.t.Helper()
	c := w.connect(f, anonymous(role))
	c.send(`[1,"realm1",{` + clientRoles + `}]`)
	c.welcomed()
	return c
}

// login connects and presents a ticket; what the router answers is the test's.
func (w *world) login(f wamp.Format, e *Endpoint, authid, ticket string) *client {
	w.t.Helper()
	c := w.connect(f, e)
	c.send(fmt.Sprintf(`[1,"realm1",{"authmethods":["ticket"],"authid":%q,%s}]`, authid, clientRoles))
	c.expect(`[4,"ticket",{}]`)
	c.send(fmt.Sprintf(`[5,%q,{}]`, ticket))
	return c
}

// welcomed expects WELCOME and returns a copy of it.
func (c *client) welcomed() wamp.Welcome {
	c.t.Helper()
	m := c.receive()
	welcome, ok := m.(*wamp.Welcome)
	if !ok {
		c.t.Fatalf("got %s, want WELCOME", text(m))
	}
	c.session = welcome.Session
	return *welcome
}

// send sends a message that is given in JSON, in the client's format.
func (c *client) send(message string) {
	c.t.Helper()
	c.queue(message)
	c.batch.Flush()
}

// queue is send without writing yet.
func (c *client) queue(message string) {
	c.t.Helper()
	var d codec.Decoder
	m, err := d.Decode(wamp.JSON, []byte(message))
	if err != nil {
		c.t.Fatalf("%s: %v", message, err)
	}
	c.post(m)
}

// post queues a message.
func (c *client) post(m wamp.Message) {
	c.t.Helper()
	if err := c.conn.Send(&c.batch, m); err != nil {
		c.t.Fatalf("send %s: %v", text(m), err)
	}
}

// next is the id of the client's next request.
func (c *client) next() wamp.ID {
	c.request++
	return c.request
}

// read returns the next message, or the error that ends the connection.
func (c *client) read() (wamp.Message, error) {
	c.conn.SetReadDeadline(time.Now().Add(patience))
	data, err := c.conn.Read(&c.batch)
	if err != nil {
		return nil, err
	}
	return c.decoder.Decode(c.conn.Format(), data)
}

func (c *client) receive() wamp.Message {
	c.t.Helper()
	m, err := c.read()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return m
}

// text is a message in JSON.
func text(m wamp.Message) string {
	b, err := codec.Append(nil, wamp.JSON, m)
	if err != nil {
		return fmt.Sprintf("%T that cannot be written: %v", m, err)
	}
	return string(b)
}

// matches compares a message with a pattern in JSON, where * stands for anything
// within one element and ** for anything.
func matches(message, pattern string) bool {
	expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*\*`, `.*`)
	expression = strings.ReplaceAll(expression, `\*`, `[^,\]}]+`)
	return regexp.MustCompile("^" + expression + "$").MatchString(message)
}

// expect fails unless the next messages are as the patterns say.
func (c *client) expect(patterns ...string) {
	c.t.Helper()
	for _, pattern := range patterns {
		if got := text(c.receive()); !matches(got, pattern) {
			c.t.Fatalf("got  %s\nwant %s", got, pattern)
		}
	}
}

// expectClosed fails unless the router closes the connection without another message.
func (c *client) expectClosed() {
	c.t.Helper()
	m, err := c.read()
	if err == nil {
		c.t.Fatalf("got %s, want a closed connection", text(m))
	}
	if os.IsTimeout(err) {
		c.t.Fatal("the connection is still open")
	}
}

// expectNothing fails where a message is waiting: of the messages that the
// router sends to one session the answer to an UNSUBSCRIBE comes last.
func (c *client) expectNothing() {
	c.t.Helper()
	id := c.next()
	c.send(fmt.Sprintf(`[34,%d,9007199254740992]`, id))
	c.expect(fmt.Sprintf(`[8,34,%d,{},"wamp.error.no_such_subscription",["session has no subscription 9007199254740992"]]`, id))
}

// register registers a procedure and returns the registration's id.
func (c *client) register(uri, options string) wamp.ID {
	c.t.Helper()
	c.send(fmt.Sprintf(`[64,%d,%s,%q]`, c.next(), options, uri))
	m, ok := c.receive().(*wamp.Registered)
	if !ok {
		c.t.Fatalf("cannot register %q", uri)
	}
	return m.Registration
}

// subscribe subscribes to a topic and returns the subscription's id.
func (c *client) subscribe(uri, options string) wamp.ID {
	c.t.Helper()
	c.send(fmt.Sprintf(`[32,%d,%s,%q]`, c.next(), options, uri))
	m, ok := c.receive().(*wamp.Subscribed)
	if !ok {
		c.t.Fatalf("cannot subscribe to %q", uri)
	}
	return m.Subscription
}

// leave says GOODBYE and waits for the end.
func (c *client) leave() {
	c.t.Helper()
	c.send(`[6,{},"wamp.close.normal"]`)
	c.expect(`[6,{},"wamp.close.normal"]`)
	c.expectClosed()
}

// drop ends the connection without a word.
func (c *client) drop() {
	c.conn.Close(transport.CloseNormal)
	<-c.conn.Done()
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func unmarshal(p wamp.Payload, v any) error { return codec.Unmarshal(p.Format, p.Args, v) }

// newPayload is one string of so many bytes.
func newPayload(f wamp.Format, size int) (wamp.Payload, error) {
	args, err := codec.Marshal(f, []string{strings.Repeat("x", size)})
	return wamp.Payload{Format: f, Args: args}, err
}
