package main

import (
	"net/http"
	"testing"

	"github.com/gorilla/websocket"

	"usher/router/client"
)

// browser logs in with a ticket as a browser does that has the cookie, if there is
// one, and returns the cookie that it is given and what the router says to the
// ticket: 2 is WELCOME.
func browser(t *testing.T, url, ticket string, has *http.Cookie) (given *http.Cookie, says any) {
	t.Helper()
	header := http.Header{"Sec-Websocket-Protocol": {"wamp.2.json"}}
	if has != nil {
		header.Set("Cookie", has.String())
	}
	c, response, err := websocket.DefaultDialer.DialContext(t.Context(), url, header)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, cookie := range response.Cookies() {
		given = &http.Cookie{Name: cookie.Name, Value: cookie.Value}
	}
	for _, m := range []any{
		[]any{1, "realm1", map[string]any{"authid": "joe", "authmethods": []string{"ticket"}, "roles": map[string]any{"caller": map[string]any{}}}},
		[]any{5, ticket, map[string]any{}},
	} {
		if err := c.WriteJSON(m); err != nil {
			t.Fatal(err)
		}
		var answer []any
		if err := c.ReadJSON(&answer); err != nil {
			t.Fatal(err)
		}
		says = answer[0]
	}
	return given, says
}

func TestExampleCookie(t *testing.T) {
	t.Setenv("JOE_TICKET", "s3cret")
	e := writeExample(t, "cookie").serve(t)
	comeBack := func(cookie *http.Cookie) client.Options {
		o := client.Options{Realm: "realm1", Authmethods: []string{"cookie"}}
		if cookie != nil {
			o.Header = http.Header{"Cookie": {cookie.String()}}
		}
		return o
	}
	const stranger = "wamp.error.no_matching_auth_method"
	cookie, says := browser(t, e.url, "s3cret", nil)
	if cookie == nil || says != 2.0 {
		t.Fatalf("given %v, told %v", cookie, says)
	}
	failed, says := browser(t, e.url, "guess", nil)
	if failed == nil || says != 3.0 {
		t.Fatalf("given %v, told %v", failed, says)
	}
	// With a cookie of before: it may be one that somebody else knows.
	if given, says := browser(t, e.url, "s3cret", failed); given != nil || says != 2.0 {
		t.Fatalf("given %v, told %v", given, says)
	}
	e.logins(t,
		exampleLogin{"who has logged in", comeBack(cookie), "joe frontend"},
		exampleLogin{"whose cookie was there before", comeBack(failed), stranger},
		exampleLogin{"whose cookie is made up", comeBack(&http.Cookie{Name: "cbtid", Value: "made-up"}), "wamp.error.authentication_denied"},
		exampleLogin{"who has no cookie", comeBack(nil), "wamp.error.authentication_denied"},
	)
	// The first method that helps is taken.
	both := byTicket("joe", "s3cret")
	both.Authmethods = []string{"cookie", "ticket"}
	e.logins(t, exampleLogin{"who has no cookie but a ticket", both, "joe frontend"})

	if got := resultOf(t, e.join(t, comeBack(cookie)), "com.example.forget_me"); got != "[]" {
		t.Errorf("forget_me: %s", got)
	}
	e.logins(t, exampleLogin{"who asked to be forgotten", comeBack(cookie), stranger})
}
