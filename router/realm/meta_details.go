package realm

import (
	"sync"

	"usher/router/codec"
	"usher/router/wamp"
)

// metaModifyDetails is a procedure that the specification does not have, other
// routers do: only where Settings.ModifyDetails offers it.
const metaModifyDetails = "wamp.session.modify_details"

// Bounds on what one session may be given by it.
const (
	maxExtraDetails     = 64
	maxExtraDetailBytes = 16 << 10 // keys and values together
)

// extraDetails are what wamp.session.modify_details gave a session. The zero value
// is none.
type extraDetails struct {
	mu      sync.Mutex
	entries map[string][]byte // in keptFormat
	size    int
}

// isOwnDetail reports whether a detail of a session is the router's.
func isOwnDetail(key string) bool {
	switch key {
	case "session", "realm", "authid", "authrole", "authmethod", "authprovider", "authextra", "transport":
		return true
	}
	return false
}

// metaSessionModifyDetails takes a session and a dict of changes, in which null
// removes a detail. What identifies the session stays as it is.
func metaSessionModifyDetails(c *metaCall) *ErrorReply {
	if !c.caller.rules.Load().settings.ModifyDetails {
		return noSuchProcedure(metaModifyDetails)
	}
	id := c.args.id("session")
	changes := make(map[string][]byte)
	c.args.dict("details", func(key string, r *codec.Reader, kind codec.Kind) {
		if isOwnDetail(key) {
			c.args.fail(wamp.ErrInvalidArgument, "detail %q cannot be changed", key)
			return
		}
		if kind == codec.KindNull {
			changes[key] = nil
			return
		}
		var w codec.Writer
		w.Reset(keptFormat, nil)
		if err := codec.Copy(&w, r, kind); err != nil {
			c.args.fail(wamp.ErrInvalidArgument, "detail %.100q: %s", key, err)
			return
		}
		changes[key] = w.Buffer()
	})
	if e := c.args.end(); e != nil {
		return e
	}
	s := c.caller.realm.members.get(id)
	if s == nil {
		return noSuchSession(id)
	}
	return s.extra.change(changes)
}

// change applies all changes, or none where there would be too much.
func (x *extraDetails) change(changes map[string][]byte) *ErrorReply {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, size := len(x.entries), x.size
	for key, value := range changes {
		if old, exists := x.entries[key]; exists {
			n--
			size -= len(key) + len(old)
		}
		if value != nil {
			n++
			size += len(key) + len(value)
		}
	}
	if n > maxExtraDetails || size > maxExtraDetailBytes {
		return newError(wamp.ErrUnavailable, "a session may have %d more details of %d bytes together", maxExtraDetails, maxExtraDetailBytes)
	}
	if x.entries == nil {
		x.entries = make(map[string][]byte)
	}
	for key, value := range changes {
		if value == nil {
			delete(x.entries, key)
		} else {
			x.entries[key] = value
		}
	}
	x.size = size
	return nil
}

// write writes them as entries of a dict.
func (x *extraDetails) write(w *codec.Writer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for key, value := range x.entries {
		w.String([]byte(key))
		writeValue(w, value)
	}
}

// keptFormat is that of values that clients of other formats may ask for later: what
// there is in JSON, and so could be copied to it, has a form in all of them.
const keptFormat = wamp.JSON

// writeValue writes such a value.
func writeValue(w *codec.Writer, value []byte) {
	var r codec.Reader
	r.Reset(keptFormat, value)
	_ = codec.Copy(w, &r, r.Next())
}
