package realm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/router/codec"
	"usher/router/wamp"
)

// recorded keeps the events of a topic, of a prefix and of a wildcard.
func recorded() Settings {
	return Settings{History: []HistoryRule{
		{URI: "com.example.log.auth"},
		{URI: "com.example.log", Match: wamp.Prefix},
		{URI: "com..log.basket", Match: wamp.Wildcard},
		{URI: "com.secret.x"},
		{URI: "com.", Match: wamp.Prefix, Events: 100},
	}}
}

// lookup returns the id of a subscription, whether or not anybody has it.
func (c *client) lookup(uri, match string) wamp.ID {
	c.t.Helper()
	c.send(fmt.Sprintf(`[48,%d,{},"wamp.subscription.lookup",[%q,{"match":%q}]]`, c.next(), uri, match))
	var ids []wamp.ID
	m := c.receive()
	if r, ok := m.(*wamp.Result); !ok || unmarshal(r.Payload, &ids) != nil || len(ids) != 1 {
		c.t.Fatalf("cannot find %q: %s", uri, text(m))
	}
	return ids[0]
}

// storedEvent is an event as it is in a history.
type storedEvent struct {
	Timestamp    time.Time      `json:"timestamp"`
	Subscription wamp.ID        `json:"subscription"`
	Publication  wamp.ID        `json:"publication"`
	Details      map[string]any `json:"details"`
	Args         []any          `json:"args"`
	Kwargs       map[string]any `json:"kwargs"`
}

// events asks for a history. kwargs is a dict.
func (c *client) events(sub wamp.ID, kwargs string) (events []storedEvent, isMore bool) {
	c.t.Helper()
	c.send(fmt.Sprintf(`[48,%d,{},"wamp.subscription.get_events",[%d],%s]`, c.next(), sub, kwargs))
	m := c.receive()
	r, ok := m.(*wamp.Result)
	if !ok {
		c.t.Fatalf("no history of %d: %s", sub, text(m))
	}
	var more struct {
		IsLimitReached bool `json:"is_limit_reached"`
	}
	if err := cmp.Or(unmarshal(r.Payload, &events), codec.Unmarshal(r.Payload.Format, r.Payload.Kwargs, &more)); err != nil {
		c.t.Fatalf("%s: %v", text(m), err)
	}
	return events, more.IsLimitReached
}

func publications(events []storedEvent) []wamp.ID {
	ids := []wamp.ID{}
	for _, e := range events {
		ids = append(ids, e.Publication)
	}
	return ids
}

// TestSuiteHistory: each subscription has the events that it would have delivered,
// from before anybody subscribed, under an id that stays.
func TestSuiteHistory(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(recorded()), Limits{})
		c, publisher := w.joinOver(over, "anyone"), w.joinOver(over, "trusted")
		exact := c.lookup("com.example.log.auth", "exact")
		prefix := c.lookup("com.example.log", "prefix")
		wildcard := c.lookup("com..log.basket", "wildcard")
		if st := w.Stats(); st.Subscriptions != 0 {
			t.Errorf("%d topics are subscribed to", st.Subscriptions)
		}
		before := time.Now().Add(-time.Millisecond)
		auth := publisher.publish("com.example.log.auth", `{"disclose_me":true}`, `,["a"],{"k":1}`)
		basket := publisher.publish("com.example.log.basket", `{"ppt_scheme":"x_a","ppt_cipher":"c"}`, `,["b"]`)
		checkout := publisher.publish("com.example.log.checkout", `{}`, ``)
		const stamp = `"timestamp":"*-*-*T*:*:*.*Z"`
		who := fmt.Sprintf(`"publisher":%d,"publisher_authid":"*","publisher_authrole":"trusted",`, publisher.session)
		c.call("wamp.subscription.get_events", fmt.Sprintf(`,[%d]`, exact), fmt.Sprintf(
			`RESULT,[{%s,"subscription":%d,"publication":%d,"details":{%s"trustlevel":3},"args":["a"],"kwargs":{"k":1}}],{"is_limit_reached":false}]`,
			stamp, exact, auth, who))
		c.call("wamp.subscription.get_events", fmt.Sprintf(`,[%d]`, wildcard), fmt.Sprintf(
			`RESULT,[{%s,"subscription":%d,"publication":%d,"details":{"topic":"com.example.log.basket","trustlevel":3,"ppt_scheme":"x_a","ppt_cipher":"c"},"args":["b"]}],{"is_limit_reached":false}]`,
			stamp, wildcard, basket))
		events, _ := c.events(prefix, `{}`)
		if got, want := publications(events), []wamp.ID{auth, basket, checkout}; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for _, e := range events {
			if e.Timestamp.Before(before.Truncate(time.Millisecond)) || e.Timestamp.After(time.Now()) {
				t.Errorf("an event is of %s", e.Timestamp)
			}
		}
		// It is Crossbar.io's procedure with two arguments.
		c.call("wamp.subscription.get_events", fmt.Sprintf(`,[%d,2]`, prefix), fmt.Sprintf(
			`RESULT,[[{%s,"subscription":%d,"publication":%d,**},{%s,"subscription":%d,"publication":%d,**}]],{"is_limit_reached":true}]`,
			stamp, prefix, checkout, stamp, prefix, basket))
		// The id stays whoever comes and goes.
		if id := c.subscribe("com.example.log", `{"match":"prefix"}`); id != prefix {
			t.Errorf("subscribed as %d, it was %d", id, prefix)
		}
		c.send(fmt.Sprintf(`[34,%d,%d]`, c.next(), prefix))
		c.expect(fmt.Sprintf(`[35,%d]`, c.request))
		if got, _ := c.events(prefix, `{}`); len(got) != 3 {
			t.Errorf("%d events are left", len(got))
		}
	})
}

