package realm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"usher/router/codec"
	"usher/router/wamp"
)

// listener is a component that keeps the events it is handed, as text.
type listener struct{ events chan string }

func newListener() *listener { return &listener{events: make(chan string, 100_000)} }

func (l *listener) Invoke(*LocalInvocation) bool { return false }

func (l *listener) Event(e *LocalEvent) {
	text, err := codec.AppendValue(nil, wamp.JSON, wamp.Value{Format: e.Payload.Format, Bytes: e.Payload.Args})
	if err != nil {
		text = []byte(err.Error())
	}
	l.events <- e.Topic + " " + string(text)
}

func (l *listener) Closed(string) {}

// expect fails unless the next events are as the patterns say.
func (l *listener) expect(t *testing.T, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		if got := <-l.events; !matches(got, pattern) {
			t.Fatalf("got  %s\nwant %s", got, pattern)
		}
	}
}

// expectNothing fails where more events are there.
func (l *listener) expectNothing(t *testing.T) {
	t.Helper()
	select {
	case e := <-l.events:
		t.Fatalf("got %s, want nothing", e)
	default:
	}
}

// allMeta are the topics of the meta API.
var allMeta = []string{
	metaOnJoin, metaOnLeave,
	metaOnRegistrationCreate, metaOnRegister, metaOnUnregister, metaOnRegistrationDelete,
	metaOnSubscriptionCreate, metaOnSubscribe, metaOnUnsubscribe, metaOnSubscriptionDelete,
}

// callLocal calls a procedure as a component and returns the result, in JSON.
func callLocal(l *Local, procedure, args string) (string, error) {
	p := wamp.Payload{}
	if args != "" {
		p = jsonArgs(args)
	}
	result, err := l.Call(context.Background(), procedure, wamp.CallOptions{}, p)
	return string(result.Args), err
}

// TestLocalMeta: a session inside the process is told and may ask what others
// may, and shows like them.
func TestLocalMeta(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newListener()
	l := w.local("backend", h)
	bind(t, l, nil, allMeta)
	c := w.join(wamp.JSON, "anyone")
	h.expect(t, fmt.Sprintf(`wamp.session.on_join [{"session":%d,"authid":*,"authrole":"anyone","authmethod":"anonymous",`+
		`"authprovider":"static","transport":{"peer":"tcp4:127.0.0.1:17185","protocol":"wamp.2.json"}}]`, c.session))
	id := c.register("com.example.p", `{}`)
	h.expect(t, fmt.Sprintf(`wamp.registration.on_create [%d,{"id":%d,**}]`, c.session, id),
		fmt.Sprintf(`wamp.registration.on_register [%d,%d]`, c.session, id))
	for _, test := range []struct{ procedure, args, want string }{
		{"wamp.session.count", ``, `[2]`},
		{"wamp.session.list", `[["anyone"]]`, fmt.Sprintf(`[[%d]]`, c.session)},
		{"wamp.session.get", fmt.Sprintf(`[%d]`, l.Session()), fmt.Sprintf(`[{"session":%d,"authid":"backend","authrole":"backend","authmethod":"trusted",`+
			`"authprovider":"internal","transport":{"peer":"local","protocol":"local"}}]`, l.Session())},
		{"wamp.registration.lookup", `["com.example.p"]`, fmt.Sprintf(`[%d]`, id)},
		{"wamp.registration.remove_callee", fmt.Sprintf(`[%d,%d]`, id, c.session), `[]`},
		{"wamp.session.kill", fmt.Sprintf(`[%d]`, c.session), `[]`},
		{"wamp.session.kill_all", ``, `[0]`},
	} {
		if got, err := callLocal(l, test.procedure, test.args); got != test.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", test.procedure, got, err, test.want)
		}
	}
	c.expect(`[6,{},"wamp.close.killed"]`)
	h.expect(t, fmt.Sprintf(`wamp.registration.on_unregister [%d,%d]`, c.session, id),
		fmt.Sprintf(`wamp.registration.on_delete [%d,%d]`, c.session, id),
		fmt.Sprintf(`wamp.session.on_leave [%d,*,"anyone"]`, c.session))
	_, err := callLocal(l, "wamp.session.get", `["x"]`)
	expectReply(t, err, wamp.ErrInvalidArgument, "argument 1, session, is a string, but must be an id")
}

