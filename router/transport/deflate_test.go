package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"usher/router/codec"
	"usher/router/wamp"
)

// listenDeflated serves connections that may be compressed.
func listenDeflated(t testing.TB, o Options, d *Deflate) *endpoint {
	e := listen(t, o)
	e.deflate = d
	return e
}

// compressed returns data as the payload of a compressed message.
func compressed(data []byte, bits int) []byte { return bytes.Clone(new(deflater).deflate(data, bits)) }

func TestAnswerToOffers(t *testing.T) {
	const plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for _, test := range []struct {
		name    string
		deflate *Deflate
		offers  []string
		want    string
		bits    int
	}{
		{"not configured", nil, []string{"permessage-deflate"}, "", 0},
		{"nothing is offered", &Deflate{}, nil, "", 0},
		{"something else is offered", &Deflate{}, []string{"x-webkit-deflate-frame"}, "", 0},
		{"the plainest offer", &Deflate{}, []string{"permessage-deflate"}, plain, 15},
		{"a browser's", &Deflate{}, []string{"permessage-deflate; client_max_window_bits"}, plain, 15},
		{"Autobahn's", &Deflate{}, []string{"permessage-deflate; client_no_context_takeover; client_max_window_bits"}, plain, 15},
		{"the second of two", &Deflate{}, []string{"foo, permessage-deflate;server_no_context_takeover"}, plain, 15},
		{"on the second line", &Deflate{}, []string{"foo; bar=1", "permessage-deflate"}, plain, 15},
		{"a window for the server", &Deflate{}, []string{"permessage-deflate; server_max_window_bits=9"}, plain + "; server_max_window_bits=9", 9},
		{"in quotes", &Deflate{}, []string{`permessage-deflate; server_max_window_bits="10"`}, plain + "; server_max_window_bits=10", 10},
		{"a larger one than configured", &Deflate{MaxWindowBits: 11}, []string{"permessage-deflate; server_max_window_bits=12"}, plain + "; server_max_window_bits=11", 11},
		{"the configured one", &Deflate{MaxWindowBits: 11}, []string{"permessage-deflate"}, plain + "; server_max_window_bits=11", 11},
		{"a client that can't be asked", &Deflate{RequestMaxWindowBits: 10}, []string{"permessage-deflate"}, plain, 15},
		{"a client that can", &Deflate{RequestMaxWindowBits: 10}, []string{"permessage-deflate; client_max_window_bits"}, plain + "; client_max_window_bits=10", 15},
		{"a client that has less", &Deflate{RequestMaxWindowBits: 10}, []string{"permessage-deflate; client_max_window_bits=9"}, plain + "; client_max_window_bits=9", 15},
		{"a parameter that is unknown", &Deflate{}, []string{"permessage-deflate; level=9"}, "", 0},
		{"a parameter twice", &Deflate{}, []string{"permessage-deflate; client_max_window_bits; client_max_window_bits=10"}, "", 0},
		{"a window of nothing", &Deflate{}, []string{"permessage-deflate; server_max_window_bits"}, "", 0},
		{"a window too small", &Deflate{}, []string{"permessage-deflate; server_max_window_bits=7"}, "", 0},
		{"a window too large", &Deflate{}, []string{"permessage-deflate; server_max_window_bits=16"}, "", 0},
		{"a window with a zero before", &Deflate{}, []string{"permessage-deflate; server_max_window_bits=09"}, "", 0},
		{"a value where none belongs", &Deflate{}, []string{"permessage-deflate; server_no_context_takeover=1"}, "", 0},
		{"a bad offer before a good one", &Deflate{}, []string{"permessage-deflate; level=9, permessage-deflate; server_max_window_bits=8"}, plain + "; server_max_window_bits=8", 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			agreed, line := test.deflate.accept(http.Header{"Sec-Websocket-Extensions": test.offers})
			if line != test.want {
				t.Errorf("answer is %q, want %q", line, test.want)
			}
			if (agreed != nil) != (line != "") || agreed != nil && agreed.bits != test.bits {
				t.Errorf("agreed on %+v, want a window of %d bits", agreed, test.bits)
			}
		})
	}
}

// TestDeflateKeepsToItsWindow repeats what cannot be compressed further apart than
// a small window reaches.
func TestDeflateKeepsToItsWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for bits := 8; bits <= maxWindowBits; bits++ {
		block := make([]byte, 1<<bits+1)
		for i := range block {
			block[i] = byte(r.Uint32())
		}
		data := bytes.Repeat(block, 4)
		if z := compressed(data, bits); bits < maxWindowBits && z != nil {
			t.Errorf("%d bits: %d bytes became %d", bits, len(data), len(z))
		}
		data = bytes.Repeat(block[:100], 1000)
		z := compressed(data, bits)
		if z == nil || len(z) > len(data)*3/4 {
			t.Errorf("%d bits: %d bytes became %d, want less than three quarters", bits, len(data), len(z))
		}
		back, err := New(Options{}).inflate(z, len(data))
		if err != nil {
			t.Fatalf("%d bits: %v", bits, err)
		}
		if !bytes.Equal(back.b, data) {
			t.Errorf("%d bits: what came back is not what was compressed", bits)
		}
	}
}

