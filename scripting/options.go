package scripting

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"usher/scripting/lua51"
	"usher/scripting/lualib"
)

// Options say where the scripts are and what they may do.
type Options struct {
	// Dir is the scripts directory. It is watched: what changes there takes
	// effect. Empty: FS is read once instead.
	Dir string
	// FS holds scripts that do not change, such as embedded ones.
	FS fs.FS

	// Components give the session of a component, by its name; a script that
	// joins as somebody else does not load then.
	Components map[string]Role
	// ForbidJoin makes router.join an error for components that are not in
	// Components. By default each may join any role that there is.
	ForbidJoin bool

	// RequiredURIs are procedures that the configuration names, such as those of
	// authenticators: a changed script that does not register one of them any
	// more does not replace the one that did.
	RequiredURIs []string

	// Env lists the environment variables that os.getenv shows.
	Env []string
	// ShowEnv shows them all: for a LookupEnv that knows no secrets.
	ShowEnv bool
	// LookupEnv answers for them. Nil: os.LookupEnv.
	LookupEnv func(name string) (string, bool)

	// KVFile keeps what scripts put into kv when the process ends; see
	// lualib.StoreFile. Empty: kv is in memory only.
	KVFile string

	// HTTP says what scripts may reach by the module http.
	HTTP lualib.HTTPOptions
	// SQL are the databases of the module sql, by name.
	SQL map[string]Database
	// FakeSQL answers in place of all databases. Nil: SQL counts.
	FakeSQL lualib.FakeDatabase

	Limits Limits

	// Clock is the time that scripts see, and by which their timers run and what they
	// keep expires. Nil: the real one. It does not bound how long they may run.
	Clock Clock
	// Coverage counts what of the scripts runs. Nil: nothing is counted.
	Coverage *lua51.Coverage

	// Log receives everything that the host and its scripts say. Nil: slog.Default().
	Log *slog.Logger
}

// Database is one that scripts may use.
type Database struct {
	lualib.Database
	DSNEnv string // the environment variable that has the DSN; empty: the field has
}

// databases returns those of SQL, without a connection.
func (o *Options) databases() (*lualib.Databases, error) {
	if o.FakeSQL != nil {
		return lualib.NewFakeDatabases(o.FakeSQL), nil
	}
	named := map[string]lualib.Database{}
	for name, db := range o.SQL {
		if db.DSNEnv != "" {
			dsn, ok := o.LookupEnv(db.DSNEnv)
			if !ok || dsn == "" {
				return nil, fmt.Errorf("sql: database %s: the environment variable %s is not set", name, db.DSNEnv)
			}
			db.DSN = dsn
		}
		named[name] = db.Database
	}
	return lualib.NewDatabases(named)
}

// Role is whom a component joins as.
type Role struct {
	Realm, Authrole string
}

// Limits bound what scripts may use. Zero values mean the defaults.
type Limits struct {
	Call lua51.Limits // of one handler's call

	VMs        int           // of one generation at the same time; 512
	IdleVMs    int           // kept for the next call; 16
	CallsPerVM int           // after which a VM is replaced; 10,000
	Computing  int           // VMs of one generation that run Lua, not waiting for a router.call; GOMAXPROCS, at least 2
	QueueWait  time.Duration // for a VM; 500 ms
	QueueBytes int           // of calls, and of events, that wait in one component; 8 MiB
	Depth      int           // of router.call within a procedure that router.call called; 8

	// HeapGrowth is how much the heap may grow while scripts run before the one
	// that used most is stopped; 256 MiB.
	HeapGrowth uint64

	Store lualib.StoreLimits // of kv, for each realm

	HashMemory int // of one hash of a password; 64 MiB, and twice that of all together

	Files     int // in the scripts directory; 1,000
	FileBytes int // of one script; 256 KiB
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.VMs, 512)
	def(&l.IdleVMs, 16)
	def(&l.CallsPerVM, 10_000)
	def(&l.Computing, max(2, runtime.GOMAXPROCS(0)))
	def(&l.QueueBytes, 8<<20)
	def(&l.Depth, 8)
	def(&l.Files, 1000)
	def(&l.FileBytes, lua51.MaxSource)
	if l.QueueWait == 0 {
		l.QueueWait = 500 * time.Millisecond
	}
	if l.HeapGrowth == 0 {
		l.HeapGrowth = 256 << 20
	}
	return l
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.withDefaults()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = realClock{}
	}
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	return o
}

// getenv answers os.getenv.
func (o *Options) getenv(name string) (string, bool) {
	if !o.ShowEnv && !slices.Contains(o.Env, name) {
		return "", false
	}
	return o.LookupEnv(name)
}
