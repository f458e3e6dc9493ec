package auth

import (
	"context"
	"crypto/tls"
	"time"

	"usher/router/trustroot"
	"usher/router/wamp"
)

// The authentication methods as they are spelled in HELLO and WELCOME. SCRAM has
// two names: the specification's, and the one of Crossbar.io's clients, who also
// compute a little differently (see scram.go).
const (
	MethodAnonymous     = "anonymous"
	MethodTicket        = "ticket"
	MethodWAMPCRA       = "wampcra"
	MethodSCRAM         = "wamp-scram"
	MethodCrossbarSCRAM = "scram"
	MethodCryptosign    = "cryptosign"
	MethodCookie        = "cookie"
	MethodTLS           = "tls"
	MethodJWT           = "jwt" // ticket, where tickets are JSON Web Tokens
)

// Request is everything known about a client that wants to join. Absent strings
// are empty. It is immutable once an Authenticator has it, and owns its bytes.
type Request struct {
	Realm      string // realm asked for; empty: the authenticator assigns it
	Authid     string
	Authrole   string // role asked for
	Authmethod string
	Authextra  wamp.Value            // HELLO.Details.authextra
	Extra      Extra                 // what of Authextra the methods know
	Ticket     string                // secret: must not be logged
	Pubkey     string                // that the client says is its own: 64 hexadecimal digits in lower case
	Delegation *trustroot.Delegation // of Pubkey: what the client's certificates say, whoever their root is; nil: there are none
	Session    wamp.ID               // the id that the session will have
	Transport  *Transport
	Now        time.Time // when it is judged, for tools that try a login at another time; zero: now
}

// Extra is what HELLO.Details.authextra and AUTHENTICATE.Extra may say to one of
// the methods. Absent strings are empty.
type Extra struct {
	Pubkey         string // cryptosign
	Nonce          string // SCRAM
	ChannelBinding string // its type; cryptosign and SCRAM
	CbindData      string // SCRAM, in AUTHENTICATE
	Challenge      string // cryptosign: what the router is to sign
	Trustroot      string // cryptosign: whose certificates these are
	Certificates   []byte // cryptosign: a list, in JSON
}

// Transport describes the connection that a Request came over. It is immutable.
type Transport struct {
	Type            string            // "websocket", "longpoll", "rawsocket" or "local"
	Protocol        string            // subprotocol, e.g. "wamp.2.json"
	Peer            string            // "tcp4:127.0.0.1:17185", "tcp6:[::1]:17185", "unix:…"; behind a trusted proxy the client's
	HeadersReceived map[string]string // lower-case names; several lines joined by ", "
	HeadersSent     map[string]string
	Cbtid           string               // value of the tracking cookie; secret: must not be logged
	Tracking        *Tracking            // nil: there is no such cookie
	Secure          bool                 // TLS, or a trusted proxy says so
	TLS             *tls.ConnectionState // of the connection itself; nil: plain, or unknown
	Path            string               // of the upgrade request; of a long-poll client the path that is configured
	Query           string               // raw query of the upgrade request, or of that to open a transport; secret: must not be logged
}

// Principal is who a client turned out to be. The zero Principal is nobody.
type Principal struct {
	Role   string     // must not be empty
	Authid string     // empty: as asked for
	Realm  string     // empty: as asked for
	Extra  wamp.Value // becomes WELCOME.Details.authextra; a dict or absent
	// ExpiresAt is when the session ends; zero: never for this reason.
	ExpiresAt time.Time
	// Credentials are what a client's proof is checked against. An authenticator
	// gives those of the method that it is asked for.
	Credentials Credentials
}

// Credentials are secrets and keys of one principal. All are absent in the zero
// value. They must not be logged.
type Credentials struct {
	// WAMP-CRA: the shared secret, or with a Salt the key that PBKDF2 derives from
	// the password, in base64.
	Secret string
	// WAMP-CRA (any text) and SCRAM (base64).
	Salt       string
	Iterations int
	Keylen     int // WAMP-CRA, of the derived key in bytes

	// SCRAM: "pbkdf2" or "argon2id13"; memory in KiB; keys of 32 bytes each.
	KDF                  string
	Memory               int
	StoredKey, ServerKey []byte

	// Cryptosign: hexadecimal digits.
	AuthorizedKeys []string
}

// IsZero reports whether there are none.
func (c *Credentials) IsZero() bool {
	return c.Secret == "" && c.Salt == "" && c.Iterations == 0 && c.Keylen == 0 && c.KDF == "" && c.Memory == 0 &&
		c.StoredKey == nil && c.ServerKey == nil && c.AuthorizedKeys == nil
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
	Lacking bool // the router's: Message names the realm or role that the configuration lacks
}

func (r *Refusal) Error() string { return r.URI + ": " + r.Message }
