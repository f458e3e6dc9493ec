//go:build unix

package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The foreign clients that the end-to-end tests run come from PyPI and npm. They
// are installed once into the user's cache directory, under a name made of their
// pinned versions; several test processes may do so at once.

//go:embed testdata/python testdata/npm
var manifests embed.FS

// toolset is a set of packages and how to install it.
type toolset struct {
	name        string
	manifest    string   // directory below testdata
	interpreter string   // without it the tests that need the set are skipped
	install     []string // command; %s is the directory to install to, which holds the manifest
}

func pythonClients() toolset {
	return toolset{name: "python", manifest: "testdata/python", interpreter: "python3", install: []string{
		"python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:",
		"--target", "%s/site", "--requirement", "%s/requirements.txt"}}
}

func nodeClients() toolset {
	return toolset{name: "node-clients", manifest: "testdata/npm/clients", interpreter: "node", install: npmInstall()}
}

func nodeBrowser() toolset {
	return toolset{name: "node-browser", manifest: "testdata/npm/browser", interpreter: "node", install: npmInstall()}
}

func npmInstall() []string {
	// Not "npm ci": it insists on optional packages for every other platform.
	return []string{"npm", "install", "--prefix", "%s", "--omit", "optional", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"}
}

// installTimeout bounds one installation, downloads included.
const installTimeout = 5 * time.Minute

// installed remembers what this process has seen installed, by name.
var installed sync.Map // name -> func() (string, error)

// need returns the directory that the set is installed in. Without its
// interpreter the test is skipped, or fails where CI is set; without the network
// it fails.
func need(t *testing.T, set toolset) string {
	t.Helper()
	needProgram(t, set.interpreter)
	once, _ := installed.LoadOrStore(set.name, sync.OnceValues(set.ensure))
	dir, err := once.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// needProgram skips the test where a program is missing, or fails it where CI is set.
func needProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is not installed, and CI=true: install it", name)
	default:
		t.Skipf("%s is not installed", name)
	}
	return ""
}

// ensure installs the set unless it is there.
func (s toolset) ensure() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no directory to install %s to: %w; set XDG_CACHE_HOME or HOME", s.name, err)
	}
	sum, err := s.digest()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "usher", "tests", s.name+"-"+sum)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	return dir, s.installTo(dir)
}

// digest names the manifest and the interpreter, for which some packages are built.
func (s toolset) digest() (string, error) {
	version, err := exec.Command(s.interpreter, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", s.interpreter, err)
	}
	hash := sha256.New()
	hash.Write(version)
	err = s.eachFile(func(name string, content []byte) error {
		_, err := fmt.Fprintf(hash, "%s %d %s", name, len(content), content)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil))[:12], err
}

func (s toolset) eachFile(do func(name string, content []byte) error) error {
	entries, err := manifests.ReadDir(s.manifest)
	if err != nil {
		return err
	}
	for _, e := range entries {
		content, err := manifests.ReadFile(s.manifest + "/" + e.Name())
		if err == nil {
			err = do(e.Name(), content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// installTo installs beside dir and renames, so that dir is whole or not there.
func (s toolset) installTo(dir string) (err error) {
	half := dir + ".part"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	if err := os.Mkdir(half, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(half)
	err = s.eachFile(func(name string, content []byte) error {
		return os.WriteFile(filepath.Join(half, name), content, 0o644)
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	var args []string
	for _, a := range s.install {
		args = append(args, strings.ReplaceAll(a, "%s", half))
	}
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("the tests' %s packages could not be installed (is the package registry reachable?): %s: %w\n%s",
			s.name, strings.Join(args, " "), errors.Join(err, ctx.Err()), out)
	}
	return os.Rename(half, dir)
}

// lockFile waits until no other process holds the file's lock.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(installTimeout); ; time.Sleep(200 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w; another test process holds it", path, err)
		}
	}
}

// nodeScript returns a client's script, copied together with what scripts share
// beside the packages of dir, as node looks for packages next to the script.
func nodeScript(t *testing.T, name, dir string) string {
	t.Helper()
	place := t.TempDir()
	if err := os.CopyFS(place, os.DirFS(filepath.Join("testdata", "clients"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "node_modules"), filepath.Join(place, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(place, name)
}

// needBrowser returns the directory that the browser's packages are installed in,
// and the environment for scripts that drive it.
func needBrowser(t *testing.T) (dir string, env []string) {
	t.Helper()
	if testing.Short() {
		t.Skip("the browser is not run with -short")
	}
	dir = need(t, nodeBrowser())
	env = []string{"TMPDIR=" + browserDir(t, dir)}
	if path := systemChromium(); path != "" {
		env = append(env, "CHROMIUM="+path)
	}
	return dir, env
}

// systemChromium is the path of an installed Chromium, empty if there is none.
func systemChromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// browserDir is where the npm package unpacks its browser: beside the package,
// as it is large, so that only the first run does.
func browserDir(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "unpacked")
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
