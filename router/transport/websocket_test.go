package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"usher/router/wamp"
)

const (
	jsonName = "wamp.2.json"
	cborName = "wamp.2.cbor"
)

func TestSubprotocolIsTheClientsChoice(t *testing.T) {
	for _, test := range []struct {
		name    string
		offered []string
		lines   []string
		want    string // empty: refused
	}{
		{"the client's order", []string{"wamp.2.json", "wamp.2.cbor"}, []string{"wamp.2.cbor, wamp.2.json"}, "wamp.2.cbor"},
		{"several header lines", []string{"wamp.2.json"}, []string{"wamp.2.cbor", "wamp.2.ubjson,wamp.2.json"}, "wamp.2.json"},
		{"Autobahn's list", nil, []string{"wamp.2.ubjson.batched, wamp.2.ubjson, wamp.2.json.batched, wamp.2.json"}, "wamp.2.json.batched"},
		{"only what is offered", []string{"wamp.2.json"}, []string{"wamp.2.cbor"}, ""},
		{"unknown ones", nil, []string{"wamp.3.json, chat"}, ""},
		{"none", nil, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := listen(t, Options{}, test.offered...)
			d := websocket.Dialer{HandshakeTimeout: patience}
			ws, response, err := d.Dial(e.url(), http.Header{"Sec-Websocket-Protocol": test.lines})
			if test.want != "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := ws.Subprotocol(); got != test.want {
					t.Errorf("subprotocol is %q, want %q", got, test.want)
				}
				_ = ws.Close()
				e.accept()
				return
			}
			if err == nil {
				t.Fatal("the handshake succeeded")
			}
			text, _ := io.ReadAll(response.Body)
			if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "wamp.2.json") {
				t.Errorf("answer is %s %q, want 400 with a text that names what is offered", response.Status, text)
			}
			if err := <-e.failed; !errors.Is(err, ErrSubprotocol) {
				t.Errorf("Upgrade: %v, want ErrSubprotocol", err)
			}
		})
	}
}

