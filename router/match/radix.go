package match

import (
	"slices"
	"strings"
	"sync/atomic"
)

// radixTree holds prefixes by string. Its nodes are immutable: a change copies
// the nodes on its path, at most one per byte of the URI with at most 256
// children each, and publishes a new root.
type radixTree[V any] struct {
	root atomic.Pointer[radixNode[V]]
}

type radixNode[V any] struct {
	label    string // what follows the parent's; empty only in the root
	value    *V     // nil: only a branch
	first    string // the first byte of each child's label
	children []*radixNode[V]
}

func (n *radixNode[V]) child(c byte) (index int, child *radixNode[V]) {
	if i := strings.IndexByte(n.first, c); i >= 0 {
		return i, n.children[i]
	}
	return -1, nil
}

func (t *radixTree[V]) get(uri string) (v V, ok bool) {
	n := t.root.Load()
	for n != nil && strings.HasPrefix(uri, n.label) {
		uri = uri[len(n.label):]
		if uri == "" {
			if n.value == nil {
				return v, false
			}
			return *n.value, true
		}
		_, n = n.child(uri[0])
	}
	return v, false
}

// longest returns the value of the longest prefix of uri.
func (t *radixTree[V]) longest(uri string) (v V, ok bool) {
	var best *V
	n := t.root.Load()
	for n != nil && strings.HasPrefix(uri, n.label) {
		uri = uri[len(n.label):]
		if n.value != nil {
			best = n.value
		}
		if uri == "" {
			break
		}
		_, n = n.child(uri[0])
	}
	if best == nil {
		return v, false
	}
	return *best, true
}

// each yields the values of all prefixes of uri, the shortest first, and reports
// whether yield never returned false.
func (t *radixTree[V]) each(uri string, yield func(V) bool) bool {
	n := t.root.Load()
	for n != nil && strings.HasPrefix(uri, n.label) {
		uri = uri[len(n.label):]
		if n.value != nil && !yield(*n.value) {
			return false
		}
		if uri == "" {
			break
		}
		_, n = n.child(uri[0])
	}
	return true
}

// put reports whether the prefix is new.
func (t *radixTree[V]) put(uri string, v V) bool {
	root := t.root.Load()
	if root == nil {
		root = &radixNode[V]{}
	}
	root, isNew := root.with(uri, &v)
	t.root.Store(root)
	return isNew
}

// with returns a copy of n that has v for rest, which does not include n's label.
func (n *radixNode[V]) with(rest string, v *V) (copied *radixNode[V], isNew bool) {
	c := *n
	if rest == "" {
		c.value = v
		return &c, n.value == nil
	}
	i, child := n.child(rest[0])
	if child == nil {
		c.first += rest[:1]
		c.children = append(slices.Clip(n.children), &radixNode[V]{label: rest, value: v})
		return &c, true
	}
	shared := commonPrefix(child.label, rest)
	if shared < len(child.label) {
		lower := *child
		lower.label = child.label[shared:]
		child = &radixNode[V]{label: child.label[:shared], first: lower.label[:1], children: []*radixNode[V]{&lower}}
	}
	c.children = slices.Clone(n.children)
	c.children[i], isNew = child.with(rest[shared:], v)
	return &c, isNew
}

// delete reports whether the prefix was there.
func (t *radixTree[V]) delete(uri string) bool {
	root := t.root.Load()
	if root == nil {
		return false
	}
	root, existed := root.without(uri, true)
	if existed {
		t.root.Store(root)
	}
	return existed
}

// without returns a copy of n that has no value for rest, merged with its only
// child where it can be, nil where nothing is left of it.
func (n *radixNode[V]) without(rest string, isRoot bool) (copied *radixNode[V], existed bool) {
	c := *n
	if rest == "" {
		if n.value == nil {
			return n, false
		}
		c.value = nil
	} else {
		i, child := n.child(rest[0])
		if child == nil || !strings.HasPrefix(rest, child.label) {
			return n, false
		}
		child, existed = child.without(rest[len(child.label):], false)
		if !existed {
			return n, false
		}
		c.children = slices.Clone(n.children)
		if child == nil {
			c.children = slices.Delete(c.children, i, i+1)
			c.first = n.first[:i] + n.first[i+1:]
		} else {
			c.children[i] = child
		}
	}
	switch {
	case c.value != nil:
		return &c, true
	case len(c.children) == 0:
		return nil, true
	case len(c.children) == 1 && !isRoot:
		merged := *c.children[0]
		merged.label = c.label + merged.label
		return &merged, true
	}
	return &c, true
}

// all reports whether yield never returned false.
func (t *radixTree[V]) all(yield func(uri string, v V) bool) bool {
	n := t.root.Load()
	return n == nil || n.all("", yield)
}

func (n *radixNode[V]) all(before string, yield func(uri string, v V) bool) bool {
	uri := before + n.label
	if n.value != nil && !yield(uri, *n.value) {
		return false
	}
	for _, child := range n.children {
		if !child.all(uri, yield) {
			return false
		}
	}
	return true
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
