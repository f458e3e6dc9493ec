package codec

import "usher/router/wamp"

// typed reads what follows the type of a message. It returns nil for a type that
// it does not know.
func (d *Decoder) typed(l *seq) wamp.Message {
	if d.c.err != nil {
		return nil
	}
	switch d.typ {
	case wamp.TypeCall:
		m := &d.call
		*m = wamp.Call{}
		m.Request = d.id(l, "CALL.Request")
		d.dict(l, "CALL.Options", func(key string) bool {
			switch key {
			case "disclose_me":
				m.Options.DiscloseMe = d.flag(key)
			case "receive_progress":
				m.Options.ReceiveProgress = d.c.boolean(key)
			case "progress":
				m.Options.Progress = d.c.boolean(key)
			case "timeout":
				m.Options.Timeout = d.milliseconds(key)
			default:
				return d.passthru(key, &m.Options.Passthru)
			}
			return true
		})
		m.Procedure = d.uri(l, "CALL.Procedure")
		d.payload(l, &m.Payload)
		return m
	case wamp.TypeYield:
		m := &d.yield
		*m = wamp.Yield{}
		m.Request = d.id(l, "YIELD.Request")
		d.dict(l, "YIELD.Options", func(key string) bool {
			if key != "progress" {
				return d.passthru(key, &m.Passthru)
			}
			m.Progress = d.c.boolean(key)
			return true
		})
		d.payload(l, &m.Payload)
		return m
	case wamp.TypePublish:
		m := &d.publish
		*m = wamp.Publish{}
		m.Request = d.id(l, "PUBLISH.Request")
		d.dict(l, "PUBLISH.Options", func(key string) bool {
			switch key {
			case "acknowledge":
				m.Options.Acknowledge = d.c.boolean(key)
			case "exclude_me":
				m.Options.ExcludeMe = d.flag(key)
			case "disclose_me":
				m.Options.DiscloseMe = d.flag(key)
			case "retain":
				m.Options.Retain = d.c.boolean(key)
			default:
				return d.audienceOption(key, &m.Options.Audience) || d.passthru(key, &m.Options.Passthru)
			}
			return true
		})
		m.Topic = d.uri(l, "PUBLISH.Topic")
		d.payload(l, &m.Payload)
		return m
	case wamp.TypeInvocation:
		m := &d.invocation
		*m = wamp.Invocation{}
		m.Request = d.id(l, "INVOCATION.Request")
		m.Registration = d.id(l, "INVOCATION.Registration")
		d.dict(l, "INVOCATION.Details", func(key string) bool {
			switch key {
			case "caller":
				m.Details.Caller = d.c.id(key)
			case "caller_authid":
				m.Details.CallerAuthid = d.text(key)
			case "caller_authrole":
				m.Details.CallerAuthrole = d.text(key)
			case "procedure":
				m.Details.Procedure = d.text(key)
			case "receive_progress":
				m.Details.ReceiveProgress = d.c.boolean(key)
			case "progress":
				m.Details.Progress = d.c.boolean(key)
			case "timeout":
				m.Details.Timeout = d.milliseconds(key)
			case "trustlevel":
				m.Details.Trustlevel = d.trustlevel(key)
			default:
				return d.passthru(key, &m.Details.Passthru)
			}
			return true
		})
		d.payload(l, &m.Payload)
		return m
	case wamp.TypeResult:
		m := &d.result
		*m = wamp.Result{}
		m.Request = d.id(l, "RESULT.Request")
		d.dict(l, "RESULT.Details", func(key string) bool {
			if key != "progress" {
				return d.passthru(key, &m.Passthru)
			}
			m.Progress = d.c.boolean(key)
			return true
		})
		d.payload(l, &m.Payload)
		return m
	case wamp.TypeEvent:
		m := &d.event
		*m = wamp.Event{}
		m.Subscription = d.id(l, "EVENT.Subscription")
		m.Publication = d.id(l, "EVENT.Publication")
		d.dict(l, "EVENT.Details", func(key string) bool {
			switch key {
			case "publisher":
				m.Details.Publisher = d.c.id(key)
			case "publisher_authid":
				m.Details.PublisherAuthid = d.text(key)
			case "publisher_authrole":
				m.Details.PublisherAuthrole = d.text(key)
			case "topic":
				m.Details.Topic = d.text(key)
			case "retained":
				m.Details.Retained = d.c.boolean(key)
			case "trustlevel":
				m.Details.Trustlevel = d.trustlevel(key)
			default:
				return d.passthru(key, &m.Details.Passthru)
			}
			return true
		})
		d.payload(l, &m.Payload)
		return m
	case wamp.TypeError:
		m := &d.error
		*m = wamp.Error{}
		m.RequestType = d.requestType(l)
		m.Request = d.id(l, "ERROR.Request")
		d.dict(l, "ERROR.Details", func(key string) bool { return d.passthru(key, &m.Passthru) })
		m.URI = d.uri(l, "ERROR.Error")
		d.payload(l, &m.Payload)
		return m
	}
	return d.request(l)
}

