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
	return t.upgrade(w, r, name)
}

// upgrade answers a handshake with the subprotocol of that name.
func (t *Transport) upgrade(w http.ResponseWriter, r *http.Request, name string) (*WebSocket, error) {
	h := &hijacker{ResponseWriter: w}
	up := websocket.Upgrader{
		ReadBufferSize:  handshakeBuffer,
		WriteBufferSize: handshakeBuffer,
		WriteBufferPool: noPool{},
		CheckOrigin:     func(*http.Request) bool { return true },

		HandshakeTimeout: t.options.WriteTimeout, // of the answer
	}
	if _, err := up.Upgrade(h, r, http.Header{"Sec-Websocket-Protocol": {name}}); err != nil {
		return nil, fmt.Errorf("WebSocket handshake: %w", err)
	}
	c := t.newWebSocket(h.conn, false)
	c.start(parseSubprotocol(name))
	return c, nil
}

// handshakeBuffer is the size of gorilla's buffers, which does the handshake and
// nothing more.
const handshakeBuffer = 256

// noPool gives gorilla no write buffer to keep: it writes nothing but its answer.
type noPool struct{}

func (noPool) Get() any { return nil }
func (noPool) Put(any)  {}

var _ websocket.BufferPool = noPool{}

// hijacker takes the connection from under gorilla once the handshake is done.
type hijacker struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = nc
	return nc, rw, err
}
