package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/router/config"
	"usher/router/transport"
)

// listenerConf is a configuration with one transport, given as the lines behind
// "- ".
func listenerConf(t *testing.T, dir, text, more string) *config.Config {
	t.Helper()
	c, err := config.Parse(filepath.Join(dir, "usher.yaml"), []byte(`
realms: [{name: realm1, roles: [{name: guest}]}]
transports:
  - `+text+"\n"+more+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	guestAuth     = "auth: {anonymous: {type: static, role: guest}}"
	rawText       = "type: rawsocket\n    endpoint: ENDPOINT\n    " + guestAuth
	universalText = "type: universal\n    endpoint: ENDPOINT\n    rawsocket: {" + guestAuth + "}\n    websocket: {ws: {" + guestAuth + "}}"
	webText       = "type: web\n    endpoint: ENDPOINT\n    paths: {ws: {type: websocket, " + guestAuth + "}}"
)

// places are the kinds of endpoints.
var places = map[string]string{
	"tcp":      "{type: tcp, port: 0, interface: 127.0.0.1}",
	"unix":     "{type: unix, path: s}",
	"tls":      "{type: tcp, port: 0, interface: 127.0.0.1, tls: {certificate: cert.pem, key: key.pem}}",
	"unix-tls": "{type: unix, path: s, tls: {certificate: cert.pem, key: key.pem}}",
}

// place is the text of a transport at a kind of endpoint.
func place(text, kind string) string { return strings.Replace(text, "ENDPOINT", places[kind], 1) }

// insecure trusts anybody.
func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// dialURL connects as a WAMP client would, and returns the connection.
func dialURL(t *testing.T, url string) (transport.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := transport.New(transport.Options{}).Dial(ctx, url, transport.DialOptions{Subprotocols: []string{"wamp.2.cbor"}, TLS: insecure()})
	if err == nil {
		t.Cleanup(func() { c.Close(transport.CloseNormal); <-c.Done() })
	}
	return c, err
}

// nobody connects and says nothing, or what it is told to.
func (w *world) nobody(t *testing.T, says string) net.Conn {
	t.Helper()
	a := w.listeners[0].socket.Addr()
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, says); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryListener(t *testing.T) {
	for name, text := range map[string]string{"rawsocket": rawText, "universal": universalText, "web": webText} {
		for kind := range places {
			t.Run(name+"/"+kind, func(t *testing.T) {
				dir := t.TempDir()
				certificate(t, dir, 1)
				w := start(t, listenerConf(t, dir, place(text, kind), ""))
				for range 20 { // first bytes that are waited for hold nobody up
					w.nobody(t, "")
				}
				a := w.Addresses()[0]
				urls := a.WebSockets
				if a.RawSocket != "" {
					urls = append(urls, a.RawSocket)
				}
				if want := map[string]int{"rawsocket": 1, "universal": 2, "web": 1}[name]; len(urls) != want {
					t.Fatalf("addresses are %q, want %d", urls, want)
				}
				for _, url := range urls {
					for range 2 {
						if _, err := dialURL(t, url); err != nil {
							t.Fatal(err)
						}
						s := w.session(t).transport
						wantType, wantPath := "rawsocket", ""
						if strings.HasPrefix(url, "ws") {
							wantType, wantPath = "websocket", "/ws"
						}
						wantPeer := "tcp4:127.0.0.1:"
						if strings.HasPrefix(kind, "unix") {
							wantPeer = "unix:" + filepath.Join(dir, "s")
						}
						if s.Type != wantType || s.Path != wantPath || s.Protocol != "wamp.2.cbor" || s.Secure != strings.HasSuffix(kind, "tls") || !strings.HasPrefix(s.Peer, wantPeer) {
							t.Errorf("%s: transport is %+v", url, s)
						}
					}
				}
			})
		}
	}
}

func TestUniversalServesPages(t *testing.T) {
	for kind := range places {
		dir := t.TempDir()
		certificate(t, dir, 1)
		w := start(t, listenerConf(t, dir, place(universalText, kind)+"\n    web: {paths: {/: {type: page}}}", ""))
		a := w.listeners[0].socket.Addr()
		h := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: insecure(), DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, a.Network(), a.String())
		}}}
		scheme := "http"
		if strings.HasSuffix(kind, "tls") {
			scheme = "https"
		}
		for _, path := range []string{"/", "/healthz"} {
			r, err := h.Get(scheme + "://localhost" + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if r.StatusCode != 200 || err != nil || len(body) == 0 {
				t.Errorf("%s%s: %d, %v", kind, path, r.StatusCode, err)
			}
		}
	}
}

