package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"usher/router/client"
	"usher/router/wamp"
)

const clientsConfig = `
realms:
  - name: realm1
    roles:
      - name: anybody
        permissions:
          - {uri: "", match: prefix, allow: {call: true, register: true, publish: true, subscribe: true}}
          - {uri: com.example.secret, allow: {}}
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0}
    paths:
      ws:
        type: websocket
        auth:
          anonymous: {type: static, role: anybody}
          ticket: {type: static, principals: {joe: {ticket: s3cret, role: anybody}}}
      tickets:
        type: websocket
        auth: {ticket: {type: static, principals: {joe: {ticket: s3cret, role: anybody}}}}
`

// servedURL starts a router and returns its address for clients.
func servedURL(t *testing.T) string {
	t.Helper()
	log, _ := serving(t, clientsConfig, nil)
	url := regexp.MustCompile(`ws://[^/"\s]+/ws\b`).FindString(log.String())
	if url == "" {
		t.Fatalf("no address in\n%s", log.String())
	}
	return url
}

// running is a command that a test left running.
type running struct {
	out, err output
	stop     context.CancelFunc
	ended    chan int
}

// start runs a command until it ends or the test does.
func start(t *testing.T, args ...string) *running {
	ctx, stop := context.WithCancel(context.Background())
	r := &running{stop: stop, ended: make(chan int, 1)}
	done := make(chan struct{})
	go func() { // ends with ctx
		defer close(done)
		r.ended <- run(ctx, args, streams{in: strings.NewReader(""), out: &r.out, err: &r.err})
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return r
}

// status waits for the command's end.
func (r *running) status(t *testing.T) int {
	t.Helper()
	select {
	case status := <-r.ended:
		return status
	case <-time.After(20 * time.Second):
		t.Fatalf("the command goes on and on:\n%s%s", r.out.String(), r.err.String())
		return 0
	}
}

// client runs a client command to its end.
func clientCommand(t *testing.T, url, stdin, verb string, args ...string) (status int, out, errs string) {
	t.Helper()
	return usher(t, t.TempDir(), stdin, append([]string{verb, "--url", url}, args...)...)
}

func TestRegisterAndCall(t *testing.T) {
	url := servedURL(t)
	for _, format := range []string{"json", "msgpack", "cbor"} {
		t.Run(format, func(t *testing.T) {
			callee := start(t, "register", "--url", url, "--format", format, "--count", "1", "com.example.echo")
			callee.err.waitFor(t, 0, "registered com.example.echo (exact)")
			status, out, errs := clientCommand(t, url, "", "call", "com.example.echo", `"grüß & <b>"`, "9007199254740993", `{"a": [true, null]}`, "-k", `{"b": 1.5}`)
			want := `{"args":["grüß & <b>",9007199254740993,{"a":[true,null]}],"kwargs":{"b":1.5}}` + "\n"
			if status != exitOK || out != want || errs != "" {
				t.Errorf("exit status %d\ngot  %swant %s%s", status, out, want, errs)
			}
			if status := callee.status(t); status != exitOK {
				t.Errorf("register ended with %d: %s", status, callee.err.String())
			}
			wantCall := regexp.MustCompile(`^\{"procedure":"com.example.echo","registration":\d+,"args":\["grüß & <b>",9007199254740993,\{"a":\[true,null\]\}\],"kwargs":\{"b":1.5\}\}\n$`)
			if got := callee.out.String(); !wantCall.MatchString(got) {
				t.Errorf("register printed %s", got)
			}
		})
	}
}

func TestCallOutcomes(t *testing.T) {
	url := servedURL(t)
	callee := start(t, "register", "--url", url, "--error", "com.example.no", "com.example.fails", `"because"`, "--kwargs", `{"a":1}`)
	callee.err.waitFor(t, 0, "registered")
	const denied = `login refused: wamp.error.authentication_denied`
	for name, c := range map[string]struct {
		url       string
		stdin     string
		env       string
		args      []string
		status    int
		out, errs string // regular expressions
	}{
		"no arguments":         {args: []string{"wamp.session.count"}, out: `^\{"args":\[\d+\]\}\n$`, errs: `^$`},
		"an application error": {args: []string{"com.example.fails"}, status: exitAnswer, out: `^\{"error":"com.example.no","args":\["because"\],"kwargs":\{"a":1\}\}\n$`, errs: `^usher: call com.example.fails: com.example.no: because\n$`},
		"no such procedure":    {args: []string{"com.example.none"}, status: exitAnswer, out: `"error":"wamp.error.no_such_procedure"`, errs: `com.example.none`},
		"not authorized":       {args: []string{"com.example.secret"}, status: exitAnswer, out: `"error":"wamp.error.not_authorized"`, errs: `not_authorized`},
		"not JSON":             {args: []string{"com.example.x", "5", "joe"}, status: exitUsage, errs: `argument 2: joe is not JSON; a text is written '"joe"'`},
		"kwargs no object":     {args: []string{"com.example.x", "-k", "[1]"}, status: exitUsage, errs: `--kwargs: \[1\] is not a JSON object`},
		"kwargs not JSON":      {args: []string{"com.example.x", "-k", "{a}"}, status: exitUsage, errs: `--kwargs: \{a\} is not a JSON object`},
		"no procedure":         {status: exitUsage, errs: `<procedure>"\nusher --help lists the commands, usher call --help its flags\.`},
		"a negative number":    {args: []string{"com.example.x", "5", "-5"}, status: exitUsage, errs: `unknown flag -5(.*\n)+A negative number goes behind --`},
		"a negative time":      {args: []string{"com.example.x", "--timeout=-5s"}, status: exitUsage, errs: `--timeout: -5s`},
		"nobody there":         {url: "ws://127.0.0.1:1/ws", args: []string{"com.example.x"}, status: exitConnect, errs: `^usher: cannot connect to ws://127.0.0.1:1/ws: dial tcp .*refused; is a router there\? --url or USHER_URL says where to look\n$`},
		"no such scheme":       {url: "http://127.0.0.1:1/ws", args: []string{"com.example.x"}, status: exitConnect, errs: `the scheme "http" is none of`},
		"no such path":         {url: strings.TrimSuffix(url, "ws") + "elsewhere", args: []string{"com.example.x"}, status: exitConnect, errs: `404`},
		"no such realm":        {args: []string{"--realm", "elsewhere", "com.example.x"}, status: exitLogin, errs: `login refused: wamp.error.no_such_realm`},
		"nobody anonymous":     {url: strings.TrimSuffix(url, "ws") + "tickets", args: []string{"com.example.x"}, status: exitLogin, errs: `login refused: wamp.error.no_matching_auth_method`},
		"a ticket on stdin":    {stdin: "s3cret\nmore", args: []string{"--authid", "joe", "wamp.session.count"}, out: `args`, errs: `^$`},
		"a ticket in env":      {env: "s3cret", args: []string{"--authid", "joe", "wamp.session.count"}, out: `args`, errs: `^$`},
		"a wrong ticket":       {stdin: "s3crets", args: []string{"--authid", "joe", "wamp.session.count"}, status: exitLogin, errs: denied},
		"an unknown user":      {stdin: "s3cret", args: []string{"--authid", "eve", "wamp.session.count"}, status: exitLogin, errs: denied},
		"no CA file":           {args: []string{"--ca", "nowhere.pem", "wamp.session.count"}, status: exitFailed, errs: `--ca: .*nowhere.pem`},
		"no CA in the file":    {args: []string{"--ca", os.DevNull, "wamp.session.count"}, status: exitFailed, errs: `--ca: .* holds no certificate in PEM form`},
	} {
		t.Run(name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv(ticketVariable, c.env)
			}
			if c.url == "" {
				c.url = url
			}
			status, out, errs := clientCommand(t, c.url, c.stdin, "call", c.args...)
			if status != c.status || !regexp.MustCompile(c.out).MatchString(out) || !regexp.MustCompile(c.errs).MatchString(errs) {
				t.Errorf("exit status %d, want %d\nstandard output: %s\nstandard error: %s", status, c.status, out, errs)
			}
			if strings.Contains(out+errs, "s3cret") {
				t.Error("the ticket is shown")
			}
		})
	}
}

