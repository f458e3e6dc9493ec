package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"usher/router/config"
	"usher/router/transport"
)

func TestUpgradeTellsTheSessionAboutItsConnection(t *testing.T) {
	w := start(t, conf(t, "", "", ""))
	s, _, text := w.dial(t, "/ws?token=1%202", http.Header{"User-Agent": {"me"}, "X-Two": {"a", "b"}, "Cookie": {"c=d"}})
	if s == nil {
		t.Fatal(text)
	}
	got := s.transport
	host, port, err := net.SplitHostPort(strings.TrimPrefix(got.Peer, "tcp4:"))
	if err != nil || host != "127.0.0.1" || port == "0" {
		t.Errorf("peer %q", got.Peer)
	}
	if got.Type != "websocket" || got.Protocol != "wamp.2.json" || got.Path != "/ws" || got.Query != "token=1%202" || got.Secure {
		t.Errorf("transport %+v", got)
	}
	for name, want := range map[string]string{"user-agent": "me", "x-two": "a, b", "cookie": "c=d", "host": w.address, "upgrade": "websocket", "sec-websocket-version": "13"} {
		if got.HeadersReceived[name] != want {
			t.Errorf("header %s is %q", name, got.HeadersReceived[name])
		}
	}
	if s.endpoint.Auth.Anonymous == nil || s.endpoint.Auth.Anonymous.Role != "guest" {
		t.Errorf("endpoint %+v", s.endpoint)
	}
}

func TestWebSocketPathRefusals(t *testing.T) {
	w := start(t, conf(t, "", "", ""))
	const handshake = "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: xWszwpILt1/lMXVdGmIkfw==\r\n"
	for _, test := range []struct {
		name, request string
		status        int
		text          string
	}{
		{"a browser looks at it", "GET /ws HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", 426, "open ws://localhost:8080/ws with a WAMP client"},
		{"another method", "POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 426, "WAMP client"},
		{"no serializer in common", "GET /ws HTTP/1.1\r\nHost: localhost\r\n" + handshake + "Sec-WebSocket-Protocol: wamp.2.ubjson, chat\r\n\r\n", 400, ""},
		{"a serializer that this path does not offer", "GET /ws HTTP/1.1\r\nHost: localhost\r\n" + handshake + "Sec-WebSocket-Protocol: wamp.2.msgpack\r\n\r\n", 400, ""},
		{"no subprotocol", "GET /ws HTTP/1.1\r\nHost: localhost\r\n" + handshake + "\r\n", 400, ""},
		{"below the path", "GET /ws/x HTTP/1.1\r\nHost: localhost\r\n" + handshake + "Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n", 404, ""},
		{"as Autobahn writes it", "GET /ws HTTP/1.1\r\nHost: localhost\r\n" + handshake + "Sec-WebSocket-Protocol: wamp.2.ubjson,wamp.2.json\r\n\r\n", 101, ""},
		{"offered in two lines", "GET /ws HTTP/1.1\r\nHost: localhost\r\n" + handshake + "Sec-WebSocket-Protocol: wamp.2.ubjson\r\nSec-WebSocket-Protocol: wamp.2.cbor\r\n\r\n", 101, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.status == 101 {
				c, err := net.Dial("tcp", w.address)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := io.WriteString(c, test.request); err != nil {
					t.Fatal(err)
				}
				w.session(t)
				return
			}
			r, body := w.raw(t, test.request)
			if r.StatusCode != test.status || !strings.Contains(body, test.text) || body == "" {
				t.Errorf("%d %s", r.StatusCode, body)
			}
			if typ := r.Header.Get("Content-Type"); !strings.HasPrefix(typ, "text/plain") {
				t.Errorf("content type %q", typ)
			}
		})
	}
	if n := len(w.sessions.all); n != 0 {
		t.Errorf("%d sessions too many", n)
	}
}

