package lualib

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/luaconv"
)

// The bounds on one request.
const (
	maxRedirects      = 10
	defRedirects      = 5
	maxRequestHeaders = 64
	maxAnswerHeaders  = 64 << 10 // bytes
	maxTransports     = 16       // with different tls options
)

// HTTPClient makes the requests of all scripts of a process: connections are
// kept and used again. Its methods may be called concurrently.
//
// Proxies that the environment names are not used: what a script may reach is
// decided by the address that is dialed.
type HTTPClient struct {
	guard *guard
	fake  http.RoundTripper // in place of the network; may be nil

	mu         sync.Mutex
	transports map[tlsOptions]*http.Transport
}

// NewHTTPClient returns a client without connections.
func NewHTTPClient(o HTTPOptions) *HTTPClient {
	return &HTTPClient{guard: newGuard(o), fake: o.Transport, transports: map[tlsOptions]*http.Transport{}}
}

// Close closes the connections that are not in use; the others close with the
// scripts that use them. The client may still be used.
func (c *HTTPClient) Close() {
	c.mu.Lock()
	all := c.transports
	c.transports = map[tlsOptions]*http.Transport{}
	c.mu.Unlock()
	for _, t := range all {
		t.CloseIdleConnections()
	}
}

// tlsOptions say whom a request trusts.
type tlsOptions struct {
	ca        string // PEM; empty: what the system trusts
	cert, key string // PEM, of the client; empty: none
	insecure  bool
}

// transport returns the connections of requests with the same options.
func (c *HTTPClient) transport(o tlsOptions) (http.RoundTripper, error) {
	if c.fake != nil {
		return c.fake, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.transports[o]; t != nil {
		return t, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.insecure}
	if o.ca != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(o.ca)) {
			return nil, errors.New("tls.ca has no certificate in PEM")
		}
	}
	if o.cert != "" || o.key != "" {
		pair, err := tls.X509KeyPair([]byte(o.cert), []byte(o.key))
		if err != nil {
			return nil, errors.New("tls.cert and tls.key are not a certificate and its key in PEM")
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	for old, t := range c.transports {
		if len(c.transports) < maxTransports {
			break
		}
		t.CloseIdleConnections()
		delete(c.transports, old)
	}
	t := &http.Transport{
		DialContext:            c.guard.dial,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxAnswerHeaders,
	}
	c.transports[o] = t
	return t, nil
}

// httpRequest is what a script asks for.
type httpRequest struct {
	verb, method, url string
	headers           http.Header
	body              []byte
	timeout           time.Duration
	tls               tlsOptions
	maxBytes          int64
	redirects         int
}

type httpAnswer struct {
	status  int
	headers http.Header
	body    []byte
	url     string
}

// OpenHTTP creates the global table http:
//
//	request{url =, method =, headers =, body =, json =, timeout =, max_bytes =,
//	        redirects =, tls = {ca =, cert =, key =, insecure =}}
//	get(url, options), post(url, body, options)    a table as body is sent as JSON
//
// each returning {status =, headers =, body =, url =, json = function} or nil and
// why there is no answer. Names of headers in an answer are in lower case.
// client is asked at each request.
func OpenHTTP(L *lua.LState, values *luaconv.Converter, client func() *HTTPClient) {
	send := func(L *lua.LState, r *httpRequest) int { return httpSend(L, values, client(), r) }
	L.SetGlobal("http", newModule(L, map[string]lua.LGFunction{
		"request": func(L *lua.LState) int {
			CheckTable(L, 1)
			o := checkNamed(L, "http.request", 1)
			r := &httpRequest{verb: o.verb, url: o.needText("url")}
			r.read(o, values, "GET")
			return send(L, r)
		},
		"get": func(L *lua.LState) int {
			r := &httpRequest{verb: "http.get", url: checkText(L, 1)}
			r.read(checkNamed(L, r.verb, 2), values, "GET")
			return send(L, r)
		},
		"post": func(L *lua.LState) int {
			r := &httpRequest{verb: "http.post", url: checkText(L, 1)}
			o := checkNamed(L, r.verb, 3)
			switch v := L.Get(2).(type) {
			case *lua.LNilType:
			case lua.LString:
				r.body = []byte(v)
			case *lua.LTable:
				r.setJSON(o, values, v)
			default:
				TypeError(L, 2, "string or table")
			}
			r.read(o, values, "POST")
			return send(L, r)
		},
	}))
}

// read reads the options of a request.
func (r *httpRequest) read(o *named, values *luaconv.Converter, method string) {
	r.method = o.text("method", method)
	if r.headers == nil {
		r.headers = http.Header{}
	}
	if body := o.text("body", ""); body != "" {
		r.body = []byte(body)
	}
	if v := o.get("json"); v != lua.LNil {
		if r.body != nil {
			o.fail("json", "can't be there together with a body")
		}
		r.setJSON(o, values, v)
	}
	r.readHeaders(o)
	r.timeout = o.seconds("timeout", time.Millisecond, time.Hour, 0)
	r.maxBytes = o.whole("max_bytes", 0, MaxString, MaxString)
	r.redirects = int(o.whole("redirects", 0, maxRedirects, defRedirects))
	if t := o.dict("tls"); t != nil {
		in := &named{L: o.L, verb: o.verb + ": tls", table: t}
		r.tls = tlsOptions{ca: in.text("ca", ""), cert: in.text("cert", ""), key: in.text("key", ""), insecure: in.flag("insecure")}
		in.done()
	}
	o.done()
}

func (r *httpRequest) setJSON(o *named, values *luaconv.Converter, v lua.LValue) {
	data, err := values.AppendJSON(meterOf(o.L), v)
	if err != nil {
		Errorf(o.L, "%s: json: %v", r.verb, err)
	}
	r.body = data
	r.headers = http.Header{"Content-Type": {"application/json"}}
}

func (r *httpRequest) readHeaders(o *named) {
	t := o.dict("headers")
	if t == nil {
		return
	}
	for key, value := t.Next(lua.LNil); key != lua.LNil; key, value = t.Next(key) {
		name, ok := key.(lua.LString)
		if !ok {
			o.fail("headers", "must have names, not the key %s", CutText(key.String(), 100))
		}
		text := o.string("headers."+CutText(string(name), 100), value)
		switch http.CanonicalHeaderKey(string(name)) {
		case "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Trailer":
			o.fail("headers", "must not have %s: that is HTTP's own", CutText(string(name), 100))
		}
		r.headers.Set(string(name), text)
	}
	if len(r.headers) > maxRequestHeaders {
		o.fail("headers", "must be at most %d", maxRequestHeaders)
	}
}

func httpSend(L *lua.LState, values *luaconv.Converter, c *HTTPClient, r *httpRequest) int {
	mayReachOut(L, r.verb)
	Alloc(L, len(r.body)+len(r.url)+1024)
	u, err := url.Parse(r.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		Errorf(L, "%s: the url must begin with http:// or https:// and a host", r.verb)
	}
	t, err := c.transport(r.tls)
	if err != nil {
		Errorf(L, "%s: %v", r.verb, err)
	}
	var answer *httpAnswer
	count := meterOf(L)
	waitFor(L, func(ctx context.Context) {
		if r.timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, r.timeout)
			defer cancel()
		}
		answer, err = r.do(ctx, t, count)
	})
	if err != nil {
		return pushNothing(L, httpReason(err))
	}
	return answer.push(L, values)
}