func TestSubscribeAndPublish(t *testing.T) {
	url := servedURL(t)
	subscriber := start(t, "subscribe", "--url", url, "--match", "prefix", "--count", "3", "com.example.a.", "com.example.b.")
	subscriber.err.waitFor(t, 0, "subscribed to com.example.b. (prefix)")
	if status, out, errs := clientCommand(t, url, "", "publish", "--count", "2", "com.example.a.x", "1", "-k", `{"k":2}`); status != exitOK || strings.Count(out, `{"publication":`) != 2 {
		t.Fatalf("publish: %d %s%s", status, out, errs)
	}
	if status, out, errs := clientCommand(t, url, "", "publish", "--no-acknowledge", "com.example.b.y"); status != exitOK || out != "" {
		t.Fatalf("publish: %d %s%s", status, out, errs)
	}
	if status := subscriber.status(t); status != exitOK {
		t.Errorf("subscribe ended with %d: %s", status, subscriber.err.String())
	}
	const event = `\{"topic":"com\.example\.a\.x","subscription":\d+,"publication":\d+,"args":\[1\],"kwargs":\{"k":2\}\}\n`
	want := regexp.MustCompile(`^` + event + event + `\{"topic":"com\.example\.b\.y","subscription":\d+,"publication":\d+\}\n$`)
	if got := subscriber.out.String(); !want.MatchString(got) {
		t.Errorf("got\n%s", got)
	}
	if status, out, errs := clientCommand(t, url, "", "publish", "com.example.secret"); status != exitAnswer || out != "" || !strings.Contains(errs, "wamp.error.not_authorized") {
		t.Errorf("publish: %d %s%s", status, out, errs)
	}
	if status, _, errs := clientCommand(t, url, "", "subscribe", "--timeout", "10ms", "com.example.a"); status != exitTimeout || !strings.Contains(errs, "after 10ms") {
		t.Errorf("subscribe: %d %s", status, errs)
	}
	for _, args := range [][]string{{"subscribe", "--count=-1"}, {"subscribe", "--timeout=-1s"}, {"register", "--concurrency=-1"}, {"publish", "--count=0"}} {
		if status, _, errs := clientCommand(t, url, "", args[0], args[1], "com.example.a"); status != exitUsage || !strings.Contains(errs, "less than") {
			t.Errorf("%v: %d %s", args, status, errs)
		}
	}
	if status, _, errs := clientCommand(t, url, "", "subscribe", "com.example.a#"); status != exitAnswer || !strings.Contains(errs, "wamp.error.invalid_uri") {
		t.Errorf("subscribe: %d %s", status, errs)
	}
}

