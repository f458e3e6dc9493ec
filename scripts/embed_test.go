package scripts

import (
	"io/fs"
	"slices"
	"testing"
)

func TestFilesAreTheDemo(t *testing.T) {
	names, err := fs.Glob(Files, "*.lua")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"authenticate.lua", "backend.lua"}; !slices.Equal(names, want) {
		t.Errorf("embedded %v, want %v", names, want)
	}
	for _, name := range names {
		if text, err := Files.ReadFile(name); err != nil || len(text) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
}
