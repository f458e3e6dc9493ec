package scripting

import (
	"errors"
	"fmt"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/wamp"
	"usher/scripting/luaconv"
	"usher/scripting/lualib"
)

// principal reads {role =, authid =, realm =, extra =, expires_at =} and credentials.
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
		if err := p.Set(string(name), returned{v, value}); err != nil {
			return nil, err
		}
		// In Lua what is absent is nil, and a default is not spelled out.
		switch {
		case value == lua.LString(""):
			return nil, fmt.Errorf("returned a principal whose %s is empty", name)
		case value == lua.LNumber(0) && name != "memory": // pbkdf2 has none
			return nil, fmt.Errorf("returned a principal whose %s is no count", name)
		}
	}
	if p.Role == "" {
		return nil, errors.New("returned a principal without a role")
	}
	return &p, nil
}

// returned is a value that a script's authenticator returned.
type returned struct {
	vm    *vm
	value lua.LValue
}

func (r returned) Text() (string, bool) {
	s, ok := r.value.(lua.LString)
	return string(s), ok
}

// Bytes is what router.binary has made.
func (r returned) Bytes() ([]byte, bool) {
	b, ok := luaconv.Bytes(r.value)
	return []byte(b), ok
}

func (r returned) Number() (float64, bool) {
	n, ok := r.value.(lua.LNumber)
	return float64(n), ok
}

func (r returned) List() (list []auth.Returned, ok bool) {
	t, ok := r.value.(*lua.LTable)
	if !ok {
		return nil, false
	}
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		if key != lua.LNumber(len(list)+1) {
			return nil, false
		}
		list = append(list, returned{r.vm, value})
	}
	return list, true
}

func (r returned) Dict() (wamp.Value, bool, error) {
	t, ok := r.value.(*lua.LTable)
	if !ok {
		return wamp.Value{}, false, nil
	}
	v, err := r.vm.values.AppendDict(r.vm.budget, scriptFormat, t)
	return v, true, err
}

func (r returned) Kind() string { return "of type " + lualib.TypeName(r.value) }