func TestUpgradeInCapitalsAndWithCompression(t *testing.T) {
	e := listen(t, Options{})
	nc, err := net.Dial("tcp", e.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: wamp.2.json\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
	answer := make([]byte, 1000)
	n, err := nc.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	head := string(answer[:n])
	if !strings.HasPrefix(head, "HTTP/1.1 101") || strings.Contains(head, "deflate") {
		t.Errorf("answer is %q, want 101 without an extension", head)
	}
	e.accept()
}

func TestDialOfSomethingElse(t *testing.T) {
	e := listen(t, Options{}, jsonName)
	_, err := e.transport.Dial(t.Context(), e.url(), DialOptions{Subprotocols: []string{cborName}})
	if err == nil || !strings.Contains(err.Error(), jsonName) {
		t.Errorf("Dial: %v, want the server's text, which names what it offers", err)
	}
}

func TestDialErrors(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // for the client's distrust
	secure.StartTLS()
	t.Cleanup(secure.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	for _, test := range []struct {
		name string
		ctx  context.Context
		url  string
		want string
	}{
		{"nobody listens", t.Context(), "ws://" + free.Addr().String(), "refused"},
		{"the context is done", canceled, "ws" + strings.TrimPrefix(plain.URL, "http"), "canceled"},
		{"no WebSocket", t.Context(), "ws" + strings.TrimPrefix(plain.URL, "http"), "404 Not Found: 404 page not found"},
		{"a certificate of nobody known", t.Context(), "wss" + strings.TrimPrefix(secure.URL, "https"), "certificate"},
		{"not a URL", t.Context(), "ws://[", "cannot connect to ws://["},
		{"another scheme", t.Context(), "ftp://127.0.0.1", "cannot connect to ftp://127.0.0.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := New(Options{})
			c, err := tr.Dial(test.ctx, test.url, DialOptions{})
			if err == nil {
				c.Close(CloseNormal)
				t.Fatal("Dial succeeded")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("Dial: %v, want %q in it", err, test.want)
			}
			if n := tr.Stats().Connections; n != 0 {
				t.Errorf("%d connections, want none", n)
			}
		})
	}
}

func TestFragmentsWithControlFramesBetween(t *testing.T) {
	p, c := listen(t, Options{}).raw(jsonName)
	var pongs []string
	p.SetPongHandler(func(s string) error { pongs = append(pongs, s); return nil })
	p.write(frame(opText, `[36,1,`)...)
	p.write(frame(0x80|opPing, "hello")...)
	p.write(frame(0, ``)...)
	p.write(frame(0, `42,`)...)
	p.write(frame(0x80|opPong, "unasked")...)
	p.write(frame(0x80, `{},["x"]]`)...)
	if n := receive(t, c); n != 42 {
		t.Errorf("received %d, want 42", n)
	}
	p.write(frame(0x80|opPing, "again")...)
	reading := make(chan error, 1)
	go func() { // ends with the connection
		var b Batch
		_, err := c.Read(&b)
		reading <- err
	}()
	send(t, c, event(t, wamp.JSON, 1, 1))
	for len(pongs) == 0 || pongs[len(pongs)-1] != "again" {
		send(t, c, event(t, wamp.JSON, 1, 1)) // gorilla handles a pong while it reads
		if _, _, err := p.ReadMessage(); err != nil {
			t.Fatal(err)
		}
	}
	p.write(frame(0x80|opClose, "\x03\xe9bye")...)
	if err := <-reading; !errors.Is(err, io.EOF) {
		t.Errorf("Read: %v, want io.EOF", err)
	}
	c.Close(CloseNormal)
	p.expectClose(websocket.CloseGoingAway) // the peer's own code
}

// TestViolations sends what WebSocket forbids: Read fails, and the peer is told
// why once the session closes the connection for whatever reason of its own.
func TestViolations(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for _, test := range []struct {
		name, subprotocol string
		bytes             []byte
		code              int
	}{
		{"text where binary is agreed", cborName, frame(0x80|opText, "x"), websocket.CloseUnsupportedData},
		{"binary where text is agreed", jsonName, frame(0x80|opBinary, "[]"), websocket.CloseUnsupportedData},
		{"invalid UTF-8 in a close reason", jsonName, frame(0x80|opClose, "\x03\xe8\xff\xfe"), websocket.CloseProtocolError},
		{"a close code that must not be sent", jsonName, frame(0x80|opClose, "\x03\xee"), websocket.CloseProtocolError},
		{"half a close code", jsonName, frame(0x80|opClose, "\x03"), websocket.CloseProtocolError},
		{"a reserved bit", jsonName, frame(0xc0|opText, "[]"), websocket.CloseProtocolError},
		{"an unknown opcode", jsonName, frame(0x83, "[]"), websocket.CloseProtocolError},
		{"a fragmented ping", jsonName, frame(opPing, "x"), websocket.CloseProtocolError},
		{"a ping that is too long", jsonName, frame(0x80|opPing, long[:126]), websocket.CloseProtocolError},
		{"a frame without a mask", jsonName, []byte{0x80 | opText, 2, '[', ']'}, websocket.CloseProtocolError},
		{"a continuation of nothing", jsonName, frame(0x80, "x"), websocket.CloseProtocolError},
		{"a message inside another", jsonName, append(frame(opText, "["), frame(0x80|opText, "[")...), websocket.CloseProtocolError},
		{"a message that is too large", jsonName, frame(0x80|opText, long), websocket.CloseMessageTooBig},
		{"fragments that are too large together", jsonName, append(frame(opText, long[:1500]), frame(0x80, long[:1500])...), websocket.CloseMessageTooBig},
		{"a length of 2^63", jsonName, []byte{0x80 | opText, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, websocket.CloseMessageTooBig},
		{"a length of 2^62", jsonName, []byte{0x80 | opText, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, websocket.CloseMessageTooBig},
		{"an empty batch", jsonName + ".batched", frame(0x80|opText, ""), websocket.CloseProtocolError},
		{"a JSON batch without an end", jsonName + ".batched", frame(0x80|opText, "[]"), websocket.CloseProtocolError},
		{"a batch that is cut in a length", cborName + ".batched", frame(0x80|opBinary, "\x00\x00\x00"), websocket.CloseProtocolError},
		{"a batch that is cut in a message", cborName + ".batched", frame(0x80|opBinary, "\x00\x00\x00\x05abc"), websocket.CloseProtocolError},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, c := listen(t, Options{MaxMessageSize: 2000}).raw(test.subprotocol)
			p.write(test.bytes...)
			err := readError(t, c)
			if errors.Is(err, io.EOF) || errors.Is(err, ErrClosed) {
				t.Errorf("Read: %v, want what is wrong", err)
			}
			if _, again := c.Read(nil); again == nil || again.Error() != err.Error() {
				t.Errorf("second Read: %v, want %v again", again, err)
			}
			c.Close(CloseNormal)
			if closed := p.expectClose(test.code); closed.Text == "" {
				t.Error("the close frame does not say why")
			}
		})
	}
}

func TestHugeFrameIsRefusedBeforeItIsBuffered(t *testing.T) {
	p, c := listen(t, Options{}).raw(jsonName)
	const size = 64 << 20
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() { // ends when all is written or the connection is closed
		header := make([]byte, 10, 14)
		putHeader(header, opText, size)
		header[1] |= 0x80
		if _, err := p.NetConn().Write(append(header, 0, 0, 0, 0)); err != nil {
			t.Error(err)
		}
		chunk := make([]byte, 1<<20)
		for range size / len(chunk) {
			if _, err := p.NetConn().Write(chunk); err != nil {
				return
			}
		}
	}()
	if err := readError(t, c); !strings.Contains(err.Error(), "larger than") {
		t.Errorf("Read: %v", err)
	}
	c.Close(CloseTooLarge)
	p.expectClose(websocket.CloseMessageTooBig)
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > size/4 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

func TestEndsOfThePeer(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(*peer)
		want  error
	}{
		{"close frame", func(p *peer) { p.write(frame(0x80|opClose, "\x03\xe8")...) }, io.EOF},
		{"close frame without a code", func(p *peer) { p.write(frame(0x80|opClose, "")...) }, io.EOF},
		{"end of stream", func(p *peer) { _ = p.NetConn().(*net.TCPConn).CloseWrite() }, io.ErrUnexpectedEOF},
		{"end inside a message", func(p *peer) {
			p.write(frame(opText, "[36,")...)
			_ = p.NetConn().(*net.TCPConn).CloseWrite()
		}, io.ErrUnexpectedEOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, c := listen(t, Options{}).raw(jsonName)
			test.leave(p)
			if err := readError(t, c); !errors.Is(err, test.want) {
				t.Errorf("Read: %v, want %v", err, test.want)
			}
			c.Close(CloseNormal)
			p.expectClose(websocket.CloseNormalClosure)
		})
	}
}

