package lualib

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// httpVM is a VM with http under options, and the global base: a test server.
func httpVM(t *testing.T, o HTTPOptions, base string) *lua.LState {
	L, values := valuesVM(t, Options{})
	client := NewHTTPClient(o)
	t.Cleanup(client.Close)
	OpenHTTP(L, values, func() *HTTPClient { return client })
	L.SetGlobal("base", lua.LString(base))
	return L
}

func testServer(t *testing.T) (*httptest.Server, *atomic.Int32) {
	var connections atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		w.WriteHeader(201)
		fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.Host, r.Header.Get("Content-Type"), r.Header.Get("X-Own"), body)
	})
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"role": "frontend", "none": null}`) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("x", 2<<20)) })
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, r *http.Request) {
		for range 64 {
			fmt.Fprint(w, strings.Repeat("x", 32<<10))
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/once", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/json", http.StatusFound) })
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.2:1/", http.StatusFound)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Large", strings.Repeat("x", 128<<10))
	})
	s := httptest.NewUnstartedServer(mux)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, &connections
}

func TestHTTP(t *testing.T) {
	s, connections := testServer(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // not to be used
	L := httpVM(t, HTTPOptions{AllowPrivate: true}, s.URL)
	host := strings.TrimPrefix(s.URL, "http://")
	L.SetGlobal("host", lua.LString(host))
	for _, step := range []string{
		`local r = assert(http.get(base .. "/echo", {headers = {["X-Own"] = "mine"}})) is(r.status, 201) is(r.body, "GET " .. host .. "  mine ") is(r.headers["x-two"], "a, b") is(r.url, base .. "/echo")`,
		`is(assert(http.post(base .. "/echo", "text")).body, "POST " .. host .. "   text")`,
		`is(assert(http.post(base .. "/echo", {a = 1})).body, "POST " .. host .. ' application/json  {"a":1}')`,
		`is(assert(http.post(base .. "/echo", list{}, {headers = {["content-type"] = "x/y"}})).body, "POST " .. host .. " x/y  []")`,
		`is(assert(http.request{url = base .. "/echo", method = "PUT", json = {1}, headers = {Host = "other"}}).body, "PUT other application/json  [1]")`,
		`local r = assert(http.get(base .. "/json")) is(r.json().role, "frontend") is(r:json().none, null)`,
		`nothing("this is not JSON", assert(http.get(base .. "/echo")).json())`,
		`is(assert(http.get(base .. "/once")).json().role, "frontend") is(assert(http.get(base .. "/once", {redirects = 0})).status, 302)`,
		`nothing("too many redirects", http.get(base .. "/loop"))`,
		`nothing("the answer is too large", http.get(base .. "/large")) nothing("the answer is too large", http.get(base .. "/chunked"))`,
		`nothing("the answer is too large", http.get(base .. "/json", {max_bytes = 3}))`,
		`nothing("header", http.get(base .. "/headers"))`,
		`nothing("time-out", http.get(base .. "/slow", {timeout = 0.05}))`,
		`nothing("refused", http.get("http://127.0.0.1:1/"))`,
		`for _, u in ipairs{"", "x", "ftp://a/", "http://", "file:///etc/passwd", "http://a b/"} do fails("the url must begin with", http.get, u) end`,
		`fails("http.request: url is missing", http.request, {}) fails("unknown option", http.get, base, {header = {}}) fails("table expected", http.request)
		 fails("max_bytes must be", http.get, base, {max_bytes = 2^30}) fails("timeout must be", http.get, base, {timeout = 0}) fails("must not have Content-Length", http.get, base, {headers = {["Content-Length"] = "1"}})
		 fails("can't be there together", http.request, {url = base, body = "x", json = 1}) fails("headers.a must be a string", http.get, base, {headers = {a = 1}})
		 fails("tls.ca has no certificate", http.get, base, {tls = {ca = "x"}}) fails("unknown option", http.get, base, {tls = {verify = false}}) fails("string or table expected", http.post, base, 1)`,
		`nothing("invalid", http.get(base, {headers = {["a b"] = "x"}})) nothing("invalid", http.request{url = base, method = "A B"})`,
	} {
		run(t, L, step)
	}
	before := connections.Load()
	run(t, L, `for i = 1, 10 do assert(http.get(base .. "/json")) end`)
	if n := connections.Load() - before; n > 1 {
		t.Errorf("%d connections for 10 requests", n)
	}
}

func TestHTTPOverTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of refused certificates
	s.StartTLS()
	t.Cleanup(s.Close)
	L := httpVM(t, HTTPOptions{AllowPrivate: true}, s.URL)
	L.SetGlobal("ca", lua.LString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	run(t, L, `nothing("certificate", http.get(base))
