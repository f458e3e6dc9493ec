package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
)

// logFlags are the flags of every command that logs.
type logFlags struct {
	LogFormat string `enum:"auto,text,json" default:"auto" help:"Log as text or json (auto: text on a terminal, json otherwise)." placeholder:"text|json"`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"Least severe level that is logged (debug, info, warn, error)." placeholder:"LEVEL"`
}

// logger returns the logger that the flags ask for.
func (f logFlags) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	terminal := isTerminal(w)
	if f.LogFormat == "json" || f.LogFormat == "auto" && !terminal {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.DateTime, NoColor: !terminal})), nil
}

// isTerminal reports whether stream is a character device other than the null
// device, whatever name it was opened by.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
