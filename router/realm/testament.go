package realm

import (
	"log/slog"
	"sync"

	"usher/router/codec"
	"usher/router/transport"
	"usher/router/wamp"
)

// testaments are the publications that a session leaves for its end (specification:
// "Session Testament"). Sessions are not resumed here, so that one that is detached
// is destroyed as well.
type testaments struct {
	mu        sync.Mutex
	detached  []testament
	destroyed []testament
	bytes     int
	isClosed  bool // the session has ended
}

// testament is one of them. It owns its bytes.
type testament struct {
	publication wamp.ID
	topic       string
	options     wamp.PublishOptions
	payload     wamp.Payload
	granted     *decision // what an authorizer said when it was made, as none can be asked at the end; nil: no word
	size        int
}

// What a session may leave: bytes count as they take memory.
const (
	maxTestaments     = 100
	maxTestamentBytes = 256 << 10
)

// scope is the list that a scope's name stands for; nil: it is no scope.
func (t *testaments) scope(name string) *[]testament {
	switch name {
	case "", "destroyed":
		return &t.destroyed
	case "detached":
		return &t.detached
	}
	return nil
}

func (t *testaments) add(scope string, one testament) *ErrorReply {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch n := len(t.detached) + len(t.destroyed); {
	case t.isClosed:
		return sessionLeft()
	case n >= maxTestaments:
		return newError(wamp.ErrUnavailable, "session has %d testaments, which is the limit", n)
	case t.bytes+one.size > maxTestamentBytes:
		return newError(wamp.ErrUnavailable, "session's testaments would be larger than %d bytes, which is the limit", maxTestamentBytes)
	}
	list := t.scope(scope)
	*list = append(*list, one)
	t.bytes += one.size
	return nil
}

// flush forgets the testaments of a scope, and returns how many there were.
func (t *testaments) flush(scope string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.scope(scope)
	n := len(*list)
	for i := range *list {
		t.bytes -= (*list)[i].size
	}
	*list = nil
	return n
}

// close returns all testaments, detached before destroyed ones, and takes no more.
func (t *testaments) close() []testament {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := append(t.detached, t.destroyed...)
	t.detached, t.destroyed, t.bytes, t.isClosed = nil, nil, 0, true
	return all
}

// testify publishes the testaments of a session that has ended, unless the router is
// about to say goodbye to everybody: then Shutdown has done so.
func (s *session) testify(b *transport.Batch) {
	n := s.node
	defer n.leaving.end(n.leaving.begin())
	if !n.silent.Load() {
		s.bequeath(b)
	}
}

// bequeath publishes the session's testaments, each if its role may publish it
// under the rules that were in force last.
func (s *session) bequeath(b *transport.Batch) {
	all := s.testaments.close()
	if len(all) == 0 {
		return
	}
	r := s.rules.Load()
	if r == s.node.noRules {
		r = s.lastRules.Load()
	}
	w := s.node.works.get()
	defer s.node.works.put(w)
	for i := range all {
		t := &all[i]
		if by := s.endedBy.Load(); by != nil {
			t.options = excluding(t.options, by)
		}
		d := r.decide(t.topic)
		if t.granted != nil && r.leavesOpen(d) {
			d = t.granted
		}
		e := s.judge(d, r, t.topic, &t.options)
		if e != nil {
			s.node.log.Info("testament is not published", s.logFields(slog.String("reason", e.Error()))...)
			continue
		}
		s.compose(b, w, d, t.publication, &wamp.Publish{Options: t.options, Topic: t.topic, Payload: t.payload}).fanOut(s.realm)
	}
}

// errTestament is Crossbar.io's answer to a scope that is none.
const errTestament = "wamp.error.testament_error"

// metaAddTestament is wamp.session.add_testament: a topic, arguments and keyword
// arguments, and then, in order or by name, publish_options and scope. Like
// Crossbar.io it answers with the id of the publication to come.
func metaAddTestament(c *metaCall) *ErrorReply {
	a := &c.args
	topic := a.text("topic")
	args, kwargs := a.encoded("args", codec.KindList), a.encoded("kwargs", codec.KindDict)
	options := a.encodedOption("publish_options", codec.KindDict)
	scope, _ := a.option("scope")
	if e := a.end(); e != nil {
		return e
	}
	s := c.caller
	if s.testaments.scope(scope) == nil {
		return noSuchScope(scope)
	}
	one, e := newTestament(c.payload.Format, topic, options, args, kwargs)
	if e != nil {
		return e
	}
	// Whether it may be published is judged then, but what is hopeless is better said now.
	if p := one.options.Passthru; p != nil && p.Scheme != "" && !s.roles.Publisher.Has(wamp.FeaturePayloadPassthruMode) {
		return newError(wamp.ErrInvalidArgument, "publish_options have a ppt_scheme, but the publisher did not announce payload_passthru_mode")
	}
	d, e := s.mayPublish(c.batch, topic, &one.options)
	if e != nil {
		return e
	}
	if d.isGranted {
		one.granted = d
	}
	if e := s.testaments.add(scope, one); e != nil {
		return e
	}
	c.result.Uint(uint64(one.publication))
	return nil
}

// metaFlushTestaments is wamp.session.flush_testaments. Like Crossbar.io it answers
// with the number of testaments that are gone.
func metaFlushTestaments(c *metaCall) *ErrorReply {
	scope, _ := c.args.option("scope")
	if e := c.args.end(); e != nil {
		return e
	}
	t := &c.caller.testaments
	if t.scope(scope) == nil {
		return noSuchScope(scope)
	}
	c.result.Uint(uint64(t.flush(scope)))
	return nil
}

func noSuchScope(scope string) *ErrorReply {
	return newError(errTestament, `scope is %.32q, but must be "destroyed" or "detached"`, scope)
}

// newTestament makes a testament of encoded parts, of which all but the topic may be
// absent. They are read as those of a PUBLISH are.
func newTestament(f wamp.Format, topic string, options, args, kwargs []byte) (testament, *ErrorReply) {
	var w codec.Writer
	w.Reset(f, nil)
	w.BeginList()
	w.Uint(uint64(wamp.TypePublish))
	w.Uint(1)
	if options != nil {
		w.Raw(options)
	} else {
		w.BeginDict()
		w.End()
	}
	w.String([]byte(topic))
	switch {
	case args != nil:
		w.Raw(args)
	case kwargs != nil:
		w.BeginList()
		w.End()
	}
	if kwargs != nil {
		w.Raw(kwargs)
	}
	w.End()
	var d codec.Decoder
	m, err := d.Decode(f, w.Buffer())
	if err != nil {
		return testament{}, newError(wamp.ErrInvalidArgument, "testament cannot be published: %s", err)
	}
	publish, ok := m.(*wamp.Publish)
	if !ok {
		return testament{}, newError(wamp.ErrInvalidArgument, "testament cannot be published")
	}
	// The message is the testament's own: what it refers to stays as it is.
	t := testament{publication: newPublication(), topic: topic, options: publish.Options, payload: publish.Payload}
	t.options.Acknowledge, t.options.ExcludeMe = false, wamp.Unset
	t.options.Audience = cloneAudience(publish.Options.Audience)
	t.options.Passthru = publish.Options.Passthru.Clone()
	t.size = keptOverhead + len(topic) + len(w.Buffer()) + audienceSize(t.options.Audience)
	return t, nil
}
