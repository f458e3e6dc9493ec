package lualib

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// OpenURL creates the global table url:
//
//	parse(text)          a table with scheme, user, password, host, port, path,
//	                     query (as it stands) and fragment, each a string and
//	                     there only if the URL has it; or nil and why
//	escape(text), unescape(text)      one value of a query; unescape may be nil and why
//	query_encode(table)  names in order; a value is a string, a number, a boolean
//	                     or a list of them
//	query_decode(text)   a table; a name that is there more than once has a list;
//	                     or nil and why
func OpenURL(L *lua.LState) {
	L.SetGlobal("url", newModule(L, map[string]lua.LGFunction{
		"parse":        urlParse,
		"escape":       urlEscape,
		"unescape":     urlUnescape,
		"query_encode": urlQueryEncode,
		"query_decode": urlQueryDecode,
	}))
}

func urlParse(L *lua.LState) int {
	text := checkText(L, 1)
	Alloc(L, 4*len(text)+512)
	u, err := url.Parse(text)
	if err != nil {
		return pushNothing(L, "this is not a URL")
	}
	t := L.CreateTable(0, 8)
	set := func(name, value string) {
		if value != "" {
			t.RawSetString(name, lua.LString(value))
		}
	}
	set("scheme", u.Scheme)
	set("host", u.Hostname())
	set("port", u.Port())
	if set("path", u.Path); u.Opaque != "" {
		set("path", u.Opaque)
	}
	set("query", u.RawQuery)
	set("fragment", u.Fragment)
	if u.User != nil {
		password, _ := u.User.Password()
		set("user", u.User.Username())
		set("password", password)
	}
	L.Push(t)
	return 1
}

func urlEscape(L *lua.LState) int {
	text := checkText(L, 1)
	allocString(L, 3*len(text))
	return pushString(L, url.QueryEscape(text))
}

func urlUnescape(L *lua.LState) int {
	text := checkText(L, 1)
	Alloc(L, len(text))
	s, err := url.QueryUnescape(text)
	if err != nil {
		return pushNothing(L, "this is not escaped as in a URL")
	}
	return pushString(L, s)
}

func urlQueryEncode(L *lua.LState) int {
	t := CheckTable(L, 1)
	type pair struct{ name, value string }
	var pairs []pair
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		name, ok := key.(lua.LString)
		if !ok {
			ArgError(L, 1, "names must be strings, not "+TypeName(key))
		}
		list, ok := value.(*lua.LTable)
		if !ok {
			pairs = append(pairs, pair{string(name), queryValue(L, string(name), value)})
			continue
		}
		for i := 1; list.RawGetInt(i) != lua.LNil; i++ {
			pairs = append(pairs, pair{string(name), queryValue(L, string(name), list.RawGetInt(i))})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.name, b.name) })
	var out buffer
	for i, p := range pairs {
		if i > 0 {
			out.addByte(L, '&')
		}
		out.addString(L, url.QueryEscape(p.name))
		out.addByte(L, '=')
		out.addString(L, url.QueryEscape(p.value))
	}
	return out.push(L)
}

func queryValue(L *lua.LState, name string, v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return lua51.FormatNumber(v)
	case lua.LBool:
		return v.String()
	}
	ArgError(L, 1, "the value of "+CutText(name, 100)+" must be a string, a number, a boolean or a list of them, not a "+TypeName(v))
	return ""
}

func urlQueryDecode(L *lua.LState) int {
	text := checkText(L, 1)
	Alloc(L, 2*len(text)+slotBytes*(strings.Count(text, "&")+1))
	values, err := url.ParseQuery(text)
	if err != nil {
		return pushNothing(L, "this is not the query of a URL")
	}
	t := L.CreateTable(0, len(values))
	for name, all := range values {
		if len(all) == 1 {
			t.RawSetString(name, lua.LString(all[0]))
			continue
		}
		list := L.CreateTable(len(all), 0)
		for _, v := range all {
			list.Append(lua.LString(v))
		}
		t.RawSetString(name, list)
	}
	L.Push(t)
	return 1
}
