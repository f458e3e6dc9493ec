package lualib

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
)

// Database says how to reach a database.
type Database struct {
	Driver      string // postgres or sqlite
	DSN         string // of postgres: a URL or key=value; a secret
	File        string // of sqlite
	ReadOnly    bool   // of sqlite
	Connections int    // at most; 8 by default
}

// String describes the database without its secret.
func (d Database) String() string { return d.Driver + " database" }

// Databases are what sql.open finds by name, with their connections, which are
// made when they are needed. Its methods may be called concurrently.
type Databases struct {
	fake FakeDatabase // may be nil

	mu   sync.Mutex
	pool map[string]*database
}

type database struct {
	Database
	open func() *sql.DB
	db   *sql.DB // nil: not used yet
}

// NewDatabases returns databases without a connection. The error names the one
// that can't be right.
func NewDatabases(named map[string]Database) (*Databases, error) {
	d := &Databases{pool: map[string]*database{}}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		db, err := parseDatabase(named[name])
		if err != nil {
			return nil, fmt.Errorf("sql: database %s: %w", name, err)
		}
		d.pool[name] = db
	}
	return d, nil
}

// FakeDatabase answers a statement on the database name in place of it. Values of
// rows are nil, bool, float64 or string. It may be called concurrently.
type FakeDatabase func(ctx context.Context, name, text string, params []any) (rows []map[string]any, changed int64, err error)

// NewFakeDatabases returns databases of every name, all of which are f.
func NewFakeDatabases(f FakeDatabase) *Databases {
	return &Databases{fake: f, pool: map[string]*database{}}
}

// Become makes d those of next, which must not have been used. What is in both
// keeps its connections; what is not in next is closed, when a query that runs
// has ended.
func (d *Databases) Become(next *Databases) {
	var gone []*sql.DB
	d.mu.Lock()
	for name, db := range d.pool {
		if now := next.pool[name]; now != nil && now.Database == db.Database {
			next.pool[name] = db
		} else if db.db != nil {
			gone = append(gone, db.db)
		}
	}
	d.pool = next.pool
	d.mu.Unlock()
	for _, db := range gone {
		db.Close()
	}
}

// Close closes all connections; those in use when what uses them has ended. There
// are no databases after that.
func (d *Databases) Close() { d.Become(&Databases{}) }

func (d *Databases) get(name string) (*database, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fake != nil {
		return &database{}, nil
	}
	if db := d.pool[name]; db != nil {
		if db.db == nil {
			db.db = db.open()
			db.db.SetMaxOpenConns(db.Connections)
			db.db.SetMaxIdleConns(db.Connections)
			db.db.SetConnMaxIdleTime(5 * time.Minute)
			db.db.SetConnMaxLifetime(time.Hour)
		}
		return db, nil
	}
	if len(d.pool) == 0 {
		return nil, errors.New("the configuration names no database, see scripts.sql")
	}
	return nil, fmt.Errorf("the configuration names no database %q, there are %s", CutText(name, 100), strings.Join(slices.Sorted(maps.Keys(d.pool)), ", "))
}

// parseDatabase checks what can be checked without a connection.
func parseDatabase(d Database) (*database, error) {
	if d.Connections == 0 {
		d.Connections = 8
	}
	switch d.Driver {
	case "postgres":
		c, err := pgx.ParseConfig(d.DSN)
		if err != nil {
			return nil, errors.New("the dsn is neither a postgres:// URL nor in the form host=… dbname=…") // err may quote it
		}
		if c.RuntimeParams["application_name"] == "" {
			c.RuntimeParams["application_name"] = "usher"
		}
		// A query whose script has ended must not go on in the server.
		c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 250 * time.Millisecond}
		}
		return &database{Database: d, open: func() *sql.DB { return stdlib.OpenDB(*c) }}, nil
	case "sqlite":
		// Scripts wait for locks by themselves: what SQLite waits for can't be stopped.
		q := url.Values{"_pragma": {"busy_timeout(20)", "foreign_keys(1)", "trusted_schema(0)"}}
		if d.ReadOnly {
			q.Set("mode", "ro")
		} else {
			q.Add("_pragma", "journal_mode(WAL)")
			q.Set("_txlock", "immediate") // so that what waits for a lock is BEGIN only
		}
		connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: d.File}).EscapedPath() + "?" + q.Encode())
		if err != nil {
			return nil, err
		}
		return &database{Database: d, open: func() *sql.DB {
			if !d.ReadOnly { // where that fails, so does the first query, which says it
				os.MkdirAll(filepath.Dir(d.File), 0o700)
			}
			return sql.OpenDB(connector)
		}}, nil
	}
	return nil, fmt.Errorf("%q is not a driver: there are postgres and sqlite", d.Driver)
}

// conn returns a connection, to be closed by the caller.
func (d *database) conn(ctx context.Context) (*sql.Conn, error) {
	c, err := d.db.Conn(ctx)
	if err != nil || d.Driver != "sqlite" {
		return c, err
	}
	// With ATTACH and VACUUM INTO a script could read and write other files.
	const attached = 7
	if _, err := sqlite.Limit(c, attached, 0); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// retry does again what failed because another connection holds a lock.
func (d *database) retry(ctx context.Context, f func() error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := f()
		if !isBusy(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

func isBusy(err error) bool {
	var e *sqlite.Error
	const busy = 5 // its extended codes differ in the higher bytes
	return errors.As(err, &e) && e.Code()&0xff == busy
}