// payloadEvent is an event with size bytes that compress well, or not at all.
func payloadEvent(t testing.TB, f wamp.Format, n, size int, well bool) *wamp.Event {
	t.Helper()
	text := strings.Repeat("usher ", size/6+1)[:size]
	if !well {
		r := rand.New(rand.NewPCG(uint64(n), uint64(size)))
		b := make([]byte, size)
		for i := range b {
			b[i] = " !#$%&()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~ "[r.IntN(93)]
		}
		text = string(b)
	}
	args, err := codec.Marshal(f, []any{text})
	if err != nil {
		t.Fatal(err)
	}
	return &wamp.Event{Subscription: 1, Publication: wamp.ID(n), Payload: wamp.Payload{Format: f, Args: args}}
}

// TestCompressedConnection sends messages of all sizes both ways, for one and for
// many, and compares each with what an uncompressed encoding would be.
func TestCompressedConnection(t *testing.T) {
	for _, name := range Subprotocols() {
		for _, d := range []*Deflate{{}, {Threshold: 1}, {MaxWindowBits: 9, Threshold: 100}} {
			t.Run(fmt.Sprintf("%s/%d/%d", name, d.MaxWindowBits, d.Threshold), func(t *testing.T) {
				e := listenDeflated(t, Options{}, d)
				client, server := e.dial(name)
				if client.deflate == nil || server.deflate == nil {
					t.Fatal("compression was not agreed on")
				}
				var want [][]byte
				var sent Batch
				for _, from := range []Conn{server, client} {
					to := map[Conn]Conn{server: client, client: server}[from]
					want = want[:0]
					n := 0
					for _, size := range []int{1, 500, 900, 1100, 3000, 9000, 70_000, 200_000} {
						for _, well := range []bool{true, false} {
							for _, shared := range []bool{false, true} {
								n++
								m := payloadEvent(t, from.Format(), n, size, well)
								encoded, err := codec.Append(nil, from.Format(), m)
								if err != nil {
									t.Fatal(err)
								}
								want = append(want, encoded)
								if shared {
									err = from.SendShared(&sent, NewShared(m))
								} else {
									err = from.Send(&sent, m)
								}
								if err != nil {
									t.Fatal(err)
								}
								if n%3 == 0 {
									sent.Flush()
								}
							}
						}
					}
					sent.Flush()
					to.SetReadDeadline(time.Now().Add(patience))
					for i, w := range want {
						data, err := to.Read(nil)
						if err != nil {
							t.Fatalf("message %d: %v", i+1, err)
						}
						if !bytes.Equal(data, w) {
							t.Fatalf("message %d has %d bytes, want %d", i+1, len(data), len(w))
						}
					}
				}
			})
		}
	}
}

func TestCompressionSavesBytes(t *testing.T) {
	e := listenDeflated(t, Options{}, &Deflate{})
	client, server := e.dial(cborName)
	for _, shared := range []bool{false, true} {
		before := e.transport.Stats().BytesOut
		var b Batch
		m := payloadEvent(t, wamp.CBOR, 1, 10_000, true)
		err := error(nil)
		if shared {
			err = server.SendShared(&b, NewShared(m))
		} else {
			err = server.Send(&b, m)
		}
		if err != nil {
			t.Fatal(err)
		}
		b.Flush()
		receive(t, client)
		if n := e.transport.Stats().BytesOut - before; n > 500 {
			t.Errorf("shared %v: an event of 10,000 bytes took %d on the wire", shared, n)
		}
	}
	before := e.transport.Stats().BytesOut
	send(t, server, payloadEvent(t, wamp.CBOR, 1, defaultThreshold-100, true))
	receive(t, client)
	if n := e.transport.Stats().BytesOut - before; n < defaultThreshold-100 {
		t.Errorf("an event below the threshold was compressed to %d bytes", n)
	}
}

