package scripting

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// savers are the ways in which programs save a file, as system calls, and some of
// the programs themselves. Each makes a.lua in dir have the given text.
func savers() map[string]func(t *testing.T, dir, text string) {
	write := func(t *testing.T, path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	program := func(t *testing.T, dir, name string, args ...string) {
		t.Helper()
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	vim := func(options string) func(t *testing.T, dir, text string) {
		return func(t *testing.T, dir, text string) {
			program(t, dir, "vim", "-u", "NONE", "-N", "-es", "--cmd", "set nomore", "-c", "set backupskip= "+options,
				"-c", "%s/return [0-9]*/return 2/", "-c", "wq", "a.lua")
		}
	}
	return map[string]func(t *testing.T, dir, text string){
		"in place": func(t *testing.T, dir, text string) { write(t, filepath.Join(dir, "a.lua"), text) },
		"temporary file and rename": func(t *testing.T, dir, text string) {
			write(t, filepath.Join(dir, ".a.lua.tmp"), text)
			must(t, os.Rename(filepath.Join(dir, ".a.lua.tmp"), filepath.Join(dir, "a.lua")))
		},
		"moved in from elsewhere": func(t *testing.T, dir, text string) {
			other := filepath.Join(filepath.Dir(dir), "moved")
			write(t, other, text)
			must(t, os.Rename(other, filepath.Join(dir, "a.lua")))
		},
		"backup, then a new file": func(t *testing.T, dir, text string) {
			path := filepath.Join(dir, "a.lua")
			must(t, os.Rename(path, path+"~"))
			write(t, path, text)
		},
		"removed, then created": func(t *testing.T, dir, text string) {
			path := filepath.Join(dir, "a.lua")
			must(t, os.Remove(path))
			f, err := os.Create(path)
			must(t, err)
			time.Sleep(10 * time.Millisecond)
			_, err = f.WriteString(text)
			must(t, errors.Join(err, f.Close()))
		},
		"a slow writer": func(t *testing.T, dir, text string) {
			f, err := os.Create(filepath.Join(dir, "a.lua"))
			must(t, err)
			for i := 0; i < len(text); i += len(text)/5 + 1 {
				_, err = f.WriteString(text[i:min(len(text), i+len(text)/5+1)])
				must(t, err)
				time.Sleep(30 * time.Millisecond)
			}
			must(t, f.Close())
		},
		"the directory is replaced": func(t *testing.T, dir, text string) {
			must(t, os.Mkdir(dir+".new", 0o755))
			write(t, filepath.Join(dir+".new", "a.lua"), text)
			must(t, os.Rename(dir, dir+".old"))
			must(t, os.Rename(dir+".new", dir))
		},
		"the directory is removed and created": func(t *testing.T, dir, text string) {
			must(t, os.RemoveAll(dir))
			time.Sleep(100 * time.Millisecond)
			must(t, os.Mkdir(dir, 0o755))
			write(t, filepath.Join(dir, "a.lua"), text)
		},
		"vim, writebackup":    vim("writebackup backupcopy=auto"),
		"vim, backupcopy=no":  vim("backup backupcopy=no"),
		"vim, backupcopy=yes": vim("backup backupcopy=yes"),
		"vim, without backup": vim("nobackup nowritebackup"),
		"sed -i": func(t *testing.T, dir, text string) {
			program(t, dir, "sed", "-i", "s/return [0-9]*/return 2/", "a.lua")
		},
		"rsync":           rsync(program, write, "-a"),
		"rsync --inplace": rsync(program, write, "-a", "--inplace"),
		"install": func(t *testing.T, dir, text string) {
			source := filepath.Join(t.TempDir(), "a.lua")
			write(t, source, text)
			program(t, dir, "install", "-m", "644", source, "a.lua")
		},
		"git checkout": func(t *testing.T, dir, text string) {
			git := func(args ...string) {
				program(t, dir, "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"}, args...)...)
			}
			git("init", "-q")
			git("add", "a.lua")
			git("commit", "-q", "-m", "one")
			write(t, filepath.Join(dir, "a.lua"), text)
			git("commit", "-q", "-a", "-m", "two")
			git("checkout", "-q", "HEAD~1")
			time.Sleep(150 * time.Millisecond)
			git("checkout", "-q", "main")
		},
	}
}

