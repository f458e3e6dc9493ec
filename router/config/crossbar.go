package config

import (
	"strconv"
	"strings"
	"time"
)

// crossbarNode reads a Crossbar.io node file: one router worker with realms,
// transports and components, in the same vocabulary as usher.yaml. What usher
// has no counterpart for is a warning, unless leaving it out would let in
// somebody whom the author keeps out.
func (r *reader) crossbarNode(v value, c *Config) {
	f := v.fields()
	if version := f.get("version"); version.n != nil && version.n.text != "2" {
		version.warn("usher knows version 2 of this format and reads the file as that")
	}
	if controller := f.get("controller"); controller.n != nil && len(controller.n.entries) > 0 {
		controller.warn("usher has no controller process; this has no effect")
	}
	c.Scripts.AllowJoin = true
	var router value
	for _, w := range f.get("workers").list() {
		wf := w.fields()
		switch typ := wf.need("type"); {
		case typ.text() != "router":
			typ.warn("workers of type %q are not supported; this one does not run", typ.text())
		case router.n != nil:
			// One router would join what two keep apart.
			w.fail("there is a router worker already, and usher is one router: give each its own file and process")
		default:
			router = w
			r.crossbarWorker(wf, c)
		}
	}
	if router.n == nil && len(r.problems) == 0 {
		f.fail("there is no worker of type router: nothing to run")
	}
	f.done(nil)
}

func (r *reader) crossbarWorker(f *fields, c *Config) {
	c.Realms = r.realms(f.need("realms"))
	c.Transports = r.transports(f.need("transports"), c)
	for _, component := range f.get("components").list() {
		r.crossbarComponent(component, c)
	}
	r.crossbarOnly(f, "id", "options")
	f.done(nil)
}

// crossbarComponent says which script takes a component's place.
func (r *reader) crossbarComponent(v value, c *Config) {
	f := v.fields()
	what, name := "the component", "component"
	switch typ := f.need("type").text(); typ {
	case "class", "function":
		class := f.get("classname").text()
		if typ == "function" {
			class = f.get("callbacks").fields().get("join").text()
		}
		what = "the Python " + typ + " " + strconv.Quote(class)
		if module, _, ok := strings.Cut(class, "."); ok && componentName.MatchString(module) {
			name = module
		}
	default:
		what = "the component of type " + strconv.Quote(typ)
	}
	realm, role := f.get("realm"), f.get("role")
	v.warn("%s does not run in usher: write scripts/%s.lua that begins with router.join { realm = %q, authrole = %q }", what, name, realm.text(), role.text())
	if !realm.absent() && !role.absent() {
		r.checks = append(r.checks, func() { checkMember(c, realm, role) })
	}
	f.known = append(f.known, "id", "options", "extra", "callbacks")
	f.done(nil)
}

// crossbarOptions reads those options of a WebSocket that usher has for all of
// its connections together. Where paths differ, the stricter one counts.
func crossbarOptions(f *fields, l *Limits) {
	if v := f.get("max_message_size"); v.nonZero("usher always has a limit and keeps its default") {
		l.MaxMessageSize = stricter(l.MaxMessageSize, v.integer(1<<10, 1<<30))
	}
	if v := f.get("auto_ping_interval"); v.nonZero("usher always checks that clients live, at its default interval") {
		l.PingInterval = stricter(l.PingInterval, v.milliseconds())
	}
	if v := f.get("auto_ping_timeout"); v.nonZero("usher always checks that clients live, with its default time-out") {
		l.PingTimeout = stricter(l.PingTimeout, v.milliseconds())
	}
}

// nonZero reports whether v is given and not 0, which turns an option off.
func (v value) nonZero(why string) bool {
	if v.n != nil && v.n.kind == kindInt && v.n.text == "0" {
		v.warn("0 turns this off; %s", why)
		return false
	}
	return !v.absent()
}

// milliseconds is how Crossbar.io writes times.
func (v value) milliseconds() time.Duration {
	return time.Duration(v.integer(1, 24*60*60*1000)) * time.Millisecond
}

func stricter[T int | time.Duration](a, b T) T {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
