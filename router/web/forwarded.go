package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// client returns the address of the client in the form of auth.Transport.Peer,
// and whether it speaks TLS. What headers say about that counts only where a
// trusted proxy sent them; where they can't be understood, that is an error,
// since the proxy's own address would give the client the proxy's standing.
func (s *site) client(r *http.Request) (peer string, secure bool, err error) {
	secure = r.TLS != nil
	var from netip.AddrPort
	if s.unix != "" {
		if !s.trustUnix {
			return s.unix, secure, nil
		}
	} else if from, err = netip.ParseAddrPort(r.RemoteAddr); err != nil {
		return "", false, fmt.Errorf("address of the connection: %w", err)
	} else if !s.trusts(from.Addr()) {
		return formatPeer(from), secure, nil
	}
	hops, err := forwardedHops(r.Header)
	if err != nil {
		return "", false, err
	}
	if s.unix != "" && len(hops) == 0 {
		return s.unix, secure, nil
	}
	// From the nearest on, each proxy that is trusted vouches for the next.
	for i := len(hops) - 1; i >= 0; i-- {
		from = hops[i].address
		switch hops[i].proto {
		case "https", "wss":
			secure = true
		case "http", "ws":
			secure = false
		}
		if !s.trusts(from.Addr()) {
			break
		}
	}
	return formatPeer(from), secure, nil
}

func (s *site) trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range s.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func formatPeer(a netip.AddrPort) string {
	ip := a.Addr().Unmap()
	version := "tcp6:"
	if ip.Is4() {
		version = "tcp4:"
	}
	return version + netip.AddrPortFrom(ip, a.Port()).String()
}

// hop is one proxy's word on whom it got a request from.
type hop struct {
	address netip.AddrPort // port 0: unknown
	proto   string         // lower-case; empty: unknown
}

var (
	errTwoKinds = errors.New("both Forwarded and X-Forwarded-For name clients, and different ones: let the proxy remove the one that it does not set itself")
	errSyntax   = errors.New("not understood")
)

// forwardedHops reads Forwarded (RFC 7239) or X-Forwarded-For and
// X-Forwarded-Proto, the client first. A proxy usually sets one kind and passes
// the other on as the client sent it, so where both are there they must agree.
func forwardedHops(h http.Header) ([]hop, error) {
	standard, err := parseForwarded(h["Forwarded"])
	if err != nil {
		return nil, err
	}
	usual, err := parseXForwarded(h["X-Forwarded-For"], h["X-Forwarded-Proto"])
	if err != nil {
		return nil, err
	}
	switch {
	case len(standard) == 0:
		return usual, nil
	case len(usual) == 0:
		return standard, nil
	case len(usual) != len(standard):
		return nil, errTwoKinds
	}
	for i := range standard {
		if usual[i].address.Addr() != standard[i].address.Addr() {
			return nil, errTwoKinds
		}
		if usual[i].proto != standard[i].proto && usual[i].proto != "" {
			standard[i].proto = "http" // TLS counts where both say so
		}
	}
	return standard, nil
}

// maxHops bounds the proxies between a client and us.
const maxHops = 32

func parseXForwarded(addresses, protos []string) ([]hop, error) {
	var hops []hop
	for _, line := range addresses {
		for item := range strings.SplitSeq(line, ",") {
			a, err := parseNode(strings.TrimSpace(item))
			if err != nil || len(hops) == maxHops {
				return nil, fmt.Errorf("header X-Forwarded-For %.100q: %w", line, errSyntax)
			}
			hops = append(hops, hop{address: a})
		}
	}
	if len(protos) == 0 || len(hops) == 0 {
		return hops, nil
	}
	// The nearest proxy's word is the last; others may stand before it.
	last := protos[len(protos)-1]
	last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	hops[len(hops)-1].proto = strings.ToLower(last)
	return hops, nil
}

// parseForwarded reads elements such as for="[2001:db8::1]:4711";proto=https.
func parseForwarded(lines []string) ([]hop, error) {
	var hops []hop
	for _, line := range lines {
		rest := line
		for {
			h, after, err := parseElement(rest)
			if err != nil || len(hops) == maxHops {
				return nil, fmt.Errorf("header Forwarded %.100q: %w", line, errSyntax)
			}
			hops = append(hops, h)
			if after == "" {
				break
			}
			rest = after[1:] // the comma
		}
	}
	return hops, nil
}

// parseElement reads up to the next comma outside of quotes, and returns from
// that comma on.
func parseElement(s string) (h hop, rest string, err error) {
	found := false
	for {
		name, after, ok := strings.Cut(strings.TrimLeft(s, " \t"), "=")
		if !ok || strings.ContainsAny(name, " \t,;\"") {
			return h, "", errSyntax
		}
		value, after, err := parseValue(after)
		if err != nil {
			return h, "", err
		}
		switch strings.ToLower(name) {
		case "for":
			if found {
				return h, "", errSyntax
			}
			found = true
			if h.address, err = parseNode(value); err != nil {
				return h, "", err
			}
		case "proto":
			h.proto = strings.ToLower(value)
		}
		after = strings.TrimLeft(after, " \t")
		switch {
		case after == "" || after[0] == ',':
			if !found {
				return h, "", errSyntax
			}
			return h, after, nil
		case after[0] != ';':
			return h, "", errSyntax
		}
		s = after[1:]
	}
}

// parseValue reads a token or a quoted string.
func parseValue(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ",; \t\"")
		if end < 0 {
			end = len(s)
		}
		if end == 0 {
			return "", "", errSyntax
		}
		return s[:end], s[end:], nil
	}
	end := strings.IndexByte(s[1:], '"')
	// Nothing that an address or a scheme needs would have to be escaped.
	if end < 0 || strings.IndexByte(s[1:end+1], '\\') >= 0 {
		return "", "", errSyntax
	}
	return s[1 : end+1], s[end+2:], nil
}

// parseNode reads an IP address with or without port. What hides the client
// ("unknown", "_name") is no address and thus an error.
func parseNode(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()), nil
	}
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	} else if host, port, ok := strings.Cut(s, ":"); ok && strings.HasPrefix(port, "_") {
		// An obfuscated port beside an address that is known.
		bare = host
	}
	a, err := netip.ParseAddr(bare)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%s: %w", strconv.Quote(shorten(s)), errSyntax)
	}
	return netip.AddrPortFrom(a.Unmap().WithZone(""), 0), nil
}