// What the router and a callee without an answer make of calls.
// Each flag that narrows an audience leaves joe out; what nobody is left out of comes
// through, and no more of it than was asked for.
func TestAudienceOnTheCommandLine(t *testing.T) {
	url := servedURL(t)
	t.Setenv(ticketVariable, "s3cret")
	subscriber := start(t, "subscribe", "--url", url, "--authid", "joe", "--count", "2", "com.example.a")
	subscriber.err.waitFor(t, 0, "subscribed")
	_, sessions, _ := clientCommand(t, url, "", "call", "wamp.session.list")
	ids := regexp.MustCompile(`\d+`).FindAllString(sessions, 2) // joe's, and the caller's, which is over
	if len(ids) != 2 {
		t.Fatalf("sessions are %s", sessions)
	}
	for _, flags := range [][]string{
		{"--exclude-authid", "joe"}, {"--exclude-authrole", "anybody"}, {"--exclude", ids[0], "--exclude", ids[1]},
		{"--eligible-authid", "eve"}, {"--eligible-authrole", "nobody"}, {"--eligible", "1"}, {"--count", "20"},
	} {
		if status, out, errs := clientCommand(t, url, "", "publish", append(flags, "com.example.a", `"`+flags[0]+`"`)...); status != exitOK {
			t.Fatalf("%s: %d %s%s", flags, status, out, errs)
		}
	}
	if status := subscriber.status(t); status != exitOK {
		t.Errorf("subscribe ended with %d: %s", status, subscriber.err.String())
	}
	if got := subscriber.out.String(); strings.Count(got, "\n") != 2 || strings.Count(got, `"args":["--count"]`) != 2 {
		t.Errorf("got\n%s", got)
	}
}

