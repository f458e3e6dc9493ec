package auth

import (
	"cmp"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// ThrottleLimits say how wrong logins are slowed down and refused. Zero values
// mean the defaults.
type ThrottleLimits struct {
	// SlowAfter is how many wrong logins are answered at once; each further one is
	// answered later. Zero: 10. Negative: nothing is slowed down or refused.
	SlowAfter int
	// MaxDelay bounds how much later. Zero: 2 s.
	MaxDelay time.Duration
	// RefuseAfter is how many wrong logins of one address make all its further ones
	// be refused. Zero: 100.
	RefuseAfter int
	// RefuseFor is for how long. Zero: 1 minute.
	RefuseFor time.Duration
	// Window is in what time half of the wrong logins are forgotten. Zero: 1 minute.
	Window time.Duration
	// Entries bounds how many addresses and authids are remembered. Zero: 65,536.
	Entries int
}

func (l ThrottleLimits) withDefaults() ThrottleLimits {
	l.SlowAfter = cmp.Or(l.SlowAfter, 10)
	l.MaxDelay = cmp.Or(l.MaxDelay, 2*time.Second)
	l.RefuseAfter = cmp.Or(l.RefuseAfter, 100)
	l.RefuseFor = cmp.Or(l.RefuseFor, time.Minute)
	l.Window = cmp.Or(l.Window, time.Minute)
	l.Entries = cmp.Or(l.Entries, 65_536)
	return l
}

// Throttle makes guessing slow. It counts the wrong logins of each address and of
// each authid. What it learns of an authid only delays wrong answers, and what it
// refuses it refuses to one address: nobody can lock somebody else out. Nothing is
// refused to this machine's own addresses, where a proxy may stand for everybody. A
// right login forgives nothing: whoever has one account could go on guessing at
// others. It may be used concurrently.
type Throttle struct {
	limits ThrottleLimits
	now    func() time.Time

	mu      sync.Mutex
	entries map[string]*suspect
	oldest  *suspect // of a ring in the order of the last wrong login
}

// suspect is one address or authid. Its count decays.
type suspect struct {
	key            string
	count          float64 // at the time of last
	last           time.Time
	refusedUntil   time.Time
	previous, next *suspect
}

// NewThrottle returns a Throttle that has seen nothing. now is the clock; nil:
// time.Now.
func NewThrottle(l ThrottleLimits, now func() time.Time) *Throttle {
	if now == nil {
		now = time.Now
	}
	return &Throttle{limits: l.withDefaults(), now: now, entries: make(map[string]*suspect)}
}

// Refused tells for how long logins from a peer's address are still refused; 0:
// they are not.
func (t *Throttle) Refused(peer string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.entries) == 0 {
		return 0 // as long as nobody is wrong, which address it is need not be found out
	}
	if s := t.entries[addressKey(peer)]; s != nil {
		return max(s.refusedUntil.Sub(t.now()), 0)
	}
	return 0
}

// Failed notes a wrong login and tells how much later it should be answered.
func (t *Throttle) Failed(peer, authid string) time.Duration {
	if t.limits.SlowAfter < 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	s := t.note(addressKey(peer), now)
	count := s.count
	if math.Round(s.count) >= float64(t.limits.RefuseAfter) && !isLocal(peer) {
		s.refusedUntil = now.Add(t.limits.RefuseFor)
	}
	if authid != "" {
		count = max(count, t.note(authidKey(authid), now).count)
	}
	return t.delay(count)
}

// delay doubles with each wrong login beyond those that are answered at once.
func (t *Throttle) delay(count float64) time.Duration {
	beyond := int(math.Round(count)) - t.limits.SlowAfter
	if beyond <= 0 {
		return 0
	}
	const first = 50 * time.Millisecond
	return min(first<<min(beyond-1, 20), t.limits.MaxDelay)
}

// note counts one wrong login. The mutex is held.
func (t *Throttle) note(key string, now time.Time) *suspect {
	s := t.entries[key]
	if s == nil {
		t.makeRoom(now)
		s = &suspect{key: key, last: now}
		t.entries[key] = s
	} else {
		t.unlink(s)
		if halves := now.Sub(s.last).Seconds() / t.limits.Window.Seconds(); halves < 30 {
			for ; halves >= 1; halves-- {
				s.count /= 2
			}
			s.count /= 1 + halves // nearly the rest of it
		} else {
			s.count = 0
		}
	}
	s.count++
	s.last = now
	t.link(s)
	return s
}

// makeRoom forgets whoever was wrong longest ago, beyond what may be remembered.
func (t *Throttle) makeRoom(now time.Time) {
	for t.oldest != nil && (len(t.entries) >= t.limits.Entries || now.Sub(t.oldest.last) > 30*t.limits.Window) {
		s := t.oldest
		t.unlink(s)
		delete(t.entries, s.key)
	}
}

// link puts s behind all others in the ring.
func (t *Throttle) link(s *suspect) {
	if t.oldest == nil {
		t.oldest, s.previous, s.next = s, s, s
		return
	}
	newest := t.oldest.previous
	s.previous, s.next = newest, t.oldest
	newest.next, t.oldest.previous = s, s
}

func (t *Throttle) unlink(s *suspect) {
	if s.next == s {
		t.oldest = nil
		return
	}
	if t.oldest == s {
		t.oldest = s.next
	}
	s.previous.next, s.next.previous = s.next, s.previous
}

// Len is how many addresses and authids are remembered.
func (t *Throttle) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries)
}

func authidKey(authid string) string { return "authid " + authid }

// isLocal reports whether a peer is on this machine.
func isLocal(peer string) bool {
	_, address, _ := strings.Cut(peer, ":")
	at, err := netip.ParseAddrPort(address)
	return err != nil || at.Addr().Unmap().IsLoopback()
}

// addressKey is a peer without its port. Of IPv6 the first half counts: the second
// is the client's to choose.
func addressKey(peer string) string {
	_, address, found := strings.Cut(peer, ":")
	if !found || !strings.HasPrefix(peer, "tcp") {
		return peer
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return peer
	}
	ip := at.Addr().Unmap()
	if ip.Is6() {
		if half, err := ip.WithZone("").Prefix(64); err == nil {
			return half.String()
		}
	}
	return ip.String()
}
