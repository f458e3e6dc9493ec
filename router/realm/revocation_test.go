package realm

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"usher/router/wamp"
)

// TestNothingAfterRevocation: while somebody takes a session's subscription from it
// all the time, which it takes again, no EVENT comes behind its end, and each end
// is told once, before what begins anew.
func TestNothingAfterRevocation(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 40
	}
	w := newWorld(t, settled(Settings{}), Limits{})
	var busy sync.WaitGroup
	var stop atomic.Bool
	publisher := w.join(wamp.CBOR, "anyone")
	busy.Go(func() {
		for !stop.Load() {
			for i := range 10 {
				_ = publisher.conn.Send(&publisher.batch, &wamp.Publish{Request: publisher.next(), Topic: "com.example.storm",
					Options: wamp.PublishOptions{Retain: i%2 == 0, Acknowledge: i == 9}})
			}
			if _, err := publisher.read(); err != nil {
				return
			}
		}
	})
	c := w.joinWith(ways()[0], "anyone", allFeatures)
	admin := w.join(wamp.JSON, "anyone")
	var sub atomic.Uint64
	busy.Go(func() {
		for !stop.Load() {
			admin.send(fmt.Sprintf(`[48,%d,{},"wamp.subscription.remove_subscriber",[%d,%d,"com.example.reason"]]`, admin.next(), max(sub.Load(), 1), c.session))
			if _, err := admin.read(); err != nil {
				return
			}
		}
	})
	for range rounds {
		// Asked for twice: the end may come in between.
		c.send(fmt.Sprintf(`[32,%d,{"get_retained":true},"com.example.storm"]`, c.next()))
		c.send(fmt.Sprintf(`[32,%d,{"get_retained":true},"com.example.storm"]`, c.next()))
		isOn := false
		for answered := 0; answered < 2 || isOn; {
			switch m := c.receive().(type) {
			case *wamp.Subscribed:
				answered++
				isOn = true
				sub.Store(uint64(m.Subscription))
			case *wamp.Event:
				if !isOn {
					t.Fatal("an EVENT came without a subscription")
				}
			case *wamp.Unsubscribed:
				if !isOn || m.Request != 0 || m.Reason != "com.example.reason" {
					t.Fatalf("got %s (subscribed: %t)", text(m), isOn)
				}
				isOn = false
			default:
				t.Fatalf("got %s", text(m))
			}
		}
	}
	stop.Store(true)
	busy.Wait()
}
