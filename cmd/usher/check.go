package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"usher/router"
	"usher/router/realm"
	"usher/scripting"
)

// checkCommand is "usher check".
type checkCommand struct {
	sourceFlags
}

// Run validates configuration and scripts as serve would, runs nothing but the
// scripts' top levels, and shows what each registers.
func (c checkCommand) Run(s streams) error {
	src, err := c.load()
	if err != nil {
		return err
	}
	if src.demo() {
		fmt.Fprintln(s.out, "configuration: built in (demo mode)")
	} else {
		fmt.Fprintf(s.out, "configuration: %s\n", src.file)
	}
	for _, w := range src.config.Warnings {
		fmt.Fprintf(s.out, "  note: %s\n", w)
	}
	fmt.Fprintf(s.out, "scripts: %s\n", src.describeScripts())
	if !src.hasScripts() {
		return nil
	}
	quiet := slog.New(slog.DiscardHandler)
	node := realm.NewNode(router.Policy(src.config), realm.Limits{}, agent(), quiet)
	components, err := scripting.Check(src.scripting(quiet), node)
	if err != nil && len(components) == 0 {
		return err
	}
	failed := 0
	for _, component := range components {
		describeComponent(s.out, component)
		if component.Err != nil {
			failed++
		}
	}
	missing := authenticatorsWithoutScript(src, components)
	for _, uri := range missing {
		fmt.Fprintf(s.out, "note: no script registers the authenticator %s: logins that need it are refused until a client does\n", uri)
	}
	if failed > 0 {
		fmt.Fprintf(s.err, "usher: %d of %d scripts would not load\n", failed, len(components))
		return errQuiet
	}
	return nil
}

func describeComponent(w io.Writer, c scripting.ComponentStatus) {
	if c.Err != nil {
		fmt.Fprintf(w, "%s: FAILED\n  %s\n", c.File, strings.ReplaceAll(c.Err.Error(), "\n", "\n  "))
		return
	}
	fmt.Fprintf(w, "%s: joins %s as %s\n", c.File, c.Realm, c.Authrole)
	for _, uri := range c.Registrations {
		fmt.Fprintf(w, "  registers   %s\n", uri)
	}
	for _, uri := range c.Subscriptions {
		fmt.Fprintf(w, "  subscribes  %s\n", uri)
	}
	for _, uri := range c.Denied {
		fmt.Fprintf(w, "  denied      %s\n", uri)
	}
}

// authenticatorsWithoutScript are the procedures that the configuration names
// and no component registers.
func authenticatorsWithoutScript(src *source, components []scripting.ComponentStatus) []string {
	registered := map[string]bool{}
	for _, c := range components {
		for _, uri := range c.Registrations {
			registered[uri] = true
		}
	}
	var missing []string
	for _, d := range src.config.Dynamics() {
		if !registered[d.URI] {
			missing = append(missing, d.URI)
		}
	}
	return missing
}
