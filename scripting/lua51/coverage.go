package lua51

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	lua "github.com/yuin/gopher-lua"
)

// Coverage counts how often the statements of source files run. What it compiles
// counts by a call at the beginning of each statement; what others compile costs
// nothing. Its methods may be called concurrently; those of nil count nothing.
type Coverage struct {
	mu    sync.Mutex
	files map[string]map[int]*atomic.Int64 // by line
}

// NewCoverage returns one that has counted nothing.
func NewCoverage() *Coverage { return &Coverage{files: map[string]map[int]*atomic.Int64{}} }

// Compile is [Compile], with each run of what it returns counted.
func (c *Coverage) Compile(name string, source []byte) (*lua.FunctionProto, error) {
	if c == nil {
		return Compile(name, source)
	}
	return compile(name, source, &unit{assigned: map[string]bool{}, counter: func(line int) *lua.LFunction {
		n := c.line(name, line)
		return &lua.LFunction{IsG: true, GFunction: func(*lua.LState) int {
			n.Add(1)
			return 0
		}}
	}})
}

func (c *Coverage) line(name string, line int) *atomic.Int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := c.files[name]
	if lines == nil {
		lines = map[int]*atomic.Int64{}
		c.files[name] = lines
	}
	if lines[line] == nil {
		lines[line] = new(atomic.Int64)
	}
	return lines[line]
}

// FileCoverage is what of one file has run.
type FileCoverage struct {
	File   string
	Lines  int   // on which statements begin
	Missed []int // those that have not run, in order
}

// Files returns what has run so far, by the files' names.
func (c *Coverage) Files() []FileCoverage {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]FileCoverage, 0, len(c.files))
	for name, lines := range c.files {
		f := FileCoverage{File: name, Lines: len(lines)}
		for line, n := range lines {
			if n.Load() == 0 {
				f.Missed = append(f.Missed, line)
			}
		}
		slices.Sort(f.Missed)
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b FileCoverage) int { return cmp.Compare(a.File, b.File) })
	return all
}

// count emits the call that counts a statement which begins here.
func (f *function) count() {
	if f.unit.counter == nil || f.free >= maxRegisters {
		return // the last are the program's own
	}
	f.check(1)
	f.helper(f.unit.counter(f.line), f.free)
	f.emit(lua.OP_CALL, f.free, 1, 1)
	f.nameCall("?")
}
