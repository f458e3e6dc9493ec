package lua51_test

import (
	"fmt"
	"strings"
)

// random is a small generator of its own, so that a seed makes the same
// programs with every version of Go.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) below(n int) int           { return int(r.next() % uint64(n)) }
func (r *random) between(low, high int) int { return low + r.below(high-low+1) }
func (r *random) chance(percent int) bool   { return r.below(100) < percent }

func pick[T any](r *random, of ...T) T { return of[r.below(len(of))] }

// program is a Lua program that is being generated.
type program struct {
	*random
	text   strings.Builder
	indent int
	names  int
}

func (p *program) line(format string, args ...any) {
	p.text.WriteString(strings.Repeat("  ", p.indent))
	fmt.Fprintf(&p.text, format, args...)
	p.text.WriteByte('\n')
}

func (p *program) block(head string, body func(), tail string) {
	p.line("%s", head)
	p.indent++
	body()
	p.indent--
	p.line("%s", tail)
}

func (p *program) fresh(prefix string) string {
	p.names++
	return fmt.Sprintf("%s%d", prefix, p.names)
}

// generate makes program number n of a seed. One half is like the scripts of
// authenticators, the other is of random statements and library calls.
func generate(seed, n uint64) string {
	p := &program{random: &random{state: seed<<32 ^ n*0x9e3779b1}}
	p.next()
	if n%2 == 0 {
		p.authenticator()
	} else if n%8 == 7 {
		p.library()
	} else {
		p.language()
	}
	return p.text.String()
}
