package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"time"
)

// certificateExample is the example that comes with certificates.
const certificateExample = "certificate"

// certificateLife is how long they are good for: they are to try things out.
const certificateLife = 90 * 24 * time.Hour

// newCertificates makes those of the example in dir: an authority, the router for
// this machine's own names, and joe, an operator; each NAME.pem with NAME.key.
func newCertificates(dir string) ([]newFile, error) {
	now := time.Now()
	base := x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), BasicConstraintsValid: true}
	ca, router, joe := base, base, base
	ca.Subject = pkix.Name{CommonName: "usher example CA"}
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	router.Subject = pkix.Name{CommonName: "localhost"}
	router.DNSNames, router.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	router.KeyUsage, router.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	joe.Subject = pkix.Name{CommonName: "joe", OrganizationalUnit: []string{"operators"}}
	joe.KeyUsage, joe.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}

	var files []newFile
	var authority *ecdsa.PrivateKey
	for _, c := range []struct {
		name string
		is   *x509.Certificate
	}{{"ca", &ca}, {"router", &router}, {"joe", &joe}} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		if authority == nil {
			authority = key
		}
		if c.is.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
			return nil, fmt.Errorf("make a certificate: %w", err)
		}
		der, err := x509.CreateCertificate(rand.Reader, c.is, &ca, &key.PublicKey, authority)
		if err != nil {
			return nil, fmt.Errorf("make a certificate: %w", err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		files = append(files,
			newFile{filepath.Join(dir, c.name+".pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644},
			newFile{filepath.Join(dir, c.name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), 0o600})
	}
	return files, nil
}
