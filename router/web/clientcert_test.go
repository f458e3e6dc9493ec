package web

import (
	"context"
	"crypto/tls"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"usher/router/transport"
)

// withClients asks clients of a TLS endpoint for certificates.
func withClients(text, more string) string {
	return strings.Replace(text, "key: key.pem}", "key: key.pem, ca_certificates: [clients/cert.pem]"+more+"}", 1)
}

// dialWith connects with the certificate in dir; empty: with none.
func dialWith(t *testing.T, url, dir string) (transport.Conn, error) {
	t.Helper()
	c := insecure()
	if dir != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
		if err != nil {
			t.Fatal(err)
		}
		// Whatever the router says whom it trusts.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := transport.New(transport.Options{}).Dial(ctx, url, transport.DialOptions{Subprotocols: []string{"wamp.2.cbor"}, TLS: c})
	if err == nil {
		t.Cleanup(func() { conn.Close(transport.CloseNormal); <-conn.Done() })
	}
	return conn, err
}

// TestClientCertificates: only those that an authority has vouched for come in, and
// the session learns which it is, whatever is spoken.
func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	mine, other := filepath.Join(dir, "clients"), filepath.Join(dir, "other")
	certificate(t, dir, 1)
	certificate(t, mine, 7)
	certificate(t, other, 8)
	for name, text := range map[string]string{"rawsocket": rawText, "universal": universalText, "web": webText} {
		for _, optional := range []bool{false, true} {
			more := ""
			if optional {
				more = ", client_certificates: optional"
			}
			w := start(t, listenerConf(t, dir, withClients(place(text, "tls"), more), ""))
			a := w.Addresses()[0]
			urls := a.WebSockets
			if a.RawSocket != "" {
				urls = append(urls, a.RawSocket)
			}
			for _, url := range urls {
				for who, want := range map[string]struct {
					admitted bool
					serial   int64 // 0: the session knows of no certificate
				}{mine: {true, 7}, other: {}, "": {optional, 0}} {
					_, err := dialWith(t, url, who)
					if (err == nil) != want.admitted {
						t.Errorf("%s, optional %v, %s with %q: %v", name, optional, url, who, err)
					}
					if err != nil {
						continue
					}
					s := w.session(t)
					c := s.transport.ClientCertificate()
					if !s.transport.Secure || s.transport.TLS == nil || (c != nil) != (want.serial != 0) || c != nil && c.SerialNumber.Int64() != want.serial {
						t.Errorf("%s, optional %v, %s with %q: the session has %+v", name, optional, url, who, s.transport)
					}
				}
			}
		}
	}
}

// TestClientAuthoritiesAreReplaced while the router runs, and by a reload.
func TestClientAuthoritiesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	clients, other := filepath.Join(dir, "clients"), filepath.Join(dir, "other")
	certificate(t, dir, 1)
	certificate(t, clients, 7)
	text := place(webText, "tls")
	w := start(t, listenerConf(t, dir, withClients(text, ""), ""))
	url := w.Addresses()[0].WebSockets[0]
	admits := func(who string, want bool) {
		t.Helper()
		if _, err := dialWith(t, url, who); (err == nil) != want {
			t.Errorf("with %q: %v, want admitted %v", who, err, want)
		}
	}
	admits(clients, true)
	admits("", false)
	k := w.listeners[0].site.Load().certificate
	log := slog.New(slog.NewTextHandler(w.log, nil))
	write(t, filepath.Join(clients, "cert.pem"), "broken")
	for range 3 {
		k.refresh(log)
	}
	if !strings.Contains(w.log.String(), "holds no certificate in PEM form") {
		t.Errorf("not told:\n%s", w.log)
	}
	admits("", false) // those before stay
	certificate(t, clients, 9)
	certificate(t, other, 8)
	k.refresh(log)
	k.refresh(log)
	admits(clients, true)
	admits(other, false)
	if err := w.Reload(listenerConf(t, dir, text, "")); err != nil {
		t.Fatal(err)
	}
	admits("", true)
	if err := w.Reload(listenerConf(t, dir, withClients(text, ""), "")); err != nil {
		t.Fatal(err)
	}
	admits("", false)
	write(t, filepath.Join(clients, "cert.pem"), "broken")
	if err := w.Reload(listenerConf(t, dir, withClients(text, ""), "")); err == nil || !strings.Contains(err.Error(), "holds no certificate in PEM form") {
		t.Errorf("error %v", err)
	}
}
