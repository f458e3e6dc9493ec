package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"usher/router/wamp"
)

func TestRawSocketHandshake(t *testing.T) {
	for _, test := range []struct {
		name    string
		options RawSocketOptions
		sends   string
		answer  string // what comes before the end of the stream where it is refused
		want    error
	}{
		{"JSON, 512 bytes", RawSocketOptions{}, "\x7f\x01\x00\x00", "\x7f\xb1\x00\x00", nil},
		{"MessagePack, 16 MiB", RawSocketOptions{}, "\x7f\xf2\x00\x00", "\x7f\xb2\x00\x00", nil},
		{"CBOR", RawSocketOptions{}, "\x7f\xf3\x00\x00", "\x7f\xb3\x00\x00", nil},
		{"a limit that is rounded down", RawSocketOptions{MaxMessageSize: 8191}, "\x7f\xf3\x00\x00", "\x7f\x33\x00\x00", nil},
		{"a limit below the least", RawSocketOptions{MaxMessageSize: 1}, "\x7f\xf3\x00\x00", "\x7f\x03\x00\x00", nil},
		{"a limit above the greatest", RawSocketOptions{MaxMessageSize: 1 << 30}, "\x7f\xf3\x00\x00", "\x7f\xf3\x00\x00", nil},
		{"no serializer", RawSocketOptions{}, "\x7f\xf0\x00\x00", "\x7f\x10\x00\x00", ErrHandshake},
		{"UBJSON", RawSocketOptions{}, "\x7f\xf4\x00\x00", "\x7f\x10\x00\x00", ErrHandshake},
		{"an unknown serializer", RawSocketOptions{}, "\x7f\xff\x00\x00", "\x7f\x10\x00\x00", ErrHandshake},
		{"a serializer that is not offered", RawSocketOptions{Formats: []wamp.Format{wamp.JSON}}, "\x7f\xf3\x00\x00", "\x7f\x10\x00\x00", ErrHandshake},
		{"reserved bits", RawSocketOptions{}, "\x7f\xf1\x00\x01", "\x7f\x30\x00\x00", ErrHandshake},
		{"reserved bits and more behind", RawSocketOptions{}, "\x7f\xf1\x80\x00\x00\x00\x00\x01x", "\x7f\x30\x00\x00", ErrHandshake},
		{"HTTP", RawSocketOptions{}, "GET / HTTP/1.1\r\n\r\n", "", ErrHandshake},
		{"an end in the middle", RawSocketOptions{}, "\x7f\xf1", "", io.ErrUnexpectedEOF},
		{"nothing at all", RawSocketOptions{}, "", "", io.EOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := listenRaw(t, Options{}, "tcp", test.options)
			p := e.connect()
			p.write([]byte(test.sends)...)
			if test.want == nil {
				if got := string(p.read(4)); got != test.answer {
					t.Errorf("answer is %x, want %x", got, test.answer)
				}
				e.accept()
				_ = p.Close()
				return
			}
			_ = p.Conn.(*net.TCPConn).CloseWrite()
			if got, err := io.ReadAll(p); string(got) != test.answer || err != nil && test.answer != "" {
				t.Errorf("answer is %x, %v, want %x and the end", got, err, test.answer)
			}
			if err := <-e.failed; !errors.Is(err, test.want) {
				t.Errorf("AcceptRawSocket: %v, want %v", err, test.want)
			}
			if n := e.transport.Stats().Connections; n != 0 {
				t.Errorf("%d connections, want none", n)
			}
		})
	}
}

func TestHalfOpenRawSocketIsClosed(t *testing.T) {
	for _, kind := range rawKinds {
		for name, sends := range map[string]string{"silent": "", "half": "\x7f\xf1"} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				e := listenRaw(t, Options{}, kind, RawSocketOptions{Deadline: time.Now().Add(50 * time.Millisecond)})
				p := e.connect()
				if sends != "" { // or a TLS client has not even begun
					p.write([]byte(sends)...)
				}
				if err := <-e.failed; !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("AcceptRawSocket: %v, want that the deadline passed", err)
				}
				if kind != "tls" {
					p.expectEnd()
				}
			})
		}
	}
}

