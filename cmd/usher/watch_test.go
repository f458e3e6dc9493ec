package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFileSavedBeforeTheWatch: what was saved between reading a file and watching
// it is found, and so is what is saved later.
func TestFileSavedBeforeTheWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usher.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	known := lookAt(path)
	write("another")
	ctx, cancel := context.WithCancel(t.Context())
	saved, ended := make(chan struct{}, 10), make(chan struct{})
	go func() {
		defer close(ended)
		watchFile(ctx, path, known, time.Millisecond, func() { saved <- struct{}{} })
	}()
	expect := func(what string) {
		t.Helper()
		select {
		case <-saved:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s was not found", what)
		}
	}
	expect("what was saved before the watch")
	write("one more")
	expect("what was saved later")
	cancel()
	<-ended
	if len(saved) != 0 {
		t.Errorf("found %d more", len(saved))
	}
}
