package realm

import (
	"usher/router/transport"
	"usher/router/wamp"
)

// The subscription meta API (specification: "Subscription Meta API"), and
// Crossbar.io's procedure that takes a subscriber's part from it. Who listens to
// the meta API itself is not told, nor are there events of it.

// metaSubscriptionList is wamp.subscription.list.
func metaSubscriptionList(c *metaCall) *ErrorReply {
	if e := c.args.end(); e != nil {
		return e
	}
	var l idLists
	c.caller.realm.subscriptions.All(func(m wamp.Match, uri string, sub *subscription) bool {
		if !wamp.Reserved(uri) {
			l.add(m, sub.id)
		}
		return true
	})
	l.write(c.result)
	return nil
}

// metaSubscriptionLookup is wamp.subscription.lookup.
func metaSubscriptionLookup(c *metaCall) *ErrorReply {
	uri, m, e := c.place("topic")
	if e != nil {
		return e
	}
	sub, ok := c.caller.realm.subscriptions.Get(m, uri)
	if !ok || wamp.Reserved(uri) {
		c.result.Null()
		return nil
	}
	c.result.Uint(uint64(sub.id))
	return nil
}

// metaSubscriptionMatch is wamp.subscription.match.
func metaSubscriptionMatch(c *metaCall) *ErrorReply {
	uri := c.args.text("topic")
	if e := c.args.end(); e != nil {
		return e
	}
	var ids []wamp.ID
	c.caller.realm.subscriptions.Each(uri, func(sub *subscription) bool {
		if !wamp.Reserved(sub.uri) {
			ids = append(ids, sub.id)
		}
		return true
	})
	if ids == nil {
		c.result.Null()
		return nil
	}
	c.result.BeginList()
	for _, id := range ids {
		c.result.Uint(uint64(id))
	}
	c.result.End()
	return nil
}

// metaSubscriptionGet is wamp.subscription.get.
func metaSubscriptionGet(c *metaCall) *ErrorReply {
	sub, e := c.subscription()
	if e != nil {
		return e
	}
	sub.writeDetails(c.result)
	return nil
}

// metaSubscriptionSubscribers is wamp.subscription.list_subscribers.
func metaSubscriptionSubscribers(c *metaCall) *ErrorReply {
	sub, e := c.subscription()
	if e != nil {
		return e
	}
	writeIDs(c.result, sub.sessions())
	return nil
}

// metaSubscriptionCount is wamp.subscription.count_subscribers.
func metaSubscriptionCount(c *metaCall) *ErrorReply {
	sub, e := c.subscription()
	if e != nil {
		return e
	}
	c.result.Uint(uint64(len(sub.sessions())))
	return nil
}

// subscription reads the only argument of procedures about a subscription.
func (c *metaCall) subscription() (*subscription, *ErrorReply) {
	id := c.args.id("subscription")
	if e := c.args.end(); e != nil {
		return nil, e
	}
	if sub := c.caller.realm.subscriptionByID(id); sub != nil && !wamp.Reserved(sub.uri) {
		return sub, nil
	}
	return nil, noSuchSubscription(id)
}

func noSuchSubscription(id wamp.ID) *ErrorReply {
	return newError(wamp.ErrNoSuchSubscription, "no subscription %d exists in this realm", id)
}

// metaRemoveSubscriber is wamp.subscription.remove_subscriber: a subscription, a
// session and perhaps the reason. What a session inside the process listens to
// stays.
func metaRemoveSubscriber(c *metaCall) *ErrorReply {
	id, subscriber, reason, e := c.part("subscription", "subscriber")
	if e != nil {
		return e
	}
	switch hasSubscription, hasSubscriber := c.caller.realm.revokeSubscriber(c.batch, id, subscriber, reason); {
	case !hasSubscription:
		return noSuchSubscription(id)
	case !hasSubscriber:
		return newError(wamp.ErrNoSuchSubscription, "session %d is no subscriber of subscription %d", subscriber, id)
	}
	c.caller.realm.flushMeta(c.batch)
	return nil
}

// revokeSubscriber takes a subscription from a session, and tells it if it can be
// told (specification: "Subscription Revocation"). Autobahn|Python says that it can,
// but ends its session when it is told, here as under Crossbar.io.
func (r *realm) revokeSubscriber(b *transport.Batch, subscription, subscriber wamp.ID, reason string) (hasSubscription, hasSubscriber bool) {
	s := r.members.get(subscriber)
	sub := r.subscriptionByID(subscription)
	if sub == nil || wamp.Reserved(sub.uri) {
		return false, false
	}
	if s == nil {
		return true, false
	}
	// The lock is held throughout, or a new SUBSCRIBED could be ahead of the end of
	// what was before. The publishers that are waited for only queue.
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := s.subscriptions[subscription]
	if !ok {
		return true, false
	}
	r.removeSubscriber(m, s)
	sub.inFlight.wait() // no EVENT is behind it
	s.gate.pass()       // nor one that was retained
	if s.roles.Subscriber.Has(wamp.FeatureSubscriptionRevocation) {
		s.send(b, &wamp.Unsubscribed{Subscription: subscription, Reason: reason})
	}
	return true, true
}
