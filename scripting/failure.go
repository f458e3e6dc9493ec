package scripting

import (
	"errors"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lualib"
)

// maxFailureText bounds a failure's message and traceback in the log, in bytes.
const maxFailureText = 4096

// Failure is a script that did not do what it should: it raised an error, was
// stopped, or returned what it may not. It is for the log, never for a client;
// secrets of the call have been taken out.
type Failure struct {
	Component  string
	Generation uint64
	Handler    string // what was running, e.g. "procedure com.example.add2"
	Message    string // begins with file:line where that is known
	Traceback  string // on one line; may be empty

	cause  error      // why it was stopped; nil: it was not
	raised lua.LValue // the error value, while the VM is the caller's; may be nil
}

func (f *Failure) Error() string {
	text := f.Message + " (in " + f.Handler + ")"
	if f.Traceback != "" {
		text += " traceback: " + f.Traceback
	}
	return text
}

// Unwrap is why the script was stopped: one of lua51's errors, or nil.
func (f *Failure) Unwrap() error { return f.cause }

// fail describes what went wrong in a call: err, or that it was stopped.
func (v *vm) fail(handler string, err, stop error) *Failure {
	f := &Failure{Component: v.gen.name, Generation: v.gen.number, Handler: handler, cause: stop}
	var api *lua.ApiError
	switch {
	case errors.As(err, &api):
		f.raised = api.Object
		f.Traceback = traceback(api.StackTrace)
		f.Message = v.describe(api)
	case err != nil:
		f.Message = err.Error()
	}
	if stop != nil {
		where := firstPosition(f.Message)
		if where == "" {
			where = v.gen.file + ": "
		}
		f.Message = where + stop.Error()
	}
	f.Message = lualib.CutText(v.redact(f.Message), maxFailureText)
	f.Traceback = lualib.CutText(v.redact(f.Traceback), maxFailureText)
	return f
}

// describe returns the text of a raised value, with file:line where it is known.
func (v *vm) describe(api *lua.ApiError) string {
	switch object := api.Object.(type) {
	case lua.LString:
		if api.Type == lua.ApiErrorPanic {
			return tracebackPosition(api.StackTrace) + "panic in the interpreter: " + string(object)
		}
		return string(object)
	case *lua.LTable:
		text := "error value of type table"
		if e := v.wampError(object); e != nil {
			text = e.String()
		}
		if object == v.raised {
			return v.raisedAt + text
		}
		return tracebackPosition(api.StackTrace) + text
	case nil:
		return "unknown error"
	default:
		return tracebackPosition(api.StackTrace) + "error value of type " + lualib.TypeName(object)
	}
}

// firstPosition returns the "file:line: " that a message begins with, or "".
func firstPosition(message string) string {
	name, rest, ok := strings.Cut(message, ":")
	if !ok || !strings.HasSuffix(name, ".lua") {
		return ""
	}
	line, _, ok := strings.Cut(rest, ":")
	if !ok || line == "" || strings.Trim(line, "0123456789") != "" {
		return ""
	}
	return name + ":" + line + ": "
}

// traceback puts the interpreter's traceback on one line.
func traceback(text string) string {
	var frames []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line == "stack traceback:" || strings.HasPrefix(line, "[G]") || line == "(caught)" {
			continue
		}
		frames = append(frames, line)
	}
	return strings.Join(frames, "; ")
}

// tracebackPosition returns where the innermost Lua function of a traceback was.
func tracebackPosition(text string) string {
	for line := range strings.Lines(text) {
		where, _, ok := strings.Cut(strings.TrimSpace(line), " in ")
		if p := firstPosition(where + " "); ok && p != "" {
			return p
		}
	}
	return ""
}
