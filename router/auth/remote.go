package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"usher/router/trustroot"
	"usher/router/wamp"
)

// This file is the form in which an authenticator that is a WAMP client is asked
// and answers: args of a call in JSON, which the router transcodes for it.

// remoteDetails is the third argument of the call.
type remoteDetails struct {
	Ticket     string            `json:"ticket,omitempty"`
	Session    wamp.ID           `json:"session"`
	Authmethod string            `json:"authmethod"`
	Authid     *string           `json:"authid"`
	Authrole   *string           `json:"authrole"`
	Pubkey     string            `json:"pubkey,omitempty"`
	Delegation *remoteDelegation `json:"delegation,omitempty"`
	Authextra  json.RawMessage   `json:"authextra"`
	Transport  *remoteTransport  `json:"transport"`
}

// remoteTransport describes the connection in the words of 2015 and, beside
// them, in those that Crossbar.io uses today: authenticators exist for both.
type remoteTransport struct {
	Cbtid               *string            `json:"cbtid"`
	Protocol            string             `json:"protocol"`
	HTTPHeadersReceived map[string]string  `json:"http_headers_received"`
	Peer                string             `json:"peer"`
	HTTPHeadersSent     map[string]string  `json:"http_headers_sent"`
	Type                string             `json:"type"`
	ClientCert          *remoteCertificate `json:"client_cert"`
	Path                string             `json:"path"`
	Query               string             `json:"query"`

	HTTPCbtid           *string            `json:"http_cbtid"`
	WebsocketProtocol   string             `json:"websocket_protocol"`
	WebsocketExtensions []string           `json:"websocket_extensions_in_use"`
	ChannelType         string             `json:"channel_type"`
	ChannelFraming      string             `json:"channel_framing"`
	PeerCert            *remoteCertificate `json:"peer_cert"`
	IsSecure            bool               `json:"is_secure"`
	IsServer            bool               `json:"is_server"`
}

// remoteCertificate describes a client certificate as Crossbar.io does, with what
// it has no name for.
type remoteCertificate struct {
	SHA1      string            `json:"sha1"`
	SHA256    string            `json:"sha256"`
	Subject   map[string]string `json:"subject"`
	Issuer    map[string]string `json:"issuer"`
	Serial    string            `json:"serial"` // too large for a number in most languages
	NotBefore string            `json:"not_before"`
	NotAfter  string            `json:"not_after"`
	DNSNames  []string          `json:"dns_names,omitempty"`
	Emails    []string          `json:"emails,omitempty"`
}

func newRemoteCertificate(c *x509.Certificate) *remoteCertificate {
	if c == nil {
		return nil
	}
	const layout = "20060102150405Z"
	return &remoteCertificate{
		SHA1: SHA1(c), SHA256: SHA256(c), Subject: lowerKeys(NameParts(c.Subject)), Issuer: lowerKeys(NameParts(c.Issuer)),
		Serial: c.SerialNumber.String(), NotBefore: c.NotBefore.UTC().Format(layout), NotAfter: c.NotAfter.UTC().Format(layout),
		DNSNames: c.DNSNames, Emails: c.EmailAddresses,
	}
}

// remoteDelegation is what cryptosign certificates say.
type remoteDelegation struct {
	Trustroot         string `json:"trustroot"`
	Delegate          string `json:"delegate"`
	Realm             string `json:"realm"`
	ChainID           uint64 `json:"chain_id"`
	VerifyingContract string `json:"verifying_contract"`
	Capabilities      uint64 `json:"capabilities"` // bits
}

func newRemoteDelegation(d *trustroot.Delegation) *remoteDelegation {
	if d == nil {
		return nil
	}
	return &remoteDelegation{
		Trustroot: d.Trustroot.String(), Delegate: d.Delegate.String(), Realm: d.Realm.String(),
		ChainID: d.ChainID, VerifyingContract: d.Contract.String(), Capabilities: d.Capabilities,
	}
}

