package auth

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"usher/router/wamp"
)

// Cryptosign admits who signs a challenge with an Ed25519 key (specification:
// "Cryptosign-based Authentication"): one of the users of the configuration, or
// one whose key the Authenticator accepts. Exactly one of the two is set.
type Cryptosign struct {
	Authenticator *Dynamic
	Roots         []Root // whom certificates are believed beside users; none with an Authenticator

	users map[string]User   // by authid
	byKey map[string]string // authid by key, for clients that name none
}

// NewCryptosign returns the method for users by authid, each with keys that
// CheckKeys finds right. A key of several users identifies none of them without
// an authid.
func NewCryptosign(users map[string]User) *Cryptosign {
	m := &Cryptosign{users: users, byKey: make(map[string]string)}
	for authid, u := range users {
		for _, key := range u.Credentials.AuthorizedKeys {
			if _, taken := m.byKey[key]; taken {
				m.byKey[key] = "" // of several
			} else {
				m.byKey[key] = authid
			}
		}
	}
	return m
}

// Users are those of the configuration. The map must not be changed.
func (m *Cryptosign) Users() map[string]User { return m.users }

// CheckKeys says what is wrong with credentials for cryptosign, and writes the
// keys in lower case.
func (c *Credentials) CheckKeys() error {
	if c.Secret != "" || c.Salt != "" || c.Iterations != 0 || c.Keylen != 0 || c.KDF != "" || c.Memory != 0 || c.StoredKey != nil || c.ServerKey != nil {
		return errors.New("there are credentials that cryptosign does not have")
	}
	if c.AuthorizedKeys == nil {
		return nil // no list is another thing than an empty one
	}
	keys := make([]string, len(c.AuthorizedKeys))
	for i, key := range c.AuthorizedKeys {
		var ok bool
		if keys[i], ok = publicKey(key); !ok {
			return fmt.Errorf("authorized key %d must be 64 hexadecimal digits", i+1)
		}
	}
	c.AuthorizedKeys = keys
	return nil
}

// publicKey returns a key in lower case.
func publicKey(s string) (key string, ok bool) {
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	return hex.EncodeToString(b), err == nil && len(b) == ed25519.PublicKeySize
}

// cryptosignDialogue is one dialogue.
type cryptosignDialogue struct {
	method    *Cryptosign
	principal *Principal // whose key it is; nil: there is none
	unusable  error      // why that principal cannot join
	message   []byte     // that is to be signed
}

func (c *cryptosignDialogue) begin(d *Dialogue) Outcome {
	r := d.Request
	key, ok := publicKey(r.Extra.Pubkey)
	if !ok {
		return Outcome{Refuse: &Refusal{URI: wamp.ErrAuthenticationDenied,
			Message: `authentication method "cryptosign" needs a pubkey of 64 hexadecimal digits in HELLO.Details.authextra`}}
	}
	r.Pubkey = key
	if refusal := d.needs(false, c.method.assigned()); refusal != nil {
		return Outcome{Refuse: refusal}
	}
	root, refusal := c.delegated(r)
	if refusal != nil {
		return Outcome{Refuse: refusal}
	}
	if c.method.Authenticator != nil {
		return d.ask(c.method.Authenticator)
	}
	if root != nil {
		c.principal, c.unusable = d.user(&User{Role: root.Role, Realm: root.Realm})
		return c.send(d)
	}
	if r.Authid == "" {
		if r.Authid = c.method.byKey[key]; r.Authid == "" {
			r.Authid = key
		}
	}
	u, known := c.method.users[r.Authid]
	if known && slices.Contains(u.Credentials.AuthorizedKeys, key) {
		c.principal, c.unusable = d.user(&u)
	}
	return c.send(d)
}

// assigned reports whether everybody who may join has a realm.
func (m *Cryptosign) assigned() bool {
	for i := range m.Roots {
		if m.Roots[i].Realm == "" {
			return false
		}
	}
	return assigned(m.Authenticator, m.users) || m.Authenticator == nil && len(m.users) == 0 && len(m.Roots) > 0
}

func (c *cryptosignDialogue) decided(d *Dialogue, p *Principal) Outcome {
	// Keys that were given are all that may be used; a role alone is for the one
	// that the authenticator was asked about.
	if p.Credentials.AuthorizedKeys == nil || slices.Contains(p.Credentials.AuthorizedKeys, d.Request.Pubkey) {
		c.principal = p
	}
	return c.send(d)
}

// cryptosignExtra is CHALLENGE.Extra.
type cryptosignExtra struct {
	Challenge      string  `json:"challenge"`
	ChannelBinding *string `json:"channel_binding"`
}

func (c *cryptosignDialogue) send(d *Dialogue) Outcome {
	challenge := make([]byte, 32)
	_, _ = rand.Read(challenge) // never fails; see crypto/rand
	extra := cryptosignExtra{Challenge: hex.EncodeToString(challenge)}
	c.message = challenge
	if kind := d.Request.Extra.ChannelBinding; kind != "" {
		id := d.Request.Transport.ChannelID(kind)
		if len(id) != len(challenge) {
			return Outcome{Refuse: noBinding(kind)}
		}
		extra.ChannelBinding = &kind
		subtle.XORBytes(c.message, challenge, id)
	}
	encoded, err := json.Marshal(&extra)
	if err != nil {
		return d.fail(fmt.Errorf("write a challenge: %w", err))
	}
	return d.challenge(encoded)
}

// answered checks the signature, and that it signs this dialogue's challenge: one
// that was sent to another session, or earlier, proves nothing.
func (c *cryptosignDialogue) answered(d *Dialogue, a *Answer) Outcome {
	signed, err := hex.DecodeString(a.Signature)
	if err != nil || len(signed) != ed25519.SignatureSize && len(signed) != ed25519.SignatureSize+len(c.message) {
		return denied()
	}
	signature, message := signed[:ed25519.SignatureSize], signed[ed25519.SignatureSize:]
	if len(message) > 0 && !bytes.Equal(message, c.message) {
		return denied()
	}
	key, err := hex.DecodeString(d.Request.Pubkey)
	if err != nil || !ed25519.Verify(key, c.message, signature) {
		return denied()
	}
	return d.prove(c.principal, c.unusable)
}
