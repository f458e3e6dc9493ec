package web

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		ok         bool
	}{
		{"*", "", true},
		{"*", "http://x", true},
		{"http://x", "http://x", true},
		{"http://x", "http://xy", false},
		{"http://*.x", "http://.x", true},
		{"http://*.x", "http://a.x", true},
		{"http://*.x", "http://x", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"*a*b*", "xaxb", true},
		{"*a*b*", "xbxa", false},
		{"a**b", "ab", true},
	} {
		if got := glob(test.pattern, test.s); got != test.ok {
			t.Errorf("%q, %q: %v", test.pattern, test.s, got)
		}
	}
}

func TestParseForwarded(t *testing.T) {
	for _, test := range []struct {
		line, want string // addresses and protos; empty: refused
	}{
		{`for=192.0.2.43`, "192.0.2.43:0 "},
		{`For="[2001:db8:cafe::17]:4711"`, "[2001:db8:cafe::17]:4711 "},
		{`for="[2001:db8::1]"`, "[2001:db8::1]:0 "},
		{`for=192.0.2.60;proto=HTTP;by=203.0.113.43`, "192.0.2.60:0 http"},
		{`for=192.0.2.43, for=198.51.100.17`, "192.0.2.43:0 |198.51.100.17:0 "},
		{`host="a,b;c"; for=192.0.2.43 ,for="198.51.100.17:_port"`, "192.0.2.43:0 |198.51.100.17:0 "},
		{``, ""},
		{`for=`, ""},
		{`for`, ""},
		{`proto=https`, ""},
		{`for=192.0.2.43,`, ""},
		{`for=192.0.2.43;for=10.0.0.1`, ""},
		{`for="_gazonk"`, ""},
		{`for=192.0.2.43 10.0.0.1`, ""},
		{`for="192.0.2.43\""`, ""},
		{`for=[2001:db8::1`, ""},
		{`a b=c;for=192.0.2.43`, ""},
	} {
		hops, err := parseForwarded([]string{test.line})
		var got []string
		for _, h := range hops {
			got = append(got, h.address.String()+" "+h.proto)
		}
		if (err == nil) != (test.want != "") || strings.Join(got, "|") != test.want {
			t.Errorf("%s: %q, %v", test.line, got, err)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add(`for=192.0.2.60;proto=http;by="x", for="[::1]:80"`, "1.2.3.4, ::1", "https")
	f.Add(`for="a\"b"`, "unknown", "")
	f.Add("", "10.0.0.1:80,[::1]", "a,b")
	trusting := site{proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	f.Fuzz(func(t *testing.T, forwarded, addresses, protos string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1234", Header: http.Header{}}
		for name, value := range map[string]string{"Forwarded": forwarded, "X-Forwarded-For": addresses, "X-Forwarded-Proto": protos} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		peer, _, err := trusting.client(r)
		if err != nil {
			return
		}
		address := strings.TrimPrefix(strings.TrimPrefix(peer, "tcp4:"), "tcp6:")
		a, err := netip.ParseAddrPort(address)
		if err != nil || a.Addr().Is4() != strings.HasPrefix(peer, "tcp4:") {
			t.Errorf("peer %q", peer)
		}
		// Only a header can make anybody else of the proxy.
		if forwarded == "" && addresses == "" && peer != "tcp4:10.0.0.1:1234" {
			t.Errorf("peer %q without a header", peer)
		}
	})
}