func TestOrigins(t *testing.T) {
	w := start(t, conf(t, "", `      open: {type: websocket, auth: {anonymous: {type: static, role: guest}}, options: {allowed_origins: ["https://*.example.com", "http://localhost:*", "null"]}}
      any: {type: websocket, auth: {anonymous: {type: static, role: guest}}, options: {allowed_origins: ["*"]}}`, ""))
	for _, test := range []struct {
		path   string
		origin []string
		ok     bool
	}{
		{"/ws", nil, true},
		{"/ws", []string{"http://" + w.address}, true},
		{"/ws", []string{"https://" + w.address}, true}, // TLS ends at a proxy
		{"/ws", []string{"http://127.0.0.1:1"}, false},
		{"/ws", []string{"http://evil.example"}, false},
		{"/ws", []string{"http://" + w.address + ".evil.example"}, false},
		{"/ws", []string{"null"}, false},
		{"/ws", []string{""}, false},
		{"/ws", []string{"http://" + w.address, "http://evil.example"}, false},
		{"/open", []string{"https://a.b.example.com"}, true},
		{"/open", []string{"HTTPS://A.Example.Com"}, true},
		{"/open", []string{"http://a.example.com"}, false},
		{"/open", []string{"https://example.com"}, false},
		{"/open", []string{"https://a.example.com.evil.example"}, false},
		{"/open", []string{"http://localhost:3000"}, true},
		{"/open", []string{"null"}, true},
		{"/any", []string{"http://evil.example"}, true},
	} {
		s, status, _ := w.dial(t, test.path, http.Header{"Origin": test.origin})
		if (s != nil) != test.ok || s == nil && status != http.StatusForbidden {
			t.Errorf("%s from %q: %d", test.path, test.origin, status)
		}
	}
	if log := w.log.String(); !strings.Contains(log, "origin=http://evil.example") || !strings.Contains(log, "key=allowed_origins") {
		t.Errorf("the log does not name origin and key:\n%s", log)
	}
}

func TestSameOriginWithDefaultPort(t *testing.T) {
	for _, test := range []struct {
		origin, host string
		ok           bool
	}{
		{"http://example.com", "example.com", true},
		{"http://example.com", "example.com:80", true},
		{"https://example.com", "example.com:443", true},
		{"https://example.com:443", "EXAMPLE.com", true},
		{"https://example.com", "example.com:80", false},
		{"http://example.com:8080", "example.com", false},
		{"http://[::1]:8080", "[::1]:8080", true},
		{"http://example.com@evil.example", "example.com", false},
	} {
		r := &http.Request{Host: test.host, Header: http.Header{"Origin": {test.origin}}}
		if _, ok := allowedOrigin(r, nil); ok != test.ok {
			t.Errorf("%s to %s: %v", test.origin, test.host, ok)
		}
	}
}

func TestHostsOnLoopback(t *testing.T) {
	w := start(t, conf(t, "", "", "allowed_hosts: [usher.test]"))
	for host, status := range map[string]int{
		"localhost": 200, "LocalHost:8080": 200, "127.0.0.1:1": 200, "127.1.2.3": 200, "[::1]:8080": 200, "[::1]": 200,
		"localhost.": 200, "usher.test:80": 200, "USHER.test": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:8080": 421, "192.168.1.1": 421, "[::2]": 421, "": 421, ":80": 421,
	} {
		for _, path := range []string{"/healthz", "/ws"} {
			r, body := w.raw(t, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			want := status
			if path == "/ws" && want == 200 {
				want = 426
			}
			if r.StatusCode != want {
				t.Errorf("host %q, %s: %d %s", host, path, r.StatusCode, body)
			}
		}
	}
	if log := w.log.String(); !strings.Contains(log, "host=evil.example") || !strings.Contains(log, "key=allowed_hosts") {
		t.Errorf("the log does not name host and key:\n%s", log)
	}
	public := hostPolicy{all: true}
	if !public.allow("evil.example") {
		t.Error("a listener for all interfaces asks for a host")
	}
}

func TestProxies(t *testing.T) {
	w := start(t, conf(t, "", "", "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]"))
	for _, test := range []struct {
		name   string
		header http.Header
		peer   string // empty: refused
		secure bool
	}{
		{"one hop", http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"https"}}, "tcp4:192.0.2.1:0", true},
		{"what the client claimed stands before it", http.Header{"X-Forwarded-For": {"10.9.9.9, 198.51.100.1, 192.0.2.1"}}, "tcp4:192.0.2.1:0", false},
		{"through trusted proxies", http.Header{"X-Forwarded-For": {"192.0.2.1", "10.0.0.1,10.0.0.2"}}, "tcp4:192.0.2.1:0", false},
		{"all are trusted", http.Header{"X-Forwarded-For": {"10.0.0.1"}}, "tcp4:10.0.0.1:0", false},
		{"standard", http.Header{"Forwarded": {`for=192.0.2.1:4711;proto=https;by=10.0.0.1, For="10.0.0.1:80" ; proto=http`}}, "tcp4:192.0.2.1:4711", true},
		{"TLS between proxies only", http.Header{"Forwarded": {`for=192.0.2.1;proto=http, for=10.0.0.1;proto=https`}}, "tcp4:192.0.2.1:0", false},
		{"IPv6", http.Header{"Forwarded": {`for="[2001:db8::1]:4711"`}}, "tcp6:[2001:db8::1]:4711", false},
		{"IPv6 without port", http.Header{"X-Forwarded-For": {"2001:db8::1"}}, "tcp6:[2001:db8::1]:0", false},
		{"mapped", http.Header{"X-Forwarded-For": {"::ffff:10.0.0.5"}}, "tcp4:10.0.0.5:0", false},
		{"both agree", http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"http"}, "Forwarded": {"for=192.0.2.1;proto=https"}}, "tcp4:192.0.2.1:0", false},
		{"the client adds the other kind", http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Forwarded": {"for=10.0.0.1"}}, "", false},
		{"the client adds more of the other kind", http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Forwarded": {"for=192.0.2.1, for=10.0.0.1"}}, "", false},
		{"hidden", http.Header{"Forwarded": {"for=unknown"}}, "", false},
		{"garbage", http.Header{"X-Forwarded-For": {"localhost"}}, "", false},
		{"empty", http.Header{"X-Forwarded-For": {""}}, "", false},
		{"unbalanced", http.Header{"Forwarded": {`for="192.0.2.1`}}, "", false},
		{"too many", http.Header{"X-Forwarded-For": {strings.Repeat("10.0.0.1,", 40) + "10.0.0.1"}}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, status, text := w.dial(t, "/ws", test.header)
			if test.peer == "" {
				if s != nil || status != http.StatusBadRequest {
					t.Errorf("status %d, session %+v", status, s)
				}
				return
			}
			if s == nil {
				t.Fatal(status, text)
			}
			if s.transport.Peer != test.peer || s.transport.Secure != test.secure {
				t.Errorf("peer %s, secure %v", s.transport.Peer, s.transport.Secure)
			}
		})
	}
}

