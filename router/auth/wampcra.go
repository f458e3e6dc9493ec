package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"usher/router/wamp"
)

// WAMPCRA admits who signs a challenge with a shared secret (specification:
// "Challenge Response Authentication"): one of the users of the configuration, or
// one whose secret the Authenticator knows. Exactly one of the two is set.
type WAMPCRA struct {
	Authenticator *Dynamic

	users  map[string]User // by authid
	decoys *decoys
}

// User is a principal of the configuration whose proof is checked.
type User struct {
	Role        string
	Realm       string // the only one that it may join; empty: any that has the role
	Credentials Credentials
}

// NewWAMPCRA returns the method for users by authid, each with a secret.
func NewWAMPCRA(users map[string]User) *WAMPCRA {
	secrets := make(map[string]string, len(users))
	for authid, u := range users {
		secrets[authid] = u.Credentials.Secret
	}
	return &WAMPCRA{users: users, decoys: newDecoys(secrets)}
}

// assigned reports whether a realm need not be asked for: d assigns one, or each
// user has one.
func assigned(d *Dynamic, users map[string]User) bool {
	if d != nil {
		return d.assigns()
	}
	for _, u := range users {
		if u.Realm == "" {
			return false // who asks for none must not learn whose realm is known
		}
	}
	return len(users) > 0
}

// Users are those of the configuration. The map must not be changed.
func (m *WAMPCRA) Users() map[string]User { return m.users }

// wampcraDialogue is one dialogue.
type wampcraDialogue struct {
	method    *WAMPCRA
	principal *Principal // whose secret it is; nil: there is none
	unusable  error      // why that principal cannot join
	secret    string
	challenge string
}

func (w *wampcraDialogue) begin(d *Dialogue) Outcome {
	if refusal := d.needs(true, assigned(w.method.Authenticator, w.method.users)); refusal != nil {
		return Outcome{Refuse: refusal}
	}
	if w.method.Authenticator != nil {
		return d.ask(w.method.Authenticator)
	}
	authid := d.Request.Authid
	u := w.method.decoy(authid) // made for everybody, so that it takes everybody's time
	if known, ok := w.method.users[authid]; ok {
		u = known
		w.principal, w.unusable = d.user(&u)
	}
	return w.send(d, authid, u.Role, &u.Credentials)
}

// decoy is what an authid is challenged with that does not exist.
func (m *WAMPCRA) decoy(authid string) User {
	u := m.users[m.decoys.model(authid)]
	u.Credentials.Secret = string(m.decoys.sum("secret", authid))
	if u.Credentials.Salt != "" {
		u.Credentials.Salt = m.decoys.salt(authid, u.Credentials.Salt)
	}
	return u
}

func (w *wampcraDialogue) decided(d *Dialogue, p *Principal) Outcome {
	w.principal = p
	return w.send(d, p.Authid, p.Role, &p.Credentials)
}

// CheckSalted says what is wrong with the parameters of a WAMP-CRA secret.
func (c *Credentials) CheckSalted() error {
	switch {
	case c.Salt == "" && (c.Iterations != 0 || c.Keylen != 0):
		return errors.New("iterations and keylen go with a salt")
	case c.Iterations < 0 || c.Iterations > maxIterations:
		return fmt.Errorf("iterations must be from 1 to %d", maxIterations)
	case c.Keylen < 0 || c.Keylen > maxKeylen:
		return fmt.Errorf("keylen must be from 1 to %d", maxKeylen)
	}
	return nil
}

// The bounds on what a client is asked to compute, and the parameters of a salted
// secret that has none of its own.
const (
	maxIterations     = 10_000_000
	maxKeylen         = 1024
	defaultIterations = 1000
	defaultKeylen     = 32
)

// craChallenge is the text that the client signs.
type craChallenge struct {
	Authid       string  `json:"authid"`
	Authrole     string  `json:"authrole"`
	Authmethod   string  `json:"authmethod"`
	Authprovider string  `json:"authprovider"`
	Session      wamp.ID `json:"session"`
	Nonce        string  `json:"nonce"`
	Timestamp    string  `json:"timestamp"`
}

// craExtra is CHALLENGE.Extra.
type craExtra struct {
	Challenge  string `json:"challenge"`
	Salt       string `json:"salt,omitempty"`
	Iterations int    `json:"iterations,omitempty"`
	Keylen     int    `json:"keylen,omitempty"`
}

// send challenges the client.
func (w *wampcraDialogue) send(d *Dialogue, authid, role string, c *Credentials) Outcome {
	text, err := marshal(&craChallenge{
		Authid: authid, Authrole: role, Authmethod: d.Request.Authmethod, Authprovider: d.provider(),
		Session: d.Request.Session, Nonce: nonce(32), Timestamp: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	})
	if err != nil {
		return d.fail(fmt.Errorf("write a challenge: %w", err))
	}
	extra := craExtra{Challenge: string(text)}
	if c.Salt != "" {
		extra.Salt, extra.Iterations, extra.Keylen = c.Salt, c.Iterations, c.Keylen
		if extra.Iterations == 0 {
			extra.Iterations = defaultIterations
		}
		if extra.Keylen == 0 {
			extra.Keylen = defaultKeylen
		}
	}
	w.secret, w.challenge = c.Secret, extra.Challenge
	encoded, err := json.Marshal(&extra)
	if err != nil {
		return d.fail(fmt.Errorf("write a challenge: %w", err))
	}
	return d.challenge(encoded)
}

func (w *wampcraDialogue) answered(d *Dialogue, a *Answer) Outcome {
	h := hmac.New(sha256.New, []byte(w.secret))
	h.Write([]byte(w.challenge))
	want := base64.StdEncoding.EncodeToString(h.Sum(nil))
	if subtle.ConstantTimeCompare([]byte(want), []byte(a.Signature)) != 1 {
		return denied()
	}
	return d.prove(w.principal, w.unusable)
}

// nonce is n random bytes in base64.
func nonce(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails; see crypto/rand
	return base64.StdEncoding.EncodeToString(b)
}
