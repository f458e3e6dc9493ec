package scripting

import (
	"context"
	"errors"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/scripting/lualib"
)

// authorizer is router.authorizer to the router. It is a value that is equal for all
// generations of a component.
type authorizer struct {
	component *component
	uri       string
}

var _ auth.Authorizer = authorizer{}

// Authorize asks the script. Only what it clearly said counts: any doubt is an
// error, which denies. See auth.Authorizer.
func (a authorizer) Authorize(ctx context.Context, q *auth.Question) (auth.Verdict, error) {
	g, index, v, err := a.component.asked(ctx, a.uri)
	if errors.Is(err, errQueueWait) {
		a.component.overloaded("request denied: the authorizer has too many to decide")
	}
	if err != nil {
		return auth.Verdict{}, fmt.Errorf("authorizer %s: %w", a.uri, err)
	}
	defer g.pool.release(v)
	var verdict auth.Verdict
	err = v.do(ctx, g.declarations[index].String(), func() error {
		results, err := v.call(v.handlers[index], v.sessionTable(q), lua.LString(q.URI), lua.LString(q.Action.String()), v.questionOptions(&q.Options))
		if err != nil {
			return err
		}
		if verdict, err = readVerdict(results); err != nil {
			return fmt.Errorf("%s: the authorizer %w", definition(v.handlers[index]), err)
		}
		return nil
	})
	switch {
	case err != nil:
		return auth.Verdict{}, err
	case ctx.Err() != nil:
		return auth.Verdict{}, fmt.Errorf("authorizer %s: %w", a.uri, context.Cause(ctx))
	}
	return verdict, nil
}

// sessionTable is who asks.
func (v *vm) sessionTable(q *auth.Question) *lua.LTable {
	t := v.L.CreateTable(0, 8)
	t.RawSetString("session", lua.LNumber(q.Session))
	setString(t, "realm", q.Realm)
	setString(t, "authid", q.Authid)
	setString(t, "authrole", q.Authrole)
	setString(t, "authmethod", q.Authmethod)
	setString(t, "authprovider", q.Authprovider)
	transport := v.L.CreateTable(0, 2)
	setString(transport, "peer", q.Peer)
	setString(transport, "protocol", q.Protocol)
	t.RawSetString("transport", transport)
	return t
}

// questionOptions are the options of the request, spelled as in WAMP.
func (v *vm) questionOptions(o *auth.QuestionOptions) *lua.LTable {
	t := v.L.CreateTable(0, 4)
	setString(t, "match", o.Match)
	setString(t, "invoke", o.Invoke)
	setTrue(t, "get_retained", o.GetRetained)
	setTrue(t, "retain", o.Retain)
	setTrue(t, "acknowledge", o.Acknowledge)
	setTrue(t, "disclose_me", o.DiscloseMe)
	setTrue(t, "receive_progress", o.ReceiveProgress)
	if o.Timeout != 0 {
		t.RawSetString("timeout", lua.LNumber(o.Timeout))
	}
	return t
}

// readVerdict reads what an authorizer returned: true or false, or a table
// {allow =, disclose =, cache =}.
func readVerdict(results []lua.LValue) (auth.Verdict, error) {
	if len(results) != 1 {
		return auth.Verdict{}, fmt.Errorf("returned %d values: it must return true, false or a table", len(results))
	}
	switch r := results[0].(type) {
	case lua.LBool:
		return auth.Verdict{Allow: bool(r)}, nil
	case *lua.LTable:
		return readVerdictTable(r)
	}
	return auth.Verdict{}, fmt.Errorf("returned a value of type %s: it must return true, false or a table", lualib.TypeName(results[0]))
}

// readVerdictTable refuses what it does not know: it may have been meant to restrict.
func readVerdictTable(t *lua.LTable) (auth.Verdict, error) {
	var verdict auth.Verdict
	hasAllow := false
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		name, ok := key.(lua.LString)
		if !ok {
			return auth.Verdict{}, fmt.Errorf("returned a table with a key of type %s", lualib.TypeName(key))
		}
		is, isBool := value.(lua.LBool)
		switch {
		case name == "allow" && isBool:
			verdict.Allow, hasAllow = bool(is), true
		case name == "disclose" && isBool:
			verdict.Disclose = bool(is)
		case name == "allow" || name == "disclose":
			return auth.Verdict{}, fmt.Errorf("returned %s of type %s: it must be a boolean", name, lualib.TypeName(value))
		case name == "cache":
			var err error
			if verdict.Cache, err = verdictCache(value); err != nil {
				return auth.Verdict{}, err
			}
		default:
			return auth.Verdict{}, fmt.Errorf("returned a table with the field %q: there are allow, disclose and cache", lualib.CutText(string(name), 100))
		}
	}
	if !hasAllow {
		return auth.Verdict{}, errors.New("returned a table without allow")
	}
	return verdict, nil
}

// verdictCache reads seconds, or a boolean.
func verdictCache(value lua.LValue) (time.Duration, error) {
	switch c := value.(type) {
	case lua.LBool:
		if c {
			return auth.CacheForever, nil
		}
		return 0, nil
	case lua.LNumber:
		if c >= 0 {
			return auth.CacheSeconds(float64(c))
		}
		return 0, errors.New("returned a cache that is not at least 0")
	}
	return 0, fmt.Errorf("returned a cache of type %s: it must be seconds or a boolean", lualib.TypeName(value))
}
