package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"usher/router"
	"usher/router/auth"
	"usher/router/client"
	"usher/router/config"
	"usher/router/realm"
	"usher/router/tokens"
	"usher/router/wamp"
	"usher/scripting"
)

// tryCommand is "usher try".
type tryCommand struct {
	sourceFlags
	Realm *string `help:"Realm to join; empty: the authenticator assigns it. Default: the configuration's first."`
	loginFlags
	Header []string `sep:"none" placeholder:"NAME=VALUE" help:"A header of the upgrade request; may be given several times."`
	JSON   bool     `name:"json" help:"Print the outcome as JSON."`
}

// trial is one login that was tried, as --json prints it.
type trial struct {
	Realm        string            `json:"realm"`
	Authid       string            `json:"authid"`
	Authmethod   string            `json:"authmethod"`
	TicketBytes  int               `json:"ticket_bytes"` // or of the token
	Pubkey       string            `json:"pubkey,omitempty"`
	Certificate  string            `json:"certificate,omitempty"` // its fingerprint
	Headers      map[string]string `json:"headers,omitempty"`
	Asked        string            `json:"asked"`    // the authenticator's URI, or "configuration"
	Decision     string            `json:"decision"` // accepted, refused or failed
	Role         string            `json:"role,omitempty"`
	JoinsRealm   string            `json:"joins_realm,omitempty"`
	JoinsAuthid  string            `json:"joins_authid,omitempty"`
	ExpiresAt    *time.Time        `json:"expires_at,omitempty"`
	URI          string            `json:"uri,omitempty"`
	Message      string            `json:"message,omitempty"`
	Milliseconds float64           `json:"milliseconds"`

	proof string // what is presented, in words that do not tell it
}

// Run plays one login from HELLO to WELCOME or ABORT, as a client and the router
// would, without either. What the scripts print goes to the log on standard error.
func (c tryCommand) Run(ctx context.Context, s streams) error {
	src, err := c.load()
	if err != nil {
		return err
	}
	method, err := c.method(auth.MethodTicket)
	if err != nil {
		return err
	}
	transport, methods, err := offering(src.config, method)
	if err != nil {
		return err
	}
	prover, proof, err := c.prover(ctx, method, s.in)
	if err != nil {
		return err
	}
	request, err := c.request(src, transport, prover)
	if err != nil {
		return err
	}
	log, err := logFlags{LogFormat: "text", LogLevel: "warn"}.logger(s.err)
	if err != nil {
		return err
	}
	policy := router.Policy(src.config)
	node := realm.NewNode(policy, realm.Limits{}, agent(), log)
	if src.hasScripts() {
		talkative, err := logFlags{LogFormat: "text", LogLevel: "info"}.logger(s.err)
		if err != nil {
			return err
		}
		o := src.scripting(talkative)
		o.KVFile = "" // it is a running router's; what this login changes is forgotten
		host, err := scripting.New(o, node)
		if err != nil {
			return src.blame(err)
		}
		defer host.Close(ctx)
		if err := host.Start(ctx); err != nil {
			return err
		}
	}
	verifier := tokens.New(tokens.Options{Log: log})
	defer verifier.Close()
	verifier.Use(src.config.Tokens())
	node.SetTokens(verifier)
	t := &trial{Realm: request.Realm, Authid: request.Authid, Authmethod: method, Headers: request.Transport.HeadersReceived, Asked: "configuration", proof: proof}
	begin := time.Now()
	principal, err := t.play(ctx, node, policy, methods, request, prover)
	t.Milliseconds = float64(time.Since(begin).Microseconds()) / 1000
	t.settle(request, principal, err)
	if err := t.print(s.out, c.JSON); err != nil {
		return err
	}
	if principal == nil {
		return errQuiet
	}
	return nil
}

// offering is the first way in that has the method, and its listener.
func offering(c *config.Config, method string) (*config.Transport, *auth.Methods, error) {
	for i := range c.Transports {
		for _, m := range c.Transports[i].Methods() {
			if m.Offers(method) {
				return &c.Transports[i], m, nil
			}
		}
	}
	if method == auth.MethodTicket {
		return nil, nil, fmt.Errorf("%s: no transport takes tickets: there is no login to try", c.File)
	}
	return nil, nil, fmt.Errorf("%s: no transport offers the method %s: there is no login to try", c.File, method)
}

