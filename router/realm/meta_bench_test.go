package realm

import (
	"testing"

	"usher/router/wamp"
)

// BenchmarkMetaUnheard is what it takes to note and flush the meta events of one
// registration, to which nobody listens.
func BenchmarkMetaUnheard(b *testing.B) {
	w := newWorld(b, scenario(), Limits{})
	l := w.local("anyone", newListener())
	bind(b, l, nil, []string{"com.example.t1", "com.example.t2"})
	s, r := l.session, l.session.realm
	reg := w.newRegistration("com.example.p", wamp.RegisterOptions{}, false)
	b.ReportAllocs()
	for b.Loop() {
		r.noteRegistered(s, reg, true)
		r.noteUnregistered(s, reg, true)
		r.flushMeta(nil)
	}
}

// BenchmarkMetaHeard is the same where a component listens.
func BenchmarkMetaHeard(b *testing.B) {
	w := newWorld(b, scenario(), Limits{})
	bind(b, w.local("anyone", deaf{}), nil, allMeta)
	l := w.local("anyone", deaf{})
	s, r := l.session, l.session.realm
	reg := w.newRegistration("com.example.p", wamp.RegisterOptions{}, false)
	b.ReportAllocs()
	for b.Loop() {
		r.noteRegistered(s, reg, true)
		r.noteUnregistered(s, reg, true)
		r.flushMeta(nil)
	}
}

// deaf is a component that ignores everything.
type deaf struct{}

func (deaf) Invoke(*LocalInvocation) bool { return false }
func (deaf) Event(*LocalEvent)            {}
func (deaf) Closed(string)                {}

// BenchmarkSessionCount is wamp.session.count in a realm of many sessions.
func BenchmarkSessionCount(b *testing.B) {
	w := newWorld(b, scenario(), Limits{})
	l := w.local("anyone", deaf{})
	for range 1000 {
		w.local("backend", deaf{})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := callLocal(l, "wamp.session.count", ""); err != nil {
			b.Fatal(err)
		}
	}
}
