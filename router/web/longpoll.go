package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/router/auth"
	"usher/router/config"
	"usher/router/realm"
	"usher/router/transport"
	"usher/router/wamp"
)

// pollPath is a path below which clients connect by HTTP requests
// (specification: "HTTP Longpoll Transport").
type pollPath struct {
	path         string
	endpoint     *realm.Endpoint
	subprotocols []string
	origins      []string
	wait         time.Duration // of a receive request
	options      transport.LongPollOptions
	cookie       *tracking // nil: clients get none
}

// The bounds on the requests of a long-poll transport.
const (
	defaultPollWait = 10 * time.Second
	pollTimeout     = 10 * time.Second // to bring a body, or to take an answer
	maxOpenBody     = 4 << 10
)

// newPollPath returns p, a path of the configuration, with its defaults.
func newPollPath(p *config.Path) *pollPath {
	c := p.LongPoll
	built := &pollPath{
		path:         p.Path,
		endpoint:     &realm.Endpoint{Auth: c.Auth},
		subprotocols: c.Subprotocols,
		origins:      c.AllowedOrigins,
		wait:         c.RequestTimeout,
		options: transport.LongPollOptions{
			SessionTimeout: c.SessionTimeout,
			QueueBytes:     c.QueueBytes,
			QueueMessages:  c.QueueMessages,
		},
	}
	if built.wait == 0 {
		built.wait = defaultPollWait
	}
	return built
}

// poll returns the long-poll path that a request's path belongs to, with what is
// asked for: open, or receive, send or close of the transport id. An empty action
// is the path itself.
func (s *site) poll(path string) (p *pollPath, id, action string) {
	if len(s.polls)+len(s.retired) == 0 {
		return nil, "", ""
	}
	if p := s.polls[path]; p != nil {
		return p, "", ""
	}
	base, action := cutLast(path)
	switch action {
	case "open":
	case "receive", "send", "close":
		base, id = cutLast(base)
	default:
		return nil, "", ""
	}
	if base == "" {
		base = "/"
	}
	if p := s.polls[base]; p != nil || action == "open" {
		return p, id, action
	}
	return s.retired[base], id, action
}

// retire keeps the long-poll paths that old has and s has not, where transports
// are open: their sessions go on.
func (s *site) retire(old *site, open func(path string) bool) {
	s.retired = map[string]*pollPath{}
	for _, paths := range []map[string]*pollPath{old.polls, old.retired} {
		for path, p := range paths {
			if s.polls[path] == nil && open(path) {
				s.retired[path] = p
			}
		}
	}
}

func cutLast(path string) (before, last string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// servePoll answers a request to a long-poll path.
func (l *listener) servePoll(w http.ResponseWriter, r *http.Request, s *site, p *pollPath, id, action string) {
	if !l.originAllowed(w, r, p.path, p.origins) {
		return
	}
	shareWithOrigin(w, r)
	switch {
	case action == "":
		w.Header().Set("Allow", "OPTIONS")
		refuse(w, http.StatusMethodNotAllowed, "This is where WAMP clients connect, by HTTP long-poll: give http://"+shorten(r.Host)+p.path+" to a WAMP client. There is no page here.")
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "OPTIONS, POST")
		refuse(w, http.StatusMethodNotAllowed, "Only POST is possible here.")
	case action == "open":
		l.openPoll(w, r, s, p)
	default:
		entry := l.server.polls.find(l, p.path, id)
		if entry == nil {
			refuse(w, http.StatusNotFound, "There is no such transport: it has ended, or it never was. Open another.")
			return
		}
		switch action {
		case "receive":
			receivePoll(w, r, p, entry.conn)
		case "send":
			sendPoll(w, r, entry.conn)
		case "close":
			l.server.polls.close(entry)
			w.WriteHeader(http.StatusNoContent)
		}
	}
}

// shareWithOrigin lets the page of an origin that is allowed see the answer, and
// answers what a browser asks before the request itself. Nothing may be cached.
func shareWithOrigin(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Max-Age", "600")
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" && len(asked) <= 200 {
			h.Set("Access-Control-Allow-Headers", asked)
		}
	}
}

