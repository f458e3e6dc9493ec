package luatest

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/realm"
	"usher/scripting"
	"usher/scripting/lua51"
)

// The bounds on what is run.
const (
	maxTests     = 10_000 // of one file
	maxTestFiles = 1000
)

// Options say what is tested.
type Options struct {
	// Dir is the scripts directory. Directories below it are searched, too.
	Dir string
	// Skip are directories below Dir that are left out, with what is below them.
	Skip []string
	// Scripting is how the configuration runs scripts. Where they are, the
	// environment and what is outside are the tests' own.
	Scripting scripting.Options
	// Policy has the configuration's realms and roles. Nil: the tests name theirs.
	Policy *realm.Policy
	// Realm is the one that tests join and log in to. Empty, or none: the first.
	Realm string
	// Authenticators are those that the configuration names.
	Authenticators []*auth.Dynamic

	// Filter picks the tests whose file, or title, contains it. Empty: all.
	Filter string
	// Coverage counts which lines of the scripts run.
	Coverage bool
	// Timeout bounds one test; zero: 10 s.
	Timeout time.Duration
}

// Status is what became of a test.
type Status int

// The statuses of a test.
const (
	Passed Status = iota
	Failed
	Skipped // it said so
	Pending // it is not written yet
)

// Result is what became of one test, or of a file that cannot be run.
type Result struct {
	File     string // as it is to be shown
	Title    string // empty: of the file
	Where    string // file:line
	Status   Status
	Reason   string // why it was skipped
	Failures []*Failure
	Log      []string // what the components said, of one that failed
	Took     time.Duration
}

// Report is what became of all tests.
type Report struct {
	Files    int
	Results  []Result
	Coverage []lua51.FileCoverage // with Options.Coverage; files as they are to be shown
}

// Count returns how many results have a status.
func (r *Report) Count(s Status) int {
	n := 0
	for i := range r.Results {
		if r.Results[i].Status == s {
			n++
		}
	}
	return n
}

// Add makes what became of other tests a part of r.
func (r *Report) Add(other *Report) {
	r.Files += other.Files
	r.Results = append(r.Results, other.Results...)
	r.Coverage = append(r.Coverage, other.Coverage...)
}

// suite is one scripts directory with its tests.
type suite struct {
	options  *Options
	coverage *lua51.Coverage // nil: nothing is counted
}

// testFile is one file of tests.
type testFile struct {
	suite  *suite
	root   fs.FS
	name   string // below root
	shown  string
	source []byte
}

// Run runs all tests below a scripts directory, one after the other. The error is
// that of a directory that cannot be read, or ctx's.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	roots, err := findRoots(o.Dir, o.Skip)
	if err != nil {
		return nil, err
	}
	report := &Report{}
	for _, root := range roots {
		s := &suite{options: &o}
		if o.Coverage {
			s.coverage = lua51.NewCoverage()
		}
		for _, name := range root.tests {
			f := &testFile{suite: s, root: os.DirFS(root.dir), name: name, shown: filepath.ToSlash(filepath.Join(root.dir, name))}
			if f.source, err = os.ReadFile(filepath.Join(root.dir, filepath.FromSlash(name))); err != nil {
				return nil, fmt.Errorf("read a test: %w", err)
			}
			report.Files++
			results, err := f.run(ctx)
			if err != nil {
				return nil, err
			}
			report.Results = append(report.Results, results...)
		}
		if o.Coverage {
			if err := s.countUnused(root.dir); err != nil {
				return nil, err
			}
			for _, c := range s.coverage.Files() {
				c.File = filepath.ToSlash(filepath.Join(root.dir, c.File))
				report.Coverage = append(report.Coverage, c)
			}
		}
	}
	return report, nil
}

// countUnused makes the scripts that no test has loaded part of the coverage.
func (s *suite) countUnused(dir string) error {
	seen := map[string]bool{}
	for _, f := range s.coverage.Files() {
		seen[f.File] = true
	}
	scripts, err := filepath.Glob(filepath.Join(dir, "*.lua"))
	if err != nil {
		return err
	}
	for _, path := range scripts {
		name := filepath.Base(path)
		if seen[name] || strings.HasSuffix(name, "_test.lua") || strings.HasPrefix(name, ".") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read a script: %w", err)
		}
		// One that does not compile has no lines; the check says why.
		_, _ = s.coverage.Compile(name, text)
	}
	return nil
}

// root is a scripts directory.
type root struct {
	dir   string
	tests []string // below dir, with slashes
}

// joins finds scripts that are components.
var joins = regexp.MustCompile(`(?m)^[^\n-]*\brouter\s*\.\s*join\b`)

