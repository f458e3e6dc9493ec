package transport

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"usher/router/wamp"
)

// FuzzReader feeds arbitrary bytes to the server's side of a WebSocket: it ends
// with an error and without a panic, and what it returns meanwhile is in bounds.
func FuzzReader(f *testing.F) {
	f.Add(byte(0), append(frame(0x80|opText, "[1]"), frame(0x80|opClose, "\x03\xe8")...))
	f.Add(byte(1), frame(0x80|opText, "[1]\x1e[2]\x18"))
	f.Add(byte(2), frame(0x80|opBinary, "\x81\x01"))
	f.Add(byte(3), frame(0x80|opBinary, "\x00\x00\x00\x02\x81\x01\x00\x00\x00\x01\x80"))
	f.Add(byte(4), append(frame(opBinary, "\x81"), append(frame(0x80|opPing, "x"), frame(0x80, "\x01")...)...))
	f.Add(byte(4), []byte{})
	f.Add(byte(5), []byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(byte(132), frame(0xc0|opText, string(compressed([]byte("[1111111111111111]"), maxWindowBits))))
	f.Add(byte(133), frame(0xc0|opText, "\x00"))
	const bound = 4096
	tr := New(Options{MaxMessageSize: bound, CloseTimeout: 100 * time.Millisecond})
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		client, server := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, client) }() // until the end
		name := subprotocol{wamp.JSON + wamp.Format(kind%6/2), kind%2 == 1}.String()
		h := http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {name},
		}
		if kind >= 128 {
			h.Set("Sec-Websocket-Extensions", extensionName)
		}
		c, err := tr.Upgrade(hijackable{conn: server}, &http.Request{Method: http.MethodGet, Header: h}, UpgradeOptions{Deflate: &Deflate{}})
		if err != nil {
			t.Fatal(err)
		}
		go func() { // likewise
			_, _ = client.Write(data)
			_ = client.Close()
		}()
		var b Batch
		for range len(data) + 1 {
			m, err := c.Read(&b)
			if err != nil {
				c.Close(CloseNormal)
				<-c.Done()
				return
			}
			if len(m) > bound {
				t.Fatalf("a message of %d bytes", len(m))
			}
		}
		t.Fatal("more messages than bytes")
	})
}

// hijackable is a response of which only the connection matters.
type hijackable struct {
	http.ResponseWriter
	conn net.Conn
}

func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// FuzzMask compares the mask with one that is applied byte by byte.
func FuzzMask(f *testing.F) {
	f.Add(uint32(0x01020304), []byte("0123456789abc"))
	f.Fuzz(func(t *testing.T, key uint32, data []byte) {
		masked := append([]byte(nil), data...)
		mask(masked, key)
		for i, b := range data {
			if want := b ^ byte(key>>(8*(i%4))); masked[i] != want {
				t.Fatalf("byte %d is %x, want %x", i, masked[i], want)
			}
		}
	})
}
