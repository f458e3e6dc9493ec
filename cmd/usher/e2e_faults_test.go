//go:build unix

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// scaled is n, or a small part of it with -short.
func scaled(n int) int {
	if testing.Short() {
		return max(1, n/20)
	}
	return n
}

func TestEveryCallerHearsThatItsCalleeDied(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	callee, caller := join(t, usher.url), join(t, usher.url)
	callee.send(64, callee.request(), map[string]any{}, "com.example.slow")
	callee.expect(65)
	calls := scaled(1000)
	for range calls {
		caller.send(48, caller.request(), map[string]any{}, "com.example.slow")
	}
	for range calls {
		callee.expect(68)
	}
	callee.NetConn().Close()
	answered := map[float64]bool{}
	for range calls {
		e := caller.expect(8, 48, nil, nil, nil)
		answered[e[2].(float64)] = true
	}
	if len(answered) != calls {
		t.Errorf("%d calls were answered, want %d", len(answered), calls)
	}
	// The procedure is free again.
	heir := join(t, usher.url)
	heir.send(64, heir.request(), map[string]any{}, "com.example.slow")
	heir.expect(65)
}

func TestSubscriberThatStopsReadingHurtsNobody(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	stalled, good, publisher := join(t, usher.url), join(t, usher.url), join(t, usher.url)
	for _, p := range []*peer{stalled, good} {
		p.send(32, p.request(), map[string]any{}, "com.example.big")
		p.expect(33)
	}
	before := residentMemory(t, usher)
	const size = 256 << 10
	events := scaled(512<<20) / size
	text := strings.Repeat("x", size)
	for range events {
		publisher.send(16, publisher.request(), map[string]any{"acknowledge": true}, "com.example.big", []any{text})
		publisher.expect(17)
		good.expect(36)
	}
	// What the router held for the stalled peer is bounded by its queue, 4 MiB,
	// and what the system's sockets take.
	if grown := residentMemory(t, usher) - before; grown > 100<<20 {
		t.Errorf("the router grew by %d MiB", grown>>20)
	}
	usher.log.waitFor(t, usher.exited, `out queue is full`)
	received := 0
	for {
		if _, err := stalled.tryReceive(); err != nil {
			break
		}
		received++
	}
	if received >= events {
		t.Errorf("the stalled subscriber got all %d events: it was never slow", received)
	}
}

// residentMemory is the router's resident memory in bytes, 0 where the system
// does not tell.
func residentMemory(t *testing.T, p *usherProcess) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0
	}
	n, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

func TestMutatedInputBreaksNothing(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	const workers = 4
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for i := range scaled(20_000) / workers {
				if err := sendMutated(usher.url, random); err != nil {
					t.Errorf("after %d inputs: %v", i, err)
					return
				}
			}
		})
	}
	group.Wait()
	caller := join(t, usher.url)
	caller.send(48, caller.request(), map[string]any{}, "com.example.none")
	caller.expect(8, 48, 1, nil, "wamp.error.no_such_procedure")
	if strings.Contains(usher.log.String(), "panic") {
		t.Error("the log tells of a panic")
	}
}

// seedMessages are valid messages, in JSON and in MessagePack, CBOR being near
// enough to be reached from there by mutation.
func seedMessages(format string) [][]byte {
	if format == "json" {
		return [][]byte{
			[]byte(`[1,"realm1",{"roles":{"caller":{},"callee":{"features":{"progressive_call_results":true}}},"authmethods":["anonymous"],"authid":"joe","authextra":{"a":[1,2.5,null,"\u00e9"]}}]`),
			[]byte(`[48,1,{"disclose_me":true},"com.example.add2",[1,-2.5e3,"x\ud83d\ude00"],{"k":[{}]}]`),
			[]byte(`[16,1,{"acknowledge":true,"exclude_me":false},"com.example.topic1",["hello"]]`),
			[]byte(`[32,1,{"match":"wildcard"},"com..topic"]`),
			[]byte(`[64,1,{"match":"prefix","invoke":"roundrobin"},"com.example."]`),
			[]byte(`[70,1,{},[1]]`), []byte(`[8,68,1,{},"com.example.error",["text"]]`), []byte(`[6,{},"wamp.close.normal"]`),
		}
	}
	hello := "\x93\x01\xa6realm1\x82\xa5roles\x81\xa6caller\x80\xabauthmethods\x91\xa9anonymous"
	call := "\x95\x30\x01\x80\xb0com.example.add2\x93\x02\xcb\x40\x08\x00\x00\x00\x00\x00\x00\xc4\x02\xff\x00"
	if format == "cbor" {
		hello = "\x83\x01\x66realm1\xa2\x65roles\xa1\x66caller\xa0\x6bauthmethods\x81\x69anonymous"
		call = "\x85\x18\x30\x01\xa0\x70com.example.add2\x83\x02\xfb\x40\x08\x00\x00\x00\x00\x00\x00\x42\xff\x00"
	}
	return [][]byte{[]byte(hello), []byte(call)}
}

