package luatest

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/router/auth"
	"usher/router/client"
	"usher/router/wamp"
)

// login is a client that logs in, with what it proves to have.
type login struct {
	request                       *auth.Request
	ticket, secret, password, key string
}

// methodOf is the method that fits what a client has.
func methodOf(given *lua.LTable) string {
	transport, _ := given.RawGetString("transport").(*lua.LTable)
	switch {
	case given.RawGetString("ticket") != lua.LNil:
		return auth.MethodTicket
	case given.RawGetString("secret") != lua.LNil:
		return auth.MethodWAMPCRA
	case given.RawGetString("password") != lua.LNil:
		return auth.MethodSCRAM
	case given.RawGetString("key") != lua.LNil:
		return auth.MethodCryptosign
	case transport != nil && transport.RawGetString("client_cert") != lua.LNil:
		return auth.MethodTLS
	}
	return auth.MethodAnonymous
}

// methods offer what the client asks for, decided by d; nil where the router does
// not know the method.
func (l *login) methods(d *auth.Dynamic) *auth.Methods {
	switch l.request.Authmethod {
	case auth.MethodAnonymous:
		return &auth.Methods{Anonymous: &auth.Anonymous{Authenticator: d}}
	case auth.MethodTicket:
		return &auth.Methods{Ticket: &auth.Ticket{Authenticator: d}}
	case auth.MethodWAMPCRA:
		return &auth.Methods{WAMPCRA: &auth.WAMPCRA{Authenticator: d}}
	case auth.MethodSCRAM, auth.MethodCrossbarSCRAM:
		return &auth.Methods{SCRAM: &auth.SCRAM{Authenticator: d}}
	case auth.MethodCryptosign:
		return &auth.Methods{Cryptosign: &auth.Cryptosign{Authenticator: d}}
	case auth.MethodTLS:
		return &auth.Methods{TLS: &auth.TLS{Authenticator: d}}
	}
	return nil
}

// prover is the client's part.
func (l *login) prover() (client.Prover, error) {
	method := l.request.Authmethod
	need := func(value, name string) error {
		if value == "" {
			return fmt.Errorf("test.request{ %s = … } is needed for %s", name, method)
		}
		return nil
	}
	switch method {
	case auth.MethodTicket:
		return client.Ticket(func(context.Context) (string, error) { return l.ticket, nil }), nil
	case auth.MethodWAMPCRA:
		return client.WAMPCRA(l.secret), need(l.secret, "secret")
	case auth.MethodSCRAM, auth.MethodCrossbarSCRAM:
		return client.SCRAM(method, l.request.Authid, l.password), need(l.password, "password")
	case auth.MethodCryptosign:
		if err := need(l.key, "key"); err != nil {
			return nil, err
		}
		seed, err := hex.DecodeString(l.key)
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, errors.New("key must be 64 hexadecimal digits")
		}
		return client.Cryptosign(ed25519.NewKeyFromSeed(seed), ""), nil
	case auth.MethodTLS:
		return client.Certificate(), nil
	}
	return client.Anonymous(), nil
}

// judge plays both sides, as a login would, without a connection.
func (l *login) judge(ctx context.Context, w *world, d *auth.Dynamic) auth.Outcome {
	r := l.request
	r.Now = w.clock.Now()
	methods := l.methods(d)
	if methods == nil {
		return outcomeOf(w.node.Authenticate(ctx, d, r))
	}
	prover, err := l.prover()
	if err != nil {
		return auth.Outcome{Fail: err}
	}
	if r.Extra, err = prover.Hello(r.Transport); err != nil {
		return auth.Outcome{Fail: err}
	}
	if r.Authextra.Absent() {
		if r.Authextra, err = client.Authextra(r.Extra); err != nil {
			return auth.Outcome{Fail: err}
		}
	}
	dialogue, outcome := auth.Begin(methods, w.policy, r, []string{r.Authmethod})
	for {
		switch {
		case outcome.Challenge != nil:
			answer, err := prover.Answer(ctx, outcome.Challenge)
			if err != nil {
				return auth.Outcome{Fail: fmt.Errorf("the client gives up: %w", err)}
			}
			outcome = dialogue.Answer(answer)
		case outcome.Ask != nil:
			outcome = dialogue.Decide(w.node.Authenticate(ctx, outcome.Ask, r))
		case outcome.Accept != nil:
			proof, err := json.Marshal(outcome.Accept.Proof)
			if err == nil {
				err = prover.Welcomed(wamp.Value{Format: wamp.JSON, Bytes: proof})
			}
			if err != nil {
				return auth.Outcome{Fail: fmt.Errorf("the client leaves: %w", err)}
			}
			return outcome
		default:
			return outcome
		}
	}
}

func outcomeOf(p *auth.Principal, err error) auth.Outcome {
	var refusal *auth.Refusal
	switch {
	case err == nil:
		return auth.Outcome{Accept: &auth.Accepted{Principal: *p}}
	case errors.As(err, &refusal):
		return auth.Outcome{Refuse: refusal}
	}
	return auth.Outcome{Fail: err}
}

// readCertificate reads PEM, or makes a certificate with the subject {CN =, …} and
// the names that a table has. Nobody has signed that.
func readCertificate(v lua.LValue) (*x509.Certificate, error) {
	if text, ok := v.(lua.LString); ok {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, errors.New("this is not a certificate in PEM")
		}
		return x509.ParseCertificate(block.Bytes)
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, errors.New("a certificate in PEM, or a table, expected")
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: readName(t.RawGetString("subject")), Issuer: readName(t.RawGetString("issuer")),
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
		DNSNames: readTexts(t.RawGetString("dns_names")), EmailAddresses: readTexts(t.RawGetString("emails")),
	}
	c.Raw = []byte(c.Subject.String()) // the fingerprint's
	return c, nil
}

func readName(v lua.LValue) pkix.Name {
	var name pkix.Name
	t, ok := v.(*lua.LTable)
	if !ok {
		return name
	}
	one := func(key string) []string {
		if s, ok := t.RawGetString(key).(lua.LString); ok {
			return []string{string(s)}
		}
		return nil
	}
	if cn := one("CN"); cn != nil {
		name.CommonName = cn[0]
	}
	name.Organization, name.OrganizationalUnit = one("O"), one("OU")
	name.Country, name.Province, name.Locality = one("C"), one("ST"), one("L")
	sequence := name.ToRDNSequence()
	name.FillFromRDNSequence(&sequence) // as of one that was read
	return name
}

func readTexts(v lua.LValue) []string {
	var all []string
	if t, ok := v.(*lua.LTable); ok {
		for i := 1; i <= t.Len(); i++ {
			all = append(all, t.RawGetInt(i).String())
		}
	}
	return all
}
