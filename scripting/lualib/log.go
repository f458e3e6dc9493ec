package lualib

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// The bounds on what one log line of a script holds, in bytes; longer texts are
// cut, and further fields counted.
const (
	MaxLogText   = 4096
	maxLogFields = 32
	maxLogKey    = 64
	maxLogValue  = 1024
)

// LogOptions are the ways out of the module log.
type LogOptions struct {
	// Emit writes one record. It runs on the goroutine of the virtual machine.
	Emit func(level slog.Level, message string, fields []slog.Attr)
	// Redact takes secrets out of each text, before it is cut. Nil: nothing is secret.
	Redact func(text string) string
	// Enabled says whether records of a level are written at all. Nil: all are.
	Enabled func(level slog.Level) bool
}

// OpenLog creates the global table log: log.debug, info, warn and error, each
// (message, fields), fields being a table of names and values.
func OpenLog(L *lua.LState, o LogOptions) {
	if o.Redact == nil {
		o.Redact = func(s string) string { return s }
	}
	if o.Enabled == nil {
		o.Enabled = func(slog.Level) bool { return true }
	}
	level := func(l slog.Level) lua.LGFunction {
		return func(L *lua.LState) int {
			message := CheckString(L, 1)
			var fields *lua.LTable
			if L.Get(2) != lua.LNil {
				fields = CheckTable(L, 2)
			}
			if o.Enabled(l) {
				o.Emit(l, CutText(o.Redact(message), MaxLogText), logFields(fields, o.Redact))
			}
			return 0
		}
	}
	L.SetGlobal("log", newModule(L, map[string]lua.LGFunction{
		"debug": level(slog.LevelDebug),
		"info":  level(slog.LevelInfo),
		"warn":  level(slog.LevelWarn),
		"error": level(slog.LevelError),
	}))
}

// logFields turns a table into attributes, sorted by name.
func logFields(t *lua.LTable, redact func(string) string) []slog.Attr {
	if t == nil {
		return nil
	}
	var fields []slog.Attr
	more := 0
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		if len(fields) == maxLogFields {
			more++
			continue
		}
		name := CutText(redact(key.String()), maxLogKey)
		switch v := value.(type) {
		case lua.LBool:
			fields = append(fields, slog.Bool(name, bool(v)))
		case lua.LNumber:
			fields = append(fields, slog.String(name, redact(lua51.FormatNumber(v))))
		case lua.LString:
			fields = append(fields, slog.String(name, CutText(redact(string(v)), maxLogValue)))
		default:
			fields = append(fields, slog.String(name, TypeName(v)))
		}
	}
	slices.SortFunc(fields, func(a, b slog.Attr) int { return cmp.Compare(a.Key, b.Key) })
	if more > 0 {
		fields = append(fields, slog.Int("fields_left_out", more))
	}
	return fields
}

// CutText returns s as valid UTF-8 of at most about limit bytes.
func CutText(s string, limit int) string {
	if len(s) > limit {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s = s[:limit] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// LogEnabled adapts a logger to LogOptions.Enabled.
func LogEnabled(log *slog.Logger) func(slog.Level) bool {
	return func(l slog.Level) bool { return log.Enabled(context.Background(), l) }
}