// TestSuiteHistoryFilters: all conditions, alone and together, both ways.
func TestSuiteHistoryFilters(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(recorded()), Limits{})
		c, publisher := w.joinOver(over, "anyone"), w.joinOver(over, "anyone")
		sub := c.lookup("com.example.log", "prefix")
		var ids []wamp.ID
		for i := range 6 {
			ids = append(ids, publisher.publish(fmt.Sprintf("com.example.log.%d", i%2), `{}`, ``))
		}
		// Their times are made to be a second apart.
		r := w.members()[0].realm
		h := r.subscriptionByID(sub).history.Load()
		start := time.Date(2026, 3, 4, 5, 6, 7, 123_456_789, time.UTC)
		for i, p := range h.pages[h.first:] {
			moved := *p.keptEvent
			moved.time = start.Add(time.Duration(i) * time.Second)
			p.keptEvent = &moved
		}
		id := func(i int) string { return fmt.Sprint(ids[i]) }
		at := func(i int) string {
			return fmt.Sprintf("%q", start.Add(time.Duration(i)*time.Second).Format(timestamp))
		}
		for _, test := range []struct {
			kwargs string
			want   []int
			isMore bool
		}{
			{`{}`, []int{0, 1, 2, 3, 4, 5}, false},
			{`{"reverse":true}`, []int{5, 4, 3, 2, 1, 0}, false},
			{`{"reverse":false,"limit":2}`, []int{0, 1}, true},
			{`{"reverse":true,"limit":2}`, []int{5, 4}, true},
			{`{"limit":6}`, []int{0, 1, 2, 3, 4, 5}, false},
			{`{"topic":"com.example.log.1"}`, []int{1, 3, 5}, false},
			{`{"topic":"com.example.log"}`, []int{}, false},
			{`{"from_time":` + at(2) + `}`, []int{2, 3, 4, 5}, false},
			{`{"after_time":` + at(2) + `}`, []int{3, 4, 5}, false},
			{`{"before_time":` + at(2) + `}`, []int{0, 1}, false},
			{`{"until_time":` + at(2) + `}`, []int{0, 1, 2}, false},
			{`{"from_time":"2026-03-04T06:06:09.123+01:00"}`, []int{2, 3, 4, 5}, false},
			{`{"from_time":` + at(1) + `,"before_time":` + at(4) + `}`, []int{1, 2, 3}, false},
			{`{"from_publication":` + id(2) + `}`, []int{2, 3, 4, 5}, false},
			{`{"after_publication":` + id(2) + `}`, []int{3, 4, 5}, false},
			{`{"before_publication":` + id(2) + `}`, []int{0, 1}, false},
			{`{"until_publication":` + id(2) + `}`, []int{0, 1, 2}, false},
			{`{"after_publication":` + id(5) + `}`, []int{}, false},
			{`{"from_publication":12345}`, []int{}, false},
			{`{"after_publication":` + id(4) + `,"until_publication":` + id(1) + `}`, []int{}, false},
			{`{"after_publication":` + id(0) + `,"until_time":` + at(4) + `,"topic":"com.example.log.0","reverse":true}`, []int{4, 2}, false},
			{`{"after_publication":` + id(1) + `,"limit":2}`, []int{2, 3}, true},
			{`{"before_publication":` + id(4) + `,"limit":2,"reverse":true}`, []int{3, 2}, true},
			{`{"limit":null,"x_other":[1],"unknown":{"a":1}}`, []int{0, 1, 2, 3, 4, 5}, false},
		} {
			want := []wamp.ID{}
			for _, i := range test.want {
				want = append(want, ids[i])
			}
			events, isMore := c.events(sub, test.kwargs)
			if got := publications(events); !slices.Equal(got, want) || isMore != test.isMore {
				t.Errorf("%s: got %v (more: %t), want %v (more: %t)", test.kwargs, got, isMore, want, test.isMore)
			}
		}
		for kwargs, wanted := range map[string]string{
			`{"limit":0}`:              "limit must be a positive integer",
			`{"limit":"2"}`:            "limit must be a positive integer",
			`{"reverse":1}`:            "reverse must be a boolean",
			`{"topic":[]}`:             "topic must be a URI",
			`{"from_time":"today"}`:    "from_time must be a time as in RFC 3339",
			`{"after_publication":-1}`: "after_publication must be the id of a publication",
		} {
			c.call("wamp.subscription.get_events", fmt.Sprintf(`,[%d],%s`, sub, kwargs),
				fmt.Sprintf(`ERROR,"wamp.error.invalid_argument",["keyword argument %s"]]`, wanted))
		}
		c.call("wamp.subscription.get_events", `,[]`, `ERROR,"wamp.error.invalid_argument",["argument 1, subscription, is missing: it must be an id"]]`)
		c.call("wamp.subscription.get_events", `,[98765]`, `ERROR,"wamp.error.no_such_subscription",["no subscription 98765 exists in this realm"]]`)
		other := c.subscribe("com.other", `{}`)
		c.call("wamp.subscription.get_events", fmt.Sprintf(`,[%d]`, other),
			fmt.Sprintf(`ERROR,"wamp.error.history_unavailable",["no events are kept for subscription %d"]]`, other))
	})
}

