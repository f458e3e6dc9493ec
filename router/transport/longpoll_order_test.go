package transport

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/router/codec"
	"usher/router/wamp"
)

// A browser's requests may overtake each other; the session's do not.
func TestRequestsAreReadInTheOrderOfTheirIDs(t *testing.T) {
	message := func(f wamp.Format, kind, id any) string {
		b, err := codec.Marshal(f, []any{kind, id, map[string]any{}, "com.example.topic"})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
		t.Run(f.String(), func(t *testing.T) {
			c := openPoll(t, New(Options{}), subprotocol{format: f}.String(), LongPollOptions{})
			var want []string
			for id := 1; id <= 20; id++ {
				want = append(want, message(f, []any{16, 48, 32, 64}[id%4], id))
			}
			yield := message(f, 70, 9)
			for _, i := range []int{2, 1, 0, 4, 3, 19} { // ids are these and one
				if err := deliver(t, c, want[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := deliver(t, c, yield); err != nil {
				t.Fatal(err)
			}
			for i := 5; i < 19; i++ {
				if err := deliver(t, c, want[i]); err != nil {
					t.Fatal(err)
				}
			}
			// Neither a message without such an id nor one that was there already waits.
			want = append(append(append([]string{}, want[:5]...), yield), want[5:]...)
			want = append(want, message(f, 48, 20.0), message(f, 48, 1))
			for _, m := range want[len(want)-2:] {
				if err := deliver(t, c, m); err != nil {
					t.Fatal(err)
				}
			}
			for i, m := range want {
				got, err := c.Read(nil)
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != m {
					t.Errorf("message %d is %q, want %q", i, got, m)
				}
			}
		})
	}
}

// The session judges a request whose predecessor does not come.
func TestRequestThatStaysAhead(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		o := Options{WriteTimeout: 20 * time.Millisecond}
		if leaves {
			o.WriteTimeout = time.Hour
		}
		c := openPoll(t, New(o), jsonName, LongPollOptions{})
		for _, body := range []string{`[48,3,{},"b"]`, `[48,2,{},"a"]`} {
			if err := deliver(t, c, body); err != nil {
				t.Fatal(err)
			}
		}
		if leaves {
			c.Leave()
		}
		for _, want := range []string{`[48,2,{},"a"]`, `[48,3,{},"b"]`} {
			if got, err := c.Read(nil); err != nil || string(got) != want {
				t.Errorf("read %q, %v, want %q", got, err, want)
			}
		}
	}
}

func TestMessagesThatAreAheadAreBounded(t *testing.T) {
	const most = 100_000
	for _, test := range []struct{ count, size int }{{maxHeld, 100}, {9, 10_000}} {
		var o reorder
		n := 0
		for ; n <= maxHeld; n++ {
			message := fmt.Appendf(nil, `[16,%d,{},"`, n+2)
			message = append(message, strings.Repeat("x", test.size-len(message))...)
			if !o.hold(wamp.JSON, message, most-1) {
				break
			}
		}
		if n != test.count {
			t.Errorf("%d messages of %d bytes are held, want %d", n, test.size, test.count)
		}
	}
}
