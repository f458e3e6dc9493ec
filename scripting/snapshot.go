package scripting

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxDirDepth bounds how deep the scripts directory is read; symbolic links may
// lead in a circle.
const maxDirDepth = 8

// digest identifies the content of a file.
type digest [sha256.Size]byte

// file is one script file as it was read.
type file struct {
	name    string // path below the root, with slashes
	source  []byte
	toolong bool // source was not read
	digest  digest
	size    int64
	modTime time.Time
	info    fs.FileInfo
}

// snapshot is the scripts directory at one moment. It is immutable.
type snapshot struct {
	files map[string]*file
	dirs  []string // absolute paths of the directories that were read; none for an fs.FS
	sum   digest   // of all names and contents

	known *snapshot // during scan
}

// scan reads the scripts directory, or the file system in its place. Files that
// look as they did in known, which may be nil, are not read again.
func (o *Options) scan(known *snapshot) (*snapshot, error) {
	s := &snapshot{files: map[string]*file{}, known: known}
	defer func() { s.known = nil }()
	if o.Dir == "" {
		if o.FS == nil {
			return s, nil
		}
		return s, s.finish(s.read(o, fsSource{o.FS}, ".", 0))
	}
	root, err := filepath.EvalSymlinks(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("read the scripts directory: %w", err)
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, fmt.Errorf("read the scripts directory: %w", err)
	}
	return s, s.finish(s.read(o, dirSource{root}, ".", 0))
}

// source is where scripts are read from. Paths are below its root, with slashes.
// Stat and ReadFile follow symbolic links.
type source interface {
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	ReadFile(name string) ([]byte, error)
	// Place is the absolute path of a directory that can be watched, or empty.
	Place(name string) string
}

type fsSource struct{ fs fs.FS }

func (s fsSource) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(s.fs, name) }
func (s fsSource) Stat(name string) (fs.FileInfo, error)      { return fs.Stat(s.fs, name) }
func (s fsSource) ReadFile(name string) ([]byte, error)       { return fs.ReadFile(s.fs, name) }
func (fsSource) Place(string) string                          { return "" }

type dirSource struct{ root string }

func (s dirSource) Place(name string) string                   { return filepath.Join(s.root, filepath.FromSlash(name)) }
func (s dirSource) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(s.Place(name)) }
func (s dirSource) Stat(name string) (fs.FileInfo, error)      { return os.Stat(s.Place(name)) }
func (s dirSource) ReadFile(name string) ([]byte, error)       { return os.ReadFile(s.Place(name)) }

// read adds a directory and those below it. What disappears meanwhile is as if
// it had not been there: another scan follows.
func (s *snapshot) read(o *Options, from source, dir string, depth int) error {
	if depth > maxDirDepth {
		return fmt.Errorf("read the scripts directory: %s is nested more than %d levels deep", dir, maxDirDepth)
	}
	entries, err := from.ReadDir(dir)
	if err != nil {
		if depth > 0 && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("read the scripts directory: %w", err)
	}
	if place := from.Place(dir); place != "" {
		s.dirs = append(s.dirs, place)
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if strings.HasPrefix(entry.Name(), ".") || strings.HasPrefix(entry.Name(), "#") {
			continue
		}
		info, err := from.Stat(name)
		if err != nil {
			continue // removed, or a link to nothing
		}
		switch {
		case info.IsDir():
			if err := s.read(o, from, name, depth+1); err != nil {
				return err
			}
		case info.Mode().IsRegular() && strings.HasSuffix(name, ".lua") && !strings.HasSuffix(name, "_test.lua"):
			if err := s.add(o, from, name, info); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *snapshot) add(o *Options, from source, name string, info fs.FileInfo) error {
	if len(s.files) >= o.Limits.Files {
		return fmt.Errorf("read the scripts directory: it has more than %d scripts", o.Limits.Files)
	}
	if s.known != nil {
		if k := s.known.files[name]; k != nil && k.size == info.Size() && k.modTime.Equal(info.ModTime()) && os.SameFile(k.info, info) {
			s.files[name] = k
			return nil
		}
	}
	f := &file{name: name, size: info.Size(), modTime: info.ModTime(), info: info}
	if info.Size() > int64(o.Limits.FileBytes) {
		// Kept without its text, so that only this script fails to load.
		f.toolong = true
		f.digest = sha256.Sum256(fmt.Appendf(nil, "too large: %d", info.Size()))
		s.files[name] = f
		return nil
	}
	source, err := from.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a script: %w", err)
	}
	f.source, f.digest = source, sha256.Sum256(source)
	s.files[name] = f
	return nil
}

// finish computes the sum.
func (s *snapshot) finish(err error) error {
	if err != nil {
		return err
	}
	h := sha256.New()
	for _, name := range s.names() {
		fmt.Fprintf(h, "%q %x\n", name, s.files[name].digest)
	}
	h.Sum(s.sum[:0])
	return nil
}

// names returns the names of all files, sorted.
func (s *snapshot) names() []string {
	names := make([]string, 0, len(s.files))
	for name := range s.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// components returns the files that are components, by the components' names.
func (s *snapshot) components() map[string]*file {
	found := map[string]*file{}
	for name, f := range s.files {
		if isComponent(name) {
			found[strings.TrimSuffix(name, ".lua")] = f
		}
	}
	return found
}

// isComponent tells components from modules.
func isComponent(name string) bool {
	return !strings.Contains(name, "/") && !strings.HasPrefix(name, "_")
}

// digestOf returns the digest of a file; zero where there is none.
func (s *snapshot) digestOf(name string) digest {
	if f := s.files[name]; f != nil {
		return f.digest
	}
	return digest{}
}

// settled reports whether the files that differ from old look as if their
// writers are done: they have not been written to for quiet, or are as a scan
// before found them.
func (s *snapshot) settled(old, before *snapshot, now time.Time, quiet time.Duration) bool {
	for name, f := range s.files {
		if old != nil && old.digestOf(name) == f.digest {
			continue
		}
		if age := now.Sub(f.modTime); age >= quiet {
			continue
		}
		if before == nil {
			return false
		}
		if b := before.files[name]; b == nil || b.size != f.size || !b.modTime.Equal(f.modTime) {
			return false
		}
	}
	return true
}
