package main

import (
	"os"
	"strings"
	"testing"
)

// The shipped scripts pass their tests.
func TestShippedScriptsAreTested(t *testing.T) {
	status, out, errors := usher(t, ".", "", "test", "../../scripts", "--coverage")
	if status != exitOK || !strings.Contains(out, " passed in ") {
		t.Errorf("exit status %d\n%s%s", status, out, errors)
	}
	for _, name := range []string{"authenticate.lua", "backend.lua"} {
		if !strings.Contains(out, name+": 100.0 %") {
			t.Errorf("the tests do not reach all of %s:\n%s", name, out)
		}
	}
}

func TestExitStatusOfTests(t *testing.T) {
	for _, test := range []struct {
		args   []string
		status int
	}{
		{[]string{"../../scripting/luatest/testdata/scripts", "--filter", "wrongly compares"}, exitFailed},
		{[]string{"../../scripting/luatest/testdata/scripts", "--filter", "is answered by"}, exitOK},
		{[]string{"../../scripting/luatest/testdata/scripts", "--filter", "no such test"}, exitUsage},
		{[]string{"no-such-directory"}, exitUsage},
		{[]string{"--no-such-flag"}, exitUsage},
	} {
		if status, out, errors := usher(t, ".", "", append([]string{"test"}, test.args...)...); status != test.status {
			t.Errorf("%v: exit status %d, want %d\n%s%s", test.args, status, test.status, out, errors)
		}
	}
}

// Scripts are tested with the configuration that lies beside their directory, or in it.
func TestTestsHaveTheConfigurationThatIsNear(t *testing.T) {
	for _, place := range []string{"usher.yaml", "scripts/usher.yaml"} {
		dir := files(t, map[string]string{
			place:                   strings.Replace(reloadConfig, "name: backend", "name: special", 1),
			"scripts/a.lua":         strings.Replace(backendScript, `"backend"`, `"special"`, 1),
			"scripts/a_test.lua":    `it("is called", function() expect(test.call("com.example.now")):to_be(1) end)` + "\n",
			"scripts/scripts/.keep": "", // what the configuration names there
		})
		status, out, errs := usher(t, dir, "", "test", "scripts")
		if status != exitOK || !strings.Contains(out, "1 passed") {
			t.Errorf("%s: exit status %d\n%s%s", place, status, out, errs)
		}
	}
}

// The README has the table of modules that the annotations say.
func TestReadmeHasTheLibrary(t *testing.T) {
	_, table, _ := usher(t, ".", "", "help", "lua", "--markdown")
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "\n\n"+table+"\n") {
		t.Errorf("README.md does not have the table that `usher help lua --markdown` prints:\n%s", table)
	}
}
