package realm

import (
	"context"
	"slices"
	"time"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/wamp"
)

// maxHistoryResult bounds a result of wamp.subscription.get_events, in bytes, so
// that it is a message that clients take. One event is returned whatever its size.
const maxHistoryResult = 512 << 10

// errHistoryUnavailable is Crossbar.io's answer where no events are kept.
const errHistoryUnavailable = "wamp.error.history_unavailable"

// historyQuery is what a caller wants to know of a history. The conditions that are
// given must all hold.
type historyQuery struct {
	limit       int // 0: none
	reverse     bool
	topic       string
	from, after time.Time
	until       time.Time
	before      time.Time

	fromPublication, afterPublication   wamp.ID
	untilPublication, beforePublication wamp.ID
}

// metaSubscriptionEvents is wamp.subscription.get_events (specification: "Event
// History"). The events are the arguments of the result, each as far as the caller
// would have received it by its topic, authid and role. Where there are more than
// were asked for, or than fit a message, the keyword argument is_limit_reached is
// true: the next ones are those after (or before) the last publication.
//
// With a second argument, a limit, it is Crossbar.io's procedure of that name: one
// list with the newest event first.
func metaSubscriptionEvents(c *metaCall) *ErrorReply {
	id := c.args.id("subscription")
	var q historyQuery
	isList := c.args.more()
	if isList {
		q.limit, q.reverse = int(c.args.id("limit")), true
	}
	q.read(&c.args)
	if e := c.args.end(); e != nil {
		return e
	}
	sub := c.caller.realm.subscriptionByID(id)
	if sub == nil {
		return noSuchSubscription(id)
	}
	d, e := c.caller.consult(context.Background(), c.batch, auth.Subscribe, sub.uri, sub.match, auth.QuestionOptions{})
	if e != nil {
		return e
	}
	if e := c.caller.mayHear(d, sub.uri, sub.match); e != nil {
		return e
	}
	h := sub.history.Load()
	if h == nil {
		return newError(errHistoryUnavailable, "no events are kept for subscription %d", id)
	}
	if isList {
		c.result.BeginList()
	}
	isMore := c.writeEvents(sub, q.choose(h.events()), q.limit, d.isGranted)
	if isList {
		c.result.End()
	}
	kw := c.keywords()
	kw.BeginDict()
	kw.String([]byte("is_limit_reached"))
	kw.Bool(isMore)
	kw.End()
	return nil
}

// read reads the keyword arguments. Others are ignored.
func (q *historyQuery) read(a *arguments) {
	a.eachKeyword(func(key string, r *codec.Reader, kind codec.Kind) {
		ok, wanted := true, ""
		switch {
		case kind == codec.KindNull:
		case key == "reverse":
			q.reverse, ok, wanted = r.Bool(), kind == codec.KindBool, "a boolean"
		case key == "topic":
			q.topic, ok, wanted = string(r.Bytes()), kind == codec.KindString, "a URI"
		case key == "limit":
			var n wamp.ID
			n, ok = readID(r, kind)
			q.limit, wanted = int(n), "a positive integer"
		case q.time(key) != nil:
			t, err := time.Parse(time.RFC3339Nano, string(r.Bytes()))
			*q.time(key) = t
			ok, wanted = kind == codec.KindString && err == nil, "a time as in RFC 3339"
		case q.publication(key) != nil:
			*q.publication(key), ok = readID(r, kind)
			wanted = "the id of a publication"
		default:
			r.Raw(kind)
		}
		if !ok {
			a.fail(wamp.ErrInvalidArgument, "keyword argument %s must be %s", key, wanted)
		}
	})
}

// time is where a condition on the time of an event goes, or nil.
func (q *historyQuery) time(key string) *time.Time {
	switch key {
	case "from_time":
		return &q.from
	case "after_time":
		return &q.after
	case "until_time":
		return &q.until
	case "before_time":
		return &q.before
	}
	return nil
}

// publication is where a condition on the place of an event goes, or nil.
func (q *historyQuery) publication(key string) *wamp.ID {
	switch key {
	case "from_publication":
		return &q.fromPublication
	case "after_publication":
		return &q.afterPublication
	case "until_publication":
		return &q.untilPublication
	case "before_publication":
		return &q.beforePublication
	}
	return nil
}

