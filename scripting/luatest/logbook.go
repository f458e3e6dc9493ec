package luatest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// maxRecords bounds what is kept of the log of one test.
const maxRecords = 1000

// logBook keeps what the host and the components log. It may be used from
// anywhere.
type logBook struct {
	mu      sync.Mutex
	records []record
}

type record struct {
	level   slog.Level
	message string
	fields  map[string]string
}

// branch is the logBook with attributes.
type branch struct {
	*logBook
	attrs []slog.Attr
}

var (
	_ slog.Handler = (*logBook)(nil)
	_ slog.Handler = (*branch)(nil)
)

// Enabled implements slog.Handler.
func (b *logBook) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (b *logBook) Handle(ctx context.Context, r slog.Record) error {
	return (&branch{logBook: b}).Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (b *logBook) WithAttrs(attrs []slog.Attr) slog.Handler { return &branch{b, attrs} }

// WithGroup implements slog.Handler. Nothing here has groups.
func (b *logBook) WithGroup(string) slog.Handler { return b }

// WithAttrs implements slog.Handler.
func (b *branch) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &branch{b.logBook, append(b.attrs[:len(b.attrs):len(b.attrs)], attrs...)}
}

// WithGroup implements slog.Handler.
func (b *branch) WithGroup(string) slog.Handler { return b }

// Handle implements slog.Handler.
func (b *branch) Handle(_ context.Context, r slog.Record) error {
	out := record{level: r.Level, message: r.Message, fields: map[string]string{}}
	for _, a := range b.attrs {
		out.fields[a.Key] = a.Value.String()
	}
	r.Attrs(func(a slog.Attr) bool {
		out.fields[a.Key] = a.Value.String()
		return true
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.records) < maxRecords {
		b.records = append(b.records, out)
	}
	return nil
}

func (b *logBook) all() []record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]record(nil), b.records...)
}

// lines are those that help to understand a failure.
func (b *logBook) lines() []string {
	var lines []string
	for _, r := range b.all() {
		if r.message == "script loaded" {
			continue
		}
		line := fmt.Sprintf("%s %s: %s", strings.ToLower(r.level.String()), r.fields["script"], r.message)
		for _, name := range []string{"error", "traceback"} {
			if value := r.fields[name]; value != "" {
				line += " " + name + "=" + value
			}
		}
		lines = append(lines, line)
	}
	return lines
}
