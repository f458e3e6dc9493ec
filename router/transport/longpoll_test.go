package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"usher/router/wamp"
)

// openPoll returns a connection without a client.
func openPoll(t testing.TB, tr *Transport, name string, o LongPollOptions) *LongPoll {
	t.Helper()
	_, c := longPoll(t, tr, name, o)
	return c
}

// fetch makes one receive request.
func fetch(t testing.TB, c *LongPoll) string {
	t.Helper()
	body, err := (&pollClient{server: c}).poll(t.Context())
	if err != nil {
		t.Fatalf("poll: %v", err)
	}
	return string(body)
}

// deliver makes one send request.
func deliver(t testing.TB, c *LongPoll, body string) error {
	t.Helper()
	return c.Deliver(t.Context(), -1, strings.NewReader(body))
}

func TestLongPollAnswersAreSingleMessagesOrBatches(t *testing.T) {
	for _, test := range []struct {
		name  string
		want  []string
		large bool // the second message is one that is referred to
	}{
		{"wamp.2.json", []string{`[36,1,1,{},[""]]`, `[36,1,2,{},["xx"]]`, `[36,1,3,{},[""]]`}, false},
		{"wamp.2.json.batched", []string{"[36,1,1,{},[\"\"]]\x1e[36,1,2,{},[\"xx\"]]\x1e[36,1,3,{},[\"\"]]\x1e"}, false},
		{"wamp.2.cbor", []string{"\x85\x18$\x01\x01\xa0\x81\x60", "\x85\x18$\x01\x02\xa0\x81\x62xx", "\x85\x18$\x01\x03\xa0\x81\x60"}, false},
		{"wamp.2.cbor.batched", []string{"\x00\x00\x00\x08\x85\x18$\x01\x01\xa0\x81\x60\x00\x00\x00\x0a\x85\x18$\x01\x02\xa0\x81\x62xx\x00\x00\x00\x08\x85\x18$\x01\x03\xa0\x81\x60"}, false},
		{"wamp.2.json", []string{`[36,1,1,{},[""]]`, `[36,1,2,{},["` + strings.Repeat("x", 9000) + `"]]`, `[36,1,3,{},[""]]`}, true},
		{"wamp.2.json.batched", []string{"[36,1,1,{},[\"\"]]\x1e[36,1,2,{},[\"" + strings.Repeat("x", 9000) + "\"]]\x1e[36,1,3,{},[\"\"]]\x1e"}, true},
		{"wamp.2.msgpack.batched", []string{"\x00\x00\x00\x07\x95$\x01\x01\x80\x91\xa0" + "\x00\x00\x23\x31\x95$\x01\x02\x80\x91\xda\x23\x28" + strings.Repeat("x", 9000) + "\x00\x00\x00\x07\x95$\x01\x03\x80\x91\xa0"}, true},
	} {
		t.Run(fmt.Sprint(test.name, test.large), func(t *testing.T) {
			c := openPoll(t, New(Options{}), test.name, LongPollOptions{})
			var b Batch
			for i, size := range []int{0, 2, 0} {
				if size > 0 && test.large {
					size = 9000
				}
				if err := c.SendShared(&b, NewShared(event(t, c.Format(), i+1, size))); err != nil {
					t.Fatal(err)
				}
			}
			b.Flush()
			for i, want := range test.want {
				if got := fetch(t, c); got != want {
					t.Errorf("answer %d is %.200q, want %.200q", i, got, want)
				}
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.out.bytes != 0 || c.out.messages != 0 || !c.out.empty() {
				t.Errorf("%d bytes of %d messages still wait", c.out.bytes, c.out.messages)
			}
		})
	}
}

// A message that was taken stays what it is while others are queued behind it.
func TestLongPollAnswerIsNotMovedWhileItIsWritten(t *testing.T) {
	c := openPoll(t, New(Options{}), jsonName, LongPollOptions{})
	for i := range 2 {
		send(t, c, event(t, wamp.JSON, i+1, 100))
	}
	_, err := c.Poll(t.Context(), patience, func(body net.Buffers, _ int) error {
		before := bytes.Clone(body[0])
		for i := range 500 { // the buffer grows, and others take those that are given back
			send(t, c, event(t, wamp.JSON, i+3, 100))
		}
		if !bytes.Equal(before, body[0]) {
			t.Error("the answer changed")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 501 {
		if n := number(t, wamp.JSON, []byte(fetch(t, c))); n != i+2 {
			t.Fatalf("message %d, want %d", n, i+2)
		}
	}
}

// Nor do others get its memory where the connection ends meanwhile.
func TestLongPollAnswerOutlivesClose(t *testing.T) {
	tr := New(Options{})
	c := openPoll(t, tr, jsonName, LongPollOptions{})
	for i := range 2 {
		send(t, c, event(t, wamp.JSON, i+1, 100))
	}
	_, err := c.Poll(t.Context(), patience, func(body net.Buffers, _ int) error {
		before := bytes.Clone(body[0])
		c.Close(CloseSlow)
		overwritePool(tr)
		if !bytes.Equal(before, body[0]) {
			t.Error("the answer changed")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	done(t, c)
}

func TestLongPollBodies(t *testing.T) {
	const two = `[36,1,1,{}]` + "\x1e" + `[36,1,2,{}]` + "\x1e"
	for _, test := range []struct {
		name, body string
		want       error  // of Deliver
		messages   []int  // that Read returns
		text       string // of Read's error behind them
	}{
		{"wamp.2.json", `[36,1,7,{}]`, nil, []int{7}, ""},
		{"wamp.2.json.batched", two, nil, []int{1, 2}, ""},
		{"wamp.2.json.batched", strings.ReplaceAll(two, "\x1e", "\x18"), nil, []int{1, 2}, ""},
		{"wamp.2.json", "", ErrViolation, nil, "the body is empty"},
		{"wamp.2.json.batched", "", ErrViolation, nil, "the body is empty"},
		{"wamp.2.json.batched", `[36,1,7,{}]`, ErrViolation, nil, "a batch must end with a separator"},
		{"wamp.2.json.batched", two + "\x1e", ErrViolation, nil, "a message in a batch is empty"},
		{"wamp.2.cbor.batched", "\x00\x00\x00\x06\x84\x18$\x01\x07\xa0", nil, []int{7}, ""},
		{"wamp.2.cbor.batched", "\x00\x00\x00\x07\x84\x18$\x01\x07\xa0", ErrViolation, nil, "larger than the batch"},
		{"wamp.2.cbor.batched", "\x00\x00", ErrViolation, nil, "middle of a length"},
		{"wamp.2.json", strings.Repeat(" ", 1001), ErrBodyTooLarge, nil, "more than 1000 bytes"},
	} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %.20q %v", test.name, test.body, known), func(t *testing.T) {
				c := openPoll(t, New(Options{MaxMessageSize: 1000}), test.name, LongPollOptions{})
				size := int64(-1)
				if known {
					size = int64(len(test.body))
				}
				if err := c.Deliver(t.Context(), size, strings.NewReader(test.body)); !errors.Is(err, test.want) {
					t.Fatalf("Deliver: %v, want %v", err, test.want)
				}
				for _, want := range test.messages {
					if n := receive(t, c); n != want {
						t.Errorf("received %d, want %d", n, want)
					}
				}
				if test.text == "" {
					return
				}
				for range 2 {
					if _, err := c.Read(nil); !errors.Is(err, ErrViolation) || !strings.Contains(err.Error(), test.text) {
						t.Errorf("Read: %v, want %q", err, test.text)
					}
				}
				// It is told why, as over other transports.
				send(t, c, &wamp.Abort{Reason: wamp.ErrProtocolViolation})
				c.Close(CloseProtocol)
				if got := fetch(t, c); !strings.Contains(got, wamp.ErrProtocolViolation) {
					t.Errorf("fetched %q", got)
				}
				done(t, c)
			})
		}
	}
}

// failing is a body that breaks off.
type failing struct{ io.Reader }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestLongPollBodyThatBreaksOff(t *testing.T) {
	c := openPoll(t, New(Options{}), jsonName, LongPollOptions{})
	if err := c.Deliver(t.Context(), 100, failing{strings.NewReader(`[36,1,1,{}]`)}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Deliver: %v", err)
	}
	if err := deliver(t, c, `[36,1,2,{}]`); err != nil {
		t.Fatal(err)
	}
	if n := receive(t, c); n != 2 {
		t.Errorf("received %d, want 2: nothing of a body that broke off is read", n)
	}
}

func TestLongPollAnswersWithTheSeparatorOfThePeer(t *testing.T) {
	for _, sep := range []string{"\x1e", "\x18"} {
		c := openPoll(t, New(Options{}), "wamp.2.json.batched", LongPollOptions{})
		if err := deliver(t, c, `[36,1,1,{}]`+sep); err != nil {
			t.Fatal(err)
		}
		send(t, c, event(t, wamp.JSON, 2, 0))
		if got, want := fetch(t, c), `[36,1,2,{},[""]]`+sep; got != want {
			t.Errorf("answer %q, want %q", got, want)
		}
	}
}

func TestOnePollAtATime(t *testing.T) {
	c := openPoll(t, New(Options{}), jsonName, LongPollOptions{})
	first := make(chan string, 1)
	go func() { first <- fetch(t, c) }() // until the message below
	waitPolling(c)
	if _, err := c.Poll(t.Context(), patience, nil); !errors.Is(err, ErrPolling) {
		t.Errorf("second poll: %v, want ErrPolling", err)
	}
	send(t, c, event(t, wamp.JSON, 1, 0))
	if got := <-first; got != `[36,1,1,{},[""]]` {
		t.Errorf("the first got %q", got)
	}
}

// A peer may have read an answer and poll again before the writer has noted that.
func TestPollWhileAnAnswerIsWritten(t *testing.T) {
	c := openPoll(t, New(Options{}), jsonName, LongPollOptions{})
	for i := range 2 {
		send(t, c, event(t, wamp.JSON, i+1, 0))
	}
	next := make(chan string, 1)
	_, err := c.Poll(t.Context(), patience, func(body net.Buffers, _ int) error {
		go func() { next <- fetch(t, c) }() // until this answer is written
		waitPolling(c)
		if len(next) > 0 {
			t.Error("two answers are written at a time")
		}
		if _, err := c.Poll(t.Context(), patience, nil); !errors.Is(err, ErrPolling) {
			t.Errorf("third poll: %v, want ErrPolling", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if got := <-next; got != `[36,1,2,{},[""]]` {
		t.Errorf("the next got %q", got)
	}
}

// waitPolling waits until a Poll waits.
func waitPolling(c *LongPoll) {
	for polling := false; !polling; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		polling = c.polling
		c.mu.Unlock()
	}
}

func TestPollThatFindsNothing(t *testing.T) {
	c := openPoll(t, New(Options{}), jsonName, LongPollOptions{})
	if found, err := c.Poll(t.Context(), time.Millisecond, nil); found || err != nil {
		t.Errorf("nothing came: %v, %v", found, err)
	}
	send(t, c, event(t, wamp.JSON, 1, 0))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if found, err := c.Poll(gone, patience, nil); found || err != nil {
		t.Errorf("the peer has gone: %v, %v", found, err)
	}
	if got := fetch(t, c); got != `[36,1,1,{},[""]]` {
		t.Errorf("then %q: what nobody fetched is lost", got)
	}
}

func TestAnswerThatCannotBeWrittenEndsTheConnection(t *testing.T) {
	tr := New(Options{})
	c := openPoll(t, tr, jsonName, LongPollOptions{})
	send(t, c, event(t, wamp.JSON, 1, 0))
	send(t, c, event(t, wamp.JSON, 2, 0))
	broken := errors.New("broken pipe")
	if _, err := c.Poll(t.Context(), patience, func(net.Buffers, int) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("Poll: %v", err)
	}
	done(t, c)
	if _, err := c.Read(nil); !errors.Is(err, broken) {
		t.Errorf("Read: %v", err)
	}
	if s := tr.Stats(); s.Connections != 0 || s.DroppedBytes != 2*int64(len(`[36,1,1,{},[""]].`)) || s.MessagesOut != 0 {
		t.Errorf("stats %+v", s)
	}
}

// Nobody is given what comes behind an answer that was lost.
func TestNothingIsFetchedBehindALostAnswer(t *testing.T) {
	tr := New(Options{})
	rounds := 500
	if testing.Short() {
		rounds = 100
	}
	for range rounds {
		c := openPoll(t, tr, jsonName, LongPollOptions{})
		send(t, c, event(t, wamp.JSON, 1, 0))
		send(t, c, event(t, wamp.JSON, 2, 0))
		next := make(chan error, 1)
		_, err := c.Poll(t.Context(), patience, func(net.Buffers, int) error {
			go func() { // until this answer has failed
				found, err := c.Poll(t.Context(), patience, func(net.Buffers, int) error { return nil })
				if found {
					t.Error("the message behind it was fetched")
				}
				next <- err
			}()
			waitPolling(c)
			return io.ErrClosedPipe
		})
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Poll: %v", err)
		}
		if err := <-next; !errors.Is(err, ErrClosed) {
			t.Errorf("the next: %v, want ErrClosed", err)
		}
	}
}

func TestLongPollQueueIsBoundedInMessagesToo(t *testing.T) {
	c := openPoll(t, New(Options{}), jsonName, LongPollOptions{QueueMessages: 3, QueueBytes: 1 << 20})
	for i := range 3 {
		send(t, c, event(t, wamp.JSON, i+1, 0))
	}
	if err := c.Send(nil, event(t, wamp.JSON, 4, 0)); !errors.Is(err, ErrQueueFull) {
		t.Errorf("fourth message: %v, want ErrQueueFull", err)
	}
	if err := c.Send(nil, &wamp.Interrupt{Request: 1, Mode: wamp.CancelKill}); err != nil {
		t.Errorf("INTERRUPT: %v", err)
	}
	_ = fetch(t, c)
	_ = fetch(t, c)
	if err := c.Send(nil, event(t, wamp.JSON, 5, 0)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// While the session takes nothing, what the peer sends waits at the peer.
func TestLongPollBodiesAreBounded(t *testing.T) {
	c := openPoll(t, New(Options{}), jsonName, LongPollOptions{})
	body := `[36,1,1,{},["` + strings.Repeat("x", 10000) + `"]]`
	taken := 0
	for full := false; !full && taken < 1000; taken++ {
		if err := deliver(t, c, body); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		full = c.inBytes >= maxDelivered
		c.mu.Unlock()
	}
	if taken > 2*maxDelivered/len(body) {
		t.Errorf("%d bodies were taken", taken)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Deliver(ctx, -1, strings.NewReader(body)); !errors.Is(err, ErrBusy) {
		t.Errorf("with no room: %v, want ErrBusy", err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- deliver(t, c, body) }() // until there is room
	for range taken + 1 {
		receive(t, c)
	}
	if err := <-waiting; err != nil {
		t.Error(err)
	}
}

func TestLongPollLiveness(t *testing.T) {
	const silence = 60 * time.Millisecond
	for _, test := range []struct {
		name  string
		alive func(t *testing.T, c *LongPoll)
	}{
		{"polls", func(t *testing.T, c *LongPoll) {
			if _, err := c.Poll(t.Context(), 3*silence, nil); err != nil {
				t.Errorf("poll: %v", err)
			}
		}},
		{"sends", func(t *testing.T, c *LongPoll) {
			slow, w := io.Pipe()
			go func() { // ends with the body
				time.Sleep(3 * silence)
				w.Write([]byte(`[36,1,1,{}]`))
				w.Close()
			}()
			if err := c.Deliver(t.Context(), -1, slow); err != nil {
				t.Errorf("send: %v", err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := New(Options{})
			c := openPoll(t, tr, jsonName, LongPollOptions{SessionTimeout: silence})
			test.alive(t, c) // and is not taken for gone meanwhile
			done(t, c)       // now it is silent
			_ = readError(t, c)
			if _, err := c.Read(nil); err == nil || !strings.Contains(err.Error(), "no sign of life for 60ms") {
				t.Errorf("Read: %v", err)
			}
			if _, err := c.Poll(t.Context(), patience, nil); !errors.Is(err, ErrClosed) {
				t.Errorf("Poll: %v, want ErrClosed", err)
			}
			if err := deliver(t, c, `[36,1,1,{}]`); !errors.Is(err, ErrClosed) {
				t.Errorf("Deliver: %v, want ErrClosed", err)
			}
			if n := tr.Stats().Connections; n != 0 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func TestLastWordIsFetchedAfterClose(t *testing.T) {
	tr := New(Options{CloseTimeout: time.Hour})
	for _, name := range Subprotocols() {
		t.Run(name, func(t *testing.T) {
			c := openPoll(t, tr, name, LongPollOptions{})
			send(t, c, event(t, c.Format(), 1, 0))
			send(t, c, &wamp.Goodbye{Reason: wamp.CloseNormal})
			c.Close(CloseNormal)
			// The peer does not know yet.
			if err := deliver(t, c, "what nobody reads"); err != nil {
				t.Errorf("Deliver: %v", err)
			}
			all := ""
			for {
				body, err := (&pollClient{server: c}).poll(t.Context())
				if err != nil {
					if !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "closed normally") {
						t.Errorf("Poll: %v", err)
					}
					break
				}
				all += string(body)
			}
			if !strings.Contains(all, wamp.CloseNormal) {
				t.Errorf("fetched %q", all)
			}
			done(t, c)
			if err := deliver(t, c, "more"); err != nil {
				t.Errorf("Deliver after the end that the peer knows: %v", err)
			}
			c.Leave()
		})
	}
	if s := tr.Stats(); s.DroppedBytes != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestLastWordThatNobodyFetches(t *testing.T) {
	tr := New(Options{CloseTimeout: 20 * time.Millisecond})
	c := openPoll(t, tr, jsonName, LongPollOptions{})
	send(t, c, &wamp.Goodbye{Reason: wamp.CloseNormal})
	c.Close(CloseShutdown)
	done(t, c)
	if _, err := c.Poll(t.Context(), patience, nil); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "router is stopping") {
		t.Errorf("Poll: %v", err)
	}
	if err := deliver(t, c, `[36,1,1,{}]`); !errors.Is(err, ErrClosed) {
		t.Errorf("Deliver: %v, want ErrClosed: the peer has heard of nothing", err)
	}
	if s := tr.Stats(); s.DroppedBytes == 0 || s.Connections != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestCloseOfASlowPoller(t *testing.T) {
	tr := New(Options{CloseTimeout: time.Hour})
	c := openPoll(t, tr, jsonName, LongPollOptions{})
	send(t, c, event(t, wamp.JSON, 1, 0))
	c.Close(CloseSlow)
	done(t, c)
	if _, err := c.Poll(t.Context(), patience, nil); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), "out queue is full") {
		t.Errorf("Poll: %v", err)
	}
	if s := tr.Stats(); s.SlowDisconnects != 1 || s.DroppedBytes == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestLeaveEndsAPendingPoll(t *testing.T) {
	c := openPoll(t, New(Options{}), jsonName, LongPollOptions{})
	if err := deliver(t, c, `[36,1,1,{}]`); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends with the test's context at the latest
		defer close(ended)
		if found, err := c.Poll(t.Context(), time.Hour, nil); found || err != nil {
			t.Errorf("Poll: %v, %v", found, err)
		}
	}()
	waitPolling(c)
	c.Leave()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the poll goes on")
	}
	if n := receive(t, c); n != 1 {
		t.Errorf("received %d: what was sent before comes first", n)
	}
	for range 2 {
		if _, err := c.Read(nil); err != io.EOF {
			t.Errorf("Read: %v, want io.EOF", err)
		}
	}
	c.Close(CloseNormal)
	done(t, c)
}

func TestOpenLongPollOfAnUnknownName(t *testing.T) {
	if _, err := New(Options{}).OpenLongPoll("wamp.2.ubjson", LongPollOptions{}); !errors.Is(err, ErrSubprotocol) {
		t.Errorf("error %v", err)
	}
}

// FuzzLongPollBody: whatever a body is, what Read returns of it is all of it, or
// the session is told what is wrong.
func FuzzLongPollBody(f *testing.F) {
	for _, body := range []string{"", "[36,1,1,{}]", "[16,1,{}]\x1e[16,3,{}]\x1e", "[1]\x18", "\x00\x00\x00\x01\x80", "\x00\x00\x00\x00", "\xff\xff\xff\xff"} {
		for sub := range Subprotocols() {
			f.Add(body, uint8(sub))
		}
	}
	f.Fuzz(func(t *testing.T, body string, sub uint8) {
		names := Subprotocols()
		c, err := New(Options{MaxMessageSize: 4096, WriteTimeout: time.Nanosecond}).OpenLongPoll(names[int(sub)%len(names)], LongPollOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(CloseNormal)
		err = deliver(t, c, body)
		if err != nil && !errors.Is(err, ErrViolation) {
			t.Fatal(err)
		}
		c.Leave()
		var total int
		for {
			message, rerr := c.Read(nil)
			if rerr == io.EOF && err == nil || errors.Is(rerr, ErrViolation) && err != nil {
				break
			}
			if rerr != nil || len(message) == 0 {
				t.Fatalf("Read: %q, %v after Deliver: %v", message, rerr, err)
			}
			total += len(c.sub.frame(message))
		}
		if err == nil && total != len(body) {
			t.Errorf("read %d of %d bytes", total, len(body))
		}
	})
}

func BenchmarkLongPollRoundTrip(b *testing.B) {
	c := openPoll(b, New(Options{}), jsonName, LongPollOptions{})
	body := []byte(`[48,1,{},"com.example.echo"]`)
	var batch Batch
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Deliver(b.Context(), int64(len(body)), bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(&batch); err != nil {
			b.Fatal(err)
		}
		if err := c.Send(&batch, event(b, wamp.JSON, 1, 10)); err != nil {
			b.Fatal(err)
		}
		batch.Flush()
		if _, err := c.Poll(b.Context(), patience, func(net.Buffers, int) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