var (
	errRedirects  = errors.New("too many redirects")
	errDowngrade  = errors.New("a redirect from https to http")
	errAnswerSize = errors.New("the answer is too large")
)

// do makes the request; m counts what is read.
func (r *httpRequest) do(ctx context.Context, t http.RoundTripper, m luaconv.Meter) (*httpAnswer, error) {
	request, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	if request.Header = r.headers; r.headers.Get("Host") != "" {
		request.Host = r.headers.Get("Host")
	}
	if r.headers.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", "usher")
	}
	client := http.Client{Transport: t, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case r.redirects == 0:
			return http.ErrUseLastResponse
		case len(via) > r.redirects:
			return errRedirects
		case via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https":
			return errDowngrade
		}
		return nil
	}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.ContentLength > r.maxBytes {
		return nil, errAnswerSize
	}
	body, err := readCounted(response.Body, r.maxBytes, m)
	if err != nil {
		return nil, err
	}
	return &httpAnswer{response.StatusCode, response.Header, body, response.Request.URL.Redacted()}, nil
}

// readCounted reads up to most bytes, which it counts before they are there.
func readCounted(from io.Reader, most int64, m luaconv.Meter) ([]byte, error) {
	var body bytes.Buffer
	from = io.LimitReader(from, most+1)
	for {
		if err := m.Bytes(32 << 10); err != nil {
			return nil, err
		}
		n, err := io.CopyN(&body, from, 32<<10)
		switch {
		case int64(body.Len()) > most:
			return nil, errAnswerSize
		case err == io.EOF:
			return body.Bytes(), nil
		case err != nil:
			return nil, err
		case n == 0:
			return nil, io.ErrNoProgress
		}
	}
}

// httpReason is a text for the script: without the URL, which may hold a secret.
func httpReason(err error) string {
	if b := blocked(err); b != nil {
		return b.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "time-out"
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return strings.TrimPrefix(err.Error(), "net/http: ")
}

func (a *httpAnswer) push(L *lua.LState, values *luaconv.Converter) int {
	Alloc(L, len(a.body))
	headers := L.CreateTable(0, len(a.headers))
	for name, all := range a.headers {
		text := strings.Join(all, ", ")
		Alloc(L, len(name)+len(text)+slotBytes)
		headers.RawSetString(strings.ToLower(name), lua.LString(text))
	}
	body := string(a.body)
	t := L.CreateTable(0, 5)
	t.RawSetString("status", lua.LNumber(a.status))
	t.RawSetString("headers", headers)
	t.RawSetString("body", lua.LString(body))
	t.RawSetString("url", lua.LString(a.url))
	t.RawSetString("json", L.NewFunction(func(L *lua.LState) int { return pushJSON(L, values, body) }))
	L.Push(t)
	return 1
}