// TestSharedIsCompressedOnce sends one event to connections of different formats
// and windows.
func TestSharedIsCompressedOnce(t *testing.T) {
	small, large := listenDeflated(t, Options{}, &Deflate{MaxWindowBits: 9}), listenDeflated(t, Options{}, &Deflate{})
	shared := NewShared(payloadEvent(t, wamp.CBOR, 1, 4000, true))
	var b Batch
	for range 3 {
		for _, name := range []string{cborName, cborName + ".batched", jsonName, jsonName + ".batched"} {
			for _, e := range []*endpoint{small, large} {
				client, server := e.dial(name)
				if err := server.SendShared(&b, shared); err != nil {
					t.Fatal(err)
				}
				b.Flush()
				receive(t, client)
			}
		}
	}
	if n := len(shared.smaller); n != 4 { // two formats, two windows
		t.Errorf("the event was compressed %d times, want 4", n)
	}
}

// What many receive counts in the bound on the queue as it is compressed, whether
// it is copied or referred to.
func TestSharedInAFullQueue(t *testing.T) {
	const bound = 100_000
	e := listenDeflated(t, Options{QueueBytes: bound}, &Deflate{})
	for _, name := range []string{jsonName, cborName, cborName + ".batched", jsonName + ".batched"} {
		for _, size := range []int{copyBelow / 2, 2 * copyBelow} {
			_, server := e.dial(name)
			shared := NewShared(payloadEvent(t, server.Format(), 1, size, false))
			var b Batch // not flushed: everything waits
			var err error
			n := 0
			for ; err == nil && n <= 2*bound/size; n++ {
				err = server.SendShared(&b, shared)
			}
			if waits := server.out.queue.bytes; !errors.Is(err, ErrQueueFull) || waits > bound || waits < bound-2*size {
				t.Errorf("%s: %d messages of %d bytes, then %v with %d bytes of %d waiting", name, n, size, err, waits, bound)
			}
			b.Flush()
		}
	}
}

// deflateClient is a client under the test's control that has agreed on compression.
func deflateClient(t *testing.T, e *endpoint, subprotocol string) (*peer, *WebSocket) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{subprotocol}, HandshakeTimeout: patience, EnableCompression: true}
	ws, answer, err := d.Dial(e.url(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer.Header.Get("Sec-Websocket-Extensions"), extensionName) {
		t.Fatal("compression was not agreed on")
	}
	c := e.accept()
	t.Cleanup(func() { _ = ws.Close() }) // before c's
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	return &peer{t, ws}, c
}

// TestOtherLibrarysCompression lets gorilla compress and decompress.
func TestOtherLibrarysCompression(t *testing.T) {
	p, c := deflateClient(t, listenDeflated(t, Options{}, &Deflate{Threshold: 1}), jsonName)
	for n, size := range []int{0, 1, 100, 5000, 100_000} {
		m := payloadEvent(t, wamp.JSON, n+1, size, true)
		encoded, err := codec.Append(nil, wamp.JSON, m)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.WriteMessage(websocket.TextMessage, encoded); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, c); got != n+1 {
			t.Errorf("received %d, want %d", got, n+1)
		}
		send(t, c, m)
		if _, data, err := p.ReadMessage(); err != nil || !bytes.Equal(data, encoded) {
			t.Errorf("the peer read %d bytes, want %d: %v", len(data), len(encoded), err)
		}
	}
}

func TestCompressedViolations(t *testing.T) {
	const limit = 4096
	message := []byte(`[36,1,1,{},["` + strings.Repeat("x", 1000) + `"]]`)
	good := string(compressed(message, maxWindowBits))
	bomb := string(compressed(make([]byte, 256<<10), maxWindowBits))
	if len(bomb) > limit {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	short := string(compressed(slices.Repeat([]byte(" "), limit+1), maxWindowBits))
	for _, test := range []struct {
		name  string
		bytes []byte
		code  int
	}{
		{"what becomes 256 KiB", frame(0xc0|opText, bomb), websocket.CloseMessageTooBig},
		{"what becomes one byte too much", frame(0xc0|opText, short), websocket.CloseMessageTooBig},
		{"what is too large already", frame(0xc0|opText, strings.Repeat("x", limit+1)), websocket.CloseMessageTooBig},
		{"what is not compressed", frame(0xc0|opText, "\xff\xff\xff\xff"), websocket.CloseInvalidFramePayloadData},
		{"what ends too soon", frame(0xc0|opText, good[:len(good)/2]), websocket.CloseInvalidFramePayloadData},
		{"a compressed ping", frame(0xc0|opPing, "x"), websocket.CloseProtocolError},
		{"the bit on a later fragment", append(frame(0x40|opText, good[:3]), frame(0xc0, good[3:])...), websocket.CloseProtocolError},
		{"another reserved bit", frame(0xe0|opText, good), websocket.CloseProtocolError},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, c := deflateClient(t, listenDeflated(t, Options{MaxMessageSize: limit}, &Deflate{}), jsonName)
			p.write(test.bytes...)
			if err := readError(t, c); err == nil {
				t.Error("Read succeeded")
			}
			c.Close(CloseNormal)
			p.expectClose(test.code)
		})
	}
	t.Run("what is as it should be", func(t *testing.T) {
		p, c := deflateClient(t, listenDeflated(t, Options{MaxMessageSize: limit}, &Deflate{}), jsonName)
		p.write(append(frame(0x40|opText, good[:3]), frame(0x80, good[3:])...)...)
		if n := receive(t, c); n != 1 {
			t.Errorf("received %d, want 1", n)
		}
		p.write(frame(0x80|opText, `[36,1,2,{}]`)...) // not compressed
		if n := receive(t, c); n != 2 {
			t.Errorf("received %d, want 2", n)
		}
	})
}