// openPoll answers a request for a new transport and starts its session.
func (l *listener) openPoll(w http.ResponseWriter, r *http.Request, s *site, p *pollPath) {
	var request struct {
		Protocols []string `json:"protocols"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOpenBody))
	if err != nil {
		refuseBody(w, err)
		return
	}
	if err := json.Unmarshal(body, &request); err != nil || len(request.Protocols) == 0 {
		refuse(w, http.StatusBadRequest, `The body must be JSON such as {"protocols": ["wamp.2.json"]}.`)
		return
	}
	i := slices.IndexFunc(request.Protocols, func(name string) bool { return slices.Contains(p.subprotocols, name) })
	if i < 0 {
		refuse(w, http.StatusBadRequest, "This path speaks the protocols "+strings.Join(p.subprotocols, ", ")+"; the client offers none of them.")
		return
	}
	peer, secure, ok := l.clientOf(w, r, s)
	if !ok {
		return
	}
	t := &auth.Transport{
		Type:            "longpoll",
		Protocol:        request.Protocols[i],
		Peer:            peer,
		HeadersReceived: receivedHeaders(r),
		Secure:          secure,
		TLS:             r.TLS,
		Path:            p.path,
		Query:           r.URL.RawQuery,
	}
	header := p.cookie.identify(r, t)
	entry, err := l.server.polls.add(l, p.path, func() (*transport.LongPoll, error) {
		return l.server.options.Transport.OpenLongPoll(t.Protocol, p.options)
	})
	if err != nil {
		l.log().Warn("long-poll transport refused", slog.Any("error", err), slog.String("peer", peer), slog.String("key", "limits.longpoll_transports"))
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "No transport can be opened now: "+err.Error()+". Try again later.")
		return
	}
	go l.server.servePoll(entry, p.endpoint, t)
	answer, err := json.Marshal(map[string]string{"protocol": t.Protocol, "transport": entry.id})
	if err != nil {
		refuse(w, http.StatusInternalServerError, "The answer can't be written.")
		return
	}
	maps.Copy(w.Header(), header)
	w.Header().Set("Content-Type", "application/json")
	// An error means that the client is gone: its session will not hear of it.
	_, _ = w.Write(answer)
}

// servePoll runs the session of a transport. It ends with it, and with the time
// in which the client may fetch what was said last.
func (s *Server) servePoll(entry *poll, e *realm.Endpoint, t *auth.Transport) {
	s.options.Sessions.Serve(entry.conn, e, t)
	s.polls.ended(entry)
}

// receivePoll answers with what waits for the client, once something does.
func receivePoll(w http.ResponseWriter, r *http.Request, p *pollPath, c *transport.LongPoll) {
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxOpenBody)); err != nil {
		refuseBody(w, err)
		return
	}
	control := http.NewResponseController(w)
	// The server's own deadlines are those of short requests. They can't fail to be
	// set on a connection that lives.
	_ = control.SetReadDeadline(time.Now().Add(p.wait + pollTimeout))
	_ = control.SetWriteDeadline(time.Now().Add(p.wait + pollTimeout))
	found, err := c.Poll(r.Context(), p.wait, func(body net.Buffers, n int) error {
		_ = control.SetWriteDeadline(time.Now().Add(pollTimeout))
		h := w.Header()
		h.Set("Content-Type", mimeType(c.Format()))
		h.Set("Content-Length", strconv.Itoa(n))
		w.WriteHeader(http.StatusOK)
		for _, b := range body {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return control.Flush()
	})
	switch {
	case found: // answered, or the client is gone
	case errors.Is(err, transport.ErrPolling):
		refuse(w, http.StatusConflict, "Another receive request of this transport is pending: there may be one at a time.")
	case err != nil:
		refuseEnded(w, err)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// sendPoll takes what the client sends. Success is status 204: the specification
// says 202, but names it "no content", which is what clients wait for.
func sendPoll(w http.ResponseWriter, r *http.Request, c *transport.LongPoll) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(pollTimeout))
	ctx, cancel := context.WithTimeout(r.Context(), pollTimeout)
	defer cancel()
	err := c.Deliver(ctx, r.ContentLength, r.Body)
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, transport.ErrBodyTooLarge):
		w.Header().Set("Connection", "close")
		refuse(w, http.StatusRequestEntityTooLarge, "Refused: "+err.Error()+".")
	case errors.Is(err, transport.ErrViolation):
		refuse(w, http.StatusBadRequest, "Refused: "+err.Error()+".")
	case errors.Is(err, transport.ErrBusy):
		w.Header().Set("Connection", "close")
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "Not taken: "+err.Error()+".")
	case errors.Is(err, transport.ErrClosed):
		refuseEnded(w, err)
	default:
		refuseBody(w, err)
	}
}

func refuseEnded(w http.ResponseWriter, err error) {
	refuse(w, http.StatusGone, "This transport has ended: "+err.Error()+". Open another.")
}

// refuseBody answers a request whose body can't be read.
func refuseBody(w http.ResponseWriter, err error) {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		refuse(w, http.StatusRequestEntityTooLarge, "The body is too large.")
		return
	}
	w.Header().Set("Connection", "close")
	refuse(w, http.StatusBadRequest, "The body can't be read to its end.")
}

// mimeType is that of messages in format f.
func mimeType(f wamp.Format) string {
	switch f {
	case wamp.MessagePack:
		return "application/x-msgpack"
	case wamp.CBOR:
		return "application/cbor"
	}
	return "application/json"
}
