package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// scripts reads the short form, a directory, or the dict:
//
//	directory   where the Lua components are
//	env         list of the environment variables that os.getenv sees
//	allow_join  false: only what components names may run; true by default
//	http        dict, see scriptHTTP
//	limits      dict: handler_timeout, instructions, memory, pattern_steps, vms,
//	            idle_vms, vm_calls, queue_wait, call_depth, hash_memory; see
//	            ScriptLimits
func (r *reader) scripts(v value, c *Config) {
	c.Scripts.AllowJoin = true
	if v.absent() {
		return
	}
	if v.n.kind == kindString {
		c.Scripts.Directory = r.filePath(v, c, true)
		return
	}
	f := v.fields()
	if d := f.need("directory"); !d.absent() {
		c.Scripts.Directory = r.filePath(d, c, true)
	}
	c.Scripts.Env = f.get("env").names(func(name string) string {
		if strings.ContainsAny(name, "=\x00") {
			return "is not the name of an environment variable"
		}
		return ""
	})
	c.Scripts.AllowJoin = f.get("allow_join").boolean(true)
	c.Scripts.HTTP = scriptHTTP(f.get("http"))
	l := f.get("limits").fields()
	c.Scripts.Limits = ScriptLimits{
		HandlerTimeout: l.get("handler_timeout").duration(),
		Instructions:   l.get("instructions").integer(1000, 1e9),
		Memory:         l.get("memory").size(64<<10, 1<<30),
		PatternSteps:   l.get("pattern_steps").integer(1000, 1e9),
		VMs:            l.get("vms").integer(1, 4096),
		IdleVMs:        l.get("idle_vms").integer(1, 4096),
		VMCalls:        l.get("vm_calls").integer(1, 1e9),
		QueueWait:      l.get("queue_wait").duration(),
		CallDepth:      l.get("call_depth").integer(1, 64),
		HashMemory:     l.get("hash_memory").size(1<<20, 1<<30),
	}
	l.done(nil)
	f.done(nil)
}

// scriptHTTP reads what scripts may reach by HTTP. By default that is every
// address of the Internet, but none of private networks and the machine itself:
//
//	allow          list of hosts, with or without a port, addresses and networks
//	               that they may reach, too
//	allow_private  true: all
func scriptHTTP(v value) ScriptHTTP {
	f := v.fields()
	h := ScriptHTTP{
		AllowPrivate: f.get("allow_private").boolean(false),
		Allow: f.get("allow").names(func(name string) string {
			if _, err := netip.ParsePrefix(name); err == nil || isHostPort(name) {
				return ""
			}
			return "is neither a host, with or without a port, nor an address or a network such as 10.0.0.0/8"
		}),
	}
	f.done(map[string]string{"timeout": "a request ends with its handler: limits.handler_timeout"})
	return h
}

// isHostPort reports whether s is a host or an address, with or without a port.
func isHostPort(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return true
	}
	host, port, ok := strings.Cut(s, ":")
	if n, err := strconv.ParseUint(port, 10, 16); ok && (err != nil || n == 0) {
		return false
	}
	return host != "" && !strings.ContainsAny(host, "/:*@[]? ")
}
