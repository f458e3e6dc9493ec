package scripting

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
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
	for _, line := range []string{`http.get("http://127.0.0.1:1/")`, `sql.open("db"):query("SELECT 1")`, `sql.open("db"):transaction(print)`} {
		w := newWorld(t, map[string]string{"a.lua": "router.join { realm = \"realm1\", authrole = \"backend\" }\n" + line}, reachAll, func(o *Options) {
			o.SQL = map[string]Database{"db": {Database: lualib.Database{Driver: "sqlite", File: filepath.Join(t.TempDir(), "db")}}}
		})
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

func TestLoginFromADatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.db")
	script := `
router.join { realm = "realm1", authrole = "authenticator" }
local users = sql.open "users"
router.on_ready(function()
  users:exec "CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, hash TEXT, role TEXT)"
  users:exec("INSERT OR IGNORE INTO users VALUES (?, ?, ?)", "joe", crypto.argon2id_hash("secret", { memory = 64 }), "frontend")
end)
router.authenticator("com.example.authenticate", function(request)
  local user = users:query_row("SELECT hash, role FROM users WHERE name = ?", request.authid)
  if not user or not crypto.argon2id_verify(request.ticket, user.hash) then return nil, "com.example.denied", "no" end
  return user.role
end)`
	w := newWorld(t, map[string]string{"a.lua": script}, func(o *Options) {
		o.SQL = map[string]Database{"users": {Database: lualib.Database{Driver: "sqlite", File: file}}}
	})
	eventually(t, "joe can log in", func() bool {
		p, err := w.login("joe", "secret")
		return err == nil && p.Role == "frontend"
	})
	for _, login := range [][2]string{{"joe", "wrong"}, {"nobody", "secret"}, {"' OR 1=1 --", "secret"}, {"joe", ""}} {
		if p, err := w.login(login[0], login[1]); err == nil {
			t.Errorf("%q: %+v", login, p)
		}
	}
}

func TestDatabasesOfTheConfiguration(t *testing.T) {
	noEnvironment := func(string) (string, bool) { return "", false }
	_, err := New(Options{Dir: t.TempDir(), LookupEnv: noEnvironment, SQL: map[string]Database{"users": {DSNEnv: "USERS_DSN"}}}, nil)
	if err == nil || err.Error() != "scripting: sql: database users: the environment variable USERS_DSN is not set" {
		t.Error(err)
	}
	w := newWorld(t, map[string]string{"a.lua": `router.join { realm = "realm1", authrole = "backend" } sql.open "users"`})
	if err := w.status("a").Err; err == nil || !strings.Contains(err.Error(), "a.lua:1: sql.open: the configuration names no database") {
		t.Error(err)
	}
	// A new configuration may name one.
	o := *w.host.options
	o.SQL = map[string]Database{"users": {Database: lualib.Database{Driver: "sqlite", File: filepath.Join(t.TempDir(), "users.db")}}}
	p, err := w.host.Prepare(testPolicy(), o)
	if err != nil {
		t.Fatal(err)
	}
	p.Commit()
	if err := w.status("a").Err; err != nil {
		t.Error(err)
	}
}

// A router that is started anew has the kv of the one before.
func TestKVOutlivesTheHost(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kv")
	scripts := map[string]string{"a.lua": `
router.join { realm = "realm1", authrole = "backend" }
router.register("com.example.count", function() return kv.incr("count") end)`}
	withFile := func(o *Options) { o.KVFile = file }
	w := newWorld(t, scripts, withFile)
	c := w.client()
	c.mustCall("com.example.count", "")
	if got := c.mustCall("com.example.count", ""); got != "[2]" {
		t.Fatal(got)
	}
	// What checks scripts does not touch the file, which is this host's.
	if _, err := w.host.Prepare(testPolicy(), *w.host.options); err != nil {
		t.Error(err)
	}
	if err := w.host.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w = newWorld(t, scripts, withFile)
	if got := w.client().mustCall("com.example.count", ""); got != "[3]" {
		t.Error(got)
	}
}
