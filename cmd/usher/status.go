package main

import (
	"errors"
	"regexp"

	"github.com/alecthomas/kong"
)

// The exit statuses. Commands that are clients have those from exitConnect on, too.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitConnect = 3 // no connection
	exitLogin   = 4 // the router refused the login
	exitAnswer  = 5 // the answer was a WAMP error
	exitTimeout = 6 // no answer in time
)

// statusError ends a command with another exit status than exitFailed.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// statusOf is the exit status of a command that ended with err.
func statusOf(err error) int {
	var chosen *statusError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &chosen):
		return chosen.status
	}
	return exitFailed
}

// usageError is wrong usage that the parser cannot see.
func usageError(err error) error { return &statusError{exitUsage, err} }

// errQuiet ends a command with exit status 1 where it has said everything already.
var errQuiet = errors.New("failed")

// What the parser says of a negative number, which it takes for a flag, and of a
// configuration without its flag.
var (
	negativeNumber = regexp.MustCompile(`^unknown flag -\d`)
	strayFile      = regexp.MustCompile(`^unexpected argument (\S+\.(ya?ml|json))$`)
)

// usageHint says where to read on, behind an error of the parser.
func usageHint(err error) string {
	if negativeNumber.MatchString(err.Error()) {
		return "A negative number goes behind --, as in: usher call com.example.add2 -- 2 -3"
	}
	if file := strayFile.FindStringSubmatch(err.Error()); file != nil {
		return "A configuration is given with --config, as in: usher serve --config " + file[1]
	}
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context.Selected() != nil {
		return "usher --help lists the commands, " + parse.Context.Selected().FullPath() + " --help its flags."
	}
	return "usher --help lists the commands."
}