func TestCallsThatTakeLong(t *testing.T) {
	url := servedURL(t)
	callee, err := client.Connect(t.Context(), url, client.Options{Realm: "realm1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(callee.Close)
	called := make(chan struct{}, 1)
	_, err = callee.Register(t.Context(), "com.example.slow", wamp.RegisterOptions{}, func(ctx context.Context, _ *wamp.Invocation) (wamp.Payload, error) {
		called <- struct{}{}
		<-ctx.Done()
		return wamp.Payload{}, context.Cause(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	status, out, errs := clientCommand(t, url, "", "call", "--timeout", "50ms", "com.example.slow")
	if status != exitTimeout || !strings.Contains(out, `"error":"wamp.error.timeout"`) || !strings.Contains(errs, "wamp.error.timeout") {
		t.Errorf("exit status %d: %s%s", status, out, errs)
	}
	<-called
	stopped := start(t, "call", "--url", url, "com.example.slow")
	<-called
	stopped.stop()
	if status := stopped.status(t); status != exitFailed || !strings.Contains(stopped.err.String(), "context canceled") {
		t.Errorf("exit status %d: %s", status, stopped.err.String())
	}
}

func TestProgressOnTheCommandLine(t *testing.T) {
	url := servedURL(t)
	callee := start(t, "register", "--url", url, "--progress", "--count", "2", "com.example.steps", "1", "2", `"done"`)
	callee.err.waitFor(t, 0, "registered")
	status, out, errs := clientCommand(t, url, "", "call", "--receive-progress", "com.example.steps")
	if want := `{"progress":true,"args":[1]}` + "\n" + `{"progress":true,"args":[2]}` + "\n" + `{"args":["done"]}` + "\n"; status != exitOK || out != want {
		t.Errorf("exit status %d\ngot  %swant %s%s", status, out, want, errs)
	}
	if _, out, _ := clientCommand(t, url, "", "call", "com.example.steps"); out != `{"args":[1,2,"done"]}`+"\n" {
		t.Errorf("without progress: %s", out)
	}
	if status := callee.status(t); status != exitOK || strings.Count(callee.out.String(), `"receive_progress":true`) != 1 {
		t.Errorf("register ended with %d: %s%s", status, callee.out.String(), callee.err.String())
	}
}

// What the router takes away ends the command that had it.
func TestRevokedOnTheCommandLine(t *testing.T) {
	url := servedURL(t)
	first := start(t, "register", "--url", url, "com.example.one")
	first.err.waitFor(t, 0, "registered")
	second := start(t, "register", "--url", url, "--force-reregister", "com.example.one")
	second.err.waitFor(t, 0, "registered")
	if status := first.status(t); status != exitFailed || !strings.Contains(first.err.String(), "the router has revoked the registration") {
		t.Errorf("exit status %d: %s", status, first.err.String())
	}
}

func TestRetainedOnTheCommandLine(t *testing.T) {
	url := servedURL(t)
	if status, out, errs := clientCommand(t, url, "", "publish", "--retain", "com.example.state", `"on"`); status != exitOK {
		t.Fatalf("publish: %d %s%s", status, out, errs)
	}
	if status, out, errs := clientCommand(t, url, "", "subscribe", "--get-retained", "--count", "1", "com.example.state"); status != exitOK || !strings.Contains(out, `"retained":true,"args":["on"]`) {
		t.Errorf("subscribe: %d %s%s", status, out, errs)
	}
}

// Who is told to stop says GOODBYE, and that is no failure.
func TestClientCommandsAreStopped(t *testing.T) {
	url := servedURL(t)
	for _, command := range []*running{
		start(t, "subscribe", "--url", url, "com.example.a"),
		start(t, "register", "--url", url, "com.example.a"),
	} {
		command.err.waitFor(t, 0, "ed")
		command.stop()
		if status := command.status(t); status != exitOK {
			t.Errorf("exit status %d: %s", status, command.err.String())
		}
	}
	if status, out, errs := clientCommand(t, url, "", "call", "wamp.session.count"); out != `{"args":[1]}`+"\n" {
		t.Errorf("call: %d %s%s", status, out, errs)
	}
}

// What only its receiver can open is shown as the one argument that it is, binary.
func TestOpaquePayloadOnTheCommandLine(t *testing.T) {
	url := servedURL(t)
	subscriber := start(t, "subscribe", "--url", url, "--count", "1", "com.example.a")
	subscriber.err.waitFor(t, 0, "subscribed")
	publishCBOR(t, url, wamp.PublishOptions{Acknowledge: true, Passthru: &wamp.Passthru{Scheme: "x_mine", EncAlgo: "x_algorithm"}}, "\x42\x01\x02")
	if status := subscriber.status(t); status != exitOK || !strings.Contains(subscriber.out.String(), `"ppt_scheme":"x_mine","args":["\u0000AQI="]}`) {
		t.Errorf("exit status %d: %s%s", status, subscriber.out.String(), subscriber.err.String())
	}
}

// publishCBOR publishes an event to com.example.a, with args in CBOR.
func publishCBOR(t *testing.T, url string, o wamp.PublishOptions, args string) {
	t.Helper()
	c, err := client.Connect(t.Context(), url, client.Options{Realm: "realm1", Format: wamp.CBOR})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Publish(t.Context(), "com.example.a", o, wamp.Payload{Format: wamp.CBOR, Args: []byte(args)}); err != nil {
		t.Fatal(err)
	}
}

// full is standard output that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestCommandsEndWhereNothingCanBeWritten(t *testing.T) {
	url := servedURL(t)
	var errs output
	ended := make(chan int, 1)
	go func() { // ends with the event
		ended <- run(t.Context(), []string{"subscribe", "--url", url, "com.example.a"}, streams{in: strings.NewReader(""), out: full{}, err: &errs})
	}()
	errs.waitFor(t, 0, "subscribed")
	publishCBOR(t, url, wamp.PublishOptions{Acknowledge: true}, "\x80")
	if status := <-ended; status != exitFailed || !strings.Contains(errs.String(), "write to standard output: no space left") {
		t.Errorf("exit status %d: %s", status, errs.String())
	}
}

// A command that would stay ends with its router, and says why.
func TestCommandsEndWithTheRouter(t *testing.T) {
	path := filepath.Join(files(t, map[string]string{"usher.yaml": clientsConfig}), "usher.yaml")
	router := start(t, "serve", "--config", path, "--log-format", "text")
	router.err.waitFor(t, 0, "accepting logins")
	url := regexp.MustCompile(`ws://[^/"\s]+/ws\b`).FindString(router.err.String())
	command := start(t, "subscribe", "--url", url, "com.example.a")
	command.err.waitFor(t, 0, "subscribed")
	router.stop()
	if status := command.status(t); status != exitFailed || !strings.Contains(command.err.String(), "wamp.close.system_shutdown") {
		t.Errorf("exit status %d: %s", status, command.err.String())
	}
}

// The exit status tells what a connection failed at, also where no test has a router
// that fails so.
func TestExitStatusOfConnecting(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	refused := &client.ConnectError{Err: errors.New("refused")}
	for name, test := range map[string]struct {
		ctx    context.Context
		err    error
		status int
	}{
		"no connection":       {t.Context(), refused, exitConnect},
		"stopped by a signal": {stopped, refused, exitFailed},
		"no answer to HELLO":  {t.Context(), fmt.Errorf("join: %w", context.DeadlineExceeded), exitTimeout},
		"login refused":       {t.Context(), &client.AbortError{Reason: wamp.ErrNoSuchRole}, exitLogin},
		"another method":      {t.Context(), fmt.Errorf("join: %w", client.ErrAuthmethod), exitLogin},
		"connection lost":     {t.Context(), fmt.Errorf("join: %w", io.ErrUnexpectedEOF), exitConnect},
	} {
		if status := statusOf(connectError(test.ctx, test.err)); status != test.status {
			t.Errorf("%s: exit status %d, want %d", name, status, test.status)
		}
	}
}

// A command reaches every kind of listener, in TLS with the certificate it is told
// to trust.
func TestCommandsOverEveryListener(t *testing.T) {
	dir := t.TempDir()
	newAuthority(t, dir, "ca").issue("server")
	ca := filepath.Join(dir, "ca.pem")
	const auth = `auth: {anonymous: {type: static, role: anybody}}`
	log, _ := serving(t, clientsConfig[:strings.Index(clientsConfig, "transports:")]+`transports:
  - type: rawsocket
    endpoint: {type: tcp, interface: 127.0.0.1, port: 0, tls: {certificate: `+filepath.Join(dir, "server.pem")+`, key: `+filepath.Join(dir, "server.key")+`}}
    `+auth+`
  - type: universal
    endpoint: {type: unix, path: `+filepath.Join(dir, "s")+`}
    rawsocket: {`+auth+`}
    websocket: {ws: {`+auth+`}}
`, nil)
	for _, url := range []string{
		regexp.MustCompile(`rss://[^\s",]+`).FindString(log.String()),
		"rs+unix://" + filepath.Join(dir, "s"),
		"ws+unix://" + filepath.Join(dir, "s") + ":/ws",
	} {
		if status, out, errs := clientCommand(t, url, "", "call", "--ca", ca, "--format", "cbor", "wamp.session.count"); status != exitOK || out != `{"args":[1]}`+"\n" {
			t.Errorf("%s: exit status %d: %s%s", url, status, out, errs)
		}
	}
	raw := regexp.MustCompile(`rss://[^\s",]+`).FindString(log.String())
	if status, _, errs := clientCommand(t, raw, "", "call", "wamp.session.count"); status != exitConnect || !strings.Contains(errs, "certificate") {
		t.Errorf("a certificate that nobody trusts: exit status %d: %s", status, errs)
	}
}

// A URI may look like an address of another kind, loosely checked as it is.
func TestNotAddresses(t *testing.T) {
	if err := notAddresses("com.example.add2", "", "ws", "ws:", "news://example", "http://example.com/calc"); err != nil {
		t.Errorf("no address among these: %v", err)
	}
	for _, address := range []string{"ws://a/ws", "wss://a/ws", "rs://a:1", "rss://a:1", "ws+unix:///a:/ws", "wss+unix:///a:/ws", "rs+unix:///a", "rss+unix:///a"} {
		if notAddresses("com.example.add2", address) == nil {
			t.Errorf("%s is taken for a URI", address)
		}
	}
}
