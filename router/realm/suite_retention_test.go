package realm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"usher/router/wamp"
)

// TestSuiteRetention: who asks gets the last event that was to be retained, once,
// behind SUBSCRIBED, as it was but for saying so.
func TestSuiteRetention(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(Settings{}), Limits{})
		publisher, c := w.joinOver(over, "trusted"), w.joinOver(over, "anyone")
		publisher.publish("com.example.x", `{"retain":true}`, `,["old"]`)
		id := publisher.publish("com.example.x", `{"retain":true,"disclose_me":true,"ppt_scheme":"x_a","ppt_keyid":"k"}`, `,["new"],{"k":1}`)
		publisher.publish("com.example.x", `{}`, `,["not retained"]`)
		publisher.publish("com.example.x", `{"retain":false}`, `,["nor this"]`)
		sub := c.subscribe("com.example.x", `{"get_retained":true}`)
		retained := fmt.Sprintf(`[36,%d,%d,{"publisher":%d,"publisher_authid":"*","publisher_authrole":"trusted","retained":true,"trustlevel":3,"ppt_scheme":"x_a","ppt_keyid":"k"},["new"],{"k":1}]`,
			sub, id, publisher.session)
		c.expect(retained)
		c.expectNothing()

		// Who is subscribed already and asks again, gets it again.
		if again := c.subscribe("com.example.x", `{"get_retained":true}`); again != sub {
			t.Errorf("subscribed as %d and %d", sub, again)
		}
		c.expect(retained)
		c.subscribe("com.example.x", `{}`)
		c.expectNothing()
		other := w.joinWith(over, "anyone", `{"subscriber":{}}`)
		other.subscribe("com.example.x", `{"get_retained":false}`)
		other.expectNothing()
		other.subscribe("com.example.y", `{"get_retained":true}`)
		other.expectNothing()

		// An event without a payload is one like any other.
		id = publisher.publish("com.example.x", `{"retain":true}`, ``)
		other.expect(fmt.Sprintf(`[36,%d,%d,{}]`, sub, id))
		c.expect(fmt.Sprintf(`[36,%d,%d,{"trustlevel":3}]`, sub, id))
		late := w.joinWith(over, "anyone", `{"subscriber":{}}`)
		late.subscribe("com.example.x", `{"get_retained":true}`)
		late.expect(fmt.Sprintf(`[36,%d,%d,{"retained":true}]`, sub, id))
	})
}

// TestSuiteRetentionOfPatterns: of each topic that matches, in the order of
// publication.
func TestSuiteRetentionOfPatterns(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(Settings{}), Limits{})
		publisher, c, deaf := w.joinOver(over, "anyone"), w.joinOver(over, "anyone"), w.joinOver(over, "deaf")
		ids := map[string]wamp.ID{}
		for _, topic := range []string{"com.b.x", "com.a.x", "com.b.y", "com.secret.x", "org.a.x", "com.b.x"} {
			ids[topic] = publisher.publish(topic, `{"retain":true}`, ``)
		}
		check := func(c *client, pattern, match string, topics ...string) {
			t.Helper()
			sub := c.subscribe(pattern, fmt.Sprintf(`{"match":%q,"get_retained":true}`, match))
			for _, topic := range topics {
				c.expect(fmt.Sprintf(`[36,%d,%d,{"topic":%q,"retained":true}]`, sub, ids[topic], topic))
			}
			c.expectNothing()
		}
		check(c, "com.", "prefix", "com.a.x", "com.b.y", "com.secret.x", "com.b.x")
		check(c, "com..x", "wildcard", "com.a.x", "com.secret.x", "com.b.x")
		check(c, "o", "prefix", "org.a.x")
		check(c, "net.", "prefix")
		check(deaf, "com.", "prefix", "com.a.x", "com.b.y", "com.b.x")
	})
}

// TestSuiteRetentionAndLists: each subscriber gets the last event that it would
// have received, and none that it would not have.
func TestSuiteRetentionAndLists(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(Settings{}), Limits{})
		publisher, one, other := w.joinOver(over, "anyone"), w.joinOver(over, "anyone"), w.joinOver(over, "other")
		general := publisher.publish("com.example.x", `{"retain":true}`, ``)
		publisher.publish("com.example.x", `{"retain":true,"eligible_authrole":["other"]}`, ``)
		forOther := publisher.publish("com.example.x", `{"retain":true,"eligible_authrole":["other"]}`, ``)
		publisher.publish("com.example.x", fmt.Sprintf(`{"retain":true,"exclude":[%d,%d]}`, one.session, other.session), ``)
		sub := one.subscribe("com.example.x", `{"get_retained":true}`)
		one.expect(fmt.Sprintf(`[36,%d,%d,{"retained":true}]`, sub, general))
		other.subscribe("com.example.x", `{"get_retained":true}`)
		other.expect(fmt.Sprintf(`[36,%d,%d,{"retained":true}]`, sub, forOther))
		// Nobody but the publisher is excluded from what is its own.
		publisher.subscribe("com.example.x", `{"get_retained":true}`)
		publisher.expectNothing()
		own := publisher.publish("com.example.y", `{"retain":true,"exclude_me":false}`, ``)
		publisher.subscribe("com.example.y", `{"get_retained":true}`)
		publisher.expect(fmt.Sprintf(`[36,*,%d,{"retained":true}]`, own))
	})
}