// findRoots finds the tests below dir. A directory whose scripts join a realm is
// a scripts directory of its own; what is below one, and is none, has its modules.
func findRoots(dir string, skip []string) ([]*root, error) {
	var all []*root
	byDir := map[string]*root{}
	count := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read the scripts directory: %w", err)
		}
		if name != dir && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			if slices.Contains(skip, name) {
				return fs.SkipDir
			}
			own := name == dir
			if !own {
				if own, err = isRoot(name); err != nil {
					return err
				}
			}
			if !own {
				byDir[name] = byDir[filepath.Dir(name)]
				return nil
			}
			r := &root{dir: name}
			byDir[name] = r
			all = append(all, r)
			return nil
		}
		if !strings.HasSuffix(name, "_test.lua") {
			return nil
		}
		if count++; count > maxTestFiles {
			return fmt.Errorf("%s has more than %d files of tests", dir, maxTestFiles)
		}
		r := byDir[filepath.Dir(name)]
		below, err := filepath.Rel(r.dir, name)
		if err != nil {
			return err
		}
		r.tests = append(r.tests, filepath.ToSlash(below))
		return nil
	})
	return slices.DeleteFunc(all, func(r *root) bool { return len(r.tests) == 0 }), err
}

func isRoot(dir string) (bool, error) {
	scripts, err := filepath.Glob(filepath.Join(dir, "*.lua"))
	if err != nil {
		return false, err
	}
	for _, name := range scripts {
		if strings.HasSuffix(name, "_test.lua") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return false, fmt.Errorf("read a script: %w", err)
		}
		if joins.Match(text) {
			return true, nil
		}
	}
	return false, nil
}

// run runs the tests of a file, each in a world of its own.
func (f *testFile) run(ctx context.Context) ([]Result, error) {
	plan, err := newWorld(ctx, f, nil)
	if err != nil {
		where, message := splitPosition(scripting.ErrorText(err))
		failure := &Failure{Where: cmp.Or(where, f.shown), What: "the file cannot be run", Got: message}
		return []Result{{File: f.shown, Where: failure.Where, Status: Failed, Failures: []*Failure{failure}}}, ctx.Err()
	}
	defer plan.close()
	var results []Result
	for i, c := range plan.cases {
		title := c.title()
		if filter := f.suite.options.Filter; !strings.Contains(f.shown, filter) && !strings.Contains(title, filter) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r := Result{File: f.shown, Title: title, Where: c.where, Status: Pending}
		if c.run != nil {
			s := c.merged()
			begun := time.Now()
			f.runOne(ctx, &r, i, &s)
			r.Took = time.Since(begun)
		}
		results = append(results, r)
	}
	return results, nil
}

// runOne runs test number index.
func (f *testFile) runOne(ctx context.Context, r *Result, index int, s *settings) {
	w, err := newWorld(ctx, f, s)
	if err == nil && index >= len(w.cases) {
		err = fmt.Errorf("%s: the file has other tests each time that it is run", f.shown)
		w.close()
	}
	if err != nil {
		where, message := splitPosition(scripting.ErrorText(err))
		r.Status = Failed
		r.Failures = []*Failure{{Where: cmp.Or(where, r.Where), What: "the test cannot be run", Got: message}}
		return
	}
	w.running = w.cases[index]
	w.runCase(ctx)
	w.close()
	r.Failures = w.failures
	switch {
	case len(r.Failures) > 0:
		r.Status = Failed
		r.Log = w.log.lines()
		for _, failure := range r.Failures {
			failure.Where = cmp.Or(failure.Where, r.Where)
		}
	case w.skipped != "":
		r.Status, r.Reason = Skipped, w.skipped
	default:
		r.Status = Passed
	}
}

// runCase runs the running test with its hooks: what must be undone is undone
// also after a failure.
func (w *world) runCase(ctx context.Context) {
	c := w.running
	groups := c.groups()
	ok := true
	for _, g := range groups {
		for _, fn := range g.before {
			ok = ok && w.step(ctx, "before_each", fn)
		}
	}
	if ok {
		w.step(ctx, "the test", c.run, c.args...)
	}
	slices.Reverse(groups)
	for _, g := range groups {
		for _, fn := range g.after {
			w.step(ctx, "after_each", fn)
		}
	}
}

// step calls one function of the test.
func (w *world) step(ctx context.Context, what string, fn *lua.LFunction, args ...lua.LValue) bool {
	if w.bench.Broken() {
		return false
	}
	before := w.failed()
	err := w.bench.Do(ctx, what, fn, args...)
	if err == nil || w.skipped != "" {
		return err == nil && w.failed() == before
	}
	if w.failed() == before {
		where, message := splitPosition(scripting.ErrorText(err))
		w.fail(&Failure{Where: where, What: "error in " + what, Got: message})
	}
	return false
}

func (w *world) failed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.failures)
}

// splitPosition takes "file:line: " off a message.
func splitPosition(message string) (where, rest string) {
	file, after, ok := strings.Cut(message, ".lua:")
	line, rest, closed := strings.Cut(after, ":")
	if _, err := strconv.Atoi(line); !ok || !closed || err != nil || strings.ContainsAny(file, "\n") {
		return "", message
	}
	return file + ".lua:" + line, strings.TrimPrefix(rest, " ")
}
