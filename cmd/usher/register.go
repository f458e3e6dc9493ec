package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/router/client"
	"usher/router/wamp"
)

// registerCommand is "usher register".
type registerCommand struct {
	sessionFlags
	Procedure string `arg:"" help:"The procedure's URI, or a pattern as --match says."`
	payloadFlags
	Error           string        `placeholder:"URI" help:"Answer calls with this error, and the arguments as the error's."`
	Progress        bool          `help:"Send each argument but the last as a progressive result, where the caller takes them."`
	Match           string        `enum:"exact,prefix,wildcard" default:"exact" placeholder:"POLICY" help:"How procedures are matched (exact, prefix, wildcard)."`
	Invoke          string        `enum:"single,first,last,roundrobin,random" default:"single" placeholder:"POLICY" help:"Who is called where several register (single, first, last, roundrobin, random)."`
	Concurrency     int           `placeholder:"N" help:"Calls to be handled at a time. Default: any number."`
	DiscloseCaller  *bool         `negatable:"" help:"Ask the router to tell who calls."`
	ForceReregister bool          `help:"Take the procedure from whom has it."`
	Count           int           `placeholder:"N" help:"End after so many calls."`
	Timeout         time.Duration `placeholder:"DURATION" help:"End with exit status 6 where it takes longer."`
}

// invocationLine is a line of standard output.
type invocationLine struct {
	Procedure       string  `json:"procedure"`
	Registration    wamp.ID `json:"registration"`
	Caller          wamp.ID `json:"caller,omitempty"`
	CallerAuthid    string  `json:"caller_authid,omitempty"`
	CallerAuthrole  string  `json:"caller_authrole,omitempty"`
	ReceiveProgress bool    `json:"receive_progress,omitempty"`
	Timeout         uint64  `json:"timeout,omitempty"`
	Trustlevel      *int    `json:"trustlevel,omitempty"`
	content
}

// Help is shown behind the flags' description.
func (registerCommand) Help() string {
	return "Each call is printed and answered with the arguments given here, or with its own where none are given."
}

// Validate is called by kong before Run.
func (c registerCommand) Validate() error { return notAddresses(c.Procedure) }

// Run answers calls until it had enough or is stopped.
func (c registerCommand) Run(ctx context.Context, s streams) error {
	answer, err := c.payload()
	if err != nil {
		return usageError(err)
	}
	if c.Count < 0 || c.Timeout < 0 || c.Concurrency < 0 {
		return usageError(errors.New("--count, --timeout and --concurrency: less than 0 is no bound"))
	}
	m, _ := wamp.ParseMatch(c.Match)
	o := wamp.RegisterOptions{
		Match: m, Invoke: c.Invoke, Concurrency: c.Concurrency,
		DiscloseCaller: optional(c.DiscloseCaller), ForceReregister: c.ForceReregister,
	}
	return c.do(ctx, s, func(ctx context.Context, session *commandSession) error {
		enough := newCounter(c.Count)
		id, err := session.Register(ctx, c.Procedure, o, func(ctx context.Context, i *wamp.Invocation) (wamp.Payload, error) {
			if !enough.take() {
				return wamp.Payload{}, &client.Error{URI: wamp.ErrUnavailable}
			}
			context.AfterFunc(ctx, enough.done) // which is not before the answer is sent: nothing is, behind GOODBYE
			if err := session.invocation(c.Procedure, i); err != nil {
				enough.end() // nobody reads what comes
				return wamp.Payload{}, err
			}
			return c.reply(ctx, session, i, answer)
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(s.err, "registered %s (%s), registration %d\n", c.Procedure, m, id)
		return session.stay(ctx, c.Timeout, enough.reached)
	})
}

// reply is what a call is answered with.
func (c registerCommand) reply(ctx context.Context, session *commandSession, i *wamp.Invocation, answer wamp.Payload) (wamp.Payload, error) {
	if c.Error != "" {
		return answer, &client.Error{URI: c.Error, Payload: answer}
	}
	if answer.Args == nil {
		return i.Payload, nil
	}
	if !c.Progress || !i.Details.ReceiveProgress || len(c.Args) < 2 {
		return answer, nil
	}
	last := len(c.Args) - 1
	for _, arg := range c.Args[:last] {
		if err := session.Progress(ctx, i, wamp.Payload{Format: wamp.JSON, Args: []byte("[" + arg + "]")}); err != nil {
			return wamp.Payload{}, err
		}
	}
	answer.Args = []byte("[" + c.Args[last] + "]")
	return answer, nil
}

// invocation prints a call.
func (c *commandSession) invocation(procedure string, i *wamp.Invocation) (err error) {
	d := &i.Details
	if d.Procedure != "" {
		procedure = d.Procedure
	}
	line := invocationLine{
		Procedure: procedure, Registration: i.Registration,
		Caller: d.Caller, CallerAuthid: d.CallerAuthid, CallerAuthrole: d.CallerAuthrole,
		ReceiveProgress: d.ReceiveProgress, Timeout: d.Timeout, Trustlevel: level(d.Trustlevel),
	}
	if line.content, err = contentOf(i.Payload, d.Passthru); err != nil {
		return err
	}
	return c.out.print(line)
}
