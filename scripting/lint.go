package scripting

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// Known are the globals that there are, each with its fields.
type Known struct {
	Scripts map[string][]string
	Tests   map[string][]string // that tests have beside those
}

// ordinary finds components that ask for ordinary globals.
var ordinary = regexp.MustCompile(`\bvms\s*=\s*1\b`)

// Lint says where the scripts of o, and their tests, are probably not what their
// author meant. It runs nothing, and leaves out what does not compile.
func Lint(o Options, known Known) ([]lua51.Warning, error) {
	o = o.withDefaults()
	snap, err := o.scan(nil)
	if err != nil {
		return nil, err
	}
	l := &linter{known: known, assigned: map[string][]string{}, used: map[string]bool{}}
	for _, name := range snap.names() {
		if f := snap.files[name]; !f.toolong {
			l.add(name, f.source, false)
		}
	}
	if err := l.addTests(&o); err != nil {
		return nil, err
	}
	l.judge()
	slices.SortStableFunc(l.warnings, func(a, b lua51.Warning) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return l.warnings, nil
}

// linter collects what all files say of globals.
type linter struct {
	known    Known
	files    []lintFile
	assigned map[string][]string // globals, and "module.field", with the files that give them values
	used     map[string]bool     // globals that any file reads
	loose    bool                // a component has ordinary globals
	warnings []lua51.Warning
}

type lintFile struct {
	name   string
	test   bool
	unlike map[string]bool // globals of which it was said already
	uses   []lua51.GlobalUse
}

func (l *linter) add(name string, source []byte, test bool) {
	found, err := lua51.Inspect(name, source)
	if err != nil {
		return // the check says so
	}
	l.warnings = append(l.warnings, found.Warnings...)
	l.loose = l.loose || ordinary.Match(source)
	l.files = append(l.files, lintFile{name: name, test: test, unlike: map[string]bool{}, uses: found.Globals})
	for _, u := range found.Globals {
		switch {
		case u.Field != "" && u.Assigned:
			l.assign(u.Name+"."+u.Field, name)
		case u.Field != "":
		case u.Assigned:
			l.assign(u.Name, name)
		default:
			l.used[u.Name] = true
		}
	}
}

func (l *linter) assign(global, file string) {
	l.assigned[global] = append(l.assigned[global], file)
}

// defines reports whether a global has a value in a file that a file gives it: each
// component has globals of its own, which its modules share.
func (l *linter) defines(f *lintFile, global string) bool {
	for _, by := range l.assigned[global] {
		if by == f.name || !isComponent(by) || !isComponent(f.name) {
			return true
		}
	}
	return false
}

// addTests adds the files of tests, which are no part of a snapshot.
func (l *linter) addTests(o *Options) error {
	files := o.FS
	if o.Dir != "" {
		files = os.DirFS(o.Dir)
	}
	if files == nil {
		return nil
	}
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read the scripts directory: %w", err)
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.lua") || strings.HasPrefix(d.Name(), "."):
			return nil
		}
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("read a test: %w", err)
		}
		l.add(name, source, true)
		return nil
	})
}

// find returns the fields of a global that there is in a file.
func (l *linter) find(f *lintFile, name string) (fields []string, ok bool) {
	if f.test {
		if fields, ok = l.known.Tests[name]; ok {
			return fields, true
		}
	}
	fields, ok = l.known.Scripts[name]
	return fields, ok
}

func (l *linter) judge() {
	for i := range l.files {
		f := &l.files[i]
		for _, u := range f.uses {
			if message := l.message(f, u); message != "" {
				l.warnings = append(l.warnings, lua51.Warning{File: f.name, Line: u.Line, Message: message})
			}
		}
	}
}

// message says what is odd about one use; empty: nothing is.
func (l *linter) message(f *lintFile, u lua51.GlobalUse) string {
	fields, known := l.find(f, u.Name)
	switch {
	case u.Field != "":
		if !known || len(fields) == 0 || u.Assigned || l.defines(f, u.Name) || l.defines(f, u.Name+"."+u.Field) || slices.Contains(fields, u.Field) {
			return ""
		}
		if f.test && u.Name == "router" {
			return fmt.Sprintf("%s has no %s in tests%s", u.Name, u.Field, suggest(u.Field, fields))
		}
		return fmt.Sprintf("%s has no %s%s", u.Name, u.Field, suggest(u.Field, fields))
	case !u.Assigned:
		if known || l.defines(f, u.Name) || f.unlike[u.Name] {
			return ""
		}
		f.unlike[u.Name] = true
		return fmt.Sprintf("undefined global '%s'%s", u.Name, suggest(u.Name, l.names(f)))
	case known:
		return fmt.Sprintf("assignment to '%s' hides what all scripts have under that name: choose another, or make it local", u.Name)
	case u.Function && !l.loose && !f.test:
		return fmt.Sprintf("assignment to global '%s' in a function: once the script has loaded that is an error; make it local, or use kv", u.Name)
	case !l.used[u.Name]:
		return fmt.Sprintf("global '%s' is given a value that nothing reads", u.Name)
	}
	return ""
}

func (l *linter) names(f *lintFile) []string {
	var names []string
	for name := range l.known.Scripts {
		names = append(names, name)
	}
	if f.test {
		for name := range l.known.Tests {
			names = append(names, name)
		}
	}
	for name := range l.assigned {
		if l.defines(f, name) && !strings.Contains(name, ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// suggest names the most similar of names, if any is.
func suggest(name string, names []string) string {
	best, least := "", 3
	if len(name) < 5 {
		least = 2
	}
	for _, other := range names {
		if d := distance(name, other); d < least {
			best, least = other, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean '%s'?", lualib.CutText(best, 100))
}

// distance is how many letters must be changed, added, left out or swapped with
// the next one to make b of a; long names are far from everything.
func distance(a, b string) int {
	const long = 64
	if len(a) > long || len(b) > long || len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return long
	}
	var rows [3][long + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
