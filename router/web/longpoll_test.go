package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/router/transport"
	"usher/router/wamp"
)

func TestLongPollTellsTheSessionAboutItsConnection(t *testing.T) {
	w := startPolls(t, "", "trusted_proxies: [127.0.0.0/8]")
	_, k := w.open(t, "/lp", "wamp.2.json", "User-Agent", "me", "X-Forwarded-For", "192.0.2.7", "X-Forwarded-Proto", "https", "Content-Type", "application/json")
	got := k.transport
	if got.Type != "longpoll" || got.Protocol != "wamp.2.json" || got.Path != "/lp" || got.Query != "x=1" || got.Peer != "tcp4:192.0.2.7:0" || !got.Secure {
		t.Errorf("transport %+v", got)
	}
	for name, want := range map[string]string{"user-agent": "me", "host": w.address, "content-type": "application/json"} {
		if got.HeadersReceived[name] != want {
			t.Errorf("header %s is %q", name, got.HeadersReceived[name])
		}
	}
	if k.endpoint.Auth.Anonymous == nil || k.conn.Format() != wamp.JSON {
		t.Errorf("endpoint %+v", k.endpoint)
	}
	r, text := w.post(t, "/lp/open", `{"protocols": ["wamp.2.json"]}`, "X-Forwarded-For", "nonsense")
	if r.StatusCode != 400 || !strings.Contains(text, "proxy") {
		t.Errorf("a proxy's header that can't be understood: %d %s", r.StatusCode, text)
	}
}

func TestLongPollMessages(t *testing.T) {
	w := startPolls(t, "request_timeout: 50ms", "")
	for _, test := range []struct{ protocol, mime, in, out string }{
		{"wamp.2.json", "application/json", `[6,{},"a"]`, `[6,{},"b"]`},
		{"wamp.2.json.batched", "application/json", `[6,{},"a"]` + "\x18", `[6,{},"b"]` + "\x18"},
		{"wamp.2.cbor", "application/cbor", "\x83\x06\xa0\x61a", "\x83\x06\xa0\x61b"},
		{"wamp.2.cbor.batched", "application/cbor", "\x00\x00\x00\x05\x83\x06\xa0\x61a", "\x00\x00\x00\x05\x83\x06\xa0\x61b"},
	} {
		t.Run(test.protocol, func(t *testing.T) {
			path, k := w.open(t, "/lp", test.protocol)
			if r := w.expect(t, 204, "", path+"/send?x=2", test.in); r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", r.Header)
			}
			data, err := k.conn.Read(nil)
			if err != nil || !strings.Contains(test.in, string(data)) {
				t.Errorf("read %q, %v", data, err)
			}
			w.expect(t, 204, "", path+"/receive", "") // nothing came
			sendNow(t, k.conn, &wamp.Goodbye{Reason: "b"})
			r, body := w.post(t, path+"/receive?x=3", "")
			if r.StatusCode != 200 || body != test.out || r.Header.Get("Content-Type") != test.mime || r.Header.Get("Cache-Control") != "no-store" || r.ContentLength != int64(len(test.out)) {
				t.Errorf("%d %q, want %q; headers %v", r.StatusCode, body, test.out, r.Header)
			}
			w.expect(t, 204, "", path+"/close", "")
			if _, err := k.conn.Read(nil); err != io.EOF {
				t.Errorf("after close: %v, want io.EOF", err)
			}
			k.conn.Close(transport.CloseNormal)
			<-k.conn.Done()
			w.expect(t, 204, "", path+"/close", "")
			w.expect(t, 410, "has ended", path+"/receive", "")
		})
	}
}

func TestLongPollOverEveryListener(t *testing.T) {
	const paths = "{lp: {type: longpoll, " + guestAuth + ", options: {request_timeout: 50ms}}}"
	for name, text := range map[string]string{
		"web":       "type: web\n    endpoint: ENDPOINT\n    paths: " + paths,
		"universal": universalText + "\n    web: {paths: " + paths + "}",
	} {
		for kind := range places {
			t.Run(name+"/"+kind, func(t *testing.T) {
				dir := t.TempDir()
				certificate(t, dir, 1)
				w := servePolls(t, listenerConf(t, dir, place(text, kind), ""))
				path, k := w.open(t, "/lp", "wamp.2.json")
				if k.transport.Secure != strings.HasSuffix(kind, "tls") || strings.HasPrefix(k.transport.Peer, "unix:") != strings.HasPrefix(kind, "unix") {
					t.Errorf("transport %+v", k.transport)
				}
				w.expect(t, 204, "", path+"/receive", "")
				sendNow(t, k.conn, &wamp.Goodbye{Reason: "x"})
				w.expect(t, 200, `[6,{},"x"]`, path+"/receive", "")
				if a := w.Addresses()[0].LongPolls; len(a) != 1 || !strings.HasSuffix(a[0], "/lp") {
					t.Errorf("addresses %q", a)
				}
			})
		}
	}
}

