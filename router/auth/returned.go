package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"usher/router/wamp"
)

// Returned is a value that an authenticator returned, in whatever language that is
// written. What it is not is not ok.
type Returned interface {
	Text() (s string, ok bool)
	Bytes() (b []byte, ok bool) // binary data
	Number() (n float64, ok bool)
	List() (list []Returned, ok bool)
	// Dict returns an error where the value is a dict that cannot be sent.
	Dict() (v wamp.Value, ok bool, err error)
	Kind() string // for people, in the place of "a number"
}

// Set fills in one field of a principal that an authenticator returned. The error
// goes on from "the authenticator". What is not known is refused: it may have been
// meant to restrict.
func (p *Principal) Set(name string, v Returned) error { return setField(name, p.field(name), v) }

// field is where the value of a name belongs; nil: there is no such name.
func (p *Principal) field(name string) any {
	c := &p.Credentials
	switch name {
	case "role":
		return &p.Role
	case "authid":
		return &p.Authid
	case "realm":
		return &p.Realm
	case "extra":
		return &p.Extra
	case "expires_at":
		return &p.ExpiresAt
	case "secret":
		return &c.Secret
	case "salt":
		return &c.Salt
	case "iterations":
		return &c.Iterations
	case "keylen":
		return &c.Keylen
	case "kdf":
		return &c.KDF
	case "memory":
		return &c.Memory
	case "stored_key":
		return &c.StoredKey
	case "server_key":
		return &c.ServerKey
	case "authorized_keys":
		return &c.AuthorizedKeys
	}
	return nil
}

// setField fills in what field points to, which name stands for.
func setField(name string, field any, v Returned) error {
	var ok bool
	want := "a string"
	switch field := field.(type) {
	case *string:
		*field, ok = v.Text()
	case *int:
		want = "a number"
		var n float64
		n, ok = v.Number()
		if ok && !(n >= 0 && n < 1<<31 && n == float64(int(n))) {
			return fmt.Errorf("returned a principal whose %s is no count", name)
		}
		*field = int(n)
	case *[]byte:
		if *field, ok = v.Bytes(); ok {
			if n := len(*field); n != keySize {
				return fmt.Errorf("returned a principal whose %s has %d bytes, not %d", name, n, keySize)
			}
			break
		}
		var s string
		if s, ok = v.Text(); ok {
			var err error
			if *field, err = ParseKey(s); err != nil {
				return fmt.Errorf("returned a principal whose %s cannot be used: %w", name, err)
			}
		}
	case *[]string:
		want = "a list"
		var list []Returned
		if list, ok = v.List(); ok && *field == nil {
			*field = []string{} // an empty list admits nobody
		}
		for _, item := range list {
			var s string
			if err := setField(name, &s, item); err != nil {
				return err
			}
			*field = append(*field, s)
		}
	case *time.Time:
		if *field, ok = returnedTime(v); !ok {
			return fmt.Errorf("returned a principal whose %s is no time: seconds since 1970, or as RFC 3339 writes it", name)
		}
	case *wamp.Value:
		want = "a dict"
		var err error
		if *field, ok, err = v.Dict(); err != nil {
			return fmt.Errorf("returned a principal whose %s cannot be sent: %w", name, err)
		}
	default:
		return fmt.Errorf("returned a principal with the field %.100q, which is not known here", name)
	}
	if !ok {
		return fmt.Errorf("returned a principal whose %s is %s, not %s", name, v.Kind(), want)
	}
	return nil
}

// keySize is that of SCRAM's keys, in bytes.
const keySize = sha256.Size

// ParseKey reads a key of 32 bytes, in hexadecimal digits or base64.
func ParseKey(s string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		b, err = base64.StdEncoding.DecodeString(s)
	}
	if err != nil || len(b) != keySize {
		return nil, errors.New("a key must be 32 bytes in hexadecimal digits or base64")
	}
	return b, nil
}

// returnedTime reads seconds since 1970, or a time as RFC 3339 writes it.
func returnedTime(v Returned) (time.Time, bool) {
	if n, ok := v.Number(); ok {
		return time.UnixMilli(int64(n * 1000)), n > 0 && n < 1<<40
	}
	s, _ := v.Text()
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}
