package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"usher/router/auth"
	"usher/router/client"
	"usher/router/trustroot"
)

// The environment variables that hold what proves who logs in, where no flag does.
const (
	ticketVariable = "USHER_TICKET"
	secretVariable = "USHER_SECRET"
)

// The bounds on what is read, in bytes.
const (
	maxTicket  = 64 << 10 // a ticket or secret on standard input
	maxKeyFile = 64 << 10
)

// loginFlags say who logs in and how that is proved. No proof is ever printed.
type loginFlags struct {
	Authid         string  `help:"Who logs in. The methods anonymous, jwt, cryptosign and tls can do without."`
	Authmethod     string  `aliases:"method" placeholder:"METHOD" help:"How: anonymous, ticket, jwt, wampcra, scram, wamp-scram, cryptosign or tls. Default: what the other flags are for."`
	Ticket         *string `help:"The ticket, or token. Default: the environment variable USHER_TICKET, else the first line of standard input."`
	Secret         *string `aliases:"password" help:"The secret or password of wampcra and SCRAM. Default: the environment variable USHER_SECRET, else the first line of standard input."`
	Key            string  `placeholder:"FILE" help:"The Ed25519 key of cryptosign: its seed as 64 hexadecimal digits or 32 bytes, or PEM (PKCS #8)."`
	Certificates   string  `placeholder:"FILE" help:"Certificates of the key of cryptosign, in JSON: a list from its own to the trust root's."`
	Trustroot      string  `placeholder:"ADDRESS" help:"Whose certificates they are. Default: the last one's, which is the root's."`
	ChannelBinding string  `placeholder:"TYPE" help:"Bind the proof of cryptosign or SCRAM to the TLS connection: tls-unique or tls-exporter."`
	Cert           string  `placeholder:"FILE" help:"A client certificate in PEM form, for wss:// and rss://."`
	CertKey        string  `placeholder:"FILE" help:"Its private key. Default: it is in the file of --cert."`
}

// authmethods are those that a command can play.
var authmethods = [...]string{auth.MethodAnonymous, auth.MethodTicket, auth.MethodJWT, auth.MethodWAMPCRA, auth.MethodCrossbarSCRAM, auth.MethodSCRAM, auth.MethodCryptosign, auth.MethodTLS}

// method is the one that the flags are for. absent is the one where no flag says.
func (f *loginFlags) method(absent string) (string, error) {
	name := f.Authmethod
	switch {
	case name != "":
		if !slices.Contains(authmethods[:], name) {
			return "", usageError(fmt.Errorf("--authmethod: %q is none of %s", name, strings.Join(authmethods[:], ", ")))
		}
	case f.Key != "", f.Certificates != "":
		name = auth.MethodCryptosign
	case f.Ticket != nil, f.Authid != "" && f.Cert == "" && f.Secret == nil:
		name = auth.MethodTicket
	case f.Secret != nil:
		return "", usageError(errors.New("--secret goes with --authmethod wampcra, scram or wamp-scram"))
	case f.Cert != "":
		name = auth.MethodTLS
	default:
		name = absent
	}
	if f.Trustroot != "" && f.Certificates == "" {
		return "", usageError(errors.New("--trustroot goes with --certificates: the file of those of that root"))
	}
	switch name {
	case auth.MethodTicket, auth.MethodWAMPCRA, auth.MethodSCRAM, auth.MethodCrossbarSCRAM:
		if f.Authid == "" {
			return "", usageError(fmt.Errorf("--authid is missing: somebody must log in by method %s", name))
		}
	case auth.MethodCryptosign:
		if f.Key == "" {
			return "", usageError(errors.New("--key is missing: the file of the key that cryptosign signs with"))
		}
	case auth.MethodTLS:
		if f.Cert == "" {
			return "", usageError(errors.New("--cert is missing: the file of the client certificate"))
		}
	}
	return name, nil
}

