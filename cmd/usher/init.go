package main

import (
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"usher/router/config"
	"usher/scripts"
)

//go:embed template
var templates embed.FS

// initCommand is "usher init DIR".
type initCommand struct {
	Dir     string `arg:"" optional:"" help:"Directory to write to; made if it is not there. Nothing in it is overwritten."`
	Example string `placeholder:"NAME" help:"Write one of the examples, instead of a configuration to start from."`
	List    bool   `help:"List the examples."`

	Annotations bool `help:"Write only what tells editors what scripts can use, over what an older usher wrote."`
}

// Run writes a configuration and scripts to start from. Every ticket in them is
// random: no two installations share one.
func (c initCommand) Run(s streams) error {
	if c.List {
		return listExamples(s)
	}
	if c.Dir == "" {
		return usageError(errors.New("init: where to? Write usher init DIR"))
	}
	if c.Annotations {
		return c.writeAnnotations(s)
	}
	files, err := c.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if _, err := os.Lstat(f.path); !errors.Is(err, fs.ErrNotExist) {
			if err == nil {
				err = errors.New("it exists already; choose another directory, or remove it")
			}
			return fmt.Errorf("init: %s: %w", f.path, err)
		}
	}
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return fmt.Errorf("init: %w", err)
		}
		if err := writeNew(f.path, f.text, f.mode); err != nil {
			return fmt.Errorf("init: %w", err)
		}
		fmt.Fprintln(s.out, "wrote", f.path)
	}
	if err := c.writeAnnotations(s); err != nil {
		return err
	}
	if c.Example != "" {
		return c.sayNext(s, files)
	}
	config := filepath.Join(c.Dir, defaultConfig)
	fmt.Fprintf(s.out, `
Try a login; TICKET is alice's, in %[2]s:
  USHER_TICKET=TICKET %[1]s try --config %[3]s --authid alice
Run the tests of the scripts:
  %[1]s test %[4]s
Start the router:
  %[1]s serve --config %[3]s
`, self(), filepath.Join(c.Dir, "scripts", "authenticate.lua"), config, filepath.Join(c.Dir, "scripts"))
	return nil
}

// newFile is one to be written.
type newFile struct {
	path, text string
	mode       fs.FileMode
}

// files are those of the template, or of an example.
func (c initCommand) files() ([]newFile, error) {
	root, err := fs.Sub(templates, "template")
	place := func(name string) string {
		if path.Ext(name) == ".lua" {
			return path.Join("scripts", name)
		}
		return name
	}
	if c.Example != "" {
		if _, err := describeExample(c.Example); err != nil {
			return nil, usageError(err)
		}
		root, err = fs.Sub(scripts.Examples, path.Join("examples", c.Example))
		place = path.Clean
	}
	if err != nil {
		return nil, err
	}
	var files []newFile
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f := newFile{filepath.Join(c.Dir, filepath.FromSlash(place(name))), withTickets(string(text)), 0o644}
		if f.text != string(text) {
			f.mode = 0o600 // it holds secrets
		}
		files = append(files, f)
		return nil
	})
	if err == nil && c.Example == certificateExample {
		var certificates []newFile
		certificates, err = newCertificates(filepath.Join(c.Dir, "certificates"))
		files = append(files, certificates...)
	}
	return files, err
}

// exampleNames are those of all examples, sorted.
func exampleNames() ([]string, error) {
	entries, err := scripts.Examples.ReadDir("examples")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// describeExample is the first line of an example's configuration.
func describeExample(name string) (string, error) {
	text, err := scripts.Examples.ReadFile(path.Join("examples", name, defaultConfig))
	if err != nil {
		return "", fmt.Errorf("init: there is no example %q: usher init --list shows them", name)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimPrefix(line, "# "), nil
}

func listExamples(s streams) error {
	names, err := exampleNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		what, err := describeExample(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%-16s%s\n", name, what)
	}
	return nil
}

// wellKnown marks, in the comments of an example's files, accounts that are not
// to be kept.
const wellKnown = "known to everybody who has read the tests"

// sayNext tells what to do with an example.
func (c initCommand) sayNext(s streams, files []newFile) error {
	file := filepath.Join(c.Dir, defaultConfig)
	conf, err := config.Load(file)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\nRead what the scripts in %s say, and run their tests:\n  %s test --config %s\n", filepath.Join(c.Dir, "scripts"), self(), file)
	if len(conf.Scripts.Env) > 0 {
		fmt.Fprintf(s.out, "Set in the environment what they ask for there:\n  %s\n", strings.Join(conf.Scripts.Env, ", "))
	}
	for _, f := range files {
		if strings.Contains(f.text, wellKnown) {
			fmt.Fprintf(s.out, "Replace the account that everybody knows, in\n  %s\n", f.path)
		}
	}
	fmt.Fprintf(s.out, "Start the router:\n  %s serve --config %s\n", self(), file)
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
