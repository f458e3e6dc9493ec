package router

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"usher/router/client"
)

// TestMetrics: figures about the router can be read where the configuration says,
// and nowhere else.
func TestMetrics(t *testing.T) {
	r, url := serve(t, strings.Replace(testConfig, "    paths:\n", "    paths:\n      metrics: {type: metrics}\n", 1))
	c, err := client.Connect(t.Context(), url, client.Options{Realm: "realm1"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := client.Connect(t.Context(), url, client.Options{Realm: "realm1", Authid: "joe", Ticket: func(context.Context) (string, error) { return "wrong", nil }}); err == nil {
		t.Fatal("a wrong ticket was accepted")
	}
	response, err := http.Get(r.Addresses()[0].HTTP + "metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		t.Errorf("got %s, %s", response.Status, got)
	}
	for _, want := range []string{
		"# TYPE usher_sessions gauge\nusher_sessions 1\n",
		"# TYPE usher_failed_logins_total counter\nusher_failed_logins_total 1\n",
		"\nusher_refused_logins_total 0\n",
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("there is no %q in:\n%s", want, body)
		}
	}
	r, _ = serve(t, testConfig)
	response, err = http.Get(r.Addresses()[0].HTTP + "metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("without the path: %s", response.Status)
	}
}
