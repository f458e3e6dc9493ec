package scripting

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/trustroot"
	"usher/router/wamp"
	"usher/scripting/lualib"
)

// authenticator is router.authenticator to the router. It is a value that is
// equal for all generations of a component.
type authenticator struct {
	component *component
	uri       string
}

// Authenticate asks the script. Only what the script clearly said counts: any
// doubt is a failure, which admits nobody. See auth.Authenticator.
func (a authenticator) Authenticate(ctx context.Context, r *auth.Request) (*auth.Principal, error) {
	g, index, v, err := a.component.asked(ctx, a.uri)
	if errors.Is(err, errQueueWait) {
		a.component.overloaded("login refused: the authenticator has too many to decide")
		return nil, &auth.Refusal{URI: wamp.ErrUnavailable, Message: "too many logins at the moment, try again later"}
	}
	if err != nil {
		return nil, fmt.Errorf("authenticator %s: %w", a.uri, err)
	}
	defer g.pool.release(v)
	v.secrets[0] = r.Ticket
	if r.Transport != nil {
		v.secrets[1] = r.Transport.Cbtid
	}
	defer func() { v.secrets = [2]string{} }()

	var principal *auth.Principal
	var refusal *auth.Refusal
	err = v.do(ctx, g.declarations[index].String(), func() (err error) {
		request, err := v.requestTable(r)
		if err != nil {
			return err
		}
		results, err := v.call(v.handlers[index], request)
		if err != nil {
			refusal, err = v.raisedRefusal(err)
			return err
		}
		principal, refusal, err = v.decision(results)
		if err == nil && principal != nil {
			err = principal.CheckFor(r.Authmethod)
		}
		if err != nil {
			err = fmt.Errorf("%s: the authenticator %w", definition(v.handlers[index]), err)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, fmt.Errorf("authenticator %s: %w", a.uri, context.Cause(ctx))
	case refusal != nil:
		return nil, refusal
	}
	return principal, nil
}

// asked returns what the router needs to ask the component about uri: a VM of the
// generation in force, which must go back to its pool, and the place of the handler.
func (c *component) asked(ctx context.Context, uri string) (g *generation, index int, v *vm, err error) {
	g = c.current.Load()
	if g == nil {
		return nil, 0, nil, fmt.Errorf("component %s has no generation in force", c.name)
	}
	index, ok := g.find(place{false, uri, wamp.Exact})
	if !ok {
		return nil, 0, nil, fmt.Errorf("generation %d of component %s does not declare it", g.number, g.name)
	}
	if v, err = g.pool.acquire(ctx, g.options.Limits.QueueWait, false); err != nil {
		return nil, 0, nil, err
	}
	if ctx.Err() != nil { // while it waited; the VM need not suffer
		g.pool.release(v)
		return nil, 0, nil, context.Cause(ctx)
	}
	return g, index, v, nil
}

// definition returns file:line of a function.
func definition(fn *lua.LFunction) string {
	if fn.IsG {
		return "?"
	}
	return fmt.Sprintf("%s:%d", fn.Proto.SourceName, fn.Proto.LineDefined)
}

// requestTable makes the table that DESIGN calls request; what is absent is nil.
func (v *vm) requestTable(r *auth.Request) (*lua.LTable, error) {
	t := v.L.CreateTable(0, 8)
	setString(t, "realm", r.Realm)
	setString(t, "authid", r.Authid)
	setString(t, "authrole", r.Authrole)
	setString(t, "authmethod", r.Authmethod)
	if r.Ticket != "" || r.Authmethod == auth.MethodTicket {
		t.RawSetString("ticket", lua.LString(r.Ticket))
	}
	setString(t, "pubkey", r.Pubkey)
	if r.Delegation != nil {
		t.RawSetString("delegation", v.delegationTable(r.Delegation))
	}
	t.RawSetString("session", lua.LNumber(r.Session))
	t.RawSetString("generation", lua.LNumber(v.gen.number))
	if !r.Authextra.Absent() {
		extra, err := v.values.Value(v.budget, r.Authextra)
		if err != nil {
			return nil, fmt.Errorf("%s: the client's authextra: %w", v.gen.file, err)
		}
		if extra != v.values.Null() {
			t.RawSetString("authextra", extra)
		}
	}
	if r.Transport != nil {
		t.RawSetString("transport", v.transportTable(r.Transport))
	}
	return t, nil
}

func (v *vm) transportTable(tr *auth.Transport) *lua.LTable {
	t := v.L.CreateTable(0, 8)
	setString(t, "type", tr.Type)
	setString(t, "protocol", tr.Protocol)
	setString(t, "peer", tr.Peer)
	setString(t, "cbtid", tr.Cbtid)
	setString(t, "path", tr.Path)
	setString(t, "query", tr.Query)
	t.RawSetString("is_secure", lua.LBool(tr.Secure))
	if c := tr.ClientCertificate(); c != nil {
		t.RawSetString("client_cert", v.certificateTable(c))
	}
	t.RawSetString("http_headers_received", v.headerTable(tr.HeadersReceived))
	t.RawSetString("http_headers_sent", v.headerTable(tr.HeadersSent))
	return t
}

// delegationTable says what cryptosign certificates say. Capabilities are bits.
func (v *vm) delegationTable(d *trustroot.Delegation) *lua.LTable {
	t := v.L.CreateTable(0, 6)
	t.RawSetString("trustroot", lua.LString(d.Trustroot.String()))
	t.RawSetString("delegate", lua.LString(d.Delegate.String()))
	t.RawSetString("realm", lua.LString(d.Realm.String()))
	t.RawSetString("chain_id", lua.LNumber(d.ChainID))
	t.RawSetString("verifying_contract", lua.LString(d.Contract.String()))
	t.RawSetString("capabilities", lua.LNumber(d.Capabilities))
	return t
}

// certificateTable describes a client certificate. Fingerprints are as OpenSSL
// prints them, times as RFC 3339 writes them, the serial number is in decimal.
func (v *vm) certificateTable(c *x509.Certificate) *lua.LTable {
	t := v.L.CreateTable(0, 9)
	setString(t, "sha256", auth.SHA256(c))
	setString(t, "sha1", auth.SHA1(c))
	t.RawSetString("subject", v.headerTable(auth.NameParts(c.Subject)))
	t.RawSetString("issuer", v.headerTable(auth.NameParts(c.Issuer)))
	setString(t, "serial", c.SerialNumber.String())
	setString(t, "not_before", c.NotBefore.UTC().Format(time.RFC3339))
	setString(t, "not_after", c.NotAfter.UTC().Format(time.RFC3339))
	t.RawSetString("dns_names", v.listTable(c.DNSNames))
	t.RawSetString("emails", v.listTable(c.EmailAddresses))
	return t
}

func (v *vm) listTable(values []string) *lua.LTable {
	t := v.L.CreateTable(len(values), 0)
	for _, value := range values {
		t.Append(lua.LString(value))
	}
	return t
}

func (v *vm) headerTable(headers map[string]string) *lua.LTable {
	t := v.L.CreateTable(0, len(headers))
	for name, value := range headers {
		t.RawSetString(name, lua.LString(value))
	}
	return t
}

func setString(t *lua.LTable, name, value string) {
	if value != "" {
		t.RawSetString(name, lua.LString(value))
	}
}

// raisedRefusal is the refusal that error(router.error(uri, {message})) means; any
// other error stays one. The answer to a router.call that the script did not
// catch is no decision.
func (v *vm) raisedRefusal(err error) (*auth.Refusal, error) {
	var api *lua.ApiError
	if !errors.As(err, &api) {
		return nil, err
	}
	t, ok := api.Object.(*lua.LTable)
	if !ok {
		return nil, err
	}
	e := v.wampError(t)
	if e == nil || !e.own || !wamp.ValidURI(e.uri) {
		return nil, err
	}
	return &auth.Refusal{URI: e.uri, Message: e.text()}, nil
}

// decision reads what an authenticator returned. Exactly one of the three
// results is set.
func (v *vm) decision(results []lua.LValue) (*auth.Principal, *auth.Refusal, error) {
	if len(results) == 0 {
		return nil, nil, errors.New("returned nothing: it must return a role, a principal, or nil, uri, message")
	}
	switch first := results[0].(type) {
	case lua.LString:
		if len(results) > 1 {
			return nil, nil, fmt.Errorf("returned %d values after a role: a role stands alone", len(results)-1)
		}
		if first == "" {
			return nil, nil, errors.New("returned an empty string as the role")
		}
		return &auth.Principal{Role: string(first)}, nil, nil
	case *lua.LTable:
		if len(results) > 1 {
			return nil, nil, fmt.Errorf("returned %d values after a principal: a principal stands alone", len(results)-1)
		}
		p, err := v.principal(first)
		return p, nil, err
	case *lua.LNilType:
		r, err := returnedRefusal(results)
		return nil, r, err
	default:
		return nil, nil, fmt.Errorf("returned a value of type %s: it must return a role, a principal, or nil, uri, message", lualib.TypeName(first))
	}
}

// returnedRefusal reads nil, uri, message.
func returnedRefusal(results []lua.LValue) (*auth.Refusal, error) {
	if len(results) == 1 {
		return nil, errors.New("returned nil alone: a refusal is nil, uri, message")
	}
	if len(results) > 3 {
		return nil, fmt.Errorf("returned %d values: a refusal is nil, uri, message", len(results))
	}
	uri, ok := results[1].(lua.LString)
	if !ok {
		return nil, fmt.Errorf("returned a value of type %s as the refusal's URI", lualib.TypeName(results[1]))
	}
	if !wamp.ValidURI(string(uri)) {
		return nil, fmt.Errorf("returned %q as the refusal's URI, which is none", lualib.CutText(string(uri), 100))
	}
	r := &auth.Refusal{URI: string(uri)}
	if len(results) == 3 && results[2] != lua.LNil {
		message, ok := results[2].(lua.LString)
		if !ok {
			return nil, fmt.Errorf("returned a value of type %s as the refusal's message", lualib.TypeName(results[2]))
		}
		r.Message = string(message)
	}
	return r, nil
}
