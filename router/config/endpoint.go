package config

import (
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// endpoint reads where to listen:
//
//	type       tcp or unix
//	port       (tcp) 1 to 65535, or 0 for any free one
//	interface  (tcp) an IP address or host name; absent: all interfaces
//	path       (unix) the socket's file name
//	mode       (unix) who may connect, as an octal number in quotes, e.g. "0660";
//	           absent: as the system makes it, usually only usher's own user
//	tls        {certificate, key, chain_certificates, ca_certificates}: names of
//	           PEM files; with the last clients must have a certificate that one of
//	           these has issued, or with client_certificates: optional may
func (r *reader) endpoint(v value, c *Config) Endpoint {
	f := v.fields()
	var e Endpoint
	typ := f.need("type")
	switch kind := typ.text(); {
	case kind == "unix":
		e.Path = r.socketPath(f.need("path"), c)
		e.Mode = fileMode(f.get("mode"))
	case kind == "tcp" || f.n == nil || !typ.is(kindString):
		port := f.need("port")
		if port.n != nil && port.n.kind == kindString && strings.HasPrefix(port.n.text, "$") {
			port.fail("usher does not read the environment in its configuration: write the number")
		} else {
			e.Port = port.integer(0, 65535)
		}
		e.Interface = strings.Trim(f.get("interface").name(), "[]")
	default:
		typ.fail("endpoints of type %q are not supported; use tcp or unix", kind)
		f.known = append(f.known, "port", "interface")
	}
	if t := f.get("tls"); !t.absent() {
		e.TLS = r.tls(t, c)
	}
	r.crossbarOnly(f, "backlog", "shared", "user_timeout", "version")
	f.done(map[string]string{
		"host": "it is called interface", "address": "it is called interface",
		"port": "port goes with type: tcp", "interface": "interface goes with type: tcp",
		"path": "path goes with type: unix", "mode": "mode goes with type: unix",
	})
	return e
}

// maxSocketPath is the length of a Unix socket's name that every system takes.
const maxSocketPath = 103

// socketPath reads a file name whose directory must exist.
func (r *reader) socketPath(v value, c *Config) string {
	path := r.ownPath(v)
	if path == "" {
		return ""
	}
	if len(path) > maxSocketPath {
		v.fail("%s has %d bytes, and a Unix socket's name has %d at most", path, len(path), maxSocketPath)
	}
	c.files = append(c.files, fileCheck{r.problem(v, "", nil), filepath.Dir(path), true})
	return path
}

// fileMode reads permissions.
func fileMode(v value) fs.FileMode {
	s := v.text()
	if s == "" {
		return 0
	}
	mode, err := strconv.ParseUint(s, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		v.fail("%q is not a file mode such as \"0660\"", s)
		return 0
	}
	return fs.FileMode(mode)
}

func (r *reader) tls(v value, c *Config) *TLS {
	f := v.fields()
	t := &TLS{
		Certificate: r.filePath(f.need("certificate"), c, false),
		Key:         r.filePath(f.need("key"), c, false),
	}
	for _, item := range f.get("chain_certificates").list() {
		t.Chain = append(t.Chain, r.filePath(item, c, false))
	}
	cas, mode := f.get("ca_certificates"), f.get("client_certificates")
	for _, item := range cas.list() {
		t.ClientCAs = append(t.ClientCAs, r.filePath(item, c, false))
	}
	// An empty list would admit clients that the author wants to keep out.
	if cas.n != nil && cas.n.kind == kindList && len(cas.n.items) == 0 {
		cas.fail("the list is empty: no client could have a certificate; leave it out to ask for none")
	}
	if !mode.absent() {
		t.ClientOptional = mode.oneOf("a way to treat client certificates", "required", "optional") == "optional"
		if cas.absent() {
			mode.fail("it goes with ca_certificates, the files of whoever issues them")
		}
	}
	for _, key := range []string{"dhparam", "ciphers"} {
		if o := f.get(key); !o.absent() {
			o.unsupported("usher chooses what TLS uses itself, from what is held to be secure; leave %s out", key)
		}
	}
	f.done(nil)
	return t
}
