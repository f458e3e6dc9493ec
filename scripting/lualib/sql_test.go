package lualib

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"usher/scripting/lua51"
)

// sqlVM is a VM with sql on databases, and the global db: the one called "db".
func sqlVM(t testing.TB, d *Databases) *lua.LState {
	L, values := valuesVM(t, Options{})
	OpenSQL(L, values, func() *Databases { return d })
	run(t, L, `db = sql.open("db")`)
	return L
}

func databases(t testing.TB, named map[string]Database) *Databases {
	d, err := NewDatabases(named)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func sqliteFile(t testing.TB) Database {
	return Database{Driver: "sqlite", File: filepath.Join(t.TempDir(), "new", "a b?&%#.db")} // no such letter may end the name
}

// What holds for each database; p(n) is the placeholder of parameter n.
func sqlCommon() []string {
	return []string{
		`is(db:exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, score DOUBLE PRECISION, secret " .. bytes .. ", admin BOOLEAN, big BIGINT)"), 0)`,
		`is(db:exec("INSERT INTO users VALUES (" .. p(1) .. "," .. p(2) .. "," .. p(3) .. "," .. p(4) .. "," .. p(5) .. "," .. p(6) .. ")", 1, "joe", 1.5, binary("\0\255"), nil, "9007199254740993"), 1)`,
		`is(db:exec("INSERT INTO users (id, name) VALUES (2, " .. p(1) .. "), (3, " .. p(2) .. ")", "Robert'); DROP TABLE users;--", null), 2)`,
		`local r = db:query_row("SELECT * FROM users WHERE name = " .. p(1), "joe")
		 is(r.id, 1) is(r.name, "joe") is(r.score, 1.5) is(r.secret, "\0\255") is(r.admin, nil) is(r.big, "9007199254740993")`,
		`is(db:query_row("SELECT * FROM users WHERE name = " .. p(1), "nobody"), nil)`,
		`local rows = db:query("SELECT id, name FROM users ORDER BY id") is(#rows, 3) is(rows[2].name, "Robert'); DROP TABLE users;--") is(rows[3].name, nil)`,
		`is(json.encode(db:query("SELECT id FROM users WHERE id = 7")), "[]") is(json.encode(db:query("SELECT id FROM users WHERE id = 1")), '[{"id":1}]')`,
		`is(db:exec("UPDATE users SET score = 0 WHERE id > 1"), 2)`,
		// A transaction is all or nothing.
		`is(db:transaction(function(tx) is(tx:exec("UPDATE users SET score = 7 WHERE id = 1"), 1) is(tx:query_row("SELECT score FROM users WHERE id = 1").score, 7) return "done" end), "done")
		 is(db:query_row("SELECT score FROM users WHERE id = 1").score, 7)`,
		`fails("my own", db.transaction, db, function(tx) tx:exec("UPDATE users SET score = 8 WHERE id = 1") error("my own") end)
		 is(db:query_row("SELECT score FROM users WHERE id = 1").score, 7)`,
		`local kept db:transaction(function(tx) kept = tx end) fails("the transaction has ended", kept.query, kept, "SELECT 1")`,
		`for _, method in ipairs{"query", "query_row", "exec", "transaction"} do
		   fails("db:" .. method .. " inside of db:transaction(function(tx) … end): use tx", db.transaction, db, function(tx) db[method](db, method == "transaction" and print or "SELECT 1") end)
		 end
		 is(#db:query("SELECT id FROM users"), 3)`,
		`local a, b, c = db:transaction(function() return 1, nil, 3 end) is(a, 1) is(b, nil) is(c, 3)`,
		// What is wrong is raised, and nothing of it is left.
		`fails("sql: database db: ", db.query, db, "SELEC 1") fails("nowhere", db.query, db, "SELECT * FROM nowhere")`,
		`fails("users", db.exec, db, "INSERT INTO users (id, name) VALUES (9, " .. p(1) .. ")", "joe")`,
		`fails("two columns are called \"id\"", db.query, db, "SELECT a.id, b.id FROM users a, users b")`,
		`fails("the query has more than 500 columns", db.query, db, "SELECT " .. ("1, "):rep(500) .. "1")`,
		`fails("use LIMIT", db.query, db, many)`,
		`is(db:query_row(many) ~= nil, true)`,
		`fails("write db:query(…), with a colon", db.query, "SELECT 1") fails("string expected", db.query, db) fails("string expected", db.query, db, 1)
		 fails("a parameter must be", db.query, db, "SELECT " .. p(1), {}) fails("function expected", db.transaction, db) fails("write db:transaction", db.transaction)`,
		`is(#db:query("SELECT id FROM users"), 3)`,
		`fails('the configuration names no database "other", there are db', sql.open, "other")`,
	}
}

func TestSQLite(t *testing.T) {
	file := sqliteFile(t)
	L := sqlVM(t, databases(t, map[string]Database{"db": file}))
	run(t, L, `bytes = "BLOB" function p() return "?" end
many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n"`)
	for _, step := range sqlCommon() {
		run(t, L, step)
	}
	for _, step := range []string{
		`is(db:query_row("SELECT count(*) AS n FROM users").n, 3)`,
		`is(db:query_row("SELECT typeof(?) AS t", 1).t, "integer") is(db:query_row("SELECT typeof(?) AS t", 1.5).t, "real") is(db:query_row("SELECT typeof(?) AS t", binary("x")).t, "blob")`,
		`db:exec("CREATE TABLE times (at TIMESTAMP)") db:exec("INSERT INTO times VALUES (?)", "2026-11-26T12:00:00Z") is(db:query_row("SELECT at FROM times").at, "2026-11-26T12:00:00Z")`,
		// No other file can be read or written.
		`fails("too many attached databases", db.exec, db, "ATTACH DATABASE 'other.db' AS other") fails("too many attached databases", db.exec, db, "VACUUM INTO 'other.db'")`,
		`fails("not authorized", db.query, db, "SELECT load_extension('x')")`,
	} {
		run(t, L, step)
	}

	file.ReadOnly = true
	L = sqlVM(t, databases(t, map[string]Database{"db": file}))
	run(t, L, `is(#db:query("SELECT id FROM users"), 3) fails("readonly", db.exec, db, "DELETE FROM users") is(db:transaction(function(tx) return #tx:query("SELECT id FROM users") end), 3)`)
	matches, err := filepath.Glob(filepath.Join(filepath.Dir(file.File), "*.db"))
	if err != nil || len(matches) != 1 {
		t.Errorf("%v, %v", matches, err)
	}
}

// A statement ends with its call, whether it computes or waits for a lock.
func TestSQLEndsWithTheCall(t *testing.T) {
	d := databases(t, map[string]Database{"db": sqliteFile(t)})
	L := sqlVM(t, d)
	run(t, L, `db:exec("CREATE TABLE t (i INTEGER)")`)
	holder, err := d.pool["db"].db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	limits := lua51.Limits{Wall: 100 * time.Millisecond}
	check := func(text string) {
		t.Helper()
		budget := lua51.NewBudget(context.Background(), limits)
		defer budget.Release()
		L.SetContext(budget)
		defer L.RemoveContext()
		if err := L.DoString(text + ` error("went on")`); err == nil || strings.Contains(err.Error(), "went on") || budget.Err() == nil {
			t.Errorf("%s: %v, %v", text, err, budget.Err())
		}
	}
	check(`db:query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")`)
	check(`db:exec("INSERT INTO t VALUES (1)")`)
	check(`db:transaction(function() end)`)
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	// The lock of a transaction goes with its script.
	check(`db:transaction(function(tx) tx:exec("INSERT INTO t VALUES (1)") while true do end end)`)
	// Or with the function that fails: the script may have much time left.
	limits.Wall = time.Hour
	check(`pcall(db.transaction, db, function(tx) tx:exec("INSERT INTO t VALUES (1)") error("mine") end) db:exec("DELETE FROM t") while true do end`)
	L.RemoveContext()
	run(t, L, `db:exec("INSERT INTO t VALUES (2)") is(#db:query("SELECT * FROM t"), 1)`)
}

// A fake refuses what the databases that it stands for refuse.
func TestAFakeDatabase(t *testing.T) {
	var asked []string
	L := sqlVM(t, NewFakeDatabases(func(_ context.Context, name, text string, params []any) ([]map[string]any, int64, error) {
		asked = append(asked, name+": "+text)
		return []map[string]any{{"n": 1.5}, {"m": "two"}}, 7, nil
	}))
	for _, step := range []string{
		`is(db:transaction(function(tx) is(tx:exec("e"), 7) is(tx:query_row("q").n, 1.5) return "done" end), "done")`,
		`local rows = db:query("q") is(#rows, 2) is(rows[1].m, nil) is(rows[2].m, "two")`,
		`local kept db:transaction(function(tx) kept = tx end) fails("the transaction has ended", kept.query, kept, "SELECT 1")`,
		`fails("my own", db.transaction, db, function() error("my own") end)`,
		`for _, method in ipairs{"query", "query_row", "exec", "transaction"} do
		   fails("db:" .. method .. " inside of db:transaction(function(tx) … end): use tx", db.transaction, db, function(tx) db[method](db, method == "transaction" and print or "SELECT 1") end)
		 end`,
	} {
		run(t, L, step)
	}
	if got := strings.Join(asked, ", "); got != "db: e, db: q, db: q" {
		t.Error(got)
	}
}

// What a query reads counts against the call's budget.
func TestSQLRowsAreCounted(t *testing.T) {
	L := sqlVM(t, databases(t, map[string]Database{"db": sqliteFile(t)}))
	for _, query := range []string{
		"SELECT hex(randomblob(100000)) AS x",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n",
	} {
		budget := lua51.NewBudget(t.Context(), lua51.Limits{Bytes: 100 << 10})
		L.SetContext(budget)
		if err := L.DoString(`db:query("` + query + `")`); err == nil || !errors.Is(budget.Err(), lua51.ErrBytes) {
			t.Errorf("%s: %v, %v", query, err, budget.Err())
		}
		budget.Release()
	}
}

func TestDatabasesOfAnotherConfiguration(t *testing.T) {
	a, b := sqliteFile(t), sqliteFile(t)
	d := databases(t, map[string]Database{"db": a, "other": b})
	L := sqlVM(t, d)
	run(t, L, `other = sql.open("other") db:exec("CREATE TABLE t (i INTEGER)") other:exec("CREATE TABLE o (i INTEGER)")`)
	kept := d.pool["db"]
	d.Become(databases(t, map[string]Database{"db": a, "third": b}))
	run(t, L, `is(#db:query("SELECT * FROM t"), 0) fails('names no database "other"', other.query, other, "SELECT 1") is(#sql.open("third"):query("SELECT * FROM o"), 0)`)
	if d.pool["db"] != kept {
		t.Error("connections of a database that is the same were closed")
	}
	d.Become(databases(t, map[string]Database{"db": b}))
	run(t, L, `fails("no such table", db.query, db, "SELECT * FROM t") is(#db:query("SELECT * FROM o"), 0)`)
	d.Become(databases(t, nil))
	run(t, L, `fails("the configuration names no database, see scripts.sql", sql.open, "db")`)
}

func TestDatabasesThatCannotBe(t *testing.T) {
	for _, d := range []Database{{Driver: "mysql"}, {Driver: "postgres", DSN: "postgres://joe:geheim@[::1"}, {Driver: "postgres", DSN: "geheim"}} {
		_, err := NewDatabases(map[string]Database{"db": d})
		if err == nil || !strings.HasPrefix(err.Error(), "sql: database db: ") || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%+v: %v", d, err)
		}
	}
}
