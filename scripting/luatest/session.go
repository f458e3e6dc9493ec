package luatest

import (
	"context"

	lua "github.com/yuin/gopher-lua"

	"usher/router/realm"
	"usher/router/wamp"
)

// identity is whom a session of the test joined as.
type identity struct{ realm, authrole, authid string }

// session is one of the test's sessions.
type session struct {
	world    *world
	local    *realm.Local
	bindings realm.Bindings
	handlers map[place]*lua.LFunction // of procedures; read by the test's goroutine only
}

type place struct {
	uri   string
	match wamp.Match
}

func (w *world) sessionOf(who identity) (*session, error) {
	if s := w.sessions[who]; s != nil {
		return s, nil
	}
	s := &session{world: w, handlers: map[place]*lua.LFunction{}}
	local, err := w.node.Join(realm.LocalOptions{Realm: who.realm, Authrole: who.authrole, Authid: who.authid}, s)
	if err != nil {
		return nil, err
	}
	s.local = local
	w.sessions[who] = s
	return s, nil
}

var _ realm.LocalHandler = (*session)(nil)

// Invoke implements realm.LocalHandler: the test answers.
func (s *session) Invoke(i *realm.LocalInvocation) bool {
	q := &procedureQuestion{session: s, invocation: i, payload: i.Payload.Clone()}
	go func() { // ends with the world
		if err := s.world.ask(context.Background(), q); err != nil {
			i.Error(wamp.ErrUnavailable, wamp.Payload{})
		}
	}()
	return true
}

// Event implements realm.LocalHandler.
func (s *session) Event(e *realm.LocalEvent) {
	e.Payload = e.Payload.Clone()
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.events = append(s.world.events, e)
}

// Closed implements realm.LocalHandler.
func (s *session) Closed(string) {}

// procedureQuestion is a call of a procedure of the test.
type procedureQuestion struct {
	session    *session
	invocation *realm.LocalInvocation
	payload    wamp.Payload
}

func (q *procedureQuestion) answer(w *world, L *lua.LState) {
	fn := q.session.handlers[place{q.invocation.URI, q.invocation.Match}]
	if fn == nil {
		q.invocation.Error(wamp.ErrNoSuchProcedure, wamp.Payload{})
		return
	}
	var problem lua.LValue
	ok := w.bench.Serve(L, q.invocation, q.payload, func(args, kwargs, details lua.LValue) ([]lua.LValue, lua.LValue) {
		results, raised := w.protected(L, fn, args, kwargs, details)
		problem = raised
		return results, raised
	})
	if !ok {
		w.failRaised(L, "the procedure "+q.invocation.URI+" of the test failed", problem)
	}
}

// failRaised notes what code of the test raised that nobody catches.
func (w *world) failRaised(L *lua.LState, what string, raised lua.LValue) {
	if raised == nil {
		raised = lua.LString("it returned what cannot be sent")
	}
	text := w.text(L, raised)
	where, message := splitPosition(text)
	w.fail(&Failure{Where: where, What: what, Got: message})
}
