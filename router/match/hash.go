package match

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
)

// hashing is how an Index hashes: at random, so that nobody can choose URIs that
// collide. It is immutable.
type hashing struct {
	seed          maphash.Seed
	place, spread uint64
}

func newHashing() *hashing {
	return &hashing{seed: maphash.MakeSeed(), place: rand.Uint64() | 1, spread: rand.Uint64() | 1}
}

// of is the hash of a whole URI.
func (h *hashing) of(uri string) uint64 { return maphash.String(h.seed, uri) }

// term is what the i-th component of a URI contributes to the hash of a pattern:
// the hash is the sum of its components' terms, so that a URI's can be had for any
// choice of wildcards without hashing it again.
func (h *hashing) term(i int, component string) uint64 {
	high, low := bits.Mul64(maphash.String(h.seed, component)^uint64(i+1)*h.place, h.spread)
	return high ^ low
}

// minBuckets is the size of the smallest table.
const minBuckets = 4

// hashMap is a hash table that is read without locks while one writer changes
// it. Its user brings the hashes. Entries are immutable: a change replaces the
// chain of one bucket, growth the table.
type hashMap[V any] struct {
	table atomic.Pointer[[]bucket[V]]
	count int // of the writer
}

type bucket[V any] struct{ first atomic.Pointer[hashEntry[V]] }

type hashEntry[V any] struct {
	hash  uint64
	key   string
	value V
	next  *hashEntry[V]
}

// chain is where the entries of a hash are, among others.
func (m *hashMap[V]) chain(hash uint64) *hashEntry[V] {
	t := m.table.Load()
	if t == nil {
		return nil
	}
	return bucketOf(*t, hash).first.Load()
}

func bucketOf[V any](t []bucket[V], hash uint64) *bucket[V] { return &t[hash&uint64(len(t)-1)] }

func (m *hashMap[V]) get(hash uint64, key string) (v V, ok bool) {
	for e := m.chain(hash); e != nil; e = e.next {
		if e.hash == hash && e.key == key {
			return e.value, true
		}
	}
	return v, false
}

// put reports whether the key is new.
func (m *hashMap[V]) put(hash uint64, key string, v V) bool {
	if m.table.Load() == nil {
		m.resize(minBuckets)
	}
	t := *m.table.Load()
	b := bucketOf(t, hash)
	chain, existed := without(b.first.Load(), key)
	b.first.Store(&hashEntry[V]{hash: hash, key: key, value: v, next: chain})
	if existed {
		return false
	}
	if m.count++; m.count > len(t) {
		m.resize(2 * len(t))
	}
	return true
}

// delete reports whether the key was there.
func (m *hashMap[V]) delete(hash uint64, key string) bool {
	if m.count == 0 {
		return false
	}
	t := *m.table.Load()
	b := bucketOf(t, hash)
	chain, existed := without(b.first.Load(), key)
	if !existed {
		return false
	}
	b.first.Store(chain)
	m.count--
	if n := len(t); n > minBuckets && m.count < n/4 {
		m.resize(n / 2)
	}
	return true
}

// without returns the chain less key's entry, sharing what follows it.
func without[V any](chain *hashEntry[V], key string) (rest *hashEntry[V], existed bool) {
	for e := chain; e != nil; e = e.next {
		if e.key != key {
			continue
		}
		rest = e.next
		for f := chain; f != e; f = f.next {
			rest = f.before(rest)
		}
		return rest, true
	}
	return chain, false
}

// before returns a copy of e that stands before next.
func (e *hashEntry[V]) before(next *hashEntry[V]) *hashEntry[V] {
	return &hashEntry[V]{hash: e.hash, key: e.key, value: e.value, next: next}
}

// resize publishes a table of n buckets, a power of two, with the same entries.
func (m *hashMap[V]) resize(n int) {
	t := make([]bucket[V], n)
	m.each(func(e *hashEntry[V]) bool {
		b := bucketOf(t, e.hash)
		b.first.Store(e.before(b.first.Load()))
		return true
	})
	m.table.Store(&t)
}

// each reports whether yield never returned false.
func (m *hashMap[V]) each(yield func(*hashEntry[V]) bool) bool {
	t := m.table.Load()
	if t == nil {
		return true
	}
	for i := range *t {
		for e := (*t)[i].first.Load(); e != nil; e = e.next {
			if !yield(e) {
				return false
			}
		}
	}
	return true
}

// all reports whether yield never returned false.
func (m *hashMap[V]) all(yield func(key string, v V) bool) bool {
	return m.each(func(e *hashEntry[V]) bool { return yield(e.key, e.value) })
}
