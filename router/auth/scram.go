package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"usher/router/wamp"
)

// SCRAM admits who proves to know a password without telling it, and proves to
// the client that the router knows of it (specification: "Salted Challenge
// Response Authentication"; RFC 5802, RFC 7677): one of the users of the
// configuration, or one whose keys the Authenticator has. Exactly one of the two
// is set.
//
// Clients of Crossbar.io speak of "scram" where the specification has
// "wamp-scram"; they sign the authid as it is and an empty channel binding, write the KDF
// "argon2id-13" and look for the router's proof under another name. Authids are
// compared as they are: SASLprep is the client's to do.
type SCRAM struct {
	Authenticator *Dynamic

	users  map[string]User // by authid
	decoys *decoys
}

// The key derivation functions of SCRAM.
const (
	KDFPBKDF2   = "pbkdf2"
	KDFArgon2id = "argon2id13"
	// kdfCrossbar is how Crossbar.io's clients spell KDFArgon2id.
	kdfCrossbar = "argon2id-13"
)

// NewSCRAM returns the method for users by authid, each with credentials that
// CheckSCRAM finds right.
func NewSCRAM(users map[string]User) *SCRAM {
	secrets := make(map[string]string, len(users))
	for authid, u := range users {
		secrets[authid] = string(u.Credentials.StoredKey)
	}
	return &SCRAM{users: users, decoys: newDecoys(secrets)}
}

// Users are those of the configuration. The map must not be changed.
func (m *SCRAM) Users() map[string]User { return m.users }

// CheckSCRAM says what is wrong with credentials for SCRAM, and writes the KDF's
// name in the specification's way, and a salt of hexadecimal digits, as
// Crossbar.io has it, in base64.
func (c *Credentials) CheckSCRAM() error {
	if c.KDF == kdfCrossbar {
		c.KDF = KDFArgon2id
	}
	salt, err := parseSalt(c.Salt)
	switch {
	case c.KDF != KDFPBKDF2 && c.KDF != KDFArgon2id:
		return fmt.Errorf("the kdf must be %s or %s", KDFArgon2id, KDFPBKDF2)
	case err != nil || len(salt) == 0:
		return errors.New("the salt must be base64 or hexadecimal digits")
	case c.Iterations < 1 || c.Iterations > maxIterations:
		return fmt.Errorf("iterations must be from 1 to %d", maxIterations)
	case c.KDF == KDFArgon2id && (c.Memory < 8 || c.Memory > maxMemory):
		return fmt.Errorf("memory must be from 8 to %d KiB", maxMemory)
	case c.KDF == KDFPBKDF2 && c.Memory != 0:
		return errors.New("pbkdf2 has no memory")
	case len(c.StoredKey) != sha256.Size || len(c.ServerKey) != sha256.Size:
		return errors.New("stored_key and server_key must have 32 bytes each")
	case c.Secret != "" || c.Keylen != 0 || c.AuthorizedKeys != nil:
		return errors.New("there are credentials that SCRAM does not have")
	}
	c.Salt = base64.StdEncoding.EncodeToString(salt)
	return nil
}

// parseSalt reads base64, or 16 and more hexadecimal digits of one case: nobody
// has a random salt whose base64 looks like that.
func parseSalt(s string) ([]byte, error) {
	if b, err := hex.DecodeString(s); err == nil && len(b) >= 8 && (s == strings.ToLower(s) || s == strings.ToUpper(s)) {
		return b, nil
	}
	return base64.StdEncoding.DecodeString(s)
}

// maxMemory bounds what a client is asked to use, in KiB.
const maxMemory = 4 << 20

// scramDialogue is one dialogue.
type scramDialogue struct {
	method      *SCRAM
	principal   *Principal // whose keys they are; nil: there is none
	unusable    error      // why that principal cannot join
	credentials Credentials
	binding     string // the type of channel binding; empty: none
	nonce       string // both halves
}

func (s *scramDialogue) begin(d *Dialogue) Outcome {
	if refusal := d.needs(true, assigned(s.method.Authenticator, s.method.users)); refusal != nil {
		return Outcome{Refuse: refusal}
	}
	own, err := base64.StdEncoding.DecodeString(d.Request.Extra.Nonce)
	if err != nil || len(own) < 8 || len(own) > 256 {
		return Outcome{Refuse: &Refusal{URI: wamp.ErrAuthenticationDenied,
			Message: `authentication method "` + d.Request.Authmethod + `" needs a nonce of 8 to 256 bytes in base64 in HELLO.Details.authextra`}}
	}
	if s.binding = d.Request.Extra.ChannelBinding; s.binding != "" && len(d.Request.Transport.ChannelBinding(s.binding)) == 0 {
		return Outcome{Refuse: noBinding(s.binding)}
	}
	if s.method.Authenticator != nil {
		return d.ask(s.method.Authenticator)
	}
	authid := d.Request.Authid
	s.credentials = s.decoy(authid) // made for everybody, so that it takes everybody's time
	if u, known := s.method.users[authid]; known {
		s.principal, s.unusable = d.user(&u)
		s.credentials = u.Credentials
	}
	return s.send(d)
}

