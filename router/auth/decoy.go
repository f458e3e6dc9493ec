package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
)

// decoys make up what an authid that does not exist is challenged with, so that
// it looks like one that does: the same each time, and with the parameters of a
// real user. They depend on the users' secrets, and so survive a restart.
type decoys struct {
	key     []byte
	authids []string // of the users, sorted
}

// newDecoys takes the users' secrets by authid.
func newDecoys(secrets map[string]string) *decoys {
	h := sha256.New()
	d := &decoys{authids: slices.Sorted(maps.Keys(secrets))}
	for _, authid := range d.authids {
		for _, s := range []string{authid, secrets[authid]} {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
			h.Write([]byte(s))
		}
	}
	d.key = h.Sum(nil)
	return d
}

// sum is a number of 32 bytes for an authid and a purpose.
func (d *decoys) sum(purpose, authid string) []byte {
	h := hmac.New(sha256.New, d.key)
	h.Write([]byte(purpose + "\x00" + authid))
	return h.Sum(nil)
}

// model is the user whose parameters an unknown authid is given; empty: there are
// no users.
func (d *decoys) model(authid string) string {
	if len(d.authids) == 0 {
		return ""
	}
	n := binary.BigEndian.Uint64(d.sum("model", authid))
	return d.authids[n%uint64(len(d.authids))]
}

// salt looks like the salt of another user.
func (d *decoys) salt(authid, like string) string {
	raw := d.sum("salt", authid)
	if decoded, err := base64.StdEncoding.DecodeString(like); err == nil && len(decoded) > 0 && len(like)%4 == 0 {
		for len(raw) < len(decoded) {
			raw = append(raw, d.sum("salt"+string(raw), authid)...)
		}
		return base64.StdEncoding.EncodeToString(raw[:len(decoded)])
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	for len(text) < len(like) {
		text += text
	}
	return text[:len(like)]
}