func rsync(program func(*testing.T, string, string, ...string), write func(*testing.T, string, string), args ...string) func(*testing.T, string, string) {
	return func(t *testing.T, dir, text string) {
		source := filepath.Join(t.TempDir(), "a.lua")
		write(t, source, text)
		program(t, dir, "rsync", append(args, source, "a.lua")...)
	}
}

func TestEverySaverTakesEffect(t *testing.T) {
	for name, save := range savers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldIn(t, filepath.Join(t.TempDir(), "scripts"), map[string]string{"a.lua": answering(1)})
			session := w.status("a").Session
			save(t, w.dir, answering(2))
			w.serves("[2]")
			if s := w.status("a"); s.Session != session {
				t.Errorf("session %d became %d", session, s.Session)
			}
			// And the next one in place, whatever the last did to the watches.
			w.write("a.lua", answering(3))
			w.serves("[3]")
		})
	}
}

// newWorldIn is newWorld with a directory that may be replaced.
func newWorldIn(t testing.TB, dir string, scripts map[string]string, change ...func(*Options)) *world {
	t.Helper()
	seed := &world{TB: t, dir: dir}
	for name, text := range scripts {
		seed.write(name, text)
	}
	w := newWorld(t, nil, append([]func(*Options){func(o *Options) { o.Dir = dir }}, change...)...)
	w.dir = dir
	return w
}

// serves waits until com.example.f answers so. It is never missing meanwhile.
func (w *world) serves(want string) {
	w.Helper()
	c := w.client()
	eventually(w, "the script answers "+want, func() bool {
		got, err := c.call("com.example.f", "[]")
		if err != nil {
			w.Fatalf("while %s is saved: %v\n%s", want, err, w.log)
		}
		return got == want
	})
}

func TestReleasesBySymbolicLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege on Windows")
	}
	root := t.TempDir()
	seed := &world{TB: t, dir: root}
	seed.write("r1/scripts/a.lua", answering(1))
	seed.write("r2/scripts/a.lua", answering(2))
	link := func(release string) {
		if err := errors.Join(os.Symlink(release, root+"/next"), os.Rename(root+"/next", root+"/current")); err != nil {
			t.Fatal(err)
		}
	}
	link("r1")
	w := newWorldIn(t, root+"/current/scripts", nil)
	w.serves("[1]")
	link("r2")
	w.serves("[2]")
	seed.write("r2/scripts/a.lua", answering(3))
	w.serves("[3]")
	link("r1")
	w.serves("[1]")
}

// TestMountedConfigMaps updates files as Kubernetes does: a.lua is a link through
// ..data, which alone is replaced.
func TestMountedConfigMaps(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege on Windows")
	}
	root := t.TempDir()
	seed := &world{TB: t, dir: root}
	swap := func(version, text string) {
		seed.write(version+"/a.lua", text)
		if err := errors.Join(os.Symlink(version, root+"/..data_tmp"), os.Rename(root+"/..data_tmp", root+"/..data")); err != nil {
			t.Fatal(err)
		}
	}
	swap("..2026_1", answering(1))
	if err := os.Symlink("..data/a.lua", root+"/a.lua"); err != nil {
		t.Fatal(err)
	}
	w := newWorldIn(t, root, nil)
	w.serves("[1]")
	swap("..2026_2", answering(2))
	w.serves("[2]")
}

