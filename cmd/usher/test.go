package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"usher/router"
	"usher/router/config"
	"usher/scripting/luatest"
)

// testCommand is "usher test [DIR]".
type testCommand struct {
	Dir      string        `arg:"" optional:"" help:"Scripts directory with its tests. Default: the configuration's."`
	Config   string        `short:"c" placeholder:"FILE" help:"Configuration, for realms, roles and limits. Default: usher.yaml in DIR or beside it, else that of demo mode."`
	Filter   string        `placeholder:"TEXT" help:"Run only the tests whose file or title contains TEXT."`
	Coverage bool          `help:"Show how much of each script has run, and the lines that have not."`
	Timeout  time.Duration `default:"10s" help:"How long one test may take."`
}

// Run runs the tests of scripts, without a router, and shows what failed.
func (c testCommand) Run(ctx context.Context, s streams) error {
	all, err := c.options()
	if err != nil {
		return usageError(err)
	}
	report := &luatest.Report{}
	for _, o := range all {
		r, err := luatest.Run(ctx, o)
		if err != nil {
			return err
		}
		report.Add(r)
	}
	report.Write(s.out)
	switch {
	case report.Count(luatest.Failed) > 0:
		return errQuiet
	case len(report.Results) == 0:
		return usageError(fmt.Errorf("no test was found in %s: tests are in files named NAME_test.lua%s", all[0].Dir, c.filtered()))
	}
	return nil
}

func (c testCommand) filtered() string {
	if c.Filter == "" {
		return ""
	}
	return fmt.Sprintf(", and --filter %q has to match", c.Filter)
}

// options finds configuration and scripts, and the directories below that have a
// configuration of their own.
func (c testCommand) options() ([]luatest.Options, error) {
	src, err := c.source()
	if err != nil {
		return nil, err
	}
	if c.Dir != "" {
		src.dir = filepath.Clean(c.Dir)
	}
	if src.dir == "" {
		return nil, fmt.Errorf("there is no directory of scripts here: write usher test DIR")
	}
	if err := checkDirectory(src.dir); err != nil {
		return nil, err
	}
	all := []luatest.Options{c.optionsOf(src)}
	err = filepath.WalkDir(src.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != defaultConfig || filepath.Dir(name) == src.dir {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		// Files that it names may be missing: tests need none of them.
		conf, err := config.Parse(name, text)
		if err != nil {
			return err
		}
		if conf.Scripts.Directory == "" {
			return nil
		}
		all[0].Skip = append(all[0].Skip, filepath.Dir(name))
		all = append(all, c.optionsOf(&source{config: conf, file: name, dir: conf.Scripts.Directory}))
		return nil
	})
	return all, err
}

// optionsOf is how the tests of one installation run.
func (c testCommand) optionsOf(src *source) luatest.Options {
	return luatest.Options{
		Dir: src.dir, Filter: c.Filter, Coverage: c.Coverage, Timeout: c.Timeout,
		Scripting:      src.scripting(slog.New(slog.DiscardHandler)),
		Policy:         router.Policy(src.config),
		Realm:          src.config.Realms[0].Name,
		Authenticators: src.config.Dynamics(),
	}
}

// source loads the configuration that is named, or near.
func (c testCommand) source() (*source, error) {
	flags := sourceFlags{Config: c.Config}
	if c.Dir == "" || c.Config != "" {
		return flags.load()
	}
	for _, dir := range []string{c.Dir, filepath.Dir(filepath.Clean(c.Dir))} {
		file := filepath.Join(dir, defaultConfig)
		if _, err := os.Stat(file); err == nil {
			flags.Config = file
			return flags.load()
		}
	}
	s := &source{}
	return s, s.loadDemo(sourceFlags{Scripts: c.Dir})
}
