//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestHangupReadsTheConfigurationAgain(t *testing.T) {
	log, path := serving(t, reloadConfig, map[string]string{"backend.lua": backendScript})
	hangUp := func(want string) (said string) {
		t.Helper()
		skip := len(log.String())
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		log.waitFor(t, skip, want)
		return log.String()[skip:]
	}
	if said := hangUp("nothing has changed"); strings.Contains(said, "script loaded") {
		t.Errorf("without a change scripts were loaded:\n%s", said)
	}
	save(t, path, strings.Replace(reloadConfig, "roles:\n", "roles:\n      - {name: guest, permissions: []}\n", 1))
	if said := hangUp("configuration changed path=realms"); !strings.Contains(said, "script loaded") {
		t.Errorf("with another configuration no script was loaded:\n%s", said)
	}
}

// Where --listen says so, what the file says of the first address is not looked at,
// however often it is read.
func TestHangupKeepsWhereItListens(t *testing.T) {
	path := filepath.Join(files(t, map[string]string{"usher.yaml": strings.Replace(reloadConfig, "port: 0", "port: 1", 1), "scripts/.keep": ""}), "usher.yaml")
	log := serve(t, "--config", path, "--listen", "127.0.0.1:0")
	skip := len(log.String())
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	log.waitFor(t, skip, "configuration read again, nothing has changed")
}
