package web

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/router/config"
)

// serialOf is the serial number of what a listener proves itself with now.
func serialOf(t *testing.T, w *world) int64 {
	t.Helper()
	c, err := tls.Dial("tcp", w.address, insecure())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestCertificateFiles replaces certificates in the ways that people and programs
// have. Two looks at the files take up what is new.
func TestCertificateFiles(t *testing.T) {
	for _, text := range []string{webText, rawText, universalText} {
		dir, other := t.TempDir(), t.TempDir()
		certificate(t, dir, 1)
		w := start(t, listenerConf(t, dir, place(text, "tls"), ""))
		k := w.listeners[0].site.Load().certificate
		log := slog.New(slog.NewTextHandler(w.log, nil))
		cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		look := func() { k.refresh(log) }
		expect := func(serial int64) {
			t.Helper()
			look()
			look()
			if got := serialOf(t, w); got != serial {
				t.Errorf("certificate %d, want %d", got, serial)
			}
		}
		expect(1)

		certificate(t, dir, 2) // written over
		expect(2)

		certificate(t, other, 3)
		for name, to := range map[string]string{"cert.pem": cert, "key.pem": key} { // renamed
			if err := os.Rename(filepath.Join(other, name), to); err != nil {
				t.Fatal(err)
			}
		}
		expect(3)

		// The key alone: nothing fits until its certificate comes.
		certificate(t, other, 4)
		if err := os.Rename(filepath.Join(other, "key.pem"), key); err != nil {
			t.Fatal(err)
		}
		look()
		if k.failed.Load() != nil {
			t.Error("told at once, though the certificate may be on its way")
		}
		if err := os.Rename(filepath.Join(other, "cert.pem"), cert); err != nil {
			t.Fatal(err)
		}
		expect(4)

		// Broken for good: the one before stays, which is told once, and shows.
		write(t, cert, "broken")
		for range 5 {
			look()
		}
		expect(4)
		if n := strings.Count(w.log.String(), "certificate not taken up"); n != 1 {
			t.Errorf("told %d times, want once:\n%s", n, w.log)
		}
		if report, status := w.readiness(); status != 200 || report.Status != "degraded" || !strings.Contains(report.Reasons[0], cert) {
			t.Errorf("%d %+v, want degraded and why", status, report)
		}
		if err := os.Remove(cert); err != nil {
			t.Fatal(err)
		}
		expect(4)
		certificate(t, dir, 5)
		expect(5)
		if report, _ := w.readiness(); report.Status != "ok" {
			t.Errorf("%+v, want ok", report)
		}
	}
}

// TestCertificateBehindLinks is how Kubernetes replaces secrets: the files are links
// through one directory's link, which is replaced.
func TestCertificateBehindLinks(t *testing.T) {
	dir := t.TempDir()
	certificate(t, filepath.Join(dir, "v1"), 1)
	certificate(t, filepath.Join(dir, "v2"), 2)
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	link("v1", "data")
	link(filepath.Join("data", "cert.pem"), "cert.pem")
	link(filepath.Join("data", "key.pem"), "key.pem")
	k, err := newKeyPair(&config.TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")})
	if err != nil {
		t.Fatal(err)
	}
	link("v2", "next")
	if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	k.refresh(log)
	k.refresh(log)
	if got := k.current.Load().Leaf.SerialNumber.Int64(); got != 2 {
		t.Errorf("certificate %d, want 2", got)
	}
}

func TestCertificateChain(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, 1)
	certificate(t, filepath.Join(dir, "ca"), 2)
	files := &config.TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), Chain: []string{filepath.Join(dir, "ca", "cert.pem")}}
	k, err := newKeyPair(files)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(k.current.Load().Certificate); n != 2 {
		t.Errorf("%d certificates, want 2", n)
	}
	files.Chain = []string{filepath.Join(dir, "missing.pem")}
	if _, err := newKeyPair(files); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("error %v, want that the file is missing", err)
	}
}

// TestCertificatesAreWatched while the server runs.
func TestCertificatesAreWatched(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for two looks at the files")
	}
	t.Parallel()
	dir := t.TempDir()
	certificate(t, dir, 1)
	w := start(t, listenerConf(t, dir, place(rawText, "tls"), ""))
	certificate(t, dir, 2)
	for start := time.Now(); serialOf(t, w) != 2; time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatal("the certificate was not replaced")
		}
	}
}
