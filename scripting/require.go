package scripting

import (
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lualib"
)

// require is the function of that name. Modules come from the snapshot that the
// generation was loaded from, never from what is on disk by now.
func (v *vm) require(L *lua.LState) int {
	name := lualib.CheckString(L, 1)
	path, ok := modulePath(name)
	if !ok {
		lualib.Errorf(L, "require: %q is not a module's name: letters a to z, digits, _ and dots between them", lualib.CutText(name, 100))
	}
	if value, ok := v.modules[path]; ok {
		L.Push(value)
		return 1
	}
	if i := slices.Index(v.loading, path); i >= 0 {
		lualib.Errorf(L, "require: %s requires itself: %s", path, strings.Join(append(v.loading[i:], path), " -> "))
	}
	proto, err := v.gen.module(path)
	if err != nil {
		lualib.Errorf(L, "require: %v", err)
	}
	v.loading = append(v.loading, path)
	defer func() { v.loading = v.loading[:len(v.loading)-1] }() // errors are panics
	L.Push(L.NewFunctionFromProto(proto))
	L.Push(lua.LString(name))
	L.Call(1, 1)
	value := L.Get(-1)
	if value == lua.LNil {
		value = lua.LTrue
	}
	v.modules[path] = value
	L.Push(value)
	return 1
}

// modulePath returns the file of a module.
func modulePath(name string) (string, bool) {
	if name == "" || len(name) > 200 {
		return "", false
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '/' })
	if len(parts) != strings.Count(name, ".")+strings.Count(name, "/")+1 {
		return "", false // an empty part
	}
	for _, part := range parts {
		if strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return "", false
		}
	}
	return strings.Join(parts, "/") + ".lua", true
}