// sendMutated sends one mutated message on a connection of its own, half of the
// time in a session, and waits until the router has closed it: the input was read.
func sendMutated(url string, random *rand.Rand) error {
	format := []string{"json", "msgpack", "cbor"}[random.IntN(3)]
	batched := []string{"", ".batched"}[random.IntN(2)]
	c, _, err := dialRaw(url, http.Header{"Sec-Websocket-Protocol": {"wamp.2." + format + batched}})
	if err != nil {
		return err
	}
	defer c.Close()
	// A reset, so that tens of thousands of connections leave no ports behind.
	if err := c.NetConn().(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	kind := websocket.BinaryMessage
	if format == "json" {
		kind = websocket.TextMessage
	}
	seeds := seedMessages(format)
	inputs := [][]byte{mutate(random, seeds[random.IntN(len(seeds))])}
	if random.IntN(2) == 0 {
		inputs = [][]byte{seeds[0], inputs[0]}
	}
	for i, input := range inputs {
		switch {
		case batched == "":
		case format == "json":
			input = append(bytes.Clone(input), 0x1e)
		default:
			input = append(binary.BigEndian.AppendUint32(nil, uint32(len(input))), input...)
		}
		if i == len(inputs)-1 && random.IntN(50) == 0 {
			kind = websocket.TextMessage + websocket.BinaryMessage - kind
		}
		if c.WriteMessage(kind, input) != nil {
			return nil // closed for what came before
		}
	}
	if c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")) != nil {
		return nil
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for err == nil {
		_, _, err = c.ReadMessage()
	}
	if os.IsTimeout(err) {
		return fmt.Errorf("the router did not close the connection after %q", inputs)
	}
	return nil
}

// mutate returns a copy of b with a few random changes.
func mutate(random *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range 1 + random.IntN(4) {
		if len(b) == 0 {
			return b
		}
		i := random.IntN(len(b))
		switch random.IntN(5) {
		case 0:
			b[i] ^= 1 << random.IntN(8)
		case 1:
			b[i] = byte(random.IntN(256))
		case 2:
			b = append(b[:i], b[min(len(b), i+1+random.IntN(4)):]...)
		case 3:
			part := bytes.Clone(b[i:min(len(b), i+1+random.IntN(16))])
			b = append(b[:i], append(part, b[i:]...)...)
		case 4:
			b = b[:i]
		}
	}
	return b
}

func TestDeepNestingIsRefused(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	good, bad := join(t, usher.url), join(t, usher.url)
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	if err := bad.WriteMessage(websocket.TextMessage, []byte(`[48,1,{},"com.example.x",`+deep+`]`)); err != nil {
		t.Fatal(err)
	}
	good.send(48, good.request(), map[string]any{}, "com.example.none")
	good.expect(8, 48, 1)
	if m := bad.receive(); m[0] != 3.0 || m[2] != "wamp.error.protocol_violation" {
		t.Errorf("got %v, want ABORT wamp.error.protocol_violation", m)
	}
}

func TestFrameOfSixtyFourMebibytesIsRefused(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	p := join(t, usher.url)
	header := []byte{0x81, 0xff} // a masked text frame with a length of 64 bits
	header = binary.BigEndian.AppendUint64(header, 64<<20)
	header = append(header, 1, 2, 3, 4)
	if _, err := p.NetConn().Write(append(header, make([]byte, 1<<10)...)); err != nil {
		t.Fatal(err)
	}
	p.expectClose(websocket.CloseMessageTooBig)
}

// Half-open handshakes, those without an upgrade and those without a HELLO, are
// closed at their deadline, and meanwhile others join as if they were not there,
// from the same address too.
func TestHalfOpenHandshakes(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	address, err := url.Parse(usher.url)
	if err != nil {
		t.Fatal(err)
	}
	var silent []net.Conn
	for range scaled(2000) {
		c, err := net.Dial("tcp", address.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
		upgraded, _, err := dialRaw(usher.url, http.Header{"Sec-Websocket-Protocol": {"wamp.2.json"}})
		if err != nil {
			t.Fatal(err)
		}
		defer upgraded.Close()
		silent = append(silent, upgraded.NetConn())
	}
	join(t, usher.url)
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

// After a restart a whole fleet connects at once: everybody gets in, and who is
// in goes on working.
func TestReconnectingFleet(t *testing.T) {
	usher := startUsher(t, usherOptions{config: openConfig})
	callee, caller := join(t, usher.url), join(t, usher.url)
	callee.send(64, callee.request(), map[string]any{}, "com.example.echo")
	callee.expect(65)
	var group sync.WaitGroup
	for range scaled(1000) {
		group.Go(func() {
			c, _, err := dialRaw(usher.url, http.Header{"Sec-Websocket-Protocol": {"wamp.2.json"}})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			p := &peer{Conn: c, t: t}
			if err := p.trySend(1, "realm1", map[string]any{"roles": map[string]any{"caller": map[string]any{}}}); err != nil {
				t.Error(err)
				return
			}
			if m, err := p.tryReceive(); err != nil || m[0] != 2.0 {
				t.Errorf("got %v, %v; want WELCOME", m, err)
			}
		})
	}
	for range scaled(200) {
		caller.send(48, caller.request(), map[string]any{}, "com.example.echo")
		i := callee.expect(68)
		callee.send(70, i[1], map[string]any{})
		caller.expect(50)
	}
	group.Wait()
}
