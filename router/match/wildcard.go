package match

import (
	"slices"
	"strings"
	"sync/atomic"

	"usher/router/wamp"
)

// wildcardSet holds wildcard patterns. A pattern's shape says which of its
// components are wildcards: of the patterns of one shape a URI matches one at
// most, which a hash table finds. So a look-up costs one probe for each shape
// that patterns of the URI's number of components have, and nothing for patterns;
// a tree by components would be searched through all beginnings that match.
type wildcardSet[V any] struct {
	patterns hashMap[V]
	// shapes has those of each number of components that are in use, those first
	// that win. Lists are immutable: a change replaces them.
	shapes atomic.Pointer[[][]*shape]
}

// shape is immutable but for its count.
type shape struct {
	form  string // for each component isLiteral or isAny
	any   []int  // the places of the wildcards
	sum   uint64 // of the wildcards' terms
	count int    // patterns that have it; the writer's
}

// In this order forms compare as patterns win: of two the one that is literal
// where they first differ has the longer portion there, and all portions before
// are equal.
const (
	isLiteral = 0
	isAny     = 1
)

// maxTerms is the number of components up to which a URI's terms are held, on the
// stack; in a longer one they are computed for each shape.
const maxTerms = wamp.MaxWildcardComponents

// formOf appends the form of a pattern to b.
func formOf(b []byte, pattern string) []byte {
	for rest, more := pattern, true; more; {
		var component string
		component, rest, more = strings.Cut(rest, ".")
		if component == "" {
			b = append(b, isAny)
		} else {
			b = append(b, isLiteral)
		}
	}
	return b
}

// patternHash is the hash under which a pattern is held.
func (h *hashing) patternHash(pattern string) (sum uint64) {
	more := true
	for i := 0; more; i++ {
		var component string
		component, pattern, more = strings.Cut(pattern, ".")
		sum += h.term(i, component)
	}
	return sum
}

// terms puts the terms of a URI's components into t and returns their sum.
func (h *hashing) terms(uri string, t *[maxTerms]uint64) (sum uint64) {
	more := true
	for i := 0; more; i++ {
		var component string
		component, uri, more = strings.Cut(uri, ".")
		t[i] = h.term(i, component)
		sum += t[i]
	}
	return sum
}

// hashIn is the hash of the one pattern of this shape that a URI of its length
// matches.
func (s *shape) hashIn(h *hashing, uri string) (sum uint64) {
	for i := range len(s.form) {
		var component string
		component, uri, _ = strings.Cut(uri, ".")
		if s.form[i] == isLiteral {
			sum += h.term(i, component)
		}
	}
	return sum + s.sum
}

// matches reports whether a pattern has this shape and matches a URI, which has
// as many components.
func (s *shape) matches(pattern, uri string) bool {
	p, u := 0, 0
	for i := range len(s.form) {
		if i > 0 {
			if p == len(pattern) || pattern[p] != '.' || u == len(uri) || uri[u] != '.' {
				return false
			}
			p, u = p+1, u+1
		}
		start := p
		if s.form[i] == isAny {
			for u < len(uri) && uri[u] != '.' {
				u++
			}
			continue // in the pattern nothing is here, or its next byte is no dot
		}
		for p < len(pattern) && u < len(uri) && pattern[p] == uri[u] && pattern[p] != '.' {
			p, u = p+1, u+1
		}
		if p == start {
			return false
		}
	}
	return p == len(pattern) && u == len(uri)
}

// ofLength returns the shapes of so many components.
func (x *wildcardSet[V]) ofLength(components int) []*shape {
	if all := x.shapes.Load(); all != nil && components < len(*all) {
		return (*all)[components]
	}
	return nil
}

func componentsOf(uri string) int { return strings.Count(uri, ".") + 1 }

func (x *wildcardSet[V]) best(h *hashing, uri string) (v V, ok bool) {
	x.each(h, uri, func(found V) bool {
		v, ok = found, true
		return false
	})
	return v, ok
}

// each yields the values of all patterns that match, in the order in which they
// win, and reports whether yield never returned false.
func (x *wildcardSet[V]) each(h *hashing, uri string, yield func(V) bool) bool {
	shapes := x.ofLength(componentsOf(uri))
	if len(shapes) == 0 {
		return true
	}
	var terms [maxTerms]uint64
	var sum uint64
	isShort := len(shapes[0].form) <= maxTerms
	if isShort {
		sum = h.terms(uri, &terms)
	}
	for _, s := range shapes {
		hash := sum + s.sum
		if isShort {
			for _, i := range s.any {
				hash -= terms[i]
			}
		} else {
			hash = s.hashIn(h, uri)
		}
		for e := x.patterns.chain(hash); e != nil; e = e.next {
			if e.hash == hash && s.matches(e.key, uri) {
				if !yield(e.value) {
					return false
				}
				break
			}
		}
	}
	return true
}

// put reports whether the pattern is new.
func (x *wildcardSet[V]) put(h *hashing, pattern string, v V) bool {
	if !x.patterns.put(h.patternHash(pattern), pattern, v) {
		return false
	}
	form := string(formOf(nil, pattern))
	shapes := x.ofLength(len(form))
	at, found := search(shapes, form)
	if !found {
		s := newShape(h, form)
		shapes = slices.Insert(slices.Clone(shapes), at, s)
		x.publish(len(form), shapes)
	}
	shapes[at].count++
	return true
}

func newShape(h *hashing, form string) *shape {
	s := &shape{form: form}
	for i := range len(form) {
		if form[i] == isAny {
			s.any = append(s.any, i)
			s.sum += h.term(i, "")
		}
	}
	return s
}

// search returns the place of a form among the shapes of its length.
func search(shapes []*shape, form string) (at int, found bool) {
	return slices.BinarySearchFunc(shapes, form, func(s *shape, form string) int { return strings.Compare(s.form, form) })
}

// delete reports whether the pattern was there. A shape goes with its last pattern.
func (x *wildcardSet[V]) delete(h *hashing, pattern string) bool {
	if !x.patterns.delete(h.patternHash(pattern), pattern) {
		return false
	}
	form := string(formOf(nil, pattern))
	shapes := x.ofLength(len(form))
	at, _ := search(shapes, form)
	if shapes[at].count--; shapes[at].count == 0 {
		x.publish(len(form), slices.Delete(slices.Clone(shapes), at, at+1))
	}
	return true
}

// publish replaces the shapes of so many components.
func (x *wildcardSet[V]) publish(components int, shapes []*shape) {
	var all [][]*shape
	if old := x.shapes.Load(); old != nil {
		all = slices.Clone(*old)
	}
	for len(all) <= components {
		all = append(all, nil)
	}
	all[components] = shapes
	for len(all) > 0 && len(all[len(all)-1]) == 0 {
		all = all[:len(all)-1]
	}
	if len(all) == 0 {
		x.shapes.Store(nil)
		return
	}
	x.shapes.Store(&all)
}

// all reports whether yield never returned false.
func (x *wildcardSet[V]) all(yield func(uri string, v V) bool) bool { return x.patterns.all(yield) }