func TestRefuseRawSocket(t *testing.T) {
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	go RefuseRawSocket(server) // until the answer is read
	answer, err := io.ReadAll(client)
	if want := "\x7f\x40\x00\x00"; string(answer) != want || err != nil {
		t.Errorf("answer is %x, %v, want %x", answer, err, want)
	}
}

// TestDialRawSocketErrors answers a client in every way that is not as it should be.
func TestDialRawSocketErrors(t *testing.T) {
	for _, test := range []struct{ answer, want string }{
		{"\x7f\x10\x00\x00", "serializer unsupported"},
		{"\x7f\x20\x00\x00", "maximum message length unacceptable"},
		{"\x7f\x30\x00\x00", "use of reserved bits"},
		{"\x7f\x40\x00\x00", "maximum connection count reached"},
		{"\x7f\x00\x00\x00", "unknown error 0"},
		{"\x7f\xf0\x00\x00", "unknown error 15"},
		{"\x7f\xf2\x00\x00", "router chose serializer 2, not 3"},
		{"\x7f\xf3\x01\x00", "reserved bits"},
		{"\x7f\xf3\x00\x01", "reserved bits"},
		{"HTTP/1.1 400 Bad Request", "no RawSocket router"},
		{"\x7f\xf3", "without an answer"},
		{"", "without an answer"},
	} {
		t.Run(fmt.Sprintf("%q", test.answer), func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() { // until the answer is sent
				nc, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.ReadFull(nc, make([]byte, 4))
				_, _ = nc.Write([]byte(test.answer))
				_ = nc.Close()
			}()
			tr := New(Options{})
			_, err = tr.Dial(t.Context(), "rs://"+l.Addr().String(), DialOptions{Subprotocols: []string{cborName}})
			if err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, ErrHandshake) {
				t.Errorf("Dial: %v, want ErrHandshake with %q", err, test.want)
			}
			if n := tr.Stats().Connections; n != 0 {
				t.Errorf("%d connections, want none", n)
			}
		})
	}
}

func TestDialTargets(t *testing.T) {
	for url, want := range map[string]target{
		"ws://x/ws":                     {url: "ws://x/ws"},
		"wss://x/ws":                    {secure: true, url: "wss://x/ws"},
		"ws+unix:///run/u.sock":         {network: "unix", address: "/run/u.sock", url: "ws://localhost"},
		"ws+unix:///run/u.sock:/ws?a=b": {network: "unix", address: "/run/u.sock", url: "ws://localhost/ws?a=b"},
		"rss+unix:///s":                 {rawSocket: true, secure: true, network: "unix", address: "/s"},
		"wss+unix:///s:/ws":             {secure: true, network: "unix", address: "/s", url: "wss://localhost/ws"},
		"rs+unix:///run/u%20sock":       {rawSocket: true, network: "unix", address: "/run/u sock"},
		"rs://localhost:8081":           {rawSocket: true, network: "tcp", address: "localhost:8081"},
		"rss://[::1]:8081":              {rawSocket: true, secure: true, network: "tcp", address: "[::1]:8081"},
		"rs://unix:/run/u.sock":         {rawSocket: true, network: "unix", address: "/run/u.sock"},
		"rs://localhost":                {},
		"rs+unix://run/u.sock":          {},
		"rs+unix:u.sock":                {},
		"tcp://localhost:8081":          {},
	} {
		got, err := parseTarget(url)
		if (err == nil) != (want != target{}) || err == nil && got != want {
			t.Errorf("%s: %+v, %v, want %+v", url, got, err, want)
		}
	}
}