// requestType reads the type of the request that an ERROR answers.
func (d *Decoder) requestType(l *seq) wamp.MessageType {
	const what = "ERROR.RequestType"
	d.element(l, what)
	c := &d.c
	at := c.pos
	switch t := c.integer(what); t {
	case uint64(wamp.TypePublish), uint64(wamp.TypeSubscribe), uint64(wamp.TypeUnsubscribe), uint64(wamp.TypeCall),
		uint64(wamp.TypeRegister), uint64(wamp.TypeUnregister), uint64(wamp.TypeInvocation):
		return wamp.MessageType(t)
	}
	c.fail(at, "%s must be the type of a request", what)
	return 0
}

// request reads the messages that make and end registrations and subscriptions.
func (d *Decoder) request(l *seq) wamp.Message {
	switch d.typ {
	case wamp.TypePublished:
		m := &d.published
		*m = wamp.Published{Request: d.id(l, "PUBLISHED.Request"), Publication: d.id(l, "PUBLISHED.Publication")}
		return m
	case wamp.TypeSubscribe:
		m := &d.subscribe
		*m = wamp.Subscribe{Request: d.id(l, "SUBSCRIBE.Request")}
		d.dict(l, "SUBSCRIBE.Options", func(key string) bool {
			switch key {
			case "match":
				m.Options.Match = d.policy(key)
			case "get_retained":
				m.Options.GetRetained = d.c.boolean(key)
			default:
				return false
			}
			return true
		})
		m.Topic = d.uri(l, "SUBSCRIBE.Topic")
		return m
	case wamp.TypeSubscribed:
		m := &d.subscribed
		*m = wamp.Subscribed{Request: d.id(l, "SUBSCRIBED.Request"), Subscription: d.id(l, "SUBSCRIBED.Subscription")}
		return m
	case wamp.TypeUnsubscribe:
		m := &d.unsubscribe
		*m = wamp.Unsubscribe{Request: d.id(l, "UNSUBSCRIBE.Request"), Subscription: d.id(l, "UNSUBSCRIBE.Subscription")}
		return m
	case wamp.TypeUnsubscribed:
		m := &d.unsubscribed
		*m = wamp.Unsubscribed{Request: d.idOrNone(l, "UNSUBSCRIBED.Request")}
		if m.Request == 0 {
			m.Subscription, m.Reason = d.revoked(l, "UNSUBSCRIBED.Details", "subscription")
		}
		return m
	case wamp.TypeRegister:
		m := &d.register
		*m = wamp.Register{Request: d.id(l, "REGISTER.Request")}
		d.dict(l, "REGISTER.Options", func(key string) bool {
			switch key {
			case "match":
				m.Options.Match = d.policy(key)
			case "invoke":
				m.Options.Invoke = d.text(key)
			case "disclose_caller":
				m.Options.DiscloseCaller = d.flag(key)
			case "concurrency":
				m.Options.Concurrency = d.small(key)
			case "force_reregister":
				m.Options.ForceReregister = d.c.boolean(key)
			case "forward_timeout":
				m.Options.ForwardTimeout = d.c.boolean(key)
			default:
				return false
			}
			return true
		})
		m.Procedure = d.uri(l, "REGISTER.Procedure")
		return m
	case wamp.TypeRegistered:
		m := &d.registered
		*m = wamp.Registered{Request: d.id(l, "REGISTERED.Request"), Registration: d.id(l, "REGISTERED.Registration")}
		return m
	case wamp.TypeUnregister:
		m := &d.unregister
		*m = wamp.Unregister{Request: d.id(l, "UNREGISTER.Request"), Registration: d.id(l, "UNREGISTER.Registration")}
		return m
	case wamp.TypeUnregistered:
		m := &d.unregistered
		*m = wamp.Unregistered{Request: d.idOrNone(l, "UNREGISTERED.Request")}
		if m.Request == 0 {
			m.Registration, m.Reason = d.revoked(l, "UNREGISTERED.Details", "registration")
		}
		return m
	case wamp.TypeCancel:
		m := &d.cancel
		*m = wamp.Cancel{Request: d.id(l, "CANCEL.Request")}
		d.dict(l, "CANCEL.Options", func(key string) bool {
			if key != "mode" {
				return false
			}
			m.Mode = d.text(key)
			return true
		})
		return m
	case wamp.TypeInterrupt:
		m := &d.interrupt
		*m = wamp.Interrupt{Request: d.id(l, "INTERRUPT.Request")}
		d.dict(l, "INTERRUPT.Options", func(key string) bool {
			switch key {
			case "mode":
				m.Mode = d.text(key)
			case "reason":
				m.Reason = d.text(key)
			default:
				return false
			}
			return true
		})
		return m
	}
	return d.session(l)
}