// TestSuiteHistoryAccess: nobody reads in a history what would not have been
// delivered, and events for certain sessions are not in it.
func TestSuiteHistoryAccess(t *testing.T) {
	eachWay(t, func(t *testing.T, over way) {
		w := newWorld(t, settled(recorded()), Limits{})
		c, other, deaf := w.joinOver(over, "anyone"), w.joinOver(over, "other"), w.joinOver(over, "deaf")
		authids := map[wamp.ID]string{}
		for _, s := range w.members() {
			authids[s.id] = s.authid
		}
		all, secret := c.lookup("com.", "prefix"), c.lookup("com.secret.x", "exact")
		open := c.publish("com.example.x", `{}`, ``)
		hidden := c.publish("com.secret.x", `{}`, ``)
		forOther := c.publish("com.example.x", `{"eligible_authrole":["other"]}`, ``)
		notOther := c.publish("com.example.x", `{"exclude_authid":["`+authids[other.session]+`"]}`, ``)
		forMe := c.publish("com.example.x", `{"eligible_authid":["`+authids[c.session]+`"],"exclude_authrole":["deaf"]}`, ``)
		c.publish("com.example.x", fmt.Sprintf(`{"eligible":[%d,%d]}`, c.session, other.session), ``)
		c.publish("com.example.x", `{"exclude":[1]}`, ``)
		c.publish("com.example.x", `{"eligible_authid":[]}`, ``)
		for _, test := range []struct {
			c    *client
			want []wamp.ID
		}{
			{c, []wamp.ID{open, hidden, notOther, forMe}},
			{other, []wamp.ID{open, hidden, forOther}},
			{deaf, []wamp.ID{open, notOther}},
		} {
			events, _ := test.c.events(all, `{}`)
			if got := publications(events); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		}
		deaf.call("wamp.subscription.get_events", fmt.Sprintf(`,[%d]`, secret),
			`ERROR,"wamp.error.not_authorized",["session (session_id=*, authid=*, authrole=\"deaf\") is not authorized to subscribe to topic \"com.secret.x\" on realm \"realm1\""]]`)
	})
}

