package auth

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"usher/router/wamp"
)

// Realms tells which realms and roles there are. It may be called concurrently.
type Realms interface {
	HasRealm(realm string) bool
	HasRole(realm, role string) bool
}

// maxAuthid bounds an authid, in bytes.
const maxAuthid = 1024

// Decide turns an authenticator's reply into a principal whose fields are all
// settled, with what the method of r needs and no more, or into the reason why
// there is none: a *Refusal for the client, or any other error for the log only.
func Decide(realms Realms, dynamic *Dynamic, r *Request, p *Principal, err error) (*Principal, error) {
	if err != nil {
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			return nil, err
		}
		if refusal.URI == "" || !wamp.ValidURI(refusal.URI) {
			return nil, fmt.Errorf("authenticator refused with %q, which is no URI", refusal.URI)
		}
		return nil, refusal
	}
	checked, err := check(realms, dynamic, r, p)
	if err == nil {
		if err = checked.CheckFor(r.Authmethod); err != nil {
			return nil, fmt.Errorf("authenticator %w", err)
		}
	}
	return checked, err
}

// check is the one place where a principal is judged before it becomes a
// session, whoever named it. The zero Principal and a nil one admit nobody.
func check(realms Realms, dynamic *Dynamic, r *Request, p *Principal) (*Principal, error) {
	if p == nil {
		return nil, errors.New("authenticator returned neither a principal nor an error")
	}
	checked := *p
	if checked.Realm == "" {
		checked.Realm = r.Realm
	}
	if checked.Authid == "" {
		checked.Authid = r.Authid
	}
	if checked.Realm == "" {
		return nil, noRealm()
	}
	if !realms.HasRealm(checked.Realm) {
		return nil, noSuchRealm(checked.Realm)
	}
	if dynamic != nil && len(dynamic.Realms) > 0 && !slices.Contains(dynamic.Realms, checked.Realm) {
		return nil, notOpen(checked.Realm)
	}
	if checked.Role == "" || !realms.HasRole(checked.Realm, checked.Role) {
		return nil, &Refusal{
			URI:     wamp.ErrNoSuchRole,
			Message: fmt.Sprintf("realm %q has no role %.100q", checked.Realm, checked.Role),
			Lacking: true,
		}
	}
	if checked.Authid == "" {
		return nil, errors.New("authenticator returned a principal without an authid, and the client asked for none")
	}
	if refusal := checkAuthid(checked.Authid); refusal != nil {
		return nil, fmt.Errorf("authenticator returned an authid that cannot be used: %s", refusal.Message)
	}
	now := r.Now
	if now.IsZero() {
		now = time.Now()
	}
	if !checked.ExpiresAt.IsZero() && !checked.ExpiresAt.After(now) {
		return nil, errors.New("authenticator returned a principal whose expires_at has passed")
	}
	if !isDict(checked.Extra) {
		return nil, errors.New("authenticator returned an extra that is no dict")
	}
	return &checked, nil
}

// checkAuthid refuses names that would break logs or the bounds of a message.
func checkAuthid(authid string) *Refusal {
	message := ""
	switch {
	case len(authid) > maxAuthid:
		message = fmt.Sprintf("the authid is longer than %d bytes", maxAuthid)
	case !utf8.ValidString(authid):
		message = "the authid is not valid UTF-8"
	default:
		for i := 0; i < len(authid); i++ {
			if authid[i] < ' ' || authid[i] == 0x7f {
				message = "the authid contains a control character"
			}
		}
	}
	if message == "" {
		return nil
	}
	return &Refusal{URI: wamp.ErrAuthenticationDenied, Message: message}
}

// isDict reports whether v is absent or a dict, by its first byte.
func isDict(v wamp.Value) bool {
	if v.Absent() {
		return true
	}
	b := v.Bytes[0]
	switch v.Format {
	case wamp.JSON:
		for i := 0; i < len(v.Bytes); i++ {
			switch v.Bytes[i] {
			case ' ', '\t', '\r', '\n':
			default:
				return v.Bytes[i] == '{'
			}
		}
		return false
	case wamp.MessagePack:
		return b>>4 == 0x8 || b == 0xde || b == 0xdf // fixmap, map 16, map 32
	case wamp.CBOR:
		return b>>5 == 5 // major type 5
	}
	return false
}

func noSuchRealm(realm string) *Refusal {
	return &Refusal{URI: wamp.ErrNoSuchRealm, Message: fmt.Sprintf("no realm %.100q exists on this router", realm), Lacking: true}
}

func notOpen(realm string) *Refusal {
	return &Refusal{URI: wamp.ErrNoSuchRealm, Message: fmt.Sprintf("realm %.100q is not open to this way of authentication", realm), Lacking: true}
}

func noRealm() *Refusal {
	return &Refusal{URI: wamp.ErrNoSuchRealm, Message: "HELLO names no realm, and nobody here assigns one", Lacking: true}
}