func TestSilentConnectionsAreClosedAtTheDeadline(t *testing.T) {
	if testing.Short() {
		t.Skip("the deadline is seconds away")
	}
	for name, text := range map[string]string{"rawsocket": rawText, "universal": universalText} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			w := start(t, listenerConf(t, dir, place(text, "tcp"), ""))
			silent := map[string]net.Conn{}
			for _, says := range []string{"", "\x7f\xf1", "GET / HTT"} {
				silent[says] = w.nobody(t, says)
			}
			for says, c := range silent {
				if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%q: still open", says)
				}
			}
		})
	}
}

func TestOtherProtocolsAreClosed(t *testing.T) {
	for name, test := range map[string]struct{ text, says string }{
		"HTTP at a RawSocket":                    {rawText, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		"TLS at a RawSocket":                     {rawText, "\x16\x03\x01\x02\x00"},
		"RawSocket of an unknown serializer":     {rawText, "\x7f\xff\x00\x00"},
		"HTTP where only RawSocket is universal": {"type: universal\n    endpoint: ENDPOINT\n    rawsocket: {" + guestAuth + "}", "GET / HTTP/1.1\r\n\r\n"},
		"RawSocket where it is not spoken":       {"type: universal\n    endpoint: ENDPOINT\n    web: {paths: {/: {type: page}}}", "\x7f\xf1\x00\x00\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, listenerConf(t, t.TempDir(), place(test.text, "tcp"), ""))
			c := w.nobody(t, test.says)
			answer, err := io.ReadAll(c)
			if errors.Is(err, os.ErrDeadlineExceeded) || strings.HasPrefix(string(answer), "HTTP/1.1 2") {
				t.Errorf("answer is %q, %v, want the end", answer, err)
			}
		})
	}
}

func TestMaxConnections(t *testing.T) {
	hold := func(t *testing.T, w *world, n int) {
		t.Helper()
		for range n {
			w.nobody(t, "")
		}
		for start := time.Now(); ; time.Sleep(time.Millisecond) {
			l := w.listeners[0]
			l.limit.mu.Lock()
			open := l.limit.open
			l.limit.mu.Unlock()
			if open == n {
				return
			}
			if time.Since(start) > patience {
				t.Fatalf("%d connections are open, want %d", open, n)
			}
		}
	}
	for name, test := range map[string]struct{ text, says, answer string }{
		"rawsocket":              {rawText, "", "\x7f\x40\x00\x00"},
		"universal by RawSocket": {universalText, "\x7f\xf1\x00\x00", "\x7f\x40\x00\x00"},
		"universal by HTTP":      {universalText, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", ""},
		"web":                    {webText, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, listenerConf(t, t.TempDir(), place(test.text, "tcp")+"\n    max_connections: 3", ""))
			hold(t, w, 3)
			c := w.nobody(t, test.says)
			answer, err := io.ReadAll(c)
			if string(answer) != test.answer || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("answer is %q, %v, want %q and the end", answer, err, test.answer)
			}
		})
	}
	t.Run("who goes makes room", func(t *testing.T) {
		w := start(t, listenerConf(t, t.TempDir(), place(universalText, "tcp")+"\n    max_connections: 1", ""))
		a := w.Addresses()[0]
		for i := range 6 {
			url := []string{a.RawSocket, a.WebSockets[0]}[i%2]
			c, err := dialURL(t, url)
			if err != nil {
				t.Fatal(err)
			}
			w.session(t)
			c.Close(transport.CloseNormal)
			<-c.Done()
			hold(t, w, 0)
		}
	})
}

