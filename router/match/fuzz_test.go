package match

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"usher/router/wamp"
)

// naive is an Index that compares with every entry.
type naive map[naiveKey]int

type naiveKey struct {
	match wamp.Match
	uri   string
}

func (k naiveKey) matches(uri string) bool {
	switch k.match {
	case wamp.Prefix:
		return strings.HasPrefix(uri, k.uri)
	case wamp.Wildcard:
		pattern, components := strings.Split(k.uri, "."), strings.Split(uri, ".")
		if len(pattern) != len(components) {
			return false
		}
		for i, p := range pattern {
			if p != "" && p != components[i] {
				return false
			}
		}
		return true
	default:
		return uri == k.uri
	}
}

// portions are the numbers of components between the wildcards of a pattern.
func (k naiveKey) portions() []int {
	lengths := []int{0}
	for p := range strings.SplitSeq(k.uri, ".") {
		if p == "" {
			lengths = append(lengths, 0)
		} else {
			lengths[len(lengths)-1]++
		}
	}
	return lengths
}

// compare orders keys as Each does.
func compare(k, l naiveKey) int {
	switch {
	case k.match != l.match:
		return int(k.match) - int(l.match)
	case k.match == wamp.Prefix:
		return len(k.uri) - len(l.uri)
	default:
		return -slices.Compare(k.portions(), l.portions())
	}
}

func (n naive) each(uri string) []naiveKey {
	var keys []naiveKey
	for k := range n {
		if k.matches(uri) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compare)
	return keys
}

func (n naive) best(uri string) (naiveKey, bool) {
	var best naiveKey
	found := false
	for _, k := range n.each(uri) {
		if !found || k.match == wamp.Prefix && best.match == wamp.Prefix {
			best, found = k, true
		}
	}
	return best, found
}

// FuzzIndex runs a program of puts, deletes and look-ups on an Index and on the
// naive one: each line is an operator, a policy and a URI.
func FuzzIndex(f *testing.F) {
	f.Add("+pcom.\n+pcom.a\n?xcom.ab\n-pcom.\n?xcom.b\n+pcom.ab\n-pcom.a\n?xcom.abc")
	f.Add("+wa..c\n+wa.b.\n+w..\n?xa.b.c\n-wa.b.\n?xa.b.c\n+xa.b.c\n?xa.b.c")
	f.Add("+p\n?xa\n+w.\n+w\n?x\n?xa.b\n-p\n-w\n?xa\n?xa.b")
	f.Add("+xa\n+xb\n+xc\n+xd\n+xe\n+xf\n+xa\n-xa\n-xb\n-xc\n-xd\n-xe\n?xf\n-xf\n?xf")
	f.Add("+w..a\n+w.b.a\n+wc..\n?xc.b.a\n?x.b.a\n-w..a\n?xc.b.a\n-wc..\n?xc.b.c")
	f.Add("+wa.b\n+wb.a\n+w.a\n+wa.\n?xa.b\n?xb.a\n?xa.a\n-w.a\n?xa.a\n?xa..\n?x..a\n+wa..\n?xa..")
	long := strings.Repeat("a.", maxTerms)
	f.Add("+w" + long + "\n+w" + long + "a\n+w" + long[2:] + ".\n?x" + long + "a\n?x" + long[2:] + "b.a\n?x" + long[2:] + "a\n?x" + long + "a.a")
	f.Fuzz(func(t *testing.T, program string) {
		var x Index[int]
		want := naive{}
		for i, line := range strings.Split(program, "\n") {
			if len(line) < 2 {
				continue
			}
			k := naiveKey{uri: line[2:]}
			switch line[1] {
			case 'p':
				k.match = wamp.Prefix
			case 'w':
				k.match = wamp.Wildcard
			}
			switch line[0] {
			case '+':
				x.Put(k.match, k.uri, i)
				want[k] = i
			case '-':
				_, exists := want[k]
				if got := x.Delete(k.match, k.uri); got != exists {
					t.Fatalf("delete of %v: %v, want %v", k, got, exists)
				}
				delete(want, k)
			}
			compareAt(t, &x, want, k)
		}
		got := naive{}
		x.All(func(m wamp.Match, uri string, v int) bool {
			got[naiveKey{m, uri}] = v
			return true
		})
		if !maps.Equal(got, want) || x.Len() != len(want) {
			t.Fatalf("all: %v (%d), want %v", got, x.Len(), want)
		}
	})
}

// compareAt compares all look-ups of k's URI.
func compareAt(t *testing.T, x *Index[int], want naive, k naiveKey) {
	t.Helper()
	v, ok := x.Get(k.match, k.uri)
	if w, exists := want[k]; ok != exists || v != w {
		t.Fatalf("get %v: %d, %v; want %d, %v", k, v, ok, w, exists)
	}
	v, m, ok := x.Best(k.uri)
	w, exists := want.best(k.uri)
	if ok != exists || ok && (m != w.match || v != want[w]) {
		t.Fatalf("best for %q: %d, %v, %v; want %v", k.uri, v, m, ok, w)
	}
	var got, all []int
	x.Each(k.uri, func(v int) bool { got = append(got, v); return true })
	for _, key := range want.each(k.uri) {
		all = append(all, want[key])
	}
	if !slices.Equal(got, all) {
		t.Fatalf("each for %q: %v, want %v", k.uri, got, all)
	}
}
