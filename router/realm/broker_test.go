package realm

import (
	"fmt"
	"strings"
	"testing"

	"usher/router/auth"
	"usher/router/wamp"
)

func TestPublish(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		subscriber, publisher := w.join(to, "anyone"), w.join(from, "anyone")
		subscriber.send(`[32,1,{},"com.example.topic"]`)
		subscriber.expect(`[33,1,1]`)
		publisher.send(`[16,1,{"acknowledge":true},"com.example.topic",["hello"],{"n":1}]`)
		published, ok := publisher.receive().(*wamp.Published)
		if !ok || published.Request != 1 || !published.Publication.Valid() {
			t.Fatalf("got %v", published)
		}
		subscriber.expect(fmt.Sprintf(`[36,1,%d,{},["hello"],{"n":1}]`, published.Publication))
		publisher.send(`[16,2,{},"com.example.topic"]`)
		subscriber.expect(`[36,1,*,{}]`)
		subscriber.send(`[34,2,1]`)
		subscriber.expect(`[35,2]`)
		publisher.send(`[16,3,{"acknowledge":true},"com.example.topic",["unheard"]]`)
		publisher.expect(`[17,3,*]`)
		subscriber.request = 2
		subscriber.expectNothing()
	})
}

func TestPublishErrors(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		c := w.join(f, "anyone")
		for i, test := range []struct{ message, kind, uri, text string }{
			{`[16,%d,{"acknowledge":true},"com..topic"]`, "16", "wamp.error.invalid_uri", `topic \"com..topic\" is not a valid URI`},
			{`[16,%d,{"acknowledge":true},"wamp.session.on_join"]`, "16", "wamp.error.invalid_uri", `cannot publish \"wamp.session.on_join\": URIs that begin with \"wamp.\" are the router's`},
			{`[32,%d,{},"com..topic"]`, "32", "wamp.error.invalid_uri", `topic \"com..topic\" is not a valid URI`},
			{`[32,%d,{"match":"prefix"},"com.#"]`, "32", "wamp.error.invalid_uri", `topic \"com.#\" is not a valid URI pattern for match \"prefix\"`},
			{`[34,%d,12345]`, "34", "wamp.error.no_such_subscription", `session has no subscription 12345`},
		} {
			c.send(fmt.Sprintf(test.message, i+1))
			c.expect(fmt.Sprintf(`[8,%s,%d,{},"%s",["%s"]]`, test.kind, i+1, test.uri, test.text))
			c.request = wamp.ID(i + 1)
		}
		// Without acknowledge nobody is told.
		c.send(fmt.Sprintf(`[16,%d,{},"com..topic"]`, c.next()))
		c.send(fmt.Sprintf(`[16,%d,{},"wamp.x"]`, c.next()))
		c.expectNothing()
	})
}

// TestEventMatchesEverySubscription: once for each of a session's subscriptions,
// under one publication id; the topic is told where a pattern matched.
func TestEventMatchesEverySubscription(t *testing.T) {
	eachFormat(t, func(t *testing.T, f wamp.Format) {
		w := newWorld(t, scenario(), Limits{})
		c, publisher := w.join(f, "anyone"), w.join(f, "anyone")
		exact := c.subscribe("com.example.log.error", `{}`)
		prefix := c.subscribe("com.example.log", `{"match":"prefix"}`)
		wildcard := c.subscribe("com.example..error", `{"match":"wildcard"}`)
		c.subscribe("com.example.log.warning", `{}`)
		c.subscribe("com.other", `{"match":"prefix"}`)
		c.subscribe("com.example..warning", `{"match":"wildcard"}`)
		publisher.send(`[16,1,{"acknowledge":true},"com.example.log.error",["all"]]`)
		id := publisher.receive().(*wamp.Published).Publication
		topic := `{"topic":"com.example.log.error"}`
		c.expect(
			fmt.Sprintf(`[36,%d,%d,{},["all"]]`, exact, id),
			fmt.Sprintf(`[36,%d,%d,%s,["all"]]`, prefix, id, topic),
			fmt.Sprintf(`[36,%d,%d,%s,["all"]]`, wildcard, id, topic))
		c.expectNothing()
	})
}

