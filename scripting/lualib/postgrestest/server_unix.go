//go:build unix

package postgrestest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Start starts a PostgreSQL server of the test's own, which only a Unix socket leads
// to and which ends with the test, and returns its DSN. Where there is none the test
// is skipped, but for the project's checks, in which it fails.
func Start(t testing.TB) string {
	t.Helper()
	programs := binaries()
	if programs == "" {
		missing(t, "PostgreSQL is not installed: the checks need it, Debian's package is postgresql")
	}
	dir, err := os.MkdirTemp("", "pg") // short, for the socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	var as *syscall.SysProcAttr
	if os.Getuid() == 0 { // which it refuses to run as
		as = otherUser(t, dir, data)
	}
	command := func(name string, args ...string) (*exec.Cmd, *bytes.Buffer) {
		var log bytes.Buffer
		c := exec.Command(filepath.Join(programs, name), args...)
		c.Dir, c.SysProcAttr, c.Stdout, c.Stderr = dir, as, &log, &log
		return c, &log
	}
	c, log := command("initdb", "-D", data, "-A", "trust", "-U", "usher", "-E", "UTF8", "--locale=C", "--no-sync")
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	c, log = command("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends with the server
		c.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGQUIT) // without waiting for clients
		<-ended
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("PostgreSQL ended\n%s", log)
		default:
		}
		if ready, _ := command("pg_isready", "-h", dir, "-U", "usher"); ready.Run() == nil {
			return fmt.Sprintf("host=%s user=usher dbname=postgres", dir)
		}
		if time.Now().After(deadline) {
			t.Fatalf("PostgreSQL does not get ready\n%s", log)
		}
	}
}

// missing ends the test for want of something that the checks must have.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// binaries is the folder of the server's programs; empty: there is none.
func binaries() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// otherUser gives directories to a user who may run the server.
func otherUser(t testing.TB, dirs ...string) *syscall.SysProcAttr {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr != nil || gidErr != nil || slices.ContainsFunc(dirs, func(dir string) bool { return os.Chown(dir, uid, gid) != nil }) {
			continue
		}
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	missing(t, "no user can run PostgreSQL here")
	return nil
}