func TestLongPollRefusals(t *testing.T) {
	w := startPolls(t, "", "")
	path, _ := w.open(t, "/lp", "wamp.2.json")
	other := strings.Replace(path, "/lp", "/two/lp", 1)
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		text                     string
	}{
		{"a browser looks at it", "GET", "/lp", "", 405, "give http://" + w.address + "/lp to a WAMP client"},
		{"a browser looks at open", "GET", "/lp/open", "", 405, "Only POST"},
		{"another method", "PUT", path + "/send", "x", 405, "Only POST"},
		{"no body", "POST", "/lp/open", "", 400, `{"protocols": ["wamp.2.json"]}`},
		{"no JSON", "POST", "/lp/open", "{", 400, "must be JSON"},
		{"no dict", "POST", "/lp/open", `["wamp.2.json"]`, 400, "must be JSON"},
		{"no protocols", "POST", "/lp/open", `{}`, 400, "must be JSON"},
		{"protocols of another type", "POST", "/lp/open", `{"protocols": "wamp.2.json"}`, 400, "must be JSON"},
		{"no protocol in common", "POST", "/lp/open", `{"protocols": ["wamp.2.ubjson", "wamp.2.msgpack"]}`, 400, "wamp.2.json.batched, wamp.2.json, wamp.2.cbor.batched, wamp.2.cbor;"},
		{"a large body", "POST", "/lp/open", `{"protocols": ["` + strings.Repeat("x", maxOpenBody) + `"]}`, 413, "too large"},
		{"a large body to receive", "POST", path + "/receive", strings.Repeat("x", maxOpenBody+1), 413, "too large"},
		{"an id that was never", "POST", "/lp/kjmd3sBLOUnb3Fyr/receive", "", 404, "no such transport"},
		{"an id of another path", "POST", other + "/receive", "", 404, "no such transport"},
		{"an empty id", "POST", "/lp//receive", "", 404, "no such transport"},
		{"another action", "POST", path + "/recv", "", 405, "Only GET"},
		{"below an action", "POST", path + "/receive/x", "", 405, "Only GET"},
		{"above the path", "POST", "/open", "", 405, "Only GET"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), test.method, "http://"+w.address+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if a, body := w.do(t, r); a.StatusCode != test.status || !strings.Contains(body, test.text) {
				t.Errorf("%d %s", a.StatusCode, body)
			}
		})
	}
	if n := len(w.keeper.all); n != 0 {
		t.Errorf("%d sessions too many", n)
	}
	if id := path[len("/lp/"):]; strings.Contains(w.log.String(), id) {
		t.Error("the log holds a transport's id: whoever reads it has the session")
	}
}

func TestSendThatIsRefusedEndsTheSession(t *testing.T) {
	w := startPolls(t, "", "")
	for _, test := range []struct {
		name, protocol, body string
		status               int
		text                 string
	}{
		{"empty", "wamp.2.json", "", 400, "the body is empty"},
		{"malformed", "wamp.2.json.batched", "[1]", 400, "must end with a separator"},
		{"too large", "wamp.2.json", strings.Repeat(" ", 2001), 413, "more than 2000 bytes"},
		{"much too large", "wamp.2.json", strings.Repeat(" ", 3<<20), 413, "more than 2000 bytes"},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, chunked), func(t *testing.T) {
				path, k := w.open(t, "/lp", test.protocol)
				var body io.Reader = strings.NewReader(test.body)
				if chunked {
					body = io.MultiReader(body) // of unknown length
				}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.address+path+"/send", body)
				if err != nil {
					t.Fatal(err)
				}
				// A large one may be cut before the client has read the answer.
				if a, err := w.client.Do(r); err == nil {
					text, _ := io.ReadAll(a.Body)
					a.Body.Close()
					if a.StatusCode != test.status || !strings.Contains(string(text), test.text) {
						t.Errorf("%d %s", a.StatusCode, text)
					}
				} else if len(test.body) < 1<<20 {
					t.Error(err)
				}
				if _, err := k.conn.Read(nil); !errors.Is(err, transport.ErrViolation) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("the session reads %v", err)
				}
				sendNow(t, k.conn, &wamp.Abort{Reason: wamp.ErrProtocolViolation})
				k.conn.Close(transport.CloseProtocol)
				w.expect(t, 200, wamp.ErrProtocolViolation, path+"/receive", "")
				w.expect(t, 410, "protocol violation", path+"/receive", "")
			})
		}
	}
}

