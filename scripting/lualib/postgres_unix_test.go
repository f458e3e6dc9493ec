//go:build unix

package lualib

import (
	"context"
	"strings"
	"testing"
	"time"

	"usher/scripting/lua51"
	"usher/scripting/lualib/postgrestest"
)

func TestPostgreSQL(t *testing.T) {
	d := databases(t, map[string]Database{"db": {Driver: "postgres", DSN: postgrestest.Start(t)}})
	L := sqlVM(t, d)
	run(t, L, `bytes = "BYTEA" function p(n) return "$" .. n end many = "SELECT * FROM generate_series(1, 20000)"`)
	for _, step := range sqlCommon() {
		run(t, L, step)
	}
	for _, step := range []string{
		`local r = db:query_row("SELECT 1::int2 a, 2::int8 b, 1.10::numeric c, true d, '2026-11-26T12:00:00+01'::timestamptz e, '{\"x\": 1}'::jsonb f, 'b3f1e9a0-0000-4000-8000-000000000000'::uuid g, '10.0.0.0/8'::cidr h, ARRAY[1,2] i, NULL j, 'NaN'::float8 k")
		 is(r.a, 1) is(r.b, 2) is(r.c, "1.10") is(r.d, true) is(time.parse(r.e), time.parse("2026-11-26T11:00:00Z")) is(json.decode(r.f).x, 1)
		 is(r.g, "b3f1e9a0-0000-4000-8000-000000000000") is(r.h, "10.0.0.0/8") is(r.i, "{1,2}") is(r.j, nil) assert(r.k ~= r.k)`,
		`is(db:query_row("SELECT $1::uuid::text u, $2::timestamptz = '2026-11-26T12:00:00Z' t, $3::numeric n, $4::jsonb->>'a' j", "b3f1e9a0-0000-4000-8000-000000000000", "2026-11-26T12:00:00Z", "1.5", '{"a": "b"}').t, true)`,
		`fails("SQLSTATE 23505", db.exec, db, "INSERT INTO users (id, name) VALUES (9, 'joe')")`,
		`fails("cannot insert multiple commands", db.query, db, "SELECT 1; SELECT 2")`,
		`fails("SQLSTATE 25P02", db.transaction, db, function(tx) pcall(tx.query, tx, "SELECT 1/0") tx:query("SELECT 1") end)`,
	} {
		run(t, L, step)
	}

	// A query that hangs ends with its call, in the server, too.
	budget := lua51.NewBudget(context.Background(), lua51.Limits{Wall: 100 * time.Millisecond})
	L.SetContext(budget)
	err := L.DoString(`pcall(db.query, db, "SELECT pg_sleep(60)") error("went on")`)
	budget.Release()
	L.RemoveContext()
	if err == nil || strings.Contains(err.Error(), "went on") || budget.Err() == nil {
		t.Errorf("%v, %v", err, budget.Err())
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		run(t, L, `sleeping = db:query_row("SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'").n`)
		if L.GetGlobal("sleeping").String() == "0" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the query goes on in the server")
		}
	}
}
