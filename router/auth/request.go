package auth

import (
	"context"

	"usher/router/wamp"
)

// The authentication methods as they are spelled in HELLO and WELCOME.
const (
	MethodTicket    = "ticket"
	MethodAnonymous = "anonymous"
)

// Request is everything known about a client that wants to join. Absent strings
// are empty. It is immutable once an Authenticator has it, and owns its bytes.
type Request struct {
	Realm      string // realm asked for; empty: the authenticator assigns it
	Authid     string
	Authrole   string // role asked for
	Authmethod string
	Authextra  wamp.Value // HELLO.Details.authextra
	Ticket     string     // secret: must not be logged
	Session    wamp.ID    // the id that the session will have
	Transport  *Transport
}

// Transport describes the connection that a Request came over. It is immutable.
type Transport struct {
	Type            string            // "websocket", "longpoll", "rawsocket" or "local"
	Protocol        string            // subprotocol, e.g. "wamp.2.json"
	Peer            string            // "tcp4:127.0.0.1:17185", "tcp6:[::1]:17185", "unix:…"; behind a trusted proxy the client's
	HeadersReceived map[string]string // lower-case names; several lines joined by ", "
	HeadersSent     map[string]string
	Cbtid           string // tracking cookie
	Secure          bool   // TLS, or a trusted proxy says so
	Path            string // of the upgrade request
	Query           string // raw query of the upgrade request; secret: must not be logged
}

// Principal is who a client turned out to be. The zero Principal is nobody.
type Principal struct {
	Role   string     // must not be empty
	Authid string     // empty: as asked for
	Realm  string     // empty: as asked for
	Extra  wamp.Value // becomes WELCOME.Details.authextra; a dict or absent
}

// Authenticator decides a login. The router calls it directly where the callee
// of the authenticator's URI implements it, with a deadline on ctx.
//
// It may block until ctx ends and is called concurrently. It returns either a
// principal, or an error: a *Refusal is told to the client as it is, any other
// error is a failure whose text goes to the log only.
type Authenticator interface {
	Authenticate(ctx context.Context, r *Request) (*Principal, error)
}

// Refusal is an authenticator's own "no": its URI becomes ABORT.Reason and its
// message ABORT.Details.message.
type Refusal struct {
	URI     string
	Message string
}

func (r *Refusal) Error() string { return r.URI + ": " + r.Message }