// session reads the messages that open and close sessions. Their strings are not
// interned: most come once, and a ticket must not be remembered.
func (d *Decoder) session(l *seq) wamp.Message {
	switch d.typ {
	case wamp.TypeHello:
		m := &d.hello
		*m = wamp.Hello{}
		d.element(l, "HELLO.Realm")
		if d.c.peek() == KindNull {
			d.c.skip(1)
		} else {
			m.Realm = string(d.c.str("HELLO.Realm"))
		}
		d.dict(l, "HELLO.Details", func(key string) bool { return d.helloDetail(m, key) })
		return m
	case wamp.TypeWelcome:
		m := &d.welcome
		*m = wamp.Welcome{Session: d.id(l, "WELCOME.Session")}
		d.dict(l, "WELCOME.Details", func(key string) bool { return d.welcomeDetail(m, key) })
		return m
	case wamp.TypeAbort:
		m := &d.abort
		*m = wamp.Abort{}
		d.dict(l, "ABORT.Details", func(key string) bool { return d.reason(key, &m.Message) })
		m.Reason = d.uri(l, "ABORT.Reason")
		var ignored wamp.Payload // newer routers may add arguments
		d.payload(l, &ignored)
		return m
	case wamp.TypeGoodbye:
		m := &d.goodbye
		*m = wamp.Goodbye{}
		d.dict(l, "GOODBYE.Details", func(key string) bool { return d.reason(key, &m.Message) })
		m.Reason = d.uri(l, "GOODBYE.Reason")
		return m
	case wamp.TypeChallenge:
		m := &d.challenge
		*m = wamp.Challenge{Method: d.uri(l, "CHALLENGE.AuthMethod")}
		m.Extra = d.extra(l, "CHALLENGE.Extra")
		return m
	case wamp.TypeAuthenticate:
		m := &d.authenticate
		d.element(l, "AUTHENTICATE.Signature")
		*m = wamp.Authenticate{Signature: string(d.c.str("AUTHENTICATE.Signature"))}
		m.Extra = d.extra(l, "AUTHENTICATE.Extra")
		return m
	}
	return nil
}

