//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// openConfig is a configuration in which anybody may do anything.
const openConfig = `
realms:
  - name: realm1
    roles:
      - name: anybody
        permissions:
          - {uri: "", match: prefix, allow: {call: true, register: true, publish: true, subscribe: true}}
transports:
  - type: web
    endpoint: {type: tcp, interface: 127.0.0.1, port: PORT}
    paths:
      ws:
        type: websocket
        auth:
          anonymous: {type: static, role: anybody}
`

// patience bounds each wait of a test for a message.
const patience = 20 * time.Second

// A peer is a client that speaks JSON byte by byte, so that it can do what no
// library would.
type peer struct {
	*websocket.Conn
	t           *testing.T
	lastRequest int
}

// dial upgrades without saying HELLO.
func dial(t *testing.T, url string, subprotocols ...string) *peer {
	t.Helper()
	if len(subprotocols) == 0 {
		subprotocols = []string{"wamp.2.json"}
	}
	c, response, err := dialRaw(url, http.Header{"Sec-Websocket-Protocol": {strings.Join(subprotocols, ", ")}})
	if err != nil {
		t.Fatalf("dial %s: %v (%v)", url, err, response)
	}
	t.Cleanup(func() { c.Close() })
	return &peer{Conn: c, t: t}
}

func dialRaw(url string, header http.Header) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{HandshakeTimeout: patience}
	return d.Dial(url, header)
}

// join dials and joins as the anonymous role.
func join(t *testing.T, url string) *peer {
	t.Helper()
	p := dial(t, url)
	p.hello("anonymous", "")
	if welcome := p.receive(); welcome[0] != 2.0 {
		t.Fatalf("got %v, want WELCOME", welcome)
	}
	return p
}

func (p *peer) hello(method, authid string) {
	details := map[string]any{"roles": map[string]any{"caller": map[string]any{}, "callee": map[string]any{}, "publisher": map[string]any{}, "subscriber": map[string]any{}}, "authmethods": []string{method}}
	if authid != "" {
		details["authid"] = authid
	}
	p.send(1, "realm1", details)
}

// login dials and presents a ticket, and returns the router's decision.
func login(t *testing.T, url, authid, ticket string) (p *peer, decision []any) {
	t.Helper()
	p = dial(t, url)
	p.hello("ticket", authid)
	if challenge := p.receive(); challenge[0] != 4.0 {
		return p, challenge
	}
	p.send(5, ticket, map[string]any{})
	return p, p.receive()
}

func (p *peer) send(message ...any) {
	p.t.Helper()
	if err := p.trySend(message...); err != nil {
		p.t.Fatalf("send %v: %v", message, err)
	}
}

func (p *peer) trySend(message ...any) error {
	b, err := json.Marshal(message)
	if err == nil {
		err = p.WriteMessage(websocket.TextMessage, b)
	}
	return err
}

// request is the next request id.
func (p *peer) request() int {
	p.lastRequest++
	return p.lastRequest
}

// receive returns the next message.
func (p *peer) receive() []any {
	p.t.Helper()
	m, err := p.tryReceive()
	if err != nil {
		p.t.Fatalf("receive: %v", err)
	}
	return m
}

func (p *peer) tryReceive() (message []any, err error) {
	if err := p.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	_, data, err := p.ReadMessage()
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(data, &message)
	return message, err
}

// expect fails unless the next message begins as given; nil stands for anything.
func (p *peer) expect(want ...any) []any {
	p.t.Helper()
	got := p.receive()
	if len(got) < len(want) {
		p.t.Fatalf("got %v, want %v", got, want)
	}
	for i, w := range want {
		if w != nil && fmt.Sprint(got[i]) != fmt.Sprint(w) {
			p.t.Fatalf("got %v, want %v", got, want)
		}
	}
	return got
}

// expectClose fails unless the connection ends, with one of the close codes if
// any are given, and returns the messages before it.
func (p *peer) expectClose(codes ...int) (messages [][]any) {
	p.t.Helper()
	for {
		m, err := p.tryReceive()
		if err == nil {
			messages = append(messages, m)
			continue
		}
		var closed *websocket.CloseError
		if len(codes) > 0 && (!errors.As(err, &closed) || !slices.Contains(codes, closed.Code)) {
			p.t.Errorf("the connection ended with %v, want a close code of %v", err, codes)
		}
		p.Close()
		return messages
	}
}
