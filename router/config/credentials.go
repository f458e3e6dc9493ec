package config

import (
	"crypto/sha1"
	"crypto/sha256"
	"regexp"

	"usher/router/auth"
)

// environment is how Crossbar.io's files name a variable in place of a secret.
var environment = regexp.MustCompile(`^\$[A-Z0-9_]+$`)

// secret is a name that is never told. One that stands for something else must not
// become a password that everybody can read.
func (v value) secret() string {
	s := v.name()
	if v.r.crossbar && environment.MatchString(s) {
		v.fail("usher does not read the environment in its configuration: write the secret")
		return ""
	}
	return s
}

// user reads role and realm of a principal.
func (r *reader) user(f *fields, c *Config) auth.User {
	role, realm := f.need("role"), f.get("realm")
	u := auth.User{Role: role.name(), Realm: realm.name()}
	if realm.absent() {
		r.checkRole(c, role)
	} else if u.Role != "" {
		r.checks = append(r.checks, func() { checkMember(c, realm, role) })
	}
	return u
}

func (r *reader) wampcra(v value, c *Config) *auth.WAMPCRA {
	f := v.fields()
	var m *auth.WAMPCRA
	switch r.methodType(f, "wampcra") {
	case "static":
		users := map[string]auth.User{}
		r.eachPrincipal(f.need("users"), func(authid string, f *fields) {
			u := r.user(f, c)
			u.Credentials = auth.Credentials{
				Secret:     f.need("secret").secret(),
				Salt:       f.get("salt").name(),
				Iterations: f.get("iterations").integer(1, 1e7),
				Keylen:     f.get("keylen").integer(1, 1024),
			}
			if err := u.Credentials.CheckSalted(); err != nil {
				f.fail("%s", err)
			}
			users[authid] = u
		})
		m = auth.NewWAMPCRA(users)
	case "dynamic":
		m = &auth.WAMPCRA{Authenticator: r.dynamic(f, c)}
	default:
		return nil
	}
	hints := misplaced("users")
	hints["principals"] = "they are called users here"
	f.done(hints)
	return m
}

func (r *reader) scram(v value, c *Config) *auth.SCRAM {
	f := v.fields()
	var m *auth.SCRAM
	switch r.methodType(f, "scram") {
	case "static":
		users := map[string]auth.User{}
		r.eachPrincipal(f.need("principals"), func(authid string, f *fields) {
			u := r.user(f, c)
			before := len(r.problems)
			u.Credentials = auth.Credentials{
				KDF:        f.need("kdf").name(),
				Salt:       f.need("salt").name(),
				Iterations: f.need("iterations").integer(1, 1e7),
				StoredKey:  key(f.need("stored-key")),
				ServerKey:  key(f.need("server-key")),
			}
			// Crossbar.io's files have a memory of 0 where there is none.
			if memory := f.get("memory"); memory.n == nil || memory.n.text != "0" {
				u.Credentials.Memory = memory.integer(8, 4<<20)
			}
			if len(r.problems) == before {
				if err := u.Credentials.CheckSCRAM(); err != nil {
					f.fail("%s", err)
				}
			}
			users[authid] = u
		})
		m = auth.NewSCRAM(users)
	case "dynamic":
		m = &auth.SCRAM{Authenticator: r.dynamic(f, c)}
	default:
		return nil
	}
	f.done(misplaced("principals"))
	return m
}

// key reads one of SCRAM. What is wrong is told without it.
func key(v value) []byte {
	s := v.secret()
	if s == "" {
		return nil
	}
	b, err := auth.ParseKey(s)
	if err != nil {
		v.fail("%s", err)
	}
	return b
}

func (r *reader) cryptosign(v value, c *Config) *auth.Cryptosign {
	f := v.fields()
	for _, name := range []string{"trustroot", "trustroots"} {
		roots := f.get(name)
		if roots.absent() {
			continue
		}
		roots.unsupported("trust roots are not supported: name the keys, or ask an authenticator; nobody joins by a certificate chain")
		if f.n != nil && !f.n.has("principals") && !f.n.has("authenticator") {
			return nil // there is nothing else
		}
	}
	var m *auth.Cryptosign
	switch r.methodType(f, "cryptosign") {
	case "static":
		users := map[string]auth.User{}
		r.eachPrincipal(f.need("principals"), func(authid string, f *fields) {
			u := r.user(f, c)
			list := f.need("authorized_keys")
			u.Credentials.AuthorizedKeys = list.names(func(key string) string {
				one := auth.Credentials{AuthorizedKeys: []string{key}}
				if one.CheckKeys() != nil {
					return "is not a public key of 64 hexadecimal digits"
				}
				return ""
			})
			if list.n != nil && list.n.kind == kindList && len(list.n.items) == 0 {
				list.fail("the list is empty: %q could not log in", authid)
			}
			if err := u.Credentials.CheckKeys(); err != nil {
				f.fail("%s", err)
			}
			users[authid] = u
		})
		m = auth.NewCryptosign(users)
	case "dynamic":
		m = &auth.Cryptosign{Authenticator: r.dynamic(f, c)}
	default:
		return nil
	}
	f.done(misplaced("principals"))
	return m
}

func (r *reader) certificates(v value, c *Config) *auth.TLS {
	f := v.fields()
	var m *auth.TLS
	switch r.methodType(f, "tls") {
	case "static":
		m = &auth.TLS{}
		r.eachPrincipal(f.need("principals"), func(authid string, f *fields) {
			u := r.user(f, c)
			p := auth.Certificate{
				SHA256:  fingerprint(f.get("certificate-sha256"), sha256.Size),
				SHA1:    fingerprint(f.get("certificate-sha1"), sha1.Size),
				Subject: f.get("subject").name(),
				Authid:  authid, Role: u.Role, Realm: u.Realm,
			}
			if f.n != nil && !f.n.has("certificate-sha256") && !f.n.has("certificate-sha1") && !f.n.has("subject") {
				f.fail("which certificate is it? Write certificate-sha256, certificate-sha1 or subject, its common name")
			}
			m.Principals = append(m.Principals, p)
		})
	case "dynamic":
		m = &auth.TLS{Authenticator: r.dynamic(f, c)}
	default:
		return nil
	}
	f.done(misplaced("principals"))
	return m
}

func fingerprint(v value, size int) string {
	s := v.name()
	if s == "" {
		return ""
	}
	written, ok := auth.ParseFingerprint(s, size)
	if !ok {
		v.fail("%q is not a fingerprint of %d pairs of hexadecimal digits, as openssl x509 -noout -fingerprint prints it", s, size)
	}
	return written
}

// checkCertificateUsers tells methods that want a client certificate, from index
// first of those read, at an endpoint that asks for none.
func (r *reader) checkCertificateUsers(first int, e Endpoint) {
	if e.TLS != nil && len(e.TLS.ClientCAs) > 0 {
		return
	}
	for _, v := range r.certificateUsers[first:] {
		v.unsupported("no client has a certificate here: give the endpoint tls: {ca_certificates: […]}, the files of whoever issues them")
	}
}
