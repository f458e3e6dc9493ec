package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// testCertificate vouches for itself.
func testCertificate(t *testing.T, name string) *x509.Certificate { return testKeyPair(t, name).Leaf }

// testKeyPair is a testCertificate with its key.
func testKeyPair(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: c}
}

func TestCertificatesOfPrincipals(t *testing.T) {
	joe, ann := testCertificate(t, "joe"), testCertificate(t, "ann")
	for _, test := range []struct {
		name      string
		principal Certificate
		client    *x509.Certificate
		want      string
	}{
		{"SHA-256", Certificate{SHA256: SHA256(joe), Authid: "j", Role: "frontend"}, joe, "accept realm1 frontend static"},
		{"SHA-1", Certificate{SHA1: SHA1(joe), Authid: "j", Role: "frontend"}, joe, "accept realm1 frontend static"},
		{"subject", Certificate{Subject: "joe", Authid: "j", Role: "frontend"}, joe, "accept realm1 frontend static"},
		{"another certificate", Certificate{SHA256: SHA256(joe), Authid: "j", Role: "frontend"}, ann, "refuse wamp.error.authentication_denied"},
		{"another certificate by SHA-1", Certificate{SHA1: SHA1(joe), Authid: "j", Role: "frontend"}, ann, "refuse wamp.error.authentication_denied"},
		{"one of two does not fit", Certificate{SHA1: SHA1(joe), Subject: "ann", Authid: "j", Role: "frontend"}, joe, "refuse wamp.error.authentication_denied"},
		{"nothing is compared", Certificate{Authid: "j", Role: "frontend"}, joe, "refuse wamp.error.authentication_denied"},
		{"another realm", Certificate{SHA1: SHA1(joe), Authid: "j", Role: "frontend", Realm: "realm2"}, joe, "refuse wamp.error.authentication_denied"},
		{"its realm", Certificate{SHA1: SHA1(joe), Authid: "j", Role: "frontend", Realm: "realm1"}, joe, "accept realm1 frontend static"},
		{"no certificate", Certificate{SHA256: SHA256(joe), Authid: "j", Role: "frontend"}, nil, "refuse wamp.error.authentication_denied"},
	} {
		state := &tls.ConnectionState{}
		if test.client != nil {
			state.PeerCertificates, state.VerifiedChains = []*x509.Certificate{test.client}, [][]*x509.Certificate{{test.client}}
		}
		r := &Request{Realm: "realm1", Transport: &Transport{TLS: state}}
		_, o := Begin(&Methods{TLS: &TLS{Principals: []Certificate{test.principal}}}, testRealms, r, []string{"tls"})
		if got := outcome(o); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	// Who it is the configuration says, and not the client.
	r := &Request{Realm: "realm1", Authid: "admin", Transport: &Transport{TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{joe}, VerifiedChains: [][]*x509.Certificate{{joe}}}}}
	_, o := Begin(&Methods{TLS: &TLS{Principals: []Certificate{{Subject: "joe", Authid: "j", Role: "frontend"}}}}, testRealms, r, []string{"tls"})
	if o.Accept == nil || o.Accept.Authid != "j" {
		t.Errorf("j's certificate with authid admin: %+v", o.Accept)
	}
	// A certificate that nobody has vouched for is none.
	r = &Request{Realm: "realm1", Transport: &Transport{TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{joe}}}}
	if _, o := Begin(&Methods{TLS: &TLS{Principals: []Certificate{{Subject: "joe", Authid: "j", Role: "frontend"}}}}, testRealms, r, []string{"tls"}); outcome(o) != "refuse wamp.error.authentication_denied" {
		t.Errorf("unverified: %q", outcome(o))
	}
}

func TestFingerprints(t *testing.T) {
	c := testCertificate(t, "joe")
	for _, s := range []string{SHA256(c), strings.ToLower(SHA256(c)), strings.ReplaceAll(SHA256(c), ":", "")} {
		if got, ok := ParseFingerprint(s, 32); !ok || got != SHA256(c) {
			t.Errorf("%q becomes %q, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "AA", SHA1(c), SHA256(c) + ":00", "x" + SHA256(c)[1:]} {
		if got, ok := ParseFingerprint(s, 32); ok {
			t.Errorf("%q becomes %q", s, got)
		}
	}
}

// TestChannelBindingData: each version of TLS has the type that is safe with it, and
// both ends come to the same.
func TestChannelBindingData(t *testing.T) {
	pair := testKeyPair(t, "localhost")
	for version, want := range map[uint16]string{tls.VersionTLS12: bindingUnique, tls.VersionTLS13: bindingExporter} {
		a, b := net.Pipe()
		server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{pair}})
		client := tls.Client(b, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		done := make(chan error, 1)
		go func() { done <- client.HandshakeContext(t.Context()) }()
		if err := errors.Join(server.HandshakeContext(t.Context()), <-done); err != nil {
			t.Fatal(err)
		}
		here, there := server.ConnectionState(), client.ConnectionState()
		for _, kind := range []string{bindingUnique, bindingExporter, "tls-server-end-point", ""} {
			got := (&Transport{TLS: &here}).ChannelBinding(kind)
			if (len(got) > 0) != (kind == want) || !bytes.Equal(got, (&Transport{TLS: &there}).ChannelBinding(kind)) {
				t.Errorf("%s: %q is %x", tls.VersionName(version), kind, got)
			}
			if id := (&Transport{TLS: &here}).ChannelID(kind); kind == want && len(id) != 32 {
				t.Errorf("%s: the channel's id by %q is %x", tls.VersionName(version), kind, id)
			}
		}
		_, _ = a.Close(), b.Close()
	}
}
