package lualib

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// HTTPOptions say what scripts may reach by HTTP. With the zero value that is
// every address of the Internet, and none of the router's own network.
type HTTPOptions struct {
	// AllowPrivate lets scripts reach all addresses.
	AllowPrivate bool
	// Allowed are hosts, with or without a port, addresses and networks that
	// scripts may reach wherever they are.
	Allowed []string
	// Transport answers all requests in place of the network. Nil: the network.
	Transport http.RoundTripper
}

// guard decides which addresses may be dialed. It sees the address that a
// connection is made to, so a name that means another address the second time it
// is asked for does not pass.
type guard struct {
	all      bool
	hosts    []string // host or host:port, lower-case
	networks []netip.Prefix
}

func newGuard(o HTTPOptions) *guard {
	g := &guard{all: o.AllowPrivate}
	for _, s := range o.Allowed {
		if p, err := netip.ParsePrefix(s); err == nil {
			g.networks = append(g.networks, p.Masked())
		} else if a, err := netip.ParseAddr(s); err == nil {
			g.networks = append(g.networks, netip.PrefixFrom(a, a.BitLen()))
		} else {
			g.hosts = append(g.hosts, strings.ToLower(s))
		}
	}
	return g
}

// dial is a DialContext.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	host, address = strings.ToLower(strings.TrimSuffix(host, ".")), strings.ToLower(address)
	if !g.all && !slices.Contains(g.hosts, host) && !slices.Contains(g.hosts, address) {
		d.Control = g.control
	}
	return d.DialContext(ctx, network, address)
}

// control is told each address that is about to be connected to.
func (g *guard) control(network, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := a.Addr().Unmap().WithZone("")
	for _, p := range g.networks {
		if p.Contains(ip) {
			return nil
		}
	}
	if network != "tcp4" && network != "tcp6" || isSpecial(ip) {
		return &blockedError{ip}
	}
	return nil
}

// blockedError is the refusal of an address.
type blockedError struct{ ip netip.Addr }

func (e *blockedError) Error() string {
	return fmt.Sprintf("%v is not an address of the Internet: name the host in scripts.http.allow", e.ip)
}

// isSpecial reports whether an address is not one of a host on the Internet, as
// the registries of special addresses have it, or may stand for another one.
func isSpecial(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() { // loopback, link-local, multicast, unspecified
		return true
	}
	for _, text := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		if netip.MustParsePrefix(text).Contains(ip) {
			return true
		}
	}
	return false
}

// blocked returns why a request was refused, if it was.
func blocked(err error) *blockedError {
	var b *blockedError
	errors.As(err, &b)
	return b
}
