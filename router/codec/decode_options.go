package codec

import (
	"math"

	"usher/router/wamp"
)

// options is the memory of those options that few messages have.
type options struct {
	passes   bool // passthru is this message's
	passthru wamp.Passthru
	audience wamp.Audience
}

// passthru reads an entry of a payload that is passed through, and reports
// whether it is one. Without a scheme or algorithm nothing is passed through.
func (d *Decoder) passthru(key string, to **wamp.Passthru) bool {
	p := &d.options.passthru
	var field *string
	switch key {
	case "ppt_scheme":
		field = &p.Scheme
	case "ppt_serializer":
		field = &p.Serializer
	case "ppt_cipher":
		field = &p.Cipher
	case "ppt_keyid":
		field = &p.KeyID
	case "enc_algo":
		field = &p.EncAlgo
	case "enc_serializer":
		field = &p.EncSerializer
	case "enc_key":
		field = &p.EncKey
	default:
		return false
	}
	if !d.options.passes {
		d.options.passes, *p = true, wamp.Passthru{}
	}
	*field = d.text(key)
	*to = nil // also where a key is there again and takes it back
	if p.Scheme != "" || p.EncAlgo != "" {
		*to = p
	}
	return true
}

// isOpaque reports whether the message's payload is binary data.
func (d *Decoder) isOpaque() bool {
	return d.options.passes && d.options.passthru.IsOpaque()
}

// opaque reads a payload that is binary data; in JSON that is a string.
func (d *Decoder) opaque(l *seq, p *wamp.Payload) {
	c := &d.c
	switch k := c.peek(); k {
	case KindBytes, KindString:
		p.Args = c.skip(1)
	default:
		c.expected(c.pos, d.typ.String()+".Payload", "binary data", k)
	}
	if !c.more(l) {
		return
	}
	if c.peek() != KindNull {
		c.fail(c.pos, "%s has arguments behind its binary payload", d.typ)
	}
	c.skip(1)
}

// audienceOption reads an entry that narrows who receives a publication, and
// reports whether it is one.
func (d *Decoder) audienceOption(key string, to **wamp.Audience) bool {
	a := &d.options.audience
	var ids *[]wamp.ID
	var texts *[]string
	switch key {
	case "exclude":
		ids = &a.Exclude
	case "eligible":
		ids = &a.Eligible
	case "exclude_authid":
		texts = &a.ExcludeAuthid
	case "eligible_authid":
		texts = &a.EligibleAuthid
	case "exclude_authrole":
		texts = &a.ExcludeAuthrole
	case "eligible_authrole":
		texts = &a.EligibleAuthrole
	default:
		return false
	}
	if *to == nil {
		*a = wamp.Audience{}
		*to = a
	}
	if ids != nil {
		*ids = d.ids(key)
	} else {
		*texts = d.texts(key)
	}
	return true
}

// ids reads a list of ids of a dict. An empty one is not nil.
func (d *Decoder) ids(key string) []wamp.ID {
	c := &d.c
	all := []wamp.ID{}
	what := key + "[]"
	s, ok := c.openSeq(KindList, key)
	for ok && c.more(&s) {
		all = append(all, c.id(what))
	}
	return all
}

// texts reads a list of strings of a dict. An empty one is not nil.
func (d *Decoder) texts(key string) []string {
	c := &d.c
	all := []string{}
	what := key + "[]"
	s, ok := c.openSeq(KindList, key)
	for ok && c.more(&s) {
		all = append(all, d.text(what))
	}
	return all
}

// milliseconds reads a time of a dict.
func (d *Decoder) milliseconds(key string) uint64 {
	at := d.c.pos
	n := d.c.integer(key)
	if n > uint64(wamp.MaxID) {
		d.c.fail(at, "%s must be a number of milliseconds", d.c.name(key))
	}
	return n
}

// small reads a number of a dict that fits an int on every machine.
func (d *Decoder) small(key string) int {
	at := d.c.pos
	n := d.c.integer(key)
	if n > math.MaxInt32 {
		d.c.fail(at, "%s must be an integer from 0 to 2^31-1", d.c.name(key))
		return 0
	}
	return int(n)
}

func (d *Decoder) trustlevel(key string) wamp.Trustlevel {
	return wamp.Trustlevel{Level: d.small(key), Given: true}
}

// idOrNone reads the request id of a message that the router also sends unasked,
// with 0 then.
func (d *Decoder) idOrNone(l *seq, what string) wamp.ID {
	d.element(l, what)
	at := d.c.pos
	n := d.c.integer(what)
	if n > uint64(wamp.MaxID) {
		d.c.fail(at, "%s must be an id from 1 to 2^53, or 0", what)
	}
	return wamp.ID(n)
}

// revoked reads what the router took back, which is the id of that name, and why. The
// id must be there: without it nobody could tell what has ended.
func (d *Decoder) revoked(l *seq, what, name string) (id wamp.ID, reason string) {
	d.dict(l, what, func(key string) bool {
		switch key {
		case name:
			id = d.c.id(key)
		case "reason":
			reason = d.text(key)
		default:
			return false
		}
		return true
	})
	if id == 0 {
		d.c.fail(d.c.pos, "%s.%s is missing", what, name)
	}
	return id, reason
}
