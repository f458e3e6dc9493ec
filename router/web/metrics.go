package web

import (
	"fmt"
	"net/http"
	"strings"
)

// metric is one figure as Prometheus reads it.
type metric struct {
	name  string
	total bool // it only grows; else it is of the moment
	value uint64
	help  string
}

// metrics are all figures about the router.
func (l *listener) metrics() []metric {
	o := &l.server.options
	s, t := o.Stats(), o.Transport.Stats()
	return []metric{
		{"usher_sessions", false, uint64(s.Sessions), "Sessions that have joined, with components."},
		{"usher_sessions_joining", false, uint64(s.Joining), "Connections whose login is under way."},
		{"usher_registrations", false, uint64(s.Registrations), "Registrations of all realms."},
		{"usher_subscriptions", false, uint64(s.Subscriptions), "Topics and patterns that anybody listens to, of all realms."},
		{"usher_pending_calls", false, uint64(s.PendingCalls), "Calls without an answer."},
		{"usher_slow_clients_total", true, s.SlowClients, "Sessions closed because they did not read what they were sent."},
		{"usher_dropped_events_total", true, s.DroppedEvents, "Events that a subscriber did not get."},
		{"usher_failed_logins_total", true, s.FailedLogins, "Logins whose proof was wrong, or that an authenticator refused."},
		{"usher_slowed_logins_total", true, s.SlowedLogins, "Failed logins that were answered later because there were many."},
		{"usher_refused_logins_total", true, s.RefusedLogins, "Logins not looked at because too many of their address had failed."},
		{"usher_connections", false, uint64(t.Connections), "Connections that are open."},
		{"usher_received_messages_total", true, uint64(t.MessagesIn), "Messages received."},
		{"usher_sent_messages_total", true, uint64(t.MessagesOut), "Messages sent."},
		{"usher_received_bytes_total", true, uint64(t.BytesIn), "Bytes received, as on the wire."},
		{"usher_sent_bytes_total", true, uint64(t.BytesOut), "Bytes sent, as on the wire."},
		{"usher_writes_total", true, uint64(t.Writes), "Writes that carried the bytes sent."},
		{"usher_slow_disconnects_total", true, uint64(t.SlowDisconnects), "Connections closed because their peer did not read."},
		{"usher_dropped_bytes_total", true, uint64(t.DroppedBytes), "Bytes queued for connections that went first."},
	}
}

// serveMetrics answers with the figures of the moment.
func (l *listener) serveMetrics(w http.ResponseWriter) {
	var b strings.Builder
	for _, m := range l.metrics() {
		kind := "gauge"
		if m.total {
			kind = "counter"
		}
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n%s %d\n", m.name, m.help, m.name, kind, m.name, m.value)
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	// An error means that the client is gone.
	_, _ = w.Write([]byte(b.String()))
}
