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
