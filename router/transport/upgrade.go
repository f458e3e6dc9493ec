package transport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
)

// ErrSubprotocol means that the client offers no subprotocol that is spoken here.
var ErrSubprotocol = errors.New("no WebSocket subprotocol in common")

// UpgradeOptions say what a client may agree on. The zero value offers all
// Subprotocols, and no compression.
type UpgradeOptions struct {
	Subprotocols []string    // that are offered
	Deflate      *Deflate    // nil: messages are not compressed
	Header       http.Header // further lines of the answer; may be nil
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
	return t.upgrade(w, r, name, o)
}

// upgrade answers a handshake with the subprotocol of that name.
func (t *Transport) upgrade(w http.ResponseWriter, r *http.Request, name string, o UpgradeOptions) (*WebSocket, error) {
	deflate, extension := o.Deflate.accept(r.Header)
	h := &hijacker{ResponseWriter: w, extension: extension}
	up := websocket.Upgrader{
		ReadBufferSize:   handshakeBuffer,
		WriteBufferSize:  handshakeBuffer,
		WriteBufferPool:  noPool{},
		CheckOrigin:      func(*http.Request) bool { return true },
		HandshakeTimeout: t.options.WriteTimeout, // of the answer
		Error:            refuseHandshake,
	}
	header := o.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if name != "" {
		header["Sec-Websocket-Protocol"] = []string{name}
	}
	if _, err := up.Upgrade(h, r, header); err != nil {
		return nil, fmt.Errorf("WebSocket handshake: %w", err)
	}
	c := t.newWebSocket(h.conn, false)
	c.start(parseSubprotocol(name), deflate)
	return c, nil
}

// refuseHandshake says what is wrong with a request.
func refuseHandshake(w http.ResponseWriter, _ *http.Request, status int, reason error) {
	w.Header().Set("Sec-Websocket-Version", "13")
	http.Error(w, "This is no WebSocket handshake: "+strings.TrimPrefix(reason.Error(), "websocket: ")+".", status)
}

// handshakeBuffer is the size of gorilla's buffers: it does the handshake only.
// Frames are this package's own, on the stream that RawSocket has as well.
const handshakeBuffer = 256

// noPool gives gorilla no write buffer to keep.
type noPool struct{}

func (noPool) Get() any { return nil }
func (noPool) Put(any)  {}

var _ websocket.BufferPool = noPool{}

// hijacker gives gorilla a connection on which it writes its answer, and keeps the
// real one. So it also is where the extensions that were agreed get into the
// answer: gorilla itself would agree to any parameters.
type hijacker struct {
	http.ResponseWriter
	extension string // empty: none
	conn      net.Conn
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = nc
	if h.extension == "" {
		return nc, rw, nil
	}
	return &extendedAnswer{nc, h.extension}, rw, nil
}

// extendedAnswer is a connection whose first write is an answer to a handshake.
type extendedAnswer struct {
	net.Conn
	extension string
}

// Write adds the extension as the last line of the header.
func (a *extendedAnswer) Write(p []byte) (int, error) {
	head, isHeader := bytes.CutSuffix(p, []byte("\r\n\r\n"))
	if !isHeader {
		return 0, errors.New("the answer to the handshake has no end")
	}
	line := fmt.Sprintf("%s\r\nSec-WebSocket-Extensions: %s\r\n\r\n", head, a.extension)
	if _, err := a.Conn.Write([]byte(line)); err != nil {
		return 0, err
	}
	return len(p), nil
}
