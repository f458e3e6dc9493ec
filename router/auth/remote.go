package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"usher/router/wamp"
)

// This file is the form in which an authenticator that is a WAMP client is asked
// and answers: args of a call in JSON, which the router transcodes for it.

// remoteDetails is the third argument of the call.
type remoteDetails struct {
	Ticket     string           `json:"ticket,omitempty"`
	Session    wamp.ID          `json:"session"`
	Authmethod string           `json:"authmethod"`
	Authid     *string          `json:"authid"`
	Authrole   *string          `json:"authrole"`
	Pubkey     string           `json:"pubkey,omitempty"`
	Authextra  json.RawMessage  `json:"authextra"`
	Transport  *remoteTransport `json:"transport"`
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
	switch kind(result) {
	case '"':
		role, err := text("role", result)
		if err != nil {
			return nil, err
		}
		return &Principal{Role: role}, nil
	case '{':
		return remotePrincipal(result)
	}
	return nil, fmt.Errorf("authenticator returned %s; it must return a role or a principal", kindName(result))
}

// remotePrincipal reads a principal key by key: unlike json.Unmarshal into a
// struct it takes keys as they are spelled, and none twice.
func remotePrincipal(object []byte) (*Principal, error) {
	p := new(Principal)
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("read the authenticator's principal: %w", err)
	}
	seen := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("read the authenticator's principal: %w", err)
		}
		key, _ := token.(string)
		if seen[key] {
			return nil, fmt.Errorf("authenticator returned a principal with %q twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("read the authenticator's principal: %w", err)
		}
		if err := p.set(key, value); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read the authenticator's principal: %w", err)
	}
	return p, nil
}

// set fills in one field. A null is what some languages make of an absent one;
// a role of null stays empty and is refused as such.
func (p *Principal) set(key string, value json.RawMessage) (err error) {
	isNull := kind(value) == 'n'
	switch key {
	case "role":
		if !isNull {
			p.Role, err = text(key, value)
		}
	case "authid":
		if !isNull {
			p.Authid, err = text(key, value)
		}
	case "realm":
		if !isNull {
			p.Realm, err = text(key, value)
		}
	case "extra":
		switch {
		case isNull:
		case kind(value) == '{':
			p.Extra = wamp.Value{Format: wamp.JSON, Bytes: value}
		default:
			err = fmt.Errorf("authenticator returned a principal whose extra is %s, not a dict", kindName(value))
		}
	case "expires_at":
		if !isNull {
			p.ExpiresAt, err = remoteTime(key, value)
		}
	case "cache":
		// Whether Crossbar.io may keep the decision. It is not kept here.
		if k := kind(value); !isNull && k != 't' && k != 'f' {
			err = fmt.Errorf("authenticator returned a principal whose cache is %s, not a bool", kindName(value))
		}
	default:
		switch {
		case !isCredential(key):
			err = fmt.Errorf("authenticator returned a principal with the field %q, which is not known here", key)
		case !isNull:
			err = p.Credentials.set(key, value)
		}
	}
	return err
}

// isCredential reports whether a principal may have the field.
func isCredential(key string) bool {
	switch key {
	case "secret", "salt", "iterations", "keylen", "kdf", "memory", "stored_key", "stored-key", "server_key", "server-key", "pubkey", "authorized_keys":
		return true
	}
	return false
}

// set fills in one credential, in usher's spelling or Crossbar.io's.
func (c *Credentials) set(key string, value json.RawMessage) (err error) {
	switch key {
	case "secret":
		c.Secret, err = text(key, value)
	case "salt":
		c.Salt, err = text(key, value)
	case "iterations":
		c.Iterations, err = number(key, value)
	case "keylen":
		c.Keylen, err = number(key, value)
	case "kdf":
		c.KDF, err = text(key, value)
	case "memory":
		c.Memory, err = number(key, value)
	case "stored_key", "stored-key":
		c.StoredKey, err = remoteKey(key, value)
	case "server_key", "server-key":
		c.ServerKey, err = remoteKey(key, value)
	case "pubkey":
		var pubkey string
		if pubkey, err = text(key, value); err == nil {
			c.AuthorizedKeys = append(c.AuthorizedKeys, pubkey)
		}
	case "authorized_keys":
		var keys []json.RawMessage
		if kind(value) != '[' || json.Unmarshal(value, &keys) != nil {
			return fmt.Errorf("authenticator returned a principal whose %s is %s, not a list", key, kindName(value))
		}
		if c.AuthorizedKeys == nil {
			c.AuthorizedKeys = []string{} // an empty list admits nobody
		}
		for _, k := range keys {
			s, err := text(key, k)
			if err != nil {
				return err
			}
			c.AuthorizedKeys = append(c.AuthorizedKeys, s)
		}
	}
	return err
}

func number(key string, value json.RawMessage) (int, error) {
	var n float64
	if json.Unmarshal(value, &n) != nil || n < 0 || n > 1<<31 || n != float64(int(n)) {
		return 0, fmt.Errorf("authenticator returned a principal whose %s is no count", key)
	}
	return int(n), nil
}

// remoteKey reads a key in base64, or in hexadecimal digits as Crossbar.io has it.
func remoteKey(key string, value json.RawMessage) ([]byte, error) {
	s, err := text(key, value)
	if err != nil {
		return nil, err
	}
	b, err := ParseKey(s)
	if err != nil {
		return nil, fmt.Errorf("authenticator returned a principal whose %s cannot be used: %w", key, err)
	}
	return b, nil
}

// ParseKey reads a key of 32 bytes, in hexadecimal digits or base64.
func ParseKey(s string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		b, err = base64.StdEncoding.DecodeString(s)
	}
	if err != nil || len(b) != 32 {
		return nil, errors.New("a key must be 32 bytes in hexadecimal digits or base64")
	}
	return b, nil
}

// remoteTime reads a time in seconds since 1970, or as RFC 3339 writes it.
func remoteTime(key string, value json.RawMessage) (time.Time, error) {
	var seconds float64
	var s string
	switch {
	case kind(value) == '"' && json.Unmarshal(value, &s) == nil:
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t, nil
		}
	case json.Unmarshal(value, &seconds) == nil && seconds > 0 && seconds < 1<<40:
		return time.UnixMilli(int64(seconds * 1000)), nil
	}
	return time.Time{}, fmt.Errorf("authenticator returned a principal whose %s is no time: seconds since 1970, or as RFC 3339 writes it", key)
}

// text reads a JSON string. One that begins with NUL is binary data by WAMP's
// convention and no text.
func text(key string, value json.RawMessage) (string, error) {
	var s string
	if kind(value) != '"' {
		return "", fmt.Errorf("authenticator returned a principal whose %s is %s, not a string", key, kindName(value))
	}
	if err := json.Unmarshal(value, &s); err != nil {
		return "", fmt.Errorf("read the principal's %s: %w", key, err)
	}
	if s != "" && s[0] == 0 {
		return "", fmt.Errorf("authenticator returned a principal whose %s is binary data, not a string", key)
	}
	return s, nil
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
func kind(value json.RawMessage) byte {
	if value = bytes.TrimSpace(value); len(value) > 0 {
		return value[0]
	}
	return 0
}

func kindName(value json.RawMessage) string {
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
