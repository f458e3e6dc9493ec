package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// hostPolicy says which Host a listener answers to. On loopback a page of the
// internet could otherwise reach it under a name of its own that it lets
// resolve to 127.0.0.1, and would be of the same origin then.
type hostPolicy struct {
	all   bool     // the listener is not on loopback
	names []string // allowed besides loopback's own; lower-case
}

func (p *hostPolicy) allow(host string) bool {
	if p.all {
		return true
	}
	name := hostname(host)
	if name == "localhost" || slices.Contains(p.names, name) {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

// hostname is a Host header's name: lower-case, without port, brackets and
// final dot.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// allowedOrigin returns the Origin of a request and whether its page may
// connect: one of the same host and port, or one that a pattern matches.
// Clients that are no browsers have none and may.
func allowedOrigin(r *http.Request, patterns []string) (string, bool) {
	lines := r.Header["Origin"]
	if len(lines) == 0 {
		return "", true
	}
	origin := lines[0]
	if len(lines) > 1 {
		return strings.Join(lines, ", "), false
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" && sameHost(u, r.Host) {
		return origin, true
	}
	lower := strings.ToLower(origin)
	for _, pattern := range patterns {
		if glob(pattern, lower) {
			return origin, true
		}
	}
	return origin, false
}

// sameHost compares an origin with a Host header, either of which may leave out
// the port that the scheme implies. Schemes are not compared: a proxy may have
// taken TLS off.
func sameHost(origin *url.URL, host string) bool {
	if strings.EqualFold(origin.Host, host) {
		return true
	}
	port := map[string]string{"http": ":80", "https": ":443"}[origin.Scheme]
	return port != "" && strings.EqualFold(strings.TrimSuffix(origin.Host, port), strings.TrimSuffix(host, port))
}

// glob reports whether s matches pattern, in which "*" stands for any text.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