func lowerKeys(m map[string]string) map[string]string {
	lower := make(map[string]string, len(m))
	for key, value := range m {
		lower[strings.ToLower(key)] = value
	}
	return lower
}

// RemoteArgs is the question as call args in JSON: realm, authid, details.
// authextra is r.Authextra in JSON; empty if absent.
func RemoteArgs(r *Request, authextra []byte) (wamp.Payload, error) {
	details := remoteDetails{
		Ticket:     r.Ticket,
		Session:    r.Session,
		Authmethod: r.Authmethod,
		Authid:     orNull(r.Authid),
		Authrole:   orNull(r.Authrole),
		Pubkey:     r.Pubkey,
		Delegation: newRemoteDelegation(r.Delegation),
		Authextra:  authextra,
	}
	if len(authextra) == 0 {
		details.Authextra = json.RawMessage("null")
	}
	if t := r.Transport; t != nil {
		certificate := newRemoteCertificate(t.ClientCertificate())
		details.Transport = &remoteTransport{
			Cbtid:               orNull(t.Cbtid),
			Protocol:            t.Protocol,
			HTTPHeadersReceived: orEmpty(t.HeadersReceived),
			Peer:                t.Peer,
			HTTPHeadersSent:     orEmpty(t.HeadersSent),
			Type:                t.Type,
			Path:                t.Path,
			Query:               t.Query,
			HTTPCbtid:           orNull(t.Cbtid),
			WebsocketProtocol:   t.Protocol,
			WebsocketExtensions: []string{},
			ChannelType:         channelType(t),
			ChannelFraming:      t.Type,
			IsSecure:            t.Secure,
			ClientCert:          certificate,
			PeerCert:            certificate,
			IsServer:            true,
		}
	}
	args, err := marshal([]any{orNull(r.Realm), orNull(r.Authid), &details})
	if err != nil {
		return wamp.Payload{}, fmt.Errorf("write the question for a remote authenticator: %w", err)
	}
	return wamp.Payload{Format: wamp.JSON, Args: args}, nil
}

// marshal is json.Marshal without its escaping of what HTML would mind.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func channelType(t *Transport) string {
	if t.Secure {
		return "tls"
	}
	return "tcp"
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// RemotePrincipal reads a remote authenticator's result: its args and kwargs in
// JSON, each empty if absent. Whatever is not exactly one role or one principal
// is an error.
func RemotePrincipal(args, kwargs []byte) (*Principal, error) {
	if k := bytes.TrimSpace(kwargs); len(k) > 0 && !bytes.Equal(k, []byte("{}")) {
		return nil, errors.New("authenticator returned keyword results; it must return one role or principal")
	}
	var results []json.RawMessage
	if len(args) > 0 {
		if err := json.Unmarshal(args, &results); err != nil {
			return nil, fmt.Errorf("read the authenticator's result: %w", err)
		}
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("authenticator returned %d results; it must return one role or principal", len(results))
	}
	result := results[0]
	p := new(Principal)
	switch kind(result) {
	case '"':
		if err := p.Set("role", jsonValue(result)); err != nil {
			return nil, fmt.Errorf("authenticator %w", err)
		}
		return p, nil
	case '{':
		if err := eachField(result, p.setRemote); err != nil {
			return nil, fmt.Errorf("authenticator %w", err)
		}
		return p, nil
	}
	return nil, fmt.Errorf("authenticator returned %s; it must return a role or a principal", kindName(result))
}

