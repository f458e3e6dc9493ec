package luatest

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// group is a describe, or the whole file.
type group struct {
	parent   *group
	name     string
	before   []*lua.LFunction
	after    []*lua.LFunction
	settings settings
}

// testCase is an it, or one row of an each.
type testCase struct {
	group *group
	name  string
	where string         // file:line
	run   *lua.LFunction // nil: not written yet
	args  []lua.LValue
}

// title is the name with those of all groups around it.
func (c *testCase) title() string {
	names := []string{c.name}
	for g := c.group; g.parent != nil; g = g.parent {
		names = append([]string{g.name}, names...)
	}
	return strings.Join(names, " › ")
}

// groups are those around the test, the outermost first.
func (c *testCase) groups() []*group {
	var all []*group
	for g := c.group; g != nil; g = g.parent {
		all = append([]*group{g}, all...)
	}
	return all
}

// settings say in which world a test runs.
type settings struct {
	components []string // nil: the one that has the file's name
	roles      []roleSetting
	env        map[string]string
	time       float64 // seconds since 1970; 0: now
	answers    []*answer
	sql        []*sqlAnswer
}

// roleSetting is a role that may do everything, in a realm that need not be there.
type roleSetting struct{ realm, role string }

// merged are the settings that hold for the test.
func (c *testCase) merged() settings {
	m := settings{env: map[string]string{}}
	for _, g := range c.groups() {
		s := &g.settings
		if s.components != nil {
			m.components = s.components
		}
		if s.time != 0 {
			m.time = s.time
		}
		m.roles = append(m.roles, s.roles...)
		for name, value := range s.env {
			m.env[name] = value
		}
	}
	return m
}
