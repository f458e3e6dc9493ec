package web

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"usher/router/config"
)

// certificateInterval is how often the files of certificates are looked at. What
// was written anew counts once it has been the same twice, as it may be half of it
// that was seen, or the certificate without its key.
const certificateInterval = 2 * time.Second

// keyPair is what a listener proves itself with, as its files say. They are
// read rather than watched: that sees every way of replacing them, by renaming, by
// writing over them, by changing what a symbolic link above them names.
type keyPair struct {
	files   *config.TLS
	current atomic.Pointer[tls.Certificate]
	clients atomic.Pointer[x509.CertPool] // who vouches for clients; nil: they are asked for nothing
	failed  atomic.Pointer[error]         // why what the files hold is not current; nil: it is

	mu     sync.Mutex
	loaded [sha256.Size]byte // of what is current
	seen   [sha256.Size]byte // of what was there the last time
	judged [sha256.Size]byte // of what was found to be broken
}

// newKeyPair reads the files for the first time.
func newKeyPair(files *config.TLS) (*keyPair, error) {
	k := &keyPair{files: files}
	content, sum, err := k.read()
	if err != nil {
		return nil, err
	}
	parsed, clients, err := content.parse()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	k.current.Store(parsed)
	k.clients.Store(clients)
	k.loaded, k.seen = sum, sum
	return k, nil
}

// String names the files.
func (k *keyPair) String() string {
	return fmt.Sprintf("tls: certificate %s with key %s", k.files.Certificate, k.files.Key)
}

// pems are the contents of a certificate's files, and of those of who vouches for
// clients.
type pems struct {
	chain, key []byte
	clients    []byte
}

// read reads the files; where that fails, the sum is of how.
func (k *keyPair) read() (p pems, sum [sha256.Size]byte, err error) {
	for _, name := range append([]string{k.files.Certificate}, k.files.Chain...) {
		content, rerr := os.ReadFile(name)
		p.chain = append(append(p.chain, content...), '\n')
		err = errors.Join(err, rerr)
	}
	for _, name := range k.files.ClientCAs {
		content, rerr := os.ReadFile(name)
		if rerr == nil && !x509.NewCertPool().AppendCertsFromPEM(content) {
			rerr = fmt.Errorf("%s holds no certificate in PEM form", name)
		}
		p.clients = append(append(p.clients, content...), '\n')
		err = errors.Join(err, rerr)
	}
	key, rerr := os.ReadFile(k.files.Key)
	if err = errors.Join(err, rerr); err != nil {
		err = fmt.Errorf("tls: %w", err)
		return p, sha256.Sum256([]byte(err.Error())), err
	}
	p.key = key
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n%s%s%s", len(p.chain), len(p.clients), p.chain, p.clients, p.key)
	return p, [sha256.Size]byte(h.Sum(nil)), nil
}

func (p pems) parse() (*tls.Certificate, *x509.CertPool, error) {
	parsed, err := tls.X509KeyPair(p.chain, p.key)
	if err != nil {
		return nil, nil, err
	}
	if len(p.clients) == 0 {
		return &parsed, nil, nil
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(p.clients) // read has looked at each file
	return &parsed, clients, nil
}

// tlsConfig is what l speaks TLS with: what its site has at the time of a
// connection.
func (l *listener) tlsConfig() *tls.Config {
	certificate := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if k := l.site.Load().certificate; k != nil {
			return k.current.Load(), nil
		}
		return nil, errNoCertificate
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: certificate,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			k := l.site.Load().certificate
			if k == nil || k.clients.Load() == nil {
				return nil, nil // the listener's own
			}
			c := &tls.Config{
				MinVersion: tls.VersionTLS12, GetCertificate: certificate,
				ClientCAs: k.clients.Load(), ClientAuth: tls.RequireAndVerifyClientCert,
				// A session that is taken up again would not be verified again.
				SessionTicketsDisabled: true,
			}
			if k.files.ClientOptional {
				c.ClientAuth = tls.VerifyClientCertIfGiven
			}
			if l.accept == nil {
				c.NextProtos = []string{"http/1.1"} // as the HTTP server's own
			}
			return c, nil
		},
	}
}

// errNoCertificate cannot happen: a site of a listener with TLS has a certificate.
var errNoCertificate = errors.New("no certificate")

// tlsState is what was agreed on a connection; nil: it is plain.
func tlsState(c net.Conn) *tls.ConnectionState {
	secure, ok := c.(*tls.Conn)
	if !ok {
		return nil
	}
	state := secure.ConnectionState()
	return &state
}

// refresh takes up what the files hold if that is new, at rest and sound. If not,
// what is current stays.
func (k *keyPair) refresh(log *slog.Logger) {
	k.mu.Lock()
	defer k.mu.Unlock()
	content, sum, err := k.read()
	atRest := sum == k.seen
	k.seen = sum
	if sum == k.loaded {
		k.failed.Store(nil)
		return
	}
	if !atRest || sum == k.judged {
		return
	}
	var parsed *tls.Certificate
	var clients *x509.CertPool
	if err == nil {
		parsed, clients, err = content.parse()
	}
	if err != nil {
		k.judged = sum
		err = fmt.Errorf("%s: the files have changed and can't be used, the certificate before stays: %w", k, err)
		k.failed.Store(&err)
		log.Error("certificate not taken up, the one before stays", slog.String("certificate", k.files.Certificate), slog.Any("error", err))
		return
	}
	k.current.Store(parsed)
	k.clients.Store(clients)
	k.failed.Store(nil)
	k.loaded, k.judged = sum, [sha256.Size]byte{}
	log.Info("certificate replaced", slog.String("certificate", k.files.Certificate), slog.Time("not_after", parsed.Leaf.NotAfter))
}

// watchCertificates looks at the files of all certificates until ctx ends.
func (s *Server) watchCertificates(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, l := range s.listeners {
			if k := l.site.Load().certificate; k != nil {
				k.refresh(s.options.Log)
			}
		}
	}
}