// prover plays the client's part of a method. Secrets are read by it already:
// before there is a connection, whose login has a deadline. proof says in words
// what it has, without telling it.
func (f *loginFlags) prover(ctx context.Context, method string, in io.Reader) (p client.Prover, proof string, err error) {
	hidden := func(what, secret string) string { return fmt.Sprintf(" %s=*** (%d bytes)", what, len(secret)) }
	switch method {
	case auth.MethodTicket:
		ticket, err := readSecret(ctx, "ticket", f.Ticket, ticketVariable, in)
		return client.Ticket(func(context.Context) (string, error) { return ticket, nil }), hidden("ticket", ticket), err
	case auth.MethodJWT:
		token, err := readSecret(ctx, "token", f.Ticket, ticketVariable, in)
		return client.Token(func(context.Context) (string, error) { return token, nil }), hidden("token", token), err
	case auth.MethodWAMPCRA:
		secret, err := readSecret(ctx, "secret", f.Secret, secretVariable, in)
		return client.WAMPCRA(secret), hidden("secret", secret), err
	case auth.MethodSCRAM, auth.MethodCrossbarSCRAM:
		secret, err := readSecret(ctx, "password", f.Secret, secretVariable, in)
		return client.BoundSCRAM(method, f.Authid, secret, f.ChannelBinding), hidden("password", secret), err
	case auth.MethodCryptosign:
		key, err := readKey(f.Key)
		if err != nil {
			return nil, "", fmt.Errorf("--key: %w", err)
		}
		proof := " pubkey=" + hex.EncodeToString(key.Public().(ed25519.PublicKey))
		if f.Certificates == "" {
			return client.Cryptosign(key, f.ChannelBinding), proof, nil
		}
		certificates, root, err := f.readCertificates()
		if err != nil {
			return nil, "", fmt.Errorf("--certificates: %w", err)
		}
		return client.CertifiedCryptosign(key, f.ChannelBinding, root, certificates), proof + " trustroot=" + root, nil
	case auth.MethodTLS:
		return client.Certificate(), "", nil
	}
	return client.Anonymous(), "", nil
}

// readCertificates returns those of the file, in JSON, and the address of their root.
// Whether they hold is the router's to say.
func (f *loginFlags) readCertificates() (certificates []byte, root string, err error) {
	certificates, err = readBounded(f.Certificates)
	if err != nil {
		return nil, "", err
	}
	chain, err := trustroot.ParseChain(certificates)
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("%s: %w", f.Certificates, err)
	case f.Trustroot != "":
		return certificates, f.Trustroot, nil
	case len(chain.Authorities) == 0:
		return nil, "", usageError(errors.New("the file has the key's own certificate alone: say whose it is with --trustroot"))
	}
	return certificates, chain.Root().String(), nil
}

// readSecret returns the flag's, else the environment's, else a line of standard
// input.
func readSecret(ctx context.Context, what string, flag *string, variable string, in io.Reader) (string, error) {
	if flag != nil {
		return *flag, nil
	}
	if s, ok := os.LookupEnv(variable); ok {
		return s, nil
	}
	if isTerminal(in) {
		return "", fmt.Errorf("a %s would be shown while you type it: put it into the environment variable %s, or pipe it to standard input", what, variable)
	}
	type read struct {
		line string
		err  error
	}
	ctx, cancel := context.WithTimeout(ctx, ticketTimeout)
	defer cancel()
	done := make(chan read, 1)
	go func() { // ends with standard input, or the process
		line, err := bufio.NewReader(io.LimitReader(in, maxTicket)).ReadString('\n')
		done <- read{strings.TrimRight(line, "\r\n"), err}
	}()
	var r read
	select {
	case r = <-done:
	case <-ctx.Done():
		r.err = ctx.Err()
	}
	if r.err != nil && !errors.Is(r.err, io.EOF) {
		return "", fmt.Errorf("read the %s from standard input: %w", what, r.err)
	}
	return r.line, nil
}

// readKey reads an Ed25519 key. An error does not repeat what the file holds.
func readKey(name string) (ed25519.PrivateKey, error) {
	data, err := readBounded(name)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(data); block != nil {
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if key, ok := parsed.(ed25519.PrivateKey); ok && err == nil {
			return key, nil
		}
		return nil, fmt.Errorf("%s: the PEM block %q is no Ed25519 key in the form PKCS #8", name, block.Type)
	}
	if len(data) == ed25519.SeedSize {
		return ed25519.NewKeyFromSeed(data), nil
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s holds neither a seed (64 hexadecimal digits, or 32 bytes) nor PEM", name)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// readBounded reads a file of no more than maxKeyFile bytes.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(data) > maxKeyFile {
		err = fmt.Errorf("%s is longer than %d bytes", name, maxKeyFile)
	}
	return data, err
}

// certificate is the one of --cert.
func (f *loginFlags) certificate() (tls.Certificate, error) {
	key := f.CertKey
	if key == "" {
		key = f.Cert
	}
	c, err := tls.LoadX509KeyPair(f.Cert, key)
	if err != nil {
		return c, fmt.Errorf("--cert: %w", err)
	}
	return c, nil
}
