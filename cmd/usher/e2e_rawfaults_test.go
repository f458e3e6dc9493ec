//go:build unix

package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// openRawConfig is openConfig with RawSocket on the same port.
var openRawConfig = strings.NewReplacer(
	"type: web\n", "type: universal\n",
	"    paths:\n      ws:\n        type: websocket\n        auth:\n          anonymous: {type: static, role: anybody}\n",
	"    rawsocket: {auth: {anonymous: {type: static, role: anybody}}}\n    websocket: {ws: {auth: {anonymous: {type: static, role: anybody}}}}\n",
).Replace(openConfig)

// A rawPeer is a client that speaks JSON over RawSocket byte by byte, so that it
// can do what no library would.
type rawPeer struct {
	net.Conn
	t *testing.T
}

// dialRawSocket connects and shakes hands; the peer takes messages of 2^(9+length)
// bytes.
func dialRawSocket(t *testing.T, usher *usherProcess, length byte) *rawPeer {
	t.Helper()
	url := usher.log.waitFor(t, usher.exited, `rs://[^" ]+`)
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "rs://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	p := &rawPeer{c, t}
	p.write([]byte{0x7f, length<<4 | 1, 0, 0})
	answer := make([]byte, 4)
	if _, err := io.ReadFull(c, answer); err != nil || answer[0] != 0x7f || answer[1]&15 != 1 {
		t.Fatalf("the answer is %x, %v", answer, err)
	}
	return p
}

// joinRawSocket joins as the anonymous role.
func joinRawSocket(t *testing.T, usher *usherProcess, length byte) *rawPeer {
	t.Helper()
	p := dialRawSocket(t, usher, length)
	p.send(1, "realm1", map[string]any{"roles": map[string]any{"caller": map[string]any{}, "callee": map[string]any{}, "publisher": map[string]any{}, "subscriber": map[string]any{}}, "authmethods": []string{"anonymous"}})
	p.expect(2)
	return p
}

func (p *rawPeer) write(b []byte) {
	p.t.Helper()
	if err := p.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *rawPeer) send(message ...any) {
	p.t.Helper()
	b, err := json.Marshal(message)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
}

// receive returns the next message, or how the stream ended.
func (p *rawPeer) receive() (message []any, err error) {
	if err := p.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	prefix := make([]byte, 4)
	if _, err := io.ReadFull(p, prefix); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(prefix))
	if _, err := io.ReadFull(p, b); err != nil {
		return nil, err
	}
	return message, json.Unmarshal(b, &message)
}

// expect fails unless the next message begins as given; nil stands for anything.
func (p *rawPeer) expect(want ...any) []any {
	p.t.Helper()
	got, err := p.receive()
	if err != nil || len(got) < len(want) {
		p.t.Fatalf("got %v, %v, want %v", got, err, want)
	}
	for i, w := range want {
		if w != nil && fmt.Sprint(got[i]) != fmt.Sprint(w) {
			p.t.Fatalf("got %v, want %v", got, want)
		}
	}
	return got
}

// expectEnd fails unless the stream ends politely.
func (p *rawPeer) expectEnd() {
	p.t.Helper()
	if m, err := p.receive(); !errors.Is(err, io.EOF) {
		p.t.Errorf("got %v, %v, want the end", m, err)
	}
}

func TestRawSocketFaults(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openRawConfig})
	good := joinRawSocket(t, usher, 15)
	requests := 0
	goes := func(t *testing.T) { // the router serves others
		t.Helper()
		requests++
		good.send(48, requests, map[string]any{}, "com.example.none")
		good.expect(8, 48, requests, nil, "wamp.error.no_such_procedure")
	}
	for name, input := range map[string][]byte{
		"a message of 16 MiB":       {0x08, 0, 0, 0, '['},
		"a message of 2 MiB":        {0x00, 0x20, 0, 0, '['},
		"a reserved bit":            {0x10, 0, 0, 1, '['},
		"an unknown frame":          {0x05, 0, 0, 1, '['},
		"a ping of 1 MiB":           {0x01, 0x10, 0, 0, '['},
		"something that is no JSON": {0x00, 0, 0, 1, '['},
		"deep nesting":              append([]byte{0, 0x03, 0x0d, 0x40 + 29}, `[48,1,{},"com.example.none",`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`]`...),
	} {
		t.Run(name, func(t *testing.T) {
			p := joinRawSocket(t, usher, 15)
			p.t = t
			p.write(input)
			p.expect(3, nil, "wamp.error.protocol_violation")
			p.expectEnd()
			goes(t)
		})
	}
	t.Run("no HELLO", func(t *testing.T) {
		p := dialRawSocket(t, usher, 15)
		p.expect(3)
		p.expectEnd()
	})
	t.Run("another protocol", func(t *testing.T) {
		p := dialRawSocket(t, usher, 15)
		p.write([]byte("GET / HTTP/1.1\r\n\r\n"))
		if m, err := p.receive(); err == nil && m[0] != 3.0 {
			t.Errorf("got %v", m)
		}
		goes(t)
	})
}

