package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reader collects what is wrong while a tree is read into a Config. A value that
// is wrong is told and read as if it were absent, so that the rest is read too.
type reader struct {
	file     string
	crossbar bool // a Crossbar.io node file: what is unknown is no error
	problems []Problem
	warnings []Problem
	checks   []func() // to run when everything is read: references between parts

	certificateUsers []value // methods that want a client certificate
	cookieStores     []cookieStore
}

func (r *reader) problem(v value, format string, args []any) Problem {
	p := Problem{File: r.file, Path: v.path, Message: fmt.Sprintf(format, args...)}
	if v.n != nil {
		p.Line, p.Column = v.n.line, v.n.column
	}
	return p
}

// value is a node with its way from the root. Its node is nil where the file
// does not have it.
type value struct {
	r    *reader
	n    *node
	path string
}

func (v value) absent() bool { return v.n == nil }

// fail tells what is wrong with v.
func (v value) fail(format string, args ...any) {
	v.r.problems = append(v.r.problems, v.r.problem(v, format, args))
}

// warn tells what of v is accepted but does not work as written.
func (v value) warn(format string, args ...any) {
	v.r.warnings = append(v.r.warnings, v.r.problem(v, format, args))
}

// unsupported tells what usher does not do: an error in its own file, a warning
// in one that was written for Crossbar.io.
func (v value) unsupported(format string, args ...any) {
	if v.r.crossbar {
		v.warn(format, args...)
	} else {
		v.fail(format, args...)
	}
}

// is reports whether v is there and of the kind k; another kind is told.
func (v value) is(k kind) bool {
	if v.n == nil {
		return false
	}
	if v.n.kind != k {
		hint := ""
		switch {
		case k == kindString && (v.n.kind == kindInt || v.n.kind == kindBool || v.n.kind == kindNumber):
			hint = "; put it into quotes"
		case k == kindBool:
			hint = "; write true or false"
		}
		v.fail("want %s, this is %s%s", k, v.n.kind, hint)
		return false
	}
	return true
}

// text returns the string v, or "" where it is absent or wrong.
func (v value) text() string {
	if !v.is(kindString) {
		return ""
	}
	return v.n.text
}

// name is text that must not be empty.
func (v value) name() string {
	s := v.text()
	if s == "" && v.n != nil && v.n.kind == kindString {
		v.fail("must not be empty")
	}
	return s
}

// oneOf is text that must be among names; absent is "".
func (v value) oneOf(what string, names ...string) string {
	if !v.is(kindString) {
		return ""
	}
	if slices.Contains(names, v.n.text) {
		return v.n.text
	}
	hint := suggest(v.n.text, names)
	if hint == "" {
		hint = "; want " + either(names)
	}
	v.fail("%q is not %s%s", v.n.text, what, hint)
	return ""
}