// decoy is what an authid is challenged with that does not exist.
func (s *scramDialogue) decoy(authid string) Credentials {
	decoys := s.method.decoys
	c := s.method.users[decoys.model(authid)].Credentials
	if c.KDF == "" {
		c = Credentials{KDF: KDFArgon2id, Salt: base64.StdEncoding.EncodeToString(decoys.sum("like", authid)[:16]), Iterations: 3, Memory: 64 << 10}
	}
	c.Salt = decoys.salt(authid, c.Salt)
	c.StoredKey, c.ServerKey = decoys.sum("stored", authid), decoys.sum("server", authid)
	return c
}

func noBinding(kind string) *Refusal {
	return &Refusal{URI: wamp.ErrAuthenticationDenied,
		Message: fmt.Sprintf("channel binding %.*q is not available on this connection", maxWord, kind)}
}

func (s *scramDialogue) decided(d *Dialogue, p *Principal) Outcome {
	s.principal, s.credentials = p, p.Credentials
	return s.send(d)
}

// scramExtra is CHALLENGE.Extra.
type scramExtra struct {
	Nonce      string `json:"nonce"`
	Salt       string `json:"salt"`
	KDF        string `json:"kdf"`
	Iterations int    `json:"iterations"`
	Memory     *int   `json:"memory"`
}

func (s *scramDialogue) send(d *Dialogue) Outcome {
	s.nonce = d.Request.Extra.Nonce + nonce(16)
	extra := scramExtra{Nonce: s.nonce, Salt: s.credentials.Salt, KDF: s.credentials.KDF, Iterations: s.credentials.Iterations}
	if s.credentials.Memory != 0 {
		extra.Memory = &s.credentials.Memory
	}
	if d.Request.Authmethod == MethodCrossbarSCRAM {
		if extra.KDF == KDFArgon2id {
			extra.KDF = kdfCrossbar
		}
		extra.Memory = &s.credentials.Memory // they want a number
	}
	encoded, err := json.Marshal(&extra)
	if err != nil {
		return d.fail(fmt.Errorf("write a challenge: %w", err))
	}
	return d.challenge(encoded)
}

func (s *scramDialogue) answered(d *Dialogue, a *Answer) Outcome {
	cbind, ok := s.channelBinding(d, a)
	if !ok {
		return denied()
	}
	message := s.message(d, cbind)
	proof, err := base64.StdEncoding.DecodeString(a.Signature)
	signature := mac(s.credentials.StoredKey, message)
	if err != nil || len(proof) != len(signature) {
		return denied()
	}
	for i := range proof {
		proof[i] ^= signature[i]
	}
	recovered := sha256.Sum256(proof)
	if subtle.ConstantTimeCompare(recovered[:], s.credentials.StoredKey) != 1 {
		return denied()
	}
	outcome := d.prove(s.principal, s.unusable)
	if outcome.Accept == nil {
		return outcome
	}
	verifier := base64.StdEncoding.EncodeToString(mac(s.credentials.ServerKey, message))
	outcome.Accept.Proof = map[string]string{"verifier": verifier}
	if d.Request.Authmethod == MethodCrossbarSCRAM {
		outcome.Accept.Proof = map[string]string{"scram_server_signature": verifier}
	}
	return outcome
}

// channelBinding checks what the answer says about the nonce and the connection,
// and returns the c attribute of the client's last message.
func (s *scramDialogue) channelBinding(d *Dialogue, a *Answer) (cbind string, ok bool) {
	if d.Request.Authmethod == MethodCrossbarSCRAM && s.binding == "" {
		// Their clients send no Extra; the nonce is part of what they sign.
		return "", (a.Extra.Nonce == "" || a.Extra.Nonce == s.nonce) && a.Extra.ChannelBinding == "" && a.Extra.CbindData == ""
	}
	if a.Extra.Nonce != s.nonce || a.Extra.ChannelBinding != s.binding {
		return "", false
	}
	if s.binding == "" {
		return base64.StdEncoding.EncodeToString([]byte("n,,")), a.Extra.CbindData == ""
	}
	data, err := base64.StdEncoding.DecodeString(a.Extra.CbindData)
	want := d.Request.Transport.ChannelBinding(s.binding)
	if err != nil || subtle.ConstantTimeCompare(data, want) != 1 {
		return "", false
	}
	return base64.StdEncoding.EncodeToString(append([]byte("p="+s.binding+",,"), data...)), true
}

// message is AuthMessage.
func (s *scramDialogue) message(d *Dialogue, cbind string) string {
	name := d.Request.Authid
	if d.Request.Authmethod != MethodCrossbarSCRAM {
		name = strings.NewReplacer("=", "=3D", ",", "=2C").Replace(name)
	}
	return "n=" + name + ",r=" + d.Request.Extra.Nonce +
		",r=" + s.nonce + ",s=" + s.credentials.Salt + ",i=" + strconv.Itoa(s.credentials.Iterations) +
		",c=" + cbind + ",r=" + s.nonce
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