func TestRawSocketSubscriberThatStopsReading(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openRawConfig})
	stalled, good, publisher := joinRawSocket(t, usher, 15), joinRawSocket(t, usher, 15), joinRawSocket(t, usher, 15)
	for _, p := range []*rawPeer{stalled, good} {
		p.send(32, 1, map[string]any{}, "com.example.big")
		p.expect(33)
	}
	before := residentMemory(t, usher)
	const size = 256 << 10
	events := scaled(256<<20) / size
	text := strings.Repeat("x", size)
	for i := range events {
		publisher.send(16, i+1, map[string]any{"acknowledge": true}, "com.example.big", []any{text})
		publisher.expect(17)
		good.expect(36)
	}
	if grown := residentMemory(t, usher) - before; grown > 100<<20 {
		t.Errorf("the router grew by %d MiB", grown>>20)
	}
	usher.log.waitFor(t, usher.exited, `client is too slow`)
}

// TestRawSocketMessageThatThePeerDoesNotTake is for somebody else to hear of: the
// connection stays.
func TestRawSocketMessageThatThePeerDoesNotTake(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openRawConfig})
	small, other := joinRawSocket(t, usher, 2), joinRawSocket(t, usher, 15) // 2 KiB, 16 MiB
	large := []any{strings.Repeat("x", 4<<10)}
	small.send(64, 1, map[string]any{}, "com.example.echo")
	small.expect(65)
	small.send(32, 2, map[string]any{}, "com.example.topic")
	small.expect(33)

	other.send(48, 1, map[string]any{}, "com.example.echo", large)
	other.expect(8, 48, 1, nil, "wamp.error.payload_size_exceeded")
	other.send(16, 2, map[string]any{}, "com.example.topic", large)
	other.send(16, 3, map[string]any{}, "com.example.topic", []any{"short"})
	small.expect(36, nil, nil, nil, "[short]")

	other.send(64, 4, map[string]any{}, "com.example.large")
	other.expect(65)
	small.send(48, 3, map[string]any{}, "com.example.large")
	invocation := other.expect(68)
	other.send(70, invocation[1], map[string]any{}, large)
	small.expect(8, 48, 3, nil, "wamp.error.payload_size_exceeded")

	other.send(48, 5, map[string]any{}, "com.example.echo", []any{1})
	invocation = small.expect(68)
	small.send(70, invocation[1], map[string]any{}, []any{1})
	other.expect(50, 5)
}

func TestRawSocketHalfOpenHandshakes(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openRawConfig})
	address := strings.TrimPrefix(usher.log.waitFor(t, usher.exited, `rs://[^" ]+`), "rs://")
	var silent []net.Conn
	for i := range scaled(2000) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("\x7f\xf1\x00")[:i%4]); err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	start := time.Now()
	joinRawSocket(t, usher, 15)
	join(t, usher.url)
	t.Logf("two clients joined in %v", time.Since(start))
	deadline := time.Now().Add(patience)
	for i, c := range silent {
		if err := c.SetReadDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); os.IsTimeout(err) {
			t.Fatalf("handshake %d of %d is still open", i, len(silent))
		}
	}
}

func TestRawSocketGoodbyeOnSignal(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openRawConfig})
	callee := join(t, usher.url)
	callee.send(64, callee.request(), map[string]any{}, "com.example.answer")
	callee.expect(65)
	var peers []*rawPeer
	for range 20 {
		p := joinRawSocket(t, usher, 15)
		p.send(48, 1, map[string]any{}, "com.example.answer")
		invocation := callee.expect(68)
		callee.send(70, invocation[1], map[string]any{}) // which stays unread for now
		peers = append(peers, p)
	}
	callee.send(48, callee.request(), map[string]any{}, "com.example.none")
	callee.expect(8, 48) // so that all that it said before was handled
	if err := usher.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		p.expect(50)
		p.expect(6, nil, "wamp.close.system_shutdown")
		p.expectEnd()
	}
}