is(assert(http.get(base, {tls = {ca = ca}})).status, 200) is(assert(http.get(base, {tls = {insecure = true}})).status, 200)
nothing("certificate", http.get(base))
nothing("from https to http", http.get(base .. "/down", {tls = {ca = ca}}))`)
}

// Scripts can't make the process keep connections for every option there could be.
func TestHTTPKeepsFewTLSOptions(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	client := NewHTTPClient(HTTPOptions{AllowPrivate: true})
	t.Cleanup(client.Close)
	L, values := valuesVM(t, Options{})
	OpenHTTP(L, values, func() *HTTPClient { return client })
	L.SetGlobal("base", lua.LString(s.URL))
	L.SetGlobal("ca", lua.LString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	run(t, L, fmt.Sprintf(`for i = 1, %d do assert(http.get(base, {tls = {ca = "# " .. i .. "\n" .. ca}})) end`, maxTransports+5))
	if n := len(client.transports); n != maxTransports {
		t.Errorf("connections with %d options are kept", n)
	}
}

func TestHTTPIsGuarded(t *testing.T) {
	s, _ := testServer(t)
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	for _, c := range []struct {
		name    string
		options HTTPOptions
		url     string
		blocked bool
	}{
		{"by default", HTTPOptions{}, s.URL, true},
		{"a name of it", HTTPOptions{}, "http://localhost" + port, true},
		{"another host allowed", HTTPOptions{Allowed: []string{"example.com", "10.0.0.0/8"}}, s.URL, true},
		{"other port allowed", HTTPOptions{Allowed: []string{"127.0.0.1:1"}}, s.URL, true},
		{"the address written otherwise", HTTPOptions{}, "http://[::ffff:127.0.0.1]" + port, true},
		{"all allowed", HTTPOptions{AllowPrivate: true}, s.URL, false},
		{"the address allowed", HTTPOptions{Allowed: []string{"127.0.0.1"}}, s.URL, false},
		{"the network allowed", HTTPOptions{Allowed: []string{"127.0.0.0/8"}}, s.URL, false},
		{"the port allowed", HTTPOptions{Allowed: []string{"127.0.0.1" + port}}, s.URL, false},
		{"the name allowed", HTTPOptions{Allowed: []string{"LOCALHOST"}}, "http://localhost" + port, false},
		{"a redirect to another", HTTPOptions{Allowed: []string{"127.0.0.1"}}, s.URL + "/out", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			L := httpVM(t, c.options, c.url)
			if c.blocked {
				run(t, L, `nothing("is not an address of the Internet: name the host in scripts.http.allow", http.get(base))`)
			} else {
				run(t, L, `assert(http.get(base))`)
			}
		})
	}
}

func TestSpecialAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.1": true, "169.254.169.254": true, "100.64.0.1": true, "0.0.0.0": true,
		"0.1.2.3": true, "224.0.0.1": true, "255.255.255.255": true, "198.18.0.1": true, "::1": true, "::": true, "fe80::1": true, "fd00::1": true,
		"64:ff9b::7f00:1": true, "2002:7f00:1::": true, "ff02::1": true, "::7f00:1": true,
		"8.8.8.8": false, "172.32.0.1": false, "100.128.0.1": false, "2606:4700::1111": false, "11.0.0.1": false,
	} {
		if got := isSpecial(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	// An IPv4 address is the same written as IPv6.
	g := newGuard(HTTPOptions{Allowed: []string{"10.1.0.0/16"}})
	for text, want := range map[string]bool{"[::ffff:100.64.0.1]:80": true, "[::ffff:10.1.2.3]:80": false} {
		if err := g.control("tcp6", text, nil); (blocked(err) != nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A request ends with its call, and not later.
func TestHTTPEndsWithTheCall(t *testing.T) {
	s, _ := testServer(t)
	L := httpVM(t, HTTPOptions{AllowPrivate: true}, s.URL)
	parent, cancel := context.WithCancel(t.Context())
	budget := lua51.NewBudget(parent, lua51.Limits{Wall: time.Minute})
	defer budget.Release()
	L.SetContext(budget)
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := L.DoString(`pcall(http.get, base .. "/slow") error("went on")`); err == nil || strings.Contains(err.Error(), "went on") || budget.Err() == nil {
		t.Errorf("%v, %v", err, budget.Err())
	}
}

// A body counts against the call's budget while it is read.
func TestHTTPBodiesAreCounted(t *testing.T) {
	s, _ := testServer(t)
	L := httpVM(t, HTTPOptions{AllowPrivate: true}, s.URL)
	budget := lua51.NewBudget(t.Context(), lua51.Limits{Bytes: 200 << 10})
	defer budget.Release()
	L.SetContext(budget)
	if err := L.DoString(`http.get(base .. "/chunked")`); err == nil || !strings.Contains(err.Error(), lua51.ErrBytes.Error()) {
		t.Error(err)
	}
}
