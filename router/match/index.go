package match

import (
	"sync/atomic"

	"usher/router/wamp"
)

// Index maps URIs and patterns to values. The zero Index is empty and ready; it
// must not be copied once used.
//
// Any number of goroutines may read at any time, without locks and without
// allocating. Put and Delete must be serialized by the caller. A read that runs
// beside a write sees each entry either before or after it, and an entry that is
// replaced is never missing in between.
//
// The cost of a look-up depends on the URI's length and on the number of entries
// that match it, not on how many others there are; with wildcards also on the
// number of Shapes of the URI's length.
type Index[V any] struct {
	exact    hashMap[V]
	prefix   radixTree[V]
	wildcard wildcardSet[V]
	length   atomic.Int64
	hash     atomic.Pointer[hashing] // nil until the first Put
}

// Get returns the value that was put for exactly this policy and URI.
func (x *Index[V]) Get(m wamp.Match, uri string) (V, bool) {
	if m == wamp.Prefix {
		return x.prefix.get(uri)
	}
	h := x.hash.Load()
	switch {
	case h == nil:
		var none V
		return none, false
	case m == wamp.Wildcard:
		return x.wildcard.patterns.get(h.patternHash(uri), uri)
	default:
		return x.exact.get(h.of(uri), uri)
	}
}

// Put stores v for this policy and URI, in place of what was there.
func (x *Index[V]) Put(m wamp.Match, uri string, v V) {
	h := x.hash.Load()
	if h == nil {
		h = newHashing()
		x.hash.Store(h)
	}
	var isNew bool
	switch m {
	case wamp.Prefix:
		isNew = x.prefix.put(uri, v)
	case wamp.Wildcard:
		isNew = x.wildcard.put(h, uri, v)
	default:
		isNew = x.exact.put(h.of(uri), uri, v)
	}
	if isNew {
		x.length.Add(1)
	}
}

// Delete removes what was put for this policy and URI and reports whether there
// was anything.
func (x *Index[V]) Delete(m wamp.Match, uri string) bool {
	h := x.hash.Load()
	if h == nil {
		return false
	}
	var existed bool
	switch m {
	case wamp.Prefix:
		existed = x.prefix.delete(uri)
	case wamp.Wildcard:
		existed = x.wildcard.delete(h, uri)
	default:
		existed = x.exact.delete(h.of(uri), uri)
	}
	if existed {
		x.length.Add(-1)
	}
	return existed
}

// Best returns the one entry that wins for a concrete URI, and its policy: exact
// before the longest prefix before wildcard; of several wildcards the one with
// most components before its first wildcard, then before its second, and so on
// (specification: "Pattern-based Registrations", "Calls matching multiple
// registrations").
func (x *Index[V]) Best(uri string) (V, wamp.Match, bool) {
	h := x.hash.Load()
	if h == nil {
		var none V
		return none, wamp.Exact, false
	}
	if v, ok := x.exact.get(h.of(uri), uri); ok {
		return v, wamp.Exact, true
	}
	if v, ok := x.prefix.longest(uri); ok {
		return v, wamp.Prefix, true
	}
	v, ok := x.wildcard.best(h, uri)
	return v, wamp.Wildcard, ok
}

// Each calls yield for every entry that matches a concrete URI, until yield
// returns false: the exact one, then prefixes from the shortest to the longest,
// then wildcards in the order of Best.
func (x *Index[V]) Each(uri string, yield func(V) bool) {
	h := x.hash.Load()
	if h == nil {
		return
	}
	if v, ok := x.exact.get(h.of(uri), uri); ok && !yield(v) {
		return
	}
	if x.prefix.each(uri, yield) {
		x.wildcard.each(h, uri, yield)
	}
}

// All calls yield for every entry, until yield returns false. The order is not
// specified.
func (x *Index[V]) All(yield func(m wamp.Match, uri string, v V) bool) {
	goOn := x.exact.all(func(uri string, v V) bool { return yield(wamp.Exact, uri, v) })
	goOn = goOn && x.prefix.all(func(uri string, v V) bool { return yield(wamp.Prefix, uri, v) })
	if goOn {
		x.wildcard.all(func(uri string, v V) bool { return yield(wamp.Wildcard, uri, v) })
	}
}

// Shapes is how many shapes other than pattern's own the wildcard patterns of its
// number of components have: a shape says which components are wildcards.
func (x *Index[V]) Shapes(pattern string) int {
	shapes := x.wildcard.ofLength(componentsOf(pattern))
	if _, found := search(shapes, string(formOf(nil, pattern))); found {
		return len(shapes) - 1
	}
	return len(shapes)
}

// Len is the number of entries.
func (x *Index[V]) Len() int { return int(x.length.Load()) }
