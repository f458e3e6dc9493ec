package transport

import (
	"net/http"
	"strings"

	"usher/router/wamp"
)

// Subprotocols returns the WebSocket subprotocols that this package speaks.
func Subprotocols() []string {
	return []string{
		"wamp.2.cbor.batched", "wamp.2.cbor",
		"wamp.2.msgpack.batched", "wamp.2.msgpack",
		"wamp.2.json.batched", "wamp.2.json",
	}
}

// subprotocol is what a subprotocol's name says.
type subprotocol struct {
	format  wamp.Format
	batched bool // a WebSocket message holds one or more WAMP messages
}

// parseSubprotocol returns the zero subprotocol where name is not among Subprotocols.
func parseSubprotocol(name string) subprotocol {
	rest, ok := strings.CutPrefix(name, "wamp.2.")
	if !ok {
		return subprotocol{}
	}
	rest, batched := strings.CutSuffix(rest, ".batched")
	for f := wamp.JSON; f <= wamp.Formats; f++ {
		if rest == f.String() {
			return subprotocol{f, batched}
		}
	}
	return subprotocol{}
}

// String is the inverse of parseSubprotocol.
func (s subprotocol) String() string {
	if s.batched {
		return "wamp.2." + s.format.String() + ".batched"
	}
	return "wamp.2." + s.format.String()
}

// negotiate returns the first subprotocol in the client's order that is offered
// and that this package speaks, or the empty string. The client's list may be
// spread over several header lines.
func negotiate(h http.Header, offered []string) string {
	for _, line := range h.Values("Sec-Websocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			if parseSubprotocol(name).format == 0 {
				continue
			}
			for _, o := range offered {
				if name == o {
					return o
				}
			}
		}
	}
	return ""
}