func TestHandshakesAreBounded(t *testing.T) {
	for _, limits := range []string{"limits: {handshakes: 2}", "limits: {handshakes_per_address: 2}"} {
		w := start(t, listenerConf(t, t.TempDir(), place(rawText, "tcp"), limits))
		first, _ := w.nobody(t, "\x7f"), w.nobody(t, "\x7f")
		waitOpening(t, w, 2)
		c := w.nobody(t, "\x7f\xf1\x00\x00")
		if answer, _ := io.ReadAll(c); string(answer) != "\x7f\x40\x00\x00" {
			t.Errorf("%s: answer is %q, want that there are too many", limits, answer)
		}
		_ = first.Close() // makes room
		waitOpening(t, w, 1)
		if _, err := dialURL(t, w.Addresses()[0].RawSocket); err != nil {
			t.Errorf("%s: %v", limits, err)
		}
	}
}

func waitOpening(t *testing.T, w *world, n int) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		a := w.listeners[0].accept
		a.mu.Lock()
		opening := len(a.opening)
		a.mu.Unlock()
		if opening == n {
			return
		}
		if time.Since(start) > patience {
			t.Fatalf("%d handshakes, want %d", opening, n)
		}
	}
}

func TestShutdownCutsHandshakes(t *testing.T) {
	for kind := range places {
		dir := t.TempDir()
		certificate(t, dir, 1)
		w := start(t, listenerConf(t, dir, place(universalText, kind), ""))
		c := w.nobody(t, "")
		waitOpening(t, w, 1)
		ctx, cancel := context.WithTimeout(context.Background(), headerTimeout-time.Second)
		if err := w.Shutdown(ctx); err != nil || ctx.Err() != nil {
			t.Errorf("%s: %v, %v", kind, err, ctx.Err())
		}
		cancel()
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is still open", kind)
		}
	}
}

func TestReloadOfRawSocket(t *testing.T) {
	dir := t.TempDir()
	text := strings.Replace(place(rawText, "tcp"), "port: 0", fmt.Sprintf("port: %d", freePort(t)), 1)
	w := start(t, listenerConf(t, dir, text, ""))
	url := w.Addresses()[0].RawSocket
	if err := w.Reload(listenerConf(t, dir, text+"\n    serializers: [json]", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := dialURL(t, url); err == nil || !strings.Contains(err.Error(), "serializer unsupported") {
		t.Errorf("Dial: %v, want that CBOR is not spoken any more", err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestSocketFiles(t *testing.T) {
	o := Options{Stats: noStats, Sessions: &sessions{make(chan admitted, 64)}, Health: &health{}, Transport: transport.New(transport.Options{}), Log: slog.New(slog.DiscardHandler)}
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	c := listenerConf(t, dir, strings.Replace(place(rawText, "unix"), "path: s", `path: s, mode: "0660"`, 1), "")
	first, err := Listen(c, o)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v, want mode 0660", info, err)
	}
	if _, err := Listen(c, o); err == nil || !strings.Contains(err.Error(), "another program listens there") {
		t.Errorf("second Listen: %v, want that another program listens there", err)
	}
	if err := first.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Shutdown the socket is still there: %v", err)
	}
	// One that a process left behind which was killed is no obstacle.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	second, err := Listen(c, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	// A file that is no socket stays.
	write(t, path, "precious")
	if _, err := Listen(c, o); err == nil {
		t.Error("Listen succeeded over a file")
	}
	if content, err := os.ReadFile(path); string(content) != "precious" || err != nil {
		t.Errorf("the file holds %q, %v", content, err)
	}
}

// TestUnixProxy: headers about the client count where those who can connect to the
// socket are trusted.
func TestUnixProxy(t *testing.T) {
	for more, want := range map[string]string{
		"":                        "unix:",
		"trusted_proxies: [unix]": "tcp4:192.0.2.7:0",
	} {
		dir := t.TempDir()
		w := start(t, listenerConf(t, dir, place(webText, "unix"), more))
		c := w.nobody(t, "GET /ws HTTP/1.1\r\nHost: anything.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: wamp.2.json\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%+v, %v", r, err)
		}
		if s := w.session(t).transport; !strings.HasPrefix(s.Peer, want) || s.Secure != (more != "") {
			t.Errorf("%q: peer %q, secure %v, want %q", more, s.Peer, s.Secure, want)
		}
	}
}
