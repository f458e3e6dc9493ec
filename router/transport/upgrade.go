package transport

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ErrSubprotocol means that the client offers no subprotocol that is spoken here.
var ErrSubprotocol = errors.New("no WebSocket subprotocol in common")

// UpgradeOptions say what a client may agree on. The zero value offers all
// Subprotocols, and no compression.
type UpgradeOptions struct {
	Subprotocols []string // that are offered
	Deflate      *Deflate // nil: messages are not compressed
}

// Upgrade answers a WebSocket handshake and returns the connection. The
// subprotocol is the first one in the client's order that is offered here. Where
// it fails it has answered the request. Who may connect from where is the caller's
// to check before.
//
// Nothing of w and r is kept: the caller's goroutine may go.
func (t *Transport) Upgrade(w http.ResponseWriter, r *http.Request, o UpgradeOptions) (*WebSocket, error) {
	if len(o.Subprotocols) == 0 {
		o.Subprotocols = Subprotocols()
	}
	name := negotiate(r.Header, o.Subprotocols)
	if name == "" {
		text := "This path speaks the WebSocket subprotocols " + strings.Join(o.Subprotocols, ", ") + "; the client offers none of them."
		http.Error(w, text, http.StatusBadRequest)
		return nil, fmt.Errorf("%w: client offers %q", ErrSubprotocol, r.Header.Values("Sec-Websocket-Protocol"))
	}
	return t.upgrade(w, r, name, o.Deflate)
}

// upgrade answers a handshake with the subprotocol of that name.
func (t *Transport) upgrade(w http.ResponseWriter, r *http.Request, name string, d *Deflate) (*WebSocket, error) {
	key := r.Header.Get("Sec-Websocket-Key")
	if status, why := handshakeFault(r, key); why != "" {
		w.Header().Set("Sec-Websocket-Version", "13")
		http.Error(w, "This is no WebSocket handshake: "+why+".", status)
		return nil, errors.New("WebSocket handshake: " + why)
	}
	deflate, extension := d.accept(r.Header)
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "The connection cannot be upgraded.", http.StatusInternalServerError)
		return nil, fmt.Errorf("WebSocket handshake: %w", err)
	}
	b := make([]byte, 0, 512)
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = append(b, acceptKey(key)...)
	if name != "" {
		b = append(b, "\r\nSec-WebSocket-Protocol: "...)
		b = append(b, name...)
	}
	if extension != "" {
		b = append(b, "\r\nSec-WebSocket-Extensions: "...)
		b = append(b, extension...)
	}
	b = append(b, "\r\n\r\n"...)
	_ = nc.SetDeadline(time.Now().Add(t.options.WriteTimeout)) // its failure is the write's
	_, err = nc.Write(b)
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("WebSocket handshake: %w", err)
	}
	c := t.newWebSocket(nc, false)
	c.start(parseSubprotocol(name), deflate)
	c.came(rw.Reader)
	return c, nil
}

// came takes what was read of the socket behind the handshake.
func (c *WebSocket) came(r *bufio.Reader) {
	if n := r.Buffered(); n > 0 {
		b, _ := r.Peek(n) // they are there
		c.in.raw = &buffer{append([]byte(nil), b...)}
	}
}

// handshakeFault says what is wrong with a client's handshake, if anything (RFC
// 6455, section 4.2.1).
func handshakeFault(r *http.Request, key string) (status int, why string) {
	switch {
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, "the method is not GET"
	case !listed(r.Header, "Connection", "upgrade"):
		return http.StatusBadRequest, "the header Connection does not say Upgrade"
	case !listed(r.Header, "Upgrade", "websocket"):
		return http.StatusBadRequest, "the header Upgrade does not say websocket"
	case r.Header.Get("Sec-Websocket-Version") != "13":
		return http.StatusUpgradeRequired, "version 13 of the protocol is needed"
	}
	if b, err := base64.StdEncoding.DecodeString(key); err != nil || len(b) != 16 {
		return http.StatusBadRequest, "the header Sec-WebSocket-Key is not 16 bytes in base64"
	}
	return 0, ""
}

// listed reports whether a header, which is a list, has a token in it.
func listed(h http.Header, name, token string) bool {
	for _, line := range h[name] {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// acceptKey is the answer to a handshake's key.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