// TestRetentionIsBounded: the topic whose last event is the oldest goes first.
func TestRetentionIsBounded(t *testing.T) {
	w := newWorld(t, settled(Settings{RetainedEvents: 3}), Limits{})
	publisher := w.join(wamp.JSON, "anyone")
	topics := func() (names []string) {
		c := w.join(wamp.JSON, "anyone")
		defer c.leave()
		c.subscribe("com.", `{"match":"prefix","get_retained":true}`)
		c.send(fmt.Sprintf(`[34,%d,9007199254740992]`, c.next()))
		for {
			e, ok := c.receive().(*wamp.Event)
			if !ok {
				return names
			}
			names = append(names, strings.TrimPrefix(e.Details.Topic, "com."))
		}
	}
	check := func(want string) {
		t.Helper()
		if got := strings.Join(topics(), ""); got != want {
			t.Errorf("topics %s, want %s", got, want)
		}
	}
	for _, topic := range []string{"a", "b", "c", "a", "d"} {
		publisher.publish("com."+topic, `{"retain":true}`, ``)
	}
	check("cad")
	size := w.members()[0].realm.retained.oldest.bytes
	w.Apply(settled(Settings{RetainedBytes: 2*size + 1}))
	check("ad")
	publisher.publish("com.a", `{"retain":true}`, `,["`+strings.Repeat("x", 2*size)+`"]`)
	check("d") // what cannot be kept leaves nothing that is out of date
	publisher.publish("com.e", `{"retain":true}`, `,["`+strings.Repeat("x", size/2)+`"]`)
	check("e")
}

// TestRetainedEventsAreNotTooManyAtOnce: a subscriber gets the newest ones as far
// as its queue takes them, and stays.
func TestRetainedEventsAreNotTooManyAtOnce(t *testing.T) {
	w := newWorld(t, settled(Settings{}), Limits{})
	publisher, c := w.join(wamp.CBOR, "anyone"), w.join(wamp.JSON, "anyone")
	var ids []wamp.ID
	for i := range 10 {
		ids = append(ids, publisher.publish(fmt.Sprintf("com.example.%d", i), `{"retain":true}`, `,["`+strings.Repeat("x", 500<<10)+`"]`))
	}
	c.subscribe("com.example.", `{"match":"prefix","get_retained":true}`)
	var got []wamp.ID
	for range 4 {
		got = append(got, c.receive().(*wamp.Event).Publication)
	}
	c.expectNothing()
	if !slices.Equal(got, ids[6:]) {
		t.Errorf("got %v, want %v", got, ids[6:])
	}
}

