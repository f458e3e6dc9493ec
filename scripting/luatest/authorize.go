package luatest

import (
	"context"
	"log/slog"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/wamp"
	"usher/scripting"
	"usher/scripting/lualib"
)

// testAuthorize is test.authorize{uri =, action =, …}: what the router makes of an
// authorizer's answer.
func (w *world) testAuthorize(L *lua.LState) int {
	const verb = "test.authorize"
	t := lualib.CheckTable(L, 1)
	q := &auth.Question{Session: 1, Realm: w.realm, Authid: "test", Authrole: "test", Authmethod: "ticket", Authprovider: "dynamic",
		Peer: "tcp4:127.0.0.1:1", Protocol: "wamp.2.json"}
	who := ""
	texts := map[string]*string{"who": &who, "uri": &q.URI, "realm": &q.Realm, "authid": &q.Authid, "authrole": &q.Authrole,
		"authmethod": &q.Authmethod, "authprovider": &q.Authprovider, "peer": &q.Peer, "protocol": &q.Protocol}
	t.ForEach(func(key, value lua.LValue) {
		name := key.String()
		text, isText := value.(lua.LString)
		switch to := texts[name]; {
		case to != nil && isText:
			*to = string(text)
		case name == "action" && isText:
			q.Action = actionOf(string(text))
		case name == "session":
			n, _ := value.(lua.LNumber)
			q.Session = wamp.ID(n)
		case name == "options":
			readQuestionOptions(L, verb, &q.Options, value)
		default:
			lualib.Errorf(L, "%s: wrong field %s = %s", verb, name, show(value))
		}
	})
	if q.URI == "" || q.Action == 0 {
		lualib.Errorf(L, `%s: uri, and action ("call", "register", "publish" or "subscribe") must be given`, verb)
	}
	w.load(L)
	uri, of := w.asked(L, verb, "authorizer", who)
	if t.RawGetString("realm") == lua.LNil {
		q.Realm = of.Realm
	}
	var verdict auth.Verdict
	var err error
	w.await(L, func(ctx context.Context) {
		if verdict, err = w.node.Authorize(ctx, uri, q); err == nil {
			err = w.quiet(ctx)
		}
	})
	out := L.NewTable()
	if err != nil {
		cause := scripting.ErrorText(err)
		slog.New(w.log).Error("authorization failed", slog.String("script", uri), slog.String("error", cause))
		out.RawSetString("cause", lua.LString(cause))
		verdict = auth.Verdict{}
	}
	out.RawSetString("allow", lua.LBool(verdict.Allow))
	out.RawSetString("disclose", lua.LBool(verdict.Disclose))
	if verdict.Cache == auth.CacheForever {
		out.RawSetString("cache", lua.LTrue)
	} else {
		out.RawSetString("cache", lua.LNumber(verdict.Cache.Seconds()))
	}
	L.Push(out)
	return 1
}

func actionOf(name string) auth.Action {
	for _, a := range []auth.Action{auth.Call, auth.Register, auth.Publish, auth.Subscribe} {
		if a.String() == name {
			return a
		}
	}
	return 0
}

func readQuestionOptions(L *lua.LState, verb string, to *auth.QuestionOptions, v lua.LValue) {
	t, ok := v.(*lua.LTable)
	if !ok {
		lualib.Errorf(L, "%s: options must be a table", verb)
	}
	flags := map[string]*bool{"get_retained": &to.GetRetained, "retain": &to.Retain, "acknowledge": &to.Acknowledge,
		"disclose_me": &to.DiscloseMe, "receive_progress": &to.ReceiveProgress}
	t.ForEach(func(key, value lua.LValue) {
		n, isNumber := value.(lua.LNumber)
		switch name := key.String(); {
		case flags[name] != nil:
			*flags[name] = lua.LVAsBool(value)
		case name == "match":
			to.Match = value.String()
		case name == "invoke":
			to.Invoke = value.String()
		case name == "timeout" && isNumber && n >= 0:
			to.Timeout = uint64(n)
		default:
			lualib.Errorf(L, "%s: wrong option %s = %s", verb, name, show(value))
		}
	})
}
