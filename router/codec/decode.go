package codec

import (
	"math"
	"strconv"

	"usher/router/wamp"
)

// Decoder turns one message after the other into values. Its memory is reused:
// the message that Decode returns, and all bytes it refers to, are valid until
// the next Decode (strings may be kept). The zero Decoder is ready. It is not
// safe for concurrent use, but may serve any number of connections and formats
// in turn.
type Decoder struct {
	c      cursor
	typ    wamp.MessageType
	intern [256]string

	hello        wamp.Hello
	welcome      wamp.Welcome
	abort        wamp.Abort
	challenge    wamp.Challenge
	authenticate wamp.Authenticate
	goodbye      wamp.Goodbye
	error        wamp.Error
	publish      wamp.Publish
	published    wamp.Published
	subscribe    wamp.Subscribe
	subscribed   wamp.Subscribed
	unsubscribe  wamp.Unsubscribe
	unsubscribed wamp.Unsubscribed
	event        wamp.Event
	call         wamp.Call
	cancel       wamp.Cancel
	result       wamp.Result
	register     wamp.Register
	registered   wamp.Registered
	unregister   wamp.Unregister
	unregistered wamp.Unregistered
	invocation   wamp.Invocation
	yield        wamp.Yield
}

// str interns a short string, so that repeats cost no allocation.
func (d *Decoder) str(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > 128 {
		return string(b)
	}
	h := uint32(2166136261)
	for _, x := range b {
		h = (h ^ uint32(x)) * 16777619
	}
	slot := &d.intern[(h^h>>16)%uint32(len(d.intern))]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}

// Decode reads one whole message. An error is an *Error.
func (d *Decoder) Decode(f wamp.Format, data []byte) (wamp.Message, error) {
	d.c = cursor{f: f, data: data, scratch: d.c.scratch}
	d.typ = 0
	m := d.message()
	if d.c.err != nil {
		d.c.err.Type = d.typ
		return nil, d.c.err
	}
	return m, nil
}

func (d *Decoder) message() wamp.Message {
	c := &d.c
	l, ok := c.open(KindList, "a message")
	if !ok {
		return nil
	}
	d.need(&l, "a message type")
	typ := c.integer("the message type")
	if c.err != nil {
		return nil
	}
	if typ > 255 {
		c.fail(0, "%d is no message type", typ)
		return nil
	}
	d.typ = wamp.MessageType(typ)
	m := d.fields(&l)
	if c.err == nil && c.next(&l) {
		c.fail(c.pos, "the message has too many elements")
	}
	if c.err == nil {
		if f := c.f; f == wamp.JSON {
			c.space()
		}
		if c.pos != len(c.data) {
			c.fail(c.pos, "data after the end of the message")
		}
	}
	return m
}

func (d *Decoder) need(l *seq, what string) {
	if d.c.err == nil && !d.c.next(l) && d.c.err == nil {
		d.c.fail(d.c.pos, "the message ends before %s", what)
	}
}