// TestRetainedForALocal: what a component binds with get_retained it is handed.
func TestRetainedForALocal(t *testing.T) {
	w := newWorld(t, settled(Settings{}), Limits{})
	publisher := w.join(wamp.JSON, "anyone")
	publisher.publish("com.example.x", `{"retain":true}`, `,["x"]`)
	h := newRecorder()
	l := w.local("anyone", h)
	b := Bindings{Subscriptions: []SubscriptionBinding{{URI: "com.example.x", Options: wamp.SubscribeOptions{GetRetained: true}}}}
	for range 2 { // the second time nothing is new
		if err := l.Bind(b, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-h.events; got != `com.example.x (exact) com.example.x ["x"] ` {
		t.Errorf("got %q", got)
	}
	if len(h.events) != 0 {
		t.Errorf("and %q", <-h.events)
	}
}

// TestRetainedOnce: who subscribes between an event's being retained and its being
// delivered has it from what is retained, and not once more; nor an older one then.
// Who was there before, or did not ask, gets each event as it comes.
func TestRetainedOnce(t *testing.T) {
	w := newWorld(t, settled(Settings{}), Limits{})
	publisher, _ := w.member(wamp.JSON, "anyone")
	r := publisher.realm
	before, asking, silent := newRecorder(), newRecorder(), newRecorder()
	listen := func(h *recorder, o wamp.SubscribeOptions) {
		if err := w.local("anyone", h).Bind(Bindings{Subscriptions: []SubscriptionBinding{{URI: "com.example.x", Options: o}}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	listen(before, wamp.SubscribeOptions{GetRetained: true})
	var under [3]publication
	for i := range under {
		p := &under[i]
		*p = publication{work: w.works.get(), publisher: publisher, topic: "com.example.x", event: wamp.Event{Publication: wamp.ID(i + 1), Payload: jsonArgs(fmt.Sprintf("[%d]", i))}}
		if i == 2 {
			listen(asking, wamp.SubscribeOptions{GetRetained: true})
			listen(silent, wamp.SubscribeOptions{})
		}
		p.sequence = r.retained.keep(p.kept())
	}
	for i := range under {
		r.subscriptions.Each("com.example.x", func(sub *subscription) bool { return under[i].deliver(sub) })
	}
	for name, test := range map[string]struct {
		h    *recorder
		want []int
	}{"was there before": {before, []int{0, 1, 2}}, "asks": {asking, []int{1, 2}}, "does not ask": {silent, []int{0, 1, 2}}} {
		var got []int
		for range len(test.h.events) {
			var n int
			if _, err := fmt.Sscanf(<-test.h.events, "com.example.x (exact) com.example.x [%d]", &n); err != nil {
				t.Fatal(err)
			}
			got = append(got, n)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("who %s got %v, want %v", name, got, test.want)
		}
	}
}

// TestRetentionModel: at random times random subscribers get what a log of all
// publications says that they should.
func TestRetentionModel(t *testing.T) {
	type entry struct {
		id        wamp.ID
		topic     string
		publisher *session
		excludeMe bool
		lists     *wamp.Audience
	}
	random := rand.New(rand.NewPCG(11, 12))
	w := newWorld(t, settled(Settings{}), Limits{})
	var sessions []*session
	for i := range 6 {
		s, _ := w.member(wamp.JSON, []string{"anyone", "other", "deaf"}[i%3])
		s.authid = fmt.Sprint("user", i%2)
		sessions = append(sessions, s)
	}
	r := sessions[0].realm
	some := func() (ids []wamp.ID, authids, authroles []string) {
		for _, s := range sessions {
			if random.IntN(2) == 0 {
				ids, authids, authroles = append(ids, s.id), append(authids, s.authid), append(authroles, s.authrole)
			}
		}
		return ids, authids, authroles
	}
	var log []entry
	last := uint64(0)
	for round := range 3000 {
		topic := []string{"com.example.a", "com.example.b", "com.secret.c"}[random.IntN(3)]
		if random.IntN(3) > 0 {
			e := entry{id: wamp.ID(round + 1), topic: topic, publisher: sessions[random.IntN(len(sessions))], excludeMe: random.IntN(3) > 0}
			ids, authids, authroles := some()
			switch random.IntN(8) {
			case 0:
				e.lists = &wamp.Audience{Exclude: ids}
			case 1:
				e.lists = &wamp.Audience{Eligible: ids}
			case 2:
				e.lists = &wamp.Audience{ExcludeAuthid: authids}
			case 3:
				e.lists = &wamp.Audience{EligibleAuthrole: authroles, Exclude: ids}
			}
			log = append(log, e)
			p := publication{publisher: e.publisher, topic: topic, excludeMe: e.excludeMe, event: wamp.Event{Publication: e.id}}
			if e.lists != nil {
				p.audience = newAudience(e.lists)
			}
			n := r.retained.keep(p.kept())
			if n <= last {
				t.Fatalf("the sequence goes from %d to %d", last, n)
			}
			last = n
			continue
		}
		sub := r.newSubscription(topic, wamp.Exact)
		for _, s := range sessions {
			var want wamp.ID
			newer := 0 // events of the topic than the one that s should get
			for i := len(log) - 1; i >= 0 && want == 0; i-- {
				e := log[i]
				if e.topic != topic {
					continue
				}
				if (e.lists == nil || admits(e.lists, s)) && (e.publisher != s || !e.excludeMe) {
					want = e.id
				}
				newer++
			}
			if s.authrole == "deaf" && topic == "com.secret.c" {
				want = 0
			}
			got := retainedFor(s, sub)
			// Those for some only are kept as far as there is room.
			if got != want && (newer <= maxForSome || got > want) {
				t.Fatalf("round %d: %s gets %d, want %d", round, s.authrole, got, want)
			}
		}
	}
	n, bytes := 0, 0
	for e := r.retained.oldest; e != nil; e = e.newer {
		n += len(e.events)
		bytes += e.bytes
	}
	if n != r.retained.events || bytes != r.retained.bytes {
		t.Errorf("%d events of %d bytes are counted as %d of %d", n, bytes, r.retained.events, r.retained.bytes)
	}
}

// TestRetainedForSome: of a topic whose events are each for somebody else the newest
// are kept, and the one for everybody.
func TestRetainedForSome(t *testing.T) {
	r := new(retention)
	r.configure(new(Settings))
	r.keep(&keptEvent{topic: "com.example.t"})
	for id := range wamp.ID(100) {
		r.keep(&keptEvent{topic: "com.example.t", audience: &wamp.Audience{Eligible: []wamp.ID{id + 1}}})
	}
	events := r.topics["com.example.t"].events
	if len(events) != maxForSome+1 || r.events != len(events) {
		t.Fatalf("%d events are kept, %d counted, want %d", len(events), r.events, maxForSome+1)
	}
	if events[0].sequence != 101 || events[maxForSome-1].sequence != 101-maxForSome+1 || events[maxForSome].sequence != 1 {
		t.Errorf("events %d to %d and %d are kept", events[maxForSome-1].sequence, events[0].sequence, events[maxForSome].sequence)
	}
}

// retainedFor is the publication that s gets for an exact subscription; 0: none.
func retainedFor(s *session, sub *subscription) (id wamp.ID) {
	h := newRecorder()
	l := &Local{session: s, handler: idOf{h, &id}}
	conn := s.conn
	s.conn, s.local = nil, l
	s.sendRetained(nil, sub, nil, false)
	s.conn, s.local = conn, nil
	return id
}

// idOf notes the last publication.
type idOf struct {
	*recorder
	id *wamp.ID
}

func (h idOf) Event(e *LocalEvent) { *h.id = e.Publication }

// TestKeptTextsCount: what a publisher says beside the payload takes its part of the
// room for events that are kept.
func TestKeptTextsCount(t *testing.T) {
	w := newWorld(t, settled(Settings{RetainedBytes: 2000, HistoryBytes: 2000, History: []HistoryRule{{URI: "com.example.x"}}}), Limits{})
	s, _ := w.member(wamp.JSON, "anyone")
	canDoAll(s)
	for i, key := range []string{"ppt_scheme", "ppt_keyid", "enc_key"} {
		s.take(t, fmt.Sprintf(`[16,%d,{"retain":true,"ppt_scheme":"x",%q:%q},"com.example.x"]`, i+1, key, strings.Repeat("x", 2000)))
	}
	if r := s.realm; r.retained.events != 0 || r.archive.bytes != 0 {
		t.Errorf("%d events are retained, and %d bytes in the history", r.retained.events, r.archive.bytes)
	}
}

// TestRetainedOrder: while publishers publish retained events all the time, whoever
// subscribes gets no event of one publisher that is older than one before, nor one
// twice, nor one before SUBSCRIBED, and misses none in between.
func TestRetainedOrder(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 40
	}
	w := newWorld(t, settled(Settings{}), Limits{})
	stop := make(chan struct{})
	var storming sync.WaitGroup
	for i := range 2 {
		p := w.join(formats[i], "anyone")
		storming.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				_ = p.conn.Send(&p.batch, &wamp.Publish{Request: p.next(), Topic: fmt.Sprintf("com.example.%d", i),
					Options: wamp.PublishOptions{Retain: true, Acknowledge: true}, Payload: jsonArgs(fmt.Sprintf("[%d,%d]", i, n))})
				p.batch.Flush()
				if _, err := p.read(); err != nil {
					return
				}
			}
		})
	}
	c := w.join(wamp.JSON, "anyone")
	for range rounds {
		c.send(fmt.Sprintf(`[32,%d,{"match":"prefix","get_retained":true},"com.example."]`, c.next()))
		var sub wamp.ID
		isOver := false
		last := map[int64]int64{}
		for n := 0; !isOver; {
			switch m := c.receive().(type) {
			case *wamp.Subscribed:
				sub = m.Subscription
			case *wamp.Unsubscribed:
				isOver = true
			case *wamp.Event:
				var args []int64
				if err := unmarshal(m.Payload, &args); err != nil || len(args) != 2 {
					t.Fatalf("args are %v, %v", args, err)
				}
				switch before := last[args[0]]; {
				case sub == 0:
					t.Fatal("an EVENT came before SUBSCRIBED")
				case before != 0 && args[1] != before+1:
					t.Fatalf("event %d came behind event %d (retained: %t)", args[1], before, m.Details.Retained)
				case m.Details.Retained && before != 0:
					t.Fatalf("a retained event came behind another")
				}
				last[args[0]] = args[1]
				if n++; n == 6 {
					c.send(fmt.Sprintf(`[34,%d,%d]`, c.next(), sub))
				}
			default:
				t.Fatalf("got %s", text(m))
			}
		}
	}
	close(stop)
	storming.Wait()
}
