package realm

import (
	"strings"
	"sync"

	"usher/router/transport"
	"usher/router/wamp"
)

// admission bounds how many connections may be joining at a time, in all and
// from one address, so that a flood of logins leaves room for others.
type admission struct {
	limits *Limits

	mu        sync.Mutex
	joining   map[transport.Conn]string // their addresses
	byAddress map[string]int
	served    int // connections that Serve has, joined or not
	stopped   bool
}

func (a *admission) init(limits *Limits) {
	a.limits = limits
	a.joining = make(map[transport.Conn]string)
	a.byAddress = make(map[string]int)
}

// begin admits a connection from peer to the handshake, or says why not.
func (a *admission) begin(c transport.Conn, peer string) *ErrorReply {
	address := addressOf(peer)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.stopped:
		return newError(wamp.CloseSystemShutdown, "router is stopping")
	case len(a.joining) >= a.limits.Handshakes:
		return newError(wamp.ErrUnavailable, "too many clients are joining, try again later")
	case a.byAddress[address] >= a.limits.HandshakesPerAddress:
		return newError(wamp.ErrUnavailable, "too many clients are joining from this address, try again later")
	}
	a.joining[c] = address
	a.byAddress[address]++
	return nil
}

// end gives c's place in the handshake back.
func (a *admission) end(c transport.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	address, ok := a.joining[c]
	if !ok {
		return
	}
	delete(a.joining, c)
	if a.byAddress[address]--; a.byAddress[address] == 0 {
		delete(a.byAddress, address)
	}
}

// dismiss refuses everybody who is joining, from now on.
func (a *admission) dismiss(text string) {
	a.mu.Lock()
	a.stopped = true
	joining := make([]transport.Conn, 0, len(a.joining))
	for c := range a.joining {
		joining = append(joining, c)
	}
	a.mu.Unlock()
	for _, c := range joining {
		// An error means that the connection is going away already.
		_ = c.Send(nil, &wamp.Abort{Reason: wamp.CloseSystemShutdown, Message: text})
		c.Close(transport.CloseShutdown)
	}
}

func (a *admission) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.joining)
}

// serve counts a connection that Serve has taken, or is done with.
func (a *admission) serve(delta int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.served += delta
}

func (a *admission) connections() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.served
}

// addressOf is a peer without its port.
func addressOf(peer string) string {
	if strings.HasPrefix(peer, "tcp") {
		if colon := strings.LastIndexByte(peer, ':'); colon >= 0 {
			return peer[:colon]
		}
	}
	return peer
}
