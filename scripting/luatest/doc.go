// Package luatest runs the tests that authors of scripts write in Lua: files
// named NAME_test.lua beside the scripts.
//
// Each test runs in a world of its own: a router without sockets, the components
// under test as the real host loads them, a clock that stands still, a kv that is
// empty, and a virtual machine in which the test file has been run anew. What the
// components ask of the outside, by HTTP or from procedures of others, the test
// answers: functions of the test run while the test waits for the components.
//
// It owns the language of tests (describe, it, expect and the module test), the
// worlds, and the report. It must not know how a configuration is written or how
// the command line looks.
package luatest