func either(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func (v value) boolean(absent bool) bool {
	if !v.is(kindBool) {
		return absent
	}
	return v.n.text == "true"
}

// integer returns a number from low to high, or 0 where it is absent or wrong.
func (v value) integer(low, high int) int {
	if !v.is(kindInt) {
		return 0
	}
	i, err := strconv.Atoi(v.n.text)
	if err != nil || i < low || i > high {
		v.fail("%s is not from %d to %d", v.n.text, low, high)
		return 0
	}
	return i
}

// duration returns a positive time of at most a day, or 0 where it is absent or wrong.
func (v value) duration() time.Duration { return v.durationTo(24 * time.Hour) }

// durationTo is duration with another upper bound, of whole hours.
func (v value) durationTo(most time.Duration) time.Duration {
	if v.n != nil && v.n.kind == kindInt {
		v.fail("%s has no unit: write %[1]sms or %[1]ss", v.n.text)
		return 0
	}
	if v.n == nil {
		return 0
	}
	if v.n.kind != kindString {
		v.fail("want a duration such as 5s, this is %s", v.n.kind)
		return 0
	}
	d, err := time.ParseDuration(v.n.text)
	switch {
	case err != nil:
		v.fail("%q is not a duration: write 500ms, 5s or 1m30s", v.n.text)
	case d < time.Millisecond || d > most:
		v.fail("%s is not from 1ms to %dh", v.n.text, most/time.Hour)
	default:
		return d
	}
	return 0
}

// size returns bytes from low to high, or 0 where it is absent or wrong.
func (v value) size(low, high int) int {
	if v.n == nil {
		return 0
	}
	if v.n.kind != kindInt && v.n.kind != kindString {
		v.fail("want a size such as 1MiB, this is %s", v.n.kind)
		return 0
	}
	i, ok := parseSize(v.n.text)
	if !ok {
		v.fail("%q is not a size: write 65536, 64KiB or 1MiB", v.n.text)
		return 0
	}
	if i < low || i > high {
		v.fail("%s is not from %s to %s", v.n.text, formatSize(low), formatSize(high))
		return 0
	}
	return i
}

// parseSize reads a number of bytes; beyond 2 GiB it is any that large.
func parseSize(s string) (int, bool) {
	digits := strings.TrimRight(s, "BKMGibkm")
	unit := 0
	switch s[len(digits):] {
	case "", "B":
		unit = 1
	case "KiB":
		unit = 1 << 10
	case "MiB":
		unit = 1 << 20
	case "GiB":
		unit = 1 << 30
	case "kB", "KB":
		unit = 1000
	case "MB":
		unit = 1000 * 1000
	case "GB":
		unit = 1000 * 1000 * 1000
	default:
		return 0, false
	}
	i, err := strconv.Atoi(strings.TrimSpace(digits))
	if err != nil || i < 0 {
		return 0, false
	}
	if i > math.MaxInt32/unit {
		return math.MaxInt32, true
	}
	return i * unit, true
}

func formatSize(n int) string {
	for _, u := range []struct {
		unit int
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.unit && n%u.unit == 0 {
			return strconv.Itoa(n/u.unit) + u.name
		}
	}
	return strconv.Itoa(n) + "B"
}

// list returns the items of v.
func (v value) list() []value {
	if !v.is(kindList) {
		return nil
	}
	items := make([]value, len(v.n.items))
	for i, n := range v.n.items {
		items[i] = value{v.r, n, v.path + "[" + strconv.Itoa(i) + "]"}
	}
	return items
}

// names returns a list of strings that are not empty and not there twice.
// Where wrong, which may be nil, says what is wrong with one, that is told.
func (v value) names(wrong func(string) string) []string {
	var names []string
	for _, item := range v.list() {
		name := item.name()
		switch {
		case name == "":
			continue
		case slices.Contains(names, name):
			item.fail("%q is here twice", name)
			continue
		case wrong != nil:
			if w := wrong(name); w != "" {
				item.fail("%q %s", name, w)
				continue
			}
		}
		names = append(names, name)
	}
	return names
}

// each calls do for each entry of the dict v, in the order of the file.
func (v value) each(do func(key string, v value)) {
	if !v.is(kindDict) {
		return
	}
	for _, e := range v.n.entries {
		do(e.key, value{v.r, e.value, join(v.path, e.key)})
	}
}

// fields reads a dict whose keys the schema knows. What get was never asked for
// is unknown: the reading itself is the list of keys.
type fields struct {
	value
	known []string
}

// fields returns v as a dict; where it is none, that is told and all is absent.
func (v value) fields() *fields {
	if !v.is(kindDict) {
		v.n = nil
	}
	return &fields{value: v}
}

// fail tells what is wrong with the dict. Where it is none that is told already, and
// what it lacks follows from that.
func (f *fields) fail(format string, args ...any) {
	if f.n != nil {
		f.value.fail(format, args...)
	}
}

// get returns the value of key. In a Crossbar.io file null is absent.
func (f *fields) get(key string) value {
	f.known = append(f.known, key)
	v := value{r: f.r, path: join(f.path, key)}
	if f.n == nil {
		return v
	}
	if i, ok := f.n.index[key]; ok {
		if n := f.n.entries[i].value; n.kind != kindNull || !f.r.crossbar {
			v.n = n
		}
	}
	return v
}

// need is get for a key that must be there.
func (f *fields) need(key string) value {
	v := f.get(key)
	if v.absent() {
		f.fail("%q is missing", key)
	}
	return v
}

// done tells the keys that were never asked for. hints says where a key that
// is misplaced belongs.
func (f *fields) done(hints map[string]string) {
	if f.n == nil {
		return
	}
	for _, e := range f.n.entries {
		if slices.Contains(f.known, e.key) {
			continue
		}
		at := value{f.r, &node{line: e.line, column: e.column}, join(f.path, e.key)}
		switch hint := hints[e.key]; {
		case f.r.crossbar:
			at.warn("usher does not know this; it has no effect")
		case hint != "":
			at.fail("unknown key; %s", hint)
		default:
			at.fail("unknown key%s", suggest(e.key, f.known))
		}
	}
}
