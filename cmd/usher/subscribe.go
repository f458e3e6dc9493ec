package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/router/wamp"
)

// subscribeCommand is "usher subscribe".
type subscribeCommand struct {
	sessionFlags
	Topics      []string      `arg:"" name:"topic" help:"URIs of topics, or patterns as --match says."`
	Match       string        `enum:"exact,prefix,wildcard" default:"exact" placeholder:"POLICY" help:"How topics are matched (exact, prefix, wildcard)."`
	GetRetained bool          `help:"Also get the event that a topic retains."`
	Count       int           `placeholder:"N" help:"End after so many events."`
	Timeout     time.Duration `placeholder:"DURATION" help:"End with exit status 6 where it takes longer."`
}

// eventLine is a line of standard output.
type eventLine struct {
	Topic             string  `json:"topic"`
	Subscription      wamp.ID `json:"subscription"`
	Publication       wamp.ID `json:"publication"`
	Publisher         wamp.ID `json:"publisher,omitempty"`
	PublisherAuthid   string  `json:"publisher_authid,omitempty"`
	PublisherAuthrole string  `json:"publisher_authrole,omitempty"`
	Retained          bool    `json:"retained,omitempty"`
	Trustlevel        *int    `json:"trustlevel,omitempty"`
	content
}

// Validate is called by kong before Run.
func (c subscribeCommand) Validate() error { return notAddresses(c.Topics...) }

// Run prints events until it has enough or is stopped.
func (c subscribeCommand) Run(ctx context.Context, s streams) error {
	if c.Count < 0 || c.Timeout < 0 {
		return usageError(errors.New("--count and --timeout: less than 0 is no bound"))
	}
	m, _ := wamp.ParseMatch(c.Match)
	o := wamp.SubscribeOptions{Match: m, GetRetained: c.GetRetained}
	return c.do(ctx, s, func(ctx context.Context, session *commandSession) error {
		enough := newCounter(c.Count)
		for _, topic := range c.Topics {
			id, err := session.Subscribe(ctx, topic, o, func(e *wamp.Event) {
				if !enough.take() {
					return
				}
				if session.event(topic, e) != nil {
					enough.end() // nobody reads what comes
				}
				enough.done()
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(s.err, "subscribed to %s (%s), subscription %d\n", topic, m, id)
		}
		return session.stay(ctx, c.Timeout, enough.reached)
	})
}

// event prints an event.
func (c *commandSession) event(topic string, e *wamp.Event) (err error) {
	d := &e.Details
	if d.Topic != "" {
		topic = d.Topic
	}
	line := eventLine{
		Topic: topic, Subscription: e.Subscription, Publication: e.Publication,
		Publisher: d.Publisher, PublisherAuthid: d.PublisherAuthid, PublisherAuthrole: d.PublisherAuthrole,
		Retained: d.Retained, Trustlevel: level(d.Trustlevel),
	}
	if line.content, err = contentOf(e.Payload, d.Passthru); err != nil {
		return err
	}
	return c.out.print(line)
}

// level is nil where no trust level is given: 0 is one.
func level(t wamp.Trustlevel) *int {
	if !t.Given {
		return nil
	}
	return &t.Level
}