func TestNobodyElseIsAProxy(t *testing.T) {
	w := start(t, conf(t, "", "", "trusted_proxies: [10.0.0.0/8]"))
	s, _, text := w.dial(t, "/ws", http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"for=nonsense"}})
	if s == nil {
		t.Fatal(text)
	}
	if !strings.HasPrefix(s.transport.Peer, "tcp4:127.0.0.1:") || s.transport.Secure {
		t.Errorf("transport %+v", s.transport)
	}
}

func TestHealth(t *testing.T) {
	w := start(t, conf(t, "", "", ""))
	for _, test := range []struct {
		path   string
		state  Status
		status int
		body   string
	}{
		{"/healthz", Status{}, 200, `{"status":"ok"}`},
		{"/healthz", Status{Unready: []string{"x"}}, 200, `{"status":"ok"}`},
		{"/readyz", Status{}, 200, `{"status":"ok"}`},
		{"/readyz", Status{Degraded: []string{"a.lua:3: x"}}, 200, `{"status":"degraded","reasons":["a.lua:3: x"]}`},
		{"/readyz", Status{Unready: []string{"a"}, Degraded: []string{"b"}}, 503, `{"status":"unready","reasons":["a","b"]}`},
	} {
		w.health.set(test.state)
		r, body := w.get(t, test.path)
		if r.StatusCode != test.status || strings.TrimSpace(body) != test.body || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s with %+v: %d %s", test.path, test.state, r.StatusCode, body)
		}
	}
	if r, _ := w.raw(t, "POST /readyz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", r.StatusCode)
	}
}

func TestHalfOpenHandshakesAreClosed(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the deadline")
	}
	w := start(t, conf(t, "", "", ""))
	var open []net.Conn
	for i := range 50 {
		c, err := net.Dial("tcp", w.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 {
			if _, err := io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpg"); err != nil {
				t.Fatal(err)
			}
		}
		open = append(open, c)
	}
	if s, status, text := w.dial(t, "/ws", nil); s == nil {
		t.Errorf("a good client meanwhile: %d %s", status, text)
	}
	for _, c := range open {
		if err := c.SetReadDeadline(time.Now().Add(headerTimeout + patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatalf("still open after the deadline: %v", err)
		}
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "web", "a.txt"), "a")
	w := start(t, conf(t, dir, "", ""))
	if r, _ := w.get(t, "/a.txt"); r.StatusCode != 404 {
		t.Errorf("before: %d", r.StatusCode)
	}
	c := conf(t, dir, `      /: {type: static, directory: web}
      new: {type: websocket, auth: {anonymous: {type: static, role: guest}}}`, "allowed_hosts: [usher.test]")
	if err := w.Reload(c); err != nil {
		t.Fatal(err)
	}
	if r, _ := w.get(t, "/a.txt"); r.StatusCode != 200 {
		t.Errorf("after: %d", r.StatusCode)
	}
	if s, status, text := w.dial(t, "/new", http.Header{"Host": {"usher.test"}}); s == nil {
		t.Errorf("new path: %d %s", status, text)
	}
	if a := w.Addresses(); len(a) != 1 || a[0].HTTP != "http://"+w.address+"/" || strings.Join(a[0].WebSockets, " ") != "ws://"+w.address+"/new ws://"+w.address+"/ws" {
		t.Errorf("addresses %+v", a)
	}
	// A configuration without the listener leaves it as it is.
	elsewhere := *c
	elsewhere.Transports = []config.Transport{{Endpoint: config.Endpoint{Interface: "127.0.0.1", Port: 1}}}
	if err := w.Reload(&elsewhere); err != nil {
		t.Fatal(err)
	}
	if r, _ := w.get(t, "/a.txt"); r.StatusCode != 200 {
		t.Errorf("without the listener: %d", r.StatusCode)
	}
}