// choose returns the events that meet the conditions, in the order asked for. A
// publication that is not among all of them is before and after none.
func (q *historyQuery) choose(all []*keptEvent) []*keptEvent {
	first, end := 0, len(all)
	place := func(id wamp.ID) (int, bool) {
		i := slices.IndexFunc(all, func(k *keptEvent) bool { return k.event.Publication == id })
		return i, i >= 0
	}
	for _, bound := range []struct {
		id   wamp.ID
		move func(i int)
	}{
		{q.fromPublication, func(i int) { first = max(first, i) }},
		{q.afterPublication, func(i int) { first = max(first, i+1) }},
		{q.untilPublication, func(i int) { end = min(end, i+1) }},
		{q.beforePublication, func(i int) { end = min(end, i) }},
	} {
		if bound.id == 0 {
			continue
		}
		i, ok := place(bound.id)
		if !ok {
			return nil
		}
		bound.move(i)
	}
	if first >= end {
		return nil
	}
	var chosen []*keptEvent
	for _, k := range all[first:end] {
		if q.holds(k) {
			chosen = append(chosen, k)
		}
	}
	if q.reverse {
		slices.Reverse(chosen)
	}
	return chosen
}

// holds reports whether the conditions on topic and time hold. Times are those that
// results tell, to the millisecond.
func (q *historyQuery) holds(k *keptEvent) bool {
	t := k.time.Truncate(time.Millisecond)
	return (q.topic == "" || k.topic == q.topic) &&
		(q.from.IsZero() || !t.Before(q.from)) &&
		(q.after.IsZero() || t.After(q.after)) &&
		(q.until.IsZero() || !t.After(q.until)) &&
		(q.before.IsZero() || t.Before(q.before))
}

// writeEvents writes the events that the caller may see, up to a limit, and reports
// whether there are more.
func (c *metaCall) writeEvents(sub *subscription, events []*keptEvent, limit int, isGranted bool) (isMore bool) {
	s := c.caller
	rules := s.rules.Load()
	n := 0
	for _, k := range events {
		if !rules.permits(auth.Subscribe, k.topic, isGranted) || !k.admits(s) {
			continue
		}
		event := k.forSubscriber(sub, s)
		payload, err := c.work.transcode(c.format, event.Payload)
		if err != nil {
			continue // it has no form in the caller's format, as when it was published
		}
		if n == limit && limit > 0 || n > 0 && len(c.result.Buffer())+payload.Size()+k.wireSize() > maxHistoryResult {
			return true
		}
		event.Payload = payload
		c.writeEvent(k.time, &event)
		n++
	}
	return false
}

// writeEvent writes an event as it is in a history.
func (c *metaCall) writeEvent(at time.Time, e *wamp.Event) {
	w, d := c.result, &e.Details
	w.BeginDict()
	entry(w, "timestamp", at.UTC().Format(timestamp))
	entryUint(w, "subscription", uint64(e.Subscription))
	entryUint(w, "publication", uint64(e.Publication))
	w.String([]byte("details"))
	w.BeginDict()
	if d.Publisher != 0 {
		entryUint(w, "publisher", uint64(d.Publisher))
		entry(w, "publisher_authid", d.PublisherAuthid)
		entry(w, "publisher_authrole", d.PublisherAuthrole)
	}
	if d.Topic != "" {
		entry(w, "topic", d.Topic)
	}
	if d.Trustlevel.Given {
		entryUint(w, "trustlevel", uint64(max(d.Trustlevel.Level, 0)))
	}
	writePassthru(w, d.Passthru)
	w.End()
	if d.Passthru.IsOpaque() {
		c.writePayload("payload", e.Payload.Args)
	} else {
		c.writePayload("args", e.Payload.Args)
		c.writePayload("kwargs", e.Payload.Kwargs)
	}
	w.End()
}

// writePayload writes a part of a payload that is in the result's format, if it is
// there.
func (c *metaCall) writePayload(key string, data []byte) {
	if len(data) > 0 {
		c.result.String([]byte(key))
		c.result.Raw(data)
	}
}

func writePassthru(w *codec.Writer, p *wamp.Passthru) {
	if p == nil {
		return
	}
	for _, e := range [][2]string{
		{"ppt_scheme", p.Scheme}, {"ppt_serializer", p.Serializer}, {"ppt_cipher", p.Cipher}, {"ppt_keyid", p.KeyID},
		{"enc_algo", p.EncAlgo}, {"enc_serializer", p.EncSerializer}, {"enc_key", p.EncKey},
	} {
		if e[1] != "" {
			entry(w, e[0], e[1])
		}
	}
}
