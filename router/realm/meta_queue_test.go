package realm

import (
	"fmt"
	"sync"
	"testing"

	"usher/router/wamp"
)

// doer is a component that does something in the middle of an event.
type doer struct {
	listener
	on func(*LocalEvent)
}

func (d *doer) Event(e *LocalEvent) {
	d.listener.Event(e)
	d.on(e)
}

// TestMetaEventsFromMetaEvents: a component that subscribes because of a
// subscription, or leaves because of who comes, neither waits for itself nor is
// anything lost of what it causes.
func TestMetaEventsFromMetaEvents(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	watcher := newListener()
	bind(t, w.local("anyone", watcher), nil, allMeta)
	h := &doer{listener: *newListener()}
	var l *Local
	h.on = func(e *LocalEvent) {
		switch e.Topic {
		case metaOnSubscriptionCreate:
			if err := l.Bind(Bindings{Subscriptions: []SubscriptionBinding{
				{URI: metaOnSubscriptionCreate}, {URI: metaOnLeave}, {URI: "com.example.mine"}}}, nil); err != nil {
				t.Error(err)
			}
		case metaOnLeave:
			l.Leave()
		}
	}
	l = w.local("backend", h)
	bind(t, l, nil, []string{metaOnSubscriptionCreate, metaOnLeave})
	c := w.join(wamp.JSON, "anyone")
	id := c.subscribe("com.example.t", `{}`)
	c.leave()
	watcher.expect(t, `wamp.session.on_join [**]`, `wamp.session.on_join [**]`,
		fmt.Sprintf(`wamp.subscription.on_create [%d,{"id":%d,**}]`, c.session, id),
		fmt.Sprintf(`wamp.subscription.on_subscribe [%d,%d]`, c.session, id),
		fmt.Sprintf(`wamp.subscription.on_create [%d,{"id":%d,**"com.example.mine"**}]`, l.Session(), id+1),
		fmt.Sprintf(`wamp.subscription.on_subscribe [%d,%d]`, l.Session(), id+1),
		fmt.Sprintf(`wamp.subscription.on_unsubscribe [%d,%d]`, c.session, id),
		fmt.Sprintf(`wamp.subscription.on_delete [%d,%d]`, c.session, id),
		fmt.Sprintf(`wamp.session.on_leave [%d,**]`, c.session),
		fmt.Sprintf(`wamp.subscription.on_unsubscribe [%d,%d]`, l.Session(), id+1),
		fmt.Sprintf(`wamp.subscription.on_delete [%d,%d]`, l.Session(), id+1),
		fmt.Sprintf(`wamp.session.on_leave [%d,**]`, l.Session()))
	watcher.expectNothing(t)
}

// TestMetaQueueIsBounded: while events are delivered more slowly than clients
// cause them, these wait; what waits to be delivered does not grow with what they
// have sent. In the end all is delivered.
func TestMetaQueueIsBounded(t *testing.T) {
	const clients, each = 4, 6000
	w := newWorld(t, scenario(), Limits{})
	proceed := make(chan struct{})
	h := &doer{listener: *newListener(), on: func(*LocalEvent) { <-proceed }}
	bind(t, w.local("anyone", h), nil, []string{metaOnSubscribe})
	m := &w.realms["realm1"].meta
	size := func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.size
	}
	var flooding sync.WaitGroup
	for i := range clients {
		c := w.join(formats[i%len(formats)], "anyone")
		flooding.Go(func() {
			for n := range each {
				_ = c.conn.Send(&c.batch, &wamp.Subscribe{Request: c.next(), Topic: fmt.Sprintf("com.example.x%d", n)})
			}
			for range each {
				if m, err := c.read(); err != nil || m.Type() != wamp.TypeSubscribed {
					t.Errorf("got %v, %v, want SUBSCRIBED", m, err)
					return
				}
			}
			c.conn.Close(0)
		})
	}
	eventually(t, "the bound is reached", func() bool { return size() > maxMetaBytes })
	for range 100 {
		if n := size(); n > maxMetaBytes+clients*1000 {
			t.Fatalf("%d bytes wait", n)
		}
	}
	close(proceed)
	flooding.Wait()
	eventually(t, "all is delivered", func() bool { return len(h.events) == clients*each })
}

// TestMetaEventsAfterAFault: a fault in one component's handler costs the client
// whose reader ran it its connection, and nobody the events that follow.
func TestMetaEventsAfterAFault(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	watcher := newListener()
	bind(t, w.local("anyone", watcher), nil, []string{metaOnSubscribe})
	faulty := true
	h := &doer{listener: *newListener()}
	h.on = func(*LocalEvent) {
		if faulty {
			faulty = false
			panic("a fault in a handler")
		}
	}
	bind(t, w.local("anyone", h), nil, []string{metaOnSubscribe})
	c := w.join(wamp.JSON, "anyone")
	c.subscribe("com.example.t", `{}`)
	for {
		if _, err := c.read(); err != nil {
			break
		}
	}
	other := w.join(wamp.JSON, "anyone")
	id := other.subscribe("com.example.t", `{}`)
	other.expectNothing()
	for _, l := range []*listener{watcher, &h.listener} {
		l.expect(t, fmt.Sprintf(`wamp.subscription.on_subscribe [%d,*]`, c.session),
			fmt.Sprintf(`wamp.subscription.on_subscribe [%d,%d]`, other.session, id))
	}
}