// TestHistoryOfLargeEvents: a result is no larger than a client takes, says that
// there is more, and is gone through page by page.
func TestHistoryOfLargeEvents(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to wamp.Format) {
		w := newWorld(t, settled(recorded()), Limits{})
		publisher, c := w.join(from, "anyone"), w.join(to, "anyone")
		sub := c.lookup("com.example.log", "prefix")
		var want []wamp.ID
		for range 10 {
			want = append(want, publisher.publish("com.example.log.large", `{}`, `,["`+strings.Repeat("x", 200<<10)+`"]`))
		}
		var got []wamp.ID
		kwargs := `{}`
		for isMore := true; isMore; {
			var events []storedEvent
			if events, isMore = c.events(sub, kwargs); len(events) != 2 {
				t.Fatalf("%d events at once", len(events))
			}
			got = append(got, publications(events)...)
			kwargs = fmt.Sprintf(`{"after_publication":%d}`, got[len(got)-1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestHistoryIsBounded: in events and age per rule, in bytes per realm, and by what
// the newest policy says; what stays is kept.
func TestHistoryIsBounded(t *testing.T) {
	rules := func(bytes int, rules ...HistoryRule) *Policy {
		return settled(Settings{History: rules, HistoryBytes: bytes})
	}
	one, two := HistoryRule{URI: "com.example.one", Events: 3}, HistoryRule{URI: "com.example.two", Events: 5}
	w := newWorld(t, rules(0, one, two), Limits{})
	c := w.join(wamp.JSON, "anyone")
	first, second := c.lookup(one.URI, "exact"), c.lookup(two.URI, "exact")
	var ones, twos []wamp.ID
	for range 6 {
		ones = append(ones, c.publish(one.URI, `{}`, ``))
		twos = append(twos, c.publish(two.URI, `{}`, ``))
	}
	check := func(what string, sub wamp.ID, want []wamp.ID) {
		t.Helper()
		events, _ := c.events(sub, `{}`)
		if got := publications(events); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	check("three events", first, ones[3:])
	check("five events", second, twos[1:])

	two.Events = 2
	w.Apply(rules(0, one, two, HistoryRule{URI: "com.example.", Match: wamp.Prefix}))
	check("a rule that is as before", first, ones[3:])
	check("a rule that keeps fewer", second, twos[4:])
	both := c.lookup("com.example.", "prefix")
	check("a new rule", both, []wamp.ID{})

	size := w.members()[0].realm.archive.oldest.size
	w.Apply(rules(4*size, one, two))
	check("the oldest have gone, of whichever topic", first, ones[4:])
	check("the oldest have gone, of whichever topic", second, twos[4:])
	c.call("wamp.subscription.get_events", fmt.Sprintf(`,[%d]`, both), `ERROR,"wamp.error.no_such_subscription",**]`)
	ones = append(ones, c.publish(one.URI, `{}`, ``))
	check("a new one drives out the oldest of all", first, ones[5:])
	check("which is not of its topic perhaps", second, twos[4:])
	c.publish(two.URI, `{}`, `,["`+strings.Repeat("x", 4*size)+`"]`)
	check("one that is too large by itself is not kept", second, twos[4:])

	one.Age = time.Hour
	w.Apply(rules(0, one))
	h := w.members()[0].realm.subscriptionByID(first).history.Load()
	old := *h.pages[h.first].keptEvent
	old.time = time.Now().Add(-2 * time.Hour)
	h.pages[h.first].keptEvent = &old
	check("one that is too old has gone", first, ones[6:])

	w.Apply(rules(0))
	c.call("wamp.subscription.get_events", fmt.Sprintf(`,[%d]`, first), `ERROR,"wamp.error.no_such_subscription",**]`)
	r := w.members()[0].realm
	if r.archive.bytes != 0 || r.archive.oldest != nil || r.archive.newest != nil || r.subscriptions.Len() != 0 {
		t.Errorf("without rules %d bytes are kept, and %d subscriptions", r.archive.bytes, r.subscriptions.Len())
	}
}

// TestHistoryOfTheRouter: topics of the meta API and what is published inside the
// process are recorded alike; a Local may ask.
func TestHistoryOfTheRouter(t *testing.T) {
	w := newWorld(t, settled(Settings{History: []HistoryRule{{URI: "wamp.session.on_join"}, {URI: "com.example.x"}}}), Limits{})
	id, err := w.local("anyone", newRecorder()).Publish("com.example.x", wamp.PublishOptions{}, jsonArgs(`["x"]`))
	if err != nil {
		t.Fatal(err)
	}
	c := w.join(wamp.JSON, "anyone")
	events, _ := c.events(c.lookup("com.example.x", "exact"), `{}`)
	if got := publications(events); !slices.Equal(got, []wamp.ID{id}) {
		t.Errorf("got %v, want %d", got, id)
	}
	r := w.members()[0].realm
	sub, _ := r.subscriptions.Get(wamp.Exact, "wamp.session.on_join")
	if n := len(sub.history.Load().events()); n != 2 {
		t.Errorf("%d sessions joined", n)
	}
}
