package config

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// scripts reads the short form, a directory, or the dict:
//
//	directory   where the Lua components are
//	env         list of the environment variables that os.getenv sees
//	allow_join  false: only what components names may run; true by default
//	http        dict, see scriptHTTP
//	kv          dict: file, that keeps it when usher ends (absent: memory only),
//	            relative to this file's folder; entries (100000) and bytes (64MiB)
//	            of each realm
//	sql         dict by name, see scriptSQL
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
	kv := f.get("kv").fields()
	c.Scripts.KV = ScriptKV{File: r.ownPath(kv.get("file")), Entries: kv.get("entries").integer(1, 1e7), Bytes: kv.get("bytes").size(64<<10, 1<<30)}
	kv.done(map[string]string{"path": "it is called file"})
	r.scriptSQL(f.get("sql"), c)
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

// databaseName is what sql.open is given.
var databaseName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// scriptSQL reads the databases that scripts may use:
//
//	driver       postgres or sqlite
//	dsn          of postgres: postgres://user:password@host/database, or host=… …
//	dsn_env      or the environment variable that has it
//	file         of sqlite; relative to this file's folder, made if it is not there
//	read_only    of sqlite; false by default
//	connections  at most; 8 if absent
func (r *reader) scriptSQL(v value, c *Config) {
	v.each(func(name string, v value) {
		if !databaseName.MatchString(name) {
			v.fail("%q can't be a database's name: it has letters, digits, _, - and .", name)
		}
		f := v.fields()
		driver := f.need("driver")
		db := ScriptSQL{Driver: driver.oneOf("a driver", "postgres", "sqlite")}
		dsn, env, file, readOnly := f.get("dsn"), f.get("dsn_env"), f.get("file"), f.get("read_only")
		db.Connections = f.get("connections").integer(1, 1000)
		switch db.Driver {
		case "postgres":
			db.DSN, db.DSNEnv = dsn.name(), env.name()
			if dsn.absent() == env.absent() {
				f.fail("a postgres database has either dsn or dsn_env")
			}
			elsewhere("belongs to a sqlite database", file, readOnly)
		case "sqlite":
			if file.absent() {
				f.fail("%q is missing", "file")
			}
			db.File, db.ReadOnly = r.ownPath(file), readOnly.boolean(false)
			elsewhere("belongs to a postgres database: a sqlite one has file", dsn, env)
		}
		f.done(map[string]string{"path": "it is called file", "url": "it is called dsn", "password": "it belongs into dsn"})
		if c.Scripts.SQL == nil {
			c.Scripts.SQL = map[string]ScriptSQL{}
		}
		c.Scripts.SQL[name] = db
	})
}

// elsewhere tells which of values should not be there.
func elsewhere(why string, values ...value) {
	for _, v := range values {
		if !v.absent() {
			v.fail("%s", why)
		}
	}
}
