package main

import (
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"usher/scripting/luadoc"
)

//go:embed template
var templates embed.FS

// initCommand is "usher init DIR".
type initCommand struct {
	Dir         string `arg:"" help:"Directory to write to; made if it is not there. Nothing in it is overwritten."`
	Annotations bool   `help:"Write only what tells editors what scripts can use, over what an older usher wrote."`
}

// Run writes a configuration and scripts to start from. Every ticket in them is
// random: no two installations share one.
func (c initCommand) Run(s streams) error {
	if err := c.run(s); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return nil
}

func (c initCommand) run(s streams) error {
	if c.Annotations {
		return c.writeAnnotations(s)
	}
	files := []struct{ template, path string }{
		{"template/usher.yaml", "usher.yaml"},
		{"template/authenticate.lua", filepath.Join("scripts", "authenticate.lua")},
		{"template/authenticate_test.lua", filepath.Join("scripts", "authenticate_test.lua")},
		{"template/backend.lua", filepath.Join("scripts", "backend.lua")},
		{"template/backend_test.lua", filepath.Join("scripts", "backend_test.lua")},
	}
	for _, f := range files {
		path := filepath.Join(c.Dir, f.path)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			if err == nil {
				err = errors.New("it exists already; choose another directory, or remove it")
			}
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(c.Dir, "scripts"), 0o755); err != nil {
		return err
	}
	for _, f := range files {
		text, err := templates.ReadFile(f.template)
		if err != nil {
			return err
		}
		path, mode := filepath.Join(c.Dir, f.path), fs.FileMode(0o644)
		content := withTickets(string(text))
		if content != string(text) {
			mode = 0o600 // it holds secrets
		}
		if err := writeNew(path, content, mode); err != nil {
			return err
		}
		fmt.Fprintln(s.out, "wrote", path)
	}
	if err := c.writeAnnotations(s); err != nil {
		return err
	}
	config := filepath.Join(c.Dir, "usher.yaml")
	fmt.Fprintf(s.out, `
Try a login; the tickets are in %s:
  usher try --config %s --authid alice
Run the tests of the scripts:
  usher test %s
Start the router:
  usher serve --config %s
`, filepath.Join(c.Dir, "scripts", "authenticate.lua"), config, filepath.Join(c.Dir, "scripts"), config)
	return nil
}

// annotations is the directory that tells editors what scripts can use. The router
// does not look into it.
const annotations = ".usher"

// writeAnnotations writes what editors need to complete and check scripts. The
// settings of an editor are somebody's own once they are there.
func (c initCommand) writeAnnotations(s streams) error {
	names, err := fs.Glob(luadoc.Files(), "*.lua")
	if err != nil {
		return err
	}
	dir := filepath.Join(c.Dir, annotations)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(luadoc.Files(), name)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(s.out, "wrote", path)
	}
	path := filepath.Join(c.Dir, ".luarc.json")
	err = writeNew(path, luadoc.Settings(annotations, defaultScripts), 0o644)
	if errors.Is(err, fs.ErrExist) {
		fmt.Fprintln(s.out, "kept", path)
		return nil
	}
	if err == nil {
		fmt.Fprintln(s.out, "wrote", path)
	}
	return err
}

// withTickets puts a new random ticket wherever text asks for one.
func withTickets(text string) string {
	for strings.Contains(text, "{{ticket}}") {
		text = strings.Replace(text, "{{ticket}}", rand.Text(), 1)
	}
	return text
}

// writeNew writes a file that must not be there yet.
func writeNew(path, content string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Close())
}
