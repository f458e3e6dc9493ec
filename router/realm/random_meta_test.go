package realm

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// replay is a realm as its meta events tell of it.
type replay struct {
	sessions      map[wamp.ID]bool
	registrations map[wamp.ID][]wamp.ID // callees by registration
	subscriptions map[wamp.ID][]wamp.ID // subscribers by subscription
}

func newReplay() *replay {
	return &replay{make(map[wamp.ID]bool), make(map[wamp.ID][]wamp.ID), make(map[wamp.ID][]wamp.ID)}
}

// apply applies one event, and says what is wrong with it, if anything.
func (r *replay) apply(topic string, args []any) error {
	id := func(v any) wamp.ID {
		switch v := v.(type) {
		case int64:
			return wamp.ID(v)
		case map[string]any:
			for _, key := range []string{"session", "id"} {
				if n, ok := v[key].(int64); ok {
					return wamp.ID(n)
				}
			}
		}
		return 0
	}
	first := id(args[0])
	switch topic {
	case metaOnJoin:
		if r.sessions[first] {
			return fmt.Errorf("session %d joins twice", first)
		}
		r.sessions[first] = true
		return nil
	case metaOnLeave:
		if !r.sessions[first] {
			return fmt.Errorf("session %d leaves, but is not there", first)
		}
		delete(r.sessions, first)
		for _, all := range []map[wamp.ID][]wamp.ID{r.registrations, r.subscriptions} {
			for what, members := range all {
				if slices.Contains(members, first) {
					return fmt.Errorf("session %d leaves, but still has %d", first, what)
				}
			}
		}
		return nil
	}
	members := r.registrations
	if strings.HasPrefix(topic, "wamp.subscription.") {
		members = r.subscriptions
	}
	second := id(args[1])
	list, exists := members[second]
	at := slices.Index(list, first)
	if !r.sessions[first] {
		return fmt.Errorf("session %d is not there", first)
	}
	switch topic {
	case metaOnRegistrationCreate, metaOnSubscriptionCreate:
		if exists {
			return fmt.Errorf("%d is made twice", second)
		}
		members[second] = nil
	case metaOnRegister, metaOnSubscribe:
		if !exists || at >= 0 {
			return fmt.Errorf("session %d gets part in %d, which has %v", first, second, list)
		}
		members[second] = append(list, first)
	case metaOnUnregister, metaOnUnsubscribe:
		if at < 0 {
			return fmt.Errorf("session %d loses its part in %d, which has %v", first, second, list)
		}
		members[second] = slices.Delete(list, at, at+1)
	case metaOnRegistrationDelete, metaOnSubscriptionDelete:
		if !exists || len(list) > 0 {
			return fmt.Errorf("%d ends, which has %v", second, list)
		}
		delete(members, second)
	}
	return nil
}

// text is the whole of it, sorted.
func (r *replay) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "sessions %v\n", slices.Sorted(maps.Keys(r.sessions)))
	for _, all := range []map[wamp.ID][]wamp.ID{r.registrations, r.subscriptions} {
		for _, id := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, "%d has %v\n", id, slices.Sorted(slices.Values(all[id])))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// asked is the realm as the meta procedures tell of it.
func asked(t *testing.T, l *Local) *replay {
	t.Helper()
	ask := func(procedure, args string, result any) {
		t.Helper()
		text, err := callLocal(l, procedure, args)
		var list []json.RawMessage
		if err != nil || json.Unmarshal([]byte(text), &list) != nil || json.Unmarshal(list[0], result) != nil {
			t.Fatalf("%s: %s, %v", procedure, text, err)
		}
	}
	r := newReplay()
	var sessions []wamp.ID
	ask("wamp.session.list", "", &sessions)
	for _, id := range sessions {
		r.sessions[id] = true
	}
	for _, kind := range []struct {
		procedure, members string
		into               map[wamp.ID][]wamp.ID
	}{
		{"wamp.registration.", "list_callees", r.registrations},
		{"wamp.subscription.", "list_subscribers", r.subscriptions},
	} {
		var all map[string][]wamp.ID
		ask(kind.procedure+"list", "", &all)
		for _, ids := range all {
			for _, id := range ids {
				var members []wamp.ID
				ask(kind.procedure+kind.members, fmt.Sprintf("[%d]", id), &members)
				kind.into[id] = members
			}
		}
	}
	return r
}