func TestCloseReasonsReachThePeer(t *testing.T) {
	for reason, code := range map[CloseReason]int{
		CloseNormal: 1000, CloseProtocol: 1002, CloseSlow: 1008, CloseTooLarge: 1009,
		CloseTimeout: 1008, CloseShutdown: 1001, CloseInternal: 1011,
	} {
		t.Run(reason.String(), func(t *testing.T) {
			p, c := listen(t, Options{}).raw(jsonName)
			c.Close(reason)
			if closed := p.expectClose(code); closed.Text != reason.String() {
				t.Errorf("close text is %q, want %q", closed.Text, reason)
			}
		})
	}
}

func TestSeparatorOfTheFirstMessageIsTheAnswers(t *testing.T) {
	for _, separator := range []string{"\x1e", "\x18"} {
		p, c := listen(t, Options{}).raw(jsonName + ".batched")
		p.write(frame(0x80|opText, "[36,1,1,{}]"+separator+"[36,1,2,{}]"+separator)...)
		for want := 1; want <= 2; want++ {
			if n := receive(t, c); n != want {
				t.Fatalf("received %d, want %d", n, want)
			}
		}
		var b Batch
		for i := range 3 {
			if err := c.Send(&b, &wamp.Published{Request: wamp.ID(i + 1), Publication: 7}); err != nil {
				t.Fatal(err)
			}
		}
		b.Flush()
		kind, data, err := p.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		want := "[17,1,7]" + separator + "[17,2,7]" + separator + "[17,3,7]" + separator
		if kind != websocket.TextMessage || string(data) != want {
			t.Errorf("one message of kind %d: %q, want %q", kind, data, want)
		}
	}
}

func TestWhatWaitsLeavesInOneWrite(t *testing.T) {
	for _, name := range Subprotocols() {
		t.Run(name, func(t *testing.T) {
			e := listen(t, Options{})
			client, server := e.dial(name)
			before := e.transport.Stats()
			var b Batch
			for i := range 100 {
				if err := server.Send(&b, event(t, server.Format(), i+1, 50)); err != nil {
					t.Fatal(err)
				}
			}
			b.Flush()
			for i := range 100 {
				if n := receive(t, client); n != i+1 {
					t.Fatalf("received %d, want %d", n, i+1)
				}
			}
			after := e.transport.Stats()
			if writes, messages := after.Writes-before.Writes, after.MessagesOut-before.MessagesOut; writes != 1 || messages != 100 {
				t.Errorf("%d messages in %d writes, want 100 in 1", messages, writes)
			}
		})
	}
}

func TestLargeFanOut(t *testing.T) {
	const subscribers = 200
	e := listen(t, Options{})
	var clients, servers []*WebSocket
	for range subscribers {
		client, server := e.dial(cborName)
		clients, servers = append(clients, client), append(servers, server)
	}
	var b Batch
	for n := range 3 {
		shared := NewShared(event(t, wamp.CBOR, n+1, 20000*n)) // copied and referred to
		for _, s := range servers {
			if err := s.SendShared(&b, shared); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.Flush()
	for _, c := range clients {
		for n := range 3 {
			if got := receive(t, c); got != n+1 {
				t.Fatalf("received %d, want %d", got, n+1)
			}
		}
	}
}