// play is the dialogue, with both sides in one place.
func (t *trial) play(ctx context.Context, node *realm.Node, policy *realm.Policy, methods *auth.Methods, r *auth.Request, prover client.Prover) (*auth.Principal, error) {
	dialogue, outcome := auth.Begin(methods, policy, r, []string{t.Authmethod})
	for {
		switch {
		case outcome.Challenge != nil:
			answer, err := prover.Answer(ctx, outcome.Challenge)
			if err != nil {
				return nil, fmt.Errorf("the client gives up: %w", err)
			}
			if t.Authmethod == auth.MethodTicket || t.Authmethod == auth.MethodJWT {
				t.TicketBytes = len(answer.Signature)
			}
			outcome = dialogue.Answer(answer)
		case outcome.Ask != nil:
			t.Asked = outcome.Ask.URI
			outcome = dialogue.Decide(node.Authenticate(ctx, outcome.Ask, r))
		case outcome.Verify != nil:
			t.Asked = "keys of " + outcome.Verify.Issuer
			outcome = dialogue.Decide(node.VerifyToken(ctx, outcome.Verify, r))
		case outcome.Accept != nil:
			proof, err := json.Marshal(outcome.Accept.Proof)
			if err == nil {
				err = prover.Welcomed(wamp.Value{Format: wamp.JSON, Bytes: proof})
			}
			if err != nil {
				return nil, fmt.Errorf("the client leaves: %w", err)
			}
			return &outcome.Accept.Principal, nil
		case outcome.Refuse != nil:
			return nil, outcome.Refuse
		default:
			return nil, outcome.Fail
		}
	}
}

// request is the HELLO of a client at one of the listener's paths.
func (c tryCommand) request(src *source, at *config.Transport, prover client.Prover) (*auth.Request, error) {
	headers := map[string]string{"host": "localhost", "user-agent": agent()}
	for _, h := range c.Header {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--header %q: write NAME=VALUE", h)
		}
		headers[strings.ToLower(name)] = value
	}
	r := &auth.Request{
		Realm:   src.config.Realms[0].Name,
		Authid:  c.Authid,
		Session: wamp.RandomID(),
		Transport: &auth.Transport{
			Type:            "websocket",
			Protocol:        "wamp.2.json",
			Peer:            "tcp4:127.0.0.1:0",
			HeadersReceived: headers,
			HeadersSent:     map[string]string{},
			Secure:          at.Endpoint.TLS != nil,
			Path:            "/ws",
		},
	}
	if c.Realm != nil {
		r.Realm = *c.Realm
	}
	if c.Cert != "" {
		state, err := c.presented(at)
		if err != nil {
			return nil, err
		}
		r.Transport.TLS = state
	}
	var err error
	if r.Extra, err = prover.Hello(r.Transport); err != nil {
		return nil, err
	}
	r.Authextra, err = client.Authextra(r.Extra)
	return r, err
}

// presented is what a listener makes of the client's certificate.
func (c tryCommand) presented(at *config.Transport) (*tls.ConnectionState, error) {
	own, err := c.certificate()
	if err != nil {
		return nil, err
	}
	state := &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true}
	if at.Endpoint.TLS == nil || len(at.Endpoint.TLS.ClientCAs) == 0 {
		return state, nil // it is not asked for
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, name := range at.Endpoint.TLS.ClientCAs {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		options.Roots.AppendCertsFromPEM(pem)
	}
	for i, der := range own.Certificate {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("--cert: %w", err)
		}
		state.PeerCertificates = append(state.PeerCertificates, parsed)
		if i > 0 {
			options.Intermediates.AddCert(parsed)
		}
	}
	if state.VerifiedChains, err = state.PeerCertificates[0].Verify(options); err != nil {
		return nil, fmt.Errorf("the listener at %s refuses the certificate of --cert, and the connection with it: %w", at.Endpoint, err)
	}
	return state, nil
}

// settle notes the decision, and what the request has come to by then.
func (t *trial) settle(r *auth.Request, p *auth.Principal, err error) {
	t.Pubkey = r.Pubkey
	if c := r.Transport.ClientCertificate(); c != nil {
		t.Certificate = auth.SHA256(c)
		t.proof += " certificate=" + t.Certificate
	}
	var refusal *auth.Refusal
	switch {
	case err == nil:
		t.Decision, t.Role, t.JoinsRealm, t.JoinsAuthid = "accepted", p.Role, p.Realm, p.Authid
		if !p.ExpiresAt.IsZero() {
			t.ExpiresAt = &p.ExpiresAt
		}
	case errors.As(err, &refusal):
		t.Decision, t.URI, t.Message = "refused", refusal.URI, refusal.Message
	default:
		t.Decision, t.URI, t.Message = "failed", wamp.ErrAuthenticationFailed, err.Error()
	}
}

func (t *trial) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(t)
	}
	fmt.Fprintf(w, "request   realm=%s authid=%s authmethod=%s%s\n", t.Realm, t.Authid, t.Authmethod, t.proof)
	names := make([]string, 0, len(t.Headers))
	for name := range t.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "          %s: %s\n", name, t.Headers[name])
	}
	fmt.Fprintf(w, "asked     %s\n", t.Asked)
	if t.Decision == "accepted" {
		expiry := ""
		if t.ExpiresAt != nil {
			expiry = " expires_at=" + t.ExpiresAt.UTC().Format(time.RFC3339)
		}
		_, err := fmt.Fprintf(w, "accepted  realm=%s authid=%s authrole=%s%s (%.1f ms)\n", t.JoinsRealm, t.JoinsAuthid, t.Role, expiry, t.Milliseconds)
		return err
	}
	_, err := fmt.Fprintf(w, "%-9s %s: %s (%.1f ms)\n", t.Decision, t.URI, t.Message, t.Milliseconds)
	return err
}
