package client

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"usher/router/auth"
	"usher/router/codec"
	"usher/router/wamp"
)

// Prover is a client's part of one method of authentication, for one login. Its
// methods are called in the order in which they stand here, none concurrently; not
// all are where the router has no use for them.
type Prover interface {
	// Method is the name in HELLO.Details.authmethods.
	Method() string
	// Hello is what HELLO.Details.authextra says. t is the connection; it may be nil.
	Hello(t *auth.Transport) (auth.Extra, error)
	// Answer is the answer to the router's challenge. It may block until ctx ends.
	Answer(ctx context.Context, c *wamp.Challenge) (*auth.Answer, error)
	// Welcomed checks what proof the router has in WELCOME.Details.authextra.
	Welcomed(authextra wamp.Value) error
}

// silent is the part of a method that needs no more than its name.
type silent struct{ method string }

func (s silent) Method() string                            { return s.method }
func (s silent) Hello(*auth.Transport) (auth.Extra, error) { return auth.Extra{}, nil }
func (s silent) Welcomed(wamp.Value) error                 { return nil }
func (s silent) Answer(context.Context, *wamp.Challenge) (*auth.Answer, error) {
	return nil, fmt.Errorf("the router challenges a client of method %q, which has no challenge", s.method)
}

// Anonymous joins as nobody in particular.
func Anonymous() Prover { return silent{auth.MethodAnonymous} }

// Certificate joins with the client certificate of the connection.
func Certificate() Prover { return silent{auth.MethodTLS} }

type ticketProver struct {
	silent
	ticket func(ctx context.Context) (string, error)
}

// Ticket presents what ticket returns.
func Ticket(ticket func(ctx context.Context) (string, error)) Prover {
	return ticketProver{silent{auth.MethodTicket}, ticket}
}

// Token is Ticket for routers that say jwt where tickets are JSON Web Tokens.
func Token(token func(ctx context.Context) (string, error)) Prover {
	return ticketProver{silent{auth.MethodJWT}, token}
}

func (p ticketProver) Answer(ctx context.Context, _ *wamp.Challenge) (*auth.Answer, error) {
	ticket, err := p.ticket(ctx)
	if err != nil {
		return nil, fmt.Errorf("get the ticket: %w", err)
	}
	return &auth.Answer{Signature: ticket}, nil
}

// The bounds on what a router may ask a client to compute.
const (
	maxIterations = 10_000_000
	maxKeylen     = 1024
	maxMemory     = 1 << 20 // KiB
)

// challengeExtra is CHALLENGE.Extra of all methods.
type challengeExtra struct {
	Challenge  string  `json:"challenge"`
	Salt       *string `json:"salt"`
	Iterations int     `json:"iterations"`
	Keylen     int     `json:"keylen"`
	Nonce      string  `json:"nonce"`
	KDF        string  `json:"kdf"`
	Memory     int     `json:"memory"`
}

func readValue(v wamp.Value, to any) error {
	if v.Absent() {
		return nil
	}
	encoded, err := codec.AppendValue(nil, wamp.JSON, v)
	if err != nil {
		return err
	}
	return json.Unmarshal(encoded, to)
}

func readChallenge(c *wamp.Challenge) (e challengeExtra, err error) {
	if err := readValue(c.Extra, &e); err != nil {
		return e, fmt.Errorf("read the router's challenge: %w", err)
	}
	if e.Iterations < 0 || e.Iterations > maxIterations || e.Keylen < 0 || e.Keylen > maxKeylen || e.Memory < 0 || e.Memory > maxMemory {
		return e, errors.New("the router's challenge asks for more work than a client does")
	}
	return e, nil
}

type craProver struct {
	silent
	secret string
}

// WAMPCRA signs challenges with a secret, or a password where the router says how
// it is salted.
func WAMPCRA(secret string) Prover { return craProver{silent{auth.MethodWAMPCRA}, secret} }