func TestSubscribeTwice(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c, publisher := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	first := c.subscribe("com.example.topic", `{}`)
	if second := c.subscribe("com.example.topic", `{}`); second != first {
		t.Errorf("subscriptions %d and %d, want the same", first, second)
	}
	if other := c.subscribe("com.example.topic", `{"match":"prefix"}`); other == first {
		t.Error("a pattern has the id of the topic")
	}
	publisher.send(`[16,1,{"acknowledge":true},"com.example.topic"]`)
	publisher.expect(`[17,1,*]`)
	c.expect(`[36,1,*,{}]`, `[36,2,*,{"topic":"com.example.topic"}]`)
	c.expectNothing()
}

// TestSubscriptionOutlivesItsFirstSubscriber: and has one id for all of them.
func TestSubscriptionOutlivesItsFirstSubscriber(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	first, second, publisher := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	id := first.subscribe("com.example.", `{"match":"prefix"}`)
	if got := second.subscribe("com.example.", `{"match":"prefix"}`); got != id {
		t.Errorf("ids are %d and %d", id, got)
	}
	first.drop()
	eventually(t, "the first one has left", func() bool { return w.Stats().Sessions == 2 })
	publisher.send(`[16,1,{},"com.example.topic"]`)
	second.expect(`[36,1,*,{"topic":"com.example.topic"}]`)
}

func TestExcludeMe(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	c := w.join(wamp.JSON, "anyone")
	c.subscribe("com.example.topic", `{}`)
	for options, hears := range map[string]bool{
		`{}`:                   false,
		`{"exclude_me":true}`:  false,
		`{"exclude_me":false}`: true,
	} {
		c.send(fmt.Sprintf(`[16,%d,%s,"com.example.topic"]`, c.next(), options))
		if hears {
			c.expect(`[36,1,*,{}]`)
		}
		c.expectNothing()
	}
}

func TestPublisherDisclosure(t *testing.T) {
	p := scenario()
	p.Realms["realm1"].Roles["known"] = &auth.Role{Name: "known", Rules: []auth.Rule{
		{URI: "com.example.", Match: wamp.Prefix, Allow: all, DiscloseCaller: true, DisclosePublisher: true},
	}}
	for _, test := range []struct {
		name, role, options string
		disclosed           bool
	}{
		{"by default", "anyone", `{}`, false},
		{"as the publisher asks", "anyone", `{"disclose_me":true}`, true},
		{"as the role says", "known", `{}`, true},
		{"as the role says, whatever the publisher asks", "known", `{"disclose_me":false}`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, p, Limits{})
			subscriber := w.join(wamp.MessagePack, "anyone")
			subscriber.subscribe("com.example.topic", `{}`)
			publisher := w.connect(wamp.JSON, anonymous(test.role))
			publisher.send(`[1,"realm1",{` + clientRoles + `}]`)
			welcome := publisher.welcomed()
			publisher.send(`[16,1,` + test.options + `,"com.example.topic"]`)
			event := subscriber.receive().(*wamp.Event)
			var want wamp.EventDetails
			if test.disclosed {
				want = wamp.EventDetails{Publisher: welcome.Session, PublisherAuthid: welcome.Authid, PublisherAuthrole: test.role}
			}
			if event.Details != want {
				t.Errorf("details are %+v, want %+v", event.Details, want)
			}
		})
	}
}

