package match

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"usher/router/wamp"
)

// sizes are the numbers of entries at which the cost of one URI is measured: it
// must not grow with them.
var sizes = []int{1_000, 10_000, 100_000}

// entry is one entry of a set, and a URI that it matches.
type entry struct {
	match    wamp.Match
	uri, hit string
}

// mixed is the i-th entry of a set of all kinds, with the fan-out of real ones.
func mixed(i int) entry {
	switch i % 3 {
	case 0:
		uri := fmt.Sprintf("com.exact.%d.get", i)
		return entry{wamp.Exact, uri, uri}
	case 1:
		return entry{wamp.Prefix, fmt.Sprintf("com.prefix.%d.", i), fmt.Sprintf("com.prefix.%d.and.more", i)}
	default:
		return entry{wamp.Wildcard, fmt.Sprintf("com.wild%d..get", i), fmt.Sprintf("com.wild%d.x.get", i)}
	}
}

// only makes an entry of mixed one of the given policy.
func only(m wamp.Match) func(int) entry {
	return func(i int) entry {
		switch m {
		case wamp.Prefix:
			return mixed(3*i + 1)
		case wamp.Wildcard:
			return mixed(3*i + 2)
		}
		return mixed(3 * i)
	}
}

var sets = []struct {
	name  string
	entry func(int) entry
}{
	{"exact", only(wamp.Exact)},
	{"prefix", only(wamp.Prefix)},
	{"wildcard", only(wamp.Wildcard)},
	{"mixed", mixed},
}

// eachSet runs a benchmark on each set in each size.
func eachSet(b *testing.B, bench func(b *testing.B, x *Index[int], n int, entry func(int) entry)) {
	for _, set := range sets {
		for _, n := range sizes {
			var x Index[int]
			for i := range n {
				e := set.entry(i)
				x.Put(e.match, e.uri, i)
			}
			b.Run(fmt.Sprintf("%s/%d", set.name, n), func(b *testing.B) {
				b.ReportAllocs()
				bench(b, &x, n, set.entry)
			})
		}
	}
}

// spread returns 256 URIs that entries spread over the whole set match.
func spread(n int, entry func(int) entry) []string {
	uris := make([]string, 256)
	for i := range uris {
		uris[i] = entry(i * n / len(uris)).hit
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(uris), func(i, j int) { uris[i], uris[j] = uris[j], uris[i] })
	return uris
}

func BenchmarkBestHit(b *testing.B) {
	eachSet(b, func(b *testing.B, x *Index[int], n int, entry func(int) entry) {
		uris := spread(n, entry)
		for i := 0; b.Loop(); i++ {
			if _, _, ok := x.Best(uris[i%len(uris)]); !ok {
				b.Fatal("no match")
			}
		}
	})
}

func BenchmarkEachHit(b *testing.B) {
	eachSet(b, func(b *testing.B, x *Index[int], n int, entry func(int) entry) {
		uris := spread(n, entry)
		sum := 0
		add := func(v int) bool { sum += v; return true }
		for i := 0; b.Loop(); i++ {
			x.Each(uris[i%len(uris)], add)
		}
	})
}

// BenchmarkEachMiss looks for URIs that differ from those of the set late.
func BenchmarkEachMiss(b *testing.B) {
	eachSet(b, func(b *testing.B, x *Index[int], n int, entry func(int) entry) {
		uris := spread(n, entry)
		for i, uri := range uris {
			uri = strings.ReplaceAll(uri, ".get", ".got")
			uris[i] = strings.Replace(uri, ".prefix.", ".prefix.x", 1)
		}
		for i := 0; b.Loop(); i++ {
			x.Each(uris[i%len(uris)], func(int) bool { b.Fatal("a match"); return false })
		}
	})
}

func BenchmarkBestParallel(b *testing.B) {
	var x Index[int]
	fill(&x, 10_000)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			x.Best("com.exact.77.get")
		}
	})
}

func BenchmarkPutDelete(b *testing.B) {
	eachSet(b, func(b *testing.B, x *Index[int], n int, entry func(int) entry) {
		for i := n; b.Loop(); i++ {
			e := entry(i)
			x.Put(e.match, e.uri, i)
			x.Delete(e.match, e.uri)
		}
	})
}

// BenchmarkBuild fills an index and empties it again; it reports the memory that
// one entry takes with its URI.
func BenchmarkBuild(b *testing.B) {
	for _, set := range sets {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", set.name, n), func(b *testing.B) {
				var size uint64
				for b.Loop() {
					before := heap()
					var x Index[int]
					for i := range n {
						e := set.entry(i)
						x.Put(e.match, e.uri, i)
					}
					size = heap() - before
					for i := range n {
						e := set.entry(i)
						x.Delete(e.match, e.uri)
					}
				}
				b.ReportMetric(float64(size)/float64(n), "B/entry")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
			})
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// hostile are sets whose entries match their URI nearly, but do not match it. A
// realm allows as many shapes of one length as the first two have.
var hostile = []struct {
	name  string
	match wamp.Match
	entry func(int) string
	uri   string
}{
	{"beginnings", wamp.Wildcard, func(i int) string { return fmt.Sprintf("%s.%d", pattern(i%1024, 17), i) }, strings.Repeat("a.", 17) + "a"},
	{"ends", wamp.Wildcard, func(i int) string { return fmt.Sprintf("%d.%s", i, pattern(i%1024, 17)) }, strings.Repeat("a.", 17) + "a"},
	{"few shapes", wamp.Wildcard, func(i int) string { return fmt.Sprintf("%s.%d", pattern(i%64, 6), i) }, strings.Repeat("a.", 6) + "a"},
	{"one shape", wamp.Wildcard, func(i int) string { return fmt.Sprintf("..%d.", i) }, "a.b.c.d"},
	{"longer", wamp.Wildcard, func(i int) string { return fmt.Sprintf("%s.a.%d", pattern(i%1024, 17), i) }, strings.Repeat("a.", 17) + "a"},
	{"branches", wamp.Prefix, func(i int) string { return strings.Repeat("a", i%200) + fmt.Sprint(i) }, strings.Repeat("a", 300)},
}

// pattern is one of so many components, each "a" or, by a bit of i, a wildcard.
func pattern(i, components int) string {
	parts := make([]string, components)
	for j := range parts {
		if i>>j&1 == 0 {
			parts[j] = "a"
		}
	}
	return strings.Join(parts, ".")
}

func BenchmarkHostile(b *testing.B) {
	for _, set := range hostile {
		for _, n := range sizes {
			var x Index[int]
			for i := range n {
				x.Put(set.match, set.entry(i), i)
			}
			b.Run(fmt.Sprintf("%s/%d", set.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					x.Each(set.uri, func(int) bool { b.Fatal("a match"); return false })
				}
			})
		}
	}
}
