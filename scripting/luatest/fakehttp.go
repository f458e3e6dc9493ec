package luatest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lualib"
)

// maxFakeBody bounds what is read of a request of a component.
const maxFakeBody = 8 << 20

// answer is what test.http was given: the answer to requests that begin so.
type answer struct {
	method string // empty: any
	url    string
	prefix bool
	value  lua.LValue // a table or a function
}

func (a *answer) matches(method, url string) bool {
	return (a.method == "" || a.method == method) && (a.url == url || a.prefix && strings.HasPrefix(url, a.url))
}

// testHTTP is test.http(pattern, answer): a pattern is a URL, with the method
// before it if that counts, and with * at its end for all that begin so.
func (w *world) testHTTP(L *lua.LState) int {
	pattern := lualib.CheckString(L, 1)
	a := &answer{url: pattern}
	if method, url, ok := strings.Cut(pattern, " "); ok {
		a.method, a.url = strings.ToUpper(method), url
	}
	a.url, a.prefix = strings.CutSuffix(a.url, "*")
	switch v := L.Get(2).(type) {
	case *lua.LTable, *lua.LFunction:
		a.value = v
	default:
		lualib.TypeError(L, 2, "table or function")
	}
	s := w.nearest()
	s.answers = append(s.answers, a)
	return 0
}

// testRequests is test.requests(): the requests that components have made.
func (w *world) testRequests(L *lua.LState) int {
	list := L.NewTable()
	for _, r := range w.requests {
		list.Append(r)
	}
	L.Push(list)
	return 1
}

// answerTo finds the answer that was given last, in the test before the groups
// around it.
func (w *world) answerTo(method, url string) *answer {
	for _, s := range w.around() {
		for _, a := range slices.Backward(s.answers) {
			if a.matches(method, url) {
				return a
			}
		}
	}
	return nil
}

// httpFake is the network of a world.
type httpFake struct{ world *world }

var _ http.RoundTripper = httpFake{}

// RoundTrip implements http.RoundTripper: the test answers.
func (f httpFake) RoundTrip(r *http.Request) (*http.Response, error) {
	q := &httpQuestion{request: r, done: make(chan struct{})}
	if r.Body != nil {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxFakeBody))
		if err != nil {
			return nil, err
		}
		q.body = body
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	if err := f.world.ask(r.Context(), q); err != nil {
		return nil, err
	}
	select {
	case <-q.done:
		return q.response, q.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

type httpQuestion struct {
	request  *http.Request
	body     []byte
	done     chan struct{}
	response *http.Response
	err      error
}

func (q *httpQuestion) answer(w *world, L *lua.LState) {
	defer close(q.done)
	method, url := q.request.Method, q.request.URL.String()
	asked := L.NewTable()
	headers := L.NewTable()
	for name, all := range q.request.Header {
		headers.RawSetString(strings.ToLower(name), lua.LString(strings.Join(all, ", ")))
	}
	asked.RawSetString("method", lua.LString(method))
	asked.RawSetString("url", lua.LString(url))
	asked.RawSetString("headers", headers)
	asked.RawSetString("body", lua.LString(q.body))
	w.requests = append(w.requests, asked)
	a := w.answerTo(method, url)
	if a == nil {
		q.err = fmt.Errorf("the test has no answer to %s %s", method, url)
		w.fail(&Failure{What: "no answer to a request", Got: method + " " + url,
			Details: []string{fmt.Sprintf("give one with test.http(%s, { status = 200, body = … })", quote(method+" "+url))}})
		return
	}
	value := a.value
	if fn, ok := value.(*lua.LFunction); ok {
		results, raised := w.protected(L, fn, asked)
		if raised != nil {
			w.failRaised(L, "the answer to "+method+" "+url+" failed", raised)
			q.err = fmt.Errorf("the test's answer failed")
			return
		}
		value = lua.LNil
		if len(results) > 0 {
			value = results[0]
		}
		if reason := second(results); value == lua.LNil && reason != "" {
			q.err = fmt.Errorf("%s", reason) // as http.get returns nil and why
			return
		}
	}
	t, ok := value.(*lua.LTable)
	if !ok {
		w.fail(&Failure{What: "the answer to " + method + " " + url + " is no table", Got: show(value)})
		q.err = fmt.Errorf("the test's answer is no table")
		return
	}
	q.response, q.err = w.httpResponse(t, q.request)
}

// second is the text after nil.
func second(results []lua.LValue) string {
	if len(results) < 2 {
		return ""
	}
	return results[1].String()
}

// httpResponse reads {status =, headers =, body =, json =, error =}.
func (w *world) httpResponse(t *lua.LTable, r *http.Request) (*http.Response, error) {
	if reason, ok := t.RawGetString("error").(lua.LString); ok {
		return nil, fmt.Errorf("%s", string(reason))
	}
	response := &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Request: r,
	}
	if n, ok := t.RawGetString("status").(lua.LNumber); ok {
		response.StatusCode = int(n)
	}
	var body []byte
	if v := t.RawGetString("json"); v != lua.LNil {
		data, err := w.bench.Values().AppendJSON(w.bench.Budget(), v)
		if err != nil {
			return nil, err
		}
		body = data
		response.Header.Set("Content-Type", "application/json")
	}
	if text, ok := t.RawGetString("body").(lua.LString); ok {
		body = []byte(text)
	}
	if headers, ok := t.RawGetString("headers").(*lua.LTable); ok {
		headers.ForEach(func(name, value lua.LValue) { response.Header.Set(name.String(), value.String()) })
	}
	response.ContentLength = int64(len(body))
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}
