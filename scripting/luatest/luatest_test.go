package luatest

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"go.uber.org/goleak"

	"usher/router/auth"
	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting"
	"usher/scripting/lua51"
	"usher/scripting/luadoc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testOptions(dir string) Options {
	return Options{
		Dir: dir, Coverage: true, Timeout: 2 * time.Second,
		Policy: &realm.Policy{Realms: map[string]*realm.RealmPolicy{"realm1": {Name: "realm1", Roles: map[string]*auth.Role{
			"authenticator": {Name: "authenticator", Rules: []auth.Rule{{URI: "com.example.authenticate", Allow: auth.Register}}},
			"frontend":      {Name: "frontend", Rules: []auth.Rule{{URI: "com.example.add", Match: wamp.Prefix, Allow: auth.Call}}},
		}}}},
		Scripting: scripting.Options{Limits: scripting.Limits{Call: lua51.Limits{Wall: time.Second}}},
	}
}

// report runs the tests of dir and returns what is shown of them.
func report(t *testing.T, o Options) (*Report, string) {
	t.Helper()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.Write(&b)
	return r, b.String()
}

func TestReport(t *testing.T) {
	const want = `testdata/scripts/lib/x_test.lua:5: wrongly expects no error: to_raise
  expected  never an error
  got       the error "lib/x.lua:4: boom"
testdata/scripts/users_test.lua:32: wrongly compares: to_equal
  expected  { asked = 2, at = 1798761600, l = { 1, 2, 4 } }
  got       { asked = 1, at = 1798761600, l = { 1, 2, 3 } }
  .asked: expected 2, got 1
  .l[3]: expected 4, got 3
testdata/scripts/users_test.lua:35: wrongly has no answer: no answer to a request
  GET https://users.example.com/ann
  give one with test.http("GET https://users.example.com/ann", { status = 200, body = … })
testdata/scripts/users_test.lua:36: wrongly has no answer: to_be
  expected  true
  got       false
  the log of this test:
    error com.example.authenticate: authentication failed error=users.lua:5: no answer: the test has no answer to GET https://users.example.com/ann
testdata/scripts/users_test.lua:41: wrongly indexes: error in the test
  attempt to index local 'x' (a nil value)
testdata/scripts/users_test.lua:44: wrongly never ends: error in the test
  time limit reached (2s)
testdata/scripts/users_test.lua:49: wrongly swallows: to_be
  expected  2
  got       1
testdata/scripts/users_test.lua:96: plays the rest of the world: the procedure com.example.broken of the test failed
  oops
testdata/scripts/users_test.lua:46: skipped: gives up (not today)
testdata/scripts/lib/x.lua: 71.4 % of 7 lines, not 8-9
testdata/scripts/unused.lua: 0.0 % of 2 lines, not 1-2
testdata/scripts/users.lua: 100.0 % of 8 lines
15 passed, 7 failed, 1 skipped, 1 not written yet in 2 files
`
	if _, got := report(t, testOptions("testdata/scripts")); got != want {
		t.Errorf("the report is\n%s", got)
	}
}

func TestFilter(t *testing.T) {
	o := testOptions("testdata/scripts")
	o.Coverage = false
	for filter, want := range map[string]string{
		"asks by":           "1 passed in 2 files\n",
		"hooks › find":      "1 passed in 2 files\n",
		"nothing like that": "0 passed in 2 files\n",
	} {
		o.Filter = filter
		if _, got := report(t, o); got != want {
			t.Errorf("%s: %s", filter, got)
		}
	}
}

// write makes a directory with files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What is wrong with a file of tests, or with the scripts, fails with its place.
func TestWhatCannotBeRun(t *testing.T) {
	const join = `router.join { realm = "realm1", authrole = "authenticator" } `
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"syntax": {map[string]string{"a_test.lua": "it("}, "a_test.lua:1: the file: the file cannot be run"},
		"error":  {map[string]string{"a_test.lua": "\nerror('no')"}, "a_test.lua:2: the file: the file cannot be run\n  no"},
		"calls at the top level": {map[string]string{"a_test.lua": "test.call('com.example.f')"},
			"works inside of it(…) only"},
		"it in it": {map[string]string{"a_test.lua": "it('a', function()\nit('b') end)"},
			"a_test.lua:2: a: error in the test\n  it works at the top level"},
		"a component that is broken": {map[string]string{"a.lua": join + "\nx.y = 1", "a_test.lua": "it('a', function() test.events() end)"},
			"a.lua:2: attempt to index global 'x' (a nil value)"},
		"a component that is not there": {map[string]string{"a_test.lua": "test.components 'b' it('a', function() test.events() end)"},
			"there is no component b (b.lua)"},
		"several authenticators": {map[string]string{"a.lua": join + `
			router.authenticator("com.example.authenticate", function() end)`,
			"a_test.lua": "it('a', function() test.authenticate('b', test.request()) end)"},
			`there is no authenticator "b": there are com.example.authenticate (of a)`},
		"unknown matcher": {map[string]string{"a_test.lua": "it('a', function() expect(1):to_bee(1) end)"}, `expect has no "to_bee"`},
		"a role that is not there": {map[string]string{"a_test.lua": "it('a', function() test.call('a.b', nil, nil, {authrole = 'x'}) end)"},
			`as role "x" of realm "realm1": wamp.error.no_such_role`},
	} {
		t.Run(name, func(t *testing.T) {
			r, got := report(t, testOptions(write(t, test.files)))
			if !strings.Contains(got, test.want) || r.Count(Failed) != 1 {
				t.Errorf("the report is\n%s, which does not say %s", got, test.want)
			}
		})
	}
}

