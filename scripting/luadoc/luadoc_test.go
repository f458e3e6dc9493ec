package luadoc

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"usher/scripting/lua51"
)

func load(t *testing.T) *Reference {
	t.Helper()
	r, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The annotations are Lua, every type in them is one, and nothing is described
// twice.
func TestAnnotations(t *testing.T) {
	r := load(t)
	for _, name := range []string{FileLua, FileUsher, FileTest} {
		text, err := fs.ReadFile(Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lua51.Inspect(name, text); err != nil {
			t.Error(err)
		}
	}
	seen := map[string]bool{}
	for _, e := range r.Entries {
		if seen[e.Name] {
			t.Errorf("%s is described twice", e.Name)
		}
		seen[e.Name] = true
		for _, v := range slices.Concat(e.Params, e.Returns, e.Fields) {
			checkType(t, r, e, v.Type)
		}
		if owner, _, ok := cutOwner(e.Name); ok && r.Find(owner) == nil {
			t.Errorf("%s belongs to nothing that is described", e.Name)
		}
	}
}

func checkType(t *testing.T, r *Reference, e *Entry, typ string) {
	plain := []string{"any", "nil", "boolean", "number", "integer", "string", "table", "function", "userdata", "true", "false", "fun", "T", "K", "V"}
	parts := strings.Split(typ, `"`)
	for i := 0; i < len(parts); i += 2 {
		for _, word := range strings.FieldsFunc(parts[i], func(c rune) bool { return strings.ContainsRune("()<>{}[]|?,: .", c) }) {
			isArgument := strings.Contains(typ, word+":") || strings.Contains(typ, word+"?:")
			if !slices.Contains(plain, word) && !isArgument && (r.Find(word) == nil || r.Find(word).Kind != Class) {
				t.Errorf("%s: there is no type %s, in %s", e.Name, word, typ)
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	r := load(t)
	for name, want := range map[string]string{
		"kv.set": `kv.set(key, value, ttl?)
  Stores a value.
  key    string
  value  string|number|boolean
  ttl?   number  -- seconds to live; for ever without it
`,
		"escape": `url.escape(text) -> string
  Escapes one value of a query.
  text  string
`,
		"Verdict": `Verdict
  What an authorizer decides.
  allow     boolean
  disclose? boolean  -- callees and subscribers learn who it was
  cache?    number|boolean  -- seconds for which the session need not ask again; true: for ever
`,
	} {
		var b strings.Builder
		if !r.Describe(&b, name) || b.String() != want {
			t.Errorf("%s:\n%s", name, b.String())
		}
	}
	var b strings.Builder
	if r.Describe(&b, "nothing") || b.String() != "" {
		t.Error("something was said of nothing")
	}
	for _, parts := range [][]string{
		{"router.register", "RegisterOptions", "force_reregister?"}, // with the tables that it takes
		{"sql.open", "Database:query_row(text, ...)"},
		{"kv", "kv.incr(key, n?, ttl?) -> number"},
		{"get", "http.get(url, options?)", "kv.get(key)", "env.get(name)"},
	} {
		var b strings.Builder
		r.Describe(&b, parts[0])
		for _, part := range parts {
			if !strings.Contains(b.String(), part) && part != "get" {
				t.Errorf("of %s nothing says %s:\n%s", parts[0], part, b.String())
			}
		}
	}
	var topics strings.Builder
	r.Topics(&topics)
	for _, part := range []string{"router", "Principal", "each(cases, name, fn)", "setmetatable"} {
		if !strings.Contains(topics.String(), part) {
			t.Errorf("the topics do not name %s:\n%s", part, topics.String())
		}
	}
}

func TestSettingsAreJSON(t *testing.T) {
	var v map[string]any
	if err := json.Unmarshal([]byte(Settings(".usher", "scripts")), &v); err != nil {
		t.Fatal(err)
	}
}
