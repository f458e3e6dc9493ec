package luadoc

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Signature is how an entry is used: "kv.set(key, value, ttl?)".
func (e *Entry) Signature() string {
	switch e.Kind {
	case Function, Method:
		names := make([]string, len(e.Params))
		for i, p := range e.Params {
			names[i] = p.Name
			if p.Optional {
				names[i] += "?"
			}
		}
		return e.Name + "(" + strings.Join(names, ", ") + ")"
	}
	return e.Name
}

// Summary is the first sentence of an entry's text.
func (e *Entry) Summary() string {
	text, _, _ := strings.Cut(e.Text, "\n")
	if first, _, ok := strings.Cut(text, ". "); ok {
		return first + "."
	}
	return text
}

// Topics lists what there is, for who gives no name.
func (r *Reference) Topics(out io.Writer) {
	section := func(title string, want func(e *Entry) bool) {
		fmt.Fprintf(out, "%s\n", title)
		for _, e := range r.Entries {
			if want(e) {
				line := fmt.Sprintf("  %-21s %s", e.Signature(), e.Summary())
				fmt.Fprintln(out, strings.TrimRight(line, " "))
			}
		}
		fmt.Fprintln(out)
	}
	section("Modules of scripts", func(e *Entry) bool { return e.Kind == Module && e.File == FileUsher })
	section("Tables", func(e *Entry) bool { return e.Kind == Class && e.File == FileUsher })
	section("Tests", func(e *Entry) bool {
		_, _, owned := cutOwner(e.Name)
		return e.File == FileTest && e.Kind != Class && !owned
	})
	fmt.Fprint(out, "Lua 5.1's own library\n ")
	for _, e := range r.Entries {
		if _, _, owned := cutOwner(e.Name); e.File == FileLua && !owned {
			fmt.Fprint(out, " ", e.Name)
		}
	}
	fmt.Fprintln(out)
}

// Describe writes what is known of a name: a module, a function, with or without
// its module, or a table. It reports false where there is no such name.
func (r *Reference) Describe(out io.Writer, name string) bool {
	found := r.lookUp(name)
	shown := map[string]bool{}
	for i, e := range found {
		if i > 0 {
			fmt.Fprintln(out)
		}
		r.describe(out, e, shown)
	}
	return len(found) > 0
}

func (r *Reference) lookUp(name string) []*Entry {
	if e := r.Find(name); e != nil {
		return []*Entry{e}
	}
	var found []*Entry
	for _, e := range r.Entries {
		if _, field, _ := cutOwner(e.Name); strings.EqualFold(field, name) || strings.EqualFold(e.Name, name) {
			found = append(found, e)
		}
	}
	return found
}

func (r *Reference) describe(out io.Writer, e *Entry, shown map[string]bool) {
	switch e.Kind {
	case Module:
		fmt.Fprintf(out, "%s\n", e.Name)
		paragraph(out, "  ", e.Text)
		for _, f := range r.Under(e.Name) {
			fmt.Fprintf(out, "\n  %s%s\n", f.Signature(), results(f))
			paragraph(out, "      ", f.Text)
		}
	case Class:
		r.describeClass(out, e, shown)
	default:
		fmt.Fprintf(out, "%s%s\n", e.Signature(), results(e))
		paragraph(out, "  ", e.Text)
		if e.Overload != "" {
			paragraph(out, "  ", "or: "+e.Overload)
		}
		values(out, e.Params)
		for _, v := range slices.Concat(e.Params, e.Returns) {
			r.describeTypes(out, v.Type, shown)
		}
	}
}

func (r *Reference) describeClass(out io.Writer, e *Entry, shown map[string]bool) {
	if shown[e.Name] {
		return
	}
	shown[e.Name] = true
	fmt.Fprintf(out, "%s\n", e.Name)
	paragraph(out, "  ", e.Text)
	values(out, r.fields(e))
	for _, f := range r.Under(e.Name) {
		fmt.Fprintf(out, "\n  %s%s\n", f.Signature(), results(f))
		paragraph(out, "      ", f.Text)
	}
}

