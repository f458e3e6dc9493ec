package router

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/router/client"
	"usher/router/transport"
	"usher/router/wamp"
)

// writeCertificate writes a self-signed certificate for localhost and returns who
// trusts it.
func writeCertificate(t *testing.T, dir string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, content := range map[string][]byte{"cert.pem": certificate, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return &tls.Config{RootCAs: roots}
}

// listenersConf has a listener of every kind at every kind of endpoint.
func listenersConf(dir string) string {
	const auth = "auth: {anonymous: {type: static, role: user}, ticket: {type: static, principals: {joe: {ticket: s3cret, role: guest}}}}"
	var b strings.Builder
	b.WriteString(testConfig[:strings.Index(testConfig, "transports:")] + "transports:\n")
	for _, secure := range []string{"", fmt.Sprintf(", tls: {certificate: %s/cert.pem, key: %s/key.pem}", dir, dir)} {
		for i, text := range []string{
			"type: web\n    paths: {ws: {type: websocket, " + auth + "}}",
			"type: rawsocket\n    " + auth,
			"type: universal\n    rawsocket: {" + auth + "}\n    websocket: {ws: {" + auth + "}}",
		} {
			fmt.Fprintf(&b, "  - endpoint: {type: tcp, interface: 127.0.0.1, port: 0%s}\n    %s\n", secure, text)
			fmt.Fprintf(&b, "  - endpoint: {type: unix, path: %s/s%d%d%s}\n    %s\n", dir, i, min(len(secure), 1), secure, text)
		}
	}
	b.WriteString("limits: {failed_logins: {slow_after: 0}}\n") // many logins are wrong, all of one address
	return b.String()
}

// TestClientsOfEveryListener join in every format at every listener, and all meet
// in one realm; where the router stops, each is told.
func TestClientsOfEveryListener(t *testing.T) {
	dir := t.TempDir()
	trust := writeCertificate(t, dir)
	r, _ := serve(t, listenersConf(dir))
	tr := transport.New(transport.Options{})
	var clients []*client.Client
	refused := map[string]bool{}
	events := make(chan string, 100)
	for _, a := range r.Addresses() {
		urls := a.WebSockets
		if a.RawSocket != "" {
			urls = append(urls, a.RawSocket)
		}
		for _, url := range urls {
			for _, f := range []wamp.Format{wamp.JSON, wamp.MessagePack, wamp.CBOR} {
				c := connect(t, url, client.Options{Format: f, TLS: trust, Transport: tr})
				if _, err := c.Subscribe(t.Context(), "com.example.all", wamp.SubscribeOptions{}, func(*wamp.Event) { events <- url }); err != nil {
					t.Fatal(err)
				}
				clients = append(clients, c)
				scheme, _, _ := strings.Cut(url, ":")
				if refused[scheme] { // once is enough: who guesses is slowed down
					continue
				}
				refused[scheme] = true
				var aborted *client.AbortError
				wrong := func(context.Context) (string, error) { return "wrong", nil }
				if _, err := client.Connect(t.Context(), url, client.Options{Realm: "realm1", Authid: "joe", Ticket: wrong, Format: f, TLS: trust, Transport: tr}); !errors.As(err, &aborted) {
					t.Errorf("%s: login with a wrong ticket: %v", url, err)
				}
			}
		}
	}
	if len(clients) != 3*16 {
		t.Errorf("%d clients, want 48", len(clients))
	}
	if _, err := clients[0].Publish(t.Context(), "com.example.all", wamp.PublishOptions{Acknowledge: true}, wamp.Payload{}); err != nil {
		t.Fatal(err)
	}
	for range len(clients) - 1 { // not the publisher
		select {
		case <-events:
		case <-time.After(10 * time.Second):
			t.Fatal("not everybody got the event")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		<-c.Done()
		var bye *client.GoodbyeError
		if !errors.As(c.Err(), &bye) || bye.Reason != wamp.CloseSystemShutdown {
			t.Errorf("ended with %v", c.Err())
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "s*")); len(left) > 0 || err != nil {
		t.Errorf("sockets are left: %q, %v", left, err)
	}
}
