package auth

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"usher/router/trustroot"
	"usher/router/wamp"
)

// Root is a standalone trust root (specification: "Trustroots"): whoever shows
// certificates of it joins, under the address of the delegate.
type Root struct {
	Address     trustroot.Address
	Role, Realm string // as of User

	// What its certificates are to be for; zero: anything.
	ChainID          uint64
	Contract         trustroot.Address
	CertificateRealm trustroot.Address

	// Authorities vouch for delegates that show no more than their own certificate.
	Authorities []trustroot.Authority
}

// delegated verifies the client's certificates, and returns the root that it is
// admitted by: nil where keys or an Authenticator decide. The signature of the key
// that they are about is still to come.
func (c *cryptosignDialogue) delegated(r *Request) (*Root, *Refusal) {
	if len(r.Extra.Certificates) == 0 || c.method.Authenticator == nil && len(c.method.Roots) == 0 {
		return nil, nil
	}
	chain, err := trustroot.ParseChain(r.Extra.Certificates)
	if err != nil {
		return nil, badCertificates(err)
	}
	claimed, err := trustroot.ParseAddress(r.Extra.Trustroot)
	if err != nil {
		return nil, badCertificates(fmt.Errorf("trustroot: %w", err))
	}
	var root *Root
	if i := slices.IndexFunc(c.method.Roots, func(root Root) bool { return root.Address == claimed }); i >= 0 {
		root = &c.method.Roots[i]
		if len(chain.Authorities) == 0 {
			chain.Authorities = root.Authorities
		}
	} else if c.method.Authenticator == nil {
		return nil, badCertificates(fmt.Errorf("the trust root %s is not trusted here", claimed))
	}
	said, err := chain.Verify()
	if err == nil {
		err = root.expects(r, claimed, said)
	}
	if err != nil {
		return nil, badCertificates(err)
	}
	r.Delegation = said
	if root != nil {
		r.Authid = said.Delegate.String()
	}
	return root, nil
}

// expects checks what certificates that hold say against what r asks for and, where
// root is not nil, against that.
func (root *Root) expects(r *Request, claimed trustroot.Address, said *trustroot.Delegation) error {
	none := trustroot.Address{}
	switch {
	case said.Trustroot != claimed:
		return fmt.Errorf("they are of the trust root %s, not of %s", said.Trustroot, claimed)
	case hex.EncodeToString(said.Key[:]) != r.Pubkey:
		return errors.New("they are for another key than pubkey")
	case root == nil:
		return nil
	case root.ChainID != 0 && said.ChainID != root.ChainID:
		return fmt.Errorf("they are for the blockchain %d, not for %d", said.ChainID, root.ChainID)
	case root.Contract != none && said.Contract != root.Contract:
		return fmt.Errorf("they are for the contract %s, not for %s", said.Contract, root.Contract)
	case root.CertificateRealm != none && said.Realm != root.CertificateRealm:
		return fmt.Errorf("they are for the realm %s, not for %s", said.Realm, root.CertificateRealm)
	}
	if asked, err := trustroot.ParseAddress(r.Authid); r.Authid != "" && (err != nil || asked != said.Delegate) {
		return fmt.Errorf("they are for %s, not for the authid that is asked for", said.Delegate)
	}
	return nil
}

// badCertificates tells a client what is wrong with its own certificates. They are
// public, and so is which of them hold.
func badCertificates(err error) *Refusal {
	return &Refusal{URI: wamp.ErrAuthenticationDenied, Message: "the certificates prove nothing: " + err.Error()}
}
