package transport

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/router/wamp"
)

// TestFramesInPieces sends the same frames cut in different places.
func TestFramesInPieces(t *testing.T) {
	large := `[36,1,3,{},["` + strings.Repeat("x", 70_000) + `"]]`
	want := []string{`[36,1,1,{}]`, `[36,1,2,{},["` + strings.Repeat("y", 300) + `"]]`, large, `[36,1,4,{}]`}
	all := slices.Concat(
		frame(0x80|opText, want[0]),
		frame(0x80|opPing, "a"),
		frame(opText, want[1][:5]), frame(0x80|opPing, strings.Repeat("b", maxControl)), frame(0, ""), frame(0x80, want[1][5:]),
		frame(0x80|opText, large),
		frame(0x80|opPong, ""),
		frame(opText, want[3]), frame(0x80, ""),
		frame(0x80|opClose, "\x03\xe8"))
	for _, size := range []int{1, 2, 3, 5, 100, 513, 4096, len(all)} {
		for _, kind := range []string{"tcp", "pipe"} {
			t.Run(fmt.Sprint(kind, "/", size), func(t *testing.T) {
				if size < 100 && testing.Short() {
					t.Skip("slow")
				}
				near, far := ends(t, kind)
				c := New(Options{}).newWebSocket(far, false)
				c.start(subprotocol{format: wamp.JSON}, nil)
				t.Cleanup(func() { end(t, c) })
				written := make(chan error, 1)
				go func() { // ends with the socket
					for piece := range slices.Chunk(all, size) {
						if _, err := near.Write(piece); err != nil {
							written <- err
							return
						}
					}
					written <- nil
				}()
				go func() { _, _ = bufio.NewReader(near).WriteTo(discard{}) }() // likewise
				var b Batch
				c.SetReadDeadline(time.Now().Add(patience))
				for i, w := range want {
					data, err := c.Read(&b)
					if err != nil {
						t.Fatalf("message %d: %v", i, err)
					}
					if string(data) != w {
						t.Errorf("message %d is %.40q with %d bytes, want %d", i, data, len(data), len(w))
					}
				}
				if data, err := c.Read(&b); err == nil {
					t.Errorf("read %q after the close frame", data)
				}
				if err := <-written; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// ends returns the two ends of a connection that can, or cannot, be read without
// waiting.
func ends(t *testing.T, kind string) (a, b net.Conn) {
	t.Helper()
	if kind == "pipe" {
		a, b = net.Pipe()
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if b, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return a, b
}

func TestPingsAreAnsweredInOrder(t *testing.T) {
	p, c := listen(t, Options{}).raw(jsonName)
	var pongs []string
	p.SetPongHandler(func(s string) error { pongs = append(pongs, s); return nil })
	var all []byte
	for i := range 10 {
		all = append(all, frame(0x80|opPing, fmt.Sprint(i))...)
	}
	p.write(append(all, frame(0x80|opText, `[36,1,1,{}]`)...)...)
	var b Batch
	if _, err := c.Read(&b); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(&b, event(t, wamp.JSON, 1, 1)); err != nil {
		t.Fatal(err)
	}
	b.Flush()
	if _, _, err := p.ReadMessage(); err != nil { // it handles what comes before
		t.Fatal(err)
	}
	if got := strings.Join(pongs, ""); got != "0123456789" {
		t.Errorf("pongs are %q", got)
	}
}

// TestFrameBehindTheAnswer has a router that sends at once, and in one piece.
func TestFrameBehindTheAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() { // ends with the connection
		nc, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		defer nc.Close()
		r, err := http.ReadRequest(bufio.NewReader(nc))
		if err != nil {
			served <- err
			return
		}
		sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: " + jsonName +
			"\r\nSec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
		message := `[36,1,7,{}]`
		b := append([]byte(answer), 0x80|opText, byte(len(message)))
		b = append(b, message...)
		b = append(b, 0x80|opClose, 0)
		_, err = nc.Write(b)
		served <- err
		_, _ = bufio.NewReader(nc).WriteTo(discard{})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := New(Options{}).Dial(ctx, "ws://"+l.Addr().String(), DialOptions{Subprotocols: []string{jsonName}})
	if err != nil {
		t.Fatal(err)
	}
	defer end(t, c)
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if n := receive(t, c); n != 7 {
		t.Errorf("received %d, want 7", n)
	}
}
