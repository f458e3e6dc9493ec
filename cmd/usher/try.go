package main

import (
	"bufio"
	"cmp"
	"context"
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
	"usher/router/config"
	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting"
)

// ticketVariable holds the ticket where no flag does.
const ticketVariable = "USHER_TICKET"

// maxTicket bounds a ticket on standard input, in bytes.
const maxTicket = 64 << 10

// tryCommand is "usher try".
type tryCommand struct {
	sourceFlags
	Realm  string   `help:"Realm to join. Default: the configuration's first."`
	Authid string   `required:"" help:"Who logs in."`
	Ticket *string  `help:"The ticket. Default: the environment variable USHER_TICKET, else the first line of standard input."`
	Header []string `sep:"none" placeholder:"NAME=VALUE" help:"A header of the upgrade request; may be given several times."`
	JSON   bool     `name:"json" help:"Print the outcome as JSON."`
}

// trial is one login that was tried, as --json prints it.
type trial struct {
	Realm        string            `json:"realm"`
	Authid       string            `json:"authid"`
	Authmethod   string            `json:"authmethod"`
	TicketBytes  int               `json:"ticket_bytes"`
	Headers      map[string]string `json:"headers,omitempty"`
	Asked        string            `json:"asked"`    // the authenticator's URI, or "configuration"
	Decision     string            `json:"decision"` // accepted, refused or failed
	Role         string            `json:"role,omitempty"`
	JoinsRealm   string            `json:"joins_realm,omitempty"`
	JoinsAuthid  string            `json:"joins_authid,omitempty"`
	URI          string            `json:"uri,omitempty"`
	Message      string            `json:"message,omitempty"`
	Milliseconds float64           `json:"milliseconds"`
}

// Run asks the scripts about one login as the router would, without a router.
// What the scripts print goes to the log on standard error.
func (c tryCommand) Run(ctx context.Context, s streams) error {
	src, err := c.load()
	if err != nil {
		return err
	}
	methods, err := ticketMethod(src.config)
	if err != nil {
		return err
	}
	request, err := c.request(src, s)
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
		host, err := scripting.New(src.scripting(talkative), node)
		if err != nil {
			return err
		}
		defer host.Close(ctx)
		if err := host.Start(ctx); err != nil {
			return err
		}
	}
	t := newTrial(request)
	begin := time.Now()
	principal, err := decide(ctx, node, policy, methods.Ticket, request, &t)
	t.Milliseconds = float64(time.Since(begin).Microseconds()) / 1000
	t.settle(principal, err)
	if err := t.print(s.out, c.JSON); err != nil {
		return err
	}
	if principal == nil {
		return errQuiet
	}
	return nil
}

// decide asks whoever the configuration says.
func decide(ctx context.Context, node *realm.Node, policy *realm.Policy, ticket *auth.Ticket, r *auth.Request, t *trial) (*auth.Principal, error) {
	if d := ticket.Authenticator; d != nil {
		t.Asked = d.URI
		return node.Authenticate(ctx, d, r)
	}
	t.Asked = "configuration"
	dialogue, _ := auth.Begin(&auth.Methods{Ticket: ticket}, policy, r, []string{auth.MethodTicket})
	outcome := dialogue.Answer(&auth.Answer{Signature: r.Ticket})
	switch {
	case outcome.Accept != nil:
		return &outcome.Accept.Principal, nil
	case outcome.Refuse != nil:
		return nil, outcome.Refuse
	}
	return nil, outcome.Fail
}

// ticketMethod is the first that takes tickets.
func ticketMethod(c *config.Config) (*auth.Methods, error) {
	for _, m := range c.Methods() {
		if m.Ticket != nil {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%s: no transport takes tickets: there is no login to try", c.File)
}

func (c tryCommand) request(src *source, s streams) (*auth.Request, error) {
	ticket, err := readTicket(c.Ticket, s.in)
	if err != nil {
		return nil, err
	}
	headers := map[string]string{"host": "localhost", "user-agent": agent()}
	for _, h := range c.Header {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--header %q: write NAME=VALUE", h)
		}
		headers[strings.ToLower(name)] = value
	}
	return &auth.Request{
		Realm:      cmp.Or(c.Realm, src.config.Realms[0].Name),
		Authid:     c.Authid,
		Authmethod: auth.MethodTicket,
		Ticket:     ticket,
		Session:    wamp.RandomID(),
		Transport: &auth.Transport{
			Type:            "websocket",
			Protocol:        "wamp.2.json",
			Peer:            "tcp4:127.0.0.1:0",
			HeadersReceived: headers,
			HeadersSent:     map[string]string{},
			Path:            "/ws",
		},
	}, nil
}

// readTicket returns the flag's, else the environment's, else a line of standard input.
func readTicket(flag *string, in io.Reader) (string, error) {
	if flag != nil {
		return *flag, nil
	}
	if t, ok := os.LookupEnv(ticketVariable); ok {
		return t, nil
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxTicket)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the ticket from standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func newTrial(r *auth.Request) trial {
	return trial{
		Realm: r.Realm, Authid: r.Authid, Authmethod: r.Authmethod,
		TicketBytes: len(r.Ticket), Headers: r.Transport.HeadersReceived,
	}
}

// settle notes the decision.
func (t *trial) settle(p *auth.Principal, err error) {
	var refusal *auth.Refusal
	switch {
	case err == nil:
		t.Decision, t.Role, t.JoinsRealm, t.JoinsAuthid = "accepted", p.Role, p.Realm, p.Authid
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
	fmt.Fprintf(w, "request   realm=%s authid=%s authmethod=%s ticket=*** (%d bytes)\n", t.Realm, t.Authid, t.Authmethod, t.TicketBytes)
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
		_, err := fmt.Fprintf(w, "accepted  realm=%s authid=%s authrole=%s (%.1f ms)\n", t.JoinsRealm, t.JoinsAuthid, t.Role, t.Milliseconds)
		return err
	}
	_, err := fmt.Fprintf(w, "%-9s %s: %s (%.1f ms)\n", t.Decision, t.URI, t.Message, t.Milliseconds)
	return err
}
