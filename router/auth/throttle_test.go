package auth

import (
	"fmt"
	"testing"
	"time"
)

// throttled is a Throttle whose clock the test turns.
func throttled(l ThrottleLimits) (t *Throttle, pass func(time.Duration)) {
	now := time.Unix(1000, 0)
	return NewThrottle(l, func() time.Time { return now }), func(d time.Duration) { now = now.Add(d) }
}

const attacker, victim = "tcp4:10.0.0.1:4711", "tcp4:10.0.0.2:4711"

func TestThrottleSlowsDownThenRefuses(t *testing.T) {
	x, pass := throttled(ThrottleLimits{SlowAfter: 3, RefuseAfter: 8, MaxDelay: 300 * time.Millisecond, RefuseFor: time.Minute})
	want := []time.Duration{0, 0, 0, 50, 100, 200, 300, 300}
	for i, w := range want {
		if left := x.Refused(attacker); left != 0 {
			t.Fatalf("refused for %v after %d wrong logins", left, i)
		}
		if got := x.Failed(fmt.Sprintf("tcp4:10.0.0.1:%d", 4711+i), fmt.Sprint("user", i)); got != w*time.Millisecond {
			t.Errorf("wrong login %d is answered %v later, want %v", i+1, got, w*time.Millisecond)
		}
	}
	if left := x.Refused(attacker); left != time.Minute {
		t.Errorf("refused for %v, want a minute", left)
	}
	if left := x.Refused(victim); left != 0 {
		t.Errorf("another address is refused for %v", left)
	}
	pass(time.Minute)
	if left := x.Refused(attacker); left != 0 {
		t.Errorf("still refused for %v", left)
	}
	// Most of what it did is not forgotten yet.
	if got := x.Failed(attacker, "joe"); got == 0 {
		t.Error("the first wrong login after the refusal is answered at once")
	}
	pass(time.Hour)
	if got := x.Failed(attacker, "nobody"); got != 0 {
		t.Errorf("an hour later the first wrong login is answered %v later", got)
	}
}

// TestThrottleOfOneAddress: it is refused though nobody else has been noted.
func TestThrottleOfOneAddress(t *testing.T) {
	x, _ := throttled(ThrottleLimits{SlowAfter: 1, RefuseAfter: 2, RefuseFor: time.Minute})
	for range 2 {
		x.Failed(attacker, "")
	}
	if left := x.Refused(attacker); left != time.Minute {
		t.Errorf("refused for %v, want a minute", left)
	}
}

// TestThrottleForgetsByHalves: of 16 wrong logins, and one more after a while.
func TestThrottleForgetsByHalves(t *testing.T) {
	for _, test := range []struct {
		after time.Duration
		count int
	}{{0, 17}, {30 * time.Second, 12}, {time.Minute, 9}, {2 * time.Minute, 5}, {time.Hour, 1}} {
		for beyond, want := range map[int]time.Duration{0: 0, 1: 50 * time.Millisecond} {
			if test.count == beyond {
				continue // a SlowAfter of 0 is the default
			}
			x, pass := throttled(ThrottleLimits{SlowAfter: test.count - beyond})
			for range 16 {
				x.Failed(attacker, "")
			}
			pass(test.after)
			if got := x.Failed(attacker, ""); got != want {
				t.Errorf("after %v, where %d are answered at once: %v later, want %v", test.after, test.count-beyond, got, want)
			}
		}
	}
}

// TestThrottleOfAnAuthid: guesses at one authid from many addresses are slow, and
// refuse nobody.
func TestThrottleOfAnAuthid(t *testing.T) {
	x, _ := throttled(ThrottleLimits{SlowAfter: 3, RefuseAfter: 8})
	for i := range 1000 {
		x.Failed(fmt.Sprintf("tcp4:10.1.%d.%d:1", i/250, i%250), "joe")
	}
	if got := x.Failed("tcp4:10.9.0.1:1", "joe"); got != 2*time.Second {
		t.Errorf("a guess at a much guessed authid is answered %v later", got)
	}
	if got := x.Failed("tcp4:10.9.0.2:1", "ann"); got != 0 {
		t.Errorf("a wrong login of somebody else is answered %v later", got)
	}
	if left := x.Refused(victim); left != 0 {
		t.Errorf("joe's own address is refused for %v", left)
	}
}

// TestThrottleOfThisMachine: behind a proxy on this machine may be everybody.
func TestThrottleOfThisMachine(t *testing.T) {
	x, _ := throttled(ThrottleLimits{SlowAfter: 3, RefuseAfter: 5})
	for _, peer := range []string{"tcp4:127.0.0.1:1", "tcp6:[::1]:1", "unix:"} {
		for range 20 {
			x.Failed(peer, "")
		}
		if x.Refused(peer) != 0 {
			t.Errorf("%s is refused", peer)
		}
		if x.Failed(peer, "") == 0 {
			t.Errorf("%s is not slowed down", peer)
		}
	}
}

func TestThrottleIsBounded(t *testing.T) {
	x, pass := throttled(ThrottleLimits{Entries: 100, RefuseAfter: 5})
	for range 5 {
		x.Failed(attacker, "")
	}
	for i := range 10_000 {
		x.Failed(fmt.Sprintf("tcp4:10.%d.%d.1:1", i/250, i%250), fmt.Sprint("user", i))
		if i%10 == 0 {
			x.Failed(attacker, "") // who goes on is remembered
		}
	}
	if n := x.Len(); n > 100 {
		t.Errorf("%d are remembered, want at most 100", n)
	}
	if x.Refused(attacker) == 0 {
		t.Error("the attacker was forgotten in favour of others")
	}
	pass(24 * time.Hour)
	x.Failed(victim, "joe")
	if n := x.Len(); n > 2 {
		t.Errorf("a day later %d are remembered", n)
	}
}

func TestThrottleCanBeTurnedOff(t *testing.T) {
	x, _ := throttled(ThrottleLimits{SlowAfter: -1})
	for range 1000 {
		if x.Failed(attacker, "joe") != 0 || x.Refused(attacker) != 0 {
			t.Fatal("a wrong login is slowed down or refused")
		}
	}
	if x.Len() != 0 {
		t.Error("something is remembered")
	}
}

func TestAddressKey(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"tcp4:10.0.0.1:1", "tcp4:10.0.0.1:2", true},
		{"tcp4:10.0.0.1:1", "tcp4:10.0.0.2:1", false},
		{"tcp4:10.0.0.1:1", "tcp6:[::ffff:10.0.0.1]:1", true},
		{"tcp6:[2001:db8:1:2::1]:1", "tcp6:[2001:db8:1:2:ffff::9]:2", true},
		{"tcp6:[2001:db8:1:2::1]:1", "tcp6:[2001:db8:1:3::1]:1", false},
		{"unix:/run/a", "unix:/run/a", true},
	} {
		if got := addressKey(c.a) == addressKey(c.b); got != c.same {
			t.Errorf("%s and %s are one address: %v", c.a, c.b, got)
		}
	}
}