func (d *Decoder) fields(l *seq) wamp.Message {
	c := &d.c
	id := func(what string) wamp.ID { d.need(l, what); return c.id(what) }
	uri := func(what string) string { d.need(l, what); return d.str(c.str(what)) }
	switch d.typ {
	case wamp.TypeCall:
		m := &d.call
		*m = wamp.Call{Request: id("CALL.Request")}
		d.dict(l, "CALL.Options", func(k string) bool { return d.boolOption(k, "disclose_me", &m.Options.DiscloseMe) })
		m.Procedure = uri("CALL.Procedure")
		m.Payload = d.payload(l)
		return m
	case wamp.TypeYield:
		m := &d.yield
		*m = wamp.Yield{Request: id("YIELD.Request")}
		d.dict(l, "YIELD.Options", nil)
		m.Payload = d.payload(l)
		return m
	case wamp.TypePublish:
		m := &d.publish
		*m = wamp.Publish{Request: id("PUBLISH.Request")}
		d.dict(l, "PUBLISH.Options", func(k string) bool {
			var ack wamp.Bool
			if d.boolOption(k, "acknowledge", &ack) {
				m.Options.Acknowledge = ack == wamp.True
				return true
			}
			return d.boolOption(k, "exclude_me", &m.Options.ExcludeMe) || d.boolOption(k, "disclose_me", &m.Options.DiscloseMe)
		})
		m.Topic = uri("PUBLISH.Topic")
		m.Payload = d.payload(l)
		return m
	case wamp.TypeInvocation:
		m := &d.invocation
		*m = wamp.Invocation{Request: id("INVOCATION.Request"), Registration: id("INVOCATION.Registration")}
		d.dict(l, "INVOCATION.Details", func(k string) bool {
			switch k {
			case "caller":
				m.Details.Caller = c.id(k)
			case "caller_authid":
				m.Details.CallerAuthid = d.str(c.str(k))
			case "caller_authrole":
				m.Details.CallerAuthrole = d.str(c.str(k))
			case "procedure":
				m.Details.Procedure = d.str(c.str(k))
			default:
				return false
			}
			return true
		})
		m.Payload = d.payload(l)
		return m
	case wamp.TypeResult:
		m := &d.result
		*m = wamp.Result{Request: id("RESULT.Request")}
		d.dict(l, "RESULT.Details", nil)
		m.Payload = d.payload(l)
		return m
	case wamp.TypeEvent:
		m := &d.event
		*m = wamp.Event{Subscription: id("EVENT.Subscription"), Publication: id("EVENT.Publication")}
		d.dict(l, "EVENT.Details", func(k string) bool {
			switch k {
			case "publisher":
				m.Details.Publisher = c.id(k)
			case "publisher_authid":
				m.Details.PublisherAuthid = d.str(c.str(k))
			case "publisher_authrole":
				m.Details.PublisherAuthrole = d.str(c.str(k))
			case "topic":
				m.Details.Topic = d.str(c.str(k))
			default:
				return false
			}
			return true
		})
		m.Payload = d.payload(l)
		return m
	case wamp.TypeError:
		m := &d.error
		*m = wamp.Error{RequestType: wamp.MessageType(id("ERROR.Type")), Request: id("ERROR.Request")}
		d.dict(l, "ERROR.Details", nil)
		m.URI = uri("ERROR.Error")
		m.Payload = d.payload(l)
		return m
	case wamp.TypeHello:
		m := &d.hello
		*m = wamp.Hello{}
		d.need(l, "HELLO.Realm")
		if c.peek() == KindNull {
			c.skip(1)
		} else {
			m.Realm = string(c.str("HELLO.Realm"))
		}
		d.dict(l, "HELLO.Details", func(k string) bool {
			switch k {
			case "roles":
				d.roles(&m.Roles)
			case "authmethods":
				m.HasAuthmethods = true
				s, ok := c.open(KindList, "HELLO.Details.authmethods")
				for ok && c.next(&s) {
					if len(m.Authmethods) == 32 {
						c.fail(c.pos, "HELLO.Details.authmethods has more than 32 entries")
						return true
					}
					m.Authmethods = append(m.Authmethods, string(c.str("an authmethod")))
				}
			case "authid":
				m.Authid = string(c.str(k))
			case "authrole":
				m.Authrole = string(c.str(k))
			case "agent":
				m.Agent = string(c.str(k))
			case "authextra":
				m.Authextra = wamp.Value{Format: c.f, Bytes: c.skip(2)}
			default:
				return false
			}
			return true
		})
		return m
	case wamp.TypeWelcome:
		m := &d.welcome
		*m = wamp.Welcome{Session: id("WELCOME.Session")}
		d.dict(l, "WELCOME.Details", func(k string) bool {
			switch k {
			case "realm":
				m.Realm = string(c.str(k))
			case "authid":
				m.Authid = string(c.str(k))
			case "authrole":
				m.Authrole = string(c.str(k))
			case "authmethod":
				m.Authmethod = string(c.str(k))
			case "authprovider":
				m.Authprovider = string(c.str(k))
			case "agent":
				m.Agent = string(c.str(k))
			case "authextra":
				m.Authextra = wamp.Value{Format: c.f, Bytes: c.skip(2)}
			case "roles":
				d.roles(&m.Roles)
			default:
				return false
			}
			return true
		})
		return m
	case wamp.TypeAbort:
		m := &d.abort
		*m = wamp.Abort{}
		d.dict(l, "ABORT.Details", func(k string) bool { return d.text(k, &m.Message) })
		m.Reason = uri("ABORT.Reason")
		return m
	case wamp.TypeGoodbye:
		m := &d.goodbye
		*m = wamp.Goodbye{}
		d.dict(l, "GOODBYE.Details", func(k string) bool { return d.text(k, &m.Message) })
		m.Reason = uri("GOODBYE.Reason")
		return m
	case wamp.TypeChallenge:
		m := &d.challenge
		*m = wamp.Challenge{Method: uri("CHALLENGE.AuthMethod")}
		m.Extra = d.extra(l, "CHALLENGE.Extra")
		return m
	case wamp.TypeAuthenticate:
		m := &d.authenticate
		d.need(l, "AUTHENTICATE.Signature")
		*m = wamp.Authenticate{Signature: string(c.str("AUTHENTICATE.Signature"))}
		m.Extra = d.extra(l, "AUTHENTICATE.Extra")
		return m
	case wamp.TypePublished:
		m := &d.published
		*m = wamp.Published{Request: id("PUBLISHED.Request"), Publication: id("PUBLISHED.Publication")}
		return m
	case wamp.TypeSubscribe:
		m := &d.subscribe
		*m = wamp.Subscribe{Request: id("SUBSCRIBE.Request")}
		d.dict(l, "SUBSCRIBE.Options", func(k string) bool { return d.match(k, &m.Options.Match) })
		m.Topic = uri("SUBSCRIBE.Topic")
		return m
	case wamp.TypeSubscribed:
		m := &d.subscribed
		*m = wamp.Subscribed{Request: id("SUBSCRIBED.Request"), Subscription: id("SUBSCRIBED.Subscription")}
		return m
	case wamp.TypeUnsubscribe:
		m := &d.unsubscribe
		*m = wamp.Unsubscribe{Request: id("UNSUBSCRIBE.Request"), Subscription: id("UNSUBSCRIBE.Subscription")}
		return m
	case wamp.TypeUnsubscribed:
		m := &d.unsubscribed
		*m = wamp.Unsubscribed{Request: id("UNSUBSCRIBED.Request")}
		return m
	case wamp.TypeRegister:
		m := &d.register
		*m = wamp.Register{Request: id("REGISTER.Request")}
		d.dict(l, "REGISTER.Options", func(k string) bool {
			if k == "invoke" {
				m.Options.Invoke = d.str(c.str(k))
				return true
			}
			return d.match(k, &m.Options.Match) || d.boolOption(k, "disclose_caller", &m.Options.DiscloseCaller)
		})
		m.Procedure = uri("REGISTER.Procedure")
		return m
	case wamp.TypeRegistered:
		m := &d.registered
		*m = wamp.Registered{Request: id("REGISTERED.Request"), Registration: id("REGISTERED.Registration")}
		return m
	case wamp.TypeUnregister:
		m := &d.unregister
		*m = wamp.Unregister{Request: id("UNREGISTER.Request"), Registration: id("UNREGISTER.Registration")}
		return m
	case wamp.TypeUnregistered:
		m := &d.unregistered
		*m = wamp.Unregistered{Request: id("UNREGISTERED.Request")}
		return m
	case wamp.TypeCancel:
		m := &d.cancel
		*m = wamp.Cancel{Request: id("CANCEL.Request")}
		d.dict(l, "CANCEL.Options", nil)
		return m
	}
	c.fail(0, "%d is no message type known here", d.typ)
	return nil
}

