//go:build unix

package main

import (
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
	hangUp("configuration changed path=realms")
}
