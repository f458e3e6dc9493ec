package lua51

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Warning says where a program, which can be run, is probably not what its author
// meant.
type Warning struct {
	File    string
	Line    int
	Message string
}

func (w Warning) String() string { return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Message) }

// Findings are what [Inspect] found in one file.
type Findings struct {
	Warnings []Warning   // about locals and statements, by line
	Globals  []GlobalUse // in order; what they mean depends on other files
}

// GlobalUse is one place where a global is read or assigned.
type GlobalUse struct {
	Name     string
	Field    string // the field of it that is meant; empty: the global itself
	Line     int
	Assigned bool
	Function bool // inside of a function, not at the top level
}

// Inspect compiles a source text as Compile does, and returns what is odd about
// it. Names that begin with _ may go unused. The error is Compile's.
func Inspect(name string, source []byte) (*Findings, error) {
	i := &inspector{file: name, locals: map[*lua.DbgLocalInfo]*local{}, field: -1}
	if _, err := compile(name, source, &unit{assigned: map[string]bool{}, inspector: i}); err != nil {
		return nil, err
	}
	slices.SortStableFunc(i.warnings, func(a, b Warning) int { return cmp.Compare(a.Line, b.Line) })
	return &Findings{i.warnings, i.globals}, nil
}

// localKind is how a local came to be.
type localKind uint8

const (
	kindLocal localKind = iota
	kindFunction
	kindArgument
	kindLoop
)

func (k localKind) String() string {
	return [...]string{"local", "local function", "argument", "loop variable"}[k]
}

// local is what is known of one local variable.
type local struct {
	name      string
	line      int
	kind      localKind
	group     int // those of one declaration have the same, in order
	first     bool
	reads     int
	writes    int // after the declaration
	values    int // reads other than calls
	lastRead  int // number of the statement
	shadows   []*local
	arguments []*local // of a function: those that it does not use
}

func (l *local) exempt() bool {
	return strings.HasPrefix(l.name, "_") || strings.HasPrefix(l.name, "(") || l.name == "self" || l.name == "arg"
}

// inspector watches a file being compiled. The methods of nil do nothing.
type inspector struct {
	file     string
	warnings []Warning
	globals  []GlobalUse
	locals   map[*lua.DbgLocalInfo]*local
	declared []*local // not active yet
	last     *local   // that a name stood for; nil: it was a global
	field    int      // index in globals of the field that was read last; -1: another expression came since
	groups   int
	number   int // of the statement
	unused   []*local
}

func (i *inspector) warn(line int, format string, args ...any) {
	i.warnings = append(i.warnings, Warning{i.file, line, fmt.Sprintf(format, args...)})
}

func (i *inspector) statement() {
	if i != nil {
		i.number++
	}
}

// group begins a declaration of several locals.
func (i *inspector) group() {
	if i != nil {
		i.groups++
	}
}

// declare notes a local that is to become active.
func (i *inspector) declare(name string, line int) {
	if i == nil {
		return
	}
	first := len(i.declared) == 0 || i.declared[len(i.declared)-1].group != i.groups
	i.declared = append(i.declared, &local{name: name, line: line, group: i.groups, first: first || strings.HasPrefix(i.declared[len(i.declared)-1].name, "(")})
}

// mark says what the local declared last is.
func (i *inspector) mark(k localKind) {
	if i != nil {
		i.declared[len(i.declared)-1].kind = k
	}
}

// activate makes the oldest declared local that of info, in f.
func (i *inspector) activate(info *lua.DbgLocalInfo, f *function) {
	if i == nil {
		return
	}
	l := i.declared[0]
	i.declared = i.declared[1:]
	i.locals[info] = l
	if !l.exempt() {
		i.hide(l, f)
	}
}