// TestDeliveryIsJudgedByTheTopic: a pattern that was allowed brings nothing that
// the role may not hear.
func TestDeliveryIsJudgedByTheTopic(t *testing.T) {
	p := scenario()
	p.Realms["realm1"].Roles["listener"] = &auth.Role{Name: "listener", Rules: []auth.Rule{
		{URI: "com.example.", Match: wamp.Prefix, Allow: auth.Subscribe},
		{URI: "com.example.secret"},
		{URI: "com.example.secret.", Match: wamp.Prefix},
	}}
	w := newWorld(t, p, Limits{})
	listener, other, publisher := w.join(wamp.JSON, "listener"), w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	listener.subscribe("com.example.", `{"match":"prefix"}`)
	listener.subscribe("com.example.", `{"match":"wildcard"}`)
	other.subscribe("com.example.", `{"match":"prefix"}`)
	for _, topic := range []string{"com.example.secret", "com.example.secret.more", "com.example.open"} {
		publisher.send(fmt.Sprintf(`[16,%d,{},%q]`, publisher.next(), topic))
		other.expect(`[36,1,*,{"topic":"` + topic + `"}]`)
	}
	listener.expect(`[36,1,*,{"topic":"com.example.open"}]`, `[36,2,*,{"topic":"com.example.open"}]`)
	listener.expectNothing()
}

// TestCallIsJudgedByTheProcedure: likewise for a pattern that was registered.
func TestCallIsJudgedByTheProcedure(t *testing.T) {
	p := scenario()
	p.Realms["realm1"].Roles["server"] = &auth.Role{Name: "server", Rules: []auth.Rule{
		{URI: "com.example.", Match: wamp.Prefix, Allow: auth.Register},
		{URI: "com.example.secret"},
	}}
	w := newWorld(t, p, Limits{})
	server, caller := w.join(wamp.JSON, "server"), w.join(wamp.JSON, "anyone")
	server.register("com.example.", `{"match":"prefix"}`)
	caller.send(`[48,1,{},"com.example.secret"]`)
	caller.expect(`[8,48,1,{},"wamp.error.no_such_procedure",["no callee is registered for procedure \"com.example.secret\""]]`)
	caller.send(`[48,2,{},"com.example.open"]`)
	server.expect(`[68,1,1,{"procedure":"com.example.open"}]`)
}

func TestSubscriptionLimit(t *testing.T) {
	w := newWorld(t, scenario(), Limits{Subscriptions: 2})
	c := w.join(wamp.JSON, "anyone")
	c.subscribe("com.example.a", `{}`)
	c.subscribe("com.example.b", `{}`)
	c.subscribe("com.example.a", `{}`)
	c.send(`[32,4,{},"com.example.c"]`)
	c.expect(`[8,32,4,{},"wamp.error.unavailable",["session has 2 subscriptions, which is the limit"]]`)
}

// TestManySubscribers: all of them hear, in every format, each publication once.
func TestManySubscribers(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	var subscribers []*client
	for i := range 200 {
		c := w.join(formats[i%len(formats)], "anyone")
		c.subscribe("com.example.topic", `{}`)
		subscribers = append(subscribers, c)
	}
	publisher := w.join(wamp.JSON, "anyone")
	publisher.send(`[16,1,{"acknowledge":true},"com.example.topic",["x"]]`)
	publisher.expect(`[17,1,*]`)
	for _, c := range subscribers {
		c.expect(`[36,1,*,{},["x"]]`)
		c.expectNothing()
	}
}

// TestSlowSubscriber: one that does not read is closed, which is counted and
// logged once; the others hear everything.
func TestSlowSubscriber(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	slow, quick, publisher := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	slow.subscribe("com.example.topic", `{}`)
	quick.subscribe("com.example.topic", `{}`)
	payload := strings.Repeat("x", 100_000)
	for i := 0; w.Stats().SlowClients == 0; i++ {
		if i == 10_000 {
			t.Fatal("the queue of a client that does not read has no bound")
		}
		publisher.send(fmt.Sprintf(`[16,%d,{"acknowledge":true},"com.example.topic",[%q]]`, publisher.next(), payload))
		publisher.expect(`[17,*,*]`)
		quick.expect(`[36,1,*,{},**`)
	}
	eventually(t, "the slow one is gone", func() bool { return w.Stats().Sessions == 2 })
	publisher.send(fmt.Sprintf(`[16,%d,{},"com.example.topic",["last"]]`, publisher.next()))
	quick.expect(`[36,1,*,{},["last"]]`)
	if st := w.Stats(); st.SlowClients != 1 || st.DroppedEvents == 0 {
		t.Errorf("stats are %+v", st)
	}
	if n := strings.Count(w.log.String(), "client is too slow"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}
