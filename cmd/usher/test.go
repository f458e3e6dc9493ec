package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"usher/router"
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
	o, err := c.options()
	if err != nil {
		return usageError(err)
	}
	report, err := luatest.Run(ctx, o)
	if err != nil {
		return err
	}
	report.Write(s.out)
	switch {
	case report.Count(luatest.Failed) > 0:
		return errQuiet
	case len(report.Results) == 0:
		return usageError(fmt.Errorf("no test was found in %s: tests are in files named NAME_test.lua%s", o.Dir, c.filtered()))
	}
	return nil
}

func (c testCommand) filtered() string {
	if c.Filter == "" {
		return ""
	}
	return fmt.Sprintf(", and --filter %q has to match", c.Filter)
}

// options finds configuration and scripts.
func (c testCommand) options() (luatest.Options, error) {
	o := luatest.Options{Dir: c.Dir, Filter: c.Filter, Coverage: c.Coverage, Timeout: c.Timeout}
	src, err := c.source()
	if err != nil {
		return o, err
	}
	if o.Dir == "" {
		if o.Dir = src.dir; o.Dir == "" {
			return o, fmt.Errorf("there is no directory of scripts here: write usher test DIR")
		}
	}
	if err := checkDirectory(o.Dir); err != nil {
		return o, err
	}
	o.Scripting = src.scripting(slog.New(slog.DiscardHandler))
	o.Policy = router.Policy(src.config)
	o.Realm = src.config.Realms[0].Name
	o.Authenticators = src.config.Dynamics()
	return o, nil
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
