package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"usher/router/wamp"
)

// done waits for a connection's end.
func done(t testing.TB, c Conn) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("the connection did not end")
	}
}

// A login's last message costs no write of its own, nor does the close frame.
func TestLastMessageAndCloseFrameAreOneWrite(t *testing.T) {
	for _, name := range Subprotocols() {
		t.Run(name, func(t *testing.T) {
			e := listen(t, Options{})
			p, c := e.raw(name)
			before := e.transport.Stats().Writes
			var b Batch
			if err := c.Send(&b, &wamp.Goodbye{Reason: wamp.CloseNormal}); err != nil {
				t.Fatal(err)
			}
			c.Close(CloseNormal)
			b.Flush()
			if _, _, err := p.ReadMessage(); err != nil {
				t.Fatalf("GOODBYE: %v", err)
			}
			p.expectClose(websocket.CloseNormalClosure)
			p.write(frame(0x80|opClose, "\x03\xe8")...)
			done(t, c)
			if writes := e.transport.Stats().Writes - before; writes != 1 {
				t.Errorf("%d writes, want 1", writes)
			}
		})
	}
}

// Once both close frames are through the server does not wait for the end of the
// stream, which a client leaves to it.
func TestServerClosesFirst(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(t *testing.T, p *peer, c *WebSocket)
	}{
		{"after the peer's answer", func(t *testing.T, p *peer, c *WebSocket) {
			c.Close(CloseNormal)
			p.write(frame(0x80|opText, "[1]")...) // it may still be talking
			p.write(frame(0x80|opPing, "x")...)
			p.expectClose(websocket.CloseNormalClosure)
			p.write(frame(0x80|opClose, "\x03\xe8")...)
		}},
		{"after its answer to the peer", func(t *testing.T, p *peer, c *WebSocket) {
			p.write(frame(0x80|opClose, "\x03\xe8")...)
			if err := readError(t, c); !errors.Is(err, io.EOF) {
				t.Errorf("Read: %v, want io.EOF", err)
			}
			c.Close(CloseNormal)
			p.expectClose(websocket.CloseNormalClosure)
		}},
		{"after a message of the wrong kind", func(t *testing.T, p *peer, c *WebSocket) {
			p.write(append(frame(0x80|opBinary, "x"), frame(0x80|opClose, "\x03\xe8")...)...)
			if err := readError(t, c); errors.Is(err, io.EOF) {
				t.Errorf("Read: %v, want what is wrong", err)
			}
			c.Close(CloseProtocol)
			p.expectClose(websocket.CloseUnsupportedData)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, c := listen(t, Options{CloseTimeout: time.Hour}).raw(jsonName)
			test.end(t, p, c)
			done(t, c)
			if _, err := p.NetConn().Read(make([]byte, 1)); err == nil {
				t.Error("there is more behind the close frame")
			}
		})
	}
}

func TestPeerThatDoesNotAnswerTheCloseFrame(t *testing.T) {
	for _, test := range []struct {
		name string
		talk []byte // over and over
	}{
		{"and is silent", nil},
		{"and goes on talking", frame(0x80|opText, strings.Repeat("x", 1000))},
		{"and sends empty messages", bytes.Repeat(frame(0x80|opText, ""), 100)},
		{"and sends pings", bytes.Repeat(frame(0x80|opPing, "x"), 100)},
		{"and breaks the protocol", frame(0xf0, "x")},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := listen(t, Options{CloseTimeout: 50 * time.Millisecond})
			p, c := e.raw(jsonName)
			var wg sync.WaitGroup
			if test.talk != nil {
				wg.Go(func() {
					for {
						if _, err := p.NetConn().Write(test.talk); err != nil {
							return
						}
					}
				})
			}
			c.Close(CloseNormal)
			done(t, c)
			wg.Wait()
			if n := e.transport.Stats().Connections; n != 0 {
				t.Errorf("%d connections, want none", n)
			}
		})
	}
}

func TestBothSidesCloseAtOnce(t *testing.T) {
	eachLink(t, Options{CloseTimeout: time.Hour}, func(t *testing.T, client, server Conn) {
		var wg sync.WaitGroup
		for _, c := range []Conn{client, server} {
			wg.Go(func() { c.Close(CloseNormal) })
		}
		wg.Wait()
		done(t, client)
		done(t, server)
	})
}

// What Read returned is valid until the next Read, whoever closes the connection
// meanwhile.
func TestMessageOutlivesClose(t *testing.T) {
	for _, test := range []struct {
		name   string
		secure bool
		size   int
	}{{"as it came", false, 100}, {"collected", false, 40000}, {"from TLS", true, 100}, {"from TLS, collected", true, 5000}} {
		t.Run(test.name, func(t *testing.T) {
			e := serve(t, Options{CloseTimeout: time.Hour}, test.secure, nil)
			client, server := e.dial(cborName)
			data, want := readLast(t, client, server, test.size)
			overwritePool(e.transport)
			if !bytes.Equal(data, want) {
				t.Error("the message changed")
			}
		})
	}
}

// readLast returns a message that was read before its connection ended, and a copy.
func readLast(t *testing.T, client, server Conn, size int) (data, want []byte) {
	t.Helper()
	send(t, client, event(t, client.Format(), 1, size))
	data, err := server.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.Clone(data)
	server.Close(CloseShutdown)
	client.Close(CloseNormal)
	done(t, server)
	return data, want
}

