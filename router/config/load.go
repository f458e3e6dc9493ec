package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Load reads and checks the file at path, and that the files and directories
// which it names exist. What is wrong with it is an *Error; a file that cannot
// be read is an error of package fs.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	if err := c.CheckFiles(os.Stat); err != nil {
		return nil, err
	}
	return c, nil
}

// Parse checks data, the content of the file called name: JSON where the name
// ends in ".json" or the content is JSON, else YAML; a Crossbar.io node file
// where it has the key "workers". Relative paths in it become relative to
// name's directory. It looks at nothing but its arguments. An error is an *Error.
func Parse(name string, data []byte) (*Config, error) {
	root, err := parseTree(name, data)
	if err != nil {
		p := Problem{File: name, Line: 1, Column: 1, Message: err.Error()}
		var syntax *syntaxError
		if errors.As(err, &syntax) {
			p.Line, p.Column, p.Message = syntax.line, syntax.column, syntax.message
		}
		return nil, newError([]Problem{p})
	}
	r := &reader{file: name}
	c := &Config{File: name}
	v := value{r: r, n: root}
	if root.kind == kindDict && root.has("workers") {
		r.crossbar = true
		c.Crossbar, c.Scripts.AllowJoin = true, true
		r.crossbarNode(v, c)
	} else {
		r.usherFile(v, c)
	}
	r.checkCookieStores()
	// References are checked against what was read: where reading failed, a
	// missing role would only be an echo of that.
	if len(r.problems) == 0 {
		for _, check := range r.checks {
			check()
		}
	}
	if len(r.problems) > 0 {
		return nil, newError(r.problems)
	}
	sortProblems(r.warnings)
	c.Warnings = r.warnings
	return c, nil
}

func parseTree(name string, data []byte) (*node, error) {
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("the file is larger than %s", formatSize(maxFileSize))
	}
	if !utf8.Valid(data) {
		return nil, errors.New("the file is not UTF-8 text: save it as UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if strings.EqualFold(filepath.Ext(name), ".json") || json.Valid(data) {
		return parseJSON(data)
	}
	return parseYAML(data)
}

func (n *node) has(key string) bool {
	_, ok := n.index[key]
	return ok
}

// fileCheck is a file or directory that must exist.
type fileCheck struct {
	at        Problem // without message
	path      string
	directory bool
}

// CheckFiles checks with stat, e.g. os.Stat, that the files and directories
// exist which the configuration names. An error is an *Error.
func (c *Config) CheckFiles(stat func(string) (fs.FileInfo, error)) error {
	var ps []Problem
	for _, f := range c.files {
		p := f.at
		info, err := stat(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && f.directory:
			p.Message = fmt.Sprintf("there is no directory %s (a relative path starts at this file's folder)", f.path)
		case errors.Is(err, fs.ErrNotExist):
			p.Message = fmt.Sprintf("there is no file %s (a relative path starts at this file's folder)", f.path)
		case err != nil:
			p.Message = err.Error()
		case info.IsDir() && !f.directory:
			p.Message = f.path + " is a directory, want a file"
		case !info.IsDir() && f.directory:
			p.Message = f.path + " is a file, want a directory"
		default:
			continue
		}
		ps = append(ps, p)
	}
	if len(ps) > 0 {
		return newError(ps)
	}
	return nil
}

// filePath reads the path of a file or directory that must exist.
func (r *reader) filePath(v value, c *Config, directory bool) string {
	path := r.ownPath(v)
	if path != "" {
		c.files = append(c.files, fileCheck{r.problem(v, "", nil), path, directory})
	}
	return path
}

// ownPath reads the path of a file that usher makes itself. It makes it relative to
// where the file's own name is.
func (r *reader) ownPath(v value) string {
	name := v.name()
	if name == "" {
		return ""
	}
	path := filepath.FromSlash(name)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.file), path)
	}
	return path
}
