package config

import (
	"net/url"
	"path"
	"strings"
)

// transports reads the list of listeners. The keys of one:
//
//	type             web, or websocket for a listener that serves one WebSocket
//	                 alone, rawsocket, or universal for both on one port
//	endpoint         dict, see endpoint
//	max_connections  that are open at a time; absent: any number
//	paths            (web) dict by URL path, see path; "ws" and "/ws" are the same
//	url              (websocket) the address that clients use; its path counts
//
// and for type websocket those of a path of that type, for the others see
// rawSocket and universal.
func (r *reader) transports(v value, c *Config) []Transport {
	var transports []Transport
	first := map[string]value{}
	for _, item := range v.list() {
		t, ok := r.transport(item, c)
		if !ok {
			continue
		}
		if t.Endpoint.Port != 0 || t.Endpoint.Path != "" {
			unique(first, t.Endpoint.Address(), item, "endpoint")
		}
		for _, earlier := range transports {
			if earlier.Endpoint.Same(t.Endpoint) {
				t.Endpoint.Ordinal++
			}
		}
		transports = append(transports, t)
	}
	if v.n != nil && v.n.kind == kindList && len(transports) == 0 && len(r.problems) == 0 {
		v.fail("there is no transport that usher can serve: nobody could connect")
	}
	return transports
}

func (r *reader) transport(v value, c *Config) (Transport, bool) {
	f := v.fields()
	typ := f.need("type")
	kind := typ.text()
	users := len(r.certificateUsers)
	var t Transport
	switch kind {
	case "web":
		t.Endpoint = r.endpoint(f.need("endpoint"), c)
		t.Paths = r.paths(f.need("paths"), c)
		if o := f.get("options"); r.crossbar && !o.absent() {
			o.warn("usher has no options for a whole web transport; they have no effect")
		}
	case "websocket":
		t.Endpoint = r.endpoint(f.need("endpoint"), c)
		t.Paths = []Path{{Path: urlPath(f.get("url")), WebSocket: r.webSocket(f, c)}}
	case "rawsocket":
		t.Endpoint = r.endpoint(f.need("endpoint"), c)
		t.RawSocket = r.rawSocket(f, c)
	case "universal":
		t.Endpoint = r.endpoint(f.need("endpoint"), c)
		r.universal(f, c, &t)
	default:
		if r.crossbar || kind == "mqtt" || kind == "flash" {
			typ.unsupported("transports of type %q are not supported; use web, websocket, rawsocket or universal", kind)
		} else {
			typ.oneOf("a transport's type", "web", "websocket", "rawsocket", "universal")
		}
		return t, false
	}
	r.checkCertificateUsers(users, t.Endpoint)
	t.MaxConnections = f.get("max_connections").integer(1, 1e7)
	r.crossbarOnly(f, "id")
	f.done(map[string]string{
		"auth":  "auth belongs into a path of type websocket",
		"port":  "port belongs into endpoint",
		"path":  "the path of a Unix socket belongs into endpoint",
		"paths": "paths go with type: web; for both on one port write type: universal and web: {paths: …}",
	})
	return t, true
}

// urlPath is the path of a WebSocket's address, or "/".
func urlPath(v value) string {
	s := v.text()
	if s == "" {
		return "/"
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" {
		v.fail("%q is not an address such as ws://localhost:8080/ws", s)
		return "/"
	}
	return path.Clean("/" + u.Path)
}

