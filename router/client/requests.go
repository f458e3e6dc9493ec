package client

import (
	"context"
	"fmt"

	"usher/router/codec"
	"usher/router/wamp"
)

// EventHandler receives the events of one subscription, in order. It is called
// by the goroutine that reads the connection: it must return soon and must not
// wait for an answer of the router. The payload is borrowed until it returns.
type EventHandler func(e *wamp.Event)

// Payload encodes arguments in the connection's format. nil ones are left out.
func (c *Client) Payload(args []any, kwargs map[string]any) (wamp.Payload, error) {
	p := wamp.Payload{Format: c.Format()}
	var err error
	if args != nil || kwargs != nil {
		if args == nil {
			args = []any{}
		}
		if p.Args, err = codec.Marshal(p.Format, args); err != nil {
			return wamp.Payload{}, fmt.Errorf("encode arguments: %w", err)
		}
	}
	if kwargs != nil {
		if p.Kwargs, err = codec.Marshal(p.Format, kwargs); err != nil {
			return wamp.Payload{}, fmt.Errorf("encode keyword arguments: %w", err)
		}
	}
	return p, nil
}

// Publish publishes an event. Where o.Acknowledge is set it waits and returns the
// publication's id, and an ERROR is an *Error; otherwise it does not wait, and
// returns 0.
func (c *Client) Publish(ctx context.Context, topic string, o wamp.PublishOptions, p wamp.Payload) (wamp.ID, error) {
	publish := func(id wamp.ID) wamp.Message {
		return &wamp.Publish{Request: id, Options: o, Topic: topic, Payload: p}
	}
	if !o.Acknowledge {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err != nil {
			return 0, fmt.Errorf("publish %s: %w", topic, c.err)
		}
		if err := c.conn.Send(nil, publish(c.lastRequest+1)); err != nil {
			return 0, fmt.Errorf("publish %s: %w", topic, err)
		}
		c.lastRequest++
		return 0, nil
	}
	m, err := c.request(ctx, &request{wants: wamp.TypePublished}, publish)
	if err != nil {
		return 0, fmt.Errorf("publish %s: %w", topic, err)
	}
	return m.(*wamp.Published).Publication, nil
}

// Subscribe subscribes h to a topic or pattern. Subscribing again replaces the
// handler of an equal subscription. An ERROR is an *Error.
func (c *Client) Subscribe(ctx context.Context, topic string, o wamp.SubscribeOptions, h EventHandler) (wamp.ID, error) {
	r := &request{wants: wamp.TypeSubscribed, accepted: func(id wamp.ID) { c.subscriptions[id] = h }}
	m, err := c.request(ctx, r, func(id wamp.ID) wamp.Message {
		return &wamp.Subscribe{Request: id, Options: o, Topic: topic}
	})
	if err != nil {
		return 0, fmt.Errorf("subscribe %s: %w", topic, err)
	}
	return m.(*wamp.Subscribed).Subscription, nil
}

// Unsubscribe ends a subscription. Events that are on their way are dropped.
func (c *Client) Unsubscribe(ctx context.Context, subscription wamp.ID) error {
	_, err := c.request(ctx, &request{wants: wamp.TypeUnsubscribed}, func(id wamp.ID) wamp.Message {
		return &wamp.Unsubscribe{Request: id, Subscription: subscription}
	})
	if err != nil {
		return fmt.Errorf("unsubscribe %d: %w", subscription, err)
	}
	c.mu.Lock()
	delete(c.subscriptions, subscription)
	c.mu.Unlock()
	return nil
}

// Register offers a procedure or pattern, answered by h. An ERROR is an *Error.
func (c *Client) Register(ctx context.Context, procedure string, o wamp.RegisterOptions, h InvocationHandler) (wamp.ID, error) {
	r := &request{wants: wamp.TypeRegistered, accepted: func(id wamp.ID) { c.registrations[id] = h }}
	m, err := c.request(ctx, r, func(id wamp.ID) wamp.Message {
		return &wamp.Register{Request: id, Options: o, Procedure: procedure}
	})
	if err != nil {
		return 0, fmt.Errorf("register %s: %w", procedure, err)
	}
	return m.(*wamp.Registered).Registration, nil
}

// Unregister takes a procedure back. Invocations that are on their way are
// answered with an error.
func (c *Client) Unregister(ctx context.Context, registration wamp.ID) error {
	_, err := c.request(ctx, &request{wants: wamp.TypeUnregistered}, func(id wamp.ID) wamp.Message {
		return &wamp.Unregister{Request: id, Registration: registration}
	})
	if err != nil {
		return fmt.Errorf("unregister %d: %w", registration, err)
	}
	c.mu.Lock()
	delete(c.registrations, registration)
	c.mu.Unlock()
	return nil
}
