package codec

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf8"

	"usher/router/wamp"
)

// errNoFormat is a mistake of the caller.
var errNoFormat = errors.New("there is no format to encode in")

// Append encodes m in format f behind dst. A payload or value of another format
// is transcoded; where that cannot be done (NaN to JSON, a key that is no
// string) the error wraps ErrTranscode and dst is returned as it was.
func Append(dst []byte, f wamp.Format, m wamp.Message) ([]byte, error) {
	e := encoder{f: f, b: dst}
	if f < wamp.JSON || f > wamp.CBOR {
		e.err = errNoFormat
	} else {
		e.message(m)
	}
	if e.err != nil {
		return dst, fmt.Errorf("encode a message: %w", e.err)
	}
	return e.b, nil
}

// AppendValue appends v in format f to dst, transcoding it if need be. An absent
// value becomes {}.
func AppendValue(dst []byte, f wamp.Format, v wamp.Value) ([]byte, error) {
	if f < wamp.JSON || f > wamp.CBOR {
		return dst, errNoFormat
	}
	e := encoder{f: f, b: dst}
	e.raw(v.Format, v.Bytes, '{')
	if e.err != nil {
		return dst, e.err
	}
	return e.b, nil
}

// encoder writes the elements of a message, whose number the caller knows.
type encoder struct {
	f     wamp.Format
	b     []byte
	comma bool   // JSON: one must come before the next value
	dicts uint32 // one bit for each open list or dict, the innermost is the lowest
	err   error
}

// next puts the comma of JSON before a value.
func (e *encoder) next() {
	if e.comma && e.f == wamp.JSON {
		e.b = append(e.b, ',')
	}
	e.comma = true
}

func (e *encoder) list(n int) {
	e.next()
	e.b = appendBegin(e.b, e.f, false, n)
	e.comma, e.dicts = false, e.dicts<<1
}

func (e *encoder) dict(n int) {
	e.next()
	e.b = appendBegin(e.b, e.f, true, n)
	e.comma, e.dicts = false, e.dicts<<1|1
}

// close ends the innermost list or dict.
func (e *encoder) close() {
	e.b = appendEnd(e.b, e.f, e.dicts&1 == 1)
	e.comma, e.dicts = true, e.dicts>>1
}

func (e *encoder) uint(v uint64) {
	e.next()
	e.b = appendUint(e.b, e.f, v)
}

func (e *encoder) id(v wamp.ID) { e.uint(uint64(v)) }

// str writes a string. What is not UTF-8 in it, such as in texts of the operating
// system, becomes U+FFFD: the receiver would refuse the whole message.
func (e *encoder) str(s string) {
	e.next()
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	e.b = appendString(e.b, e.f, s)
}

func (e *encoder) bool(v bool) {
	e.next()
	e.b = appendBool(e.b, e.f, v)
}

func (e *encoder) key(k string) {
	e.next()
	e.b = appendString(e.b, e.f, k)
	if e.f == wamp.JSON {
		e.b = append(e.b, ':')
		e.comma = false
	}
}

// entry writes an entry of a dict, unless it is empty.
func (e *encoder) entry(k, v string) {
	if v != "" {
		e.key(k)
		e.str(v)
	}
}

func (e *encoder) empty() {
	e.dict(0)
	e.close()
}

// begin writes the type of a message of n elements and the ids that follow it.
func (e *encoder) begin(t wamp.MessageType, n int, ids ...wamp.ID) {
	e.list(n)
	e.uint(uint64(t))
	for _, id := range ids {
		e.id(id)
	}
}

// raw writes an encoded value; where there is none, an empty '{' or '['.
func (e *encoder) raw(f wamp.Format, data []byte, empty byte) {
	switch {
	case len(data) > 0:
	case empty == '{':
		e.empty()
		return
	default:
		e.list(0)
		e.close()
		return
	}
	e.next()
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
		e.key(key)
		e.bool(v == wamp.True)
	}
}

// ids writes a message that has nothing but ids.
func (e *encoder) ids(t wamp.MessageType, ids ...wamp.ID) {
	e.begin(t, 1+len(ids), ids...)
	e.close()
}