// describeTypes describes the tables that a type speaks of.
func (r *Reference) describeTypes(out io.Writer, typ string, shown map[string]bool) {
	for _, word := range strings.FieldsFunc(typ, func(c rune) bool { return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') }) {
		if e := r.Find(word); e != nil && e.Kind == Class && !shown[word] {
			fmt.Fprintln(out)
			r.describeClass(out, e, shown)
		}
	}
}

// results are the types of what is returned.
func results(e *Entry) string {
	if len(e.Returns) == 0 {
		return ""
	}
	types := make([]string, len(e.Returns))
	for i, v := range e.Returns {
		types[i] = v.Type
		if v.Name != "" {
			types[i] = v.Name + ": " + v.Type
		}
	}
	return " -> " + strings.Join(types, ", ")
}

// values lists parameters or fields in columns.
func values(out io.Writer, all []Value) {
	widest := 0
	for _, v := range all {
		widest = max(widest, len(v.Name)+1)
	}
	for _, v := range all {
		name := v.Name
		if v.Optional {
			name += "?"
		}
		text := v.Type
		if v.Text != "" {
			text += "  -- " + v.Text
		}
		fmt.Fprintf(out, "  %-*s %s\n", widest, name, text)
	}
}

const textWidth = 90

func paragraph(out io.Writer, indent, text string) {
	for _, part := range strings.Split(text, "\n") {
		line := ""
		for _, word := range strings.Fields(part) {
			if line != "" && len(line)+1+len(word) > textWidth {
				fmt.Fprintf(out, "%s%s\n", indent, line)
				line = ""
			}
			line = strings.TrimSpace(line + " " + word)
		}
		if line != "" {
			fmt.Fprintf(out, "%s%s\n", indent, line)
		}
	}
}

// Markdown is the table of modules for the README.
func (r *Reference) Markdown() string {
	var b strings.Builder
	b.WriteString("| module | functions | |\n|---|---|---|\n")
	for _, e := range r.Entries {
		if e.Kind != Module || e.File != FileUsher {
			continue
		}
		var names []string
		for _, f := range r.Under(e.Name) {
			names = append(names, "`"+r.short(f)+"`")
			for _, v := range f.Returns {
				for _, method := range r.Under(v.Type) {
					if method.Kind == Method {
						names = append(names, "`"+r.short(method)+"`")
					}
				}
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", e.Name, strings.Join(names, ", "), strings.ReplaceAll(e.Text, "\n", " "))
	}
	return b.String()
}

// short is the signature of a module's function without the module, and of a method
// without its class; with the names of options, unless those are router's, which are
// many.
func (r *Reference) short(e *Entry) string {
	owner, name, _ := cutOwner(e.Name)
	if e.Kind == Constant {
		return name
	}
	if e.Kind == Method {
		name = ":" + name
	}
	var params []string
	for _, p := range e.Params {
		text := p.Name
		if c := r.Find(p.Type); c != nil && c.Exact && owner != "router" {
			var fields []string
			for _, f := range r.fields(c) {
				fields = append(fields, f.Name+" =")
			}
			text = "{ " + strings.Join(fields, ", ") + " }"
		} else if p.Optional {
			text += "?"
		}
		params = append(params, text)
	}
	return name + "(" + strings.Join(params, ", ") + ")"
}

// Settings is the content of .luarc.json, which tells the Lua language server to
// use the annotations in the directory library and nothing else of its own, for the
// scripts in the directory scripts.
func Settings(library, scripts string) string {
	return fmt.Sprintf(`{
  "runtime.version": "Lua 5.1",
  "runtime.path": [%q, "?.lua"],
  "runtime.builtin": {
    "basic": "disable", "bit": "disable", "bit32": "disable", "coroutine": "disable", "debug": "disable",
    "ffi": "disable", "io": "disable", "jit": "disable", "jit.profile": "disable", "jit.util": "disable",
    "math": "disable", "os": "disable", "package": "disable", "string": "disable", "string.buffer": "disable",
    "table": "disable", "table.clear": "disable", "table.new": "disable", "utf8": "disable"
  },
  "workspace.library": [%q],
  "workspace.checkThirdParty": false,
  "type.weakNilCheck": true,
  "type.weakUnionCheck": true
}
`, scripts+"/?.lua", library)
}
