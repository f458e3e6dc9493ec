package transport

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
)

// ErrSubprotocol means that the client offers no subprotocol that is spoken here.
var ErrSubprotocol = errors.New("no WebSocket subprotocol in common")

// Upgrade answers a WebSocket handshake and returns the connection. The
// subprotocol is the first one in the client's order that is offered here; an
// empty list offers all of Subprotocols. Where it fails it has answered the
// request. Who may connect from where is the caller's to check before.
//
// Nothing of w and r is kept: the caller's goroutine may go.
func (t *Transport) Upgrade(w http.ResponseWriter, r *http.Request, offered []string) (*WebSocket, error) {
	if len(offered) == 0 {
		offered = Subprotocols()
	}
	name := negotiate(r.Header, offered)
	if name == "" {
		text := "This path speaks the WebSocket subprotocols " + strings.Join(offered, ", ") + "; the client offers none of them."
		http.Error(w, text, http.StatusBadRequest)
		return nil, fmt.Errorf("%w: client offers %q", ErrSubprotocol, r.Header.Values("Sec-Websocket-Protocol"))
	}
	h := &hijacker{ResponseWriter: w, t: t}
	up := websocket.Upgrader{
		ReadBufferSize:  readBuffer,
		WriteBufferSize: readBuffer,
		WriteBufferPool: noPool{},
		CheckOrigin:     func(*http.Request) bool { return true },

		HandshakeTimeout: t.options.WriteTimeout, // of the answer
	}
	ws, err := up.Upgrade(h, r, http.Header{"Sec-Websocket-Protocol": {name}})
	if err != nil {
		return nil, fmt.Errorf("WebSocket handshake: %w", err)
	}
	h.conn.start(ws, parseSubprotocol(name))
	return h.conn, nil
}

// readBuffer is the size of gorilla's own buffers: the connection brings pooled ones.
const readBuffer = 256

// noPool gives gorilla no write buffer to keep: it writes next to nothing.
type noPool struct{}

func (noPool) Get() any { return nil }
func (noPool) Put(any)  {}

var _ websocket.BufferPool = noPool{}

// hijacker hands the connection wrapped to gorilla, so that a request's TLS state
// stays what net/http knows.
type hijacker struct {
	http.ResponseWriter
	t    *Transport
	conn *WebSocket
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = h.t.newWebSocket(nc, false)
	return &wrapped{nc, h.conn}, rw, nil
}
