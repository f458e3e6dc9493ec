package lualib

import (
	"container/heap"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// StoreLimits bound a Store. Zero values mean the defaults.
type StoreLimits struct {
	Entries int // 100,000
	Bytes   int // of keys and values, with entryBytes for each entry; 64 MiB
}

// The bounds on one entry, and what one costs besides its key and value.
const (
	maxStoreKey   = 1024
	maxStoreValue = 1 << 20
	entryBytes    = 128
)

func (l StoreLimits) fit(entries, bytes int) bool { return entries <= l.Entries && bytes <= l.Bytes }

// Errors of a Store.
var (
	errStoreFull   = errors.New("kv is full")
	errStoreKey    = errors.New("the key is longer than 1024 bytes")
	errStoreValue  = errors.New("the value is longer than 1 MiB")
	errStoreNumber = errors.New("the value that is there is not a number")
)

// Store is the state that the scripts of one realm share: strings, numbers and
// booleans by name. It outlives virtual machines and reloads, and the process
// only if it is one of a [StoreFile]. Its methods may be called concurrently.
//
// Where a write does not fit it fails and nothing is evicted: a counter of
// failed logins that somebody else's entries can push out protects nobody.
type Store struct {
	limits StoreLimits
	now    func() time.Time

	mu      sync.Mutex
	entries map[string]*storeEntry
	expiry  expiryHeap // of the entries with a time to live
	bytes   int
	unsaved unsaved
}

type storeEntry struct {
	key     string
	value   lua.LValue // LString, LNumber or LBool: immutable, so any VM may have it
	expires time.Time  // zero: never; with Go's monotonic clock
	index   int        // in expiry; -1: not there
}

// NewStore returns an empty Store. now says when entries expire; nil: time.Now.
func NewStore(l StoreLimits, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{limits: l.withDefaults(), now: now, entries: map[string]*storeEntry{}}
}

func (l StoreLimits) withDefaults() StoreLimits {
	if l.Entries == 0 {
		l.Entries = 100_000
	}
	if l.Bytes == 0 {
		l.Bytes = 64 << 20
	}
	return l
}

// Len returns how many entries are kept, those expired but not yet removed included.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

func (s *Store) get(key string) lua.LValue {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.live(key); e != nil {
		return e.value
	}
	return lua.LNil
}

// set stores value, for ttl unless that is 0. With onlyNew it leaves an entry
// that is there alone and reports false.
func (s *Store) set(key string, value lua.LValue, ttl time.Duration, onlyNew bool) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if onlyNew && s.live(key) != nil {
		return false, nil
	}
	return true, s.put(key, value, ttl)
}

// incr adds n to a number, which counts as 0 where there is none. ttl is given
// to a new entry only, so that a counter of events per minute has an end.
func (s *Store) incr(key string, n float64, ttl time.Duration) (float64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.live(key); e != nil {
		old, ok := e.value.(lua.LNumber)
		if !ok {
			return 0, errStoreNumber
		}
		e.value = old + lua.LNumber(n)
		s.unsaved.note(key)
		return float64(e.value.(lua.LNumber)), nil
	}
	return n, s.put(key, lua.LNumber(n), ttl)
}

func (s *Store) delete(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.live(key)
	if e != nil {
		s.remove(e)
		s.unsaved.note(key)
	}
	return e != nil
}

// keys returns up to limit names that begin with prefix, sorted, and whether
// there are more.
func (s *Store) keys(prefix string, limit int) (names []string, more bool) {
	s.mu.Lock()
	s.removeExpired()
	for key := range s.entries {
		if strings.HasPrefix(key, prefix) {
			names = append(names, key)
		}
	}
	s.mu.Unlock()
	slices.Sort(names)
	if len(names) > limit {
		return names[:limit], true
	}
	return names, false
}

// live returns the entry that is there and has not expired.
func (s *Store) live(key string) *storeEntry {
	e := s.entries[key]
	if e != nil && !e.expires.IsZero() && !s.now().Before(e.expires) {
		s.remove(e)
		return nil
	}
	return e
}