// A directory whose scripts join a realm is one of its own; roles that only the
// tests name may be anything there, also authenticators.
func TestDirectoriesAndRolesOfTests(t *testing.T) {
	dir := write(t, map[string]string{
		"examples/tenants.lua": `router.join { realm = "control", authrole = "judge" }
			router.authenticator("com.example.tenant", function(request)
				return { role = "user", realm = "tenant-" .. request.authid }
			end)`,
		"examples/tenants_test.lua": `
			test.realm("control", { "judge" })
			test.realm("tenant-a", { "user" })
			each({ { "a", true }, { "b", false } }, "{1}", function(authid, ok)
				local answer = test.authenticate("tenants", test.request { realm = null, authid = authid, ticket = "s3cret" })
				expect(answer.accepted):to_be(ok)
				expect(answer.realm):to_be(ok and "tenant-a" or nil)
			end)`,
		"lib/m.lua":      "return 7",
		"lib/m_test.lua": `it("is 7", function() expect(require "lib.m"):to_be(7) end)`,
		"top_test.lua":   `it("sees modules", function() expect(require "lib.m"):to_be(7) end)`,
	})
	if r, got := report(t, testOptions(dir)); r.Count(Passed) != 4 || r.Count(Failed) != 0 {
		t.Error(got)
	}
}

// What tests have is what the annotations describe.
func TestLanguageIsAsDescribed(t *testing.T) {
	r, err := luadoc.Load()
	if err != nil {
		t.Fatal(err)
	}
	all, plain := r.Globals(true), r.Globals(false)
	for name := range plain {
		delete(all, name)
	}
	L := lua.NewState()
	defer L.Close()
	w := &world{}
	w.openTest(L)
	same := func(what string, described, there []string) {
		t.Helper()
		slices.Sort(described)
		slices.Sort(there)
		if !slices.Equal(described, there) {
			t.Errorf("%s: %v is described, %v is there", what, described, there)
		}
	}
	var functions []string
	L.GetGlobal("test").(*lua.LTable).ForEach(func(k, _ lua.LValue) { functions = append(functions, k.String()) })
	same("test", all["test"], functions)
	same("globals", slices.Collect(maps.Keys(all)), append([]string{"test", "expect"}, slices.Collect(maps.Keys(w.globals()))...))
	var methods []string
	for _, e := range r.Under("Expectation") {
		methods = append(methods, strings.TrimPrefix(e.Name, "Expectation:"))
	}
	same("expectations", methods, slices.Collect(maps.Keys(matchers())))
}

// Hooks go around a test as groups do, what is due happens in its order, and what comes
// to nothing is said.
func TestTheOrderOfThings(t *testing.T) {
	dir := write(t, map[string]string{
		"a.lua": `router.join { realm = "realm1", authrole = "backend" }
local function note(text) kv.set("noted", (kv.get "noted" or "") .. text) end
router.after(2, function() note "2" end)
router.after(1, function() note "1" end)
router.register("com.example.later", function() router.after(0, "com.example.now") end)
router.register("com.example.now", function() note "now" end)
router.register("com.example.noted", function() return kv.get "noted" end)
router.register("com.example.get", function() return http.get "http://example.com/".body end)`,
		"a_test.lua": `test.realm("realm1", { "backend" })
local order = {}
local function note(text) return function() order[#order + 1] = text end end
before_each(note "outer")
after_each(function() expect(table.concat(order, " ")):to_be "outer inner test inner" end)
describe("hooks", function()
  before_each(note "inner")
  after_each(note "inner")
  it("has them in order", note "test")
end)`,
		"b_test.lua": `test.components "a" test.realm("realm1", { "backend" })
it("waits for calls that are due", function()
  test.call "com.example.later"
  expect(test.call "com.example.noted"):to_be "now"
end)
it("fires timers by their time", function()
  test.advance(3)
  expect(test.call "com.example.noted"):to_be "12"
end)
it("answers by the method", function()
  test.http("GET http://example.com/", { body = "got" })
  test.http("POST http://example.com/", { body = "posted" })
  expect(test.call "com.example.get"):to_be "got"
end)`,
		"c_test.lua": `before_each(function() error "before" end)
it("is not begun", function() error "begun" end)`,
		"d_test.lua": `test.env { A = "1" }
if not os.getenv "A" then it("is there once", function() end) end`,
		"left/out_test.lua": `it("fails", function() error "out" end)`,
	})
	o := testOptions(dir)
	o.Skip = []string{filepath.Join(dir, "left")}
	r, got := report(t, o)
	var failed []string
	for _, result := range r.Results {
		for _, f := range result.Failures {
			failed = append(failed, result.Title+": "+strings.ReplaceAll(f.Got, filepath.ToSlash(dir)+"/", ""))
		}
	}
	want := []string{"is not begun: before", "is there once: d_test.lua: the file has other tests each time that it is run"}
	if !slices.Equal(failed, want) || r.Count(Passed) != 4 {
		t.Errorf("failed %q\n%s", failed, got)
	}
}
