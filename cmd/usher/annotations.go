package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"usher/scripting/luadoc"
)

// annotations is the directory that tells editors what scripts can use. The router
// does not look into it.
const annotations = ".usher"

// writeAnnotations writes what editors need to complete and check scripts. The
// settings of an editor are somebody's own once they are there.
func (c initCommand) writeAnnotations(s streams) error {
	if err := c.tryAnnotations(s); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return nil
}

func (c initCommand) tryAnnotations(s streams) error {
	names, err := fs.Glob(luadoc.Files(), "*.lua")
	if err != nil {
		return err
	}
	dir := filepath.Join(c.Dir, annotations)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(luadoc.Files(), name)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(s.out, "wrote", path)
	}
	path := filepath.Join(c.Dir, ".luarc.json")
	err = writeNew(path, luadoc.Settings(annotations, defaultScripts), 0o644)
	if errors.Is(err, fs.ErrExist) {
		fmt.Fprintln(s.out, "kept", path)
		return nil
	}
	if err == nil {
		fmt.Fprintln(s.out, "wrote", path)
	}
	return err
}
