package router

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/router/client"
	"usher/router/config"
	"usher/router/wamp"
)

// pollConf is a configuration with a long-poll path.
func pollConf(options string) string {
	return strings.Replace(testConfig, "limits: {ping_interval: 20s, queue_size: 1MiB}\n", `      lp:
        type: longpoll
        options: {`+options+`}
        auth:
          anonymous: {type: static, role: user}
          ticket: {type: static, principals: {joe: {ticket: s3cret, role: user}}}
limits: {max_message_size: 4KiB, hello_timeout: 500ms, close_timeout: 1s, longpoll_transports: 300, handshakes_per_address: 200}
`, 1)
}

// poller is a client that makes HTTP requests.
type poller struct {
	t    testing.TB
	http *http.Client
	base string // of the path
	path string // of the transport
}

func newPoller(t testing.TB, r *Router) *poller {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &poller{t: t, http: &http.Client{Transport: transport, Timeout: 20 * time.Second}, base: r.Addresses()[0].LongPolls[0]}
}

func (p *poller) post(url, body string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	a, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

func (p *poller) open() *poller {
	p.t.Helper()
	status, body := p.post(p.base+"/open", `{"protocols": ["wamp.2.json"]}`)
	var opened struct{ Transport string }
	if err := json.Unmarshal([]byte(body), &opened); status != 200 || err != nil {
		p.t.Fatalf("open: %d %s", status, body)
	}
	return &poller{t: p.t, http: p.http, base: p.base, path: p.base + "/" + opened.Transport}
}

func (p *poller) send(messages ...string) {
	p.t.Helper()
	for _, m := range messages {
		if status, body := p.post(p.path+"/send", m); status != 204 {
			p.t.Fatalf("send %s: %d %s", m, status, body)
		}
	}
}

// receive makes receive requests until there is a message, or a refusal.
func (p *poller) receive() (int, string) {
	p.t.Helper()
	for {
		if status, body := p.post(p.path+"/receive", ""); status != 204 {
			return status, body
		}
	}
}

// expect checks the next messages by the beginnings of their texts.
func (p *poller) expect(prefixes ...string) (last string) {
	p.t.Helper()
	for _, want := range prefixes {
		status, got := p.receive()
		if status != 200 || !strings.HasPrefix(got, want) {
			p.t.Fatalf("got %d %s, want %s", status, got, want)
		}
		last = got
	}
	return last
}

// expectGone checks that the transport ends, with this reason.
func (p *poller) expectGone(reason string) {
	p.t.Helper()
	if status, body := p.receive(); status != http.StatusGone || !strings.Contains(body, reason) {
		p.t.Errorf("got %d %s, want 410 %s", status, body, reason)
	}
}

const pollHello = `[1,"realm1",{"roles":{"caller":{},"callee":{},"publisher":{},"subscriber":{}}}]`

func (p *poller) join() *poller {
	p.t.Helper()
	j := p.open()
	j.send(pollHello)
	j.expect(`[2,`)
	return j
}

func TestLongPollSession(t *testing.T) {
	r, url := serve(t, pollConf("request_timeout: 100ms"))
	p := newPoller(t, r).open()
	p.send(`[1,"realm1",{"authmethods":["ticket"],"authid":"joe","roles":{"caller":{},"callee":{},"publisher":{},"subscriber":{}}}]`)
	p.expect(`[4,"ticket",{}]`)
	p.send(`[5,"s3cret",{}]`)
	if welcome := p.expect(`[2,`); !strings.Contains(welcome, `"authid":"joe"`) || !strings.Contains(welcome, `"authmethod":"ticket"`) {
		t.Errorf("WELCOME %s", welcome)
	}
	p.send(`[64,1,{},"com.example.echo"]`, `[32,2,{},"com.example.topic"]`)
	registered := p.expect(`[65,1,`)
	subscribed := p.expect(`[33,2,`)

	// A client on a WebSocket calls it, and publishes to it.
	other := connect(t, url, client.Options{})
	sent, err := other.Payload([]any{"hi"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var calling sync.WaitGroup
	calling.Go(func() {
		got, err := other.Call(t.Context(), "com.example.echo", wamp.CallOptions{}, sent)
		if err != nil || string(got.Args) != `["ho"]` {
			t.Errorf("call: %s, %v", got.Args, err)
		}
	})
	var invocation struct{ request, registration int }
	text := p.expect(`[68,`)
	if _, err := fmt.Sscanf(text, "[68,%d,%d,", &invocation.request, &invocation.registration); err != nil || !strings.Contains(registered, fmt.Sprintf(",%d]", invocation.registration)) {
		t.Errorf("INVOCATION %s after %s", text, registered)
	}
	p.send(fmt.Sprintf(`[70,%d,{},["ho"]]`, invocation.request))
	calling.Wait()
	if _, err := other.Publish(t.Context(), "com.example.topic", wamp.PublishOptions{Acknowledge: true}, sent); err != nil {
		t.Fatal(err)
	}
	var subscription int
	if event := p.expect(`[36,`); !strings.HasSuffix(event, `["hi"]]`) {
		t.Errorf("EVENT %s", event)
	} else if _, err := fmt.Sscanf(event, "[36,%d,", &subscription); err != nil || !strings.Contains(subscribed, fmt.Sprintf(",%d]", subscription)) {
		t.Errorf("EVENT %s after %s", event, subscribed)
	}

	// Requests that overtake each other are answered in the order of their ids.
	p.send(`[48,4,{},"com.example.none"]`, `[48,5,{},"com.example.none"]`, `[48,3,{},"com.example.none"]`)
	p.expect(`[8,48,3,`, `[8,48,4,`, `[8,48,5,`)

	p.send(`[6,{},"wamp.close.normal"]`)
	p.expect(`[6,{},"wamp.close.normal"]`)
	p.expectGone("closed normally")
	if status, _ := p.post(p.path+"/close", ""); status != 204 {
		t.Errorf("close: %d", status)
	}
}

// Who is refused or sent away hears why from the next receive request.
func TestLongPollLastWords(t *testing.T) {
	r, _ := serve(t, pollConf("request_timeout: 100ms"))
	p := newPoller(t, r)
	for _, test := range []struct {
		name         string
		join         bool
		send         string
		status       int
		last, reason string
	}{
		{"nothing is said", false, "", 0, `[3,{"message":"no HELLO came within 500ms"},"wamp.error.timeout"]`, "timeout"},
		{"no such realm", false, `[1,"realm9",{"roles":{"caller":{}}}]`, 204, `[3,{"message":"`, "closed normally"},
		{"a call before HELLO", false, `[48,1,{},"com.example.none"]`, 204, `[3,{"message":"received CALL before`, "protocol violation"},
		{"no JSON", true, `{`, 204, `[3,{"message":"`, "protocol violation"},
		{"an id that was used", true, `[48,0,{},"com.example.none"]`, 204, `[3,{"message":"`, "protocol violation"},
		{"an empty body", true, ` `, 204, `[3,{"message":"`, "protocol violation"},
		{"a large message", true, strings.Repeat(" ", 4097), 413, `[3,{"message":"transport violation: message too large: more than 4096 bytes"},"wamp.error.protocol_violation"]`, "protocol violation"},
		{"what only a router sends", true, `[2,1,{}]`, 204, `[3,{"message":"`, "protocol violation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := *p
			p.t = t
			c := p.open()
			if test.join {
				c.send(pollHello)
				c.expect(`[2,`)
			}
			if test.send != "" {
				if status, body := c.post(c.path+"/send", test.send); status != test.status {
					t.Errorf("send: %d %s", status, body)
				}
			}
			c.expect(test.last)
			c.expectGone(test.reason)
			if status, _ := c.post(c.path+"/send", `[6,{},"wamp.close.goodbye_and_out"]`); status != 204 {
				t.Errorf("a GOODBYE afterwards: %d", status)
			}
		})
	}
}

// A client that stops polling is not waited for: it loses its session, not
// others their time.
func TestLongPollClientThatStopsPolling(t *testing.T) {
	r, url := serve(t, pollConf("queue_limit_messages: 10, session_timeout: 10s"))
	p := newPoller(t, r).join()
	p.send(`[32,1,{},"com.example.topic"]`)
	p.expect(`[33,1,`)
	other := connect(t, url, client.Options{})
	sent, err := other.Payload([]any{"hi"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := other.Publish(t.Context(), "com.example.topic", wamp.PublishOptions{Acknowledge: true}, sent); err != nil {
			t.Fatal(err)
		}
	}
	p.expectGone("out queue is full")
}

// A client that vanishes leaves nothing behind: its procedure is free again.
func TestLongPollClientThatVanishes(t *testing.T) {
	r, url := serve(t, pollConf("session_timeout: 1s"))
	p := newPoller(t, r).join()
	p.send(`[64,1,{},"com.example.mine"]`)
	p.expect(`[65,1,`)
	other := connect(t, url, client.Options{})
	for deadline := time.Now().Add(10 * time.Second); ; {
		_, err := other.Register(t.Context(), "com.example.mine", wamp.RegisterOptions{}, nil)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	p.expectGone("no sign of life")
}

// Nobody can take all the room: a flood of opens is bounded and passes, and a
// client on a WebSocket joins meanwhile.
func TestFloodOfLongPollOpens(t *testing.T) {
	before := runtime.NumGoroutine()
	r, url := serve(t, pollConf(""))
	p := newPoller(t, r)
	answers := map[int]int{}
	for range 500 {
		status, _ := p.post(p.base+"/open", `{"protocols": ["wamp.2.json"]}`)
		answers[status]++
	}
	if answers[200] < 300 || answers[503] == 0 || answers[200]+answers[503] != 500 {
		t.Errorf("answers %v", answers)
	}
	for deadline := time.Now().Add(10 * time.Second); ; { // those that said nothing have to go first
		c, err := client.Connect(t.Context(), url, client.Options{Realm: "realm1"})
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+30; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	p.join().send(`[6,{},"wamp.close.normal"]`)
}

// A call in flight is answered when the router stops, and GOODBYE follows.
func TestShutdownAnswersLongPollClients(t *testing.T) {
	r, url := serve(t, pollConf(""))
	callee := connect(t, url, client.Options{})
	running, finish := make(chan struct{}), make(chan struct{})
	handler := func(context.Context, *wamp.Invocation) (wamp.Payload, error) {
		close(running)
		<-finish
		return wamp.Payload{}, nil
	}
	if _, err := callee.Register(t.Context(), "com.example.slow", wamp.RegisterOptions{}, handler); err != nil {
		t.Fatal(err)
	}
	p := newPoller(t, r).join()
	p.send(`[48,1,{},"com.example.slow"]`)
	<-running
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		down <- r.Shutdown(ctx)
	}()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if status, _ := p.post(p.base+"/open", `{"protocols": ["wamp.2.json"]}`); status == 503 {
			break
		}
	}
	close(finish)
	p.expect(`[50,1,{}`, `[6,{"message":"router is stopping"},"wamp.close.system_shutdown"]`)
	if status, _ := p.post(p.path+"/close", ""); status != 204 {
		t.Errorf("close: %d", status)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// Roles and accounts that a reload changes hold for long-poll clients too.
func TestReloadOfALongPollPath(t *testing.T) {
	r, _ := serve(t, pollConf(""))
	p := newPoller(t, r)
	stays := p.join()
	changed := parse(t, strings.Replace(pollConf("request_timeout: 5s"), "anonymous: {type: static, role: user}\n          ticket: {type: static, principals: {joe: {ticket: s3cret, role: user}}}\n", "anonymous: {type: static, role: guest}\n", 1))
	if _, err := r.Apply(changed); err != nil {
		t.Fatal(err)
	}
	stays.send(`[48,1,{},"com.example.none"]`)
	stays.expect(`[8,48,1,{},"wamp.error.no_such_procedure"`)
	fresh := p.open()
	fresh.send(pollHello)
	if welcome := fresh.expect(`[2,`); !strings.Contains(welcome, `"authrole":"guest"`) {
		t.Errorf("WELCOME %s", welcome)
	}
	for _, c := range []*poller{stays, fresh} {
		if status, _ := c.post(c.path+"/close", ""); status != 204 {
			t.Errorf("close: %d", status)
		}
	}
}

// BenchmarkIdleLongPoll measures what a session costs that waits between polls.
func BenchmarkIdleLongPoll(b *testing.B) {
	c, err := config.Parse("usher.yaml", []byte(strings.ReplaceAll(strings.ReplaceAll(pollConf("session_timeout: 10m"), "longpoll_transports: 300", "longpoll_transports: 100000"), "close_timeout: 1s", "close_timeout: 10ms")))
	if err != nil {
		b.Fatal(err)
	}
	r := serveConfig(b, c)
	p := newPoller(b, r)
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse + m.StackInuse)
	}
	p.join() // what the first needs
	before := heap()
	n := 0
	for b.Loop() {
		p.join()
		n++
	}
	b.ReportMetric((heap()-before)/float64(n), "B/session")
}
