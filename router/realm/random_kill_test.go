package realm

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"usher/router/wamp"
)

// TestNothingBehindAKill: whatever a session is in the middle of when it is
// killed, GOODBYE is the last thing that its client reads.
func TestNothingBehindAKill(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 9
	}
	w := newWorld(t, scenario(), Limits{})
	l := w.local("anyone", deaf{})
	for i := range rounds {
		c := w.join(formats[i%len(formats)], "anyone")
		c.subscribe("com.example.x", `{}`)
		var storming sync.WaitGroup
		storming.Go(func() {
			for c.conn.Send(&c.batch, &wamp.Publish{Request: c.next(), Topic: "com.example.x",
				Options: wamp.PublishOptions{Acknowledge: true, ExcludeMe: wamp.False}}) == nil {
			}
		})
		killing := make(chan error)
		go func() {
			_, err := callLocal(l, "wamp.session.kill", fmt.Sprintf("[%d]", c.session))
			killing <- err
		}()
		last := wamp.MessageType(0)
		for {
			m, err := c.read()
			if err != nil {
				break
			}
			if last == wamp.TypeGoodbye {
				t.Fatalf("%s came behind GOODBYE", text(m))
			}
			last = m.Type()
		}
		if last != wamp.TypeGoodbye {
			t.Errorf("the last message was of type %s", last)
		}
		if err := <-killing; err != nil {
			t.Error(err)
		}
		c.conn.Close(0)
		storming.Wait()
	}
}

// TestKilledOnce: of several that kill one session only one does.
func TestKilledOnce(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	watcher := newListener()
	l := w.local("anyone", watcher)
	bind(t, l, nil, []string{metaOnLeave})
	for i := range 30 {
		c := w.join(formats[i%len(formats)], "anyone")
		c.subscribe("com.example.x", `{}`) // a pair's WELCOME may be ahead of its session
		var killing sync.WaitGroup
		var killed atomic.Int32
		for n := range 4 {
			procedure, args, none := "wamp.session.kill", fmt.Sprintf("[%d]", c.session), "[]"
			if n%2 == 0 {
				procedure, args, none = "wamp.session.kill_by_authrole", `["anyone"]`, "[0]"
			}
			killing.Go(func() {
				switch result, err := callLocal(l, procedure, args); {
				case err != nil && n%2 == 0:
					t.Error(err)
				case err == nil && (n%2 == 1 || result != none):
					killed.Add(1)
				}
			})
		}
		killing.Wait()
		if n := killed.Load(); n != 1 {
			t.Errorf("killed %d times", n)
		}
		c.expect(`[6,{},"wamp.close.killed"]`)
		c.expectClosed()
		watcher.expect(t, fmt.Sprintf(`wamp.session.on_leave [%d,**]`, c.session))
	}
	watcher.expectNothing(t)
}
