package realm

import (
	"sync/atomic"
	"time"

	"usher/router/wamp"
)

// subscription is one topic or pattern that sessions listen to.
type subscription struct {
	id       wamp.ID
	uri      string
	match    wamp.Match
	created  time.Time
	inFlight inFlight
	history  atomic.Pointer[history] // nil: no event is kept

	// list is read without a lock; the realm's mutex guards its changes. A reader
	// does not look beyond the length that it has seen, so that one more is
	// appended in place. Who leaves empties its slot; the list is made anew when
	// half of it is empty. So many may come or go at once without each copying it.
	list atomic.Pointer[[]slot]
	live int // slots that are not empty
}

// slot is one subscriber's place in a list.
type slot struct {
	session atomic.Pointer[session] // nil: it has left
	member  *member                 // for those who change the list
}

// member is one session's part in a subscription.
type member struct {
	subscription *subscription
	place        int  // in its list
	isGranted    bool // no rule allowed it, but the realm's authorizer
	// since is the sequence of the newest event that was retained when the session
	// subscribed and asked for it: with that it has had all up to there.
	since atomic.Uint64
}

// add makes s a subscriber.
func (u *subscription) add(s *session, isGranted bool) *member {
	var list []slot
	if old := u.list.Load(); old != nil {
		list = *old
	}
	m := &member{subscription: u, place: len(list), isGranted: isGranted}
	list = append(list, slot{member: m})
	list[m.place].session.Store(s)
	u.live++
	u.list.Store(&list)
	return m
}

// minCompacted is the length up to which a list is not made anew.
const minCompacted = 16

// remove ends what m stands for, and reports whether somebody is left.
func (u *subscription) remove(m *member) bool {
	list := *u.list.Load()
	list[m.place].session.Store(nil)
	u.live--
	if len(list) > minCompacted && u.live <= len(list)/2 {
		u.compact(list)
	}
	return u.live > 0
}

func (u *subscription) compact(old []slot) {
	list := make([]slot, u.live, u.live+u.live/2)
	n := 0
	for i := range old {
		if s := old[i].session.Load(); s != nil {
			list[n].member = old[i].member
			list[n].member.place = n
			list[n].session.Store(s)
			n++
		}
	}
	u.list.Store(&list)
}
