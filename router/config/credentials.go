package config

import (
	"crypto/sha1"
	"crypto/sha256"
	"math"
	"regexp"
	"slices"

	"usher/router/auth"
	"usher/router/trustroot"
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

// users reads what the methods share whose clients prove who they are: either who is
// asked, or a dict by authid under key, of which read takes what is the method's own. It
// may be absent where one of the keys is there that can stand instead. ok: the method
// can be had.
func (r *reader) users(f *fields, c *Config, method, key string, read func(authid string, f *fields, u *auth.User), instead ...string) (users map[string]auth.User, d *auth.Dynamic, ok bool) {
	switch r.methodType(f, method) {
	case "static":
		users = map[string]auth.User{}
		principals := f.get(key)
		if principals.absent() && !slices.ContainsFunc(instead, f.n.has) {
			principals = f.need(key)
		}
		r.eachPrincipal(principals, func(authid string, f *fields) {
			u := r.user(f, c)
			read(authid, f, &u)
			users[authid] = u
		})
	case "dynamic":
		d = r.dynamic(f, c)
	default:
		return nil, nil, false
	}
	hints := misplaced(key)
	if key == "users" {
		hints["principals"] = "they are called users here"
	}
	f.done(hints)
	return users, d, true
}

func (r *reader) wampcra(v value, c *Config) *auth.WAMPCRA {
	users, d, ok := r.users(v.fields(), c, auth.MethodWAMPCRA, "users", func(_ string, f *fields, u *auth.User) {
		u.Credentials = auth.Credentials{
			Secret:     f.need("secret").secret(),
			Salt:       f.get("salt").name(),
			Iterations: f.get("iterations").integer(1, 1e7),
			Keylen:     f.get("keylen").integer(1, 1024),
		}
		if err := u.Credentials.CheckSalted(); err != nil {
			f.fail("%s", err)
		}
	})
	switch {
	case !ok:
		return nil
	case d != nil:
		return &auth.WAMPCRA{Authenticator: d}
	}
	return auth.NewWAMPCRA(users)
}

func (r *reader) scram(v value, c *Config) *auth.SCRAM {
	users, d, ok := r.users(v.fields(), c, auth.MethodCrossbarSCRAM, "principals", func(_ string, f *fields, u *auth.User) {
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
	})
	switch {
	case !ok:
		return nil
	case d != nil:
		return &auth.SCRAM{Authenticator: d}
	}
	return auth.NewSCRAM(users)
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
	var roots []auth.Root
	if r.crossbar {
		for _, name := range []string{"trustroot", "trustroots"} {
			theirs := f.get(name)
			if theirs.absent() {
				continue
			}
			theirs.warn("trust roots are not read from Crossbar.io's files: write them in usher.yaml, name the keys, or ask an authenticator; nobody joins by a certificate chain")
			if f.n != nil && !f.n.has("principals") && !f.n.has("authenticator") {
				return nil // there is nothing else
			}
		}
	} else if f.n != nil && f.n.has("trustroots") {
		roots = r.trustroots(f, c)
	}
	users, d, ok := r.users(f, c, auth.MethodCryptosign, "principals", func(authid string, f *fields, u *auth.User) {
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
	}, "trustroots")
	switch {
	case !ok:
		return nil
	case d != nil:
		if len(roots) > 0 {
			f.get("trustroots").fail("trustroots go with type: static; an authenticator decides by request.delegation")
		}
		return &auth.Cryptosign{Authenticator: d}
	}
	m := auth.NewCryptosign(users)
	m.Roots = roots
	return m
}

// trustroots reads standalone trust roots, by address:
//
//	role, realm          of those who show certificates of this root
//	chain_id, verifying_contract, certificate_realm
//	                     what the certificates are to be for; absent: anything
//	certificates         those that need not be shown, in JSON: a list that ends
//	                     with the root's
func (r *reader) trustroots(f *fields, c *Config) (roots []auth.Root) {
	address := func(v value) (a trustroot.Address) {
		if s := v.name(); s != "" {
			var err error
			if a, err = trustroot.ParseAddress(s); err != nil {
				v.fail("%s", err)
			}
		}
		return a
	}
	f.get("trustroots").each(func(key string, v value) {
		f := v.fields()
		u := r.user(f, c)
		root := auth.Root{
			Role: u.Role, Realm: u.Realm,
			ChainID:          uint64(f.get("chain_id").integer(1, math.MaxInt)),
			Contract:         address(f.get("verifying_contract")),
			CertificateRealm: address(f.get("certificate_realm")),
		}
		var err error
		if root.Address, err = trustroot.ParseAddress(key); err != nil {
			v.fail("%s", err)
		} else if slices.ContainsFunc(roots, func(other auth.Root) bool { return other.Address == root.Address }) {
			v.fail("this address stands here twice")
		}
		if known := f.get("certificates"); known.name() != "" {
			if root.Authorities, err = trustroot.ParseAuthorities([]byte(known.text())); err != nil {
				known.fail("%s", err)
			} else if of, err := trustroot.VerifyAuthorities(root.Authorities); err != nil {
				known.fail("%s", err)
			} else if of != root.Address {
				known.fail("they are of the trust root %s", of)
			}
		}
		f.done(nil)
		roots = append(roots, root)
	})
	return roots
}

func (r *reader) certificates(v value, c *Config) *auth.TLS {
	m := &auth.TLS{}
	_, d, ok := r.users(v.fields(), c, auth.MethodTLS, "principals", func(authid string, f *fields, u *auth.User) {
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
	if !ok {
		return nil
	}
	m.Authenticator = d
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
