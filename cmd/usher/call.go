package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/router/client"
	"usher/router/wamp"
)

// callCommand is "usher call".
type callCommand struct {
	sessionFlags
	Procedure string `arg:"" help:"The procedure's URI."`
	payloadFlags
	Timeout         time.Duration `placeholder:"DURATION" help:"How long the call may take, e.g. 5s; the router is told. Default: 30s, and the router is not."`
	ReceiveProgress bool          `help:"Print progressive results too, each on a line of its own."`
	DiscloseMe      *bool         `negatable:"" help:"Ask the router to tell the callee who calls."`
}

// answerLine is a line of standard output: a result, or the error that answered.
type answerLine struct {
	Progress bool   `json:"progress,omitempty"`
	Error    string `json:"error,omitempty"`
	content
}

// Validate is called by kong before Run.
func (c callCommand) Validate() error { return notAddresses(c.Procedure) }

// Run calls a procedure and prints its result.
func (c callCommand) Run(ctx context.Context, s streams) error {
	p, err := c.payload()
	if err != nil {
		return usageError(err)
	}
	if c.Timeout < 0 || c.Timeout > 0 && c.Timeout < time.Millisecond {
		return usageError(fmt.Errorf("--timeout: %s is less than 1ms", c.Timeout))
	}
	o := wamp.CallOptions{DiscloseMe: optional(c.DiscloseMe), Timeout: uint64(c.Timeout / time.Millisecond)}
	return c.do(ctx, s, func(ctx context.Context, session *commandSession) error {
		// Where the router is told, its answer is worth a moment more.
		limit := answerTimeout
		if c.Timeout > 0 {
			limit = c.Timeout + leaveTimeout
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		var progress client.ResultHandler
		if c.ReceiveProgress {
			progress = func(r *wamp.Result) {
				if session.answer(answerLine{Progress: true}, r.Payload, r.Passthru) != nil {
					cancel() // nobody reads what comes
				}
			}
		}
		call, err := session.StartCall(c.Procedure, o, p, progress)
		if err != nil {
			return err
		}
		r, err := call.Wait(ctx)
		if outErr := session.out.failure(); outErr != nil {
			return outErr
		}
		var answer *client.Error
		switch {
		case err == nil:
			return session.answer(answerLine{}, r.Payload, r.Passthru)
		case errors.As(err, &answer):
			return errors.Join(err, session.answer(answerLine{Error: answer.URI}, answer.Payload, nil))
		}
		return err
	})
}

// answer prints a line with a payload.
func (c *commandSession) answer(line answerLine, p wamp.Payload, ppt *wamp.Passthru) (err error) {
	if line.content, err = contentOf(p, ppt); err != nil {
		return err
	}
	return c.out.print(line)
}
