package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"usher/router"
	"usher/router/realm"
	"usher/router/wamp"
	"usher/scripting"
	"usher/scripting/lua51"
	"usher/scripting/luadoc"
)

// checkCommand is "usher check".
type checkCommand struct {
	sourceFlags
	Strict bool `help:"Exit with 1 if there are warnings, too."`
}

// Run validates configuration and scripts as serve would, runs nothing but the
// scripts' top levels, shows what each registers, and warns of what is odd.
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
		return src.blame(err)
	}
	warnings, err := lint(src)
	if err != nil {
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
	for _, w := range warnings {
		fmt.Fprintf(s.out, "warning: %s\n", w)
	}
	if failed > 0 {
		fmt.Fprintf(s.err, "usher: %d of %d scripts would not load\n", failed, len(components))
		return errQuiet
	}
	if c.Strict && len(warnings) > 0 {
		fmt.Fprintf(s.err, "usher: %d warnings\n", len(warnings))
		return errQuiet
	}
	return nil
}

// lint warns of what is odd about the scripts.
func lint(src *source) ([]lua51.Warning, error) {
	reference, err := luadoc.Load()
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	return scripting.Lint(src.scripting(quiet), scripting.Known{Scripts: reference.Globals(false), Tests: reference.Globals(true)})
}

func describeComponent(w io.Writer, c scripting.ComponentStatus) {
	if c.Err != nil {
		fmt.Fprintf(w, "%s: FAILED\n  %s\n", c.File, strings.ReplaceAll(c.Err.Error(), "\n", "\n  "))
		return
	}
	fmt.Fprintf(w, "%s: joins %s as %s, generation %d\n", c.File, c.Realm, c.Authrole, c.Generation)
	for _, d := range c.Declarations {
		uri := d.URI
		if d.Match != wamp.Exact {
			uri += " (" + d.Match.String() + ")"
		}
		if d.Denied != nil {
			fmt.Fprintf(w, "  denied        %s  %s %s\n", uri, d.Kind, d.Where)
			continue
		}
		fmt.Fprintf(w, "  %-13s %s  %s\n", d.Kind, uri, d.Where)
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
