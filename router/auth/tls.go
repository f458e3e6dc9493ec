package auth

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"usher/router/wamp"
)

// TLS admits who has a client certificate that the listener has verified: one of
// Principals, or one that the Authenticator accepts. Exactly one of the two is
// set.
type TLS struct {
	Principals    []Certificate
	Authenticator *Dynamic
}

// Certificate is a principal of the configuration, by its certificate. What is
// empty of the first two is not compared; not both are.
type Certificate struct {
	Fingerprint string // SHA-256 in lower-case hexadecimal digits
	Subject     string // the common name
	Authid      string // empty: the common name
	Role        string
	Realm       string // the only one that it may join; empty: any that has the role
}

func (m *TLS) begin(d *Dialogue) Outcome {
	certificate := d.Request.Transport.ClientCertificate()
	if certificate == nil {
		return Outcome{Refuse: &Refusal{URI: wamp.ErrAuthenticationDenied,
			Message: `authentication method "tls" needs a client certificate that this listener has verified`}}
	}
	if refusal := d.needs(false, m.Authenticator); refusal != nil {
		return Outcome{Refuse: refusal}
	}
	if d.Request.Authid == "" {
		d.Request.Authid = certificate.Subject.CommonName
	}
	if m.Authenticator != nil {
		return d.ask(m.Authenticator)
	}
	fingerprint := Fingerprint(certificate)
	for _, p := range m.Principals {
		if (p.Fingerprint != "" || p.Subject != "") &&
			(p.Fingerprint == "" || p.Fingerprint == fingerprint) &&
			(p.Subject == "" || p.Subject == certificate.Subject.CommonName) {
			authid := p.Authid
			if authid == "" {
				authid = certificate.Subject.CommonName
			}
			return d.admit(&Principal{Role: p.Role, Realm: p.Realm, Authid: authid})
		}
	}
	return denied()
}

func (m *TLS) answered(d *Dialogue, _ *Answer) Outcome { return d.unasked("challenge") }

func (m *TLS) decided(d *Dialogue, p *Principal) Outcome { return d.acceptPlain(p) }

// ClientCertificate returns the certificate of the client, if the listener has
// verified one.
func (t *Transport) ClientCertificate() *x509.Certificate {
	if t == nil || t.TLS == nil || len(t.TLS.VerifiedChains) == 0 || len(t.TLS.PeerCertificates) == 0 {
		return nil
	}
	return t.TLS.PeerCertificates[0]
}

// Fingerprint is the SHA-256 of a certificate in lower-case hexadecimal digits.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// The types of channel binding (RFC 5929, RFC 9266).
const (
	bindingUnique   = "tls-unique"
	bindingExporter = "tls-exporter"
)

// channelBinding is the data of a type of channel binding, or nil where the
// connection has none.
func (t *Transport) channelBinding(kind string) []byte {
	if t == nil || t.TLS == nil {
		return nil
	}
	switch kind {
	case bindingUnique:
		return t.TLS.TLSUnique // nil in TLS 1.3
	case bindingExporter:
		if t.TLS.Version < tls.VersionTLS13 {
			return nil // it would not be unique without the extended master secret
		}
		data, err := t.TLS.ExportKeyingMaterial("EXPORTER-Channel-Binding", []byte{}, 32)
		if err != nil {
			return nil
		}
		return data
	}
	return nil
}

// channelID is what cryptosign mixes into the challenge: 32 bytes.
func (t *Transport) channelID(kind string) []byte {
	data := t.channelBinding(kind)
	if kind == bindingUnique && data != nil {
		sum := sha256.Sum256(data)
		return sum[:]
	}
	return data
}

// ParseFingerprint reads a SHA-256 fingerprint, with or without colons.
func ParseFingerprint(s string) (fingerprint string, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	return hex.EncodeToString(b), err == nil && len(b) == sha256.Size
}
