package scripting

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"usher/scripting/lualib"
)

// reachAll lets scripts reach the tests' servers.
func reachAll(o *Options) { o.HTTP = lualib.HTTPOptions{AllowPrivate: true} }

func TestLoginThatAsksAnHTTPService(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "joe" || password != "secret" {
			w.WriteHeader(401)
			return
		}
		fmt.Fprint(w, `{"role": "frontend"}`)
	}))
	t.Cleanup(s.Close)
	script := fmt.Sprintf(`
router.join { realm = "realm1", authrole = "authenticator" }
router.authenticator("com.example.authenticate", function(request)
  local basic = "Basic " .. crypto.base64_encode(request.authid .. ":" .. request.ticket)
  local answer, why = http.get(%q, { headers = { Authorization = basic } })
  if not answer then error(why) end
  if answer.status ~= 200 then return nil, "com.example.denied", "no" end
  return { role = answer.json().role }
end)`, s.URL)
	w := newWorld(t, map[string]string{"a.lua": script}, reachAll)
	if p, err := w.login("joe", "secret"); err != nil || p.Role != "frontend" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := w.login("joe", "wrong"); err == nil || !strings.HasPrefix(err.Error(), "com.example.denied") {
		t.Error(err)
	}

	// Without leave to do so the script does not get at it, and admits nobody.
	w = newWorld(t, map[string]string{"a.lua": script})
	if p, err := w.login("joe", "secret"); err == nil || !strings.Contains(err.Error(), "name the host in scripts.http.allow") {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestNothingIsReachedAtTheTopLevel(t *testing.T) {
	for _, line := range []string{`http.get("http://127.0.0.1:1/")`} {
		w := newWorld(t, map[string]string{"a.lua": "router.join { realm = \"realm1\", authrole = \"backend\" }\n" + line}, reachAll)
		if err := w.status("a").Err; err == nil || !strings.Contains(err.Error(), "a.lua:2: ") || !strings.Contains(err.Error(), "at the top level of a script: use router.on_ready") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// What a new configuration allows or forbids holds from its commit on.
func TestReachFollowsTheConfiguration(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	w := newWorld(t, map[string]string{"a.lua": fmt.Sprintf(`
router.join { realm = "realm1", authrole = "backend" }
router.register("com.example.reach", function() return (http.get(%q)) ~= nil end)`, s.URL)})
	c := w.client()
	if got := c.mustCall("com.example.reach", ""); got != "[false]" {
		t.Error(got)
	}
	for _, step := range []struct {
		allow bool
		want  string
	}{{true, "[true]"}, {false, "[false]"}} {
		o := *w.host.options
		o.HTTP.AllowPrivate = step.allow
		p, err := w.host.Prepare(testPolicy(), o)
		if err != nil {
			t.Fatal(err)
		}
		p.Commit()
		if got := c.mustCall("com.example.reach", ""); got != step.want {
			t.Errorf("allowed %t: %s", step.allow, got)
		}
	}
}
