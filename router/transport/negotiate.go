package transport

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// extensionName is that of RFC 7692.
const extensionName = "permessage-deflate"

// extension is one offer of the extension, or the answer to it, as in a header.
// Window bits are 0 where they are not given.
type extension struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int
	clientBitsGiven                    bool // with or without a value
}

// parseExtensions returns the offers of the extension in a header, the client's
// preferred first. One that is malformed, or has a parameter that RFC 7692 does
// not know, is left out, and so are other extensions.
func parseExtensions(h http.Header) []extension {
	var all []extension
	for _, line := range h.Values("Sec-Websocket-Extensions") {
		for offer := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(offer, ";")
			if strings.TrimSpace(name) != extensionName {
				continue
			}
			if e, ok := parseExtension(params); ok {
				all = append(all, e)
			}
		}
	}
	return all
}

func parseExtension(params string) (e extension, ok bool) {
	seen := map[string]bool{}
	for param := range strings.SplitSeq(params, ";") {
		name, value, valued := strings.Cut(strings.TrimSpace(param), "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "" && !valued && params == "" {
			return e, true // none at all
		}
		if seen[name] {
			return e, false
		}
		seen[name] = true
		bits := 0
		if valued {
			if bits, ok = windowBits(value); !ok {
				return e, false
			}
		}
		switch name {
		case "server_no_context_takeover":
			e.serverNoTakeover, ok = true, !valued
		case "client_no_context_takeover":
			e.clientNoTakeover, ok = true, !valued
		case "server_max_window_bits":
			e.serverBits, ok = bits, valued
		case "client_max_window_bits":
			e.clientBits, e.clientBitsGiven, ok = bits, true, true
		default:
			ok = false
		}
		if !ok {
			return e, false
		}
	}
	return e, true
}

// windowBits reads the value of a parameter, which may be in quotes.
func windowBits(s string) (int, bool) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 8 && n <= maxWindowBits && strconv.Itoa(n) == s
}

// accept answers the first offer of a client's header: with what was agreed, and
// the line for the answer. nil: there is none.
func (d *Deflate) accept(h http.Header) (*deflation, string) {
	if d == nil {
		return nil, ""
	}
	offers := parseExtensions(h)
	if len(offers) == 0 {
		return nil, ""
	}
	o := offers[0]
	agreed := d.agree(o.serverBits)
	line := extensionName + "; server_no_context_takeover; client_no_context_takeover"
	if agreed.bits < maxWindowBits || o.serverBits != 0 {
		line += "; server_max_window_bits=" + strconv.Itoa(agreed.bits)
	}
	if o.clientBitsGiven && d.RequestMaxWindowBits != 0 {
		bits := d.RequestMaxWindowBits
		if o.clientBits != 0 {
			bits = min(bits, o.clientBits)
		}
		line += "; client_max_window_bits=" + strconv.Itoa(bits)
	}
	return agreed, line
}

// agree returns the terms for what is sent to a peer that asks for a window of
// bits, or for none in particular.
func (d *Deflate) agree(bits int) *deflation {
	agreed := &deflation{bits: maxWindowBits, threshold: defaultThreshold}
	if d.MaxWindowBits != 0 {
		agreed.bits = d.MaxWindowBits
	}
	if bits != 0 {
		agreed.bits = min(agreed.bits, bits)
	}
	if d.Threshold != 0 {
		agreed.threshold = d.Threshold
	}
	return agreed
}

// accepted judges a router's answer to this package's offer, which has no window
// bits: nil where it declines.
func (d *Deflate) accepted(h http.Header) (*deflation, error) {
	lines := h.Values("Sec-Websocket-Extensions")
	if len(lines) == 0 {
		return nil, nil
	}
	answers := parseExtensions(h)
	if d == nil || len(answers) != 1 || !answers[0].serverNoTakeover || answers[0].clientBitsGiven {
		return nil, fmt.Errorf("router chose extensions that were not offered: %q", lines)
	}
	return d.agree(0), nil
}
