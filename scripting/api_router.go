package scripting

import (
	"errors"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting/lualib"
)

// openRouter creates the globals router, require and null.
func (v *vm) openRouter() {
	v.errorMeta, v.callErrorMeta = v.newErrorMeta(), v.newErrorMeta()
	functions := map[string]lua.LGFunction{
		"join":          v.routerJoin,
		"authenticator": func(L *lua.LState) int { return v.declare(L, kindAuthenticator) },
		"authorizer":    func(L *lua.LState) int { return v.declare(L, kindAuthorizer) },
		"register":      func(L *lua.LState) int { return v.declare(L, kindProcedure) },
		"subscribe":     func(L *lua.LState) int { return v.declare(L, kindSubscription) },
		"on_ready":      v.routerOnReady,
		"call":          v.routerCall,
		"publish":       v.routerPublish,
		"every":         v.routerEvery,
		"after":         v.routerAfter,
		"sessions":      v.routerSessions,
		"session":       v.routerSession,
		"kill":          v.routerKill,
		"error":         v.routerError,
		"result":        v.routerResult,
		"list":          v.values.List,
		"binary":        v.values.Binary,
	}
	router := v.L.CreateTable(0, len(functions))
	for name, fn := range functions {
		router.RawSetString(name, v.L.NewFunction(fn))
	}
	v.L.SetGlobal("router", router)
	v.L.SetGlobal("require", v.L.NewFunction(v.require))
	v.L.SetGlobal("null", v.values.Null())
}

// routerJoin is router.join { realm =, authrole =, vms = }.
func (v *vm) routerJoin(L *lua.LState) int {
	spec := lualib.CheckTable(L, 1)
	if v.sealed {
		lualib.Errorf(L, "router.join works at the top level only")
	}
	var r Role
	vms := 0
	for key, value := spec.Next(lua.LNil); key != lua.LNil; key, value = spec.Next(key) {
		switch name := key.String(); name {
		case "realm":
			r.Realm = stringField(L, "router.join", name, value)
		case "authrole":
			r.Authrole = stringField(L, "router.join", name, value)
		case "vms":
			n, ok := value.(lua.LNumber)
			if !ok || n < 1 || n != lua.LNumber(int(n)) {
				lualib.Errorf(L, "router.join: vms must be a whole number of at least 1")
			}
			vms = int(n)
		default:
			lualib.Errorf(L, "router.join: unknown field %q: there are realm, authrole and vms", name)
		}
	}
	if v.load == nil { // the leader has joined
		if r != v.gen.role {
			lualib.Errorf(L, "router.join: the first VM of this generation joined as role %q of realm %q: the top level must do the same in each VM", v.gen.role.Authrole, v.gen.role.Realm)
		}
		return 0
	}
	v.joinLeader(L, r)
	v.gen.vms, v.gen.single = vms, vms == 1
	return 0
}

func (v *vm) joinLeader(L *lua.LState, r Role) {
	g := v.gen
	if section, ok := g.options.Components[g.name]; ok {
		if r != section {
			lualib.Errorf(L, "router.join: the script joins as role %q of realm %q, but the configuration's components section says role %q of realm %q", r.Authrole, r.Realm, section.Authrole, section.Realm)
		}
		return
	}
	switch {
	case r.Realm == "" || r.Authrole == "":
		lualib.Errorf(L, "router.join: realm and authrole must be given")
	case g.session != nil:
		lualib.Errorf(L, "router.join: the script has joined already")
	case g.options.ForbidJoin:
		lualib.Errorf(L, "router.join: the configuration forbids it (scripts.allow_join): name %s in its components section", g.name)
	}
	if err := v.load.join(g, r); err != nil {
		lualib.Errorf(L, "router.join: %v", err)
	}
}