func (e *encoder) message(m wamp.Message) {
	switch m := m.(type) {
	case *wamp.Invocation:
		d := &m.Details
		e.begin(wamp.TypeInvocation, 4+size(&m.Payload), m.Request, m.Registration)
		e.dict(count(d.Caller != 0, d.CallerAuthid != "", d.CallerAuthrole != "", d.Procedure != "",
			d.ReceiveProgress, d.Progress, d.Timeout != 0, d.Trustlevel.Given) + passthruSize(d.Passthru))
		if d.Caller != 0 {
			e.key("caller")
			e.id(d.Caller)
		}
		e.entry("caller_authid", d.CallerAuthid)
		e.entry("caller_authrole", d.CallerAuthrole)
		e.entry("procedure", d.Procedure)
		e.truth("receive_progress", d.ReceiveProgress)
		e.truth("progress", d.Progress)
		e.number("timeout", d.Timeout)
		e.trustlevel(d.Trustlevel)
		e.passthru(d.Passthru)
		e.close()
		e.payload(&m.Payload)
	case *wamp.Result:
		e.begin(wamp.TypeResult, 3+size(&m.Payload), m.Request)
		e.progress(m.Progress, m.Passthru)
		e.payload(&m.Payload)
	case *wamp.Event:
		d := &m.Details
		e.begin(wamp.TypeEvent, 4+size(&m.Payload), m.Subscription, m.Publication)
		e.dict(count(d.Publisher != 0, d.PublisherAuthid != "", d.PublisherAuthrole != "", d.Topic != "",
			d.Retained, d.Trustlevel.Given) + passthruSize(d.Passthru))
		if d.Publisher != 0 {
			e.key("publisher")
			e.id(d.Publisher)
		}
		e.entry("publisher_authid", d.PublisherAuthid)
		e.entry("publisher_authrole", d.PublisherAuthrole)
		e.entry("topic", d.Topic)
		e.truth("retained", d.Retained)
		e.trustlevel(d.Trustlevel)
		e.passthru(d.Passthru)
		e.close()
		e.payload(&m.Payload)
	case *wamp.Error:
		e.begin(wamp.TypeError, 5+size(&m.Payload))
		e.uint(uint64(m.RequestType))
		e.id(m.Request)
		e.progress(false, m.Passthru)
		e.str(m.URI)
		e.payload(&m.Payload)
	case *wamp.Call:
		o := &m.Options
		e.begin(wamp.TypeCall, 4+size(&m.Payload), m.Request)
		e.dict(count(o.DiscloseMe != wamp.Unset, o.ReceiveProgress, o.Progress, o.Timeout != 0) + passthruSize(o.Passthru))
		e.option("disclose_me", o.DiscloseMe)
		e.truth("receive_progress", o.ReceiveProgress)
		e.truth("progress", o.Progress)
		e.number("timeout", o.Timeout)
		e.passthru(o.Passthru)
		e.close()
		e.str(m.Procedure)
		e.payload(&m.Payload)
	case *wamp.Yield:
		e.begin(wamp.TypeYield, 3+size(&m.Payload), m.Request)
		e.progress(m.Progress, m.Passthru)
		e.payload(&m.Payload)
	case *wamp.Publish:
		o := &m.Options
		e.begin(wamp.TypePublish, 4+size(&m.Payload), m.Request)
		e.dict(count(o.Acknowledge, o.ExcludeMe != wamp.Unset, o.DiscloseMe != wamp.Unset, o.Retain) +
			audienceSize(o.Audience) + passthruSize(o.Passthru))
		e.truth("acknowledge", o.Acknowledge)
		e.option("exclude_me", o.ExcludeMe)
		e.option("disclose_me", o.DiscloseMe)
		e.truth("retain", o.Retain)
		e.audience(o.Audience)
		e.passthru(o.Passthru)
		e.close()
		e.str(m.Topic)
		e.payload(&m.Payload)
	default:
		e.request(m)
	}
}

func (e *encoder) sessionMessage(m wamp.Message) {
	switch m := m.(type) {
	case *wamp.Hello:
		e.begin(wamp.TypeHello, 3)
		e.str(m.Realm)
		e.dict(1 + count(m.HasAuthmethods, m.Authid != "", m.Authrole != "", !m.Authextra.Absent(), m.Agent != ""))
		e.roles(&m.Roles)
		if m.HasAuthmethods {
			e.key("authmethods")
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
		e.begin(wamp.TypeWelcome, 3, m.Session)
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
		e.begin(wamp.TypeChallenge, 3)
		e.str(m.Method)
		e.raw(m.Extra.Format, m.Extra.Bytes, '{')
		e.close()
	case *wamp.Authenticate:
		e.begin(wamp.TypeAuthenticate, 3)
		e.str(m.Signature)
		e.raw(m.Extra.Format, m.Extra.Bytes, '{')
		e.close()
	default:
		e.err = errors.New("it is of no type known here")
	}
}

func (e *encoder) value(key string, v wamp.Value) {
	if !v.Absent() {
		e.key(key)
		e.raw(v.Format, v.Bytes, '{')
	}
}

func (e *encoder) farewell(t wamp.MessageType, message, reason string) {
	e.begin(t, 3)
	e.dict(count(message != ""))
	e.entry("message", message)
	e.close()
	e.str(reason)
	e.close()
}

func (e *encoder) roles(r *wamp.Roles) {
	e.key("roles")
	e.dict(count(r.Caller.Present, r.Callee.Present, r.Publisher.Present, r.Subscriber.Present, r.Broker.Present, r.Dealer.Present))
	e.role("caller", &r.Caller)
	e.role("callee", &r.Callee)
	e.role("publisher", &r.Publisher)
	e.role("subscriber", &r.Subscriber)
	e.role("broker", &r.Broker)
	e.role("dealer", &r.Dealer)
	e.close()
}

// role writes a role and its features, if the peer has it.
func (e *encoder) role(name string, r *wamp.RoleFeatures) {
	if !r.Present {
		return
	}
	e.key(name)
	if r.Features == 0 && !r.Reflection {
		e.empty()
		return
	}
	e.dict(count(r.Features != 0, r.Reflection))
	if r.Features != 0 {
		e.key("features")
		e.dict(bits.OnesCount32(uint32(r.Features)))
		for rest := r.Features; rest != 0; rest &= rest - 1 {
			e.key((rest & -rest).Name())
			e.bool(true)
		}
		e.close()
	}
	e.truth("reflection", r.Reflection)
	e.close()
}
