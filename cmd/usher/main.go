package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// errQuiet ends a command with exit status 1 where it has said everything already.
var errQuiet = errors.New("failed")

// streams are what a command reads and writes; tests hand in their own.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// commands is the command line.
type commands struct {
	Serve   serveCommand   `cmd:"" default:"withargs" help:"Run the router (the default). Without a configuration: demo mode."`
	Check   checkCommand   `cmd:"" help:"Validate configuration and scripts, and show what each script registers."`
	Try     tryCommand     `cmd:"" help:"Try one login against the scripts, without a router."`
	Init    initCommand    `cmd:"" help:"Write a configuration and scripts to start from, with random tickets."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run is main without the process: it returns the exit status.
func run(ctx context.Context, args []string, s streams) (status int) {
	var c commands
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("usher"),
		kong.Description("A WAMP router whose authenticators are Lua scripts that reload when they are saved."),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { exited = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		fmt.Fprintln(s.err, "usher:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if exited >= 0 { // --help was printed
		return exited
	}
	if err != nil {
		fmt.Fprintf(s.err, "usher: %v\nusher --help lists the commands and their flags.\n", err)
		return exitUsage
	}
	switch err = command.Run(); {
	case err == nil:
		return exitOK
	case errors.Is(err, errQuiet):
	default:
		fmt.Fprintln(s.err, "usher:", err)
	}
	return exitFailed
}
