package auth

import (
	"errors"
	"fmt"
)

// CheckFor says what is wrong with p as the answer of an authenticator that was
// asked about a client of the method, after "authenticator": a proof is checked
// against credentials, and credentials that nobody looks at were meant to restrict.
// What it finds right it may write in another way.
func (p *Principal) CheckFor(method string) error {
	c := &p.Credentials
	var err error
	switch method {
	case MethodWAMPCRA:
		switch {
		case c.Secret == "":
			return errors.New("returned no secret: a role alone is no proof for wampcra")
		case c.KDF != "" || c.Memory != 0 || c.StoredKey != nil || c.ServerKey != nil || c.AuthorizedKeys != nil:
			return errors.New("returned credentials that wampcra does not have")
		}
		err = c.CheckSalted()
	case MethodSCRAM, MethodCrossbarSCRAM:
		if c.IsZero() {
			return errors.New("returned no keys: a role alone is no proof for SCRAM")
		}
		err = c.CheckSCRAM()
	case MethodCryptosign:
		err = c.CheckKeys()
	default:
		if !c.IsZero() {
			return fmt.Errorf("returned credentials, which authentication method %q does not check", method)
		}
	}
	if err != nil {
		return fmt.Errorf("returned credentials that cannot be used: %w", err)
	}
	return nil
}
