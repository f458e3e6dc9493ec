package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is a directory to serve, with secrets beside and inside of it.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"secret.txt":               "secret",
		"usher.yaml":               "secret",
		"web/index.html":           "<h1>index</h1>",
		"web/app.js":               "js",
		"web/style.CSS":            "css",
		"web/data.json":            "{}",
		"web/blob":                 "<html>",
		"web/sub/index.html":       "sub",
		"web/sub/with space.txt":   "space",
		"web/empty/x":              "x",
		"web/.env":                 "secret",
		"web/.git/config":          "secret",
		"web/.well-known/a.txt":    "known",
		"web/scripts/a.lua":        "secret",
		"web/scripts/b.LUA":        "secret",
		"web/index.html.d/inner":   "inner",
		"web/dirindex/index.html/": "",
	} {
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		write(t, filepath.Join(dir, name), content)
	}
	for link, to := range map[string]string{
		"web/out.txt":     "../secret.txt",
		"web/outdir":      "..",
		"web/abs.txt":     filepath.Join(dir, "secret.txt"),
		"web/inside.txt":  "sub/with space.txt",
		"web/config.txt":  "hard",
		"web/loop":        "loop",
		"web/dangling":    "nowhere",
		"web/absolute.js": filepath.Join(dir, "web", "app.js"),
	} {
		var err error
		if to == "hard" {
			err = os.Link(filepath.Join(dir, "usher.yaml"), filepath.Join(dir, link))
		} else {
			err = os.Symlink(filepath.FromSlash(to), filepath.Join(dir, link))
		}
		if err != nil {
			t.Skipf("links are not possible here: %v", err)
		}
	}
	return dir
}

func TestStaticFiles(t *testing.T) {
	dir := tree(t)
	w := start(t, conf(t, dir, "      /: {type: static, directory: web}\n      /lib/a: {type: static, directory: web/sub}", ""))
	for _, test := range []struct {
		path   string
		status int
		want   string // the body, the Location of a redirect; for an error any
		typ    string
	}{
		{"/", 200, "<h1>index</h1>", "text/html; charset=utf-8"},
		{"/index.html", 200, "<h1>index</h1>", "text/html; charset=utf-8"},
		{"/app.js", 200, "js", "text/javascript; charset=utf-8"},
		{"/app.js?v=/../../secret.txt", 200, "js", "text/javascript; charset=utf-8"},
		{"/style.CSS", 200, "css", "text/css; charset=utf-8"},
		{"/data.json", 200, "{}", "application/json"},
		{"/blob", 200, "<html>", "application/octet-stream"},
		{"/sub", 301, "sub/", ""},
		{"/sub/", 200, "sub", "text/html; charset=utf-8"},
		{"/sub/with%20space.txt", 200, "space", "text/plain; charset=utf-8"},
		{"/sub%2fwith%20space.txt", 200, "space", "text/plain; charset=utf-8"},
		{"/inside.txt", 200, "space", "text/plain; charset=utf-8"},
		{"/.well-known/a.txt", 200, "known", "text/plain; charset=utf-8"},
		{"/lib/a/with%20space.txt", 200, "space", "text/plain; charset=utf-8"},
		{"/lib/a", 301, "a/", ""},
		{"/lib/ab", 404, "", ""},
		{"/empty/", 404, "", ""}, // no listing
		{"/dirindex/", 404, "", ""},
		{"/none", 404, "", ""},
		{"/app.js/x", 404, "", ""},
		{"/dangling", 404, "", ""},
		{"/loop", 404, "", ""},
		// Out of the directory, in all spellings.
		{"/../secret.txt", 404, "", ""},
		{"/../../../../../../etc/passwd", 404, "", ""},
		{"/..%2fsecret.txt", 404, "", ""},
		{"/%2e%2e/secret.txt", 404, "", ""},
		{"/%2e%2e%2fsecret.txt", 404, "", ""},
		{"/sub/../../secret.txt", 404, "", ""},
		{"/sub/%2e%2e/%2e%2e/secret.txt", 404, "", ""},
		{"/..%5csecret.txt", 404, "", ""},
		{`/..\secret.txt`, 404, "", ""},
		{"/%252e%252e/secret.txt", 404, "", ""},
		{"/%c0%ae%c0%ae/secret.txt", 404, "", ""},
		{"/./app.js", 404, "", ""},
		{"//app.js", 404, "", ""},
		{"//evil.example/sub", 404, "", ""},
		{"/app.js%00.txt", 404, "", ""},
		{"/lib/a/../app.js", 404, "", ""},
		{"/out.txt", 404, "", ""},
		{"/abs.txt", 404, "", ""},
		{"/outdir/secret.txt", 404, "", ""},
		{"/outdir/", 404, "", ""},
		{"/absolute.js", 404, "", ""},
		// Inside, but nobody's business.
		{"/.env", 404, "", ""},
		{"/.git/config", 404, "", ""},
		{"/%2egit/config", 404, "", ""},
		{"/scripts/a.lua", 404, "", ""},
		{"/scripts/b.LUA", 404, "", ""},
		{"/config.txt", 404, "", ""},
	} {
		t.Run(test.path, func(t *testing.T) {
			r, body := w.get(t, test.path)
			if r.StatusCode != test.status {
				t.Fatalf("%d %s", r.StatusCode, body)
			}
			got := body
			if test.status == 301 {
				got = r.Header.Get("Location")
			}
			if test.status < 400 && got != test.want {
				t.Errorf("got %q", got)
			}
			if strings.Contains(body, "secret") && !strings.Contains(body, "There is nothing") {
				t.Errorf("told %q", body)
			}
			if typ := r.Header.Get("Content-Type"); typ == "" || test.typ != "" && typ != test.typ {
				t.Errorf("content type %q", typ)
			}
			if r.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("browsers may guess the type")
			}
		})
	}
}