// TestRouterThatAnswersMore has routers that choose what was not offered.
func TestRouterThatAnswersMore(t *testing.T) {
	for _, line := range []string{
		"permessage-deflate",
		"permessage-deflate; server_no_context_takeover; client_max_window_bits=10",
		"permessage-deflate; server_no_context_takeover; level=1",
		"x-webkit-deflate-frame",
	} {
		if _, err := new(Deflate).accepted(http.Header{"Sec-Websocket-Extensions": {line}}); err == nil {
			t.Errorf("%q was taken", line)
		}
		if _, err := (*Deflate)(nil).accepted(http.Header{"Sec-Websocket-Extensions": {line}}); err == nil {
			t.Errorf("%q was taken, and nothing was offered", line)
		}
	}
	d, err := new(Deflate).accepted(http.Header{"Sec-Websocket-Extensions": {"permessage-deflate; server_no_context_takeover"}})
	if err != nil || d == nil {
		t.Errorf("accepted: %v, %v", d, err)
	}
}

func TestDialWithCompressionWhereThereIsNone(t *testing.T) {
	e := listen(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := e.transport.Dial(ctx, e.url(), DialOptions{Deflate: &Deflate{}})
	if err != nil {
		t.Fatal(err)
	}
	defer end(t, c)
	send(t, e.accept(), payloadEvent(t, c.Format(), 1, 5000, true))
	if n := receive(t, c); n != 1 {
		t.Errorf("received %d, want 1", n)
	}
}

// TestCompressedConnectionOfSmallMessagesAllocatesNothing holds what a connection
// with compression costs those who do not need it.
func TestCompressedConnectionOfSmallMessagesAllocatesNothing(t *testing.T) {
	e := listenDeflated(t, Options{}, &Deflate{})
	client, server := e.dial(cborName)
	m := event(t, wamp.CBOR, 1, 16)
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

// FuzzInflate decompresses arbitrary bytes within a bound, and what was compressed
// to what it was.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("usher usher usher"), byte(15))
	f.Add([]byte{}, byte(8))
	f.Add(compressed(make([]byte, 1<<20), maxWindowBits), byte(9))
	const bound = 1 << 16
	tr := New(Options{})
	f.Fuzz(func(t *testing.T, data []byte, bits byte) {
		if b, err := tr.inflate(data, bound); err == nil && len(b.b) > bound {
			t.Fatalf("%d bytes", len(b.b))
		}
		d := tr.deflaters.get()
		defer tr.deflaters.put(d)
		if z := d.deflate(data, 8+int(bits%8)); z != nil {
			b, err := tr.inflate(z, len(data))
			if err != nil || !bytes.Equal(b.b, data) {
				t.Fatalf("%d bytes came back as %d: %v", len(data), len(b.b), err)
			}
		}
	})
}

// FuzzOffers reads arbitrary headers: what is answered is in range, and an answer
// to something.
func FuzzOffers(f *testing.F) {
	f.Add("permessage-deflate; server_max_window_bits=9; client_max_window_bits", byte(0))
	f.Add(`foo, permessage-deflate; server_max_window_bits="10";;, permessage-deflate`, byte(11))
	f.Fuzz(func(t *testing.T, offers string, bits byte) {
		d := &Deflate{RequestMaxWindowBits: 8 + int(bits%8)}
		agreed, line := d.accept(http.Header{"Sec-Websocket-Extensions": {offers}})
		if agreed == nil {
			return
		}
		if agreed.bits < 8 || agreed.bits > maxWindowBits || !strings.Contains(offers, extensionName) {
			t.Fatalf("%q: agreed on %+v", offers, agreed)
		}
		answers := parseExtensions(http.Header{"Sec-Websocket-Extensions": {line}})
		if len(answers) != 1 || !answers[0].serverNoTakeover || !answers[0].clientNoTakeover || answers[0].clientBits > d.RequestMaxWindowBits {
			t.Fatalf("%q: the answer %q says %+v", offers, line, answers)
		}
	})
}
