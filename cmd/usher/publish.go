package main

import (
	"context"
	"fmt"

	"usher/router/wamp"
)

// publishCommand is "usher publish".
type publishCommand struct {
	sessionFlags
	Topic string `arg:"" help:"The topic's URI."`
	payloadFlags
	Acknowledge      bool      `negatable:"" default:"true" help:"Wait for the router's word, and print the publication's id."`
	Retain           bool      `help:"Keep the event for those who subscribe later and ask for it."`
	ExcludeMe        *bool     `negatable:"" help:"Whether this session is left out (it is, by default)."`
	DiscloseMe       *bool     `negatable:"" help:"Ask the router to tell subscribers who publishes."`
	Exclude          []wamp.ID `placeholder:"SESSION" help:"Sessions that do not get the event; may be given several times."`
	ExcludeAuthid    []string  `sep:"none" placeholder:"AUTHID" help:"Likewise users."`
	ExcludeAuthrole  []string  `sep:"none" placeholder:"ROLE" help:"Likewise roles."`
	Eligible         []wamp.ID `placeholder:"SESSION" help:"The only sessions that get the event; may be given several times."`
	EligibleAuthid   []string  `sep:"none" placeholder:"AUTHID" help:"Likewise users."`
	EligibleAuthrole []string  `sep:"none" placeholder:"ROLE" help:"Likewise roles."`
	Count            int       `default:"1" placeholder:"N" help:"Publish so many times."`
}

// publicationLine is a line of standard output.
type publicationLine struct {
	Publication wamp.ID `json:"publication"`
}

// Validate is called by kong before Run.
func (c publishCommand) Validate() error { return notAddresses(c.Topic) }

// Run publishes an event.
func (c publishCommand) Run(ctx context.Context, s streams) error {
	p, err := c.payload()
	if err != nil {
		return usageError(err)
	}
	if c.Count < 1 {
		return usageError(fmt.Errorf("--count: %d is less than 1", c.Count))
	}
	o := wamp.PublishOptions{
		Acknowledge: c.Acknowledge, Retain: c.Retain,
		ExcludeMe: optional(c.ExcludeMe), DiscloseMe: optional(c.DiscloseMe),
		Audience: c.audience(),
	}
	return c.do(ctx, s, func(ctx context.Context, session *commandSession) error {
		for range c.Count {
			if err := ctx.Err(); err != nil {
				return err
			}
			id, err := session.Publish(ctx, c.Topic, o, p)
			if err != nil {
				return err
			}
			if !c.Acknowledge {
				continue
			}
			if err := session.out.print(publicationLine{id}); err != nil {
				return err
			}
		}
		return nil
	})
}

// audience is nil where no flag narrows it.
func (c publishCommand) audience() *wamp.Audience {
	a := wamp.Audience{
		Exclude: c.Exclude, ExcludeAuthid: c.ExcludeAuthid, ExcludeAuthrole: c.ExcludeAuthrole,
		Eligible: c.Eligible, EligibleAuthid: c.EligibleAuthid, EligibleAuthrole: c.EligibleAuthrole,
	}
	if len(a.Exclude)+len(a.ExcludeAuthid)+len(a.ExcludeAuthrole)+len(a.Eligible)+len(a.EligibleAuthid)+len(a.EligibleAuthrole) == 0 {
		return nil
	}
	return &a
}
