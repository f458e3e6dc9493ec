package cookies

import (
	"container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"

	"usher/router/auth"
)

// Limits bound what a store keeps. Zero values mean the defaults.
type Limits struct {
	Logins       int // at all; 100,000
	Bytes        int // that they take; 64 MiB
	PerPrincipal int // of one authid of a realm; 100
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Logins, 100_000)
	def(&l.Bytes, 64<<20)
	def(&l.PerPrincipal, 100)
	return l
}

// The sizes of a cookie's value before it is encoded, and of a login.
const (
	MinLength  = 24 // bytes at random
	MaxLength  = 64
	macLength  = 16
	keyLength  = 32
	maxLogin   = 8 << 10
	entryBytes = 400 // that a login takes beside its texts
)

// hash is what a value is kept as: who reads the store can't log in by it.
type hash [sha256.Size]byte

// Store knows the values that it has made, without keeping them: each carries a
// code that only its key can make. It keeps logins, the least recently remembered
// of which goes where there is no room. It implements auth.CookieStore.
type Store struct {
	limits Limits
	now    func() time.Time
	key    []byte
	file   *file // nil: in memory only

	mu      sync.Mutex
	entries map[hash]*list.Element // of order
	order   list.List              // of *entry, the least recently remembered first
	users   map[user]map[hash]bool
	bytes   int
}

// user is a principal that may be logged in under several cookies.
type user struct{ realm, authid string }

// entry is a login. It is immutable.
type entry struct {
	id    hash
	login auth.CookieLogin
}

var _ auth.CookieStore = (*Store)(nil)

// NewStore returns one in memory. now tells the time; nil: time.Now.
func NewStore(l Limits, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	key := make([]byte, keyLength)
	_, _ = rand.Read(key) // never fails
	return &Store{limits: l.withDefaults(), now: now, key: key, entries: map[hash]*list.Element{}, users: map[user]map[hash]bool{}}
}

// New makes a value of so many random bytes, which nobody is logged in under.
func (s *Store) New(length int) string {
	value := make([]byte, min(max(length, MinLength), MaxLength), MaxLength+macLength)
	_, _ = rand.Read(value) // never fails
	return base64.RawURLEncoding.EncodeToString(append(value, s.mac(value)...))
}

// Issued reports whether the store has made the value.
func (s *Store) Issued(value string) bool {
	encoding := base64.RawURLEncoding
	if len(value) > encoding.EncodedLen(MaxLength+macLength) {
		return false
	}
	b, err := encoding.DecodeString(value)
	if err != nil || len(b) < MinLength+macLength || encoding.EncodeToString(b) != value { // each is written in one way only
		return false
	}
	random, mac := b[:len(b)-macLength], b[len(b)-macLength:]
	return hmac.Equal(mac, s.mac(random))
}

func (s *Store) mac(random []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(random)
	return h.Sum(nil)[:macLength]
}

// Login implements auth.CookieStore.
func (s *Store) Login(cbtid string) (auth.CookieLogin, bool) {
	id := hash(sha256.Sum256([]byte(cbtid)))
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.entries[id]
	if at == nil {
		return auth.CookieLogin{}, false
	}
	e := at.Value.(*entry)
	if !e.login.Until.After(s.now()) {
		s.remove(e)
		return auth.CookieLogin{}, false
	}
	return e.login, true
}

// Remember implements auth.CookieStore. A value that the store has not made, and a
// login that is too long, it forgets instead.
func (s *Store) Remember(cbtid string, l auth.CookieLogin) {
	if !s.Issued(cbtid) || size(&l) > maxLogin {
		s.Forget(cbtid)
		return
	}
	e := &entry{hash(sha256.Sum256([]byte(cbtid))), l}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(e)
	s.file.note(e)
}

// Forget implements auth.CookieStore.
func (s *Store) Forget(cbtid string) {
	id := hash(sha256.Sum256([]byte(cbtid)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.entries[id]; at != nil {
		s.drop(at.Value.(*entry))
	}
}

// ForgetAuthid forgets all logins of an authid in a realm, and returns how many
// there were.
func (s *Store) ForgetAuthid(realm, authid string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for id := range s.users[user{realm, authid}] {
		s.drop(s.entries[id].Value.(*entry))
		n++
	}
	return n
}

// drop removes e for good, also where it only makes room: what the file alone has
// could not be forgotten any more, and would be back after a restart. The mutex is
// held, so that the file has changes in their order.
func (s *Store) drop(e *entry) {
	s.remove(e)
	s.file.note(&entry{id: e.id})
}

// Len returns how many logins are kept.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// add puts e into the place of another of its value, and makes room. The mutex is
// held.
func (s *Store) add(e *entry) {
	if at := s.entries[e.id]; at != nil {
		s.remove(at.Value.(*entry))
	}
	u := user{e.login.Realm, e.login.Authid}
	if len(s.users[u]) >= s.limits.PerPrincipal {
		s.removeOldest(u)
	}
	now := s.now()
	for front := s.order.Front(); front != nil; front = s.order.Front() {
		oldest := front.Value.(*entry)
		if oldest.login.Until.After(now) && len(s.entries) < s.limits.Logins && s.bytes+size(&e.login) <= s.limits.Bytes {
			break
		}
		s.drop(oldest)
	}
	s.entries[e.id] = s.order.PushBack(e)
	if s.users[u] == nil {
		s.users[u] = map[hash]bool{}
	}
	s.users[u][e.id] = true
	s.bytes += size(&e.login)
}

// removeOldest removes that login of u which ends first. The mutex is held.
func (s *Store) removeOldest(u user) {
	var oldest *entry
	for id := range s.users[u] {
		if e := s.entries[id].Value.(*entry); oldest == nil || e.login.Until.Before(oldest.login.Until) {
			oldest = e
		}
	}
	if oldest != nil {
		s.drop(oldest)
	}
}

// remove is of an entry that is kept. The mutex is held.
func (s *Store) remove(e *entry) {
	s.order.Remove(s.entries[e.id])
	delete(s.entries, e.id)
	u := user{e.login.Realm, e.login.Authid}
	if delete(s.users[u], e.id); len(s.users[u]) == 0 {
		delete(s.users, u)
	}
	s.bytes -= size(&e.login)
}

// all returns the logins in order.
func (s *Store) all() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*entry, 0, len(s.entries))
	for at := s.order.Front(); at != nil; at = at.Next() {
		all = append(all, at.Value.(*entry))
	}
	return all
}

func size(l *auth.CookieLogin) int {
	return entryBytes + len(l.Realm) + len(l.Authid) + len(l.Role) + len(l.Method) + len(l.Extra.Bytes)
}

// Close writes what is not written yet and gives the file back. Logins are
// remembered in memory only from then on.
func (s *Store) Close() error { return s.file.close() }