// TestLocalIsNotKilled: what the router consists of is not changed by a call. It
// is told of the end of all others.
func TestLocalIsNotKilled(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newListener()
	l := w.local("backend", h)
	bind(t, l, []string{"com.example.p"}, []string{"wamp.session.on_leave", "com.example.t", "com.example.will"})
	c, other := w.join(wamp.JSON, "anyone"), w.join(wamp.JSON, "anyone")
	const kept = `ERROR,"wamp.error.not_authorized",["session %d is a component of the router, which %s"]]`
	c.call("wamp.session.kill", fmt.Sprintf(`,[%d]`, l.Session()), fmt.Sprintf(kept, l.Session(), "cannot be killed"))
	c.call("wamp.session.kill_by_authid", `,["backend"]`, `RESULT,[[]]]`)
	c.call("wamp.session.kill_by_authrole", `,["backend"]`, `RESULT,[0]]`)
	c.call("wamp.registration.remove_callee", fmt.Sprintf(`,[1,%d]`, l.Session()), fmt.Sprintf(kept, l.Session(), "keeps its registrations"))
	c.call("wamp.subscription.remove_subscriber", fmt.Sprintf(`,[1,%d]`, l.Session()), fmt.Sprintf(kept, l.Session(), "keeps its subscriptions"))
	other.call("wamp.session.add_testament", `,["com.example.will",[7],{}]`, `RESULT,[*]]`)
	c.call("wamp.session.kill_all", ``, `RESULT,[1]]`)
	other.expect(`[6,{},"wamp.close.killed"]`)
	h.expect(t, `com.example.will [7]`, fmt.Sprintf(`wamp.session.on_leave [%d,*,"anyone"]`, other.session))
	c.call("wamp.session.count", ``, `RESULT,[2]]`)
	c.call("wamp.registration.match", `,["com.example.p"]`, `RESULT,[*]]`)
}

// TestBindMeta: of a new generation there is an event for what it changes, and
// none for what it keeps.
func TestBindMeta(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	h := newListener()
	bind(t, w.local("anyone", h), nil, allMeta)
	l := w.local("backend", newListener())
	session := l.Session()
	h.expect(t, `wamp.session.on_join [**]`)
	member := func(topic string, id wamp.ID) string { return fmt.Sprintf(`wamp.%s [%d,%d]`, topic, session, id) }
	detail := func(topic string, id wamp.ID) string {
		return fmt.Sprintf(`wamp.%s [%d,{"id":%d,**}]`, topic, session, id)
	}
	lookup := func(procedure, uri string) wamp.ID {
		t.Helper()
		var ids []wamp.ID
		result, err := callLocal(l, procedure, fmt.Sprintf(`[%q]`, uri))
		if err != nil || json.Unmarshal([]byte(result), &ids) != nil || len(ids) != 1 {
			t.Fatalf("%s: %s, %v", procedure, result, err)
		}
		return ids[0]
	}

	bind(t, l, []string{"com.example.a"}, []string{"com.example.t"})
	a, topic := lookup("wamp.registration.lookup", "com.example.a"), lookup("wamp.subscription.lookup", "com.example.t")
	h.expect(t, detail("registration.on_create", a), member("registration.on_register", a),
		detail("subscription.on_create", topic), member("subscription.on_subscribe", topic))
	bind(t, l, []string{"com.example.a"}, []string{"com.example.t"})
	h.expectNothing(t)

	bind(t, l, []string{"com.example.b", "com.example.a"}, nil)
	b := lookup("wamp.registration.lookup", "com.example.b")
	h.expect(t, member("subscription.on_unsubscribe", topic), member("subscription.on_delete", topic),
		detail("registration.on_create", b), member("registration.on_register", b))
	if lookup("wamp.registration.lookup", "com.example.a") != a {
		t.Error("a registration that was kept has another id")
	}

	// With other options it is another registration.
	changed := Bindings{Registrations: []Binding{{URI: "com.example.a", Options: wamp.RegisterOptions{DiscloseCaller: wamp.True}}, {URI: "com.example.b"}}}
	if err := l.Bind(changed, nil); err != nil {
		t.Fatal(err)
	}
	successor := lookup("wamp.registration.lookup", "com.example.a")
	h.expect(t, member("registration.on_unregister", a), member("registration.on_delete", a),
		detail("registration.on_create", successor), member("registration.on_register", successor))
	if a == successor {
		t.Error("a registration of other options has the same id")
	}

	// One that cannot be bound changes nothing.
	err := l.Bind(Bindings{Registrations: []Binding{{URI: "wamp.x"}}}, nil)
	if e := (*ErrorReply)(nil); !errors.As(err, &e) {
		t.Errorf("got %v, want a refusal", err)
	}
	h.expectNothing(t)
	l.Leave()
	h.expect(t, `wamp.registration.on_unregister [**]`, `wamp.registration.on_delete [**]`,
		`wamp.registration.on_unregister [**]`, `wamp.registration.on_delete [**]`, fmt.Sprintf(`wamp.session.on_leave [%d,"backend","backend"]`, session))
	h.expectNothing(t)
}