// TestRawSocketViolations sends what RawSocket forbids: Read fails, what is sent
// then still arrives, and the stream ends.
func TestRawSocketViolations(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for _, test := range []struct {
		name  string
		bytes []byte
	}{
		{"a reserved bit", []byte{0x10, 0, 0, 1, 'x'}},
		{"another reserved bit", []byte{0x80, 0, 0, 1, 'x'}},
		{"a frame of type 3", rawFrame(3, "x")},
		{"a frame of type 7", rawFrame(7, "x")},
		{"a message that is too large", rawFrame(rawMessage, long)},
		{"a message of 16 MiB", []byte{0x08, 0, 0, 0}},
		{"a length beyond 16 MiB", []byte{0x08, 0, 0, 1}},
		{"a ping that is too large", append([]byte{rawPing, 1, 0, 1}, long...)},
		{"a pong that is too large", append([]byte{rawPong, 1, 0, 1}, long...)},
		{"a ping of 16 MiB", []byte{0x09, 0, 0, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, kind := range rawKinds {
				p, c := listenRaw(t, Options{MaxMessageSize: 2048}, kind, RawSocketOptions{}).raw(wamp.JSON, 15)
				p.write(test.bytes...)
				err := readError(t, c)
				if !errors.Is(err, ErrViolation) {
					t.Errorf("Read: %v, want ErrViolation", err)
				}
				if _, again := c.Read(nil); again == nil || again.Error() != err.Error() {
					t.Errorf("second Read: %v, want %v again", again, err)
				}
				send(t, c, &wamp.Abort{Reason: wamp.ErrProtocolViolation})
				c.Close(CloseProtocol)
				if kind, payload := p.frame(); kind != rawMessage || string(payload) != `[3,{},"wamp.error.protocol_violation"]` {
					t.Errorf("received %d %q, want ABORT", kind, payload)
				}
				p.expectEnd()
				_ = p.Close()
				done(t, c)
			}
		})
	}
}