func TestNewDirectoriesAreWatched(t *testing.T) {
	w := newWorld(t, map[string]string{"a.lua": answering(1)})
	w.write("lib/deep/m.lua", "return 2")
	w.write("a.lua", answering(`require "lib.deep.m"`))
	w.serves("[2]")
	w.write("lib/deep/m.lua", "return 3")
	w.serves("[3]")
}

// TestPollingAloneIsEnough has no events at all.
func TestPollingAloneIsEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"a.lua": answering(1)})
	h := w.host
	h.mu.Lock()
	l := h.loop
	h.loop = nil
	h.mu.Unlock()
	l.stop()
	h.mu.Lock()
	l = &loop{host: h, options: h.options, log: h.options.Log, done: make(chan struct{}), read: h.snap}
	h.loop = l
	l.ended.Go(l.run)
	h.mu.Unlock()
	w.write("a.lua", answering(2))
	w.serves("[2]")
	// The same size and time, but another file.
	info, err := os.Stat(w.dir + "/a.lua")
	if err != nil {
		t.Fatal(err)
	}
	w.write("new", answering(3))
	if err := errors.Join(os.Chtimes(w.dir+"/new", info.ModTime(), info.ModTime()), os.Rename(w.dir+"/new", w.dir+"/a.lua")); err != nil {
		t.Fatal(err)
	}
	w.serves("[3]")
}

func TestAMissingDirectoryKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "scripts")
	w := newWorldIn(t, dir, map[string]string{"a.lua": answering(1)})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the error shows", func() bool { return w.host.DirErr() != nil })
	w.serves("[1]")
	w.write("a.lua", answering(2))
	w.serves("[2]")
	if err := w.host.DirErr(); err != nil {
		t.Error(err)
	}
	for _, what := range []string{"cannot be read", "can be read again"} {
		if n := len(w.log.lines(what)); n != 1 {
			t.Errorf("%q was logged %d times:\n%s", what, n, w.log)
		}
	}
}

func TestHalfWrittenFilesWait(t *testing.T) {
	now := time.Now()
	snap := func(age time.Duration, size int64, content string) *snapshot {
		d := digest{}
		copy(d[:], content)
		return &snapshot{files: map[string]*file{"a.lua": {digest: d, size: size, modTime: now.Add(-age)}}}
	}
	old := snap(time.Hour, 1, "old")
	for _, test := range []struct {
		name    string
		s, seen *snapshot
		want    bool
	}{
		{"written long ago", snap(time.Second, 5, "new"), nil, true},
		{"written just now", snap(0, 5, "new"), nil, false},
		{"written just now, unchanged since the last look", snap(0, 5, "new"), snap(0, 5, "new"), true},
		{"still growing", snap(0, 6, "newer"), snap(0, 5, "new"), false},
		{"a time in the future", snap(-time.Hour, 5, "new"), nil, false},
		{"not changed at all", snap(0, 1, "old"), nil, true},
	} {
		if got := test.s.settled(old, test.seen, now, settleTime); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestWhichFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	w := &world{TB: t, dir: dir}
	for _, name := range []string{"a.lua", "a.lua~", ".a.lua.swp", ".b.lua", "#c.lua", "c.lua.bak", "4913", "a_test.lua", "_m.lua", "lib/m.lua", "lib/.m.lua", "lib/m_test.lua", ".git/x.lua"} {
		w.write(name, "")
	}
	w.write("large.lua", strings.Repeat(" ", 300<<10))
	o := Options{Dir: dir}.withDefaults()
	s, err := o.scan(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(s.names()), "[_m.lua a.lua large.lua lib/m.lua]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(s.components()) != 2 {
		t.Errorf("components %v", s.components())
	}
	if _, err := newCompiled(nil).compile(s.files["large.lua"]); err == nil || !strings.HasPrefix(err.Error(), "large.lua:1: ") {
		t.Error(err)
	}
	o.Limits.Files = 2
	if _, err := o.scan(nil); err == nil {
		t.Error("more files than allowed were read")
	}
}