// hide looks for the local that one of f hides. In f itself it may be hidden where
// it is not wanted any more; other functions run at other times.
func (i *inspector) hide(l *local, f *function) {
	for g := f; g != nil; g = g.parent {
		for n := len(g.active) - 1; n >= 0; n-- {
			hidden := i.locals[g.active[n]]
			if hidden == nil || hidden.name != l.name {
				continue
			}
			switch {
			case hidden.lastRead >= f.since: // on purpose: local a = a
			case g != f && l.kind == kindArgument && hidden.kind == kindArgument: // as those of callbacks, which are named alike
			case g != f && hidden.reads > 0:
				i.warn(l.line, "%s '%s' hides the one of line %d", l.kind, l.name, hidden.line)
			default:
				hidden.shadows = append(hidden.shadows, l)
			}
			return
		}
	}
}

// read notes that a name stands for a local. Whether its value is wanted, assign
// and called say later.
func (i *inspector) read(info *lua.DbgLocalInfo, line int) {
	if i == nil {
		return
	}
	l := i.locals[info]
	i.last = l
	if l == nil {
		return
	}
	l.reads++
	l.values++
	l.lastRead = i.number
	for _, s := range l.shadows {
		i.warn(s.line, "%s '%s' hides the one of line %d, which is used again at line %d", s.kind, s.name, l.line, line)
	}
	l.shadows = nil
}

// called says that the name just read is called.
func (i *inspector) called() {
	if i != nil && i.last != nil {
		i.last.values--
	}
}

// global notes that a name stands for a global.
func (i *inspector) global(name string, line int, function bool) {
	if i == nil {
		return
	}
	i.last = nil
	i.globals = append(i.globals, GlobalUse{Name: name, Line: line, Function: function})
}

// fieldOf notes a field of the global just read.
func (i *inspector) fieldOf(name string, line int, function bool) {
	if i == nil {
		return
	}
	of := i.globals[len(i.globals)-1]
	i.globals = append(i.globals, GlobalUse{Name: of.Name, Field: name, Line: line, Function: function})
	i.field = len(i.globals) - 1
}

// other says that something else than a field of a global has been parsed.
func (i *inspector) other() {
	if i != nil {
		i.field = -1
	}
}

// assign says that the expression just parsed gets a value.
func (i *inspector) assign(k exprKind) {
	if i == nil {
		return
	}
	switch {
	case (k == exLocal || k == exUpvalue) && i.last != nil:
		i.last.reads--
		i.last.values--
		i.last.writes++
	case k == exGlobal:
		i.globals[len(i.globals)-1].Assigned = true
	case k == exIndexed && i.field >= 0:
		i.globals[i.field].Assigned = true
	}
}

// close judges locals whose scope ends, in the order of their declaration. It
// returns the arguments that are not used.
func (i *inspector) close(ended []*lua.DbgLocalInfo) {
	if i == nil {
		return
	}
	i.unused = nil
	needed := 0 // the group of which a later one is used: the earlier are in its way
	for n := len(ended) - 1; n >= 0; n-- {
		l := i.locals[ended[n]]
		if l == nil {
			continue
		}
		if l.kind == kindFunction && l.values == 0 && l.writes == 0 {
			for _, a := range l.arguments {
				i.warn(a.line, "unused argument '%s' of function '%s'", a.name, l.name)
			}
		}
		if l.reads > 0 {
			needed = l.group
		}
		if l.reads > 0 || needed == l.group || l.exempt() {
			continue
		}
		switch {
		case l.kind == kindArgument:
			i.unused = append(i.unused, l)
		case l.kind == kindLoop && l.first: // there is no loop without one
		case l.writes > 0:
			i.warn(l.line, "%s '%s' is given values that nothing reads", l.kind, l.name)
		default:
			i.warn(l.line, "unused %s '%s'", l.kind, l.name)
		}
	}
}

// named says that the function just closed is that of a local.
func (i *inspector) named(info *lua.DbgLocalInfo) {
	if i != nil {
		i.locals[info].arguments = i.unused
	}
}

// unreachable notes a statement behind one after which nothing runs.
func (i *inspector) unreachable(line int) {
	if i != nil {
		i.warn(line, "this is never reached: what stands before it always leaves")
	}
}