func TestOneReceiveAtATime(t *testing.T) {
	w := startPolls(t, "", "")
	path, k := w.open(t, "/lp", "wamp.2.json")
	type answer struct {
		status int
		body   string
	}
	answers := make(chan answer, 2)
	for range 2 {
		go func() { // until it is refused, or the message below
			r, body := w.post(t, path+"/receive", "")
			answers <- answer{r.StatusCode, body}
		}()
	}
	if a := <-answers; a.status != http.StatusConflict || !strings.Contains(a.body, "one at a time") {
		t.Errorf("the second: %d %s", a.status, a.body)
	}
	sendNow(t, k.conn, &wamp.Goodbye{Reason: "x"})
	if a := <-answers; a.status != 200 || a.body != `[6,{},"x"]` {
		t.Errorf("the first: %d %s", a.status, a.body)
	}
}

func TestCloseWhilePolling(t *testing.T) {
	w := startPolls(t, "", "")
	path, k := w.open(t, "/lp", "wamp.2.json")
	var polling sync.WaitGroup
	polling.Go(func() {
		// Where close is there first, the receive request finds it closed.
		if r, body := w.post(t, path+"/receive", ""); r.StatusCode != 204 && r.StatusCode != 410 || strings.Contains(body, "[") {
			t.Errorf("%d %s", r.StatusCode, body)
		}
	})
	w.expect(t, 204, "", path+"/close", "")
	if _, err := k.conn.Read(nil); err != io.EOF {
		t.Errorf("the session reads %v", err)
	}
	k.conn.Close(transport.CloseNormal)
	polling.Wait()
}

func TestClientThatGoesAwayWhilePollingLosesNothing(t *testing.T) {
	w := startPolls(t, "", "")
	path, k := w.open(t, "/lp", "wamp.2.json")
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "POST %s/receive HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	c.Close()
	// The server notices, and takes another receive request.
	type answer struct {
		status int
		body   string
	}
	answers := make(chan answer, 1)
	for deadline := time.Now().Add(patience); ; {
		go func() { // until the message below
			r, body := w.post(t, path+"/receive", "")
			answers <- answer{r.StatusCode, body}
		}()
		select {
		case a := <-answers:
			if a.status != http.StatusConflict || time.Now().After(deadline) {
				t.Fatalf("%d %s", a.status, a.body)
			}
			continue
		case <-time.After(500 * time.Millisecond): // it waits
		}
		break
	}
	sendNow(t, k.conn, &wamp.Goodbye{Reason: "x"})
	if a := <-answers; a.status != 200 || a.body != `[6,{},"x"]` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The server's own deadlines are for short requests: a receive request outlives them.
func TestReceiveOutlivesTheDeadlinesOfOtherRequests(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the deadlines")
	}
	w := startPolls(t, "request_timeout: 1m, session_timeout: 1s", "")
	path, k := w.open(t, "/lp", "wamp.2.json")
	timer := time.AfterFunc(requestTimeout+time.Second, func() { sendNow(t, k.conn, &wamp.Goodbye{Reason: "late"}) })
	defer timer.Stop()
	w.expect(t, 200, `[6,{},"late"]`, path+"/receive", "")
}

func TestSilentClientIsGone(t *testing.T) {
	w := startPolls(t, "session_timeout: 50ms", "")
	path, k := w.open(t, "/lp", "wamp.2.json")
	if _, err := k.conn.Read(nil); err == nil || !strings.Contains(err.Error(), "no sign of life") {
		t.Errorf("the session reads %v", err)
	}
	w.expect(t, 410, "no sign of life", path+"/receive", "")
	w.expect(t, 410, "no sign of life", path+"/send", "x")
	w.expect(t, 204, "", path+"/close", "")
	if m := w.polls.find(w.listeners[0], "/lp", path[len("/lp/"):]); m == nil {
		t.Error("it is forgotten at once")
	}
}

