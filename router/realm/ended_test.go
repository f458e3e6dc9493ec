package realm

import (
	"testing"

	"usher/router/wamp"
)

// TestNothingForTheDead: a session that ends while its request is decided gets
// nothing any more, because nobody would take it back.
func TestNothingForTheDead(t *testing.T) {
	w := newWorld(t, scenario(), Limits{})
	s, _ := w.member(wamp.JSON, "anyone")
	d := s.rules.Load().decide("com.example.late")
	s.end(nil, "while it was decided")
	s.realm.mu.Lock()
	defer s.realm.mu.Unlock()
	if _, _, e := s.prepare(d, &wamp.Register{Procedure: "com.example.late"}); e == nil || e.URI != wamp.ErrCanceled {
		t.Errorf("REGISTER is answered with %v", e)
	}
	if _, e := s.subscriptionTo(d, &wamp.Subscribe{Topic: "com.example.late"}); e == nil || e.URI != wamp.ErrCanceled {
		t.Errorf("SUBSCRIBE is answered with %v", e)
	}
	if _, _, e := s.realm.reflection.define("com.example.late", &definition{what: resourceTopic, by: s}); e == nil || e.URI != wamp.ErrCanceled {
		t.Errorf("a definition is answered with %v", e)
	}
}
