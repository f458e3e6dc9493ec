package match

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"usher/router/wamp"
)

// The examples of the specification, "Pattern-based Registrations", but for one
// component: its "a1.b2.c33…" is said not to match the prefix "a1.b2.c3", which
// by string it does.
func TestBestFollowsTheSpecification(t *testing.T) {
	var x Index[int]
	for i, r := range []struct {
		uri   string
		match wamp.Match
	}{
		{"a1.b2.c3.d4.e55", wamp.Exact},
		{"a1.b2.c3", wamp.Prefix},
		{"a1.b2.c3.d4", wamp.Prefix},
		{"a1.b2..d4.e5", wamp.Wildcard},
		{"a1.b2.c44..e5", wamp.Wildcard},
		{"a1.b2..d4.e5..g7", wamp.Wildcard},
		{"a1.b2..d4..f6.g7", wamp.Wildcard},
	} {
		x.Put(r.match, r.uri, i+1)
	}
	for _, c := range []struct {
		uri   string
		want  int // 0: none
		match wamp.Match
	}{
		{"a1.b2.c3.d4.e55", 1, wamp.Exact},
		{"a1.b2.c3.d98.e74", 2, wamp.Prefix},
		{"a1.b2.c3.d4.e325", 3, wamp.Prefix},
		{"a1.b2.c55.d4.e5", 4, wamp.Wildcard},
		{"a1.b2.c44.d4.e5", 5, wamp.Wildcard},
		{"a1.b2.c88.d4.e5.f6.g7", 6, wamp.Wildcard},
		{"a2.b2.c2.d2.e2", 0, 0},
	} {
		got, m, ok := x.Best(c.uri)
		if got != c.want || ok != (c.want != 0) || ok && m != c.match {
			t.Errorf("Best(%q) = %d, %v, %v; want %d, %v", c.uri, got, m, ok, c.want, c.match)
		}
	}
}

func TestPatterns(t *testing.T) {
	long := strings.Repeat("a.", maxTerms)
	for _, c := range []struct {
		match   wamp.Match
		pattern string
		yes, no []string
	}{
		{wamp.Exact, "com.app", []string{"com.app"}, []string{"com", "com.app.x", "com.apps"}},
		{wamp.Prefix, "com.app", []string{"com.app", "com.app.x", "com.apps", "com.app-x.y"}, []string{"com.ap", "com.b"}},
		{wamp.Prefix, "com.app.", []string{"com.app.x", "com.app.x.y"}, []string{"com.app", "com.apps"}},
		{wamp.Prefix, "", []string{"a", "com.app"}, nil},
		{wamp.Wildcard, "com..x", []string{"com.a.x", "com.b.x"}, []string{"com.x", "com.a.b.x", "com.a.y", "com.a.x.y"}},
		{wamp.Wildcard, "..", []string{"a.b.c"}, []string{"a.b", "a.b.c.d"}},
		{wamp.Wildcard, ".x", []string{"a.x"}, []string{"x", "a.y"}},
		{wamp.Wildcard, "a.b", []string{"a.b"}, []string{"a", "a.c", "a.b.c"}},
		{wamp.Wildcard, "a..", []string{"a.b.c", "a..", "a..c"}, []string{"a", "a.b", "a.b.c.d", "b.a.c", ".a.b"}},
		{wamp.Wildcard, ".ab.", []string{"a.ab.c"}, []string{"ab.a.c", "a.a.c", "a.abc.c", "a..c", "ab..c"}},
		{wamp.Wildcard, long + "b.", []string{long + "b.c", long + "b."}, []string{long + "b", long + "c.b", long + "b.c.d", "b." + long + "a"}},
	} {
		var x Index[string]
		x.Put(c.match, c.pattern, c.pattern)
		for _, uri := range c.yes {
			if _, m, ok := x.Best(uri); !ok || m != c.match {
				t.Errorf("%v %q does not match %q", c.match, c.pattern, uri)
			}
		}
		for _, uri := range c.no {
			if _, _, ok := x.Best(uri); ok {
				t.Errorf("%v %q matches %q", c.match, c.pattern, uri)
			}
		}
	}
}

// What a look-up costs beyond what it finds is the number of shapes of the URI's
// length: the others of that length, of however many patterns.
func TestShapes(t *testing.T) {
	var x Index[int]
	for i := range 1000 {
		x.Put(wamp.Wildcard, fmt.Sprintf("com..%d", i), i)
		x.Put(wamp.Wildcard, fmt.Sprintf(".app.%d", i), i)
		x.Put(wamp.Wildcard, fmt.Sprintf("com.app.x%d", i), i)
		x.Put(wamp.Wildcard, fmt.Sprintf("com..%d.", i), i)
		x.Put(wamp.Prefix, fmt.Sprintf("com.%d.", i), i)
	}
	expect := func(pattern string, want int) {
		t.Helper()
		if n := x.Shapes(pattern); n != want {
			t.Errorf("%d other shapes than that of %q, want %d", n, pattern, want)
		}
	}
	expect("com..new", 2)
	expect("..new", 3)
	expect("a.b..d", 1)
	expect("a.b", 0)
	expect(strings.Repeat(".", 500), 0)
	for i := range 1000 {
		x.Delete(wamp.Wildcard, fmt.Sprintf("com..%d", i))
		x.Delete(wamp.Wildcard, fmt.Sprintf("com..%d.", i))
	}
	expect("..new", 2)
	expect("a.b..d", 0)
}

