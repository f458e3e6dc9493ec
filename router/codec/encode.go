package codec

import (
	"errors"
	"fmt"

	"usher/router/wamp"
)

// Append encodes m in format f behind dst. A payload or value of another format
// is transcoded; where that cannot be done (NaN to JSON, a key that is no
// string) the error wraps ErrTranscode and dst is returned as it was.
func Append(dst []byte, f wamp.Format, m wamp.Message) ([]byte, error) {
	e := encoder{f: f, b: dst}
	e.message(m)
	if e.err != nil {
		return dst, fmt.Errorf("encode a message: %w", e.err)
	}
	return e.b, nil
}

// AppendValue appends v in format f to dst, transcoding it if need be. An absent
// value becomes {}.
func AppendValue(dst []byte, f wamp.Format, v wamp.Value) ([]byte, error) {
	e := encoder{f: f, b: dst}
	e.raw(v.Format, v.Bytes, '{')
	if e.err != nil {
		return dst, e.err
	}
	return e.b, nil
}

// encoder writes what has a known number of elements.
type encoder struct {
	f   wamp.Format
	b   []byte
	err error
	in  [8]int8 // elements written of each open list (dicts: keys and values)
	dic [8]bool
	n   int
}

func (e *encoder) sep() {
	if e.f != wamp.JSON || e.n == 0 {
		return
	}
	k := &e.in[e.n-1]
	if *k > 0 {
		if e.dic[e.n-1] && *k == 1 {
			e.b = append(e.b, ':')
		} else {
			e.b = append(e.b, ',')
		}
	}
	*k = 1 + *k%2 // only "none yet", odd and even matter
}

func (e *encoder) open(dict bool, n int) {
	e.sep()
	switch e.f {
	case wamp.JSON:
		c := byte('[')
		if dict {
			c = '{'
		}
		e.b = append(e.b, c)
		e.in[e.n], e.dic[e.n] = 0, dict
		e.n++
	case wamp.MessagePack:
		e.b = appendMsgpackHead(e.b, dict, n)
	default:
		major := byte(4)
		if dict {
			major = 5
		}
		e.b = appendCBORHead(e.b, major, uint64(n))
	}
}

func (e *encoder) close() {
	if e.f == wamp.JSON {
		e.n--
		c := byte(']')
		if e.dic[e.n] {
			c = '}'
		}
		e.b = append(e.b, c)
	}
}

func (e *encoder) uint(v uint64) { e.sep(); e.b = appendUint(e.b, e.f, v) }
func (e *encoder) id(v wamp.ID)  { e.uint(uint64(v)) }
func (e *encoder) str(s string)  { e.sep(); e.b = appendString(e.b, e.f, s) }
func (e *encoder) bool(v bool)   { e.sep(); e.b = appendBool(e.b, e.f, v) }
func (e *encoder) empty()        { e.open(true, 0); e.close() }
func (e *encoder) list(n int)    { e.open(false, n) }
func (e *encoder) dict(n int)    { e.open(true, n) }
func (e *encoder) entry(k, v string) {
	if v != "" {
		e.str(k)
		e.str(v)
	}
}

// raw writes an encoded value; where there is none, an empty '{' or '['.
func (e *encoder) raw(f wamp.Format, data []byte, empty byte) {
	if len(data) == 0 {
		e.open(empty == '{', 0)
		e.close()
		return
	}
	e.sep()
	if f == e.f {
		e.b = append(e.b, data...)
		return
	}
	if e.err == nil {
		e.b, e.err = transcode(e.b, e.f, f, data)
	}
}

// size is how many elements p adds to its message.
func size(p *wamp.Payload) int {
	switch {
	case len(p.Kwargs) > 0:
		return 2
	case len(p.Args) > 0:
		return 1
	}
	return 0
}

func (e *encoder) payload(p *wamp.Payload) {
	n := size(p)
	if n > 0 {
		e.raw(p.Format, p.Args, '[')
	}
	if n > 1 {
		e.raw(p.Format, p.Kwargs, '{')
	}
	e.close()
}

func count(present ...bool) int {
	n := 0
	for _, p := range present {
		if p {
			n++
		}
	}
	return n
}

func (e *encoder) option(key string, v wamp.Bool) {
	if v != wamp.Unset {
		e.str(key)
		e.bool(v == wamp.True)
	}
}