// metaWatcher is a component that replays what it is told.
type metaWatcher struct {
	mu     sync.Mutex
	replay *replay
	events int
	wrong  error
}

func (m *metaWatcher) Invoke(*LocalInvocation) bool { return false }

func (m *metaWatcher) Closed(string) {}

func (m *metaWatcher) Event(e *LocalEvent) { m.take(e.Topic, e.Payload) }

func (m *metaWatcher) take(topic string, p wamp.Payload) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events++
	var args []any
	err := codec.Unmarshal(p.Format, p.Args, &args)
	if err == nil {
		err = m.replay.apply(topic, args)
	}
	if err != nil && m.wrong == nil {
		m.wrong = fmt.Errorf("event %d, %s: %w", m.events, topic, err)
	}
}

// TestMetaEventsTellEverything: whatever sessions do at once, who replays the
// meta events has exactly what is there: none is lost, doubled or out of order.
// Among those who listen are a component and a client.
func TestMetaEventsTellEverything(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	w := newWorld(t, scenario(), Limits{})
	inside := &metaWatcher{replay: newReplay()}
	l := w.local("anyone", inside)
	outside := &metaWatcher{replay: newReplay()}
	c := w.join(wamp.CBOR, "anyone")
	c.expectNothing() // that it joined was told before anybody listens
	bind(t, l, nil, allMeta)
	topics := make(map[wamp.ID]string)
	for _, topic := range allMeta {
		topics[c.subscribe(topic, `{}`)] = topic
	}
	for _, m := range []*metaWatcher{inside, outside} {
		m.replay.sessions[l.Session()], m.replay.sessions[c.session] = true, true
	}

	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			m, err := c.read()
			if err != nil {
				t.Error(err)
				return
			}
			e, ok := m.(*wamp.Event)
			if !ok {
				return // the answer to the last request
			}
			outside.take(topics[e.Subscription], e.Payload)
		}
	}()

	var working sync.WaitGroup
	for i := range 5 {
		random := rand.New(rand.NewPCG(7, uint64(i)))
		working.Go(func() {
			for range rounds {
				if c := w.tryJoin(formats[random.IntN(len(formats))]); c != nil {
					metaChurn(c, random)
				}
			}
		})
	}
	working.Go(func() { bindAtRandom(t, w, 10*rounds, rand.New(rand.NewPCG(8, 1))) })
	working.Go(func() { revokeAtRandom(w, l, 20*rounds, rand.New(rand.NewPCG(8, 2))) })
	working.Wait()
	stay := w.join(wamp.JSON, "anyone")
	stay.register("com.example.stays", `{}`)
	stay.subscribe("com.example.stays", `{}`)

	r := w.realms["realm1"]
	eventually(t, "all sessions but those that stay have ended, and all events are delivered", func() bool {
		if w.admission.connections() != 2 {
			return false
		}
		r.meta.mu.Lock()
		defer r.meta.mu.Unlock()
		return !r.meta.isSending && len(r.meta.pending) == 0
	})
	c.send(fmt.Sprintf(`[34,%d,9007199254740992]`, c.next()))
	<-watched
	want := asked(t, l).text()
	for name, m := range map[string]*metaWatcher{"inside": inside, "outside": outside} {
		m.mu.Lock()
		if m.wrong != nil {
			t.Errorf("%s: %v", name, m.wrong)
		}
		if got := m.replay.text(); got != want {
			t.Errorf("%s: replayed\n%s\nbut there is\n%s", name, got, want)
		}
		m.mu.Unlock()
	}
	if inside.events != outside.events || inside.events < rounds*5*2 {
		t.Errorf("%d and %d events were delivered", inside.events, outside.events)
	}
}

