package trustroot

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// MaxChain is how many certificates a chain may have: the signature of each costs
// its verifier some 100 us.
const MaxChain = 8

// Chain are certificates, from that of the delegate, who logs in, to that of the
// root.
type Chain struct {
	Delegate    Delegate
	Authorities []Authority // from who vouches for the delegate to the root; may be empty
}

// Root is the address that the last certificate is for, verified or not; zero where
// there is none but the delegate's.
func (c *Chain) Root() Address {
	if len(c.Authorities) == 0 {
		return Address{}
	}
	return c.Authorities[len(c.Authorities)-1].subject
}

// terms are what all certificates have.
type terms struct {
	chainID   uint64
	contract  Address
	validFrom uint64 // a block
	meta      string
	signature []byte // 65 bytes: r, s, v
}

// Delegate is the certificate of an Ed25519 key.
type Delegate struct {
	terms
	address  Address
	key      [32]byte
	bootedAt uint64 // nanoseconds since 1970
}

// Authority is the certificate of somebody who vouches for others.
type Authority struct {
	terms
	issuer, subject, realm Address
	capabilities           uint64
}

// The capabilities that let somebody vouch for another authority.
const (
	capabilityRoot         = 1 << 0
	capabilityIntermediate = 1 << 1
)

// signed is a certificate as it travels: in a list, with its signature.
type signed struct {
	data struct {
		Domain struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"domain"`
		PrimaryType string  `json:"primaryType"`
		Message     message `json:"message"`
	}
	signature string
}

// message is the certificate itself, of either type. Pointers tell what is absent.
type message struct {
	ChainID           *uint64 `json:"chainId"`
	VerifyingContract *string `json:"verifyingContract"`
	ValidFrom         *uint64 `json:"validFrom"`
	Meta              *string `json:"meta"`

	Delegate *string `json:"delegate"`
	CSPubKey *string `json:"csPubKey"`
	BootedAt *uint64 `json:"bootedAt"`

	Issuer       *string `json:"issuer"`
	Subject      *string `json:"subject"`
	Realm        *string `json:"realm"`
	Capabilities *uint64 `json:"capabilities"`
}

// The types of certificates.
const (
	delegateType  = "EIP712DelegateCertificate"
	authorityType = "EIP712AuthorityCertificate"
)

// UnmarshalJSON implements json.Unmarshaler.
func (s *signed) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil || len(parts) != 2 {
		return errors.New("it is not a list of the data and its signature")
	}
	if err := json.Unmarshal(parts[0], &s.data); err != nil {
		return err
	}
	return json.Unmarshal(parts[1], &s.signature)
}

// ParseChain reads a client's list of certificates, in JSON. It proves nothing: see
// Verify.
func ParseChain(text []byte) (*Chain, error) {
	list, err := parseList(text)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("there are no certificates")
	}
	var c Chain
	if c.Delegate, err = list[0].delegate(); err != nil {
		return nil, fmt.Errorf("certificate 1: %w", err)
	}
	c.Authorities, err = authorities(list[1:], 2)
	return &c, err
}

// ParseAuthorities reads the part of chains that a router knows beforehand, in
// JSON: a list of certificates of which the last is the root's.
func ParseAuthorities(text []byte) ([]Authority, error) {
	list, err := parseList(text)
	if err != nil {
		return nil, err
	}
	return authorities(list, 1)
}

func parseList(text []byte) (list []signed, err error) {
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("read the certificates: %w", err)
	}
	if len(list) > MaxChain {
		return nil, fmt.Errorf("there are %d certificates, and %d at most may be", len(list), MaxChain)
	}
	return list, nil
}

// authorities reads those whose first has a number for people.
func authorities(list []signed, first int) ([]Authority, error) {
	read := make([]Authority, len(list))
	for i := range list {
		var err error
		if read[i], err = list[i].authority(); err != nil {
			return nil, fmt.Errorf("certificate %d: %w", first+i, err)
		}
	}
	return read, nil
}

func (s *signed) delegate() (d Delegate, err error) {
	m := &s.data.Message
	if d.terms, err = s.terms(delegateType, m.Delegate != nil && m.CSPubKey != nil && m.BootedAt != nil); err != nil {
		return d, err
	}
	key, err := hex.DecodeString(strings.TrimPrefix(*m.CSPubKey, "0x"))
	if err != nil || len(key) != len(d.key) {
		return d, errors.New("csPubKey is not 64 hexadecimal digits")
	}
	d.key = [32]byte(key)
	d.bootedAt = *m.BootedAt
	d.address, err = ParseAddress(*m.Delegate)
	return d, err
}

func (s *signed) authority() (a Authority, err error) {
	m := &s.data.Message
	if a.terms, err = s.terms(authorityType, m.Issuer != nil && m.Subject != nil && m.Realm != nil && m.Capabilities != nil); err != nil {
		return a, err
	}
	a.capabilities = *m.Capabilities
	if a.issuer, err = ParseAddress(*m.Issuer); err != nil {
		return a, err
	}
	if a.subject, err = ParseAddress(*m.Subject); err != nil {
		return a, err
	}
	a.realm, err = ParseAddress(*m.Realm)
	return a, err
}

// terms checks that s is of type kind, which has all that it needs where complete.
func (s *signed) terms(kind string, complete bool) (t terms, err error) {
	m := &s.data.Message
	switch {
	case s.data.PrimaryType != kind:
		return t, fmt.Errorf("it is of type %.40q, not %s", s.data.PrimaryType, kind)
	case s.data.Domain.Name != domainName || s.data.Domain.Version != domainVersion:
		return t, fmt.Errorf("it is of domain %.20q, version %.20q, not of %q, %q", s.data.Domain.Name, s.data.Domain.Version, domainName, domainVersion)
	case !complete || m.ChainID == nil || m.VerifyingContract == nil || m.ValidFrom == nil || m.Meta == nil:
		return t, fmt.Errorf("fields of an %s are missing", kind)
	}
	t = terms{chainID: *m.ChainID, validFrom: *m.ValidFrom, meta: *m.Meta}
	if t.signature, err = hex.DecodeString(strings.TrimPrefix(s.signature, "0x")); err != nil || len(t.signature) != signatureSize {
		return t, fmt.Errorf("its signature is not %d hexadecimal digits", 2*signatureSize)
	}
	t.contract, err = ParseAddress(*m.VerifyingContract)
	return t, err
}