func TestOpenTransportsAreBounded(t *testing.T) {
	w := startPolls(t, "", "limits: {longpoll_transports: 5}")
	var last kept
	for range 5 {
		_, last = w.open(t, "/lp", "wamp.2.json")
	}
	for range 20 {
		r := w.expect(t, 503, "too many transports are open", "/two/lp/open", `{"protocols": ["wamp.2.json"]}`)
		if r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if log := w.log.String(); !strings.Contains(log, "limits.longpoll_transports") {
		t.Error("the log does not name the limit")
	}
	last.conn.Close(transport.CloseNormal)
	<-last.conn.Done()
	for deadline := time.Now().Add(patience); ; {
		r, text := w.post(t, "/lp/open", `{"protocols": ["wamp.2.json"]}`)
		if r.StatusCode == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("one has ended: %d %s", r.StatusCode, text)
		}
	}
	// Those that have ended are remembered, but not without bound.
	for range 40 {
		select {
		case k := <-w.keeper.all:
			k.conn.Close(transport.CloseNormal)
			<-k.conn.Done()
		case <-time.After(patience):
			t.Fatal("no session was started")
		}
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
			if r, _ := w.post(t, "/lp/open", `{"protocols": ["wamp.2.json"]}`); r.StatusCode == 200 {
				break
			}
		}
	}
	w.polls.mu.Lock()
	defer w.polls.mu.Unlock()
	if n := len(w.polls.byID); n > 11 {
		t.Errorf("%d transports are known, 5 may be open", n)
	}
}

func TestLongPollOrigins(t *testing.T) {
	w := startPolls(t, `allowed_origins: ["https://*.example.com"]`, "")
	path, _ := w.open(t, "/lp", "wamp.2.json", "Origin", "https://a.example.com")
	for _, test := range []struct {
		origin string
		ok     bool
	}{
		{"https://a.example.com", true},
		{"http://" + w.address, true},
		{"http://evil.example", false},
		{"null", false},
	} {
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			for _, at := range []string{"/lp/open", path + "/send", "/lp/unknown/receive"} {
				r, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.address+at, strings.NewReader(`[6,{},"x"]`))
				if err != nil {
					t.Fatal(err)
				}
				a, body := w.do(t, r, "Origin", test.origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type, x-mine")
				h := a.Header
				if !test.ok {
					if a.StatusCode != 403 || h.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(body, "allowed_origins") {
						t.Errorf("%s %s from %s: %d %v", method, at, test.origin, a.StatusCode, h)
					}
					continue
				}
				if h.Get("Access-Control-Allow-Origin") != test.origin || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin" {
					t.Errorf("%s %s from %s: %d %v", method, at, test.origin, a.StatusCode, h)
				}
				if method == http.MethodOptions && (a.StatusCode != 204 || h.Get("Access-Control-Allow-Methods") != "POST" || h.Get("Access-Control-Allow-Headers") != "content-type, x-mine") {
					t.Errorf("preflight %s: %d %v", at, a.StatusCode, h)
				}
			}
		}
	}
	log := w.log.String()
	if !strings.Contains(log, "origin=http://evil.example") || !strings.Contains(log, "key=allowed_origins") || strings.Contains(log, path[len("/lp/"):]) {
		t.Errorf("the log must name origin and key, and no id:\n%s", log)
	}
	if r, _ := w.post(t, "/lp/open", `{"protocols": ["wamp.2.json"]}`); r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a client that is no page is told of origins")
	}
}

