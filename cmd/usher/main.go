package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// streams are what a command reads and writes; tests hand in their own.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// commands is the command line.
type commands struct {
	Serve     serveCommand     `cmd:"" default:"withargs" help:"Run the router (the default). Without a configuration: demo mode."`
	Check     checkCommand     `cmd:"" help:"Validate configuration and scripts, and show what each script registers."`
	Test      testCommand      `cmd:"" help:"Run the tests of scripts: files named NAME_test.lua beside them."`
	Try       tryCommand       `cmd:"" help:"Try one login against the scripts, without a router."`
	Init      initCommand      `cmd:"" help:"Write a configuration and scripts to start from, with random tickets."`
	Call      callCommand      `cmd:"" help:"Call a procedure of a running router and print its result."`
	Publish   publishCommand   `cmd:"" help:"Publish an event at a running router."`
	Subscribe subscribeCommand `cmd:"" help:"Print events of a running router, each as a line of JSON."`
	Register  registerCommand  `cmd:"" help:"Register a procedure at a running router; print and answer its calls."`
	Help      helpCommand      `cmd:"" help:"Describe what scripts can use."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// self is how this program was started, for commands that are to be copied.
func self() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/usher"
	}
	return os.Args[0]
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
		fmt.Fprintf(s.err, "usher: %v\n%s\n", err, usageHint(err))
		return exitUsage
	}
	err = command.Run()
	if err != nil && !errors.Is(err, errQuiet) {
		fmt.Fprintln(s.err, "usher:", err)
	}
	return statusOf(err)
}