func (e *encoder) ids(t wamp.MessageType, ids ...wamp.ID) {
	e.list(1 + len(ids))
	e.uint(uint64(t))
	for _, id := range ids {
		e.id(id)
	}
	e.close()
}

func (e *encoder) message(m wamp.Message) {
	switch m := m.(type) {
	case *wamp.Invocation:
		d := &m.Details
		e.list(4 + size(&m.Payload))
		e.uint(uint64(wamp.TypeInvocation))
		e.id(m.Request)
		e.id(m.Registration)
		e.dict(count(d.Caller != 0, d.CallerAuthid != "", d.CallerAuthrole != "", d.Procedure != ""))
		if d.Caller != 0 {
			e.str("caller")
			e.id(d.Caller)
		}
		e.entry("caller_authid", d.CallerAuthid)
		e.entry("caller_authrole", d.CallerAuthrole)
		e.entry("procedure", d.Procedure)
		e.close()
		e.payload(&m.Payload)
	case *wamp.Result:
		e.list(3 + size(&m.Payload))
		e.uint(uint64(wamp.TypeResult))
		e.id(m.Request)
		e.empty()
		e.payload(&m.Payload)
	case *wamp.Event:
		d := &m.Details
		e.list(4 + size(&m.Payload))
		e.uint(uint64(wamp.TypeEvent))
		e.id(m.Subscription)
		e.id(m.Publication)
		e.dict(count(d.Publisher != 0, d.PublisherAuthid != "", d.PublisherAuthrole != "", d.Topic != ""))
		if d.Publisher != 0 {
			e.str("publisher")
			e.id(d.Publisher)
		}
		e.entry("publisher_authid", d.PublisherAuthid)
		e.entry("publisher_authrole", d.PublisherAuthrole)
		e.entry("topic", d.Topic)
		e.close()
		e.payload(&m.Payload)
	case *wamp.Error:
		e.list(5 + size(&m.Payload))
		e.uint(uint64(wamp.TypeError))
		e.uint(uint64(m.RequestType))
		e.id(m.Request)
		e.empty()
		e.str(m.URI)
		e.payload(&m.Payload)
	case *wamp.Call:
		e.list(4 + size(&m.Payload))
		e.uint(uint64(wamp.TypeCall))
		e.id(m.Request)
		e.dict(count(m.Options.DiscloseMe != wamp.Unset))
		e.option("disclose_me", m.Options.DiscloseMe)
		e.close()
		e.str(m.Procedure)
		e.payload(&m.Payload)
	case *wamp.Yield:
		e.list(3 + size(&m.Payload))
		e.uint(uint64(wamp.TypeYield))
		e.id(m.Request)
		e.empty()
		e.payload(&m.Payload)
	case *wamp.Publish:
		o := &m.Options
		e.list(4 + size(&m.Payload))
		e.uint(uint64(wamp.TypePublish))
		e.id(m.Request)
		e.dict(count(o.Acknowledge, o.ExcludeMe != wamp.Unset, o.DiscloseMe != wamp.Unset))
		if o.Acknowledge {
			e.str("acknowledge")
			e.bool(true)
		}
		e.option("exclude_me", o.ExcludeMe)
		e.option("disclose_me", o.DiscloseMe)
		e.close()
		e.str(m.Topic)
		e.payload(&m.Payload)
	case *wamp.Published:
		e.ids(wamp.TypePublished, m.Request, m.Publication)
	case *wamp.Subscribed:
		e.ids(wamp.TypeSubscribed, m.Request, m.Subscription)
	case *wamp.Unsubscribe:
		e.ids(wamp.TypeUnsubscribe, m.Request, m.Subscription)
	case *wamp.Unsubscribed:
		e.ids(wamp.TypeUnsubscribed, m.Request)
	case *wamp.Registered:
		e.ids(wamp.TypeRegistered, m.Request, m.Registration)
	case *wamp.Unregister:
		e.ids(wamp.TypeUnregister, m.Request, m.Registration)
	case *wamp.Unregistered:
		e.ids(wamp.TypeUnregistered, m.Request)
	case *wamp.Subscribe:
		e.list(4)
		e.uint(uint64(wamp.TypeSubscribe))
		e.id(m.Request)
		e.dict(count(m.Options.Match != wamp.Exact))
		if m.Options.Match != wamp.Exact {
			e.entry("match", m.Options.Match.String())
		}
		e.close()
		e.str(m.Topic)
		e.close()
	case *wamp.Register:
		o := &m.Options
		e.list(4)
		e.uint(uint64(wamp.TypeRegister))
		e.id(m.Request)
		e.dict(count(o.Match != wamp.Exact, o.Invoke != "", o.DiscloseCaller != wamp.Unset))
		if o.Match != wamp.Exact {
			e.entry("match", o.Match.String())
		}
		e.entry("invoke", o.Invoke)
		e.option("disclose_caller", o.DiscloseCaller)
		e.close()
		e.str(m.Procedure)
		e.close()
	case *wamp.Cancel:
		e.list(3)
		e.uint(uint64(wamp.TypeCancel))
		e.id(m.Request)
		e.empty()
		e.close()
	default:
		e.sessionMessage(m)
	}
}

