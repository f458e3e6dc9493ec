package auth

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"slices"

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
// empty of the first three is not compared; not all are.
type Certificate struct {
	SHA256, SHA1 string // fingerprints as the functions write them
	Subject      string // the common name
	Authid       string // not empty: it would be the client's to choose
	Role         string
	Realm        string // the only one that it may join; empty: any that has the role
}

func (m *TLS) begin(d *Dialogue) Outcome {
	certificate := d.Request.Transport.ClientCertificate()
	if certificate == nil {
		return Outcome{Refuse: &Refusal{URI: wamp.ErrAuthenticationDenied,
			Message: `authentication method "tls" needs a client certificate that this listener has verified`}}
	}
	if refusal := d.needs(false, m.assigned()); refusal != nil {
		return Outcome{Refuse: refusal}
	}
	if d.Request.Authid == "" {
		d.Request.Authid = certificate.Subject.CommonName
	}
	if m.Authenticator != nil {
		return d.ask(m.Authenticator)
	}
	for _, p := range m.Principals {
		if p.is(certificate) && (p.Realm == "" || d.Request.Realm == "" || p.Realm == d.Request.Realm) {
			return d.admit(&Principal{Role: p.Role, Realm: p.Realm, Authid: p.Authid})
		}
	}
	return denied()
}

// is reports whether c is the certificate that p describes.
func (p *Certificate) is(c *x509.Certificate) bool {
	return (p.SHA256 != "" || p.SHA1 != "" || p.Subject != "") &&
		(p.SHA256 == "" || p.SHA256 == SHA256(c)) &&
		(p.SHA1 == "" || p.SHA1 == SHA1(c)) &&
		(p.Subject == "" || p.Subject == c.Subject.CommonName)
}

// assigned reports whether a realm need not be asked for.
func (m *TLS) assigned() bool {
	if m.Authenticator != nil {
		return m.Authenticator.assigns()
	}
	return !slices.ContainsFunc(m.Principals, func(p Certificate) bool { return p.Realm == "" })
}

func (m *TLS) answered(d *Dialogue, _ *Answer) Outcome { return d.unasked("challenge") }

func (m *TLS) decided(d *Dialogue, p *Principal) Outcome { return d.accept(p) }

// ClientCertificate returns the certificate of the client, if the listener has
// verified one.
func (t *Transport) ClientCertificate() *x509.Certificate {
	if t == nil || t.TLS == nil || len(t.TLS.VerifiedChains) == 0 || len(t.TLS.PeerCertificates) == 0 {
		return nil
	}
	return t.TLS.PeerCertificates[0]
}

// The types of channel binding (RFC 5929, RFC 9266).
const (
	bindingUnique   = "tls-unique"
	bindingExporter = "tls-exporter"
)

// ChannelBinding is the data of a type of channel binding, or nil where the
// connection has none.
func (t *Transport) ChannelBinding(kind string) []byte {
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

// ChannelID is what cryptosign mixes into the challenge: 32 bytes.
func (t *Transport) ChannelID(kind string) []byte {
	data := t.ChannelBinding(kind)
	if kind == bindingUnique && data != nil {
		sum := sha256.Sum256(data)
		return sum[:]
	}
	return data
}