// routerOnReady is router.on_ready(fn).
func (v *vm) routerOnReady(L *lua.LState) int {
	fn := lualib.CheckFunction(L, 1)
	if v.sealed {
		lualib.Errorf(L, "router.on_ready works at the top level only")
	}
	if v.load != nil {
		v.onReady = append(v.onReady, fn)
	}
	return 0
}

// declare is router.authenticator and authorizer (uri, fn), and router.register and
// subscribe (uri, fn, options).
func (v *vm) declare(L *lua.LState, k kind) int {
	d := declaration{kind: k, uri: lualib.CheckString(L, 1), where: strings.TrimSuffix(lualib.Where(L, 1), ": ")}
	fn := lualib.CheckFunction(L, 2)
	if L.Get(3) != lua.LNil {
		d.options = checkOptions(L, k, lualib.CheckTable(L, 3))
	}
	switch {
	case v.sealed:
		lualib.Errorf(L, "%s works at the top level only", k.verb())
	case v.gen.session == nil:
		lualib.Errorf(L, "%s: router.join first", k.verb())
	}
	index, known := v.gen.places[d.place()]
	switch {
	case v.load != nil:
		index = v.declareLeader(L, d, known, index)
	case !known || v.gen.declarations[index].options != d.options || v.gen.declarations[index].kind != k:
		lualib.Errorf(L, "%s: the first VM of this generation did not declare %s so: the top level must do the same in each VM", k.verb(), d.String())
	}
	if denied := v.gen.declarations[index].denied; denied != nil {
		v.raiseReply(L, denied)
	}
	v.handlers[index] = fn
	return 0
}

// declareLeader adds a declaration to the generation, and notes it there if the
// permissions deny it.
func (v *vm) declareLeader(L *lua.LState, d declaration, known bool, index int) int {
	g := v.gen
	if known && g.declarations[index].denied == nil {
		lualib.Errorf(L, "%s: %s is already declared at %s", d.kind.verb(), d.String(), g.declarations[index].where)
	}
	if known {
		return index
	}
	var b realm.Bindings
	if d.kind == kindSubscription {
		b.Subscriptions = []realm.SubscriptionBinding{d.subscription()}
	} else {
		b.Registrations = []realm.Binding{d.registration(v.load.component)}
	}
	var reply *realm.ErrorReply
	// What somebody else holds is found when all is bound: it may be this
	// component's own session, under the role it had.
	if err := g.session.Check(b); errors.As(err, &reply) && reply.URI != wamp.ErrProcedureAlreadyExists {
		d.denied = reply
	}
	g.declarations = append(g.declarations, d)
	g.places[d.place()] = len(g.declarations) - 1
	v.handlers = append(v.handlers, nil)
	return len(g.declarations) - 1
}

// complete checks, after the top level, that a VM has the handler of each
// declaration.
func (v *vm) complete() error {
	if len(v.ticks) != len(v.gen.timers) {
		return fmt.Errorf("%s: a later VM of generation %d did not declare all timers: the top level must do the same in each VM", v.gen.file, v.gen.number)
	}
	for i := range v.gen.declarations {
		if d := &v.gen.declarations[i]; d.denied == nil && v.handlers[i] == nil {
			return fmt.Errorf("%s: a later VM of generation %d did not declare %s: the top level must do the same in each VM", d.where, v.gen.number, d.String())
		}
	}
	return nil
}

func stringField(L *lua.LState, verb, name string, v lua.LValue) string {
	s, ok := v.(lua.LString)
	if !ok {
		lualib.Errorf(L, "%s: %s must be a string, not a %s", verb, name, lualib.TypeName(v))
	}
	return string(s)
}

func boolField(L *lua.LState, verb, name string, v lua.LValue) wamp.Bool {
	b, ok := v.(lua.LBool)
	switch {
	case !ok:
		lualib.Errorf(L, "%s: %s must be true or false, not a %s", verb, name, lualib.TypeName(v))
	case bool(b):
		return wamp.True
	}
	return wamp.False
}
