package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/router/auth"
	"usher/router/wamp"
)

// The bounds on what a realm may keep.
const (
	maxAge        = 366 * 24 * time.Hour
	maxTrustlevel = 1_000_000
)

// settings reads what a realm does beyond routing. The keys, beside name and
// roles:
//
//	call_timeout      of calls that ask for none; absent: they have none
//	max_call_timeout  that a call may ask for; absent: any
//	event_history     dict, see eventHistory
//	retained          dict, bounds on what is kept of events published with
//	                  retain: events, bytes
//	modify_details    true: wamp.session.modify_details is there; false by default
func (r *reader) settings(f *fields) RealmSettings {
	var s RealmSettings
	ask, most := f.get("call_timeout"), f.get("max_call_timeout")
	s.CallTimeout, s.MaxCallTimeout = ask.duration(), most.duration()
	if s.MaxCallTimeout != 0 && s.CallTimeout > s.MaxCallTimeout {
		ask.fail("%s is more than max_call_timeout allows, %s", ask.n.text, most.n.text)
	}
	r.eventHistory(f.get("event_history"), &s)
	kept := f.get("retained").fields()
	s.RetainedEvents = kept.get("events").integer(1, 1e7)
	s.RetainedBytes = kept.get("bytes").size(64<<10, 1<<30)
	kept.done(nil)
	s.ModifyDetails = f.get("modify_details").boolean(false)
	return s
}

// eventHistory reads which events are kept for those who come later. Its keys:
//
//	rules  list of topics and patterns: uri and match as in permissions; events,
//	       how many are kept (1000 if absent); age, after which they go (absent:
//	       never)
//	bytes  that all of it may take; 64MiB if absent
func (r *reader) eventHistory(v value, s *RealmSettings) {
	f := v.fields()
	first := map[string]value{}
	for _, item := range f.need("rules").list() {
		rf := item.fields()
		h, ok := r.historyRule(rf, first)
		h.Events = rf.get("events").integer(1, 1e7)
		h.Age = rf.get("age").durationTo(maxAge)
		if ok {
			s.History = append(s.History, h)
		}
		rf.done(map[string]string{"limit": "it is called events", "bytes": "bytes belongs beside rules: it bounds all of them together"})
	}
	s.HistoryBytes = f.get("bytes").size(64<<10, 1<<30)
	f.done(map[string]string{"uri": "uri belongs into an entry of rules", "age": "age belongs into an entry of rules", "events": "events belongs into an entry of rules"})
}

// historyRule reads the uri and match of a rule, of which first has the earlier ones.
func (r *reader) historyRule(f *fields, first map[string]value) (HistoryRule, bool) {
	p, ok := r.pattern(f)
	if ok {
		unique(first, fmt.Sprintf("%s (%s)", p.URI, p.Match), f.value, "rule for")
	}
	return HistoryRule{URI: p.URI, Match: p.Match}, ok
}

// roleSettings reads what is said of a role beside its permissions:
//
//	trustlevel         a number that callees and subscribers learn of the role's
//	                   calls and events, 0 being the lowest; absent: none
//	allow_disclose_me  false: a call or event that asks for disclose_me is
//	                   refused; true by default
func (r *reader) roleSettings(f *fields, role *auth.Role) {
	if t := f.get("trustlevel"); !t.absent() {
		role.Trustlevel = wamp.Trustlevel{Level: t.integer(0, maxTrustlevel), Given: true}
	}
	role.DenyDiscloseMe = !f.get("allow_disclose_me").boolean(true)
}

// crossbarSettings reads the options and the store of a Crossbar.io realm.
func (r *reader) crossbarSettings(f *fields, realm *Realm) {
	o := f.get("options").fields()
	if !o.get("enable_meta_api").boolean(true) {
		for _, role := range realm.Roles {
			withoutMeta(role)
		}
	}
	if v := o.get("bridge_meta_api"); v.boolean(false) {
		v.warn("usher has no management side to which the meta API could be bridged; this has no effect")
	}
	if v := o.get("uri_check"); v.oneOf("a way to check URIs", "strict", "loose") == "strict" {
		v.warn(`usher checks URIs as "loose" does: no spaces, no "#", no empty parts; other letters than a-z, 0-9 and _ are accepted`)
	}
	r.crossbarOnly(o, "event_dispatching_chunk_size")
	o.done(nil)
	r.crossbarStore(f.get("store"), &realm.Settings)
}

// withoutMeta takes all that begins with "wamp." from a role, and so the meta
// API with its events: a prefix that denies stands before any other rule that
// could reach it.
func withoutMeta(role *auth.Role) {
	const meta = "wamp."
	role.Rules = slices.DeleteFunc(role.Rules, func(rule auth.Rule) bool {
		return strings.HasPrefix(rule.URI, meta)
	})
	role.Rules = append(role.Rules, auth.Rule{URI: meta, Match: wamp.Prefix})
}

// crossbarStore reads the part of a realm's store that is about events.
func (r *reader) crossbarStore(v value, s *RealmSettings) {
	f := v.fields()
	if typ := f.need("type"); typ.text() != "memory" && typ.is(kindString) {
		typ.warn("usher keeps events in memory: those of a store of type %q are gone when it is started anew", typ.text())
		f.known = append(f.known, "path", "maxsize", "maxbuffer", "buffertime", "max-buffer", "buffer-flush", "readonly", "sync")
	}
	limit := f.get("limit").integer(1, 1e7)
	first := map[string]value{}
	for _, item := range f.get("event-history").list() {
		rf := item.fields()
		h, ok := r.historyRule(rf, first)
		if h.Events = rf.get("limit").integer(1, 1e7); h.Events == 0 {
			h.Events = limit
		}
		if ok {
			s.History = append(s.History, h)
		}
		rf.done(nil)
	}
	if q := f.get("call-queue"); !q.absent() {
		q.warn("usher does not queue calls: one that no callee has room for is answered with an error at once")
	}
	f.done(nil)
}