// paths reads what a web transport serves. The type of one says its other keys:
//
//	websocket  serializers, auth, options; see webSocket
//	longpoll   serializers, auth, options; see longPoll
//	static     directory: its files, index.html for the directory itself
//	page       none: usher's own page, on which a person can log in
//	metrics    none: figures about the router, in the text format of Prometheus, for
//	           whoever can reach the listener
func (r *reader) paths(v value, c *Config) []Path {
	var paths []Path
	first := map[string]value{}
	v.each(func(key string, v value) {
		p, ok := pathOf(key, v)
		if !ok {
			return
		}
		f := v.fields()
		typ := f.need("type")
		switch kind := typ.text(); kind {
		case "websocket":
			p.WebSocket = r.webSocket(f, c)
		case "longpoll":
			p.LongPoll = r.longPoll(f, c)
		case "static":
			p.Static = r.static(f, c)
			if p.Static == nil {
				return
			}
		case "page":
			p.Page = true
		case "metrics":
			p.Metrics = true
		default:
			if r.crossbar {
				typ.warn("paths of type %q are not supported; nothing is served there", kind)
			} else {
				typ.oneOf("a path's type", "websocket", "longpoll", "static", "page", "metrics")
			}
			return
		}
		r.crossbarOnly(f, "id")
		f.done(map[string]string{"allowed_origins": "write options: {allowed_origins: […]}", "compression": "write options: {compression: {deflate: {}}}"})
		unique(first, p.Path, v, "path")
		paths = append(paths, p)
	})
	sortPaths(paths)
	return paths
}

// pathOf returns the Path of a key of paths, or tells what is wrong with it.
func pathOf(key string, v value) (Path, bool) {
	p := Path{Path: path.Clean("/" + key)}
	switch {
	case strings.ContainsAny(key, "?#%{}\\ "):
		v.fail("%q is not a plain URL path", key)
	case p.Path == "/healthz" || p.Path == "/readyz":
		v.fail("usher answers %s itself; choose another path", p.Path)
	default:
		return p, true
	}
	return p, false
}

func (r *reader) static(f *fields, c *Config) *Static {
	if d := f.get("directory"); !d.absent() {
		s := &Static{Directory: r.filePath(d, c, true)}
		if o := f.get("options"); !o.absent() {
			o.unsupported("static paths have no options: there is no directory listing, and index.html is what a directory shows")
		}
		return s
	}
	if r.crossbar && f.n != nil && f.n.has("package") {
		f.warn("files inside of a Python package are not supported; nothing is served there")
		return nil
	}
	f.need("directory")
	return nil
}

// webSocket reads what clients meet who connect:
//
//	serializers  list of json, msgpack, cbor; absent: all
//	auth         dict of methods, see methods
//	cookie       the tracking cookie, see cookie; absent: none
//	options      dict: allowed_origins, a list of further origins, such as
//	             https://example.com, whose pages may connect; "*" stands for
//	             any text; compression, see compression
func (r *reader) webSocket(f *fields, c *Config) *WebSocket {
	w := &WebSocket{Subprotocols: subprotocols(f.get("serializers"))}
	w.Auth = r.methods(f, c)
	w.Cookie = r.cookie(f.get("cookie"), c)
	pairCookie(f, &w.Auth, w.Cookie, true)
	options := f.get("options").fields()
	w.AllowedOrigins = origins(options.get("allowed_origins"))
	w.Deflate = r.compression(options.get("compression"))
	if r.crossbar {
		crossbarOptions(options, &c.Limits)
	}
	options.done(map[string]string{
		"max_message_size":   "write limits: {max_message_size: 1MiB} at the top",
		"auto_ping_interval": "write limits: {ping_interval: 30s} at the top",
		"auto_ping_timeout":  "write limits: {ping_timeout: 15s} at the top",
	})
	r.crossbarOnly(f, "debug")
	return w
}

// subprotocols turns serializers into the names of WebSocket subprotocols: each
// by itself and batched, in the order of the list.
func subprotocols(v value) []string {
	var subs []string
	for _, f := range formats(v) {
		subs = append(subs, "wamp.2."+f.String()+".batched", "wamp.2."+f.String())
	}
	return subs
}

func (v value) unsupportedSerializer() {
	if v.r.crossbar {
		v.warn("the serializer %q is not supported; it is not offered to clients", v.n.text)
		return
	}
	v.oneOf("a serializer", "json", "msgpack", "cbor")
}

// origins reads patterns of origins.
func origins(v value) []string {
	all := v.names(func(o string) string {
		_, host, ok := strings.Cut(o, "://")
		switch {
		case o == "*", o == "null":
		case !ok || host == "":
			return "is not an origin such as https://example.com or https://*.example.com"
		case strings.ContainsAny(host, "/?#@ "):
			return "is not an origin: it ends after host and port"
		}
		return ""
	})
	for i := range all {
		all[i] = strings.ToLower(all[i])
	}
	return all
}