func TestLongPollHosts(t *testing.T) {
	w := startPolls(t, "", "")
	r, body := w.raw(t, "POST /lp/open HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 30\r\n\r\n"+`{"protocols": ["wamp.2.json"]}`)
	if r.StatusCode != http.StatusMisdirectedRequest || !strings.Contains(body, "allowed_hosts") {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}

func TestReloadKeepsLongPollTransports(t *testing.T) {
	w := startPolls(t, "request_timeout: 20ms", "")
	path, k := w.open(t, "/lp", "wamp.2.json")
	if r, _ := w.post(t, path+"/receive", "", "Origin", "https://a.example.com"); r.StatusCode != 403 {
		t.Errorf("before: %d", r.StatusCode)
	}
	c := conf(t, "", `      lp: {type: longpoll, serializers: [cbor], auth: {anonymous: {type: static, role: guest}}, options: {request_timeout: 20ms, allowed_origins: ["https://a.example.com"]}}`, "")
	if err := w.Reload(c); err != nil {
		t.Fatal(err)
	}
	if r, _ := w.post(t, path+"/receive", "", "Origin", "https://a.example.com"); r.StatusCode != 204 {
		t.Errorf("after: %d", r.StatusCode)
	}
	sendNow(t, k.conn, &wamp.Interrupt{Request: 1})
	w.expect(t, 200, `[69,1,{}]`, path+"/receive", "")
	w.expect(t, 400, "wamp.2.cbor", "/lp/open", `{"protocols": ["wamp.2.json"]}`)
	w.expect(t, 405, "", "/two/lp/open", "")
	// A path that is configured no more opens nothing; its sessions go on.
	for range 2 {
		if err := w.Reload(conf(t, "", "", "")); err != nil {
			t.Fatal(err)
		}
		sendNow(t, k.conn, &wamp.Interrupt{Request: 2})
		w.expect(t, 200, `[69,2,{}]`, path+"/receive", "")
		w.expect(t, 405, "", "/lp/open", `{"protocols": ["wamp.2.json"]}`)
	}
	if err := w.Reload(c); err != nil {
		t.Fatal(err)
	}
	if a := w.Addresses(); strings.Join(a[0].LongPolls, " ") != "http://"+w.address+"/lp" {
		t.Errorf("addresses %+v", a)
	}
}

// Whoever polls when the router stops, or comes back in time, hears of it.
func TestShutdownTellsPollers(t *testing.T) {
	w := startPolls(t, "", "")
	pending, one := w.open(t, "/lp", "wamp.2.json")
	between, two := w.open(t, "/lp", "wamp.2.json.batched")
	var waiting sync.WaitGroup
	waiting.Go(func() {
		r, body := w.post(t, pending+"/receive", "")
		if r.StatusCode != 200 || !strings.Contains(body, wamp.CloseSystemShutdown) {
			t.Errorf("pending: %d %s", r.StatusCode, body)
		}
	})
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		down <- w.Shutdown(ctx)
	}()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if r, text := w.post(t, "/lp/open", `{"protocols": ["wamp.2.ubjson", "wamp.2.json"]}`); r.StatusCode == 503 {
			if !strings.Contains(text, "router is stopping") {
				t.Errorf("open: %s", text)
			}
			break
		}
	}
	for _, k := range []kept{one, two} {
		sendNow(t, k.conn, &wamp.Goodbye{Reason: wamp.CloseSystemShutdown})
		k.conn.Close(transport.CloseShutdown)
	}
	w.expect(t, 200, wamp.CloseSystemShutdown, between+"/receive", "")
	waiting.Wait()
	w.expect(t, 204, "", pending+"/close", "")
	w.expect(t, 204, "", between+"/close", "")
	w.client.CloseIdleConnections()
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// Requests of many transports at once, each closed from one side or the other.
func TestManyTransportsAtOnce(t *testing.T) {
	w := startPolls(t, "", "")
	var clients, sessions sync.WaitGroup
	const count = 20
	sessions.Go(func() {
		for range count {
			k := <-w.keeper.all
			sessions.Go(func() { // echoes until the client leaves
				var b transport.Batch
				for {
					data, err := k.conn.Read(&b)
					if err != nil {
						k.conn.Close(transport.CloseNormal)
						return
					}
					if err := k.conn.Send(&b, &wamp.Interrupt{Request: wamp.ID(len(data))}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	})
	for range count {
		clients.Go(func() {
			r, body := w.post(t, "/lp/open", `{"protocols": ["wamp.2.json"]}`)
			var opened struct{ Transport string }
			if err := json.Unmarshal([]byte(body), &opened); err != nil {
				t.Errorf("%d %s", r.StatusCode, body)
				return
			}
			path := "/lp/" + opened.Transport
			for n := 1; n <= 10; n++ {
				w.expect(t, 204, "", path+"/send", strings.Repeat("x", n))
			}
			for n := 1; n <= 10; n++ {
				w.expect(t, 200, fmt.Sprintf(`[69,%d,{}]`, n), path+"/receive", "")
			}
			w.expect(t, 204, "", path+"/close", "")
		})
	}
	clients.Wait()
	sessions.Wait()
	if s := w.options.Transport.Stats(); s.DroppedBytes != 0 {
		t.Errorf("stats %+v", s)
	}
}