// dict reads the next element, a dict: known reads the value of a key that it knows.
func (d *Decoder) dict(l *seq, what string, known func(key string) bool) {
	d.need(l, what)
	c := &d.c
	s, ok := c.open(KindDict, what)
	for ok && c.next(&s) {
		k := d.str(c.key())
		if c.err != nil {
			return
		}
		if c.peek() == KindNull || known == nil || !known(k) {
			c.skip(2)
		}
	}
}

func (d *Decoder) boolOption(key, name string, v *wamp.Bool) bool {
	if key != name {
		return false
	}
	if d.c.boolean(name) {
		*v = wamp.True
	} else {
		*v = wamp.False
	}
	return true
}

func (d *Decoder) text(key string, v *string) bool {
	if key != "message" {
		return false
	}
	if d.c.peek() != KindString {
		return false
	}
	*v = string(d.c.str(key))
	return true
}

func (d *Decoder) match(key string, v *wamp.Match) bool {
	if key != "match" {
		return false
	}
	at := d.c.pos
	m, ok := wamp.ParseMatch(string(d.c.str("match")))
	if !ok {
		d.c.fail(at, "match is none of exact, prefix, wildcard")
	}
	*v = m
	return true
}

func (d *Decoder) extra(l *seq, what string) wamp.Value {
	d.need(l, what)
	switch k := d.c.peek(); k {
	case KindNull:
		d.c.skip(1)
		return wamp.Value{}
	case KindDict:
		return wamp.Value{Format: d.c.f, Bytes: d.c.skip(1)}
	default:
		d.c.fail(d.c.pos, "%s must be a dict, got %s", what, k)
	}
	return wamp.Value{}
}

