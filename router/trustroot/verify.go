package trustroot

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// signatureSize is that of Ethereum's signatures, in bytes.
const signatureSize = 65

// What certificates are signed as (EIP-712).
const (
	domainName    = "WMP"
	domainVersion = "1"

	domainFields    = "EIP712Domain(string name,string version)"
	delegateFields  = delegateType + "(uint256 chainId,address verifyingContract,uint256 validFrom,address delegate,bytes32 csPubKey,uint64 bootedAt,string meta)"
	authorityFields = authorityType + "(uint256 chainId,address verifyingContract,uint256 validFrom,address issuer,address subject,address realm,uint64 capabilities,string meta)"
)

// Delegation is what a chain that holds says.
type Delegation struct {
	Trustroot    Address // whose root certificate it is
	Delegate     Address // who holds Key
	Key          [32]byte
	Realm        Address // that all certificates are for
	ChainID      uint64
	Contract     Address
	Capabilities uint64 // of who vouches for the delegate
}

// Verify checks the chain by the rules CCR-1 to 12, but for the present block and
// what the caller expects of the Delegation. Beyond them, who vouches for another
// authority must have the capability for it.
func (c *Chain) Verify() (*Delegation, error) {
	root, err := verifyAuthorities(c.Authorities, 2)
	if err != nil {
		return nil, err
	}
	first, d := &c.Authorities[0], &c.Delegate
	if first.subject != d.address {
		return nil, fmt.Errorf("certificate 2 is for %s, not for the delegate %s", first.subject, d.address)
	}
	if err := d.follows(&root.terms, &first.terms, d.Digest(), d.address); err != nil {
		return nil, fmt.Errorf("certificate 1: %w", err)
	}
	return &Delegation{
		Trustroot: root.issuer, Delegate: d.address, Key: d.key, Realm: root.realm,
		ChainID: root.chainID, Contract: root.contract, Capabilities: first.capabilities,
	}, nil
}

// VerifyAuthorities checks what a router knows beforehand as Verify does, and
// returns the address of its root.
func VerifyAuthorities(list []Authority) (Address, error) {
	root, err := verifyAuthorities(list, 1)
	if err != nil {
		return Address{}, err
	}
	return root.issuer, nil
}

// verifyAuthorities returns the root of certificates whose first has a number for
// people.
func verifyAuthorities(list []Authority, first int) (root *Authority, err error) {
	if len(list) == 0 {
		return nil, errors.New("there is no certificate of an authority, who vouches for the delegate")
	}
	root = &list[len(list)-1]
	if root.issuer != root.subject {
		return nil, fmt.Errorf("the last certificate is not a root's: its issuer is %s, its subject %s", root.issuer, root.subject)
	}
	for i := range list {
		a, issuer := &list[i], &list[min(i+1, len(list)-1)]
		if err := a.issuedBy(issuer, root); err != nil {
			return nil, fmt.Errorf("certificate %d: %w", first+i, err)
		}
		if err := a.follows(&root.terms, &issuer.terms, a.Digest(), a.issuer); err != nil {
			return nil, fmt.Errorf("certificate %d: %w", first+i, err)
		}
	}
	return root, nil
}

// follows checks what holds for every certificate: one whose issuer's terms are
// issuer, and that signer has to have signed.
func (t *terms) follows(root, issuer *terms, digest []byte, signer Address) error {
	switch {
	case t.chainID != root.chainID:
		return fmt.Errorf("it is for the blockchain %d, the root's for %d", t.chainID, root.chainID)
	case t.contract != root.contract:
		return fmt.Errorf("it is for the contract %s, the root's for %s", t.contract, root.contract)
	case t.validFrom < issuer.validFrom:
		return fmt.Errorf("it is valid from block %d, that of its issuer only from %d", t.validFrom, issuer.validFrom)
	}
	by, err := recoverSigner(digest, t.signature)
	if err != nil {
		return err
	}
	if by != signer {
		return fmt.Errorf("it is not signed by %s", signer)
	}
	return nil
}

// issuedBy checks what holds for those of authorities; the root issued its own.
func (a *Authority) issuedBy(issuer, root *Authority) error {
	switch {
	case a.issuer != issuer.subject:
		return fmt.Errorf("its issuer is %s, but the next certificate is for %s", a.issuer, issuer.subject)
	case a.realm != root.realm:
		return fmt.Errorf("it is for the realm %s, the root's for %s", a.realm, root.realm)
	case a.capabilities&^issuer.capabilities != 0:
		return fmt.Errorf("it has capabilities (%#x) that its issuer has not (%#x)", a.capabilities, issuer.capabilities)
	case issuer.capabilities&(capabilityRoot|capabilityIntermediate) == 0 || issuer == root && issuer.capabilities&capabilityRoot == 0:
		return fmt.Errorf("its issuer's capabilities (%#x) do not let that vouch for an authority", issuer.capabilities)
	}
	return nil
}

// Digest is what the delegate signs: 32 bytes.
func (d *Delegate) Digest() []byte {
	return digest(delegateFields, number(d.chainID), d.contract.word(), number(d.validFrom),
		d.address.word(), d.key[:], number(d.bootedAt), keccak([]byte(d.meta)))
}

// Digest is what the issuer signs: 32 bytes.
func (a *Authority) Digest() []byte {
	return digest(authorityFields, number(a.chainID), a.contract.word(), number(a.validFrom),
		a.issuer.word(), a.subject.word(), a.realm.word(), number(a.capabilities), keccak([]byte(a.meta)))
}

// digest is what is signed of a structure with these fields (EIP-712).
func digest(fields string, words ...[]byte) []byte {
	domain := keccak(keccak([]byte(domainFields)), keccak([]byte(domainName)), keccak([]byte(domainVersion)))
	structure := keccak(append([][]byte{keccak([]byte(fields))}, words...)...)
	return keccak([]byte{0x19, 0x01}, domain, structure)
}

func number(n uint64) []byte {
	word := make([]byte, 32)
	binary.BigEndian.PutUint64(word[24:], n)
	return word
}

func (a Address) word() []byte { return append(make([]byte, 32-len(a)), a[:]...) }

// recoverSigner returns who has signed digest.
func recoverSigner(digest, signature []byte) (Address, error) {
	v := signature[signatureSize-1]
	if v < 2 { // as some wallets write it
		v += 27
	}
	if v != 27 && v != 28 {
		return Address{}, errors.New("its signature is none of Ethereum's")
	}
	key, _, err := ecdsa.RecoverCompact(append([]byte{v}, signature[:signatureSize-1]...), digest)
	if err != nil {
		return Address{}, errors.New("its signature is none of Ethereum's")
	}
	// An address is the end of the hash of the key, which comes behind a byte for its form.
	return Address(keccak(key.SerializeUncompressed()[1:])[12:]), nil
}