func TestStaticRequests(t *testing.T) {
	dir := tree(t)
	w := start(t, conf(t, dir, "      /: {type: static, directory: web}", ""))
	if r, body := w.raw(t, "HEAD /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n"); r.StatusCode != 200 || body != "" || r.ContentLength != 2 {
		t.Errorf("HEAD: %d %q", r.StatusCode, body)
	}
	if r, _ := w.raw(t, "DELETE /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("DELETE: %d", r.StatusCode)
	}
	r, _ := w.get(t, "/app.js")
	if again, _ := w.get(t, "/app.js", "If-Modified-Since: "+r.Header.Get("Last-Modified")); again.StatusCode != 304 {
		t.Errorf("unchanged: %d", again.StatusCode)
	}
	if r, body := w.get(t, "/index.html", "Range: bytes=4-8"); r.StatusCode != 206 || body != "index" {
		t.Errorf("range: %d %q", r.StatusCode, body)
	}
	// A directory that is replaced as a whole is served as it is now.
	if err := os.Rename(filepath.Join(dir, "web"), filepath.Join(dir, "old")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "web", "app.js"), "new")
	if _, body := w.get(t, "/app.js"); body != "new" {
		t.Errorf("after the replacement: %q", body)
	}
}

func TestShippedPage(t *testing.T) {
	w := start(t, conf(t, "", "      /: {type: page}\n      demo: {type: page}", ""))
	entries, err := siteFiles.ReadDir("site")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"/", "/demo/"} {
		for _, name := range append([]string{""}, names(entries)...) {
			r, body := w.get(t, at+name)
			file := name
			if name == "" {
				file = "index.html"
			}
			want, err := siteFiles.ReadFile("site/" + file)
			if err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != 200 || body != string(want) || r.Header.Get("Content-Type") != contentType(file) {
				t.Errorf("%s%s: %d %s, %d bytes", at, name, r.StatusCode, r.Header.Get("Content-Type"), len(body))
			}
			if csp := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none';") || strings.Contains(csp, "unsafe") {
				t.Errorf("policy %q", csp)
			}
		}
	}
	if r, _ := w.get(t, "/demo"); r.StatusCode != 301 || r.Header.Get("Location") != "demo/" {
		t.Errorf("/demo: %d", r.StatusCode)
	}
	if r, _ := w.get(t, "/site/index.html"); r.StatusCode != 404 {
		t.Errorf("/site/index.html: %d", r.StatusCode)
	}
}

func names(entries []os.DirEntry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"/", "", "/a/b", "/../a", "/a/..", "/.x", "//", "/a\\b", "/C:/x", "/a/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		name, ok := cleanName(rest)
		if !ok || name == "" {
			return
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) || filepath.Clean(name) != filepath.FromSlash(name) || strings.ContainsAny(name, "\\\x00") {
			t.Errorf("%q gives %q", rest, name)
		}
	})
}