// payload reads the optional last two elements.
func (d *Decoder) payload(l *seq) (p wamp.Payload) {
	c := &d.c
	p.Format = c.f
	if !c.next(l) {
		return p
	}
	switch k := c.peek(); k {
	case KindList:
		p.Args = c.skip(1)
	case KindNull:
		c.skip(1)
	default:
		c.fail(c.pos, "the arguments must be a list, got %s", k)
	}
	if !c.next(l) {
		return p
	}
	switch k := c.peek(); k {
	case KindDict:
		p.Kwargs = c.skip(1)
	case KindNull:
		c.skip(1)
	default:
		c.fail(c.pos, "the keyword arguments must be a dict, got %s", k)
	}
	return p
}

func (d *Decoder) roles(r *wamp.Roles) {
	c := &d.c
	s, ok := c.open(KindDict, "roles")
	for ok && c.next(&s) {
		var rf *wamp.RoleFeatures
		switch string(c.key()) {
		case "caller":
			rf = &r.Caller
		case "callee":
			rf = &r.Callee
		case "publisher":
			rf = &r.Publisher
		case "subscriber":
			rf = &r.Subscriber
		case "broker":
			rf = &r.Broker
		case "dealer":
			rf = &r.Dealer
		default:
			c.skip(3)
			continue
		}
		rf.Present = true
		o, ok := c.open(KindDict, "a role")
		for ok && c.next(&o) {
			if string(c.key()) != "features" || c.peek() != KindDict {
				c.skip(4)
				continue
			}
			fs, ok := c.open(KindDict, "features")
			for ok && c.next(&fs) {
				bit := feature(c.key())
				if c.peek() == KindBool && c.boolean("a feature") {
					rf.Features |= bit
				} else if c.peek() != KindBool {
					c.skip(5)
				}
			}
		}
	}
}

func feature(name []byte) wamp.Features {
	for i, n := range wamp.FeatureNames() {
		if n == string(name) {
			return 1 << i
		}
	}
	return 0
}

// boolean, id and integer read a value of that type.
func (c *cursor) boolean(what string) bool {
	at := c.pos
	if c.f == wamp.JSON {
		switch k := c.peek(); {
		case k == KindBool && c.data[c.pos] == 't':
			return c.literal("true")
		case k == KindBool:
			c.literal("false")
			return false
		default:
			c.fail(at, "%s must be a boolean, got %s", what, k)
			return false
		}
	}
	h, ok := c.head()
	if ok && h.kind != KindBool {
		c.fail(at, "%s must be a boolean, got %s", what, h.kind)
	}
	return h.b
}

func (c *cursor) id(what string) wamp.ID {
	at := c.pos
	n := c.integer(what)
	if c.err == nil && (n < 1 || n > uint64(wamp.MaxID)) {
		c.fail(at, "%s is out of the range of ids, 1 to 2^53", what)
	}
	return wamp.ID(n)
}

func (c *cursor) integer(what string) uint64 {
	at := c.pos
	fl := 0.0
	if c.f == wamp.JSON {
		k := c.peek()
		if k != KindUint && k != KindInt && k != KindFloat {
			c.fail(at, "%s must be an integer, got %s", what, k)
			return 0
		}
		if k == KindUint {
			var n uint64
			i := c.pos
			for ; i < len(c.data) && i-c.pos < 19 && c.data[i] >= '0' && c.data[i] <= '9'; i++ {
				n = n*10 + uint64(c.data[i]-'0')
			}
			if i-c.pos < 19 && (c.data[c.pos] != '0' || i == c.pos+1) {
				c.pos = i
				return n
			}
		}
		end, _, ok := c.jsonNumber(c.pos)
		if !ok {
			return 0
		}
		fl, _ = strconv.ParseFloat(string(c.data[c.pos:end]), 64)
		c.pos = end
	} else {
		h, ok := c.head()
		if !ok {
			return 0
		}
		switch h.kind {
		case KindUint:
			return h.n
		case KindFloat:
			fl = h.fl
		case KindInt:
			fl = -1
		default:
			c.fail(at, "%s must be an integer, got %s", what, h.kind)
			return 0
		}
	}
	if fl < 0 || fl > 1<<53 || fl != math.Trunc(fl) {
		c.fail(at, "%s must be an integer from 0 to 2^53", what)
		return 0
	}
	return uint64(fl)
}