// Behind the next Read, what it lies in is free for others.
func TestLastMessageGoesBackToThePool(t *testing.T) {
	for name, dial := range map[string]func() (client, server Conn, s *stream){
		"websocket": func() (Conn, Conn, *stream) {
			client, server := listen(t, Options{CloseTimeout: time.Hour}).dial(cborName)
			return client, server, &server.stream
		},
		"rawsocket": func() (Conn, Conn, *stream) {
			client, server := listenRaw(t, Options{CloseTimeout: time.Hour}, rawKinds[0], RawSocketOptions{}).dial(wamp.CBOR)
			return client, server, &server.stream
		},
	} {
		for _, size := range []int{100, 40000} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				for range 20 { // a pool may forget
					client, server, s := dial()
					_, _ = readLast(t, client, server, size)
					spent := s.in.spent
					if spent == nil {
						t.Fatal("nothing was kept")
					}
					if data, err := server.Read(nil); err == nil {
						t.Fatalf("Read: %q, want why the connection has ended", data)
					}
					for range 32 {
						if s.t.buffers.get(cap(spent.b)) == spent {
							return
						}
					}
				}
				t.Error("it did not come back")
			})
		}
	}
}

// overwritePool changes what lies in buffers that were given back.
func overwritePool(t *Transport) {
	for range 10 {
		for _, size := range []int{smallBuffer, mediumBuffer, largeBuffer} {
			b := t.buffers.get(size)
			clear(b.b[:cap(b.b)])
		}
	}
}

func TestResetOfThePeer(t *testing.T) {
	e := listen(t, Options{})
	p, c := e.raw(jsonName)
	if err := p.NetConn().(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	if err := readError(t, c); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("Read: %v, want that the connection is lost", err)
	}
	c.Close(CloseNormal)
	done(t, c)
	if s := e.transport.Stats(); s.Connections != 0 {
		t.Errorf("%d connections, want none", s.Connections)
	}
}

// Many goroutines send to, flush and close the same connection: nothing is lost
// before the close, nothing waits for ever after it, and no byte stays counted.
func TestSendersAndClosersAtOnce(t *testing.T) {
	e := listen(t, Options{})
	rounds := 50
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		client, server := e.dial(cborName)
		shared := make(chan int, 1)
		go func() { // until the connection ends
			n := 0
			var b Batch
			for {
				if _, err := client.Read(&b); err != nil {
					shared <- n
					client.Close(CloseNormal)
					return
				}
				n++
			}
		}()
		var wg sync.WaitGroup
		sent := make([]int, 4)
		for i := range sent {
			wg.Go(func() {
				m := event(t, wamp.CBOR, i+1, 300)
				var b Batch
				for n := range 100 {
					with := &b
					if n%10 == 0 {
						with = nil
					}
					if err := server.Send(with, m); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Errorf("Send: %v", err)
						}
						break
					}
					sent[i]++
					if n%7 == 0 {
						b.Flush()
					}
				}
				b.Flush()
				server.Close(CloseNormal)
			})
		}
		wg.Wait()
		done(t, server)
		want := 0
		for _, n := range sent {
			want += n
		}
		if got := <-shared; got != want {
			t.Errorf("%d messages arrived, %d were taken", got, want)
		}
		done(t, client)
		if n := server.out.queue.bytes; n != 0 {
			t.Errorf("%d bytes still counted as waiting", n)
		}
	}
	if s := e.transport.Stats(); s.Connections != 0 || s.DroppedBytes != 0 {
		t.Errorf("stats are %+v, want no connection and nothing dropped", s)
	}
}

func TestPingsCannotFillTheQueue(t *testing.T) {
	e := listen(t, Options{QueueBytes: 4096})
	p, c := e.raw(jsonName)
	owned := func(owned bool) (pongs int) { // as by a writer that waits for the peer
		c.mu.Lock()
		defer c.mu.Unlock()
		c.writing = owned
		return len(c.out.pong)
	}
	owned(true)
	for range 1000 {
		p.write(frame(0x80|opPing, strings.Repeat("x", maxControl))...)
	}
	p.write(frame(0x80|opText, `[36,1,7,{}]`)...)
	if n := receive(t, c); n != 7 {
		t.Errorf("received %d, want 7", n)
	}
	if err := c.Send(nil, event(t, wamp.JSON, 8, 3000)); err != nil {
		t.Errorf("there is room, but: %v", err)
	}
	if n := owned(false); n == 0 || n > 4096 {
		t.Errorf("%d bytes of pongs wait", n)
	}
	c.flush()
	if _, _, err := p.ReadMessage(); err != nil {
		t.Error(err)
	}
}

func TestReadWithoutABatchAnswersPings(t *testing.T) {
	p, c := listen(t, Options{}).raw(jsonName)
	pong := make(chan string, 1)
	p.SetPongHandler(func(s string) error { pong <- s; return errors.New("enough") })
	p.write(frame(0x80|opPing, "hello")...)
	go func() { _, _ = c.Read(nil) }() // until the connection ends
	_, _, _ = p.ReadMessage()
	select {
	case s := <-pong:
		if s != "hello" {
			t.Errorf("pong is %q", s)
		}
	default:
		t.Error("no pong")
	}
}
