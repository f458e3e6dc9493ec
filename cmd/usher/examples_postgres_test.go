//go:build unix

package main

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

// postgres starts a PostgreSQL server of the test's own, which only a Unix socket
// leads to, and returns its DSN.
func postgres(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("PostgreSQL is not installed: the checks need it, Debian's package is postgresql")
		}
		t.Skip("PostgreSQL is not installed")
	}
	binaries := filepath.Dir(found[len(found)-1])
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
		as = ownedByAnother(t, dir, data)
	}
	command := func(name string, args ...string) (*exec.Cmd, *bytes.Buffer) {
		var log bytes.Buffer
		c := exec.Command(filepath.Join(binaries, name), args...)
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
			t.Fatal("PostgreSQL does not get ready")
		}
	}
}

// ownedByAnother gives directories to a user who may run the server.
func ownedByAnother(t *testing.T, dirs ...string) *syscall.SysProcAttr {
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
	t.Skip("no user can run PostgreSQL here")
	return nil
}

// TestExampleTicketPostgreSQL: the same scripts run on the other database.
func TestExampleTicketPostgreSQL(t *testing.T) {
	t.Setenv("ADMIN_PASSWORD", "open sesame")
	t.Setenv("USERS_DSN", postgres(t))
	e := writeExample(t, "ticket-sql")
	e.replace(t, "usher.yaml", "    users: {driver: sqlite, file: users.db}\n    # users:", "    users:")
	e.serve(t).passwords(t, byTicket, "com.example.invalid_ticket")
}
