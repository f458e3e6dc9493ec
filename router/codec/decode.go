package codec

import (
	"encoding/binary"

	"usher/router/wamp"
)

// Decoder turns one message after the other into values. Its memory is reused:
// the message that Decode returns, and all bytes it refers to, are valid until
// the next Decode (strings may be kept). The zero Decoder is ready. It is not
// safe for concurrent use, but may serve any number of connections and formats
// in turn.
type Decoder struct {
	c   cursor
	typ wamp.MessageType

	// interned holds strings that came before, so that repeats of URIs cost no
	// allocation. A string's hash is its only place.
	interned [256]string

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
	interrupt    wamp.Interrupt
	yield        wamp.Yield

	options options
}

// Decode reads one whole message. An error is an *Error.
func (d *Decoder) Decode(f wamp.Format, data []byte) (wamp.Message, error) {
	c := &d.c
	c.reset(f, data)
	d.typ = 0
	d.options.passes = false
	if l, ok := c.openSeq(KindList, "a message"); ok {
		if m := d.message(&l); c.err == nil {
			return m, nil
		}
	}
	c.err.Type = d.typ
	return nil, c.err
}

// message reads the elements of the message l.
func (d *Decoder) message(l *seq) wamp.Message {
	c := &d.c
	at := c.pos
	d.element(l, "the message type")
	typ := c.integer("the message type")
	if typ <= 255 {
		d.typ = wamp.MessageType(typ)
	}
	m := d.typed(l)
	switch {
	case c.err != nil:
	case m == nil && typ <= uint64(wamp.MaxID):
		c.fail(at, "%d is no message type known here", typ)
	case m == nil:
		c.fail(at, "the message type must be a small integer")
	case c.more(l):
		c.fail(c.pos, "%s has too many elements", d.typ)
	default:
		c.end("message")
	}
	return m
}

// element goes to the next element, which must be there.
func (d *Decoder) element(l *seq, what string) {
	if c := &d.c; !c.more(l) && c.err == nil {
		c.fail(c.pos, "the message ends before %s", what)
	}
}

func (d *Decoder) id(l *seq, what string) wamp.ID {
	d.element(l, what)
	return d.c.id(what)
}

func (d *Decoder) uri(l *seq, what string) string {
	d.element(l, what)
	return d.intern(d.c.str(what))
}

// dict reads the next element, a dict. known is asked to read the value of each
// key and reports whether it did; others are validated only. Null and undefined
// mean that an entry is absent.
func (d *Decoder) dict(l *seq, what string, known func(key string) bool) {
	d.element(l, what)
	c := &d.c
	s, ok := c.openSeq(KindDict, what)
	if !ok {
		return
	}
	for c.more(&s) {
		key := c.key(&s)
		if c.err != nil {
			return
		}
		if c.peek() == KindNull || known == nil {
			c.skip(2)
			continue
		}
		c.within = what
		if !known(d.intern(key)) {
			c.skip(2)
		}
		c.within = ""
	}
}

// text reads a string of a dict.
func (d *Decoder) text(key string) string { return d.intern(d.c.str(key)) }

// flag reads a boolean of a dict.
func (d *Decoder) flag(key string) wamp.Bool {
	if d.c.boolean(key) {
		return wamp.True
	}
	return wamp.False
}

// policy reads a matching policy.
func (d *Decoder) policy(key string) wamp.Match {
	c := &d.c
	at := c.pos
	m, ok := wamp.ParseMatch(string(c.str(key)))
	if !ok {
		c.fail(at, "%s must be exact, prefix or wildcard", c.name(key))
	}
	return m
}

// nested reads a value of a dict, which is a dict itself, and leaves it encoded.
func (d *Decoder) nested(key string) wamp.Value {
	c := &d.c
	if k := c.peek(); k != KindDict {
		c.expected(c.pos, key, "a dict", k)
		return wamp.Value{}
	}
	return wamp.Value{Format: c.f, Bytes: c.skip(2)}
}

// extra reads the next element, a dict or null, and leaves it encoded.
func (d *Decoder) extra(l *seq, what string) wamp.Value {
	d.element(l, what)
	c := &d.c
	switch k := c.peek(); k {
	case KindNull:
		c.skip(1)
	case KindDict:
		return wamp.Value{Format: c.f, Bytes: c.skip(1)}
	default:
		c.expected(c.pos, what, "a dict", k)
	}
	return wamp.Value{}
}

// payload reads the last two elements, which may be absent or null, into p: as a
// result it would take room on the stack once for each type of message.
func (d *Decoder) payload(l *seq, p *wamp.Payload) {
	c := &d.c
	p.Format = c.f
	if !c.more(l) {
		return
	}
	if d.isOpaque() && c.peek() != KindList && c.peek() != KindNull {
		d.opaque(l, p)
		return
	}
	switch k := c.peek(); k {
	case KindList:
		p.Args = c.skip(1)
	case KindNull:
		c.skip(1)
	default:
		c.expected(c.pos, d.typ.String()+".Arguments", "a list", k)
	}
	if !c.more(l) {
		return
	}
	switch k := c.peek(); k {
	case KindDict:
		p.Kwargs = c.skipNamed(1)
	case KindNull:
		c.skip(1)
	default:
		c.expected(c.pos, d.typ.String()+".ArgumentsKw", "a dict", k)
	}
}

// maxInterned bounds the length of the strings that a Decoder remembers.
const maxInterned = 128

// intern returns b as a string that may be kept.
func (d *Decoder) intern(b []byte) string {
	n := len(b)
	if n == 0 {
		return ""
	}
	if n > maxInterned {
		return string(b)
	}
	// The whole string goes into the hash, eight bytes at a time, so that URIs which
	// differ in a single place do not push each other out.
	const mix = 0x9e3779b97f4a7c15
	h := uint64(n)
	rest := b
	for len(rest) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(rest)) * mix
		h ^= h >> 32
		rest = rest[8:]
	}
	for _, x := range rest {
		h = (h ^ uint64(x)) * mix
	}
	s := &d.interned[h>>56]
	if *s != string(b) {
		*s = string(b)
	}
	return *s
}