func TestEachStopsWhenTold(t *testing.T) {
	var x Index[int]
	x.Put(wamp.Exact, "a.b", 1)
	x.Put(wamp.Prefix, "a", 2)
	x.Put(wamp.Prefix, "a.", 3)
	x.Put(wamp.Wildcard, "a.", 4)
	x.Put(wamp.Wildcard, ".", 5)
	for stop := 1; stop <= 5; stop++ {
		var got []int
		x.Each("a.b", func(v int) bool {
			got = append(got, v)
			return v != stop
		})
		if want := []int{1, 2, 3, 4, 5}[:stop]; !slices.Equal(got, want) {
			t.Errorf("stopped at %d: %v, want %v", stop, got, want)
		}
	}
}

func TestAllStopsWhenTold(t *testing.T) {
	for _, m := range []wamp.Match{wamp.Exact, wamp.Prefix, wamp.Wildcard} {
		var x Index[int]
		for i := range 10 {
			x.Put(m, "a."+strconv.Itoa(i), i)
		}
		n := 0
		x.All(func(wamp.Match, string, int) bool { n++; return n < 3 })
		if n != 3 {
			t.Errorf("%v: %d entries after being told to stop at 3", m, n)
		}
	}
}

func TestLookUpsDoNotAllocate(t *testing.T) {
	var x Index[int]
	fill(&x, 1000)
	sum := 0
	if n := testing.AllocsPerRun(100, func() {
		for _, uri := range []string{"com.exact.7.get", "com.prefix.7.and.more", "com.wild7.x.get", "org.nothing"} {
			v, _, _ := x.Best(uri)
			sum += v
			x.Each(uri, func(v int) bool { sum += v; return true })
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A reload replaces entries while they are looked up: none may be missing for an
// instant, whatever else comes and goes beside it.
func TestReadersNeverMissWhatIsReplaced(t *testing.T) {
	stable := map[wamp.Match]string{wamp.Exact: "com.stable", wamp.Prefix: "com.sta", wamp.Wildcard: "com..on"}
	var x Index[int]
	for m, uri := range stable {
		x.Put(m, uri, 0)
	}
	var readers sync.WaitGroup
	done := make(chan struct{})
	for m, uri := range stable {
		readers.Go(func() {
			concrete := strings.Replace(uri, "..", ".x.", 1)
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, ok := x.Get(m, uri); !ok {
					t.Errorf("%v %q is missing", m, uri)
					return
				}
				if _, got, ok := x.Best(concrete); !ok || got != m {
					t.Errorf("best for %q is %v, %v; want %v", concrete, got, ok, m)
					return
				}
			}
		})
	}
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	for i := range rounds {
		for m, uri := range stable {
			x.Put(m, uri, i)
			for j := range 40 {
				x.Put(m, fmt.Sprintf("org..%d.%s", j, uri), j)
			}
			for j := range 40 {
				x.Delete(m, fmt.Sprintf("org..%d.%s", j, uri))
			}
		}
	}
	close(done)
	readers.Wait()
	if x.Len() != len(stable) {
		t.Errorf("%d entries left, want %d", x.Len(), len(stable))
	}
}

// What is deleted leaves nothing behind, so that an index which sees many
// entries come and go does not grow.
func TestDeletedEntriesLeaveNoNodes(t *testing.T) {
	var x Index[int]
	fill(&x, 1000)
	x.All(func(m wamp.Match, uri string, _ int) bool {
		x.Delete(m, uri)
		return true
	})
	if x.Len() != 0 || x.prefix.root.Load() != nil || x.wildcard.shapes.Load() != nil {
		t.Errorf("left: %d entries, prefix root %v, shapes %v", x.Len(), x.prefix.root.Load(), x.wildcard.shapes.Load())
	}
	for _, m := range []*hashMap[int]{&x.exact, &x.wildcard.patterns} {
		if n := len(*m.table.Load()); n != minBuckets {
			t.Errorf("%d buckets left", n)
		}
	}
}

// fill puts n entries of each policy, with the fan-out of real ones.
func fill(x *Index[int], n int) {
	for i := range n {
		x.Put(wamp.Exact, fmt.Sprintf("com.exact.%d.get", i), i)
		x.Put(wamp.Prefix, fmt.Sprintf("com.prefix.%d.", i), i)
		x.Put(wamp.Wildcard, fmt.Sprintf("com.wild%d..get", i), i)
	}
}
