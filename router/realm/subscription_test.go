package realm

import (
	"math/rand/v2"
	"testing"
)

// TestSubscribers: whoever comes and goes in whatever order, the list has those
// who are there, each once and in order of arrival, and does not keep the room of
// those who have left.
func TestSubscribers(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	var u subscription
	var sessions []*session
	var members []*member
	for round := range 5000 {
		hasLeft := false
		grow := 60
		if round/1000%2 == 1 {
			grow = 40
		}
		if len(sessions) == 0 || random.IntN(100) < grow {
			s := new(session)
			sessions = append(sessions, s)
			members = append(members, u.add(s, false))
		} else {
			i := random.IntN(len(sessions))
			hasLeft = true
			isLeft := u.remove(members[i])
			sessions = append(sessions[:i], sessions[i+1:]...)
			members = append(members[:i], members[i+1:]...)
			if isLeft != (len(sessions) > 0) {
				t.Fatalf("round %d: somebody is left: %t, of %d", round, isLeft, len(sessions))
			}
		}
		list, n := *u.list.Load(), 0
		for i := range list {
			if s := list[i].session.Load(); s != nil {
				if s != sessions[n] || list[i].member != members[n] || members[n].place != i {
					t.Fatalf("round %d: place %d is not subscriber %d", round, i, n)
				}
				n++
			}
		}
		if n != len(sessions) || n != u.live || hasLeft && len(list) > minCompacted && len(list) > 2*n {
			t.Fatalf("round %d: %d of %d places for %d subscribers", round, n, len(list), len(sessions))
		}
	}
}

// TestReadersOfAList: one who reads sees those who were there all the time,
// whatever changes beside it.
func TestReadersOfAList(t *testing.T) {
	var u subscription
	stays := new(session)
	u.add(stays, false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var members []*member
		for i := range 20_000 {
			if i%100 < 50 {
				members = append(members, u.add(new(session), false))
			} else {
				u.remove(members[0])
				members = members[1:]
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		seen := 0
		list := *u.list.Load()
		for i := range list {
			if list[i].session.Load() == stays {
				seen++
			}
		}
		if seen != 1 {
			t.Fatalf("seen %d times", seen)
		}
	}
}