// TestReloadOfListenersAtAnyPort: listeners with one address in the configuration
// are told apart by their order.
func TestReloadOfListenersAtAnyPort(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "web", "a.txt"), "a")
	c := conf(t, dir, "      /: {type: static, directory: web}",
		"  - {type: web, endpoint: {type: tcp, interface: 127.0.0.1, port: 0}, paths: {ws: {type: websocket, auth: {anonymous: {type: static, role: guest}}}}}")
	w := start(t, c)
	for range 2 {
		addresses := w.Addresses()
		if len(addresses) != 2 {
			t.Fatalf("addresses %+v", addresses)
		}
		for i, want := range []int{200, 404} {
			r, err := http.Get(addresses[i].HTTP + "a.txt")
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if r.StatusCode != want {
				t.Errorf("listener %d: %d, want %d", i, r.StatusCode, want)
			}
		}
		if err := w.Reload(c); err != nil {
			t.Fatal(err)
		}
	}
}

// certificate writes a self-signed certificate for 127.0.0.1 with the given
// serial number.
func certificate(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, 1)
	c := conf(t, dir, "", "")
	c.Transports[0].Endpoint.TLS = &config.TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	w := start(t, c)
	serial := func() int64 {
		t.Helper()
		d := websocket.Dialer{HandshakeTimeout: patience, Subprotocols: []string{"wamp.2.json"}, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}}
		conn, _, err := d.Dial("wss://"+w.address+"/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if s := w.session(t); !s.transport.Secure {
			t.Errorf("transport %+v", s.transport)
		}
		state := conn.NetConn().(*tls.Conn).ConnectionState()
		if state.NegotiatedProtocol == "h2" {
			t.Error("HTTP/2 was agreed on")
		}
		return state.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("certificate %d", got)
	}
	certificate(t, dir, 2)
	if err := w.Reload(c); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("certificate %d after the reload", got)
	}
	write(t, filepath.Join(dir, "key.pem"), "broken")
	if err := w.Reload(c); err == nil || !strings.Contains(err.Error(), "transports[0].endpoint: tls: certificate") {
		t.Errorf("error %v", err)
	}
	if got := serial(); got != 2 {
		t.Errorf("certificate %d after a failed reload", got)
	}
	if a := w.Addresses()[0]; a.HTTP != "https://"+w.address+"/" || a.WebSockets[0] != "wss://"+w.address+"/ws" {
		t.Errorf("address %+v", a)
	}
}

func TestListenErrorsSayWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	for _, test := range []struct {
		endpoint config.Endpoint
		want     string
	}{
		{config.Endpoint{Interface: "127.0.0.1", Port: port}, "another program listens there"},
		{config.Endpoint{Interface: "192.0.2.1", Port: port}, "interface must be an address of this machine"},
	} {
		c := conf(t, "", "", "")
		c.Transports = append(c.Transports, config.Transport{Endpoint: test.endpoint})
		_, err := Listen(c, Options{Transport: transport.New(transport.Options{}), Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "transports[1].endpoint: cannot listen on "+test.endpoint.Address()) {
			t.Errorf("error %v", err)
		}
	}
}

func TestShutdownOfWhatWasNeverServed(t *testing.T) {
	s, err := Listen(conf(t, "", "", ""), Options{Transport: transport.New(transport.Options{}), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := s.Serve(); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
	c, err := net.Dial("tcp", s.listeners[0].socket.Addr().String())
	if err == nil {
		c.Close()
		t.Error("the socket is still open")
	}
}

func TestShutdownDoesNotWaitForConnectionsThatAskNothing(t *testing.T) {
	w := start(t, conf(t, "", "", ""))
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HT"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), headerTimeout-time.Second)
	defer cancel()
	if err := w.Shutdown(ctx); err != nil || ctx.Err() != nil {
		t.Errorf("error %v, %v", err, ctx.Err())
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}

func TestListenerThatFailsIsNotReady(t *testing.T) {
	w := start(t, conf(t, "", "", ""))
	other, err := Listen(conf(t, "", "", ""), w.options)
	if err != nil {
		t.Fatal(err)
	}
	_ = other.listeners[0].socket.Close()
	if err := other.Serve(); err == nil || !strings.Contains(err.Error(), "is down") {
		t.Errorf("error %v", err)
	}
	if report, status := other.readiness(); status != 503 || len(report.Reasons) != 1 {
		t.Errorf("%d %+v", status, report)
	}
}
