package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

// DialOptions say how to connect. The zero value offers all Subprotocols.
type DialOptions struct {
	Subprotocols []string    // in order of preference
	Header       http.Header // of the upgrade request
	TLS          *tls.Config // for wss; nil: the defaults
}

// Dial connects to a WAMP router, url being ws:// or wss://. The handshake is
// bounded by ctx.
func (t *Transport) Dial(ctx context.Context, url string, o DialOptions) (*WebSocket, error) {
	if len(o.Subprotocols) == 0 {
		o.Subprotocols = Subprotocols()
	}
	var c *WebSocket
	wrap := func(nc net.Conn, err error) (net.Conn, error) {
		if err != nil {
			return nil, err
		}
		c = t.newWebSocket(nc, true)
		return &wrapped{nc, c}, nil
	}
	dialer := websocket.Dialer{
		Subprotocols:    o.Subprotocols,
		ReadBufferSize:  readBuffer,
		WriteBufferSize: readBuffer,
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return wrap(new(net.Dialer).DialContext(ctx, network, addr))
		},
		NetDialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return wrap((&tls.Dialer{Config: o.TLS}).DialContext(ctx, network, addr))
		},
	}
	ws, response, err := dialer.DialContext(ctx, url, o.Header)
	if err != nil {
		if response != nil {
			text, _ := io.ReadAll(io.LimitReader(response.Body, 512)) // what there is
			return nil, fmt.Errorf("connect to %s: %w: %s: %s", url, err, response.Status, text)
		}
		return nil, fmt.Errorf("connect to %s: %w", url, err)
	}
	s := parseSubprotocol(ws.Subprotocol())
	if s.format == 0 {
		_ = ws.Close() // nothing was said yet
		return nil, fmt.Errorf("connect to %s: %w: router chose %q", url, ErrSubprotocol, ws.Subprotocol())
	}
	c.start(ws, s)
	return c, nil
}
