package web

import (
	"bytes"
	"embed"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// folder is a URL path and what is served there and below.
type folder struct {
	path  string // clean
	files fileSource
}

// fileSource opens what a folder serves. name is relative, slash-separated and
// without ".", ".." and empty parts; "" is the folder itself.
type fileSource interface {
	// open returns a regular file, or a directory as isDirectory without a file.
	open(name string) (f file, isDirectory bool, err error)
	// headers are those of every answer.
	headers(h http.Header)
}

// file is one open file.
type file struct {
	content  io.ReadSeeker
	modified time.Time // zero: unknown
	close    func()
}

// sortFolders puts the longest path first, so that the first that fits is the
// nearest.
func sortFolders(all []folder) {
	slices.SortFunc(all, func(a, b folder) int { return len(b.path) - len(a.path) })
}

// serve answers a GET or HEAD request for something in d, or reports that its
// path is not d's.
func (d *folder) serve(w http.ResponseWriter, r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, strings.TrimSuffix(d.path, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return false
	}
	name, ok := cleanName(rest)
	if !ok {
		refuse(w, http.StatusNotFound, "There is nothing at this address.")
		return true
	}
	f, isDirectory, err := d.files.open(name)
	if err == nil && isDirectory {
		if !strings.HasSuffix(r.URL.Path, "/") {
			// Relative, so that no path can name another host.
			w.Header().Set("Location", path.Base(r.URL.Path)+"/")
			refuse(w, http.StatusMovedPermanently, "This is a directory.")
			return true
		}
		name = path.Join(name, "index.html")
		f, isDirectory, err = d.files.open(name)
	}
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errWithheld):
		refuse(w, http.StatusInternalServerError, "The file can't be read.")
	case err != nil || isDirectory:
		refuse(w, http.StatusNotFound, "There is nothing at this address.")
	default:
		defer f.close()
		h := w.Header()
		h.Set("Content-Type", contentType(name))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache") // may be kept, but asked about
		d.files.headers(h)
		http.ServeContent(w, r, name, f.modified, f.content)
	}
	return true
}

// cleanName turns the rest of a URL path into a name, or refuses it: what could
// leave the folder, and every part that begins with a dot, such as .git, .env
// and Crossbar.io's .crossbar.
func cleanName(rest string) (string, bool) {
	if strings.ContainsAny(rest, "\\\x00") {
		return "", false
	}
	rest = strings.TrimSuffix(strings.TrimPrefix(rest, "/"), "/")
	if rest == "" {
		return "", true
	}
	for part := range strings.SplitSeq(rest, "/") {
		if part == "" || part[0] == '.' && part != ".well-known" {
			return "", false
		}
	}
	return rest, true
}

// errWithheld is what exists but is nobody's business.
var errWithheld = errors.New("not served")

// directory serves the files of one directory as it is now: it is opened for
// each request, so that one that was replaced as a whole is served at once.
type directory struct {
	name     string
	withheld []string // files with secrets, wherever they are: configuration and keys
}

func (d *directory) open(name string) (file, bool, error) {
	local := "."
	if name != "" {
		var err error
		// Names that mean something else to this system, e.g. NUL or C:.
		if local, err = filepath.Localize(name); err != nil {
			return file{}, false, errWithheld
		}
	}
	root, err := os.OpenRoot(d.name)
	if err != nil {
		return file{}, false, err
	}
	// A Root follows no link and no ".." out of its directory, whatever changes
	// on disk meanwhile. Files stay open without it.
	defer root.Close()
	info, err := root.Stat(local)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return file{}, false, err
	case err != nil: // a link that leads out is one of these
		return file{}, false, errWithheld
	case info.IsDir():
		return file{}, true, nil
	case !info.Mode().IsRegular(), d.isWithheld(name, info):
		return file{}, false, errWithheld // opening a named pipe would wait for ever
	}
	f, err := root.Open(local)
	if err != nil {
		return file{}, false, err
	}
	return file{f, info.ModTime(), func() { _ = f.Close() }}, false, nil
}

// isWithheld reports whether a file holds secrets: scripts have tickets in them.
func (d *directory) isWithheld(name string, info fs.FileInfo) bool {
	if strings.EqualFold(path.Ext(name), ".lua") {
		return true
	}
	for _, w := range d.withheld {
		if secret, err := os.Stat(w); err == nil && os.SameFile(secret, info) {
			return true
		}
	}
	return false
}

func (d *directory) headers(http.Header) {}

//go:embed site
var siteFiles embed.FS

// shippedPage serves usher's own page.
type shippedPage struct{}

func (shippedPage) open(name string) (file, bool, error) {
	name = path.Join("site", name)
	info, err := fs.Stat(siteFiles, name)
	if err != nil || info.IsDir() {
		return file{}, err == nil, err
	}
	data, err := siteFiles.ReadFile(name)
	return file{bytes.NewReader(data), time.Time{}, func() {}}, false, err
}

// headers allow the page what it needs: its own scripts and style, and a
// WebSocket to where it came from.
func (shippedPage) headers(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
}

// contentType is decided by the name alone: contents may be anybody's. The types
// of a web page do not depend on what the system's own table says.
func contentType(name string) string {
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".txt", ".md":
		return "text/plain; charset=utf-8"
	case ".wasm":
		return "application/wasm"
	case ".svg":
		return "image/svg+xml"
	case ".ico":
		return "image/x-icon"
	case ".webmanifest":
		return "application/manifest+json"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}
