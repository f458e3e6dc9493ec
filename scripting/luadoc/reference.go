package luadoc

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed library/*.lua
var library embed.FS

// The files of annotations.
const (
	FileLua   = "lua.lua"   // Lua's own library
	FileUsher = "usher.lua" // what scripts have beside it
	FileTest  = "test.lua"  // what tests have beside that
)

// Files returns the annotations, by their names.
func Files() fs.FS {
	files, err := fs.Sub(library, "library")
	if err != nil { // cannot be: the name is valid
		return library
	}
	return files
}

// Kind says what an Entry describes.
type Kind int

// The kinds of entries.
const (
	Module Kind = iota // a table of functions
	Function
	Constant
	Class  // the fields of a table
	Method // of a class
)

// Entry describes one name.
type Entry struct {
	Name     string // with the module or class before it
	Kind     Kind
	File     string // of annotations
	Text     string // may be empty
	Params   []Value
	Returns  []Value
	Fields   []Value // of a Class
	Exact    bool    // a Class that has no other fields
	Base     string  // of a Class that has the fields of another one, too; mostly empty
	Overload string  // another way to call it; mostly empty
}

// Value is a parameter, result or field.
type Value struct {
	Name     string
	Type     string
	Text     string
	Optional bool
}

// Reference is all that the annotations say, in their order.
type Reference struct {
	Entries []*Entry
	byName  map[string]*Entry
}

// Load reads the annotations. The error is that of files that are not written as
// this package reads them, which a test excludes.
func Load() (*Reference, error) {
	r := &Reference{byName: map[string]*Entry{}}
	for _, name := range []string{FileUsher, FileLua, FileTest} {
		text, err := fs.ReadFile(Files(), name)
		if err != nil {
			return nil, err
		}
		p := &parser{reference: r, file: name}
		for n, line := range strings.Split(string(text), "\n") {
			if err := p.line(strings.TrimRight(line, "\r")); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n+1, err)
			}
		}
		p.end()
	}
	return r, nil
}

// Find returns the entry of a name; nil: there is none.
func (r *Reference) Find(name string) *Entry { return r.byName[name] }

// Under returns the entries of a module's functions, or a class's methods.
func (r *Reference) Under(name string) []*Entry {
	var all []*Entry
	for _, e := range r.Entries {
		if owner, _, ok := cutOwner(e.Name); ok && owner == name {
			all = append(all, e)
		}
	}
	return all
}

// Globals returns the globals with the fields that each has: of scripts, and with
// tests also those of tests.
func (r *Reference) Globals(tests bool) map[string][]string {
	all := map[string][]string{}
	for _, e := range r.Entries {
		if e.Kind == Class || e.Kind == Method || e.File == FileTest && !tests {
			continue
		}
		if owner, name, ok := cutOwner(e.Name); ok {
			all[owner] = append(all[owner], name)
		} else if _, known := all[e.Name]; !known {
			all[e.Name] = nil
		}
	}
	return all
}

// FieldNames are the names of a class's fields, sorted.
func (r *Reference) FieldNames(class string) []string {
	var names []string
	if e := r.Find(class); e != nil {
		for _, f := range r.fields(e) {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return names
}

// fields are those of a class, its own first.
func (r *Reference) fields(e *Entry) []Value {
	if base := r.Find(e.Base); base != nil {
		return append(slices.Clone(e.Fields), base.Fields...)
	}
	return e.Fields
}

func cutOwner(name string) (owner, field string, ok bool) {
	if i := strings.LastIndexAny(name, ".:"); i > 0 {
		return name[:i], name[i+1:], true
	}
	return "", name, false
}

// parser reads one file of annotations.
type parser struct {
	reference *Reference
	file      string
	entry     *Entry // that is being described
	isClass   bool
}

func (p *parser) current() *Entry {
	if p.entry == nil {
		p.entry = &Entry{File: p.file}
	}
	return p.entry
}

// end closes a description that stands for itself.
func (p *parser) end() {
	if p.isClass && p.entry.Name != "" {
		p.add()
	}
	p.entry, p.isClass = nil, false
}

func (p *parser) add() {
	p.reference.Entries = append(p.reference.Entries, p.entry)
	p.reference.byName[p.entry.Name] = p.entry
	p.entry, p.isClass = nil, false
}

func (p *parser) line(line string) error {
	switch {
	case strings.HasPrefix(line, "---@"):
		return p.tag(line[4:])
	case strings.HasPrefix(line, "---"):
		e := p.current()
		e.Text = strings.TrimSpace(e.Text + "\n" + line[3:])
		return nil
	case line == "", strings.HasPrefix(line, "-- "), strings.HasPrefix(line, "local "):
		p.end()
		return nil
	}
	if head, ok := strings.CutPrefix(line, "function "); ok {
		return p.function(head)
	}
	name, value, ok := strings.Cut(line, " = ")
	if !ok || value != "{}" && value != "nil" {
		return fmt.Errorf("not understood: %s", line)
	}
	e := p.current()
	e.Name, e.Kind = name, Module
	if value == "nil" {
		e.Kind = Constant
	}
	p.add()
	return nil
}

// function reads "module.name(a, b) end".
func (p *parser) function(head string) error {
	name, rest, ok := strings.Cut(head, "(")
	list, ok2 := strings.CutSuffix(rest, ") end")
	if !ok || !ok2 {
		return fmt.Errorf("not understood: function %s", head)
	}
	p.isClass = false
	e := p.current()
	e.Name, e.Kind = name, Function
	if strings.Contains(name, ":") {
		e.Kind = Method
	}
	var names []string
	for _, n := range strings.Split(list, ",") {
		if n = strings.TrimSpace(n); n != "" {
			names = append(names, n)
		}
	}
	if len(names) != len(e.Params) {
		return fmt.Errorf("%s has %d parameters, of which %d are described", name, len(names), len(e.Params))
	}
	for i, n := range names {
		if e.Params[i].Name != n {
			return fmt.Errorf("%s: parameter %s is described as %s", name, n, e.Params[i].Name)
		}
	}
	p.add()
	return nil
}

func (p *parser) tag(text string) error {
	tag, rest, _ := strings.Cut(text, " ")
	e := p.current()
	switch tag {
	case "meta", "generic":
	case "overload":
		e.Overload = rest
	case "type":
		e.Returns = []Value{{Type: rest}}
	case "class":
		rest, e.Exact = strings.CutPrefix(rest, "(exact) ")
		e.Name, e.Base, _ = strings.Cut(rest, ":")
		e.Base = strings.TrimSpace(e.Base)
		e.Kind, p.isClass = Class, true
	case "param", "field":
		v, err := namedValue(rest)
		if err != nil {
			return err
		}
		if tag == "param" {
			e.Params = append(e.Params, v)
		} else {
			e.Fields = append(e.Fields, v)
		}
	case "return":
		t, after := cutType(rest)
		v := Value{Type: t, Text: after}
		v.Name, v.Text, _ = strings.Cut(after, "#")
		v.Name, v.Text = strings.TrimSpace(v.Name), strings.TrimSpace(v.Text)
		if strings.Contains(v.Name, " ") {
			return fmt.Errorf("write @return type name # text: %s", rest)
		}
		e.Returns = append(e.Returns, v)
	default:
		return fmt.Errorf("unknown annotation @%s", tag)
	}
	return nil
}

// namedValue reads "name? type text".
func namedValue(s string) (Value, error) {
	name, rest, ok := strings.Cut(s, " ")
	if !ok {
		return Value{}, fmt.Errorf("no type: %s", s)
	}
	var v Value
	v.Name, v.Optional = strings.CutSuffix(name, "?")
	v.Type, v.Text = cutType(rest)
	return v, nil
}

// cutType cuts a type from the text behind it: spaces inside of brackets, and after
// commas and colons of functions, belong to the type.
func cutType(s string) (typ, text string) {
	depth := 0
	quoted := false
	for i, c := range s {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.ContainsRune("(<{[", c):
			depth++
		case strings.ContainsRune(")>}]", c):
			depth--
		case c == ' ' && depth == 0 && !strings.HasSuffix(s[:i], ":") && !strings.HasSuffix(s[:i], ","):
			return s[:i], strings.TrimSpace(s[i:])
		}
	}
	return s, ""
}
