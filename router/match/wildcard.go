package match

import (
	"strings"
	"sync/atomic"
)

// wildcardNode is a node of the tree of wildcard patterns, one level for each
// component. It is changed in place, each step by one atomic store: unlike a
// radix tree's, its fan-out has no bound that would make copies cheap.
type wildcardNode[V any] struct {
	value    atomic.Pointer[V] // of the pattern that ends here
	any      atomic.Pointer[wildcardNode[V]]
	literals hashMap[*wildcardNode[V]]
}

// cut splits a URI after its first component.
func cut(uri string) (component, rest string, last bool) {
	component, rest, found := strings.Cut(uri, ".")
	return component, rest, !found
}

// child returns the node for one component of a pattern, nil if there is none.
func (n *wildcardNode[V]) child(component string) *wildcardNode[V] {
	if component == "" {
		return n.any.Load()
	}
	literal, _ := n.literals.get(component)
	return literal
}

func (n *wildcardNode[V]) get(pattern string) (v V, ok bool) {
	for last := false; !last; {
		var component string
		component, pattern, last = cut(pattern)
		if n = n.child(component); n == nil {
			return v, false
		}
	}
	return n.load()
}

func (n *wildcardNode[V]) load() (v V, ok bool) {
	if p := n.value.Load(); p != nil {
		return *p, true
	}
	return v, false
}

// best tries the literal before the wildcard at each component: of two patterns
// the one that is literal where they first differ has the longer portion there,
// and all portions before are equal.
func (n *wildcardNode[V]) best(uri string) (v V, ok bool) {
	component, rest, last := cut(uri)
	for _, child := range [2]*wildcardNode[V]{n.literal(component), n.any.Load()} {
		if child == nil {
			continue
		}
		if last {
			v, ok = child.load()
		} else {
			v, ok = child.best(rest)
		}
		if ok {
			return v, true
		}
	}
	return v, false
}

// literal is child for a component of a URI, where an empty one is no wildcard.
func (n *wildcardNode[V]) literal(component string) *wildcardNode[V] {
	if component == "" {
		return nil
	}
	return n.child(component)
}

// each yields the values of all patterns that match, in the order of best, and
// reports whether yield never returned false.
func (n *wildcardNode[V]) each(uri string, yield func(V) bool) bool {
	component, rest, last := cut(uri)
	for _, child := range [2]*wildcardNode[V]{n.literal(component), n.any.Load()} {
		switch {
		case child == nil:
		case last:
			if v, ok := child.load(); ok && !yield(v) {
				return false
			}
		case !child.each(rest, yield):
			return false
		}
	}
	return true
}

// put reports whether the pattern is new.
func (n *wildcardNode[V]) put(pattern string, v V) bool {
	for last := false; !last; {
		var component string
		component, pattern, last = cut(pattern)
		child := n.child(component)
		if child == nil {
			child = new(wildcardNode[V])
			if component == "" {
				n.any.Store(child)
			} else {
				n.literals.put(component, child)
			}
		}
		n = child
	}
	return n.value.Swap(&v) == nil
}

// delete reports whether the pattern was there. Nodes that lead nowhere go too.
func (n *wildcardNode[V]) delete(pattern string) bool {
	component, rest, last := cut(pattern)
	child := n.child(component)
	if child == nil {
		return false
	}
	var existed bool
	if last {
		existed = child.value.Swap(nil) != nil
	} else {
		existed = child.delete(rest)
	}
	if existed && child.empty() {
		if component == "" {
			n.any.Store(nil)
		} else {
			n.literals.delete(component)
		}
	}
	return existed
}

func (n *wildcardNode[V]) empty() bool {
	return n.value.Load() == nil && n.any.Load() == nil && n.literals.count == 0
}

// all reports whether yield never returned false. before is the pattern down to
// n; the root has none.
func (n *wildcardNode[V]) all(before string, isRoot bool, yield func(uri string, v V) bool) bool {
	if v, ok := n.load(); ok && !yield(before, v) {
		return false
	}
	if !isRoot {
		before += "."
	}
	if child := n.any.Load(); child != nil && !child.all(before, false, yield) {
		return false
	}
	return n.literals.all(func(component string, child *wildcardNode[V]) bool {
		return child.all(before+component, false, yield)
	})
}