// reason reads the message of ABORT and GOODBYE, if it is a string.
func (d *Decoder) reason(key string, message *string) bool {
	if key != "message" || d.c.peek() != KindString {
		return false
	}
	*message = string(d.c.str(key))
	return true
}

func (d *Decoder) helloDetail(m *wamp.Hello, key string) bool {
	c := &d.c
	switch key {
	case "roles":
		m.Roles = d.roles()
	case "authmethods":
		m.Authmethods, m.HasAuthmethods = d.authmethods(), true
	case "authid":
		m.Authid = string(c.str(key))
	case "authrole":
		m.Authrole = string(c.str(key))
	case "agent":
		m.Agent = string(c.str(key))
	case "authextra":
		m.Authextra = d.nested(key)
	default:
		return false
	}
	return true
}

func (d *Decoder) welcomeDetail(m *wamp.Welcome, key string) bool {
	c := &d.c
	switch key {
	case "realm":
		m.Realm = string(c.str(key))
	case "authid":
		m.Authid = string(c.str(key))
	case "authrole":
		m.Authrole = string(c.str(key))
	case "authmethod":
		m.Authmethod = string(c.str(key))
	case "authprovider":
		m.Authprovider = string(c.str(key))
	case "agent":
		m.Agent = string(c.str(key))
	case "authextra":
		m.Authextra = d.nested(key)
	case "roles":
		m.Roles = d.roles()
	default:
		return false
	}
	return true
}

// maxAuthmethods bounds HELLO.Details.authmethods; there are about ten methods.
const maxAuthmethods = 32

func (d *Decoder) authmethods() []string {
	c := &d.c
	var methods []string
	s, ok := c.openSeq(KindList, "authmethods")
	for ok && c.more(&s) {
		if len(methods) == maxAuthmethods {
			c.fail(c.pos, "HELLO.Details.authmethods has more than %d entries", maxAuthmethods)
			break
		}
		methods = append(methods, string(c.str("authmethods[]")))
	}
	return methods
}

// roles reads HELLO.Details.roles and WELCOME.Details.roles.
func (d *Decoder) roles() (roles wamp.Roles) {
	c := &d.c
	s, ok := c.openSeq(KindDict, "roles")
	for ok && c.more(&s) {
		var role *wamp.RoleFeatures
		switch string(c.key(&s)) {
		case "caller":
			role = &roles.Caller
		case "callee":
			role = &roles.Callee
		case "publisher":
			role = &roles.Publisher
		case "subscriber":
			role = &roles.Subscriber
		case "broker":
			role = &roles.Broker
		case "dealer":
			role = &roles.Dealer
		default:
			c.skip(3)
			continue
		}
		*role = d.role()
	}
	return roles
}

// role reads what is announced for one role.
func (d *Decoder) role() wamp.RoleFeatures {
	c := &d.c
	role := wamp.RoleFeatures{Present: true}
	s, ok := c.openSeq(KindDict, "roles[]")
	for ok && c.more(&s) {
		key := string(c.key(&s))
		switch {
		case c.peek() == KindNull:
			c.skip(4)
		case key == "features":
			role.Features = d.features()
		case key == "reflection":
			role.Reflection = c.boolean("roles[].reflection")
		default:
			c.skip(4)
		}
	}
	return role
}

// features reads the features of one role.
func (d *Decoder) features() (features wamp.Features) {
	c := &d.c
	s, ok := c.openSeq(KindDict, "roles[].features")
	for ok && c.more(&s) {
		bit := wamp.ParseFeature(string(c.key(&s)))
		if bit == 0 || c.peek() == KindNull {
			c.skip(5)
			continue
		}
		if c.boolean("roles[].features[]") {
			features |= bit
		} else {
			features &^= bit
		}
	}
	return features
}
