package web

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"usher/router/auth"
	"usher/router/transport"
)

// ServeHTTP answers one request. It is the whole way of a request: a WebSocket's
// handshake is the cost of a login.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := l.site.Load()
	if l.accept != nil && l.tls != nil {
		setTLS(r)
	}
	if !s.hosts.allow(r.Host) {
		l.log().Warn("request for a host that is not allowed", slog.String("host", shorten(r.Host)), slog.String("peer", r.RemoteAddr), slog.String("key", "allowed_hosts"))
		refuse(w, http.StatusMisdirectedRequest, "This address is for programs on the same machine: ask for localhost, or add the host to allowed_hosts in the configuration.")
		return
	}
	if socket := s.sockets[r.URL.Path]; socket != nil {
		l.upgrade(w, r, s, socket)
		return
	}
	switch r.URL.Path {
	case "/healthz", "/readyz":
		l.health(w, r)
		return
	}
	if p, id, action := s.poll(r.URL.Path); p != nil {
		l.servePoll(w, r, s, p, id, action)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "Only GET and HEAD are possible here.")
		return
	}
	if s.metrics[r.URL.Path] {
		l.serveMetrics(w)
		return
	}
	for i := range s.folders {
		if s.folders[i].serve(w, r) {
			return
		}
	}
	refuse(w, http.StatusNotFound, "There is nothing at this address.")
}

// upgrade turns a request into a connection and hands that to a session.
func (l *listener) upgrade(w http.ResponseWriter, r *http.Request, s *site, socket *socket) {
	if r.Method != http.MethodGet || !hasToken(r.Header["Upgrade"], "websocket") {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		refuse(w, http.StatusUpgradeRequired, "This is where WAMP clients connect, by WebSocket: open ws://"+shorten(r.Host)+r.URL.Path+" with a WAMP client. There is no page here.")
		return
	}
	if !l.originAllowed(w, r, r.URL.Path, socket.origins) {
		return
	}
	peer, secure, ok := l.clientOf(w, r, s)
	if !ok {
		return
	}
	t := &auth.Transport{
		Type:            "websocket",
		Peer:            peer,
		HeadersReceived: receivedHeaders(r),
		Secure:          secure,
		TLS:             r.TLS,
		Path:            r.URL.Path,
		Query:           r.URL.RawQuery,
	}
	header := socket.cookie.identify(r, t)
	c, err := l.server.options.Transport.Upgrade(w, r, transport.UpgradeOptions{Subprotocols: socket.subprotocols, Deflate: socket.deflate, Header: header})
	if err != nil {
		l.log().Debug("WebSocket handshake failed", slog.Any("error", err), slog.String("peer", peer))
		return
	}
	t.Protocol = c.Subprotocol()
	// The session leaves net/http's goroutine, whose stack and buffers would
	// stay for as long as the client does. It ends by itself: see realm.Node.
	go l.server.options.Sessions.Serve(c, socket.endpoint, t)
}

// originAllowed reports whether the page that a request comes from may connect
// to path, which has these allowed_origins; where it may not, that is answered.
func (l *listener) originAllowed(w http.ResponseWriter, r *http.Request, path string, patterns []string) bool {
	origin, ok := allowedOrigin(r, patterns)
	if !ok {
		l.log().Warn("page of another origin refused: add its origin to options.allowed_origins of this path if it may connect",
			slog.String("origin", shorten(origin)), slog.String("host", shorten(r.Host)), slog.String("path", path), slog.String("key", "allowed_origins"))
		refuse(w, http.StatusForbidden, "Pages of this origin may not connect; see allowed_origins in the configuration.")
	}
	return ok
}

// clientOf is site.client for a request that is answered where it fails.
func (l *listener) clientOf(w http.ResponseWriter, r *http.Request, s *site) (peer string, secure, ok bool) {
	peer, secure, err := s.client(r)
	if err != nil {
		l.log().Warn("forwarded request refused", slog.Any("error", err), slog.String("proxy", r.RemoteAddr))
		refuse(w, http.StatusBadRequest, "The proxy's headers about the client can't be understood.")
	}
	return peer, secure, err == nil
}

func (l *listener) log() *slog.Logger { return l.server.options.Log }

// receivedHeaders copies the headers of a request, with lower-case names and
// the host as one of them.
func receivedHeaders(r *http.Request) map[string]string {
	all := make(map[string]string, len(r.Header)+1)
	for name, lines := range r.Header {
		value := ""
		if len(lines) == 1 {
			value = lines[0]
		} else {
			value = strings.Join(lines, ", ")
		}
		all[lowerName(name)] = value
	}
	all["host"] = r.Host
	return all
}

// lowerName is strings.ToLower without an allocation for what WebSocket clients
// send.
func lowerName(canonical string) string {
	switch canonical {
	case "Connection":
		return "connection"
	case "Upgrade":
		return "upgrade"
	case "Origin":
		return "origin"
	case "Pragma":
		return "pragma"
	case "Cache-Control":
		return "cache-control"
	case "User-Agent":
		return "user-agent"
	case "Sec-Websocket-Key":
		return "sec-websocket-key"
	case "Sec-Websocket-Version":
		return "sec-websocket-version"
	case "Sec-Websocket-Protocol":
		return "sec-websocket-protocol"
	case "Sec-Websocket-Extensions":
		return "sec-websocket-extensions"
	}
	return strings.ToLower(canonical)
}

// hasToken reports whether a header's lines, which are lists, have token in them.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// refuse answers with a short text.
func refuse(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error means that the client is gone.
	_, _ = w.Write([]byte(text + "\n"))
}

// shorten bounds what a client sent for the log and for answers.
func shorten(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
