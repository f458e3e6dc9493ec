package luatest

import (
	"fmt"
	"io"
	"strings"
)

// maxLogLines bounds how much of the log is shown with a failure.
const maxLogLines = 20

// Write shows the report to people: each failure with its place, and one line of
// summary.
func (r *Report) Write(out io.Writer) {
	for i := range r.Results {
		result := &r.Results[i]
		for _, f := range result.Failures {
			writeFailure(out, result, f)
		}
		writeLog(out, result.Log)
	}
	for i := range r.Results {
		if result := &r.Results[i]; result.Status == Skipped {
			fmt.Fprintf(out, "%s: skipped: %s (%s)\n", result.Where, result.Title, result.Reason)
		}
	}
	r.writeCoverage(out)
	var summary []string
	for _, s := range []struct {
		status Status
		text   string
	}{{Passed, "passed"}, {Failed, "failed"}, {Skipped, "skipped"}, {Pending, "not written yet"}} {
		if n := r.Count(s.status); n > 0 || s.status == Passed {
			summary = append(summary, fmt.Sprintf("%d %s", n, s.text))
		}
	}
	fmt.Fprintf(out, "%s in %s\n", strings.Join(summary, ", "), plural(r.Files, "file"))
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func writeFailure(out io.Writer, r *Result, f *Failure) {
	title := r.Title
	if title == "" {
		title = "the file"
	}
	fmt.Fprintf(out, "%s: %s: %s\n", f.Where, title, f.What)
	if f.Expected != "" {
		fmt.Fprintf(out, "  expected  %s\n", indent(f.Expected))
	}
	if f.Got != "" {
		label := "got       "
		if f.Expected == "" {
			label = ""
		}
		fmt.Fprintf(out, "  %s%s\n", label, indent(f.Got))
	}
	for _, line := range f.Details {
		fmt.Fprintf(out, "  %s\n", indent(line))
	}
}

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n            ") }

func writeLog(out io.Writer, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(out, "  the log of this test:")
	if more := len(lines) - maxLogLines; more > 0 {
		fmt.Fprintf(out, "    (%d lines before)\n", more)
		lines = lines[more:]
	}
	for _, line := range lines {
		fmt.Fprintf(out, "    %s\n", line)
	}
}

// writeCoverage shows what of each file has run, and which lines have not.
func (r *Report) writeCoverage(out io.Writer) {
	for _, c := range r.Coverage {
		percent := 100.0
		if c.Lines > 0 {
			percent = 100 * float64(c.Lines-len(c.Missed)) / float64(c.Lines)
		}
		fmt.Fprintf(out, "%s: %.1f %% of %s", c.File, percent, plural(c.Lines, "line"))
		if len(c.Missed) > 0 {
			fmt.Fprintf(out, ", not %s", ranges(c.Missed))
		}
		fmt.Fprintln(out)
	}
}

// ranges writes sorted numbers in short: 3, 5-7.
func ranges(lines []int) string {
	var parts []string
	for i := 0; i < len(lines); {
		j := i
		for j+1 < len(lines) && lines[j+1] == lines[j]+1 {
			j++
		}
		part := fmt.Sprint(lines[i])
		if j > i {
			part = fmt.Sprintf("%d-%d", lines[i], lines[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}