func TestHugeRawMessageIsRefusedBeforeItIsBuffered(t *testing.T) {
	p, c := listenRaw(t, Options{}, "tcp", RawSocketOptions{}).raw(wamp.JSON, 15)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() { // ends when all is written or the connection is closed
		if _, err := p.Write([]byte{0x08, 0, 0, 0}); err != nil {
			t.Error(err)
		}
		chunk := make([]byte, 1<<20)
		for range 16 {
			if _, err := p.Write(chunk); err != nil {
				return
			}
		}
	}()
	if err := readError(t, c); !errors.Is(err, ErrViolation) {
		t.Errorf("Read: %v", err)
	}
	c.Close(CloseTooLarge)
	p.expectEnd()
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

// TestPeersLimit: what a peer has said it takes is what it is sent, to the byte.
func TestPeersLimit(t *testing.T) {
	for _, kind := range rawKinds {
		for length := byte(0); length <= 15; length++ {
			t.Run(fmt.Sprintf("%s/%d", kind, exponentLength(length)), func(t *testing.T) {
				if testing.Short() && length > 4 && (length < 15 || kind != "tcp") {
					t.Skip("the ends are enough")
				}
				limit := exponentLength(length)
				p, c := listenRaw(t, Options{QueueBytes: 64 << 20}, kind, RawSocketOptions{}).raw(wamp.JSON, length)
				over := limit - len(`[36,1,1,{},[""]]`)
				for _, shared := range []bool{false, true} {
					sendOne := func(n, size int) error {
						if shared {
							return c.SendShared(nil, NewShared(event(t, wamp.JSON, n, size)))
						}
						return c.Send(nil, event(t, wamp.JSON, n, size))
					}
					if err := sendOne(1, over+1); !errors.Is(err, ErrTooLarge) {
						t.Errorf("one byte more: %v, want ErrTooLarge", err)
					}
					if err := sendOne(2, over); err != nil {
						t.Fatal(err)
					}
					if kind, payload := p.frame(); kind != rawMessage || len(payload) != limit || number(t, wamp.JSON, payload) != 2 {
						t.Errorf("received a frame of type %d with %d bytes, want %d", kind, len(payload), limit)
					}
				}
				_ = p.Close()
				end(t, c)
				if n := c.out.queue.bytes; n != 0 {
					t.Errorf("%d bytes still counted as waiting", n)
				}
			})
		}
	}
}

func TestRawSocketTakesWhatItAnnounces(t *testing.T) {
	e := listenRaw(t, Options{MaxMessageSize: maxRawMessage, QueueBytes: 64 << 20}, "tcp", RawSocketOptions{})
	client, server := e.dial(wamp.JSON)
	send(t, client, event(t, wamp.JSON, 1, maxRawMessage-len(`[36,1,1,{},[""]]`)))
	server.SetReadDeadline(time.Now().Add(patience))
	data, err := server.Read(nil)
	if err != nil || len(data) != maxRawMessage {
		t.Errorf("received %d bytes, %v, want %d", len(data), err, maxRawMessage)
	}
}

func TestEachPingIsAnswered(t *testing.T) {
	for _, kind := range rawKinds {
		t.Run(kind, func(t *testing.T) {
			p, c := listenRaw(t, Options{QueueBytes: 1 << 20}, kind, RawSocketOptions{}).raw(wamp.JSON, 15)
			pings := []string{"", "x", strings.Repeat("y", maxControl+1), strings.Repeat("z", maxPing)}
			var all []byte
			for _, ping := range pings {
				all = append(all, rawFrame(rawPing, ping)...)
				all = append(all, rawFrame(rawPong, "unasked")...)
			}
			all = append(all, rawFrame(rawMessage, `[36,1,7,{}]`)...)
			go func() { _, _ = p.Write(all) }() // until all is read or the connection ends
			if n := receive(t, c); n != 7 {
				t.Errorf("received %d, want 7", n)
			}
			for _, want := range pings {
				if kind, payload := p.frame(); kind != rawPong || string(payload) != want {
					t.Errorf("received a frame of type %d with %d bytes, want the pong of %d", kind, len(payload), len(want))
				}
			}
		})
	}
}

// TestPongsAreBounded: a peer that sends pings and reads nothing is closed as one
// that is too slow.
func TestPongsAreBounded(t *testing.T) {
	e := listenRaw(t, Options{QueueBytes: 1 << 20, CloseTimeout: 50 * time.Millisecond}, "tcp", RawSocketOptions{})
	p, c := e.raw(wamp.JSON, 15)
	ping := rawFrame(rawPing, strings.Repeat("x", maxPing))
	go func() { // until the connection ends
		for {
			if _, err := p.Write(ping); err != nil {
				return
			}
		}
	}()
	if err := readError(t, c); !errors.Is(err, ErrClosed) {
		t.Errorf("Read: %v, want ErrClosed", err)
	}
	done(t, c)
	if s := e.transport.Stats(); s.SlowDisconnects != 1 || s.Connections != 0 {
		t.Errorf("stats are %+v, want one slow disconnect", s)
	}
}

func TestPongsJumpTheQueue(t *testing.T) {
	client, server := net.Pipe()
	tr := New(Options{})
	c := tr.startRawSocket(server, false, wamp.JSON, 1<<20, 1<<20, false)
	p := &rawPeer{t, client}
	t.Cleanup(func() { _ = client.Close(); end(t, c) })
	var b Batch
	for n := range 3 {
		if err := c.Send(&b, event(t, wamp.JSON, n+1, 10)); err != nil {
			t.Fatal(err)
		}
	}
	c.in.batch = &b // as if Read had it
	if !c.pong([]byte("hello")) {
		t.Fatal("no room for a pong")
	}
	c.in.batch = nil
	b.Flush()
	for i, want := range []byte{rawPong, rawMessage, rawMessage, rawMessage} {
		if kind, _ := p.frame(); kind != want {
			t.Errorf("frame %d is of type %d, want %d", i, kind, want)
		}
	}
}

func TestRawSocketPeerThatIsLost(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(*rawPeer)
		want  error
	}{
		{"end of stream", func(p *rawPeer) { _ = p.Conn.(*net.TCPConn).CloseWrite() }, io.EOF},
		{"end of stream behind a message", func(p *rawPeer) {
			p.write(rawFrame(rawMessage, "[1]")...)
			_ = p.Conn.(*net.TCPConn).CloseWrite()
		}, io.EOF},
		{"end inside a prefix", func(p *rawPeer) {
			p.write(0, 0)
			_ = p.Conn.(*net.TCPConn).CloseWrite()
		}, io.ErrUnexpectedEOF},
		{"end inside a message", func(p *rawPeer) {
			p.write(0, 0, 0, 9, 'x')
			_ = p.Conn.(*net.TCPConn).CloseWrite()
		}, io.ErrUnexpectedEOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, c := listenRaw(t, Options{CloseTimeout: time.Hour}, "tcp", RawSocketOptions{}).raw(wamp.JSON, 15)
			test.leave(p)
			if err := readError(t, c); !errors.Is(err, test.want) {
				t.Errorf("Read: %v, want %v", err, test.want)
			}
			c.Close(CloseNormal)
			p.expectEnd()
			done(t, c)
		})
	}
}

