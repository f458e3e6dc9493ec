package realm

import (
	"bytes"
	"maps"
	"slices"
	"sync"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/wamp"
)

// resource is what a URI stands for in the reflection API.
type resource uint8

const (
	noResource resource = iota
	resourceTopic
	resourceProcedure
	resourceError
)

// parseResource reads the type of a definition.
func parseResource(name string) resource {
	switch name {
	case "topic":
		return resourceTopic
	case "procedure":
		return resourceProcedure
	case "error":
		return resourceError
	}
	return noResource
}

// maySee reports whether a session that is judged by rules may use or offer a
// resource; who may subscribe or call here may know what there is, errors included.
func (r *rules) maySee(what resource, uri string) bool {
	d := r.decide(uri)
	switch what {
	case resourceTopic:
		return d.allows(auth.Subscribe) || d.allows(auth.Publish)
	case resourceProcedure:
		return d.allows(auth.Call) && !d.isAuthenticator || d.allows(auth.Register)
	}
	return true
}

// mayDefine reports whether it may offer the resource.
func (r *rules) mayDefine(what resource, uri string) bool {
	d := r.decide(uri)
	switch what {
	case resourceTopic:
		return d.allows(auth.Publish)
	case resourceProcedure:
		return d.allows(auth.Register) && (!d.isAuthenticator || d.isExact)
	}
	return d.allows(auth.Register) || d.allows(auth.Publish)
}

// Bounds on definitions. The bytes are those of URIs and definitions.
const (
	maxDefinitions        = 10_000   // of a realm
	maxDefinitionBytes    = 16 << 20 // likewise
	maxDefinitionsEach    = 1000     // of a session
	maxDefinitionByteEach = 1 << 20  // likewise
)

// reflection is what sessions of a realm have defined for others to read. The zero
// value is empty.
type reflection struct {
	mu          sync.Mutex
	definitions map[string]*definition
	size        int
	sessions    map[*session]*definer
}

// definition describes one URI. It is immutable.
type definition struct {
	what  resource
	value []byte // a dict in keptFormat
	by    *session
}

// definer is what one session has defined.
type definer struct {
	uris map[string]bool
	size int
}

func (d *definition) size(uri string) int { return len(uri) + len(d.value) }

// define sets what a URI means, and reports whether it was defined before and
// whether that was something else. The last definition counts, and lasts as long
// as the session that made it.
func (x *reflection) define(uri string, d *definition) (existed, changed bool, e *ErrorReply) {
	s := d.by
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.hasLeft() {
		return false, false, sessionLeft()
	}
	old := x.definitions[uri]
	if old != nil && old.by == s && old.what == d.what && bytes.Equal(old.value, d.value) {
		return true, false, nil
	}
	mine := definer{}
	if m := x.sessions[s]; m != nil {
		mine = *m
	}
	n, size, own, ownSize := len(x.definitions)+1, x.size+d.size(uri), len(mine.uris)+1, mine.size+d.size(uri)
	if old != nil {
		n, size = n-1, size-old.size(uri)
		if old.by == s {
			own, ownSize = own-1, ownSize-old.size(uri)
		}
	}
	if n > maxDefinitions || size > maxDefinitionBytes || own > maxDefinitionsEach || ownSize > maxDefinitionByteEach {
		return false, false, newError(wamp.ErrUnavailable, "there are too many definitions, or they are too large")
	}
	if old != nil {
		x.take(uri, old)
	}
	x.put(uri, d)
	s.realm.noteMeta(metaOnDefine, func(w *codec.Writer) {
		w.String([]byte(uri))
		writeValue(w, d.value)
		w.Bool(old == nil)
	})
	return old != nil, true, nil
}

func (x *reflection) put(uri string, d *definition) {
	if x.definitions == nil {
		x.definitions, x.sessions = make(map[string]*definition), make(map[*session]*definer)
	}
	x.definitions[uri] = d
	x.size += d.size(uri)
	m := x.sessions[d.by]
	if m == nil {
		m = &definer{uris: make(map[string]bool)}
		x.sessions[d.by] = m
	}
	m.uris[uri] = true
	m.size += d.size(uri)
}

func (x *reflection) take(uri string, d *definition) {
	delete(x.definitions, uri)
	x.size -= d.size(uri)
	m := x.sessions[d.by]
	delete(m.uris, uri)
	m.size -= d.size(uri)
	if len(m.uris) == 0 {
		delete(x.sessions, d.by)
	}
}

// undefine removes a definition of s, and reports whether there was one.
func (x *reflection) undefine(s *session, uri string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.definitions[uri]
	if d == nil || d.by != s {
		return false
	}
	x.take(uri, d)
	s.noteUndefined(uri)
	return true
}

// forget removes all definitions of a session that ends.
func (x *reflection) forget(s *session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.sessions[s]
	if m == nil {
		return
	}
	for _, uri := range slices.Sorted(maps.Keys(m.uris)) {
		x.take(uri, x.definitions[uri])
		s.noteUndefined(uri)
	}
}

func (s *session) noteUndefined(uri string) {
	s.realm.noteMeta(metaOnUndefine, func(w *codec.Writer) { w.String([]byte(uri)) })
}

// get returns the definition of a URI, or nil.
func (x *reflection) get(uri string) *definition {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.definitions[uri]
}

// all returns a copy of the table.
func (x *reflection) all() map[string]*definition {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.definitions)
}
