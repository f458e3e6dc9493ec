package codec

import "usher/router/wamp"

// request writes the messages that make and end registrations, subscriptions and
// calls.
func (e *encoder) request(m wamp.Message) {
	switch m := m.(type) {
	case *wamp.Published:
		e.ids(wamp.TypePublished, m.Request, m.Publication)
	case *wamp.Subscribed:
		e.ids(wamp.TypeSubscribed, m.Request, m.Subscription)
	case *wamp.Unsubscribe:
		e.ids(wamp.TypeUnsubscribe, m.Request, m.Subscription)
	case *wamp.Unsubscribed:
		e.ended(wamp.TypeUnsubscribed, m.Request, "subscription", m.Subscription, m.Reason)
	case *wamp.Registered:
		e.ids(wamp.TypeRegistered, m.Request, m.Registration)
	case *wamp.Unregister:
		e.ids(wamp.TypeUnregister, m.Request, m.Registration)
	case *wamp.Unregistered:
		e.ended(wamp.TypeUnregistered, m.Request, "registration", m.Registration, m.Reason)
	case *wamp.Subscribe:
		e.begin(wamp.TypeSubscribe, 4, m.Request)
		e.dict(count(m.Options.Match != wamp.Exact, m.Options.GetRetained))
		if m.Options.Match != wamp.Exact {
			e.entry("match", m.Options.Match.String())
		}
		e.truth("get_retained", m.Options.GetRetained)
		e.close()
		e.str(m.Topic)
		e.close()
	case *wamp.Register:
		o := &m.Options
		e.begin(wamp.TypeRegister, 4, m.Request)
		e.dict(count(o.Match != wamp.Exact, o.Invoke != "", o.DiscloseCaller != wamp.Unset,
			o.Concurrency != 0, o.ForceReregister, o.ForwardTimeout))
		if o.Match != wamp.Exact {
			e.entry("match", o.Match.String())
		}
		e.entry("invoke", o.Invoke)
		e.option("disclose_caller", o.DiscloseCaller)
		e.number("concurrency", uint64(o.Concurrency))
		e.truth("force_reregister", o.ForceReregister)
		e.truth("forward_timeout", o.ForwardTimeout)
		e.close()
		e.str(m.Procedure)
		e.close()
	case *wamp.Cancel:
		e.begin(wamp.TypeCancel, 3, m.Request)
		e.dict(count(m.Mode != ""))
		e.entry("mode", m.Mode)
		e.close()
		e.close()
	case *wamp.Interrupt:
		e.begin(wamp.TypeInterrupt, 3, m.Request)
		e.dict(count(m.Mode != "", m.Reason != ""))
		e.entry("mode", m.Mode)
		e.entry("reason", m.Reason)
		e.close()
		e.close()
	default:
		e.sessionMessage(m)
	}
}

// ended writes UNSUBSCRIBED and UNREGISTERED: without a request they say what the
// router took back.
func (e *encoder) ended(t wamp.MessageType, request wamp.ID, key string, revoked wamp.ID, reason string) {
	if request != 0 {
		e.ids(t, request)
		return
	}
	e.begin(t, 3, 0)
	e.dict(1 + count(reason != ""))
	e.key(key)
	e.id(revoked)
	e.entry("reason", reason)
	e.close()
	e.close()
}

// truth writes an entry that is absent where it is false.
func (e *encoder) truth(key string, v bool) {
	if v {
		e.key(key)
		e.bool(true)
	}
}

// number writes an entry that is absent where it is 0.
func (e *encoder) number(key string, v uint64) {
	if v != 0 {
		e.key(key)
		e.uint(v)
	}
}

func (e *encoder) trustlevel(t wamp.Trustlevel) {
	if t.Given {
		e.key("trustlevel")
		e.uint(uint64(t.Level))
	}
}

// progress writes the options or details of messages that have no others.
func (e *encoder) progress(progress bool, p *wamp.Passthru) {
	e.dict(count(progress) + passthruSize(p))
	e.truth("progress", progress)
	e.passthru(p)
	e.close()
}

// passthruSize is how many entries passthru writes.
func passthruSize(p *wamp.Passthru) int {
	if p == nil {
		return 0
	}
	return count(p.Scheme != "", p.Serializer != "", p.Cipher != "", p.KeyID != "",
		p.EncAlgo != "", p.EncSerializer != "", p.EncKey != "")
}

func (e *encoder) passthru(p *wamp.Passthru) {
	if p == nil {
		return
	}
	e.entry("ppt_scheme", p.Scheme)
	e.entry("ppt_serializer", p.Serializer)
	e.entry("ppt_cipher", p.Cipher)
	e.entry("ppt_keyid", p.KeyID)
	e.entry("enc_algo", p.EncAlgo)
	e.entry("enc_serializer", p.EncSerializer)
	e.entry("enc_key", p.EncKey)
}

// audienceSize is how many entries audience writes.
func audienceSize(a *wamp.Audience) int {
	if a == nil {
		return 0
	}
	return count(a.Exclude != nil, a.Eligible != nil, a.ExcludeAuthid != nil, a.EligibleAuthid != nil,
		a.ExcludeAuthrole != nil, a.EligibleAuthrole != nil)
}

func (e *encoder) audience(a *wamp.Audience) {
	if a == nil {
		return
	}
	e.idList("exclude", a.Exclude)
	e.idList("eligible", a.Eligible)
	e.textList("exclude_authid", a.ExcludeAuthid)
	e.textList("eligible_authid", a.EligibleAuthid)
	e.textList("exclude_authrole", a.ExcludeAuthrole)
	e.textList("eligible_authrole", a.EligibleAuthrole)
}

func (e *encoder) idList(key string, all []wamp.ID) {
	if all == nil {
		return
	}
	e.key(key)
	e.list(len(all))
	for _, id := range all {
		e.id(id)
	}
	e.close()
}

func (e *encoder) textList(key string, all []string) {
	if all == nil {
		return
	}
	e.key(key)
	e.list(len(all))
	for _, s := range all {
		e.str(s)
	}
	e.close()
}