func (e *encoder) sessionMessage(m wamp.Message) {
	switch m := m.(type) {
	case *wamp.Hello:
		e.list(3)
		e.uint(uint64(wamp.TypeHello))
		e.str(m.Realm)
		e.dict(1 + count(m.HasAuthmethods, m.Authid != "", m.Authrole != "", !m.Authextra.Absent(), m.Agent != ""))
		e.roles(&m.Roles)
		if m.HasAuthmethods {
			e.str("authmethods")
			e.list(len(m.Authmethods))
			for _, s := range m.Authmethods {
				e.str(s)
			}
			e.close()
		}
		e.entry("authid", m.Authid)
		e.entry("authrole", m.Authrole)
		e.value("authextra", m.Authextra)
		e.entry("agent", m.Agent)
		e.close()
		e.close()
	case *wamp.Welcome:
		e.list(3)
		e.uint(uint64(wamp.TypeWelcome))
		e.id(m.Session)
		e.dict(1 + count(m.Realm != "", m.Authid != "", m.Authrole != "", m.Authmethod != "", m.Authprovider != "", !m.Authextra.Absent(), m.Agent != ""))
		e.entry("realm", m.Realm)
		e.entry("authid", m.Authid)
		e.entry("authrole", m.Authrole)
		e.entry("authmethod", m.Authmethod)
		e.entry("authprovider", m.Authprovider)
		e.value("authextra", m.Authextra)
		e.entry("agent", m.Agent)
		e.roles(&m.Roles)
		e.close()
		e.close()
	case *wamp.Abort:
		e.farewell(wamp.TypeAbort, m.Message, m.Reason)
	case *wamp.Goodbye:
		e.farewell(wamp.TypeGoodbye, m.Message, m.Reason)
	case *wamp.Challenge:
		e.list(3)
		e.uint(uint64(wamp.TypeChallenge))
		e.str(m.Method)
		e.raw(m.Extra.Format, m.Extra.Bytes, '{')
		e.close()
	case *wamp.Authenticate:
		e.list(3)
		e.uint(uint64(wamp.TypeAuthenticate))
		e.str(m.Signature)
		e.raw(m.Extra.Format, m.Extra.Bytes, '{')
		e.close()
	default:
		e.err = errors.New("it is of no type known here")
	}
}

func (e *encoder) value(key string, v wamp.Value) {
	if !v.Absent() {
		e.str(key)
		e.raw(v.Format, v.Bytes, '{')
	}
}

func (e *encoder) farewell(t wamp.MessageType, message, reason string) {
	e.list(3)
	e.uint(uint64(t))
	e.dict(count(message != ""))
	e.entry("message", message)
	e.close()
	e.str(reason)
	e.close()
}

func (e *encoder) roles(r *wamp.Roles) {
	all := [...]struct {
		name string
		role *wamp.RoleFeatures
	}{{"caller", &r.Caller}, {"callee", &r.Callee}, {"publisher", &r.Publisher}, {"subscriber", &r.Subscriber}, {"broker", &r.Broker}, {"dealer", &r.Dealer}}
	n := 0
	for _, x := range all {
		if x.role.Present {
			n++
		}
	}
	e.str("roles")
	e.dict(n)
	for _, x := range all {
		if !x.role.Present {
			continue
		}
		e.str(x.name)
		names := wamp.FeatureNames()
		k := 0
		for i := range names {
			if x.role.Features&(1<<i) != 0 {
				k++
			}
		}
		if k == 0 {
			e.empty()
			continue
		}
		e.dict(1)
		e.str("features")
		e.dict(k)
		for i, name := range names {
			if x.role.Features&(1<<i) != 0 {
				e.str(name)
				e.bool(true)
			}
		}
		e.close()
		e.close()
	}
	e.close()
}