// metaChurn is the life of one session that the meta API tells of.
func metaChurn(c *client, random *rand.Rand) {
	defer func() {
		c.conn.Close(transport.CloseNormal)
		<-c.conn.Done()
	}()
	for range 30 {
		uri := fmt.Sprintf("com.example.x%d", random.IntN(4))
		match := wamp.Match(random.IntN(3))
		var m wamp.Message
		switch random.IntN(4) {
		case 0:
			m = &wamp.Subscribe{Request: c.next(), Topic: uri, Options: wamp.SubscribeOptions{Match: match}}
		case 1:
			m = &wamp.Register{Request: c.next(), Procedure: uri, Options: wamp.RegisterOptions{Match: match, Invoke: wamp.InvokeRoundRobin}}
		case 2:
			m = &wamp.Register{Request: c.next(), Procedure: uri + ".own", Options: wamp.RegisterOptions{Match: match}}
		case 3:
			// To join and leave quickly is what most of the races are about.
			m = &wamp.Publish{Request: c.next(), Topic: uri, Options: wamp.PublishOptions{Acknowledge: true}}
		}
		if c.conn.Send(&c.batch, m) != nil {
			return
		}
	}
	c.batch.Flush()
	for n := range random.IntN(30) {
		m, err := c.read()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *wamp.Subscribed:
			if n%2 == 0 {
				_ = c.conn.Send(&c.batch, &wamp.Unsubscribe{Request: c.next(), Subscription: m.Subscription})
			}
		case *wamp.Registered:
			if n%2 == 0 {
				_ = c.conn.Send(&c.batch, &wamp.Unregister{Request: c.next(), Registration: m.Registration})
			}
		}
	}
	c.batch.Flush()
}

// bindAtRandom is the life of a component that is reloaded all the time.
func bindAtRandom(t *testing.T, w *world, rounds int, random *rand.Rand) {
	l := w.local("backend", newListener())
	defer l.Leave()
	for range rounds {
		var b Bindings
		for i := range 6 {
			if random.IntN(2) == 0 {
				b.Registrations = append(b.Registrations, Binding{URI: fmt.Sprintf("com.example.local%d", i),
					Options: wamp.RegisterOptions{DiscloseCaller: wamp.Bool(random.IntN(3))}})
			}
			if random.IntN(2) == 0 {
				b.Subscriptions = append(b.Subscriptions, SubscriptionBinding{URI: fmt.Sprintf("com.example.x%d", i),
					Options: wamp.SubscribeOptions{Match: wamp.Match(random.IntN(3))}})
			}
		}
		if err := l.Bind(b, nil); err != nil {
			t.Errorf("bind: %v", err)
			return
		}
	}
}

// revokeAtRandom kills sessions, and takes from them what they have.
func revokeAtRandom(w *world, l *Local, rounds int, random *rand.Rand) {
	for range rounds {
		for _, s := range w.members() {
			if s.local != nil || s.protocol != "wamp.2.json" && random.IntN(4) > 0 || s.roles.Subscriber.Present {
				continue // the client that watches announces that it is a subscriber
			}
			switch random.IntN(3) {
			case 0:
				_, _ = callLocal(l, "wamp.session.kill", fmt.Sprintf("[%d]", s.id))
			case 1:
				_, _ = callLocal(l, "wamp.registration.remove_callee", fmt.Sprintf("[%d,%d]", random.IntN(300)+1, s.id))
			case 2:
				_, _ = callLocal(l, "wamp.subscription.remove_subscriber", fmt.Sprintf("[%d,%d]", random.IntN(300)+1, s.id))
			}
		}
	}
}
