package scripting

import (
	"errors"
	"fmt"
	"math"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/wamp"
	"usher/scripting/luaconv"
	"usher/scripting/lualib"
)

// principal reads {role =, authid =, realm =, extra =, expires_at =} and credentials.
// What it does not know it refuses: it may have been meant to restrict.
func (v *vm) principal(t *lua.LTable) (*auth.Principal, error) {
	if v.wampError(t) != nil {
		return nil, errors.New("returned an error value: it must be raised, error(router.error(…)), or returned as nil, uri, message")
	}
	var p auth.Principal
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		name, ok := key.(lua.LString)
		if !ok {
			return nil, fmt.Errorf("returned a principal with a key of type %s", lualib.TypeName(key))
		}
		if err := v.principalField(&p, name, value); err != nil {
			return nil, err
		}
	}
	if p.Role == "" {
		return nil, errors.New("returned a principal without a role")
	}
	return &p, nil
}

func (v *vm) principalField(p *auth.Principal, name lua.LString, value lua.LValue) (err error) {
	c := &p.Credentials
	switch name {
	case "role":
		p.Role, err = principalString(name, value)
	case "authid":
		p.Authid, err = principalString(name, value)
	case "realm":
		p.Realm, err = principalString(name, value)
	case "extra":
		p.Extra, err = v.principalExtra(value)
	case "expires_at":
		p.ExpiresAt, err = principalTime(name, value)
	case "secret":
		c.Secret, err = principalString(name, value)
	case "salt":
		c.Salt, err = principalString(name, value)
	case "iterations":
		c.Iterations, err = principalCount(name, value, 1)
	case "keylen":
		c.Keylen, err = principalCount(name, value, 1)
	case "kdf":
		c.KDF, err = principalString(name, value)
	case "memory":
		c.Memory, err = principalCount(name, value, 0) // pbkdf2 has none
	case "stored_key":
		c.StoredKey, err = principalKey(name, value)
	case "server_key":
		c.ServerKey, err = principalKey(name, value)
	case "authorized_keys":
		c.AuthorizedKeys, err = principalKeys(name, value)
	default:
		err = fmt.Errorf("returned a principal with the field %q, which is not known here", lualib.CutText(string(name), 100))
	}
	return err
}

func principalString(name lua.LString, v lua.LValue) (string, error) {
	s, ok := v.(lua.LString)
	if !ok {
		return "", fmt.Errorf("returned a principal whose %s is of type %s, not a string", name, lualib.TypeName(v))
	}
	if s == "" {
		return "", fmt.Errorf("returned a principal whose %s is empty", name)
	}
	return string(s), nil
}

func principalCount(name lua.LString, v lua.LValue, least lua.LNumber) (int, error) {
	n, ok := v.(lua.LNumber)
	if !ok {
		return 0, fmt.Errorf("returned a principal whose %s is of type %s, not a number", name, lualib.TypeName(v))
	}
	if !(n >= least && n <= math.MaxInt32) || float64(n) != math.Trunc(float64(n)) {
		return 0, fmt.Errorf("returned a principal whose %s is no count", name)
	}
	return int(n), nil
}

// principalTime reads seconds since 1970, or a time as RFC 3339 writes it.
func principalTime(name lua.LString, v lua.LValue) (time.Time, error) {
	switch v := v.(type) {
	case lua.LNumber:
		if v > 0 && v < 1<<40 {
			return time.UnixMilli(int64(float64(v) * 1000)), nil
		}
	case lua.LString:
		if t, err := time.Parse(time.RFC3339, string(v)); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("returned a principal whose %s is no time: seconds since 1970, or as RFC 3339 writes it", name)
}

// principalKey reads 32 bytes: made by router.binary, or in hexadecimal digits or
// base64.
func principalKey(name lua.LString, v lua.LValue) ([]byte, error) {
	if b, ok := luaconv.Bytes(v); ok {
		if len(b) != 32 {
			return nil, fmt.Errorf("returned a principal whose %s has %d bytes, not 32", name, len(b))
		}
		return []byte(b), nil
	}
	s, err := principalString(name, v)
	if err != nil {
		return nil, err
	}
	key, err := auth.ParseKey(s)
	if err != nil {
		return nil, fmt.Errorf("returned a principal whose %s cannot be used: %w", name, err)
	}
	return key, nil
}

// principalKeys reads a list of public keys. An empty one admits nobody.
func principalKeys(name lua.LString, v lua.LValue) ([]string, error) {
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("returned a principal whose %s is of type %s, not a list", name, lualib.TypeName(v))
	}
	keys := []string{}
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		if key != lua.LNumber(len(keys)+1) {
			return nil, fmt.Errorf("returned a principal whose %s is no list", name)
		}
		s, err := principalString(name, value)
		if err != nil {
			return nil, err
		}
		keys = append(keys, s)
	}
	return keys, nil
}

func (v *vm) principalExtra(value lua.LValue) (wamp.Value, error) {
	t, ok := value.(*lua.LTable)
	if !ok {
		return wamp.Value{}, fmt.Errorf("returned a principal whose extra is of type %s, not a table", lualib.TypeName(value))
	}
	extra, err := v.values.AppendDict(v.budget, scriptFormat, t)
	if err != nil {
		return wamp.Value{}, fmt.Errorf("returned a principal whose extra cannot be sent: %w", err)
	}
	return extra, nil
}
