package realm

import (
	"maps"
	"slices"

	"usher/router/codec"
	"usher/router/wamp"
)

// The reflection API (specification: "Interface Reflection", a sketch that names
// procedures and topics). What it leaves open is as in Crossbar.io when that had
// it: wamp.reflect.define takes a URI and a dict, or null to take the definition
// back; wamp.reflect.describe takes a URI, or nothing for all. The dict's "type"
// is topic, procedure or error, by which the procedures below wamp.reflection tell
// resources apart.
//
// Everybody sees what his role may use or offer, and defines what it may offer.
// Definitions end with the session that made them. The router's own procedures and
// topics are not listed: the specification describes them.

const (
	metaOnDefine   = "wamp.reflect.on_define"
	metaOnUndefine = "wamp.reflect.on_undefine"
)

// reflectionProcedure is metaProcedureNamed for the reflection API.
func reflectionProcedure(uri string) metaProcedure {
	switch uri {
	case "wamp.reflect.define":
		return metaDefine
	case "wamp.reflect.describe":
		return func(c *metaCall) *ErrorReply { return c.describe(noResource, true) }
	case "wamp.reflection.topic.list":
		return metaTopics
	case "wamp.reflection.procedure.list":
		return metaProcedures
	case "wamp.reflection.error.list":
		return metaErrors
	case "wamp.reflection.topic.describe":
		return func(c *metaCall) *ErrorReply { return c.describe(resourceTopic, false) }
	case "wamp.reflection.procedure.describe":
		return func(c *metaCall) *ErrorReply { return c.describe(resourceProcedure, false) }
	case "wamp.reflection.error.describe":
		return func(c *metaCall) *ErrorReply { return c.describe(resourceError, false) }
	}
	return nil
}

// metaDefine is wamp.reflect.define. It returns true where the URI was not defined,
// false where its definition was replaced, and null where nothing changed; for
// null instead of a definition the URI, if its definition was the caller's.
func metaDefine(c *metaCall) *ErrorReply {
	uri := c.args.text("uri")
	if c.args.err == nil && c.args.kind == codec.KindNull {
		c.args.advance()
		if e := c.args.end(); e != nil {
			return e
		}
		return c.undefine(uri)
	}
	d := &definition{by: c.caller}
	var w codec.Writer
	w.Reset(keptFormat, nil)
	w.BeginDict()
	c.args.dict("definition", func(key string, r *codec.Reader, kind codec.Kind) {
		if key == "type" && kind == codec.KindString {
			d.what = parseResource(string(r.Bytes()))
		}
		w.String([]byte(key))
		if err := codec.Copy(&w, r, kind); err != nil {
			c.args.fail(wamp.ErrInvalidArgument, "definition: %s", err)
		}
	})
	if e := c.args.end(); e != nil {
		return e
	}
	w.End()
	d.value = w.Buffer()
	switch {
	case d.what == noResource:
		return newError(wamp.ErrInvalidArgument, `definition: "type" must be "topic", "procedure" or "error"`)
	case !wamp.ValidURI(uri):
		return invalidURI("uri", uri, wamp.Exact)
	case wamp.Reserved(uri):
		return reservedURI("define", uri)
	case !c.caller.rules.Load().mayDefine(d.what, uri):
		return c.caller.notAuthorized("define", uri)
	}
	existed, changed, e := c.caller.realm.reflection.define(uri, d)
	if e != nil {
		return e
	}
	c.caller.realm.flushMeta(c.batch)
	if !changed {
		c.result.Null()
		return nil
	}
	c.result.Bool(!existed)
	return nil
}

func (c *metaCall) undefine(uri string) *ErrorReply {
	if !c.caller.realm.reflection.undefine(c.caller, uri) {
		c.result.Null()
		return nil
	}
	c.caller.realm.flushMeta(c.batch)
	c.result.String([]byte(uri))
	return nil
}

// describe returns the definition of a URI; null: there is none that the caller
// may see, or it is one of something else. Where all may be asked for, a call
// without a URI returns a dict of all by URI.
func (c *metaCall) describe(what resource, orAll bool) *ErrorReply {
	rules := c.caller.rules.Load()
	isVisible := func(uri string, d *definition) bool {
		return (what == noResource || what == d.what) && rules.maySee(d.what, uri)
	}
	if orAll && !c.args.more() {
		if e := c.args.end(); e != nil {
			return e
		}
		all := c.caller.realm.reflection.all()
		c.result.BeginDict()
		for _, uri := range slices.Sorted(maps.Keys(all)) {
			if d := all[uri]; isVisible(uri, d) {
				c.result.String([]byte(uri))
				writeValue(c.result, d.value)
			}
		}
		c.result.End()
		return nil
	}
	uri := c.args.text("uri")
	if e := c.args.end(); e != nil {
		return e
	}
	d := c.caller.realm.reflection.get(uri)
	if d == nil || !isVisible(uri, d) {
		c.result.Null()
		return nil
	}
	writeValue(c.result, d.value)
	return nil
}

// metaTopics is wamp.reflection.topic.list: the topics that are defined, or of which
// there is a subscription by name, if only that of a history.
func metaTopics(c *metaCall) *ErrorReply {
	return c.list(resourceTopic, func(add func(uri string)) {
		c.caller.realm.subscriptions.All(func(m wamp.Match, uri string, _ *subscription) bool {
			if m == wamp.Exact {
				add(uri)
			}
			return true
		})
	})
}

// metaProcedures is wamp.reflection.procedure.list: the procedures that are defined
// or registered by name.
func metaProcedures(c *metaCall) *ErrorReply {
	return c.list(resourceProcedure, func(add func(uri string)) {
		c.caller.realm.registrations.All(func(m wamp.Match, uri string, _ *registration) bool {
			if m == wamp.Exact {
				add(uri)
			}
			return true
		})
	})
}

// metaErrors is wamp.reflection.error.list: the errors that are defined.
func metaErrors(c *metaCall) *ErrorReply {
	return c.list(resourceError, func(func(uri string)) {})
}

// list writes the URIs of all resources of a kind: those that are defined, and
// those that others adds.
func (c *metaCall) list(what resource, others func(add func(uri string))) *ErrorReply {
	if e := c.args.end(); e != nil {
		return e
	}
	rules := c.caller.rules.Load()
	uris := make(map[string]bool)
	add := func(uri string) {
		if !wamp.Reserved(uri) && rules.maySee(what, uri) {
			uris[uri] = true
		}
	}
	for uri, d := range c.caller.realm.reflection.all() {
		if d.what == what {
			add(uri)
		}
	}
	others(add)
	c.result.BeginList()
	for _, uri := range slices.Sorted(maps.Keys(uris)) {
		c.result.String([]byte(uri))
	}
	c.result.End()
	return nil
}
