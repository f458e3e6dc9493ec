package lua51

import "fmt"

// SyntaxError is a source text that is not Lua 5.1, or that passes one of the
// language's fixed limits. Message is what the reference implementation says.
type SyntaxError struct {
	File    string
	Line    int
	Message string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message) }

// Refusal is valid Lua 5.1 that cannot run here as the reference
// implementation would run it, so it does not run at all. See [Unavailable] for
// the whole list.
type Refusal struct {
	File    string
	Line    int
	Message string // what is refused
	Instead string // a way to write it

	global string // a file that assigns it means its own
}

func (e *Refusal) Error() string {
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Message, e.Instead)
}
