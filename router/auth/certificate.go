package auth

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"strings"
)

// SHA256 is the fingerprint of a certificate in the form that OpenSSL prints:
// pairs of hexadecimal digits in upper case with colons between them.
func SHA256(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return fingerprint(sum[:])
}

// SHA1 is the other fingerprint that people write into configurations. Only
// certificates that an authority has vouched for are compared by it.
func SHA1(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return fingerprint(sum[:])
}

func fingerprint(sum []byte) string {
	digits := strings.ToUpper(hex.EncodeToString(sum))
	var b strings.Builder
	for i := 0; i < len(digits); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(digits[i : i+2])
	}
	return b.String()
}

// ParseFingerprint reads a fingerprint of size bytes, in either case, with or
// without colons, and writes it as SHA256 and SHA1 do.
func ParseFingerprint(s string, size int) (written string, ok bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	return fingerprint(b), err == nil && len(b) == size
}

// NameParts are the parts of a certificate's subject or issuer under the short
// names that OpenSSL has for them. Of several with one name the first counts.
func NameParts(n pkix.Name) map[string]string {
	parts := map[string]string{}
	for _, attribute := range n.Names {
		name, ok := shortName(attribute.Type.String())
		value, isText := attribute.Value.(string)
		if _, taken := parts[name]; ok && isText && !taken {
			parts[name] = value
		}
	}
	return parts
}

func shortName(oid string) (string, bool) {
	switch oid {
	case "2.5.4.3":
		return "CN", true
	case "2.5.4.4":
		return "SN", true
	case "2.5.4.5":
		return "serialNumber", true
	case "2.5.4.6":
		return "C", true
	case "2.5.4.7":
		return "L", true
	case "2.5.4.8":
		return "ST", true
	case "2.5.4.10":
		return "O", true
	case "2.5.4.11":
		return "OU", true
	case "2.5.4.42":
		return "GN", true
	case "1.2.840.113549.1.9.1":
		return "emailAddress", true
	case "0.9.2342.19200300.100.1.1":
		return "UID", true
	case "0.9.2342.19200300.100.1.25":
		return "DC", true
	}
	return "", false
}
