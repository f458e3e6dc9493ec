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
)

//go:embed template
var templates embed.FS

// initCommand is "usher init DIR".
type initCommand struct {
	Dir string `arg:"" help:"Directory to write to; made if it is not there. Nothing in it is overwritten."`
}

// Run writes a configuration and scripts to start from. Every ticket in them is
// random: no two installations share one.
func (c initCommand) Run(s streams) error {
	files := []struct{ template, path string }{
		{"template/usher.yaml", "usher.yaml"},
		{"template/authenticate.lua", filepath.Join("scripts", "authenticate.lua")},
		{"template/backend.lua", filepath.Join("scripts", "backend.lua")},
	}
	for _, f := range files {
		path := filepath.Join(c.Dir, f.path)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			if err == nil {
				err = errors.New("it exists already; choose another directory, or remove it")
			}
			return fmt.Errorf("init: %s: %w", path, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(c.Dir, "scripts"), 0o755); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	for _, f := range files {
		text, err := templates.ReadFile(f.template)
		if err != nil {
			return fmt.Errorf("init: %w", err)
		}
		path, mode := filepath.Join(c.Dir, f.path), fs.FileMode(0o644)
		content := withTickets(string(text))
		if content != string(text) {
			mode = 0o600 // it holds secrets
		}
		if err := writeNew(path, content, mode); err != nil {
			return fmt.Errorf("init: %w", err)
		}
		fmt.Fprintln(s.out, "wrote", path)
	}
	config := filepath.Join(c.Dir, "usher.yaml")
	fmt.Fprintf(s.out, `
Try a login; the tickets are in %s:
  usher try --config %s --authid alice
Start the router:
  usher serve --config %s
`, filepath.Join(c.Dir, "scripts", "authenticate.lua"), config, config)
	return nil
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
