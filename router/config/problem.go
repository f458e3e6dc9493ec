package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxProblems bounds how many problems one file is told, so that a file of the
// wrong kind does not flood a terminal.
const maxProblems = 50

// Problem is one thing that is wrong with a file, or that can't be honoured.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0: the file as a whole
	Path         string // e.g. "realms[0].roles[1].name"; empty: the file as a whole
	Message      string // what is wrong and what to do
}

// String returns the problem as "file:line:column: path: message".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Error is what Load, Parse and Config.CheckFiles return for a file that was
// read but is not acceptable. Its text is one line a problem.
type Error struct {
	Problems []Problem // in the order of the file; at least one
	More     int       // further problems that are not listed
}

func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// newError sorts and bounds ps, which must not be empty.
func newError(ps []Problem) *Error {
	sortProblems(ps)
	e := &Error{Problems: ps}
	if len(ps) > maxProblems {
		e.Problems, e.More = ps[:maxProblems], len(ps)-maxProblems
	}
	return e
}

func sortProblems(ps []Problem) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
