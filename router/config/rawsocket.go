package config

import (
	"slices"
	"strings"

	"usher/router/wamp"
)

// The bounds of a message on a RawSocket, which are the protocol's.
const (
	minRawMessage = 1 << 9
	maxRawMessage = 1 << 24
)

// rawSocket reads what clients meet who connect by RawSocket:
//
//	serializers  list of json, msgpack, cbor; absent: all
//	auth         dict of methods, see methods
//	options      dict: max_message_size, of what a client may send, rounded down to
//	             a power of two; absent: the one of limits. auto_ping, whether
//	             pings are sent from the start, and not only to clients that have
//	             sent one themselves: Autobahn|Python breaks on them
func (r *reader) rawSocket(f *fields, c *Config) *RawSocket {
	s := &RawSocket{Formats: formats(f.get("serializers"))}
	s.Auth = r.methods(f, c)
	pairCookie(f, &s.Auth, nil, false)
	options := f.get("options").fields()
	size := options.get("max_message_size")
	if old := f.get("max_message_size"); !old.absent() {
		if !size.absent() {
			old.fail("options has max_message_size as well: keep that")
		}
		size = old
	}
	s.MaxMessageSize = size.size(minRawMessage, maxRawMessage)
	s.AutoPing = options.get("auto_ping").boolean(false)
	options.done(map[string]string{
		"auto_ping_interval": "write limits: {ping_interval: 30s} at the top, and auto_ping: true here",
		"auto_ping_timeout":  "write limits: {ping_timeout: 15s} at the top, and auto_ping: true here",
	})
	r.crossbarOnly(f, "debug", "id")
	return s
}

// formats reads serializers.
func formats(v value) []wamp.Format {
	all := []wamp.Format{wamp.CBOR, wamp.MessagePack, wamp.JSON}
	if v.absent() {
		return all
	}
	var named []wamp.Format
	for _, name := range v.names(nil) {
		at := slices.IndexFunc(all, func(f wamp.Format) bool { return f.String() == name })
		if at < 0 {
			items := v.list() // of which names leaves some out
			items[slices.IndexFunc(items, func(i value) bool { return i.n.text == name })].unsupportedSerializer()
			continue
		}
		named = append(named, all[at])
	}
	if len(named) == 0 && len(v.r.problems) == 0 {
		v.fail("no serializer is left: name json, msgpack or cbor")
	}
	return named
}

// universal reads what a listener serves that tells protocols apart by the first
// byte:
//
//	rawsocket  dict, see rawSocket
//	websocket  dict by URL path, each as a path of type websocket
//	web        dict: paths, see paths
func (r *reader) universal(f *fields, c *Config, t *Transport) {
	raw, sockets, web := f.get("rawsocket"), f.get("websocket"), f.get("web")
	if mqtt := f.get("mqtt"); !mqtt.absent() {
		mqtt.unsupported("MQTT is not supported; it is not spoken here")
	}
	if raw.absent() && sockets.absent() && web.absent() {
		f.fail("nothing would be spoken here; write rawsocket, websocket or web")
		return
	}
	if !raw.absent() {
		s := raw.fields()
		if typ := s.get("type"); !typ.absent() {
			typ.oneOf("the type here", "rawsocket")
		}
		t.RawSocket = r.rawSocket(s, c)
		s.done(map[string]string{"endpoint": "the universal transport has the endpoint", "max_connections": "the universal transport has max_connections"})
	}
	t.Universal = !sockets.absent() || !web.absent()
	first := map[string]value{}
	sockets.each(func(key string, v value) {
		p, ok := pathOf(key, v)
		if !ok {
			return
		}
		s := v.fields()
		if typ := s.get("type"); !typ.absent() {
			typ.oneOf("the type here", "websocket")
		}
		p.WebSocket = r.webSocket(s, c)
		r.crossbarOnly(s, "id", "url")
		s.done(map[string]string{"endpoint": "the universal transport has the endpoint"})
		unique(first, p.Path, v, "path")
		t.Paths = append(t.Paths, p)
	})
	if web.absent() {
		sortPaths(t.Paths)
		return
	}
	w := web.fields()
	if typ := w.get("type"); !typ.absent() {
		typ.oneOf("the type here", "web")
	}
	inner := w.need("paths")
	for _, p := range r.paths(inner, c) {
		if f, ok := first[p.Path]; ok {
			inner.fail("the path %q is here twice; first at line %d", p.Path, f.n.line)
			continue
		}
		t.Paths = append(t.Paths, p)
	}
	r.crossbarOnly(w, "id", "options")
	w.done(map[string]string{"endpoint": "the universal transport has the endpoint"})
	sortPaths(t.Paths)
}

func sortPaths(paths []Path) {
	slices.SortFunc(paths, func(a, b Path) int { return strings.Compare(a.Path, b.Path) })
}
