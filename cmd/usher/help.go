package main

import (
	"fmt"

	"usher/scripting/luadoc"
)

// helpCommand is "usher help".
type helpCommand struct {
	Lua luaHelp `cmd:"" help:"Describe what scripts can use: all of it, or one name."`
}

// luaHelp is "usher help lua [NAME]".
type luaHelp struct {
	Name     string `arg:"" optional:"" help:"A module, function or table, such as kv, kv.set, request or Principal."`
	Markdown bool   `help:"Print the table of modules as the README has it."`
}

// Run prints the reference.
func (c luaHelp) Run(s streams) error {
	reference, err := luadoc.Load()
	if err != nil {
		return err
	}
	switch {
	case c.Markdown:
		fmt.Fprint(s.out, reference.Markdown())
	case c.Name == "":
		reference.Topics(s.out)
		fmt.Fprintln(s.out, "\nusher help lua NAME says more of each.")
	case !reference.Describe(s.out, c.Name):
		return usageError(fmt.Errorf("scripts have nothing that is called %q; usher help lua lists what there is", c.Name))
	}
	return nil
}
