package match

import (
	"hash/maphash"
	"sync/atomic"
)

// minBuckets is small because every node of the wildcard tree has a hashMap of
// its own, most of them with one entry.
const minBuckets = 4

// hashMap is a hash table that is read without locks while one writer changes
// it. Entries are immutable: a change replaces the chain of one bucket, growth
// the table.
type hashMap[V any] struct {
	table atomic.Pointer[hashTable[V]]
	count int // of the writer
}

type hashTable[V any] struct {
	seed    maphash.Seed // random, so that nobody can choose URIs that collide
	buckets []atomic.Pointer[hashEntry[V]]
}

type hashEntry[V any] struct {
	key   string
	value V
	next  *hashEntry[V]
}

func (t *hashTable[V]) bucket(key string) *atomic.Pointer[hashEntry[V]] {
	return &t.buckets[maphash.String(t.seed, key)&uint64(len(t.buckets)-1)]
}

func (m *hashMap[V]) get(key string) (v V, ok bool) {
	t := m.table.Load()
	if t == nil {
		return v, false
	}
	for e := t.bucket(key).Load(); e != nil; e = e.next {
		if e.key == key {
			return e.value, true
		}
	}
	return v, false
}

// put reports whether the key is new.
func (m *hashMap[V]) put(key string, v V) bool {
	t := m.table.Load()
	if t == nil {
		t = m.resize(minBuckets)
	}
	b := t.bucket(key)
	chain, existed := without(b.Load(), key)
	b.Store(&hashEntry[V]{key: key, value: v, next: chain})
	if existed {
		return false
	}
	if m.count++; m.count > len(t.buckets) {
		m.resize(2 * len(t.buckets))
	}
	return true
}

// delete reports whether the key was there.
func (m *hashMap[V]) delete(key string) bool {
	t := m.table.Load()
	if t == nil {
		return false
	}
	b := t.bucket(key)
	chain, existed := without(b.Load(), key)
	if !existed {
		return false
	}
	b.Store(chain)
	m.count--
	if n := len(t.buckets); n > minBuckets && m.count < n/4 {
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
			rest = &hashEntry[V]{key: f.key, value: f.value, next: rest}
		}
		return rest, true
	}
	return chain, false
}

// resize publishes a table of n buckets, a power of two, with the same entries.
func (m *hashMap[V]) resize(n int) *hashTable[V] {
	t := &hashTable[V]{seed: maphash.MakeSeed(), buckets: make([]atomic.Pointer[hashEntry[V]], n)}
	m.all(func(key string, v V) bool {
		b := t.bucket(key)
		b.Store(&hashEntry[V]{key: key, value: v, next: b.Load()})
		return true
	})
	m.table.Store(t)
	return t
}

// all reports whether yield never returned false.
func (m *hashMap[V]) all(yield func(key string, v V) bool) bool {
	t := m.table.Load()
	if t == nil {
		return true
	}
	for i := range t.buckets {
		for e := t.buckets[i].Load(); e != nil; e = e.next {
			if !yield(e.key, e.value) {
				return false
			}
		}
	}
	return true
}