func (p craProver) Answer(_ context.Context, c *wamp.Challenge) (*auth.Answer, error) {
	e, err := readChallenge(c)
	if err != nil {
		return nil, err
	}
	key := []byte(p.secret)
	if e.Salt != nil {
		derived, err := pbkdf2.Key(sha256.New, p.secret, []byte(*e.Salt), max(e.Iterations, 1), max(e.Keylen, 1))
		if err != nil {
			return nil, fmt.Errorf("derive the key of the router's challenge: %w", err)
		}
		key = []byte(base64.StdEncoding.EncodeToString(derived))
	}
	return &auth.Answer{Signature: base64.StdEncoding.EncodeToString(mac(key, e.Challenge))}, nil
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

type cryptosignProver struct {
	silent
	key     ed25519.PrivateKey
	binding string // type of channel binding; empty: none
	channel []byte

	trustroot    string
	certificates []byte // in JSON; nil: none are shown
}

// Cryptosign signs challenges with a key. binding is "tls-unique", "tls-exporter",
// or empty for none.
func Cryptosign(key ed25519.PrivateKey, binding string) Prover {
	return &cryptosignProver{silent: silent{auth.MethodCryptosign}, key: key, binding: binding}
}

// CertifiedCryptosign is Cryptosign for a key that certificates vouch for: a list in
// JSON, from the key's own on, of which trustroot is the address of the root.
func CertifiedCryptosign(key ed25519.PrivateKey, binding, trustroot string, certificates []byte) Prover {
	return &cryptosignProver{silent: silent{auth.MethodCryptosign}, key: key, binding: binding, trustroot: trustroot, certificates: certificates}
}

func (p *cryptosignProver) Hello(t *auth.Transport) (auth.Extra, error) {
	public := p.key.Public().(ed25519.PublicKey)
	e := auth.Extra{Pubkey: hex.EncodeToString(public), ChannelBinding: p.binding, Trustroot: p.trustroot, Certificates: p.certificates}
	if p.binding == "" {
		return e, nil
	}
	if p.channel = t.ChannelID(p.binding); len(p.channel) != 32 {
		return e, noBinding(p.binding)
	}
	return e, nil
}

func noBinding(kind string) error {
	return fmt.Errorf("channel binding %q is not available on this connection", kind)
}

func (p *cryptosignProver) Answer(_ context.Context, c *wamp.Challenge) (*auth.Answer, error) {
	e, err := readChallenge(c)
	if err != nil {
		return nil, err
	}
	message, err := hex.DecodeString(e.Challenge)
	if err != nil || len(message) != 32 {
		return nil, errors.New("the router's challenge is not 64 hexadecimal digits")
	}
	if p.binding != "" {
		subtle.XORBytes(message, message, p.channel)
	}
	signed := append(ed25519.Sign(p.key, message), message...)
	return &auth.Answer{Signature: hex.EncodeToString(signed)}, nil
}

// scramProver has state: what the router is to prove is agreed on in its challenge.
type scramProver struct {
	silent
	authid, password string
	binding          string // type of channel binding; empty: none
	channel          []byte
	nonce            string
	salted           []byte
	message          string
}

// SCRAM proves to know a password without telling it, and that the router knows of
// it too. method is auth.MethodSCRAM, or auth.MethodCrossbarSCRAM for users whose
// keys were made for clients of Crossbar.io. Authid and password are taken as they
// are.
func SCRAM(method, authid, password string) Prover {
	return BoundSCRAM(method, authid, password, "")
}

// BoundSCRAM is SCRAM with a channel binding as Cryptosign has it.
func BoundSCRAM(method, authid, password, binding string) Prover {
	return &scramProver{silent: silent{method}, authid: authid, password: password, binding: binding}
}

func (p *scramProver) crossbar() bool { return p.method == auth.MethodCrossbarSCRAM }

func (p *scramProver) Hello(t *auth.Transport) (auth.Extra, error) {
	if p.binding != "" {
		if p.channel = t.ChannelBinding(p.binding); len(p.channel) == 0 {
			return auth.Extra{}, noBinding(p.binding)
		}
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails; see crypto/rand
	p.nonce = base64.StdEncoding.EncodeToString(random)
	return auth.Extra{Nonce: p.nonce, ChannelBinding: p.binding}, nil
}

func (p *scramProver) Answer(_ context.Context, c *wamp.Challenge) (*auth.Answer, error) {
	e, err := readChallenge(c)
	if err != nil {
		return nil, err
	}
	// The nonces are base64 each or together.
	if !strings.HasPrefix(e.Nonce, strings.TrimRight(p.nonce, "=")[:20]) || len(e.Nonce) <= len(p.nonce) || e.Salt == nil {
		return nil, errors.New("the router's challenge does not go on from this client's nonce")
	}
	if p.salted, err = p.salt(&e); err != nil {
		return nil, err
	}
	name, binding := p.authid, ""
	if !p.crossbar() {
		name, binding = strings.NewReplacer("=", "=3D", ",", "=2C").Replace(p.authid), base64.StdEncoding.EncodeToString([]byte("n,,"))
	}
	if p.binding != "" {
		binding = base64.StdEncoding.EncodeToString(append([]byte("p="+p.binding+",,"), p.channel...))
	}
	p.message = "n=" + name + ",r=" + p.nonce + ",r=" + e.Nonce + ",s=" + *e.Salt + ",i=" + strconv.Itoa(e.Iterations) + ",c=" + binding + ",r=" + e.Nonce
	key := mac(p.salted, "Client Key")
	stored := sha256.Sum256(key)
	proof := make([]byte, sha256.Size)
	subtle.XORBytes(proof, key, mac(stored[:], p.message))
	a := &auth.Answer{Signature: base64.StdEncoding.EncodeToString(proof)}
	if !p.crossbar() || p.binding != "" {
		a.Extra = auth.Extra{Nonce: e.Nonce, ChannelBinding: p.binding, CbindData: base64.StdEncoding.EncodeToString(p.channel)}
	}
	return a, nil
}

func (p *scramProver) salt(e *challengeExtra) ([]byte, error) {
	salt, err := base64.StdEncoding.DecodeString(*e.Salt)
	if err != nil || e.Iterations < 1 {
		return nil, errors.New("the router's challenge has no salt in base64, or no iterations")
	}
	switch e.KDF {
	case auth.KDFPBKDF2:
		return pbkdf2.Key(sha256.New, p.password, salt, e.Iterations, sha256.Size)
	case auth.KDFArgon2id, "argon2id-13":
		salted := argon2.IDKey([]byte(p.password), salt, uint32(e.Iterations), uint32(e.Memory), 1, sha256.Size)
		if p.crossbar() {
			// Theirs is what the library prints, and not the bytes.
			salted = []byte(base64.RawStdEncoding.EncodeToString(salted))
		}
		return salted, nil
	}
	return nil, fmt.Errorf("the router's challenge asks for the key derivation %.40q, which this client does not have", e.KDF)
}

func (p *scramProver) Welcomed(authextra wamp.Value) error {
	var e struct {
		Verifier string `json:"verifier"`
		Crossbar string `json:"scram_server_signature"`
	}
	if err := readValue(authextra, &e); err != nil {
		return fmt.Errorf("read the router's proof: %w", err)
	}
	if p.crossbar() {
		e.Verifier = e.Crossbar
	}
	got, err := base64.StdEncoding.DecodeString(e.Verifier)
	if err != nil || p.salted == nil || subtle.ConstantTimeCompare(got, mac(mac(p.salted, "Server Key"), p.message)) != 1 {
		return errors.New("the router has not proved that it knows this user: it may be another than it says")
	}
	return nil
}

// Authextra is e as it stands in HELLO and AUTHENTICATE; absent where it is empty.
func Authextra(e auth.Extra) (wamp.Value, error) {
	said := map[string]any{}
	if len(e.Certificates) > 0 {
		said["certificates"] = json.RawMessage(e.Certificates)
	}
	for name, value := range map[string]string{
		"pubkey": e.Pubkey, "nonce": e.Nonce, "channel_binding": e.ChannelBinding,
		"cbind_data": e.CbindData, "challenge": e.Challenge, "trustroot": e.Trustroot,
	} {
		if value != "" {
			said[name] = value
		}
	}
	if len(said) == 0 {
		return wamp.Value{}, nil
	}
	encoded, err := json.Marshal(said)
	return wamp.Value{Format: wamp.JSON, Bytes: encoded}, err
}

// joinDicts is a with what b has; what both have b says.
func joinDicts(a, b wamp.Value) (wamp.Value, error) {
	if a.Absent() || b.Absent() {
		if a.Absent() {
			a = b
		}
		return a, nil
	}
	joined := map[string]json.RawMessage{}
	for _, v := range []wamp.Value{a, b} {
		if err := readValue(v, &joined); err != nil {
			return wamp.Value{}, fmt.Errorf("write authextra: %w", err)
		}
	}
	encoded, err := json.Marshal(joined)
	return wamp.Value{Format: wamp.JSON, Bytes: encoded}, err
}