func (s *Store) put(key string, value lua.LValue, ttl time.Duration) error {
	if len(key) > maxStoreKey {
		return errStoreKey
	}
	if text, ok := value.(lua.LString); ok && len(text) > maxStoreValue {
		return errStoreValue
	}
	s.removeExpired()
	old := s.entries[key]
	bytes, entries := s.bytes+entrySize(key, value), len(s.entries)+1
	if old != nil {
		bytes, entries = bytes-entrySize(key, old.value), entries-1
	}
	if bytes > s.bytes && !s.limits.fit(entries, bytes) { // a file may bring more than fits, which may shrink
		return errStoreFull
	}
	if old != nil {
		s.remove(old)
	}
	e := &storeEntry{key: key, value: value, index: -1}
	s.entries[key] = e
	s.bytes = bytes
	if ttl > 0 {
		e.expires = s.now().Add(ttl)
		heap.Push(&s.expiry, e)
	}
	s.unsaved.note(key)
	return nil
}

func (s *Store) remove(e *storeEntry) {
	delete(s.entries, e.key)
	s.bytes -= entrySize(e.key, e.value)
	if e.index >= 0 {
		heap.Remove(&s.expiry, e.index)
	}
}

func (s *Store) removeExpired() {
	for now := s.now(); len(s.expiry) > 0 && !now.Before(s.expiry[0].expires); {
		s.remove(s.expiry[0])
	}
}

func entrySize(key string, value lua.LValue) int {
	n := len(key) + entryBytes
	if text, ok := value.(lua.LString); ok {
		n += len(text)
	}
	return n
}

// expiryHeap has the entry that expires first at index 0.
type expiryHeap []*storeEntry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *expiryHeap) Push(x any) {
	e := x.(*storeEntry)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.index = -1
	return e
}

// OpenKV creates the global table kv: get(key), set(key, value, ttl),
// add(key, value, ttl), incr(key, n, ttl) and delete(key), a ttl being seconds;
// and keys(prefix, limit): a sorted list of at most limit names, 100 by default,
// and whether there are more.
//
// store is asked at each call which Store there is and raises an error where the
// script may not use it now; write says that the call would change it.
func OpenKV(L *lua.LState, store func(L *lua.LState, write bool) *Store) {
	L.SetGlobal("kv", newModule(L, map[string]lua.LGFunction{
		"get": func(L *lua.LState) int {
			key := CheckString(L, 1)
			L.Push(store(L, false).get(key))
			return 1
		},
		"set": func(L *lua.LState) int {
			key, value, ttl := CheckString(L, 1), checkStored(L, 2), checkTTL(L, 3)
			if _, err := store(L, true).set(key, value, ttl, false); err != nil {
				Errorf(L, "kv.set: %v", err)
			}
			return 0
		},
		"add": func(L *lua.LState) int {
			key, value, ttl := CheckString(L, 1), checkStored(L, 2), checkTTL(L, 3)
			added, err := store(L, true).set(key, value, ttl, true)
			if err != nil {
				Errorf(L, "kv.add: %v", err)
			}
			L.Push(lua.LBool(added))
			return 1
		},
		"incr": func(L *lua.LState) int {
			key, n, ttl := CheckString(L, 1), OptNumber(L, 2, 1), checkTTL(L, 3)
			sum, err := store(L, true).incr(key, n, ttl)
			if err != nil {
				Errorf(L, "kv.incr: %v", err)
			}
			L.Push(lua.LNumber(sum))
			return 1
		},
		"keys": func(L *lua.LState) int {
			prefix, limit := "", 100
			if L.Get(1) != lua.LNil {
				prefix = checkText(L, 1)
			}
			if L.Get(2) != lua.LNil {
				limit = int(checkWhole(L, 2, 1, 10_000))
			}
			names, more := store(L, false).keys(prefix, limit)
			list := L.CreateTable(len(names), 0)
			for _, name := range names {
				Alloc(L, slotBytes)
				list.Append(lua.LString(name))
			}
			L.Push(list)
			L.Push(lua.LBool(more))
			return 2
		},
		"delete": func(L *lua.LState) int {
			key := CheckString(L, 1)
			L.Push(lua.LBool(store(L, true).delete(key)))
			return 1
		},
	}))
}

func checkStored(L *lua.LState, n int) lua.LValue {
	switch v := L.Get(n).(type) {
	case lua.LString, lua.LNumber, lua.LBool:
		return v
	}
	TypeError(L, n, "string, number or boolean")
	return lua.LNil
}

func checkTTL(L *lua.LState, n int) time.Duration {
	if L.Get(n) == lua.LNil {
		return 0
	}
	seconds := CheckNumber(L, n)
	if !(seconds > 0) {
		ArgError(L, n, "the time to live must be more than 0 seconds")
	}
	if seconds > math.MaxInt64/float64(time.Second)/2 {
		return 0 // centuries: for ever
	}
	return time.Duration(seconds * float64(time.Second))
}
