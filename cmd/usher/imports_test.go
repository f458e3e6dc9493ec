package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	lua        = "github.com/yuin/gopher-lua"
	everything = "everything"
)

// mayImport says which of the project's packages, and of the few others that are
// named here, each package may import. What it does not say is forbidden; the
// standard library and other modules are free where nothing is said of them.
func mayImport() map[string][]string {
	return map[string][]string{
		"router/wamp":                    nil,
		"router/match":                   {"router/wamp"},
		"router/codec":                   {"router/wamp"},
		"router/trustroot":               nil,
		"router/trustroot/trustroottest": {"router/trustroot"},
		"router/auth":                    {"router/wamp", "router/trustroot"},
		"router/transport":               {"router/wamp", "router/codec"},
		"router/config":                  {"router/wamp", "router/match", "router/auth", "router/trustroot"},
		"router/cookies":                 {"router/wamp", "router/auth"},
		"router/jwt":                     nil,
		"router/tokens":                  {"router/wamp", "router/auth", "router/jwt"}, // fetches keys, which auth must not
		"router/client":                  {"router/wamp", "router/codec", "router/auth", "router/transport"},
		"router/realm":                   {"router/wamp", "router/match", "router/codec", "router/auth", "router/transport"},
		"router/web":                     {"router/realm", "router/transport", "router/config", "router/wamp", "router/auth"},
		"router": {"router/wamp", "router/match", "router/codec", "router/auth", "router/transport", "router/config",
			"router/realm", "router/web", "router/cookies", "router/tokens"},
		"scripting/lua51":   {lua},
		"scripting/luaconv": {"router/wamp", "router/codec", lua},
		"scripting/lualib":  {"scripting/lua51", "scripting/luaconv", "router/jwt", lua},
		"scripting": {"router/realm", "router/auth", "router/trustroot", "router/wamp", "scripting/luaconv", "scripting/lualib",
			"scripting/lua51", lua},
		"scripting/lualib/postgrestest": nil, // for tests
		"scripting/luadoc":              nil,
		"scripting/luatest": {"scripting", "router/realm", "router/client", "router/auth", "router/trustroot", "router/wamp", "scripting/luaconv", "scripting/lualib",
			"scripting/lua51", lua},
		"scripts":   nil,
		"cmd/usher": {everything},
	}
}

// Packages that may import nothing but the standard library and what mayImport says.
func standardOnly() []string {
	return []string{"router/wamp", "router/match", "router/auth", "scripts"}
}

// project calls do for each Go file of the project that is no test.
func project(t *testing.T, do func(folder, name string)) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			folder, err := filepath.Rel(root, filepath.Dir(name))
			if err != nil {
				return err
			}
			do(filepath.ToSlash(folder), name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImportsPointOneWay(t *testing.T) {
	table := mayImport()
	seen := map[string]bool{}
	project(t, func(folder, name string) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		allowed, known := table[folder]
		if !known {
			t.Errorf("%s: the table of imports does not know the package %s", name, folder)
			return
		}
		seen[folder] = true
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Error(err)
				continue
			}
			imported, own := strings.CutPrefix(imported, "usher/")
			foreign := !own && strings.Contains(strings.Split(imported, "/")[0], ".")
			isLua := imported == lua || path.Dir(imported) == lua
			judged := own || isLua || foreign && slices.Contains(standardOnly(), folder)
			if isLua {
				imported = lua
			}
			if judged && !slices.Contains(allowed, imported) && !slices.Contains(allowed, everything) {
				t.Errorf("%s imports %s, which %s may not", name, imported, folder)
			}
		}
	})
	for folder := range table {
		if !seen[folder] {
			t.Errorf("the table of imports names %s, which is not there", folder)
		}
	}
}

// Each package says in doc.go what it is for, and no file is too long to be read.
func TestPackagesAreDescribedAndFilesShort(t *testing.T) {
	const longest = 600
	described := map[string]bool{}
	project(t, func(folder, name string) {
		described[folder] = described[folder] || filepath.Base(name) == "doc.go"
		text, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			return
		}
		if lines := bytes.Count(text, []byte("\n")); lines > longest {
			t.Errorf("%s has %d lines, more than %d: split it", name, lines, longest)
		}
	})
	for folder, ok := range described {
		if !ok {
			t.Errorf("%s has no doc.go", folder)
		}
	}
}