// What Read returned is valid until the next Read, whoever closes the connection
// meanwhile.
func TestRawMessageOutlivesClose(t *testing.T) {
	for _, kind := range rawKinds {
		e := listenRaw(t, Options{CloseTimeout: time.Hour}, kind, RawSocketOptions{})
		client, server := e.dial(wamp.CBOR)
		data, want := readLast(t, client, server, 100)
		overwritePool(e.transport)
		if !bytes.Equal(data, want) {
			t.Errorf("%s: the message changed", kind)
		}
	}
}

func TestRawSocketWritesTogether(t *testing.T) {
	for _, kind := range rawKinds {
		e := listenRaw(t, Options{}, kind, RawSocketOptions{})
		client, server := e.dial(wamp.MessagePack)
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
		end(t, client, server) // a writer counts what it has written, which may have arrived before
		after := e.transport.Stats()
		if writes, messages := after.Writes-before.Writes, after.MessagesOut-before.MessagesOut; writes != 1 || messages != 100 {
			t.Errorf("%s: %d messages in %d writes, want 100 in 1", kind, messages, writes)
		}
	}
}

// TestRawSocketAllocatesNothing: neither sending nor reading does, once it is warm.
func TestRawSocketAllocatesNothing(t *testing.T) {
	client, server := listenRaw(t, Options{}, "tcp", RawSocketOptions{}).dial(wamp.CBOR)
	m := event(t, wamp.CBOR, 1, 100)
	var b Batch
	if n := testing.AllocsPerRun(200, func() {
		for range 16 {
			_ = client.Send(&b, m)
		}
		for range 16 {
			if _, err := server.Read(&b); err != nil {
				t.Fatal(err)
			}
		}
	}); n > 1 { // the pools may be emptied by a collection
		t.Errorf("%v allocations for 16 messages", n)
	}
}

// FuzzRawSocket feeds arbitrary bytes to the router's side, handshake included: it
// ends with an error and without a panic, and what it returns is in bounds.
func FuzzRawSocket(f *testing.F) {
	f.Add([]byte("\x7f\xf1\x00\x00\x00\x00\x00\x03[1]"))
	f.Add([]byte("\x7f\x13\x00\x00\x01\x00\x00\x02hi\x02\x00\x00\x00\x00\x00\x00\x01\x80"))
	f.Add([]byte("\x7f\xf2\x00\x00\x08\x00\x00\x00"))
	f.Add([]byte("\x7f\xf0\x00\x00"))
	f.Add([]byte("\x7f\xf1\x00\x00\x10\x00\x00\x00"))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	const bound = 4096
	tr := New(Options{MaxMessageSize: bound, CloseTimeout: 100 * time.Millisecond})
	f.Fuzz(func(t *testing.T, data []byte) {
		client, server := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, client) }() // until the end
		go func() {                                        // likewise
			_, _ = client.Write(data)
			_ = client.Close()
		}()
		c, err := tr.AcceptRawSocket(server, RawSocketOptions{})
		if err != nil {
			return
		}
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

// FuzzPrefix reads what was written, and refuses the rest.
func FuzzPrefix(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{9, 0, 0, 0})
	f.Add([]byte{8, 0, 0, 1}) // more than 16 MiB
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) != prefixSize {
			return
		}
		kind, n, ok := parsePrefix(data)
		if n < 0 || n > maxRawMessage || kind > 7 {
			t.Fatalf("%x: type %d, length %d", data, kind, n)
		}
		if again := appendPrefix(nil, kind, n); ok != bytes.Equal(again, data) {
			t.Fatalf("%x: type %d, length %d, accepted: %v; written again: %x", data, kind, n, ok, again)
		}
	})
}