// eachField reads a JSON object key by key: unlike json.Unmarshal into a struct it
// takes keys as they are spelled, and none twice.
func eachField(object []byte, take func(key string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(object))
	seen := make(map[string]bool)
	_, err := d.Token()
	for err == nil && d.More() {
		var token json.Token
		if token, err = d.Token(); err != nil {
			break
		}
		key, _ := token.(string)
		if seen[key] {
			return fmt.Errorf("returned a dict with %.100q twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err = d.Decode(&value); err != nil {
			break
		}
		if err := take(key, value); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("returned what cannot be read: %w", err)
	}
	return nil
}

// setRemote fills in one field, in usher's spelling or Crossbar.io's. A null is what
// some languages make of an absent one; a role of null stays empty and is refused as
// such.
func (p *Principal) setRemote(key string, value json.RawMessage) error {
	isNull := kind(value) == 'n'
	field := p.field(key)
	switch key {
	case "stored-key":
		field = &p.Credentials.StoredKey
	case "server-key":
		field = &p.Credentials.ServerKey
	case "pubkey": // one beside those of authorized_keys
		field = &p.Credentials.AuthorizedKeys
		value = slices.Concat([]byte("["), value, []byte("]"))
	case "cache":
		// Whether Crossbar.io may keep the decision. It is not kept here.
		if k := kind(value); !isNull && k != 't' && k != 'f' {
			return fmt.Errorf("returned a principal whose cache is %s, not a bool", kindName(value))
		}
		return nil
	}
	if isNull && field != nil {
		return nil
	}
	return setField(key, field, jsonValue(value))
}

// jsonValue is a value that a remote authenticator returned.
type jsonValue json.RawMessage

// Text is a JSON string. One that begins with NUL is binary data by WAMP's convention
// and no text.
func (v jsonValue) Text() (s string, ok bool) {
	ok = kind(v) == '"' && json.Unmarshal(v, &s) == nil && !strings.HasPrefix(s, "\x00")
	return s, ok
}

// Bytes is nothing: keys are text for a remote authenticator.
func (v jsonValue) Bytes() ([]byte, bool) { return nil, false }

// Number is infinite where it is too large.
func (v jsonValue) Number() (float64, bool) {
	n, err := strconv.ParseFloat(string(bytes.TrimSpace(v)), 64)
	return n, err == nil || errors.Is(err, strconv.ErrRange)
}

// List returns the items of a list.
func (v jsonValue) List() ([]Returned, bool) {
	var items []json.RawMessage
	if kind(v) != '[' || json.Unmarshal(v, &items) != nil {
		return nil, false
	}
	list := make([]Returned, len(items))
	for i, item := range items {
		list[i] = jsonValue(item)
	}
	return list, true
}

// Dict is the value itself.
func (v jsonValue) Dict() (wamp.Value, bool, error) {
	return wamp.Value{Format: wamp.JSON, Bytes: v}, kind(v) == '{', nil
}

// Kind implements Returned.
func (v jsonValue) Kind() string {
	if _, ok := v.Text(); !ok && kind(v) == '"' {
		return "binary data"
	}
	return kindName(v)
}

// RemoteError is what a remote authenticator's ERROR means: a *Refusal with its
// URI and first argument, or a failure where the URI is one that WAMP libraries
// and the router use for things that went wrong, so that no inner text leaks.
func RemoteError(uri string, args []byte) error {
	message := ""
	var arguments []json.RawMessage
	if len(args) > 0 && json.Unmarshal(args, &arguments) == nil && len(arguments) > 0 && kind(arguments[0]) == '"' {
		// A first argument that is no text leaves the message empty.
		_ = json.Unmarshal(arguments[0], &message)
	}
	switch uri {
	case wamp.ErrRuntime, wamp.ErrInvalidArgument, wamp.ErrCanceled, wamp.ErrTimeout, wamp.ErrNetworkFailure:
		return fmt.Errorf("authenticator failed with %s: %s", uri, message)
	}
	return &Refusal{URI: uri, Message: message}
}

// kind is the first byte of a JSON value, which tells its type.
func kind(value []byte) byte {
	if value = bytes.TrimSpace(value); len(value) > 0 {
		return value[0]
	}
	return 0
}

func kindName(value []byte) string {
	switch kind(value) {
	case '"':
		return "a string"
	case '{':
		return "a dict"
	case '[':
		return "a list"
	case 't', 'f':
		return "a bool"
	case 'n':
		return "null"
	case 0:
		return "nothing"
	}
	return "a number"
}
